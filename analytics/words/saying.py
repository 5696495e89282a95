"""Answers in plain words: the figures, then the question as it was read. Nothing in here is markup;
names out of the records are shortened and shown without what has no shape of its own.
"""

import unicodedata
from datetime import date, datetime, timedelta
from decimal import Decimal

from analytics.answers import Answer, Listing, Moment, Row, Value
from analytics.measures import MEASURES, Unit
from analytics.query import Bucket, Filter, Metric, QuerySpec, Range
from analytics.ranges import Calendar, begin_of
from studio.core.money import credits_text

_MOST_SAID = 5
_LONGEST_NAME = 80
_UNSEEN = ("Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp")
_MS_PER_S = 1000
_NAMES: dict[Metric, str] = {
    Metric.CHARGE: "spend",
    Metric.CHARGE_PER_REQUEST: "spend per request",
    Metric.LATENCY_AVG: "average response time",
    Metric.LATENCY_P50: "median response time",
    Metric.LATENCY_P95: "95th percentile of response time",
    Metric.LATENCY_P99: "99th percentile of response time",
    Metric.FIRST_BYTE_AVG: "average time to the first token",
    Metric.FIRST_BYTE_P50: "median time to the first token",
    Metric.FIRST_BYTE_P95: "95th percentile of time to the first token",
    Metric.FIRST_BYTE_P99: "99th percentile of time to the first token",
    Metric.CACHED_SHARE: "share of cached input tokens",
    Metric.BYOK_SHARE: "share of requests by own keys",
    Metric.SECONDS: "seconds of sound",
    Metric.USERS: "different users",
}
_BARE = frozenset((Metric.CHARGE,))


def metric_name(metric: Metric) -> str:
    """Name a metric in words."""
    return _NAMES.get(metric) or metric.value.replace("_", " ")


def shown(name: str | None) -> str:
    """Show a name of the records: one line, of bounded length; nobody named is "nobody"."""
    if name is None:
        return "other"
    plain = "".join(" " if unicodedata.category(letter) in _UNSEEN else letter for letter in name)
    plain = " ".join(plain.split())
    if len(plain) > _LONGEST_NAME:
        plain = plain[: _LONGEST_NAME - 1] + "…"
    return plain or "nobody"


def value_text(metric: Metric, value: Value) -> str:
    """Write a value with its unit, for reading."""
    if value is None:
        return "no data"
    unit = MEASURES[metric].unit
    if unit is Unit.UCR:
        return f"{_grouped(credits_text(int(value)))} credits"
    if unit is Unit.SHARE:
        return f"{value * 100:.1f} %"
    if unit is Unit.MS:
        return f"{value / _MS_PER_S:,.2f} s" if value >= _MS_PER_S else f"{value:,.0f} ms"
    if unit is Unit.SECONDS:
        return f"{value:,.1f} s"
    return f"{value:,}"


def said_answer(answer: Answer) -> str:
    """Say the figures of a table."""
    spec = answer.spec
    if not spec.group_by and spec.bucket is Bucket.NONE:
        return f"{_sentence(_values(answer.spec, answer.totals, answer.previous_totals))}"
    rows = [row for row in answer.rows if any(value for value in row.values)]
    if not rows:
        return "Nothing was used then."
    if not spec.group_by and spec.order is None:
        total = _values(spec, answer.totals, answer.previous_totals)
        return _sentence(f"{total}, by {spec.bucket.value} below")
    lines = [f"{_keys(row, spec)}: {_values(spec, row.values, row.previous)}" for row in rows]
    more = len(lines) - _MOST_SAID
    text = "; ".join(lines[:_MOST_SAID])
    return _sentence(f"{text}; and {more} more below" if more > 0 else text)


def said_listing(listing: Listing) -> str:
    """Say how many single requests follow."""
    count = len(listing.requests)
    if not count:
        return "There are no such requests then."
    more = "; there are more" if listing.next_cursor else ""
    return f"{count} request{'s' if count > 1 else ''}, the newest first{more}."


def said_question(spec: QuerySpec, calendar: Calendar, compared: Range | None = None) -> str:
    """Say a query in words, as it was read: "spend, app web, Mon 19 Oct 2026 …, Europe/Berlin"."""
    if spec.mode.value == "list":
        parts = ["single requests"]
    else:
        parts = [" and ".join(metric_name(metric) for metric in spec.metrics)]
        cuts = [item.value for item in spec.group_by]
        cuts += [] if spec.bucket is Bucket.NONE else [spec.bucket.value]
        parts += [f"by {' and '.join(cuts)}"] if cuts else []
    parts += [_said_filter(item) for item in spec.filters]
    if spec.limit is not None:
        first = "the least first" if spec.order and not spec.order.descending else "the most first"
        first = "the newest" if spec.mode.value == "list" else first
        parts.append(f"{first}, at most {spec.limit}")
    parts.append(_said_range(spec.range, calendar))
    if spec.compare is not None:
        parts.append(f"compared with {_said_range(compared or spec.compare, calendar)}")
    return ", ".join([*parts, calendar.time_zone])


def _said_filter(item: Filter) -> str:
    values = " or ".join(shown(value) for value in item.values)
    return f"{'without ' if item.exclude else ''}{item.dimension.value} {values}"


def _said_range(asked: Range, calendar: Calendar) -> str:
    zone = calendar.zone
    start, end = asked.start.astimezone(zone), asked.end.astimezone(zone)
    whole = begin_of(start.date(), zone) == asked.start and begin_of(end.date(), zone) == asked.end
    if not whole:
        return f"{_clock_text(start)} to {_clock_text(end)}"
    last = end.date() - timedelta(days=1)
    first = _day_text(start.date())
    return first if last == start.date() else f"{first} to {_day_text(last)}"


def _day_text(day: date) -> str:
    return f"{day:%a} {day.day} {day:%b %Y}"


def _clock_text(moment: datetime) -> str:
    return f"{_day_text(moment.date())} {moment:%H:%M}"


def _keys(row: Row, spec: QuerySpec) -> str:
    keys = [shown(key) for key in row.keys]
    if spec.bucket is not Bucket.NONE and row.bucket is not None:
        keys.insert(0, bucket_name(row.bucket))
    return ", ".join(keys)


def bucket_name(bucket: Moment) -> str:
    """Name a bucket: its day, of an hour also the time."""
    return _clock_text(bucket) if isinstance(bucket, datetime) else _day_text(bucket)


def _values(spec: QuerySpec, values: tuple[Value, ...], previous: tuple[Value, ...] | None) -> str:
    texts = []
    for place, metric in enumerate(spec.metrics):
        name = "" if spec.metrics == (Metric.CHARGE,) else f" {metric_name(metric)}"
        text = value_text(metric, values[place])
        if previous is not None:
            then = value_text(metric, previous[place])
            text += f" (before: {then}{_change(values[place], previous[place])})"
        texts.append(f"{text}{name}")
    return ", ".join(texts)


def _change(now: Value, then: Value) -> str:
    if now is None or not then:
        return ""
    return f", {(now - then) / then * 100:+.1f} %"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _grouped(amount: str) -> str:
    return f"{Decimal(amount):,f}"
