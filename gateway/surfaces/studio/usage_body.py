"""Answers about usage as JSON: money in credits, times in ms, shares from 0 to 1."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from analytics.answers import Answer, Listing, Moment, ReadRange, Request, Row, Value
from analytics.measures import MEASURES, Unit
from analytics.query import Bucket, Metric
from gateway.surfaces.asking import credit_number
from studio.core.money import credits_text

_PLACES = 6
_UNITS = {
    Unit.COUNT: "count",
    Unit.UCR: "credits",
    Unit.SHARE: "share",
    Unit.MS: "ms",
    Unit.SECONDS: "s",
}
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def usage_body(answer: Answer, *, range_name: str | None = None) -> dict[str, object]:
    """Give the JSON of sums."""
    spec = answer.spec
    return {
        "object": "usage",
        **range_body(answer.read, range_name),
        "bucket": spec.bucket.value,
        "group_by": list(spec.group_by),
        "metrics": list(spec.metrics),
        "filters": [msgspec.structs.asdict(item) for item in spec.filters],
        "units": {metric.value: _UNITS[MEASURES[metric].unit] for metric in spec.metrics},
        "rows": [_row_body(row, answer) for row in answer.rows],
        "totals": values_body(spec.metrics, answer.totals),
        "previous_totals": _previous(spec.metrics, answer.previous_totals),
        "buckets": [bucket_text(bucket) for bucket in answer.buckets],
        "percentile_error": answer.percentile_error,
        "notes": list(answer.notes),
        "has_more": answer.next_cursor is not None,
        "next_cursor": answer.next_cursor,
        "currency": "credits",
    }


def listing_body(listing: Listing, *, range_name: str | None = None) -> dict[str, object]:
    """Give the JSON of single requests."""
    return {
        "object": "list",
        **range_body(listing.read, range_name),
        "filters": [msgspec.structs.asdict(item) for item in listing.spec.filters],
        "data": [_request_body(request) for request in listing.requests],
        "has_more": listing.next_cursor is not None,
        "next_cursor": listing.next_cursor,
        "currency": "credits",
    }


def range_body(read: ReadRange, range_name: str | None) -> dict[str, object]:
    """Say how the time was read, by whose clock, and how fresh the answer is."""
    zone = read.calendar.zone

    def local(moment: datetime) -> str:
        return moment.astimezone(zone).isoformat()

    compared = read.compared
    return {
        "range": {
            "name": range_name,
            "start": local(read.range.start),
            "end": local(read.range.end),
        },
        "compare": compared
        and {
            "start": local(compared.start),
            "end": local(compared.end),
            "same_elapsed": read.same_elapsed,
        },
        "time_zone": read.calendar.time_zone,
        "week_start": _WEEKDAYS[read.calendar.week_start - 1],
        "as_of": local(read.read_at),
    }


def values_body(metrics: Sequence[Metric], values: Sequence[Value]) -> dict[str, object]:
    """Give values by the names of their metrics."""
    return {
        metric.value: _value_body(metric, value)
        for metric, value in zip(metrics, values, strict=True)
    }


def bucket_text(bucket: Moment | None) -> str | None:
    """Write a bucket: a date, or a moment with its offset."""
    return bucket.isoformat() if bucket is not None else None


def _row_body(row: Row, answer: Answer) -> dict[str, object]:
    spec = answer.spec
    body: dict[str, object] = {}
    if spec.bucket is not Bucket.NONE:
        body["bucket"] = bucket_text(row.bucket)
    body |= {item.value: key for item, key in zip(spec.group_by, row.keys, strict=True)}
    if spec.other:
        body["other"] = row.is_other
    body |= values_body(spec.metrics, row.values)
    if row.previous is not None:
        body["previous"] = values_body(spec.metrics, row.previous)
    return body


def _previous(metrics: Sequence[Metric], values: tuple[Value, ...] | None) -> object:
    return None if values is None else values_body(metrics, values)


def _value_body(metric: Metric, value: Value) -> object:
    if value is None:
        return None
    if MEASURES[metric].unit is Unit.UCR:
        return msgspec.Raw(credits_text(int(value)).encode())
    return round(value, _PLACES) if isinstance(value, float) else value


def _request_body(request: Request) -> dict[str, object]:
    body = msgspec.structs.asdict(request)
    charge_ucr = body.pop("charge_ucr")
    return body | {
        "at": request.at.isoformat(),
        "request_id": str(request.request_id),
        "charge": credit_number(charge_ucr),
    }
