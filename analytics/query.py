"""A question to the usage records, typed: what every way of asking comes down to (HTTP, words, a
model, alerts, reports), and the one check of it. Pure: no database, no Django.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from analytics.errors import QueryRefused

MOST_ROWS = 1_000
MOST_GROUPS = 2
MOST_FILTER_VALUES = 100
LONGEST_VALUE = 1_024
EARLIEST_YEAR = 1970
LATEST_YEAR = 2200


class Metric(StrEnum):
    """What is counted. `docs/api/analytics.md` says how each is computed and its unit."""

    REQUESTS = "requests"
    ERRORS = "errors"
    ERROR_RATE = "error_rate"
    TOKENS = "tokens"
    INPUT_TOKENS = "input_tokens"
    CACHED_INPUT_TOKENS = "cached_input_tokens"
    CACHE_WRITE_TOKENS = "cache_write_tokens"
    OUTPUT_TOKENS = "output_tokens"
    REASONING_TOKENS = "reasoning_tokens"
    IMAGES = "images"
    CHARACTERS = "characters"
    SECONDS = "seconds"
    CHARGE = "charge"
    CHARGE_PER_REQUEST = "charge_per_request"
    COST = "cost"
    LATENCY_AVG = "latency_avg"
    LATENCY_P50 = "latency_p50"
    LATENCY_P95 = "latency_p95"
    LATENCY_P99 = "latency_p99"
    FIRST_BYTE_AVG = "first_byte_avg"
    FIRST_BYTE_P50 = "first_byte_p50"
    FIRST_BYTE_P95 = "first_byte_p95"
    FIRST_BYTE_P99 = "first_byte_p99"
    CACHED_SHARE = "cached_share"
    BYOK_SHARE = "byok_share"
    USERS = "users"


STAFF_METRICS = frozenset({Metric.COST})
"""What the provider bills us is for staff; to a tenant the cost is the charge."""


class Dimension(StrEnum):
    """What is told apart. `channel` and `key` are in the raw rows alone: a month at a time."""

    APP = "app"
    USER = "user"
    MODEL = "model"
    PROVIDER = "provider"
    KIND = "kind"
    OPERATION = "operation"
    STATUS = "status"
    BILLING = "billing"
    CHANNEL = "channel"
    KEY = "key"


class Bucket(StrEnum):
    """How time is cut: in the workspace's zone, weeks from the day on which its weeks begin."""

    NONE = "none"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Mode(StrEnum):
    """Sums, or single requests with the newest first."""

    TABLE = "table"
    LIST = "list"


class Status(StrEnum):
    """How a request ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    REFUSED = "refused"


class Billing(StrEnum):
    """Who paid."""

    CREDITS = "credits"
    BYOK = "byok"
    HOUSE = "house"
    IMPORTED = "imported"
    NONE = "none"


class Range(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From `start` up to, and not including, `end`; both know their offset."""

    start: datetime
    end: datetime


class Filter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Only rows with one of these values, or with `exclude` only rows with none of them.

    Values are whole and exact. A user of '' is nobody named.
    """

    dimension: Dimension
    values: tuple[str, ...]
    exclude: bool = False


class Order(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """By which of the asked metrics; groups that are equal come in the order of their names."""

    metric: Metric
    descending: bool = True


class QuerySpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One question.

    Without `order`, groups come by the first metric with the largest first, and buckets in the
    order of time; buckets without a group are ordered by a metric if `order` says so.

    `limit`: how many values of the first group-by are kept, or how many buckets if nothing is
    grouped, or how many requests of a list. They are the first by `order` over the whole range.
    `other`: what the limit left out comes as one more value, so that rows and totals agree.
    """

    start: datetime
    end: datetime
    metrics: tuple[Metric, ...] = (Metric.REQUESTS,)
    group_by: tuple[Dimension, ...] = ()
    bucket: Bucket = Bucket.NONE
    filters: tuple[Filter, ...] = ()
    compare: Range | None = None
    order: Order | None = None
    limit: int | None = None
    other: bool = False
    mode: Mode = Mode.TABLE

    @property
    def range(self) -> Range:
        """The time asked about."""
        return Range(start=self.start, end=self.end)

    @property
    def ranked_by(self) -> Order:
        """Give the order among the values of the first group-by."""
        return self.order or Order(metric=self.metrics[0])

    @property
    def dimensions(self) -> frozenset[Dimension]:
        """All dimensions that the question touches."""
        return frozenset(self.group_by) | {item.dimension for item in self.filters}


def check(spec: QuerySpec, *, staff: bool = False) -> QuerySpec:
    """Give the question back if it can be asked. Raises: QueryRefused, which says what is wrong
    with which field.
    """
    faults = (*_range_faults("start", spec.range), *_filter_faults(spec), *_limit_faults(spec))
    if spec.mode is Mode.LIST:
        faults = (*faults, *_list_faults(spec))
    else:
        faults = (*faults, *_table_faults(spec, staff=staff))
    if faults:
        field, why = faults[0]
        raise QueryRefused(f"{field}: {why}.", details={"param": field})
    return spec


_Faults = Iterator[tuple[str, str]]


def _range_faults(field: str, asked: Range) -> _Faults:
    for moment in (asked.start, asked.end):
        if moment.tzinfo is None:
            yield field, "a moment has an offset"
            return
        if not EARLIEST_YEAR <= moment.year <= LATEST_YEAR:
            yield field, f"a year from {EARLIEST_YEAR} to {LATEST_YEAR}"
            return
    if asked.end - asked.start <= timedelta(0):
        yield field, "it ends before it begins, or is empty"


def _filter_faults(spec: QuerySpec) -> _Faults:
    closed: dict[Dimension, type[StrEnum]] = {
        Dimension.STATUS: Status,
        Dimension.BILLING: Billing,
    }
    seen: set[tuple[Dimension, bool]] = set()
    for item in spec.filters:
        name = f"{item.dimension}{'!' if item.exclude else ''}"
        if (item.dimension, item.exclude) in seen:
            yield name, "filtered twice; give all values at once"
        seen.add((item.dimension, item.exclude))
        if not 1 <= len(item.values) <= MOST_FILTER_VALUES:
            yield name, f"1 to {MOST_FILTER_VALUES} values"
        if any(len(value) > LONGEST_VALUE or "\0" in value for value in item.values):
            yield name, f"a value has at most {LONGEST_VALUE} characters, none of them NUL"
        known = [word.value for word in closed.get(item.dimension, ())]
        if known and not set(item.values) <= set(known):
            yield name, f"there are {', '.join(known)}"


def _limit_faults(spec: QuerySpec) -> _Faults:
    if spec.limit is not None and not 1 <= spec.limit <= MOST_ROWS:
        yield "limit", f"a number from 1 to {MOST_ROWS}"
    if spec.other and (spec.limit is None or not spec.group_by):
        yield "other", "it needs group_by and limit"


def _list_faults(spec: QuerySpec) -> _Faults:
    asked = {
        "group_by": spec.group_by,
        "bucket": spec.bucket is not Bucket.NONE,
        "compare": spec.compare,
        "order": spec.order,
    }
    for field, value in asked.items():
        if value:
            yield field, "single requests have none; they come with the newest first"


def _table_faults(spec: QuerySpec, *, staff: bool) -> _Faults:
    yield from _metric_faults(spec, staff=staff)
    if len(spec.group_by) > MOST_GROUPS:
        yield "group_by", f"at most {MOST_GROUPS}"
    if len(set(spec.group_by)) != len(spec.group_by):
        yield "group_by", "one is asked twice"
    if spec.order is not None and spec.order.metric not in spec.metrics:
        yield "order", "by one of the metrics asked for"
    if spec.limit is not None and not spec.group_by and spec.bucket is Bucket.NONE:
        yield "limit", "it needs group_by or a bucket"
    if spec.compare is not None:
        yield from _range_faults("compare", spec.compare)


def _metric_faults(spec: QuerySpec, *, staff: bool) -> _Faults:
    if not spec.metrics:
        yield "metrics", "at least one"
    if len(set(spec.metrics)) != len(spec.metrics):
        yield "metrics", "one is asked twice"
    if not staff and STAFF_METRICS & set(spec.metrics):
        yield "metrics", "there is no such metric here"
