"""How long a dashboard's questions take: `manage.py bench analytics [--rows N]`, alone.

Three databases: N rows over 92 days; a tenth of them over as many days (a tenth of the density);
and a tenth over nine days (a tenth of the history, at the same density). In each, the last 15 000
rows are not in the cubes yet. The workspace with most rows asks: every question three times warm,
the median counts.
"""

import os
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import django
import msgspec
import psycopg

from bench.usage_rows import Plan, write_usage
from studio.supervisor.bootstrap import BASE_DIR
from studio.supervisor.throwaway import Throwaway, throwaway_servers

if TYPE_CHECKING:
    from analytics.query import QuerySpec

_MOST_MS = 300
_MOST_BY_DENSITY = 5
_MOST_BY_HISTORY = 1.5
"""Rather than 1.2: what takes a few milliseconds varies by more on two shared cores."""
_NOISE_MS = 10
_DAYS = 92
_SHORT_DAYS = 9
_TAIL_ROWS = 15_000
_WORKSPACES = 200
_MAKE = """
INSERT INTO accounts_workspace (name, tier_id) SELECT 'bench-' || n, 'free'
FROM generate_series(1, %s) n RETURNING id
"""


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """A question by its name, the median of its times, and how many rows it has."""

    name: str
    wall_ms: float
    row_count: int


def bench_analytics(*, rows: int = 1_000_000) -> bool:
    """Measure, print, and say whether every question is fast and stays so."""
    with throwaway_servers() as servers:
        servers.make_template()
        full = _measured(servers, "studio_bench", rows=rows, days=_DAYS)
        sparse = _measured(servers, "studio_bench_sparse", rows=rows // 10, days=_DAYS)
        short = _measured(servers, "studio_bench_short", rows=rows // 10, days=_SHORT_DAYS)
    good = True
    print(f"{'question':44} {'rows':>5} {'ms':>7} {'density x10':>12} {'history x10':>12}")
    for name, taken in full.items():
        by_density = _ratio(taken, sparse[name])
        recent = name in short
        by_history = _ratio(taken, short[name]) if recent else 0.0
        fine = (
            taken.wall_ms <= _MOST_MS
            and by_density <= _MOST_BY_DENSITY
            and by_history <= _MOST_BY_HISTORY
        )
        good = good and fine
        history = f"{by_history:12.2f}" if recent else f"{'':12}"
        fault = "" if fine else "  <-"
        figures = f"{taken.row_count:5} {taken.wall_ms:7.1f} {by_density:12.2f} {history}"
        print(f"{name:44} {figures}{fault}")
    return good


def _ratio(more: Taken, less: Taken) -> float:
    """Compare two times; what is about the noise of this machine counts as that."""
    return max(more.wall_ms, _NOISE_MS) / max(less.wall_ms, _NOISE_MS)


def _measured(servers: Throwaway, database: str, *, rows: int, days: int) -> dict[str, Taken]:
    servers.clone(database)
    environment = os.environ | servers.environment(database)
    end = datetime.now(UTC).date() + timedelta(days=1)
    with psycopg.connect(servers.postgres.url("studio_owner", database), autocommit=True) as owner:
        ids = tuple(number for (number,) in owner.execute(_MAKE, [_WORKSPACES]).fetchall())
        begun = time.monotonic()
        write_usage(owner, Plan(end=end, days=days, row_count=rows, workspace_ids=ids))
        written_s = time.monotonic() - begun
        _child(environment, "roll", ids[0])
        tail = Plan(end=end, days=1, row_count=_TAIL_ROWS, seed=2, workspace_ids=ids)
        write_usage(owner, tail)
        owner.execute("VACUUM ANALYZE")
    print(f"{database}: {rows} rows over {days} days, written in {written_s:.0f} s")
    asked = "recent" if days == _SHORT_DAYS else "all"
    taken = msgspec.json.decode(_child(environment, asked, ids[0]), type=list[Taken])
    return {item.name: item for item in taken}


def _child(environment: dict[str, str], what: str, workspace_id: int) -> bytes:
    done = subprocess.run(
        [sys.executable, "-m", "bench.usage_questions", what, str(workspace_id)],
        cwd=BASE_DIR,
        env=environment,
        check=True,
        capture_output=True,
    )
    return done.stdout


def main(what: str, workspace_id: int) -> None:
    """Roll, or ask, in a process with Django set up."""
    django.setup()
    # These need Django set up, which is so in this process alone.
    from analytics.rolling import roll

    if what == "roll":
        while not roll(budget_s=3600).finished:
            pass
        return
    taken = [
        _ask(name, spec, workspace_id)
        for name, spec in _questions(workspace_id)
        if what == "all" or name.startswith("7 d")
    ]
    sys.stdout.buffer.write(msgspec.json.encode(taken))


def _ask(name: str, spec: "QuerySpec", workspace_id: int) -> Taken:
    # These need Django set up, which is so in this process alone.
    from analytics.query import Mode
    from analytics.reading import answer, list_requests

    times_ms = []
    count = 0
    for _ in range(4):
        begun = time.perf_counter()
        if spec.mode is Mode.LIST:
            count = len(list_requests(spec, workspace_id=workspace_id).requests)
        else:
            count = len(answer(spec, workspace_id=workspace_id).rows)
        times_ms.append((time.perf_counter() - begun) * 1000)
    return Taken(name=name, wall_ms=statistics.median(times_ms[1:]), row_count=count)


def _questions(workspace_id: int) -> list[tuple[str, "QuerySpec"]]:
    # These need Django set up, which is so in this process alone.
    from analytics.query import Bucket, Dimension, Filter, Metric, Mode, QuerySpec
    from analytics.ranges import named, previous_of
    from analytics.reading import read_calendar

    calendar = read_calendar(workspace_id)
    now, by = datetime.now(UTC), Dimension
    means = (Metric.REQUESTS, Metric.ERRORS, Metric.TOKENS, Metric.CHARGE, Metric.LATENCY_AVG)
    times = (Metric.LATENCY_P50, Metric.LATENCY_P95, Metric.LATENCY_P99)

    def asked(range_name: str, **fields: Any) -> QuerySpec:  # noqa: ANN401  a question's fields
        asked = named(range_name, now, calendar).range
        spec = QuerySpec(start=asked.start, end=asked.end, metrics=means)
        return msgspec.structs.replace(spec, **fields)

    def compared(spec: QuerySpec) -> QuerySpec:
        return msgspec.structs.replace(spec, compare=previous_of(spec.range, calendar))

    failed = (Filter(dimension=by.STATUS, values=("failed",)),)
    users, top = (Metric.USERS,), {"limit": 5, "other": True}
    alice = (Filter(dimension=by.USER, values=("user-1-7",)),)
    return [
        ("7 d by day", asked("last_7_days", bucket=Bucket.DAY)),
        ("7 d by day, percentiles", asked("last_7_days", bucket=Bucket.DAY, metrics=times)),
        ("7 d by hour", asked("last_7_days", bucket=Bucket.HOUR)),
        ("7 d by app, and before", compared(asked("last_7_days", group_by=(by.APP,)))),
        ("7 d top 10 users", asked("last_7_days", group_by=(by.USER,), limit=10)),
        ("7 d last failed requests",
         asked("last_7_days", mode=Mode.LIST, filters=failed, limit=50)),
        ("24 h by hour and model",
         asked("last_24_hours", bucket=Bucket.HOUR, group_by=(by.MODEL,))),
        ("30 d by day", asked("last_30_days", bucket=Bucket.DAY)),
        ("30 d by day, percentiles", asked("last_30_days", bucket=Bucket.DAY, metrics=times)),
        ("30 d by app and model", asked("last_30_days", group_by=(by.APP, by.MODEL))),
        ("30 d by model, percentiles", asked("last_30_days", group_by=(by.MODEL,), metrics=times)),
        ("30 d by day and app, top 5 and other",
         asked("last_30_days", bucket=Bucket.DAY, group_by=(by.APP,), **top)),
        ("30 d top 10 users", asked("last_30_days", group_by=(by.USER,), limit=10)),
        ("30 d top 10 users by model, and other",
         asked("last_30_days", group_by=(by.USER, by.MODEL), limit=10, other=True)),
        ("30 d different users a day", asked("last_30_days", bucket=Bucket.DAY, metrics=users)),
        ("30 d one user", asked("last_30_days", filters=alice, bucket=Bucket.DAY)),
        ("this month against the last, by app", compared(asked("this_month", group_by=(by.APP,)))),
        ("90 d by day and app, top 5 and other",
         asked("last_90_days", bucket=Bucket.DAY, group_by=(by.APP,), **top)),
        ("90 d by app and model", asked("last_90_days", group_by=(by.APP, by.MODEL))),
        ("90 d by model, percentiles", asked("last_90_days", group_by=(by.MODEL,), metrics=times)),
        ("90 d top 10 users", asked("last_90_days", group_by=(by.USER,), limit=10)),
    ]  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
