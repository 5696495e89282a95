"""Questions in words, without a model: `parse` gives the typed query, or says what it did not
understand. It spots phrases; it refuses rather than guesses.
"""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import msgspec

from analytics.errors import QueryRefused
from analytics.query import Bucket, Filter, Metric, Mode, Order, QuerySpec, Range, check
from analytics.ranges import begin_of
from analytics.words.clock import Clock, Span
from analytics.words.draft import Draft
from analytics.words.marking import mark
from analytics.words.names import Names
from analytics.words.refusal import Refusal, Refused
from analytics.words.slots import fill
from analytics.words.text import LONGEST_QUESTION


class Read(msgspec.Struct, frozen=True):
    """A question as it was read. `notes` say what could have been read otherwise."""

    spec: QuerySpec
    notes: tuple[str, ...] = ()


def parse(question: str, names: Names, now: datetime, *, week_start: int = 1) -> Read | Refusal:
    """Read a question. `now` is in the workspace's zone, which decides where its days begin."""
    if len(question) > LONGEST_QUESTION:
        return Refusal(message=f"A question has at most {LONGEST_QUESTION} characters.")
    zone = now.tzinfo
    assert isinstance(zone, ZoneInfo), "now is in the workspace's zone"
    clock = Clock(now, week_start)
    try:
        marked = mark(question, names, clock)
        draft = Draft(marked.marks, clock)
        fill(draft)
        spec = check(_spec(draft, zone))
    except Refused as refusal:
        return refusal.refusal
    except QueryRefused as error:
        return Refusal(message=error.message)
    return Read(spec, (*marked.notes, *draft.notes))


def _spec(draft: Draft, zone: ZoneInfo) -> QuerySpec:
    assert draft.span is not None, "the rules give every question a time"
    asked = _range(draft.span, zone)
    listing = draft.listing
    return QuerySpec(
        start=asked.start,
        end=asked.end,
        metrics=(Metric.REQUESTS,) if listing else tuple(draft.metrics),
        group_by=tuple(draft.group_by),
        bucket=draft.bucket,
        filters=tuple(
            Filter(dimension=dimension, values=tuple(values), exclude=exclude)
            for (dimension, exclude), values in draft.filters.items()
        ),
        compare=_range(draft.compare, zone) if draft.compare else None,
        order=None if listing else _order(draft),
        limit=draft.limit,
        other=bool(draft.limit and draft.group_by and draft.bucket is not Bucket.NONE),
        mode=Mode.LIST if listing else Mode.TABLE,
    )


def _order(draft: Draft) -> Order | None:
    if draft.descending is None and draft.order is None:
        return None
    metric = draft.order or draft.metrics[0]
    return Order(metric=metric, descending=draft.descending is not False)


def _range(span: Span, zone: ZoneInfo) -> Range:
    return Range(start=_moment(span.start, zone), end=_moment(span.end, zone))


def _moment(local: date, zone: ZoneInfo) -> datetime:
    return local if isinstance(local, datetime) else begin_of(local, zone)
