"""Times inside a question: periods, and ranges made of two of them (`since Monday`, `from May to
July`, `1-7 October`).
"""

import re
from typing import Literal, cast

import msgspec

from analytics.words.clock import Clock, Span, Unit
from analytics.words.periods import MONTH, NoSuchTime, read_period

_TO = "(?:to|until|till|til|through|thru|up to|-|--)"
_NOW = re.compile("(?:now|today|this moment|date)(?=$|[ ,])")
_SINCE = re.compile("(?:ever since|since|starting from|starting on|starting|beginning|from) ")
_BETWEEN = re.compile("between ")
_JOINED = re.compile(f" {_TO} (?:the end of )?")
_AND = re.compile(f" (?:and|{_TO}) (?:the end of )?")
_SAME = re.compile(
    "(?:the )?same (?:days?|weekday|week|month|quarter|period|time|hours?|timeframe|range|span)"
    "(?: of| in| from| of the| in the)? (?:the )?(?:last|previous|a|one|prior|past)"
    " (?P<unit>week|month|quarter|year)(?: ago| before| earlier)?(?=$|[ ,])"
    "|(?:at )?(?:the )?same time (?P<day>yesterday)(?=$|[ ,])"
    "|(?:a|one) (?P<ago>week|month|quarter|year) (?:ago|before|earlier)(?=$|[ ,])"
)
_PREVIOUS = re.compile(
    "(?:the )?(?:previous|prior|preceding|last) (?:period|one)(?=$|[ ,])"
    "|the (?:period|one|day|week|month|quarter|year|\\d+ days|same period) before"
    "(?: that| it| this)?(?=$|[ ,])"
)
_LAST_ALONE = re.compile("(?:last|previous|prior)(?=$|,| by | per | for | in )")
_TO_ANOTHER = frozenset(("vs", "versus", "than", "to", "with", "against"))
_OVER = re.compile(
    "(?P<unit>week|month|quarter|year) (?:over|on|by) (?P=unit)(?=$|[ ,])"
    "|(?P<letter>[wmqy])o(?P=letter)(?=$|[ ,])"
)
_OPEN = re.compile("(?: onwards| onward| on(?=$))?(?=$|[ ,])")
_SHORT_DAYS = re.compile(
    rf"(?:the )?(?P<first>\d\d?)(?:st|nd|rd|th)? ?(?:to|-|until|till|through|and) ?"
    rf"(?P<last>(?:the )?\d\d?(?:st|nd|rd|th)?(?: of)? {MONTH}(?:,? 20\d\d)?)(?=$|[ ,])"
)
_MONTH_DAYS = re.compile(
    rf"{MONTH} (?P<first>\d\d?)(?:st|nd|rd|th)? ?(?:to|-|until|till|through|and) ?"
    r"(?P<last>\d\d?)(?:st|nd|rd|th)?(?P<year>,? 20\d\d)?(?=$|[ ,])"
)
_ISO_RANGE = re.compile(
    r"(?P<first>20\d\d-\d\d-\d\d)(?:-|\.\.|/)(?P<last>20\d\d-\d\d-\d\d)(?=$|[ ,])"
)
_NEEDS_CUE = frozenset(("may", "march", "mar", "sun", "sat", "wed", "second"))
_CUES = frozenset(("in", "during", "since", "until", "through", "vs", "versus", "than", "against"))
_RELATIVE = re.compile("(?:this|last|past|previous|the|current)")


class Time(msgspec.Struct, frozen=True):
    """A period that a question names, or one that is told from another: `shift` is how far before
    it, and "own" by its own length. Then `span` is None, or the present unit of `week over week`.
    """

    span: Span | None
    text: str
    shift: Literal["own"] | Unit | None = None


class Found(msgspec.Struct, frozen=True):
    """A time and where in the text it stands."""

    start: int
    end: int
    time: Time


def find_times(
    text: str, clock: Clock, *, comparing: bool, cued: frozenset[str] = frozenset()
) -> list[Found]:
    """Find every time in a text, from left to right, the longest reading at each place.

    `comparing`: the question compares, so `between A and B` are two periods, not one range.
    `cued`: months that are words, but names of nothing here: `for march` is a time then.
    Raises: NoSuchTime.
    """
    found: list[Found] = []
    position = 0
    while position < len(text):
        related = _related(text, position, clock)
        read = None if related else _read(text, position, clock, comparing=comparing)
        if read is None and not related:
            read = _cued_month(text, position, clock, cued)
        if read is not None:
            words = text[position : read[1]].strip(" ,")
            related = Found(position, read[1], Time(read[0], words))
        if related is not None:
            found.append(related)
        position = _next_word(text, related.end if related else position)
    return found


def _related(text: str, position: int, clock: Clock) -> Found | None:
    """Read a period that is told from another: `the same period last year`, `month over month`."""
    span: Span | None = None
    shift: Literal["own"] | Unit = "own"
    match = _PREVIOUS.match(text, position)
    before = text[:position].removesuffix("the ").split()
    if match is None and before and before[-1] in _TO_ANOTHER:
        match = _LAST_ALONE.match(text, position)
    if match is None:
        match = _SAME.match(text, position)
        if match:
            shift = cast("Unit", match["unit"] or match["ago"] or "day")
    if match is None:
        match = _OVER.match(text, position)
        if match is None:
            return None
        letter = match["letter"] or match["unit"][0]
        units: tuple[Unit, ...] = ("week", "month", "quarter", "year")
        span = clock.calendar_unit(next(unit for unit in units if unit[0] == letter), 0)
    return Found(match.start(), match.end(), Time(span, match[0], shift))


def _next_word(text: str, position: int) -> int:
    after = text.find(" ", position)
    return len(text) if after < 0 else after + 1


def _read(text: str, position: int, clock: Clock, *, comparing: bool) -> tuple[Span, int] | None:
    for reader in (_days_of_a_month, _iso_range):
        read = reader(text, position, clock)
        if read is not None:
            return read
    for joined in (_since, _between, _joined):
        read = joined(text, position, clock, comparing=comparing)
        if read is not None:
            return read
    return _single(text, position, clock)


def _single(text: str, position: int, clock: Clock) -> tuple[Span, int] | None:
    """Read one period; names of months that are also words need a word before them that says so."""
    read = read_period(text, position, clock)
    if read is None or text[position : read[1]] not in _NEEDS_CUE:
        return read
    before = text[:position].split()
    return read if before and before[-1] in _CUES else None


def _cued_month(
    text: str, position: int, clock: Clock, cued: frozenset[str]
) -> tuple[Span, int] | None:
    before = text[:position].split()
    read = read_period(text, position, clock)
    if read is None or text[position : read[1]] not in cued:
        return None
    return read if before and before[-1] in ("for", "of") else None


def _days_of_a_month(text: str, position: int, clock: Clock) -> tuple[Span, int] | None:
    """Read `1-7 October` and `October 1 to 7`."""
    match = _SHORT_DAYS.match(text, position)
    if match:
        last = _whole(match["last"], clock)
        first = _whole(f"{match['first']} {_month_and_year(match['last'])}", clock)
        return _range(first, last), match.end()
    match = _MONTH_DAYS.match(text, position)
    if match:
        year = match["year"] or ""
        first = _whole(f"{match['month']} {match['first']}{year}", clock)
        last = _whole(f"{match['month']} {match['last']}{year}", clock)
        return _range(first, last), match.end()
    return None


def _month_and_year(date_words: str) -> str:
    return " ".join(date_words.removeprefix("the ").replace(" of ", " ").split()[1:])


def _whole(words: str, clock: Clock) -> Span:
    read = read_period(words, 0, clock)
    if read is None or read[1] != len(words):
        raise NoSuchTime(f'"{words}" is not a date; write it as in 2026-10-03.')
    return read[0]


def _iso_range(text: str, position: int, clock: Clock) -> tuple[Span, int] | None:
    match = _ISO_RANGE.match(text, position)
    if match is None:
        return None
    return _range(_whole(match["first"], clock), _whole(match["last"], clock)), match.end()


def _since(text: str, position: int, clock: Clock, *, comparing: bool) -> tuple[Span, int] | None:
    """Read `since A`, and `from A` with or without an end; `from last week` is last week.

    Where periods are compared, only dates make a range.
    """
    match = _SINCE.match(text, position)
    first = read_period(text, match.end(), clock) if match else None
    if match is None or first is None:
        return None
    span, end = first
    dated = _is_date(text[match.end() : end])
    ended = _end(text, end, clock, _JOINED) if dated or not comparing else None
    if ended is not None:
        return _range(span, ended[0]), ended[1]
    opened = _OPEN.match(text, end)
    goes_on = opened is not None and opened[0] != ""
    relative = _RELATIVE.match(text, match.end()) is not None
    if match[0] == "from " and not goes_on and (relative or not dated):
        return span, end
    return _range(span, _to_now(span, clock)), opened.end() if opened else end


def _is_date(words: str) -> bool:
    return any(character.isdigit() for character in words)


def _end(text: str, position: int, clock: Clock, joint: re.Pattern[str]) -> tuple[Span, int] | None:
    """Read the end of a range: another period, or now."""
    match = joint.match(text, position)
    if match is None:
        return None
    now = _NOW.match(text, match.end())
    if now:
        return clock.running(clock.today), now.end()
    return read_period(text, match.end(), clock)


def _between(text: str, position: int, clock: Clock, *, comparing: bool) -> tuple[Span, int] | None:
    match = _BETWEEN.match(text, position)
    first = read_period(text, match.end(), clock) if match and not comparing else None
    last = _end(text, first[1], clock, _AND) if first else None
    if first is None or last is None:
        return None
    return _range(first[0], last[0]), last[1]


def _joined(text: str, position: int, clock: Clock, *, comparing: bool) -> tuple[Span, int] | None:
    """Read `A to B`; `A and B` are two periods."""
    first = None if comparing else _single(text, position, clock)
    last = _end(text, first[1], clock, _JOINED) if first else None
    return (_range(first[0], last[0]), last[1]) if first and last else None


def _to_now(span: Span, clock: Clock) -> Span:
    return Span(span.start, clock.now) if span.rolling else clock.running(clock.today)


def _range(first: Span, last: Span) -> Span:
    """Give everything from the first of one to the last of another. Raises: NoSuchTime."""
    if first.rolling != last.rolling:
        raise NoSuchTime("A range goes from a day to a day, or back from now.")
    if first.start >= last.end or first.end > last.end:
        raise NoSuchTime("The range ends before it begins.")
    return Span(first.start, last.end)
