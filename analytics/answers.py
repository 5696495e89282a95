"""What comes back: rows of values, or single requests, with how the range was read."""

from datetime import date, datetime
from uuid import UUID

import msgspec

from analytics.query import MOST_ROWS, QuerySpec, Range
from analytics.ranges import Calendar

Value = int | float | None
Moment = date | datetime


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of an answer: `cursor` is the `next_cursor` of the part before.

    `question` binds a cursor to what was asked; without it, the query itself is what it is bound
    to, its moments excepted: they are the cursor's.
    """

    rows: int = MOST_ROWS
    cursor: str | None = None
    question: str = ""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A group. `bucket`: a date, of hours a moment in the workspace's zone. `keys`: the values of
    the group-bys, the first None where `is_other`. `values`: in the order of the metrics;
    charge and cost in µcr, times in ms, `seconds` in s, shares from 0 to 1; None where there is
    nothing to divide by. `previous`: the same of the compared range.
    """

    bucket: Moment | None
    keys: tuple[str | None, ...]
    is_other: bool
    values: tuple[Value, ...]
    previous: tuple[Value, ...] | None


class ReadRange(msgspec.Struct, frozen=True, kw_only=True):
    """How a question's time was read. Everything committed before `read_at` is in the answer.

    `compared` is the other range as it was summed: `same_elapsed` says that it was shortened to
    what has passed of the asked one.
    """

    range: Range
    compared: Range | None
    same_elapsed: bool
    calendar: Calendar
    read_at: datetime


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a question in mode table. `totals` are of the whole range, whatever the limit
    or the page. `percentile_error`: the most a percentile is off, as a share; None without any.
    `buckets`: all buckets of the range, in order, also those where nothing was.
    """

    spec: QuerySpec
    read: ReadRange
    rows: tuple[Row, ...]
    totals: tuple[Value, ...]
    previous_totals: tuple[Value, ...] | None
    buckets: tuple[Moment, ...]
    percentile_error: float | None
    notes: tuple[str, ...]
    next_cursor: str | None


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One call, or a minute's refusals of one kind (`request_count` of them)."""

    at: datetime
    request_id: UUID
    app: str
    user: str
    key: str
    surface: str
    operation: str
    kind: str
    channel: str
    provider: str
    model: str
    status: str
    reason: str
    http_status: int | None
    billing: str
    request_count: int
    charge_ucr: int
    input_tokens: int | None
    output_tokens: int | None
    latency_ms: int | None
    first_byte_ms: int | None


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a question in mode list: the newest first."""

    spec: QuerySpec
    read: ReadRange
    requests: tuple[Request, ...]
    next_cursor: str | None
