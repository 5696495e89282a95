"""Ranges by name, and the period before one. Pure: days are counted as calendar days, and become
moments only at the end. Where the cubes' days begin is PostgreSQL's to say; a range that begins a
moment beside such a border is answered just as exactly, from more tables.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from analytics.errors import QueryRefused
from analytics.query import Range

_DAYS_PER_WEEK = 7
_MONTHS_PER_YEAR = 12
_MONTHS_PER_QUARTER = 3


class Calendar(msgspec.Struct, frozen=True, kw_only=True):
    """By whose clock a workspace's days begin, and on which day (ISO: 1 is Monday) its weeks."""

    time_zone: str
    week_start: int = 1

    @property
    def zone(self) -> ZoneInfo:
        """Give the zone; UTC for one that is not known, as the database does."""
        try:
            return ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            return ZoneInfo("UTC")


class Period(msgspec.Struct, frozen=True, kw_only=True):
    """A range, and the one that it is compared with if nobody says which."""

    range: Range
    previous: Range


def begin_of(day: date, zone: ZoneInfo) -> datetime:
    """Give the first moment of a day, in UTC.

    A midnight that happens twice begins the day the first time; one that is skipped, when the
    clock has jumped.
    """
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)


def days(first: date, end: date, zone: ZoneInfo) -> Range:
    """Give the range of whole days from `first` up to, and not including, `end`."""
    return Range(start=begin_of(first, zone), end=begin_of(end, zone))


def week_of(day: date, week_start: int) -> date:
    """Give the first day of a day's week."""
    return day - timedelta(days=(day.isoweekday() - week_start) % _DAYS_PER_WEEK)


def add_months(first: date, months: int) -> date:
    """Give the first of the month so many months after that of `first`."""
    years, month = divmod(first.month - 1 + months, _MONTHS_PER_YEAR)
    return date(first.year + years, month + 1, 1)


def named(word: str, now: datetime, calendar: Calendar) -> Period:
    """Read a word such as `last_7_days`. What is not over ends with today.

    Raises: QueryRefused, which lists the words.
    """
    if word == "last_24_hours":
        return _rolling(now, timedelta(hours=24))
    if word == "last_hour":
        return _rolling(now, timedelta(hours=1))
    spans = _SPANS.get(word)
    if spans is None:
        known = ", ".join(NAMES)
        raise QueryRefused(f"range: there are {known}.", details={"param": "range"})
    today = now.astimezone(calendar.zone).date()
    first, end, previous, previous_end = spans(today, calendar.week_start)
    return Period(
        range=days(first, end, calendar.zone),
        previous=days(previous, previous_end, calendar.zone),
    )


def previous_of(asked: Range, calendar: Calendar) -> Range:
    """Give the period before: as many months if it is whole months, else as many days if it is
    whole days, else as long.
    """
    zone = calendar.zone
    first, end = asked.start.astimezone(zone).date(), asked.end.astimezone(zone).date()
    if begin_of(first, zone) != asked.start or begin_of(end, zone) != asked.end:
        return Range(start=asked.start - (asked.end - asked.start), end=asked.start)
    if first.day == 1 and end.day == 1:
        months = (end.year - first.year) * _MONTHS_PER_YEAR + end.month - first.month
        return days(add_months(first, -months), first, zone)
    return days(first - (end - first), first, zone)


def same_elapsed(asked: Range, other: Range, now: datetime, calendar: Calendar) -> Range:
    """Shorten `other` to what has passed of `asked`, if that is not over yet.

    Elapsed is counted on the clock: at 15:30 on the 20th, up to 15:30 on the other month's 20th.
    """
    if asked.end <= now or asked.start >= now:
        return other
    zone = calendar.zone
    elapsed = _clock(now, zone) - _clock(asked.start, zone)
    clock = _clock(other.start, zone) + elapsed
    return Range(start=other.start, end=min(other.end, clock.replace(tzinfo=zone).astimezone(UTC)))


_Spans = tuple[date, date, date, date]


def _clock(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None)


def _rolling(now: datetime, length: timedelta) -> Period:
    return Period(
        range=Range(start=now - length, end=now),
        previous=Range(start=now - 2 * length, end=now - length),
    )


def _last_days(count: int) -> Callable[[date, int], _Spans]:
    def spans(today: date, _week_start: int) -> _Spans:
        end = today + timedelta(days=1)
        first = end - timedelta(days=count)
        return first, end, first - timedelta(days=count), first

    return spans


def _yesterday(today: date, _week_start: int) -> _Spans:
    first = today - timedelta(days=1)
    return first, today, first - timedelta(days=1), first


def _this_week(today: date, week_start: int) -> _Spans:
    first = week_of(today, week_start)
    return first, today + timedelta(days=1), first - timedelta(days=7), first


def _last_week(today: date, week_start: int) -> _Spans:
    end = week_of(today, week_start)
    first = end - timedelta(days=7)
    return first, end, first - timedelta(days=7), first


def _this_months(length: int) -> Callable[[date, int], _Spans]:
    def spans(today: date, _week_start: int) -> _Spans:
        first = add_months(today, -((today.month - 1) % length))
        return first, today + timedelta(days=1), add_months(first, -length), first

    return spans


def _last_months(length: int) -> Callable[[date, int], _Spans]:
    def spans(today: date, _week_start: int) -> _Spans:
        end = add_months(today, -((today.month - 1) % length))
        first = add_months(end, -length)
        return first, end, add_months(first, -length), first

    return spans


_SPANS: dict[str, Callable[[date, int], _Spans]] = {
    "today": _last_days(1),
    "yesterday": _yesterday,
    "last_7_days": _last_days(7),
    "last_14_days": _last_days(14),
    "last_30_days": _last_days(30),
    "last_90_days": _last_days(90),
    "this_week": _this_week,
    "last_week": _last_week,
    "this_month": _this_months(1),
    "last_month": _last_months(1),
    "this_quarter": _this_months(_MONTHS_PER_QUARTER),
    "last_quarter": _last_months(_MONTHS_PER_QUARTER),
    "this_year": _this_months(_MONTHS_PER_YEAR),
    "last_year": _last_months(_MONTHS_PER_YEAR),
}
NAMES = ("last_hour", "last_24_hours", *_SPANS)
DEFAULT = "last_30_days"
