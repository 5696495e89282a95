"""Single requests, the newest first: their SQL, a page at a time by the last one's place."""

# ruff: noqa: S608  names are ours, from enums and constants; values are parameters

from datetime import date, datetime
from typing import Any
from uuid import UUID

from analytics.answers import Request
from analytics.compiler import Statement
from analytics.errors import QueryRefused
from analytics.frames import Frame
from analytics.query import QuerySpec
from analytics.raw_rows import Parameters, raw_conditions, seen_then

_COLUMNS = (
    "c.at, c.request_id, c.app_id, c.user_ref, c.app_key_id, c.surface, c.operation, c.kind,"
    " c.channel, c.provider, c.model, c.status, c.reason, c.http_status, c.billing,"
    " c.request_count, c.charge_ucr, c.input_tokens, c.output_tokens, c.latency_ms,"
    " c.first_byte_ms"
)


def compile_list(
    spec: QuerySpec, frame: Frame, *, after: tuple[datetime, UUID] | None, row_count: int
) -> Statement:
    """Write the statement for the requests that come after one, or for the first ones.

    Raises: QueryRefused if they are no longer kept.
    """
    parameters = Parameters()
    conditions = list_conditions(spec, frame, parameters)
    if after is not None:
        conditions.append(
            f"(c.at, c.request_id) < ({parameters.add(after[0])}, {parameters.add(after[1])}::uuid)"
        )
    if frame.as_of is not None:
        conditions.append(seen_then(frame, frame.as_of, parameters))
    sql = (
        f"SELECT {_COLUMNS} FROM public.usage c WHERE {' AND '.join(conditions)}"
        f" ORDER BY c.at DESC, c.request_id DESC LIMIT {parameters.add(row_count)}"
    )
    return Statement(sql=sql, parameters=parameters.values)


def list_conditions(spec: QuerySpec, frame: Frame, parameters: Parameters) -> list[str]:
    """Write which rows are requests that the question is about. Corrections are none.

    Raises: QueryRefused if they are no longer kept.
    """
    kept = frame.kept_from.get("usage", date.min)
    if frame.asked.start_day < kept:
        raise QueryRefused(
            f"start: single calls are kept from {kept} on.", details={"param": "start"}
        )
    return [
        *raw_conditions(spec, frame, parameters),
        f"c.at >= {parameters.add(spec.start)}",
        f"c.at < {parameters.add(spec.end)}",
        "c.request_count > 0",
    ]


def read_request(row: tuple[Any, ...], names: dict[int, str]) -> Request:
    """Read a row of the statement; `names` are those of the workspace's keys."""
    return Request(
        at=row[0],
        request_id=row[1],
        app=row[2],
        user=row[3],
        key=names.get(row[4], ""),
        surface=row[5],
        operation=row[6],
        kind=row[7],
        channel=row[8],
        provider=row[9],
        model=row[10],
        status=row[11],
        reason=row[12],
        http_status=row[13],
        billing=row[14],
        request_count=row[15],
        charge_ucr=row[16],
        input_tokens=row[17],
        output_tokens=row[18],
        latency_ms=row[19],
        first_byte_ms=row[20],
    )
