"""A million requests as a file: `manage.py bench usage-export [--rows N]`, alone.

Each form is written twice, by a process of its own. Peak memory is what the process took beyond
what Django and our modules take before the first row.
"""

import hashlib
import os
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import django
import msgspec
import psycopg

from bench.usage_rows import Plan, write_usage
from studio.supervisor.bootstrap import BASE_DIR
from studio.supervisor.throwaway import throwaway_servers

_DATABASE = "studio_bench"
_MOST_S = 15
_MOST_BYTES = 100_000_000
_MAKE = "INSERT INTO accounts_workspace (name, tier_id) VALUES ('bench', 'free') RETURNING id"
_FORMS = ("csv", "xlsx")


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What one file took."""

    wall_s: float
    cpu_s: float
    peak_bytes: int
    base_bytes: int
    file_bytes: int
    row_count: int
    digest: str


def bench_usage_export(*, rows: int = 1_000_000) -> bool:
    """Measure, print, and say whether the files are whole, quick, small in memory, and the same."""
    good = True
    with throwaway_servers() as servers:
        servers.make_template()
        servers.clone(_DATABASE)
        environment = os.environ | servers.environment(_DATABASE)
        url = servers.postgres.url("studio_owner", _DATABASE)
        with psycopg.connect(url, autocommit=True) as owner:
            found = owner.execute(_MAKE).fetchone()
            assert found is not None
            end = datetime.now(UTC).date() + timedelta(days=1)
            write_usage(owner, Plan(end=end, days=80, row_count=rows, workspace_ids=found))
            owner.execute("VACUUM ANALYZE usage")
        for form in _FORMS:
            written = [_measured(environment, form, found[0]) for _ in range(2)]
            same = len({item.digest for item in written}) == 1
            for item in written:
                fine = (
                    item.wall_s < _MOST_S
                    and item.peak_bytes - item.base_bytes < _MOST_BYTES
                    and same
                )
                good = good and fine
                print(
                    f"{form:5} {item.row_count:8} rows {item.wall_s:6.1f} s {item.cpu_s:6.1f} s CPU"
                    f" {item.base_bytes / 1e6:6.0f} MB before"
                    f" {item.peak_bytes / 1e6:6.0f} MB peak {item.file_bytes / 1e6:6.0f} MB"
                    f" {'' if fine else '<-'}"
                )
    return good


def _measured(environment: dict[str, str], form: str, workspace_id: int) -> Written:
    done = subprocess.run(
        [sys.executable, "-m", "bench.usage_exports", form, str(workspace_id)],
        cwd=BASE_DIR,
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
    )
    return msgspec.json.decode(done.stdout, type=Written)


def main(form: str, workspace_id: int) -> None:
    """Write one file into nowhere."""
    django.setup()
    # These need Django set up, which is so in this process alone.
    from analytics.exporting import Format, export_requests
    from analytics.query import Mode, QuerySpec

    digest = hashlib.sha256()
    file_bytes = 0

    def write(chunk: bytes) -> None:
        nonlocal file_bytes
        digest.update(chunk)
        file_bytes += len(chunk)

    base_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    now = datetime.now(UTC)
    spec = QuerySpec(start=now - timedelta(days=85), end=now + timedelta(days=2), mode=Mode.LIST)
    begun = time.perf_counter()
    row_count = export_requests(spec, Format(form), write, workspace_id=workspace_id)
    used = resource.getrusage(resource.RUSAGE_SELF)
    written = Written(
        wall_s=time.perf_counter() - begun,
        cpu_s=used.ru_utime + used.ru_stime,
        peak_bytes=used.ru_maxrss * 1024,
        base_bytes=base_bytes,
        file_bytes=file_bytes,
        row_count=row_count,
        digest=digest.hexdigest(),
    )
    sys.stdout.buffer.write(msgspec.json.encode(written))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
