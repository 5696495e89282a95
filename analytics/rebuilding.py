"""Sum months anew from their raw rows: the tool for repairs, and what a change of zone needs.

The result is what the steps of rolling.py would have come to, exactly: rows below the watermark are
in, the others wait for the next step. Steps wait while it works.
"""

from collections.abc import Iterable
from datetime import date, timedelta

import msgspec
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from analytics.rolling import CUBES, Parameters, add_to, collect, hold_watermark

OF_WORKSPACE_DAYS = ("cube_hour", "cube_day", "cube_month", "user_day", "user_month")
"""Those whose days are by the workspace's clock; the others' are of UTC."""
_PATIENCE = "SET LOCAL statement_timeout = '30min'; SET LOCAL lock_timeout = '2min'"
_KEPT = """
SELECT k.month, coalesce(max(c.own_days_from), date '0001-01-01')
FROM analytics.kept_from k LEFT JOIN analytics.calendar c ON c.workspace_id = %s
WHERE k.table_name = 'usage' GROUP BY k.month
"""
_KNOWN = "SELECT workspace_id FROM analytics.calendar ORDER BY workspace_id"
_CLOCK = "(SELECT time_zone FROM analytics.calendar WHERE calendar.workspace_id = %(workspace_id)s)"
# A day more on either side covers every zone; what is exact is the comparison of local days.
_LOCAL_DAYS = f"""
workspace_id = %(workspace_id)s AND transaction_id < %(watermark)s
AND at >= %(first)s::timestamp AT TIME ZONE 'UTC' - interval '1 day'
AND at < %(beyond)s::timestamp AT TIME ZONE 'UTC' + interval '1 day'
AND (at AT TIME ZONE {_CLOCK})::date >= %(first)s AND (at AT TIME ZONE {_CLOCK})::date < %(beyond)s
"""
_UTC_DAYS = """
transaction_id < %(watermark)s AND at >= %(first)s::timestamp AT TIME ZONE 'UTC'
AND at < %(beyond)s::timestamp AT TIME ZONE 'UTC'
"""
_CLEAR = {
    "cube_hour": f"""
        workspace_id = %(workspace_id)s
        AND hour >= %(first)s::timestamp AT TIME ZONE 'UTC' - interval '1 day'
        AND hour < %(beyond)s::timestamp AT TIME ZONE 'UTC' + interval '1 day'
        AND (hour AT TIME ZONE {_CLOCK})::date >= %(first)s
        AND (hour AT TIME ZONE {_CLOCK})::date < %(beyond)s""",
    "cube_day": "workspace_id = %(workspace_id)s AND day >= %(first)s AND day < %(beyond)s",
    "cube_month": "workspace_id = %(workspace_id)s AND month >= %(first)s AND month < %(beyond)s",
    "user_day": "workspace_id = %(workspace_id)s AND day >= %(first)s AND day < %(beyond)s",
    "user_month": "workspace_id = %(workspace_id)s AND month >= %(first)s AND month < %(beyond)s",
    "finance_day": "workspace_id = %(workspace_id)s AND day >= %(first)s AND day < %(beyond)s",
    "staff_day": "day >= %(first)s AND day < %(beyond)s",
}
assert tuple(_CLEAR) == CUBES


class MonthRetired(Exception):
    """The raw rows of that month, or some of them, are gone; its sums stay as they are."""


class Span(msgspec.Struct, frozen=True):
    """Days from `first` up to `beyond`, which is not in it."""

    first: date
    beyond: date


def month_of(day: date) -> Span:
    """Give the month that a day is in."""
    first = day.replace(day=1)
    return Span(first, (first + timedelta(days=32)).replace(day=1))


def rebuild_month(*, workspace_id: int, month: date) -> int:
    """Rebuild a workspace's cubes of one month: its own month, and finance's of UTC.

    Returns: how many raw rows the workspace's month has. Raises: MonthRetired, RollerBusy.
    """
    span = month_of(month)
    with transaction.atomic(), connection.cursor() as cursor:
        watermark = _begin(cursor)
        _check_kept(cursor, workspace_id, span)
        parameters = _parameters(span, workspace_id, watermark)
        row_count = replace(cursor, OF_WORKSPACE_DAYS, _LOCAL_DAYS, parameters)
        in_finance = f"workspace_id = %(workspace_id)s AND {_UTC_DAYS}"
        replace(cursor, ("finance_day",), in_finance, parameters)
    return row_count


def rebuild_staff_month(*, month: date) -> int:
    """Rebuild the cube of all workspaces together, one month of UTC. Returns: how many raw rows.

    Raises: MonthRetired, RollerBusy.
    """
    span = month_of(month)
    with transaction.atomic(), connection.cursor() as cursor:
        watermark = _begin(cursor)
        cursor.execute("SELECT month FROM analytics.kept_from WHERE table_name = 'usage'")
        if span.first < cursor.fetchone()[0]:
            raise MonthRetired(f"The raw rows of {span.first:%Y-%m} are gone.")
        return replace(cursor, ("staff_day",), _UTC_DAYS, _parameters(span, 0, watermark))


def known_workspaces() -> list[int]:
    """List the workspaces that have anything in the cubes."""
    with connection.cursor() as cursor:
        cursor.execute(_KNOWN)
        return [workspace_id for (workspace_id,) in cursor.fetchall()]


def replace(
    cursor: CursorWrapper, cubes: tuple[str, ...], condition: str, parameters: Parameters
) -> int:
    """Put the sums of the rows that meet the condition in place of what those cubes have.

    For whoever holds the watermark. Returns: how many rows.
    """
    clear(cursor, cubes, parameters)
    row_count = collect(cursor, condition, parameters)
    add_to(cursor, cubes)
    return row_count


def clear(cursor: CursorWrapper, cubes: Iterable[str], parameters: Parameters) -> None:
    """Take days of one workspace out of these cubes."""
    for cube in cubes:
        cursor.execute(f"DELETE FROM analytics.{cube} WHERE {_CLEAR[cube]}", parameters)  # noqa: S608  our own


def _begin(cursor: CursorWrapper) -> int:
    cursor.execute(_PATIENCE)
    return hold_watermark(cursor, wait=True)


def _check_kept(cursor: CursorWrapper, workspace_id: int, span: Span) -> None:
    cursor.execute(_KEPT, [workspace_id])
    raw_from, own_days_from = cursor.fetchone()
    # Its first hours may be in the month of UTC before; its last, in the one after.
    needed = span.first if raw_from == date.min else span.first - timedelta(days=1)
    if needed < raw_from or span.first < own_days_from:
        raise MonthRetired(f"Raw rows of {span.first:%Y-%m} are gone.")


def _parameters(span: Span, workspace_id: int, watermark: int) -> Parameters:
    return {
        "workspace_id": workspace_id,
        "first": span.first,
        "beyond": span.beyond,
        "watermark": watermark,
    }
