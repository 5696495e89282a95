"""Which tables answer a question: the smallest cubes that cover it, whole months before whole days
before whole hours, and raw rows for what is left of a broken hour or what no cube knows.

What is not in the cubes yet is added by the compiler to whatever is planned here.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from enum import StrEnum

import msgspec

from analytics.errors import QueryRefused
from analytics.frames import Frame, Side
from analytics.measures import HISTOGRAMS, LONGEST_SERIES, Family, columns_of
from analytics.query import MOST_ROWS, Bucket, Dimension, QuerySpec
from analytics.ranges import add_months

LONGEST_RAW = timedelta(days=31, hours=1)
"""How much time raw rows may be summed over; the hour is a clock's that was put back."""
_RAW_DIMENSIONS = frozenset({Dimension.CHANNEL, Dimension.KEY})
_USER_MONTH_DIMENSIONS = frozenset({Dimension.APP, Dimension.USER})
_LONGEST_DAY = timedelta(hours=50)
_LONGEST_HOUR = timedelta(hours=3)


class Source(StrEnum):
    """A table."""

    CUBE_HOUR = "cube_hour"
    CUBE_DAY = "cube_day"
    CUBE_MONTH = "cube_month"
    USER_DAY = "user_day"
    USER_MONTH = "user_month"
    RAW = "usage"


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a side, read from one table. All bounds that are there hold at once.

    `at_*` bound the moment of a raw row, or the beginning of an hour; `day_*` the local day of
    either, or the day or month of a cube. `hour`: only raw rows of this hour.
    """

    source: Source
    side: int
    at_from: datetime | None = None
    at_until: datetime | None = None
    day_from: date | None = None
    day_until: date | None = None
    hour: datetime | None = None


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The pieces of each family."""

    pieces: dict[Family, tuple[Piece, ...]]

    @property
    def sources(self) -> frozenset[Source]:
        """All tables that are read, beside what the cubes do not have yet."""
        return frozenset(piece.source for pieces in self.pieces.values() for piece in pieces)


class _Levels(msgspec.Struct, frozen=True, kw_only=True):
    """The tables that may be used, from the coarsest; None where there is none."""

    month: Source | None = None
    day: Source | None = None
    hour: Source | None = None


def plan(spec: QuerySpec, frame: Frame, families: tuple[Family, ...]) -> Plan:
    """Choose for each family and side. Raises: QueryRefused if nobody keeps what is asked for, or
    if raw rows would have to be summed over more than a month.
    """
    _check_series(spec, frame.asked)
    return Plan(
        pieces={
            family: tuple(
                piece
                for side in frame.sides
                for piece in _pieces(side, _levels(spec, family), spec.bucket, frame)
            )
            for family in families
        }
    )


def _check_series(spec: QuerySpec, side: Side) -> None:
    until = side.end_day if side.is_open else side.end_day + timedelta(days=1)
    whole_days = (until - side.start_day).days
    most = LONGEST_SERIES.get(spec.bucket, MOST_ROWS)
    per_bucket = {Bucket.HOUR: 1 / 24, Bucket.DAY: 1, Bucket.WEEK: 7, Bucket.MONTH: 28}
    if spec.bucket in per_bucket and (whole_days - 1) / per_bucket[spec.bucket] > most:
        raise _refused("bucket", f"that is more than {most} of them; take longer ones")


def _levels(spec: QuerySpec, family: Family) -> _Levels:
    dimensions = spec.dimensions
    of_users = Dimension.USER in dimensions or family is Family.USERS
    if dimensions & _RAW_DIMENSIONS or (of_users and family in HISTOGRAMS):
        return _Levels()
    whole_months = spec.bucket in (Bucket.NONE, Bucket.MONTH)
    hourly = spec.bucket is Bucket.HOUR
    if of_users:
        known = dimensions <= _USER_MONTH_DIMENSIONS
        summed = family is Family.USERS or "image_count" not in columns_of(spec.metrics)
        by_month = whole_months and known and summed
        return _Levels(
            month=Source.USER_MONTH if by_month else None,
            day=None if hourly else Source.USER_DAY,
        )
    return _Levels(
        month=Source.CUBE_MONTH if whole_months else None,
        day=None if hourly else Source.CUBE_DAY,
        hour=Source.CUBE_HOUR,
    )


def _pieces(side: Side, levels: _Levels, bucket: Bucket, frame: Frame) -> Iterator[Piece]:
    if side.is_open or side.range.start <= frame.read_at:
        if levels.day is None:
            yield from _span(_whole(side), side, levels, frame)
        else:
            yield from _whole_days(side, levels, frame)
            for edge in _edges(side):
                yield from _span(edge, side, levels, frame)


def _whole_days(side: Side, levels: _Levels, frame: Frame) -> Iterator[Piece]:
    """Give the months that are wholly inside, and the days around them."""
    assert levels.day is not None
    first, end = side.days_from, side.days_until
    months_from = first if first.day == 1 else add_months(first, 1)
    # Nothing is after today: the month that is now counts as whole.
    months_until = add_months(end - timedelta(days=1), 1) if side.is_open else add_months(end, 0)
    spans = [(levels.day, first, end)]
    if levels.month is not None and months_from < months_until:
        spans = [
            (levels.day, first, months_from),
            (levels.month, months_from, months_until),
            (levels.day, months_until, end),
        ]
    for source, begin, until in spans:
        if begin < until:
            _check_kept(source, begin, frame)
            yield Piece(source=source, side=side.number, day_from=begin, day_until=until)


def _whole(side: Side) -> Piece:
    return Piece(
        source=Source.RAW,
        side=side.number,
        at_from=side.range.start,
        at_until=side.range.end,
    )


def _edges(side: Side) -> Iterator[Piece]:
    """Give what is left before the first whole day and after the last, as raw pieces."""
    if side.days_from > side.days_until:
        yield _whole(side)
        return
    start, end = side.range.start, side.range.end
    if not side.start_is_day:
        yield Piece(
            source=Source.RAW,
            side=side.number,
            at_from=start,
            at_until=min(end, start + _LONGEST_DAY),
            day_until=side.days_from,
        )
    if not side.end_is_day:
        yield Piece(
            source=Source.RAW,
            side=side.number,
            at_from=max(start, end - _LONGEST_DAY),
            at_until=end,
            day_from=side.days_until,
        )


def _span(span: Piece, side: Side, levels: _Levels, frame: Frame) -> Iterator[Piece]:
    """Give a span's whole hours from their cube and broken ones from raw; all of it from raw if
    there is no such cube, or no longer.
    """
    assert span.at_from is not None
    assert span.at_until is not None
    kept = frame.kept_from.get(Source.CUBE_HOUR, date.min)
    if levels.hour is None or side.start_day < kept:
        length = min(span.at_until, frame.read_at) - span.at_from
        if length > LONGEST_RAW:
            raise _refused("start", "single calls are summed over 31 days at most; ask for less")
        _check_kept(Source.RAW, span.at_from.date(), frame)
        yield span
        return
    at_until = min(span.at_until, side.end_hour)
    yield msgspec.structs.replace(span, source=levels.hour, at_until=at_until)
    yield from _broken_hours(span, side, frame)


def _broken_hours(span: Piece, side: Side, frame: Frame) -> Iterator[Piece]:
    start, end = side.range.start, side.range.end
    # An edge is bounded by a day on its other side.
    breaks_first = not side.start_is_hour and span.day_from is None
    breaks_last = not side.end_is_hour and span.day_until is None
    if breaks_first:
        _check_kept(Source.RAW, start.date(), frame)
        yield Piece(
            source=Source.RAW,
            side=side.number,
            at_from=start,
            at_until=min(end, start + _LONGEST_HOUR),
            hour=side.start_hour,
        )
    if breaks_last and not (breaks_first and side.start_hour == side.end_hour):
        _check_kept(Source.RAW, end.date(), frame)
        yield Piece(
            source=Source.RAW,
            side=side.number,
            at_from=max(start, end - _LONGEST_HOUR),
            at_until=end,
            hour=side.end_hour,
        )


def _check_kept(source: Source, first: date, frame: Frame) -> None:
    kept = frame.kept_from.get(source)
    if kept is not None and first < kept:
        what = {
            Source.RAW: "single calls",
            Source.CUBE_HOUR: "hours",
            Source.CUBE_DAY: "days",
            Source.USER_DAY: "days of users",
        }.get(source, "months")
        raise _refused("start", f"{what} are kept from {kept} on")


def _refused(field: str, why: str) -> QueryRefused:
    return QueryRefused(f"{field}: {why}.", details={"param": field})
