"""A question to the usage records as a query string. Names are those of `docs/api/analytics.md`."""

from datetime import UTC, date, datetime
from enum import StrEnum
from typing import TypeVar

import msgspec
from django.http import QueryDict

from analytics.query import (
    EARLIEST_YEAR,
    LATEST_YEAR,
    MOST_ROWS,
    Bucket,
    Dimension,
    Filter,
    Metric,
    Mode,
    Order,
    QuerySpec,
    Range,
    check,
)
from analytics.ranges import DEFAULT, NAMES, Calendar, Period, begin_of, named, previous_of
from studio.core.errors import InvalidRequest

DEFAULT_METRICS = (
    Metric.REQUESTS,
    Metric.ERRORS,
    Metric.TOKENS,
    Metric.CHARGE,
    Metric.LATENCY_AVG,
)
COST = "cost"
"""What a tenant's cost is called too: the charge."""
SINGLE = (
    "range",
    "start",
    "end",
    "bucket",
    "group_by",
    "metrics",
    "sort",
    "limit",
    "other",
    "compare",
    "mode",
    "page_size",
    "cursor",
    "format",
)
_LONGEST_NUMBER = 9
_BETWEEN = ".."
_Word = TypeVar("_Word", bound=StrEnum)
_Date = TypeVar("_Date", bound=date)


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked. `range_name`: the word for its time, if there was one. `text`: all of it but
    the page, to which cursors are bound.
    """

    spec: QuerySpec
    range_name: str | None
    page_rows: int
    cursor: str | None
    text: str


def read_question(query: QueryDict, calendar: Calendar, now: datetime) -> Question:
    """Read a query string. Raises: InvalidRequest, whose details name the parameter."""
    _check_names(query)
    mode = _word(query, "mode", Mode, Mode.TABLE)
    range_name, period = _period(query, calendar, now)
    metrics = _words(query, "metrics", Metric) or DEFAULT_METRICS
    compare = query.get("compare")
    spec = QuerySpec(
        start=period.range.start,
        end=period.range.end,
        metrics=metrics,
        group_by=_words(query, "group_by", Dimension),
        bucket=_word(query, "bucket", Bucket, Bucket.NONE),
        filters=_filters(query),
        compare=None if compare is None else _compared(compare, period, calendar, now),
        order=_order(query),
        limit=_count(query, "limit"),
        other=_yes(query, "other"),
        mode=mode,
    )
    if mode is Mode.LIST and "metrics" in query:
        raise _refused("metrics", "single requests have none")
    return Question(
        spec=check(spec),
        range_name=range_name,
        page_rows=_count(query, "page_size") or MOST_ROWS,
        cursor=query.get("cursor"),
        text=_text(query),
    )


def _check_names(query: QueryDict) -> None:
    filters = [name for item in Dimension for name in (item.value, f"{item.value}!")]
    for name, values in query.lists():
        if name not in SINGLE and name not in filters:
            known = ", ".join((*SINGLE, *(item.value for item in Dimension)))
            raise _refused(name, f"not known here; there are {known}")
        if name in SINGLE and len(values) > 1:
            raise _refused(name, "given more than once")


def _text(query: QueryDict) -> str:
    asked = {
        name: sorted(values)
        for name, values in sorted(query.lists())
        if name not in ("cursor", "format")
    }
    return msgspec.json.encode(asked).decode()


def _period(query: QueryDict, calendar: Calendar, now: datetime) -> tuple[str | None, Period]:
    start, end, name = query.get("start"), query.get("end"), query.get("range")
    if name is not None and (start is not None or end is not None):
        raise _refused("range", "either a range by name, or start and end")
    if start is None:
        if end is not None:
            raise _refused("start", "an end needs a start")
        name = DEFAULT if name is None else name
        return name, named(name, now, calendar)
    asked = Range(
        start=_moment(start, "start", calendar),
        end=now if end is None else _moment(end, "end", calendar),
    )
    if asked.end <= asked.start:
        raise _refused("start", "it ends before it begins, or is empty")
    return None, Period(range=asked, previous=previous_of(asked, calendar))


def _compared(text: str, period: Period, calendar: Calendar, now: datetime) -> Range:
    if text == "previous":
        return period.previous
    if _BETWEEN in text:
        start, _, end = text.partition(_BETWEEN)
        return Range(
            start=_moment(start, "compare", calendar), end=_moment(end, "compare", calendar)
        )
    if text not in NAMES:
        known = ", ".join(NAMES)
        raise _refused("compare", f"previous, a range such as 2026-09-01..2026-10-01, or {known}")
    return named(text, now, calendar).range


def _moment(text: str, name: str, calendar: Calendar) -> datetime:
    """Read a local date, which stands for its first moment, or a moment with its offset."""
    try:
        if len(text) == len("2026-11-01"):
            return begin_of(_within(date.fromisoformat(text)), calendar.zone)
        moment = datetime.fromisoformat(text.replace(" ", "+"))  # a bare + in a query is a space
        if moment.tzinfo is not None:
            return _within(moment).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise _refused(name, "a date, or a time such as 2026-11-01T00:00:00Z") from error
    raise _refused(name, "a time has an offset, such as 2026-11-01T00:00:00Z")


def _within(moment: _Date) -> _Date:
    if not EARLIEST_YEAR <= moment.year <= LATEST_YEAR:
        raise ValueError("a year that nobody means")
    return moment


def _filters(query: QueryDict) -> tuple[Filter, ...]:
    return tuple(
        Filter(dimension=item, values=tuple(query.getlist(name)), exclude=name.endswith("!"))
        for item in Dimension
        for name in (item.value, f"{item.value}!")
        if name in query
    )


def _order(query: QueryDict) -> Order | None:
    text = query.get("sort")
    if text is None:
        return None
    (metric,) = _read_words(text.removeprefix("-"), "sort", Metric)
    return Order(metric=metric, descending=text.startswith("-"))


def _word(query: QueryDict, name: str, words: type[_Word], default: _Word) -> _Word:
    text = query.get(name)
    if text is None:
        return default
    if text not in [word.value for word in words]:
        raise _refused(name, f"there are {', '.join(words)}")
    return words(text)


def _words(query: QueryDict, name: str, words: type[_Word]) -> tuple[_Word, ...]:
    text = query.get(name)
    return _read_words(text, name, words) if text else ()


def _read_words(text: str, name: str, words: type[_Word]) -> tuple[_Word, ...]:
    """Read words with commas between. A tenant's cost is the charge."""
    known = [word.value for word in words if word is not Metric.COST]
    found = []
    for word in text.split(","):
        asked = Metric.CHARGE.value if word == COST and words is Metric else word
        if asked not in known:
            raise _refused(name, f"there are {', '.join(known)}")
        found.append(words(asked))
    return tuple(found)


def _count(query: QueryDict, name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    whole = text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER
    if not whole or not 1 <= int(text) <= MOST_ROWS:
        raise _refused(name, f"a number from 1 to {MOST_ROWS}")
    return int(text)


def _yes(query: QueryDict, name: str) -> bool:
    text = query.get(name, "false")
    if text not in ("true", "false"):
        raise _refused(name, "true or false")
    return text == "true"


def _refused(name: str, why: str) -> InvalidRequest:
    return InvalidRequest(f"{name[:40]}: {why}.", details={"param": name[:40]})
