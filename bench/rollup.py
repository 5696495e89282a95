"""What it costs to sum usage into the cubes: `manage.py bench rollup [--rows N]`, alone.

A million rows of history are rolled first. Then steps as beat makes them: 15 000 rows that came in
30 s at 500 requests a second, a step each; what one step costs is processor time of its backend
and of the process that asks.
"""

import os
import subprocess
import sys
import time
from datetime import UTC, datetime

import django
import msgspec
import psycopg

from bench.cost import cpu_s
from bench.usage_rows import Plan, write_usage
from studio.supervisor.bootstrap import BASE_DIR
from studio.supervisor.throwaway import throwaway_servers

_DATABASE = "studio_bench"
_STEPS = 8
_PER_S = 500
_BEAT_S = 30
_MOST_SHARE = 0.05
_SIZES = """
SELECT p.table_name, sum(pg_total_relation_size(i.inhrelid)), sum(c.reltuples)
FROM analytics.kept_from p
JOIN pg_inherits i ON i.inhparent = (
  CASE p.table_name WHEN 'usage' THEN 'public.' ELSE 'analytics.' END || p.table_name)::regclass
JOIN pg_class c ON c.oid = i.inhrelid
GROUP BY 1 ORDER BY 1
"""


class Step(msgspec.Struct):
    """What one roll took."""

    row_count: int
    wall_s: float
    cpu_s: float


def bench_rollup(*, rows: int = 1_000_000) -> bool:
    """Measure, print, and say whether it stays below 5 % of a core."""
    with throwaway_servers() as servers:
        servers.make_template()
        servers.clone(_DATABASE)
        url = servers.postgres.url("studio_owner", _DATABASE)
        environment = servers.environment(_DATABASE)
        with psycopg.connect(url, autocommit=True) as owner:
            today = datetime.now(UTC).date()
            begun = time.monotonic()
            write_usage(owner, Plan(end=today, row_count=rows))
            print(f"{rows} rows written in {time.monotonic() - begun:.0f} s")
            _print("history", _roll(environment))
            steps = []
            for number in range(_STEPS):
                plan = Plan(
                    end=today, days=1, row_count=_PER_S * _BEAT_S, seed=2 + number, chunk=25
                )
                write_usage(owner, plan)
                steps.append(_roll(environment))
                _print(f"step {number + 1}", steps[-1])
            owner.execute("VACUUM ANALYZE")
            for name, size, count in owner.execute(_SIZES):
                each = float(size) / count if count > 0 else 0
                print(
                    f"{name:12} {count:9.0f} rows {float(size) / 1e6:7.1f} MB {each:5.0f} B a row"
                )
    step = sorted(steps, key=lambda step: step.cpu_s)[_STEPS // 2]
    share = step.cpu_s / step.row_count * _PER_S
    print(f"{_PER_S} requests a second: {share:.1%} of one core (median step)")
    return share <= _MOST_SHARE


def _print(name: str, step: Step) -> None:
    each_us = step.cpu_s * 1e6 / max(1, step.row_count)
    print(
        f"{name:8} {step.row_count:8} rows {step.wall_s:7.2f} s wall"
        f" {step.cpu_s:7.2f} s CPU {each_us:6.1f} us a row"
    )


def _roll(environment: dict[str, str]) -> Step:
    done = subprocess.run(
        [sys.executable, "-m", "bench.rollup"],
        cwd=BASE_DIR,
        env=os.environ | environment,
        check=True,
        capture_output=True,
    )
    return msgspec.json.decode(done.stdout, type=Step)


def main() -> None:
    """Roll, and print what it took."""
    django.setup()
    # These need Django set up, which is so in this process alone.
    from django.db import connection

    from analytics.rolling import roll

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        backend = cursor.fetchone()[0]
    begun, before_s = time.monotonic(), cpu_s(backend) + time.process_time()
    rolled = roll(budget_s=3600)
    step = Step(
        row_count=rolled.row_count,
        wall_s=time.monotonic() - begun,
        cpu_s=cpu_s(backend) + time.process_time() - before_s,
    )
    sys.stdout.buffer.write(msgspec.json.encode(step))


if __name__ == "__main__":
    main()
