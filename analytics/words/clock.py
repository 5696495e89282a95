"""When a question is asked, and calendar arithmetic around it. Pure: no zone of the machine's.

A calendar period is two local dates, end exclusive; a rolling one two instants. What is not over
ends with today.
"""

from calendar import monthrange
from datetime import date, datetime, timedelta
from typing import Literal

import msgspec

Unit = Literal["minute", "hour", "day", "week", "month", "quarter", "year"]

_MONTHS_OF: dict[str, int] = {"month": 1, "quarter": 3, "year": 12}
_DAYS_OF: dict[str, int] = {"day": 1, "week": 7}


class Span(msgspec.Struct, frozen=True):
    """A period. `start` and `end` are both local dates or both instants; `end` is exclusive."""

    start: date
    end: date

    @property
    def rolling(self) -> bool:
        """Say whether it is measured in hours and minutes up to now."""
        return isinstance(self.start, datetime)


class Clock(msgspec.Struct, frozen=True):
    """The moment of a question, in the workspace's zone, and the day its weeks begin with (1 is
    Monday).
    """

    now: datetime
    week_start: int = 1

    @property
    def today(self) -> date:
        """Give the local date."""
        return self.now.date()

    def running(self, start: date) -> Span:
        """Give the days from `start` to today."""
        return Span(start, self.today + timedelta(days=1))

    def bounded(self, start: date, end: date) -> Span:
        """Give a period of days, no longer than to the end of today."""
        return Span(start, min(end, self.today + timedelta(days=1)))

    def start_of(self, unit: Unit, day: date) -> date:
        """Give the first day of the week, month, quarter or year of `day`."""
        if unit == "week":
            return day - timedelta(days=(day.isoweekday() - self.week_start) % 7)
        if unit == "month":
            return day.replace(day=1)
        if unit == "quarter":
            return day.replace(month=day.month - (day.month - 1) % 3, day=1)
        if unit == "year":
            return day.replace(month=1, day=1)
        return day

    def calendar_unit(self, unit: Unit, back: int) -> Span:
        """Give the unit that lies `back` units before the present one; 0 is the present one."""
        start = moved(self.start_of(unit, self.today), unit, -back)
        return self.bounded(start, moved(start, unit, 1))

    def last(self, count: int, unit: Unit) -> Span:
        """Give the last `count` units: hours and minutes up to now, others as days with today."""
        if unit in ("hour", "minute"):
            seconds = count * (3600 if unit == "hour" else 60)
            # Through UTC: an hour on a day of changed clocks is still an hour.
            instant = self.now.timestamp() - seconds
            return Span(datetime.fromtimestamp(instant, self.now.tzinfo), self.now)
        return self.running(moved(self.today + timedelta(days=1), unit, -count))


def moved(day: date, unit: Unit, count: int) -> date:
    """Move a date by units; a day that its new month lacks becomes the month's last."""
    if unit in _DAYS_OF:
        return day + timedelta(days=_DAYS_OF[unit] * count)
    months = day.year * 12 + day.month - 1 + _MONTHS_OF[unit] * count
    year, month = months // 12, months % 12 + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))
