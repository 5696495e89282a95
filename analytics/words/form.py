"""The form in which a model gives a question: enums, numbers and dates only.

A model never sees a name of the records. What a question mentions of them is a token in its text
(`app_1`), and filters name tokens; so its answer can hold nothing that was not asked, and the same
check as for every query decides about the rest.
"""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, Literal

import msgspec

from analytics.errors import QueryRefused
from analytics.query import (
    STAFF_METRICS,
    Bucket,
    Dimension,
    Filter,
    Metric,
    Mode,
    Order,
    QuerySpec,
    Range,
    Status,
    check,
)
from analytics.ranges import DEFAULT, NAMES, Calendar, days, named, previous_of
from analytics.words.names import MOST_WORDS, Name, Names
from analytics.words.text import read_words

OPERATIONS = ("chat", "embedding", "image", "music", "speech", "transcription", "realtime")
_DIMENSIONS = tuple(item for item in Dimension if item not in (Dimension.CHANNEL, Dimension.KEY))
_METRICS = tuple(metric.value for metric in Metric if metric not in STAFF_METRICS)
_MOST_LIMIT = 100
_MOST_TOKENS = 8


class _Dates(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    first: date
    last: date


class _Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    value: str
    exclude: bool


class _Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    answerable: bool
    mode: Literal["table", "list"]
    metrics: list[Metric]
    group_by: list[Dimension]
    bucket: Bucket
    filters: list[_Kept]
    range: str | None
    dates: _Dates | None
    compare: Literal["none", "previous"]
    order: Literal["none", "descending", "ascending"]
    limit: int | None


_FORM = msgspec.json.Decoder(_Form)


class Masked(msgspec.Struct, frozen=True):
    """A question in which every name is a token, and what the tokens stand for."""

    text: str
    tokens: dict[str, Name]


def masked(question: str, names: Names) -> Masked:
    """Replace names of the records in a question by tokens."""
    words = [word.text for word in read_words(question)]
    tokens: dict[str, Name] = {}
    plain: list[str] = []
    place = 0
    while place < len(words):
        found, place_after = _name_at(words, place, names)
        texts = []
        for name in found[: _MOST_TOKENS - len(tokens)]:
            token = f"{name.dimension.value}_{len(tokens) + 1}"
            tokens[token] = name
            texts.append(token)
        plain.append(
            f"{words[place]} ({' or '.join(texts)})"
            if _plain(words[place]) and texts
            else " or ".join(texts) or words[place]
        )
        place = place_after
    return Masked(" ".join(plain), tokens)


def schema_for(asked: Masked) -> dict[str, Any]:
    """Give the JSON Schema of the form: strict, so that it leaves a model no free text."""
    values = [*asked.tokens, *OPERATIONS, *(status.value for status in Status), "byok", "credits"]
    kept = _object({"value": _one_of(values), "exclude": {"type": "boolean"}})
    dates = _object({"first": {"type": "string"}, "last": {"type": "string"}})
    return _object(
        {
            "answerable": {"type": "boolean"},
            "mode": _one_of(["table", "list"]),
            "metrics": {"type": "array", "items": _one_of(_METRICS)},
            "group_by": {"type": "array", "items": _one_of([item.value for item in _DIMENSIONS])},
            "bucket": _one_of([bucket.value for bucket in Bucket]),
            "filters": {"type": "array", "items": kept},
            "range": {"anyOf": [{"type": "null"}, _one_of(NAMES)]},
            "dates": {"anyOf": [{"type": "null"}, dates]},
            "compare": _one_of(["none", "previous"]),
            "order": _one_of(["none", "descending", "ascending"]),
            "limit": {"type": ["integer", "null"]},
        }
    )


def read_form(text: str, asked: Masked, calendar: Calendar, now: datetime) -> QuerySpec | None:
    """Read what a model filled in; None if it says that figures cannot answer it.

    Raises: QueryRefused, for every text that is not a form or no question that can be asked.
    """
    try:
        form = _FORM.decode(text)
    except (msgspec.DecodeError, UnicodeError, ValueError) as error:
        raise QueryRefused("The model's answer is no form.") from error
    if not form.answerable:
        return None
    return check(_spec(form, asked, calendar, now))


def _spec(form: _Form, asked: Masked, calendar: Calendar, now: datetime) -> QuerySpec:
    listing = form.mode == "list"
    span = _range(form, calendar, now)
    if form.limit is not None and not 1 <= form.limit <= _MOST_LIMIT:
        raise QueryRefused(f"limit: a number from 1 to {_MOST_LIMIT}.")
    metrics = tuple(form.metrics) or (Metric.REQUESTS,)
    ordered = form.order != "none" and not listing
    grouped = bool(form.group_by) or form.bucket is not Bucket.NONE
    return QuerySpec(
        start=span.start,
        end=span.end,
        metrics=(Metric.REQUESTS,) if listing else metrics,
        group_by=tuple(form.group_by),
        bucket=form.bucket,
        filters=_filters(form, asked),
        compare=previous_of(span, calendar) if form.compare == "previous" else None,
        order=Order(metric=metrics[0], descending=form.order == "descending") if ordered else None,
        limit=form.limit if grouped or listing else None,
        mode=Mode.LIST if listing else Mode.TABLE,
    )


def _range(form: _Form, calendar: Calendar, now: datetime) -> Range:
    if form.dates is None:
        return named(form.range or DEFAULT, now, calendar).range
    today = now.astimezone(calendar.zone).date()
    if form.dates.first > today or form.dates.last < form.dates.first:
        raise QueryRefused("dates: a first day that has begun, and a last one not before it.")
    last = min(form.dates.last, today)
    return days(form.dates.first, date.fromordinal(last.toordinal() + 1), calendar.zone)


def _filters(form: _Form, asked: Masked) -> tuple[Filter, ...]:
    values: dict[tuple[Dimension, bool], list[str]] = {}
    for kept in form.filters:
        dimension, value = _meant(kept.value, asked)
        held = values.setdefault((dimension, kept.exclude), [])
        held += [] if value in held else [value]
    return tuple(
        Filter(dimension=dimension, values=tuple(held), exclude=exclude)
        for (dimension, exclude), held in values.items()
    )


def _meant(value: str, asked: Masked) -> tuple[Dimension, str]:
    name = asked.tokens.get(value)
    if name is not None:
        return name.dimension, name.value
    if value in OPERATIONS:
        return Dimension.OPERATION, value
    if value in ("byok", "credits"):
        return Dimension.BILLING, value
    if value in [status.value for status in Status]:
        return Dimension.STATUS, value
    raise QueryRefused("filters: only what the question names.")


def _name_at(words: list[str], place: int, names: Names) -> tuple[tuple[Name, ...], int]:
    for end in range(min(place + MOST_WORDS, len(words)), place, -1):
        found = names.find(" ".join(words[place:end]), quoted=False)
        if found:
            return found, end
    return (), place + 1


def _plain(word: str) -> bool:
    """Say whether a name is also a plain word, which then stays beside its token."""
    return word.isalpha()


def _one_of(values: Iterable[str]) -> dict[str, Any]:
    return {"type": "string", "enum": list(values)}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
