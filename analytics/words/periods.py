"""Periods in words: `today`, `last 7 days`, `in May`, `Q3`, `the week before last`. One at a time;
`times.py` joins them to ranges.

The text is lower case with single spaces between words. A rule is a pattern and what it means.
"""

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import cast

from analytics.words.clock import Clock, Span, Unit, moved

MONTHS = (
    "january|jan",
    "february|feb",
    "march|mar",
    "april|apr",
    "may",
    "june|jun",
    "july|jul",
    "august|aug",
    "september|sept|sep",
    "october|oct",
    "november|nov",
    "december|dec",
)
WEEKDAYS = (
    "monday|mon",
    "tuesday|tues|tue",
    "wednesday|wed",
    "thursday|thurs|thur|thu",
    "friday|fri",
    "saturday|sat",
    "sunday|sun",
)
UNIT_WORDS = ("yesterday", "today", "hours", "weeks", "months", "quarter", "years", "weekend")
NUMBER_WORDS = (
    *("one", "two", "three", "four", "five", "six"),
    *("seven", "eight", "nine", "ten", "eleven", "twelve"),
)
_LARGER = {"fourteen": 14, "fifteen": 15, "twenty": 20, "thirty": 30, "sixty": 60, "ninety": 90}
_ORDINALS = {"first": 1, "1st": 1, "second": 2, "2nd": 2, "third": 3, "3rd": 3}
_ORDINALS |= {"fourth": 4, "4th": 4, "last": 4}
_SHORT_UNITS: dict[str, Unit] = {
    "h": "hour",
    "hr": "hour",
    "hrs": "hour",
    "d": "day",
    "w": "week",
    "min": "minute",
    "mins": "minute",
    "m": "month",
    "mo": "month",
    "y": "year",
}
_MOST_UNITS = 400
_SOON = timedelta(days=31)
"""A day without a year that is so near is more likely the coming one than last year's."""

MONTH = f"(?P<month>{'|'.join(MONTHS)})"
_WEEKDAY = f"(?P<weekday>{'|'.join(WEEKDAYS)})"
_DAY = r"(?P<day>3[01]|[12]\d|0?[1-9])(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>20\d\d)"
NUMBER = rf"(?P<number>\d{{1,3}}|{'|'.join((*NUMBER_WORDS, *_LARGER))})"
_LAST = "(?:last|past|previous|prior|trailing|preceding)"
_BEFORE = "(?:last|previous|prior|preceding)"
_UNIT = "(?P<unit>minute|hour|day|week|month|quarter|year)"


class NoSuchTime(ValueError):
    """A time that is understood and cannot be asked about; the message says why."""


Meaning = Callable[[re.Match[str], Clock], Span]


def read_period(text: str, position: int, clock: Clock) -> tuple[Span, int] | None:
    """Read the longest period that begins at `position`; give it and where it ends.

    Raises: NoSuchTime.
    """
    found = [
        (match.end(), meaning, match)
        for pattern, meaning in _RULES
        if (match := pattern.match(text, position))
    ]
    if not found:
        return None
    end, meaning, match = max(found, key=lambda item: item[0])
    span = meaning(match, clock)
    if not span.rolling and (span.start > clock.today or span.start >= span.end):
        raise NoSuchTime("That has not happened yet.")
    return span, end


def number_in(text: str) -> int:
    """Read a small number, in digits or as a word."""
    if text in _LARGER:
        return _LARGER[text]
    return int(text) if text.isdigit() else NUMBER_WORDS.index(text) + 1


def day_of_month(number: int, clock: Clock) -> date:
    """Give the latest day with this number that is not in the future."""
    start = clock.today.replace(day=1)
    while True:
        try:
            day = start.replace(day=number)
        except ValueError:
            day = date.max
        if day <= clock.today:
            return day
        start = moved(start, "month", -1)


def _index(names: tuple[str, ...], word: str) -> int:
    return next(place for place, name in enumerate(names, 1) if word in name.split("|"))


def _day(day: date) -> Span:
    return Span(day, day + timedelta(days=1))


def _days_ago(count: int) -> Meaning:
    return lambda _, clock: _day(clock.today - timedelta(days=count))


def _current(match: re.Match[str], clock: Clock) -> Span:
    unit = cast("Unit", match["unit"])
    if unit == "hour":
        return Span(clock.now.replace(minute=0, second=0, microsecond=0), clock.now)
    return clock.calendar_unit(unit, 0)


def _to_date(match: re.Match[str], clock: Clock) -> Span:
    units = ("week", "month", "quarter", "year", "day")
    unit = next((unit for unit in units if unit[0] == match["unit"][0]), "day")
    return clock.calendar_unit(cast("Unit", unit), 0)


def _calendar_before(back: int) -> Meaning:
    def meaning(match: re.Match[str], clock: Clock) -> Span:
        unit = cast("Unit", match["unit"])
        return clock.last(1, unit) if unit == "hour" else clock.calendar_unit(unit, back)

    return meaning


def _last_units(match: re.Match[str], clock: Clock) -> Span:
    unit = match["unit"]
    known = _SHORT_UNITS.get(unit) or cast("Unit", unit)
    groups = match.groupdict()
    count = number_in(groups["number"]) if groups.get("number") else 1
    if not 1 <= count <= _MOST_UNITS:
        raise NoSuchTime(f"A range has 1 to {_MOST_UNITS} of its units.")
    if known == "day" and not groups.get("number"):
        return clock.last(24, "hour")
    return clock.last(count, known)


def _units_ago(match: re.Match[str], clock: Clock) -> Span:
    return _day(clock.today - timedelta(days=number_in(match["number"])))


def _weekday(match: re.Match[str], clock: Clock) -> Span:
    back = (clock.today.isoweekday() - _index(WEEKDAYS, match["weekday"])) % 7
    if back == 0 and match["which"] in ("last", "past", "previous"):
        back = 7
    return _day(clock.today - timedelta(days=back))


def _weekday_of_last_week(match: re.Match[str], clock: Clock) -> Span:
    start = clock.calendar_unit("week", 1).start
    ahead = (_index(WEEKDAYS, match["weekday"]) - start.isoweekday()) % 7
    return _day(start + timedelta(days=ahead))


def _weekend(match: re.Match[str], clock: Clock) -> Span:
    """Give the latest Saturday and Sunday that began."""
    if match["which"] == "this" and clock.today.isoweekday() < 6:  # noqa: PLR2004  Saturday
        raise NoSuchTime("That has not happened yet.")
    saturday = clock.today - timedelta(days=(clock.today.isoweekday() - 6) % 7)
    if match["which"] in ("last", "previous") and clock.today - saturday < timedelta(days=2):
        saturday -= timedelta(days=7)
    return clock.bounded(saturday, saturday + timedelta(days=2))


def _month(match: re.Match[str], clock: Clock) -> Span:
    number, groups = _index(MONTHS, match["month"]), match.groupdict()
    if groups.get("year"):
        start = date(int(groups["year"]), number, 1)
    else:
        start = date(clock.today.year, number, 1)
        if start > clock.today or groups.get("which") == "last" and number == clock.today.month:
            start = start.replace(year=start.year - 1)
    return clock.bounded(start, moved(start, "month", 1))


def _month_of_year(match: re.Match[str], clock: Clock) -> Span:
    year = clock.today.year - (match["back"] != "this")
    start = date(year, _index(MONTHS, match["month"]), 1)
    return clock.bounded(start, moved(start, "month", 1))


def _date(match: re.Match[str], clock: Clock) -> Span:
    number, day, year = _index(MONTHS, match["month"]), int(match["day"]), match["year"]
    try:
        found = date(int(year) if year else clock.today.year, number, day)
    except ValueError as error:
        raise NoSuchTime("There is no such day.") from error
    if not year and found > clock.today:
        if found - clock.today <= _SOON:
            raise NoSuchTime("That has not happened yet; say the year if you mean an earlier one.")
        found = found.replace(year=found.year - 1)
    return _day(found)


def _numbered_day(match: re.Match[str], clock: Clock) -> Span:
    return _day(day_of_month(int(match["day"]), clock))


def _iso_date(match: re.Match[str], _: Clock) -> Span:
    try:
        return _day(date.fromisoformat(match["date"]))
    except ValueError as error:
        raise NoSuchTime("There is no such day.") from error


def _iso_month(match: re.Match[str], clock: Clock) -> Span:
    start = date(int(match["year"]), int(match["month_number"]), 1)
    return clock.bounded(start, moved(start, "month", 1))


def _quarter(match: re.Match[str], clock: Clock) -> Span:
    groups = match.groupdict()
    number = int(groups["quarter"]) if groups.get("quarter") else _ORDINALS[groups["ordinal"]]
    year = int(match["year"]) if match["year"] else clock.today.year
    start = date(year, number * 3 - 2, 1)
    if start > clock.today and not match["year"]:
        start = start.replace(year=year - 1)
    return clock.bounded(start, moved(start, "quarter", 1))


def _year(match: re.Match[str], clock: Clock) -> Span:
    start = date(int(match["year"]), 1, 1)
    return clock.bounded(start, moved(start, "year", 1))


def _slashed(match: re.Match[str], clock: Clock) -> Span:
    """Read 13/10 and 10/13, of which one number can be no month. Raises: NoSuchTime for others."""
    first, second = int(match["first"]), int(match["second"])
    if first != second and max(first, second) > 12 >= min(first, second):  # noqa: PLR2004  months
        year = int(match["year"]) if match["year"] else clock.today.year
        year += 2000 if year < 100 else 0  # noqa: PLR2004  written with two digits
        try:
            found = date(year, min(first, second), max(first, second))
        except ValueError as error:
            raise NoSuchTime("There is no such day.") from error
        return _day(found)
    raise NoSuchTime(f"{match[0]} can be two dates; write it as in 2026-10-03 or 3 October.")


def _slashed_iso(match: re.Match[str], _: Clock) -> Span:
    try:
        return _day(date(int(match["year"]), int(match["month_number"]), int(match["day"])))
    except ValueError as error:
        raise NoSuchTime("There is no such day.") from error


def _week_of(match: re.Match[str], clock: Clock) -> Span:
    start = clock.start_of("week", _date(match, clock).start)
    return clock.bounded(start, start + timedelta(days=7))


def _quarter_of_year(match: re.Match[str], clock: Clock) -> Span:
    year = clock.today.year - (match["back"] == "last")
    start = date(year, int(match["quarter"]) * 3 - 2, 1)
    return clock.bounded(start, moved(start, "quarter", 1))


def _future(match: re.Match[str], _: Clock) -> Span:
    raise NoSuchTime(f'"{match[0]}" has not happened yet.')


def _rule(pattern: str, meaning: Meaning) -> tuple[re.Pattern[str], Meaning]:
    return re.compile(rf"(?:{pattern})(?=$|[ ,])"), meaning


_SOME_YEAR = rf"(?:(?: of| in|,| ,)? {_YEAR})?"
_SHORT_UNIT = "(?P<unit>hrs|hr|h|d|w|mo|mins|min)"
_RULES: tuple[tuple[re.Pattern[str], Meaning], ...] = (
    _rule("today|this day|the current day", _days_ago(0)),
    _rule("yesterday|the previous day", _days_ago(1)),
    _rule("(?:the )?day before yesterday", _days_ago(2)),
    _rule(f"(?:this|current|the current|the running|the ongoing) {_UNIT}", _current),
    _rule(f"(?:the )?{_UNIT} (?:so far|to date)", _to_date),
    _rule(
        "(?:the )?(?:start|beginning) of (?:the|this) (?P<unit>week|month|quarter|year)", _to_date
    ),
    _rule("(?P<unit>[wmqy])td", _to_date),
    _rule(
        f"(?:the )?{_BEFORE} (?:calendar |full |whole )?(?!day|minute){_UNIT}", _calendar_before(1)
    ),
    _rule(f"(?:the )?{_UNIT} before last(?: week| month| year)?", _calendar_before(2)),
    _rule("(?:the )?(?:last|past) day", lambda _, clock: clock.last(24, "hour")),
    _rule(f"(?:the )?(?:start|beginning) of {MONTH}{_SOME_YEAR}", _month),
    _rule("(?:the )?past (?P<unit>hour|day|week|month|quarter|year)", _last_units),
    _rule(f"(?:the )?{_LAST} {NUMBER}[ -](?:calendar )?{_UNIT}s?", _last_units),
    _rule(rf"(?:the )?{_LAST} (?P<number>\d{{1,3}}) ?{_SHORT_UNIT}", _last_units),
    _rule("(?P<number>24|48|72) ?(?P<unit>hrs|h)", _last_units),
    _rule(f"{NUMBER} days ago", _units_ago),
    _rule(f"(?P<which>last|this|past|previous|on|) ?{_WEEKDAY}", _weekday),
    _rule(f"(?:on )?{_WEEKDAY} (?:of )?last week", _weekday_of_last_week),
    _rule(f"last week(?: on)? {_WEEKDAY}", _weekday_of_last_week),
    _rule("(?:the )?(?P<which>last|this|previous|past|) ?weekend", _weekend),
    _rule(f"{MONTH}{_SOME_YEAR}", _month),
    _rule(f"(?P<which>last|this|past) {MONTH}", _month),
    _rule(f"{MONTH} (?:of )?(?P<back>last|this|the previous|the last) year", _month_of_year),
    _rule(f"(?:the )?month of {MONTH}{_SOME_YEAR}", _month),
    _rule(f"(?:the )?{_DAY}(?: of)? {MONTH}{_SOME_YEAR}", _date),
    _rule(f"{MONTH} (?:the )?{_DAY}{_SOME_YEAR}", _date),
    _rule(r"the (?P<day>3[01]|[12]\d|[1-9])(?:st|nd|rd|th)", _numbered_day),
    _rule(r"(?P<date>20\d\d-\d\d-\d\d)", _iso_date),
    _rule(r"(?P<year>20\d\d)-(?P<month_number>0[1-9]|1[0-2])", _iso_month),
    _rule(rf"q(?P<quarter>[1-4]){_SOME_YEAR}", _quarter),
    _rule(rf"(?:the )?(?P<ordinal>{'|'.join(_ORDINALS)}) quarter of {_YEAR}", _quarter),
    _rule(
        f"(?:the )?(?P<ordinal>{'|'.join(set(_ORDINALS) - {'last'})}) quarter(?P<year>)", _quarter
    ),
    _rule(rf"(?:the year )?{_YEAR}", _year),
    _rule(r"(?P<first>\d{1,2})[/.](?P<second>\d{1,2})(?:[/.](?P<year>(?:20)?\d\d))?\.?", _slashed),
    _rule(r"(?P<year>20\d\d)/(?P<month_number>\d\d)/(?P<day>\d\d)", _slashed_iso),
    _rule(f"(?:the )?week (?:of|from) (?:the )?{_DAY}(?: of)? {MONTH}{_SOME_YEAR}", _week_of),
    _rule(f"(?:the )?week (?:of|from) {MONTH} {_DAY}{_SOME_YEAR}", _week_of),
    _rule(r"q(?P<quarter>[1-4]) (?:of )?(?P<back>last|this) year", _quarter_of_year),
    _rule("tomorrow", _future),
    _rule(f"(?:the )?(?:next|coming|upcoming) (?:{NUMBER} )?{_UNIT}s?", _future),
    _rule(f"(?:the )?(?:next|coming|upcoming) (?:{_WEEKDAY}|{MONTH}|weekend)", _future),
)
