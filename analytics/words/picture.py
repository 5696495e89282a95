"""The picture of an answer, described: what to draw, never markup."""

from typing import Literal

import msgspec

from analytics.answers import Answer, Moment, Value
from analytics.measures import MEASURES, Unit
from analytics.query import Bucket
from analytics.words.saying import metric_name, shown

_MOST_SERIES = 10
_UCR_PER_CREDIT = 1_000_000
_UNITS = {
    Unit.COUNT: "count",
    Unit.UCR: "credits",
    Unit.SHARE: "share",
    Unit.MS: "ms",
    Unit.SECONDS: "s",
}


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """One line or one set of bars; a value for each of the chart's `labels`."""

    name: str
    values: tuple[Value, ...]


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """Bars for groups, lines over time. Amounts are credits, times ms, shares 0 to 1."""

    type: Literal["bar", "line"]
    title: str
    unit: str
    labels: tuple[str, ...]
    series: tuple[Series, ...]


def chart_of(answer: Answer) -> Chart | None:
    """Describe the picture of an answer's first metric; None where one number is the answer."""
    spec = answer.spec
    if (
        spec.bucket is not Bucket.NONE
        and spec.order is None
        or spec.bucket is not Bucket.NONE
        and spec.group_by
    ):
        return _over_time(answer)
    if spec.group_by or spec.bucket is not Bucket.NONE:
        return _bars(answer)
    return None


def _over_time(answer: Answer) -> Chart:
    places = {bucket: place for place, bucket in enumerate(answer.buckets)}
    lines: dict[str, list[Value]] = {}
    for row in answer.rows:
        name = ", ".join(shown(key) for key in row.keys) or metric_name(answer.spec.metrics[0])
        if row.bucket not in places or (name not in lines and len(lines) == _MOST_SERIES):
            continue
        values = lines.setdefault(name, [None] * len(places))
        values[places[row.bucket]] = _plain(answer, row.values[0])
    series = tuple(Series(name=name, values=tuple(values)) for name, values in lines.items())
    return _chart(answer, "line", tuple(bucket.isoformat() for bucket in answer.buckets), series)


def _bars(answer: Answer) -> Chart:
    labels = tuple(
        ", ".join(shown(key) for key in row.keys) or _bucket_text(row.bucket) for row in answer.rows
    )
    now = tuple(_plain(answer, row.values[0]) for row in answer.rows)
    series = [Series(name=metric_name(answer.spec.metrics[0]), values=now)]
    if answer.spec.compare is not None:
        then = tuple(
            _plain(answer, row.previous[0] if row.previous else None) for row in answer.rows
        )
        series.append(Series(name="before", values=then))
    return _chart(answer, "bar", labels, tuple(series))


def _chart(
    answer: Answer,
    kind: Literal["bar", "line"],
    labels: tuple[str, ...],
    series: tuple[Series, ...],
) -> Chart:
    metric = answer.spec.metrics[0]
    unit = _UNITS[MEASURES[metric].unit]
    return Chart(type=kind, title=metric_name(metric), unit=unit, labels=labels, series=series)


def _bucket_text(bucket: Moment | None) -> str:
    return bucket.isoformat() if bucket is not None else ""


def _plain(answer: Answer, value: Value) -> Value:
    if value is None or MEASURES[answer.spec.metrics[0]].unit is not Unit.UCR:
        return value
    return value / _UCR_PER_CREDIT
