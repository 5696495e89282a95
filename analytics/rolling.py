"""Sum what is new in `usage` into the cubes, each row exactly once.

A row keeps the number of the transaction that wrote it. One step takes the rows from the watermark
up to the oldest transaction that is still under way, adds them to every cube and moves the
watermark, in one transaction: whoever is killed, at whatever statement, has done nothing. A slow
transaction commits above the watermark, however late, and is in a later step. Readers add the rows
from the watermark on (`sql/cubes.sql`).

The watermark's row is the lock: whoever holds it is the only one who writes cubes.
"""

import time
from collections.abc import Mapping
from datetime import date, datetime

import msgspec
from django.db import OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper
from psycopg.errors import LockNotAvailable

from analytics.sql import read, read_statements

MOST_ROWS = 200_000
"""In one step; what waited longer, after an outage or an import, goes in several."""
_PATIENCE = "SET LOCAL statement_timeout = '5min'"
CUBES = (
    "cube_hour",
    "cube_day",
    "cube_month",
    "user_day",
    "user_month",
    "finance_day",
    "staff_day",
)
_LOCK = "SELECT transaction_id FROM analytics.watermark WHERE name = 'usage' FOR UPDATE"
_HORIZON = """
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint + o.value,
       pg_snapshot_xmax(pg_current_snapshot())::text::bigint + o.value, clock_timestamp()
FROM (SELECT coalesce(
  nullif(current_setting('studio.transaction_id_offset', true), '')::bigint, 0)) o (value)
"""
# Numbers are given as literals beside what is exact: else the planner would expect a third of all
# rows, and read all of them.
_AHEAD = """
SELECT w.transaction_id > h.next OR EXISTS (
  SELECT FROM public.usage WHERE transaction_id >= %s AND transaction_id >= h.next)
FROM analytics.watermark w, (
  SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint
         + coalesce(nullif(current_setting('studio.transaction_id_offset', true), '')::bigint, 0)
         AS next) h
WHERE w.name = 'usage'
"""
_WATERMARK = "SELECT transaction_id FROM analytics.watermark WHERE name = 'usage'"
_CUTS = """
SELECT min(transaction_id)
FROM (SELECT transaction_id, sum(count(*)) OVER (ORDER BY transaction_id) AS rows_so_far
      FROM public.usage WHERE transaction_id >= %s GROUP BY transaction_id) s
GROUP BY ceil(rows_so_far / %s) ORDER BY 1 OFFSET 1
"""
_FRESH = read("fresh_rows")
_IN_STEP = "transaction_id >= %(since)s AND transaction_id < %(upto)s"
_DIMENSIONS = read_statements("dimensions")
_ADD = {cube: read(f"add_to_{cube}") for cube in CUBES}
_MOVE = """
UPDATE analytics.watermark SET transaction_id = %(upto)s, rolled_at = now(),
  complete_to = CASE WHEN %(upto)s >= awaited_id THEN awaited_at ELSE complete_to END,
  awaited_at = CASE WHEN %(upto)s >= awaited_id THEN %(seen_at)s ELSE awaited_at END,
  awaited_id = CASE WHEN %(upto)s >= awaited_id THEN %(next)s ELSE awaited_id END
WHERE name = 'usage'
"""
_MOVE_ALL = """
UPDATE analytics.watermark SET transaction_id = %s, rolled_at = now(), complete_to = now(),
  awaited_id = %s, awaited_at = now()
WHERE name = 'usage'
"""
_LAG = """
SELECT extract(epoch FROM clock_timestamp() - complete_to)::float8
FROM analytics.watermark WHERE name = 'usage'
"""


Parameters = Mapping[str, str | int | date]


class RollerBusy(Exception):
    """Somebody else is writing the cubes."""


class NumbersFromAnotherCluster(Exception):
    """Usage rows were written by transactions that this cluster has not come to yet."""


class Rolled(msgspec.Struct, frozen=True, kw_only=True):
    """What one run did, and whether it came to the end of what could be rolled."""

    row_count: int
    watermark: int
    finished: bool


class _Horizon(msgspec.Struct, frozen=True):
    """All transactions below `upto` are over; none below `next` begins any more."""

    upto: int
    next: int
    seen_at: datetime


def roll(*, budget_s: float = 40, most_rows: int = MOST_ROWS) -> Rolled:
    """Bring the cubes up to date, in steps of about `most_rows`, for as long as the budget lasts.

    Raises: RollerBusy; steps that were done by then stay done. NumbersFromAnotherCluster.
    """
    check_numbers()
    until = time.monotonic() + budget_s
    row_count = watermark = 0
    limits: list[int | None] = [*_cuts(most_rows), None]
    for done, limit in enumerate(limits, 1):
        added, watermark = _step(limit)
        row_count += added
        if time.monotonic() >= until:
            return Rolled(row_count=row_count, watermark=watermark, finished=done == len(limits))
    return Rolled(row_count=row_count, watermark=watermark, finished=True)


def check_numbers() -> None:
    """Refuse to go on in a database whose rows are numbered beyond this cluster.

    Raises: NumbersFromAnotherCluster.
    """
    with connection.cursor() as cursor:
        cursor.execute(_HORIZON)
        cursor.execute(_AHEAD, [_Horizon(*cursor.fetchone()).next])
        if cursor.fetchone()[0]:
            raise NumbersFromAnotherCluster(
                "This database was restored into a new cluster, whose transactions are numbered "
                "anew. Stop all processes and run: python3 manage.py analytics_rebase"
            )


def roll_everything(cursor: CursorWrapper, *, beyond: int) -> int:
    """Roll all rows whose transaction is below `beyond`, though it may be above the horizon.

    Only where nobody else is connected: a transaction under way would be lost. Returns: how many.
    """
    cursor.execute(_PATIENCE)
    since = hold_watermark(cursor, wait=False)
    added = collect(cursor, _IN_STEP, {"since": since, "upto": beyond})
    add_to(cursor, CUBES)
    cursor.execute(
        _MOVE_ALL,
        [beyond, beyond],
    )
    return added


def rollup_lag_s() -> float:
    """Say how old the oldest transaction is that may be missing in the cubes, in seconds.

    Answers stay exact, for they add what is missing; they get slower.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LAG)
        return float(cursor.fetchone()[0])


def hold_watermark(cursor: CursorWrapper, *, wait: bool) -> int:
    """Become the only one who writes cubes, until the transaction ends. Returns: the watermark.

    Raises: RollerBusy.
    """
    try:
        cursor.execute(_LOCK if wait else f"{_LOCK} NOWAIT")
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            raise RollerBusy("The cubes are being written.") from error
        raise
    return int(cursor.fetchone()[0])


def collect(cursor: CursorWrapper, condition: str, parameters: Parameters) -> int:
    """Read rows of usage by a condition of ours, and number their words. Returns: how many rows.

    They are in the temporary table `delta` afterwards, until the transaction ends. For whoever
    holds the watermark.
    """
    cursor.execute("DROP TABLE IF EXISTS pg_temp.fresh, pg_temp.delta")
    cursor.execute(f"{_FRESH} {condition}", parameters)
    for statement in _DIMENSIONS:
        cursor.execute(statement)
    return int(cursor.rowcount)


def add_to(cursor: CursorWrapper, cubes: tuple[str, ...]) -> None:
    """Add what was collected to these cubes."""
    for cube in cubes:
        cursor.execute(_ADD[cube])


def _cuts(most_rows: int) -> list[int]:
    """Find the transactions at which a step should end and the next begin."""
    with connection.cursor() as cursor:
        cursor.execute(_WATERMARK)
        cursor.execute(_CUTS, [cursor.fetchone()[0], most_rows])
        return [cut for (cut,) in cursor.fetchall()]


def _step(limit: int | None) -> tuple[int, int]:
    """Roll up to a transaction, or as far as it goes. Returns: rows, and the new watermark."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_PATIENCE)
        since = hold_watermark(cursor, wait=False)
        cursor.execute(_HORIZON)
        horizon = _Horizon(*cursor.fetchone())
        upto = horizon.upto if limit is None else min(limit, horizon.upto)
        if upto <= since:
            return 0, since
        added = collect(cursor, _IN_STEP, {"since": since, "upto": upto})
        if added:
            add_to(cursor, CUBES)
        cursor.execute(_MOVE, {"upto": upto, "next": horizon.next, "seen_at": horizon.seen_at})
        return added, upto
