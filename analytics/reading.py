"""Answering questions: in one snapshot, as a role that sees one workspace, in three seconds.

The only reader of the cubes for tenants: HTTP, words, alerts and reports ask here.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from django.db import OperationalError, connection
from django.db.backends.utils import CursorWrapper
from psycopg.errors import QueryCanceled

from analytics.answers import Answer, Listing, Moment, Page, ReadRange, Row, Value
from analytics.compiler import compile_table
from analytics.cursors import Place, digest_of, read_cursor, write_cursor
from analytics.errors import QueryTooWide
from analytics.frames import Asking, AsOf, Frame, Side, read_frame
from analytics.listing import compile_list, read_request
from analytics.measures import MEASURES, PERCENTILE_ERROR, families_of
from analytics.planner import plan
from analytics.query import Bucket, Dimension, Mode, QuerySpec, check
from analytics.ranges import Calendar, add_months, week_of
from analytics.reading_role import reading_as
from studio.accounts.models import AppKey, Workspace

STATIC_KEY = "static"
"""What the key of the setting APP_KEY is called, which has no id."""
_CALENDAR = """
SELECT COALESCE(c.time_zone, analytics.zone_or_utc(w.time_zone)), COALESCE(c.week_start, 1)
FROM accounts_workspace w LEFT JOIN analytics.calendar c ON c.workspace_id = w.id WHERE w.id = %s
"""
_HOURS = """
SELECT DISTINCT date_trunc('hour', h, %s) FROM generate_series(%s::timestamptz, %s, '30 minutes') h
ORDER BY 1
"""
_LAST_USER = """
SELECT COALESCE(max(number), 0) FROM analytics.dimension_user WHERE workspace_id = %s
"""
# Two cores serve everybody: a question keeps to one. Compiling takes longer than most questions.
_SETTINGS = """
SELECT set_config('max_parallel_workers_per_gather', '0', true), set_config('jit', 'off', true),
       set_config('work_mem', '32MB', true)
"""
_ANSWER = TypeVar("_ANSWER")


def read_calendar(workspace_id: int) -> Calendar:
    """Read by whose clock the workspace's days begin."""
    with connection.cursor() as cursor:
        cursor.execute(_CALENDAR, [workspace_id])
        row = cursor.fetchone()
    if row is None:
        raise Workspace.DoesNotExist
    return Calendar(time_zone=row[0], week_start=row[1])


def answer(
    spec: QuerySpec, *, workspace_id: int, page: Page | None = None, staff: bool = False
) -> Answer:
    """Answer a question in mode table.

    Raises: QueryRefused; QueryTooWide if it takes longer than a question may.
    """
    assert spec.mode is Mode.TABLE, "single requests are listed"
    page = page or Page()
    return _asked(
        check(spec, staff=staff),
        workspace_id,
        page,
        lambda cursor, asked, frame, place: _answer(cursor, asked, frame, page, place),
    )


def list_requests(spec: QuerySpec, *, workspace_id: int, page: Page | None = None) -> Listing:
    """Answer a question in mode list.

    Raises: QueryRefused; QueryTooWide if it takes longer than a question may.
    """
    assert spec.mode is Mode.LIST, "sums are answered"
    page = page or Page()
    return _asked(
        check(spec),
        workspace_id,
        page,
        lambda cursor, asked, frame, place: _list(cursor, asked, frame, page, place),
    )


def key_names(workspace_id: int) -> dict[int, str]:
    """Give the public id of each key of a workspace."""
    keys = AppKey.objects.filter(workspace_id=workspace_id).values_list("pk", "key_id")
    return {number: key_id or STATIC_KEY for number, key_id in keys}


def _asked(
    spec: QuerySpec,
    workspace_id: int,
    page: Page,
    read: Callable[[CursorWrapper, QuerySpec, Frame, Place | None], _ANSWER],
) -> _ANSWER:
    place = None
    if page.cursor is not None:
        digest = digest_of(spec, workspace_id, page.question)
        place = read_cursor(page.cursor, digest, datetime.now(UTC))
        moments = {"start": place.range.start, "end": place.range.end, "compare": place.compare}
        spec = check(msgspec.structs.replace(spec, **moments), staff=True)
    asking = asking_of(spec, workspace_id, place)
    try:
        with reading_as(workspace_id) as cursor:
            cursor.execute(_SETTINGS)
            frame = read_frame(cursor, spec, asking)
            return read(cursor, spec, frame, place)
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            raise QueryTooWide(
                "This takes too long. Ask for a shorter range, longer buckets or fewer groups."
            ) from error
        raise


def asking_of(spec: QuerySpec, workspace_id: int, place: Place | None = None) -> Asking:
    """Read what is known before the snapshot: the calendar, the keys, the place of a page."""
    key_ids: dict[str, tuple[int, ...]] = {}
    if Dimension.KEY in spec.dimensions or spec.mode is Mode.LIST:
        key_ids = {"": (0,)}
        for number, word in key_names(workspace_id).items():
            key_ids[word] = (*key_ids.get(word, ()), number)
    as_of = None
    if place is not None:
        as_of = AsOf(
            read_at=place.read_at,
            snapshot=place.snapshot,
            last_user_number=place.last_user_number,
        )
    return Asking(
        workspace_id=workspace_id,
        calendar=read_calendar(workspace_id),
        as_of=as_of,
        key_ids=key_ids,
        cut_comparison=place is None,
    )


def _answer(
    cursor: CursorWrapper, spec: QuerySpec, frame: Frame, page: Page, place: Place | None
) -> Answer:
    series = not spec.group_by and spec.bucket is not Bucket.NONE
    first_row = place.row if place else 0
    statement = compile_table(
        spec,
        frame,
        plan(spec, frame, families_of(spec.metrics)),
        first_row=first_row,
        row_count=None if series else page.rows + 1,
    )
    cursor.execute(statement.sql, statement.parameters)
    found = cursor.fetchall()
    totals = [row for row in found if row[0]]
    rows = [_row(row, spec, frame) for row in found if not row[0]]
    buckets = _buckets(cursor, spec, frame)
    next_cursor = None
    if series:
        rows = _filled(rows, buckets, spec)
    elif len(rows) > page.rows:
        rows = rows[: page.rows]
        next_cursor = _next(cursor, spec, frame, page, first_row + page.rows)
    count = len(spec.metrics)
    nothing = _nothing(spec)
    values = tuple(totals[0][5:]) if totals else (*nothing, *nothing)
    previous_totals = values[count:] if spec.compare else None
    if not spec.group_by and spec.bucket is Bucket.NONE:
        rows = [_only_row(values[:count], previous_totals)]
    return Answer(
        spec=spec,
        read=_read_range(spec, frame),
        rows=tuple(_with_key_names(rows, spec, frame)),
        totals=values[:count],
        previous_totals=previous_totals,
        buckets=buckets,
        percentile_error=_percentile_error(spec),
        notes=_notes(frame),
        next_cursor=next_cursor,
    )


def _row(found: tuple[Any, ...], spec: QuerySpec, frame: Frame) -> Row:
    _, bucket, is_other, *rest = found
    count = len(spec.metrics)
    return Row(
        bucket=_in_zone(bucket, frame.calendar.zone),
        keys=tuple(rest[: len(spec.group_by)]),
        is_other=is_other,
        values=tuple(rest[2 : 2 + count]),
        previous=tuple(rest[2 + count :]) if spec.compare else None,
    )


def _only_row(values: tuple[Value, ...], previous: tuple[Value, ...] | None) -> Row:
    """Give the totals as the one group there is."""
    return Row(bucket=None, keys=(), is_other=False, values=values, previous=previous)


def _nothing(spec: QuerySpec) -> tuple[Value, ...]:
    """Give the values of a group without rows."""
    return tuple(0 if MEASURES[metric].adds_up else None for metric in spec.metrics)


def _filled(rows: list[Row], buckets: Iterable[Moment], spec: QuerySpec) -> list[Row]:
    """Put rows where nothing was, and order and limit the series."""
    nothing = _nothing(spec)
    previous = nothing if spec.compare else None
    known = {row.bucket: row for row in rows}
    for bucket in buckets:
        empty = Row(bucket=bucket, keys=(), is_other=False, values=nothing, previous=previous)
        known.setdefault(bucket, empty)
    series = sorted(known.values(), key=lambda row: row.bucket or date.min)
    if spec.order is not None:
        place = spec.metrics.index(spec.order.metric)
        sign = -1 if spec.order.descending else 1

        def rank(row: Row) -> tuple[bool, float]:
            value = row.values[place]
            return value is None, 0 if value is None else sign * value

        series.sort(key=rank)
    return series[: spec.limit]


def _buckets(cursor: CursorWrapper, spec: QuerySpec, frame: Frame) -> tuple[Moment, ...]:
    side = frame.asked
    last_day = _last_day(side)
    match spec.bucket:
        case Bucket.NONE:
            return ()
        case Bucket.HOUR:
            last = (frame.read_at if side.is_open else side.range.end) - timedelta(microseconds=1)
            zone = frame.calendar.time_zone
            cursor.execute(_HOURS, [zone, side.start_hour, last])
            return tuple(row[0].astimezone(frame.calendar.zone) for row in cursor.fetchall())
        case Bucket.DAY:
            count = (last_day - side.start_day).days + 1
            return tuple(side.start_day + timedelta(days=n) for n in range(count))
        case Bucket.WEEK:
            first = week_of(side.start_day, frame.calendar.week_start)
            count = (last_day - first).days // 7 + 1
            return tuple(first + timedelta(weeks=n) for n in range(count))
        case Bucket.MONTH:
            first = add_months(side.start_day, 0)
            count = (last_day.year - first.year) * 12 + last_day.month - first.month + 1
            return tuple(add_months(first, n) for n in range(count))


def _last_day(side: Side) -> date:
    return side.end_day - timedelta(days=1) if side.end_is_day else side.end_day


def _in_zone(bucket: Moment | None, zone: ZoneInfo) -> Moment | None:
    return bucket.astimezone(zone) if isinstance(bucket, datetime) else bucket


def _with_key_names(rows: list[Row], spec: QuerySpec, frame: Frame) -> list[Row]:
    if Dimension.KEY not in spec.group_by:
        return rows
    place = spec.group_by.index(Dimension.KEY)
    names = {str(number): word for word, ids in frame.key_ids.items() for number in ids}

    def renamed(row: Row) -> Row:
        keys = list(row.keys)
        found = keys[place]
        keys[place] = names.get(found, found) if found else found
        return msgspec.structs.replace(row, keys=tuple(keys))

    return [renamed(row) for row in rows]


def _next(  # noqa: PLR0913  what a cursor holds
    cursor: CursorWrapper,
    spec: QuerySpec,
    frame: Frame,
    page: Page,
    row: int,
    *,
    after: tuple[datetime, UUID] | None = None,
) -> str:
    """Write the cursor of the next page, which sees what this one saw."""
    as_of = frame.as_of
    if as_of is None:
        last_user_number = 0
        if Dimension.USER in spec.group_by:
            cursor.execute(_LAST_USER, [frame.workspace_id])
            (last_user_number,) = cursor.fetchone()
        as_of = AsOf(
            read_at=frame.read_at, snapshot=frame.snapshot, last_user_number=last_user_number
        )
    return write_cursor(
        Place(
            digest=digest_of(spec, frame.workspace_id, page.question),
            read_at=as_of.read_at,
            snapshot=as_of.snapshot,
            last_user_number=as_of.last_user_number,
            row=row,
            after=after,
            range=spec.range,
            compare=frame.sides[1].range if spec.compare else None,
        )
    )


def _read_range(spec: QuerySpec, frame: Frame) -> ReadRange:
    compared = frame.sides[1].range if spec.compare else None
    return ReadRange(
        range=spec.range,
        compared=compared,
        same_elapsed=compared is not None and frame.asked.is_open,
        calendar=frame.calendar,
        read_at=frame.read_at,
    )


def _percentile_error(spec: QuerySpec) -> float | None:
    return PERCENTILE_ERROR if any(MEASURES[metric].share for metric in spec.metrics) else None


def _notes(frame: Frame) -> tuple[str, ...]:
    own = frame.own_days_from
    if own is None or all(side.start_day >= own for side in frame.sides):
        return ()
    return (f"Days before {own} begin by the clock of a time zone set earlier.",)


def _list(
    cursor: CursorWrapper, spec: QuerySpec, frame: Frame, page: Page, place: Place | None
) -> Listing:
    done = place.row if place else 0
    wanted = page.rows if spec.limit is None else min(page.rows, spec.limit - done)
    after = place.after if place else None
    statement = compile_list(spec, frame, after=after, row_count=wanted + 1)
    cursor.execute(statement.sql, statement.parameters)
    found = cursor.fetchall()
    names = {number: word for word, ids in frame.key_ids.items() for number in ids}
    requests = tuple(read_request(row, names) for row in found[:wanted])
    next_cursor = None
    if len(found) > wanted and (spec.limit is None or done + wanted < spec.limit):
        last = (requests[-1].at, requests[-1].request_id)
        next_cursor = _next(cursor, spec, frame, page, done + wanted, after=last)
    return Listing(
        spec=spec,
        read=_read_range(spec, frame),
        requests=requests,
        next_cursor=next_cursor,
    )
