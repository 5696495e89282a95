"""What a question stands on, read in its own snapshot: how far the cubes are, by whose clock they
are cut, where the asked range lies between their borders, which numbers stand for the words.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import msgspec
from django.db.backends.utils import CursorWrapper

from analytics.query import Dimension, Filter, QuerySpec, Range
from analytics.ranges import Calendar, same_elapsed

_STATE = """
SELECT w.transaction_id, pg_current_snapshot()::text, now(),
       COALESCE(NULLIF(current_setting('studio.transaction_id_offset', true), '')::bigint, 0),
       COALESCE(c.time_zone, %(time_zone)s), COALESCE(c.week_start, %(week_start)s),
       NULLIF(c.own_days_from, '-infinity')
FROM analytics.watermark w
LEFT JOIN analytics.calendar c ON c.workspace_id = %(workspace_id)s
WHERE w.name = 'usage'
"""
_KEPT = """
SELECT table_name, month FROM analytics.kept_from WHERE month <> '-infinity'
"""
_BORDERS = """
SELECT (s AT TIME ZONE z)::date,
       ((s - interval '1 microsecond') AT TIME ZONE z)::date < (s AT TIME ZONE z)::date,
       (e AT TIME ZONE z)::date,
       ((e - interval '1 microsecond') AT TIME ZONE z)::date < (e AT TIME ZONE z)::date,
       date_trunc('hour', s, z), date_trunc('hour', e, z),
       (n AT TIME ZONE z)::date, date_trunc('hour', n, z)
FROM (SELECT %(start)s::timestamptz AS s, %(end)s::timestamptz AS e, %(now)s::timestamptz AS n,
             %(zone)s AS z) x
"""
_APPS = """
SELECT COALESCE(array_agg(number), '{}') FROM analytics.dimension_app
WHERE workspace_id = %s AND app_id = ANY(%s)
"""
_USERS = """
SELECT COALESCE(array_agg(number), '{}') FROM analytics.dimension_user
WHERE workspace_id = %s AND user_ref = ANY(%s)
"""
_IMAGE_ROUTES = """
SELECT COALESCE(array_agg(number), '{}') FROM analytics.dimension_route
WHERE left(operation, 5) = 'image'
"""
_ROUTES = "SELECT COALESCE(array_agg(number), '{}') FROM analytics.dimension_route WHERE "

ROUTE_DIMENSIONS = (
    Dimension.OPERATION,
    Dimension.KIND,
    Dimension.PROVIDER,
    Dimension.MODEL,
)
_ONE_DAY = timedelta(days=1)
_ONE_HOUR = timedelta(hours=1)


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """A range between the borders of the cubes: `number` 0 is what was asked, 1 what it is
    compared with.

    `is_open`: it ends in the future, where nothing is; its end counts as that of today.
    """

    number: int
    range: Range
    is_open: bool
    start_day: date
    start_is_day: bool
    end_day: date
    end_is_day: bool
    start_hour: datetime
    end_hour: datetime

    @property
    def days_from(self) -> date:
        """The first day that is wholly inside."""
        return self.start_day if self.start_is_day else self.start_day + _ONE_DAY

    @property
    def days_until(self) -> date:
        """The first day after it that is not wholly inside."""
        return self.end_day

    @property
    def start_is_hour(self) -> bool:
        """Whether it begins with an hour."""
        return self.start_hour == self.range.start

    @property
    def end_is_hour(self) -> bool:
        """Whether it ends with an hour."""
        return self.is_open or self.end_hour == self.range.end


class AsOf(msgspec.Struct, frozen=True, kw_only=True):
    """An earlier snapshot, whose answer is asked for again: PostgreSQL's text of it, and the last
    number that a user of the workspace had then.
    """

    read_at: datetime
    snapshot: str
    last_user_number: int

    @property
    def oldest_id(self) -> int:
        """The first transaction that it may not have seen."""
        return int(self.snapshot.partition(":")[0])


class Numbers(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers of the words in filters, in the order of the spec's filters by app and user."""

    apps: tuple[tuple[int, ...], ...]
    users: tuple[tuple[int, ...], ...]
    routes: tuple[int, ...] | None
    image_routes: tuple[int, ...]
    unnamed_user: int
    """-1: nobody of that workspace came without a name."""


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """All that a plan and its SQL depend on beside the question."""

    workspace_id: int
    calendar: Calendar
    own_days_from: date | None
    watermark: int
    id_offset: int
    snapshot: str
    read_at: datetime
    as_of: AsOf | None
    sides: tuple[Side, ...]
    kept_from: Mapping[str, date]
    numbers: Numbers
    key_ids: Mapping[str, tuple[int, ...]]

    @property
    def asked(self) -> Side:
        """The range that was asked for."""
        return self.sides[0]


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, and what is known before the snapshot."""

    workspace_id: int
    calendar: Calendar
    as_of: AsOf | None = None
    key_ids: Mapping[str, tuple[int, ...]] = {}
    cut_comparison: bool = True
    """False: the spec comes from a cursor, in which the other range is cut already."""


def read_frame(cursor: CursorWrapper, spec: QuerySpec, asking: Asking) -> Frame:
    """Read it in the snapshot that the cursor's transaction has."""
    known: dict[str, Any] = {
        "workspace_id": asking.workspace_id,
        "time_zone": asking.calendar.time_zone,
        "week_start": asking.calendar.week_start,
    }
    cursor.execute(_STATE, known)
    watermark, snapshot, now, id_offset, zone, week_start, own_days_from = cursor.fetchone()
    calendar = Calendar(time_zone=zone, week_start=week_start)
    read_at = asking.as_of.read_at if asking.as_of else now
    ranges = [spec.range]
    if spec.compare is not None:
        ranges.append(
            same_elapsed(spec.range, spec.compare, read_at, calendar)
            if asking.cut_comparison
            else spec.compare
        )
    cursor.execute(_KEPT)
    return Frame(
        workspace_id=asking.workspace_id,
        calendar=calendar,
        own_days_from=own_days_from,
        watermark=watermark,
        id_offset=id_offset,
        snapshot=snapshot,
        read_at=read_at,
        as_of=asking.as_of,
        kept_from=dict(cursor.fetchall()),
        sides=tuple(
            _read_side(cursor, number, asked, read_at, zone) for number, asked in enumerate(ranges)
        ),
        numbers=_read_numbers(cursor, spec, asking.workspace_id),
        key_ids=asking.key_ids,
    )


def _read_side(cursor: CursorWrapper, number: int, asked: Range, now: datetime, zone: str) -> Side:
    bounds: dict[str, Any] = {"start": asked.start, "end": asked.end, "now": now, "zone": zone}
    cursor.execute(_BORDERS, bounds)
    row = cursor.fetchone()
    start_day, start_is_day, end_day, end_is_day, start_hour, end_hour, today, this_hour = row
    is_open = asked.end > now >= asked.start
    if is_open:
        end_day, end_is_day, end_hour = today + _ONE_DAY, True, this_hour + _ONE_HOUR
    return Side(
        number=number,
        range=asked,
        is_open=is_open,
        start_day=start_day,
        start_is_day=start_is_day,
        end_day=end_day,
        end_is_day=end_is_day,
        start_hour=start_hour,
        end_hour=end_hour,
    )


def _read_numbers(cursor: CursorWrapper, spec: QuerySpec, workspace_id: int) -> Numbers:
    def found(query: str, parameters: list[Any]) -> tuple[int, ...]:
        cursor.execute(query, parameters)
        return tuple(cursor.fetchone()[0])

    def of(dimension: Dimension, query: str) -> tuple[tuple[int, ...], ...]:
        items = [item for item in spec.filters if item.dimension is dimension]
        return tuple(found(query, [workspace_id, list(item.values)]) for item in items)

    unnamed = found(_USERS, [workspace_id, [""]])
    return Numbers(
        apps=of(Dimension.APP, _APPS),
        users=of(Dimension.USER, _USERS),
        routes=_read_routes(cursor, spec.filters),
        image_routes=found(_IMAGE_ROUTES, []),
        unnamed_user=unnamed[0] if unnamed else -1,
    )


def _read_routes(cursor: CursorWrapper, filters: Sequence[Filter]) -> tuple[int, ...] | None:
    """Give the routes that pass all filters; None if none of them is about routes."""
    items = [item for item in filters if item.dimension in ROUTE_DIMENSIONS]
    if not items:
        return None
    conditions = [
        f"{item.dimension.value} {'<> ALL' if item.exclude else '= ANY'}(%s)" for item in items
    ]
    cursor.execute(_ROUTES + " AND ".join(conditions), [list(item.values) for item in items])
    return tuple(cursor.fetchone()[0])
