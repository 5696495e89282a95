"""Parts of the compiler's statement: what is read from one table for one family.

Each is a SELECT of side, bucket, key_1, key_2, newcomer and the family's own columns.
"""

# ruff: noqa: S608  names are ours, from enums and constants; values are parameters

from datetime import date

import msgspec

from analytics.frames import ROUTE_DIMENSIONS, Frame, Side
from analytics.measures import (
    HISTOGRAMS,
    Family,
    columns_of,
    cube_sum,
    families_of,
    raw_sum,
    user_month_sum,
)
from analytics.planner import Piece, Source
from analytics.query import Bucket, Dimension, QuerySpec
from analytics.raw_rows import (
    RAW_COLUMNS,
    Parameters,
    compared,
    is_new,
    raw_column,
    raw_conditions,
    with_known_users,
)

_MONTHS_PER_YEAR = 12

_TIME_COLUMNS = {
    Source.CUBE_HOUR: "hour",
    Source.CUBE_DAY: "day",
    Source.CUBE_MONTH: "month",
    Source.USER_DAY: "day",
    Source.USER_MONTH: "month",
}


def ranks_users(spec: QuerySpec) -> bool:
    """Whether only a few users are kept, by a sum: then all of them are summed for that alone."""
    return (
        spec.limit is not None
        and spec.group_by[:1] == (Dimension.USER,)
        and families_of(spec.metrics) == (Family.SUMS,)
    )


def rest_of(spec: QuerySpec) -> QuerySpec:
    """Ask for what remains of a question when users are not told apart."""
    return msgspec.structs.replace(
        spec,
        group_by=spec.group_by[1:] if spec.other else (),
        bucket=spec.bucket if spec.other else Bucket.NONE,
        limit=None,
        order=None,
        other=False,
    )


def touches_users(spec: QuerySpec) -> bool:
    """Whether users are told apart."""
    return Dimension.USER in spec.group_by or Family.USERS in families_of(spec.metrics)


def summed(spec: QuerySpec, frame: Frame) -> tuple[str, ...]:
    """Give the columns that cells of sums have."""
    return columns_of(spec.metrics, exists=frame.as_of is not None)


def piece_select(  # noqa: PLR0913  what a part depends on
    piece: Piece | None,
    family: Family,
    spec: QuerySpec,
    frame: Frame,
    parameters: Parameters,
    *,
    side: int = 0,
    among: str = "",
) -> str:
    """Write the SELECT of a piece; of `fresh`, for one side, if it is None.

    `among`: a SELECT of the numbers of the users that count, if not all do.
    """
    if piece is None:
        asked = frame.sides[side].range
        bounds = f"c.at >= {parameters.add(asked.start)} AND c.at < {parameters.add(asked.end)}"
        rows = _among(f"SELECT * FROM fresh c WHERE {bounds}", among)
        return _raw_select(rows, frame.sides[side], family, spec, (frame, parameters))
    if piece.source is Source.RAW:
        zone = parameters.add(frame.calendar.time_zone)
        conditions = [
            *raw_conditions(spec, frame, parameters),
            f"c.transaction_id < {parameters.add(frame.watermark)}",
            *_raw_bounds(piece, zone, parameters),
        ]
        columns = ", ".join(f"c.{name}" for name in RAW_COLUMNS)
        where = " AND ".join(conditions)
        rows = f"SELECT {columns}, 1 AS sign FROM public.usage c WHERE {where}"
        if touches_users(spec):
            rows = _among(with_known_users(rows, frame, parameters), among)
        return _raw_select(rows, frame.sides[piece.side], family, spec, (frame, parameters))
    return _cube_select(piece, family, spec, (frame, parameters), among=among)


def _among(rows: str, users: str) -> str:
    return f"SELECT * FROM ({rows}) c WHERE c.user_number IN ({users})" if users else rows


def _raw_select(
    rows: str,
    side: Side,
    family: Family,
    spec: QuerySpec,
    known: tuple[Frame, Parameters],
) -> str:
    frame, parameters = known
    zone = parameters.add(frame.calendar.time_zone)
    if spec.bucket is Bucket.HOUR:
        time = f"date_trunc('hour', c.at, {zone})"
    else:
        time = f"(c.at AT TIME ZONE {zone})::date"
    bucket = _bucket(spec.bucket, time, side, frame, parameters)
    keys = [
        "c.user_number" if item is Dimension.USER else _raw_word(item) for item in spec.group_by
    ]
    keys = [*keys, "NULL::text", "NULL::text"][:2]
    head = (
        f"SELECT {side.number} AS side, {bucket} AS bucket, {keys[0]} AS key_1, {keys[1]} AS key_2,"
        f" {'max(c.newcomer)' if Dimension.USER in spec.group_by else 'NULL::text'} AS newcomer"
    )
    by = "1, 2, 3, 4"
    match family:
        case Family.SUMS:
            sums = ", ".join(f"{raw_sum(name)} AS {name}" for name in summed(spec, frame))
            return f"{head}, {sums} FROM ({rows}) c GROUP BY {by}"
        case Family.USERS:
            counted = "" if frame.as_of else " HAVING sum(c.request_count) > 0"
            return (
                f"{head}, c.user_number, sum(c.request_count * c.sign) AS request_count"
                f" FROM ({rows}) c WHERE c.user_ref <> '' GROUP BY {by}, 6{counted}"
            )
        case _:
            column = HISTOGRAMS[family]
            return (
                f"{head}, analytics.latency_bucket(c.{column}) AS slot, sum(c.sign) AS amount"
                f" FROM ({rows}) c WHERE c.{column} IS NOT NULL GROUP BY {by}, 6"
            )


def _cube_select(
    piece: Piece,
    family: Family,
    spec: QuerySpec,
    known: tuple[Frame, Parameters],
    *,
    among: str,
) -> str:
    """Sum by numbers first, then put words in their place."""
    frame, parameters = known
    side = frame.sides[piece.side]
    time = f"c.{_TIME_COLUMNS[piece.source]}"
    if piece.source is Source.CUBE_HOUR and spec.bucket is not Bucket.HOUR:
        time = f"({time} AT TIME ZONE {parameters.add(frame.calendar.time_zone)})::date"
    bucket = _bucket(spec.bucket, time, side, frame, parameters)
    numbers = _number_columns(spec, family)
    inner = ", ".join([f"{bucket} AS bucket", *(f"c.{name}" for name in numbers)])
    by = ", ".join(str(place) for place in range(1, len(numbers) + 2))
    where = " AND ".join(_cube_conditions(piece, spec, frame, parameters))
    if among:
        where += f" AND c.user_number IN ({among})"
    table = f"analytics.{piece.source.value} c"
    match family:
        case Family.SUMS:
            values = _cube_sums(piece.source, spec, frame, parameters)
            own = ", ".join(f"g.{name}" for name in summed(spec, frame))
        case Family.USERS:
            where += f" AND c.user_number <> {parameters.add(frame.numbers.unnamed_user)}"
            if frame.as_of is None:
                # Nobody is counted off: no need to sum before users are told apart.
                where += " AND c.request_count > 0"
                by = ""
            values = f"{'sum(c.request_count)' if by else 'c.request_count'} AS request_count"
            own = "g.user_number::bigint, g.request_count"
        case _:
            table += f" CROSS JOIN LATERAL unnest(c.{family.value}_histogram) e"
            inner += ", e >> 22 AS slot"
            by += f", {len(numbers) + 2}"
            values = "sum(e & 4194303) AS amount"
            own = "g.slot, g.amount"
    keys, joins = _words(spec, frame, parameters)
    newcomer, join = _cube_newcomer(spec, frame, parameters)
    return (
        f"SELECT {side.number} AS side, g.bucket, {keys[0]} AS key_1, {keys[1]} AS key_2,"
        f" {newcomer} AS newcomer, {own}\n"
        f"FROM (SELECT {inner}, {values} FROM {table} WHERE {where}"
        f"{f' GROUP BY {by}' if by else ''}) g{joins}{join}"
    )


def _cube_newcomer(spec: QuerySpec, frame: Frame, parameters: Parameters) -> tuple[str, str]:
    """Write the name of a user of a cube who had no number as of the earlier snapshot, and the join
    that knows it.
    """
    if Dimension.USER not in spec.group_by or frame.as_of is None:
        return "NULL::text", ""
    join = " LEFT JOIN analytics.dimension_user u ON u.number = g.user_number AND"
    return "u.user_ref", f"{join} {is_new('u', frame, parameters)}"


def _cube_sums(source: Source, spec: QuerySpec, frame: Frame, parameters: Parameters) -> str:
    columns = summed(spec, frame)
    if source is Source.USER_MONTH:
        return ", ".join(f"{user_month_sum(name)} AS {name}" for name in columns)
    routes = ""
    if "image_count" in columns:
        routes = f"{parameters.add(list(frame.numbers.image_routes))}::int[]"
    return ", ".join(f"{cube_sum(name, routes)} AS {name}" for name in columns)


def _number_columns(spec: QuerySpec, family: Family) -> list[str]:
    columns = []
    for item in spec.group_by:
        if item in ROUTE_DIMENSIONS:
            columns.append("route_number")
        elif item in (Dimension.APP, Dimension.USER):
            columns.append(f"{item.value}_number")
        else:
            columns.append(item.value)
    if family is Family.USERS:
        columns.append("user_number")
    return list(dict.fromkeys(columns))


def _words(spec: QuerySpec, frame: Frame, parameters: Parameters) -> tuple[list[str], str]:
    keys = []
    joins: dict[str, str] = {}
    for item in spec.group_by:
        if item in ROUTE_DIMENSIONS:
            joins["r"] = " JOIN analytics.dimension_route r ON r.number = g.route_number"
            keys.append(f"r.{item.value}")
        elif item is Dimension.APP:
            joins["a"] = (
                " JOIN analytics.dimension_app a ON a.number = g.app_number"
                f" AND a.workspace_id = {parameters.add(frame.workspace_id)}"
            )
            keys.append("a.app_id")
        elif item is Dimension.USER:
            keys.append("g.user_number::bigint")
        else:
            keys.append(f"g.{item.value}::text")
    return [*keys, "NULL::text", "NULL::text"][:2], "".join(joins.values())


def _cube_conditions(
    piece: Piece, spec: QuerySpec, frame: Frame, parameters: Parameters
) -> list[str]:
    conditions = [f"c.workspace_id = {parameters.add(frame.workspace_id)}"]
    conditions += _cube_bounds(piece, frame, parameters)
    numbers = frame.numbers
    by_place = {Dimension.APP: iter(numbers.apps), Dimension.USER: iter(numbers.users)}
    for item in spec.filters:
        if item.dimension in by_place:
            listed = f"{parameters.add(list(next(by_place[item.dimension])))}::int[]"
            conditions.append(f"c.{item.dimension.value}_number {compared(item)}({listed})")
        elif item.dimension in (Dimension.STATUS, Dimension.BILLING):
            name = item.dimension.value
            listed = f"{parameters.add(list(item.values))}::analytics.{name}[]"
            conditions.append(f"c.{name} {compared(item)}({listed})")
    if numbers.routes is not None:
        conditions.append(f"c.route_number = ANY({parameters.add(list(numbers.routes))}::int[])")
    return conditions


def _cube_bounds(piece: Piece, frame: Frame, parameters: Parameters) -> list[str]:
    column = f"c.{_TIME_COLUMNS[piece.source]}"
    day = column
    bounds = []
    if piece.source is Source.CUBE_HOUR:
        day = f"({column} AT TIME ZONE {parameters.add(frame.calendar.time_zone)})::date"
        bounds = [
            f"{column} >= {parameters.add(piece.at_from)}",
            f"{column} < {parameters.add(piece.at_until)}",
        ]
    return [*bounds, *_day_bounds(piece, day, parameters)]


def _raw_bounds(piece: Piece, zone: str, parameters: Parameters) -> list[str]:
    bounds = [
        f"c.at >= {parameters.add(piece.at_from)}",
        f"c.at < {parameters.add(piece.at_until)}",
        *_day_bounds(piece, f"(c.at AT TIME ZONE {zone})::date", parameters),
    ]
    if piece.hour is not None:
        bounds.append(f"date_trunc('hour', c.at, {zone}) = {parameters.add(piece.hour)}")
    return bounds


def _day_bounds(piece: Piece, day: str, parameters: Parameters) -> list[str]:
    bounds = []
    if piece.day_from is not None:
        bounds.append(f"{day} >= {parameters.add(piece.day_from)}::date")
    if piece.day_until is not None:
        bounds.append(f"{day} < {parameters.add(piece.day_until)}::date")
    return bounds


def _bucket(bucket: Bucket, time: str, side: Side, frame: Frame, parameters: Parameters) -> str:
    """Write the bucket of a time, moved to the asked range if it is the other side's."""
    asked = frame.asked
    if bucket is Bucket.NONE:
        return "NULL::date"
    if bucket is Bucket.HOUR:
        shift = asked.range.start - side.range.start
        return f"{time} + {parameters.add(shift)}::interval" if shift else time
    if bucket is Bucket.MONTH:
        months = _months(asked.start_day) - _months(side.start_day)
        month = f"date_trunc('month', {time}::timestamp)"
        return f"({month} + make_interval(months => {parameters.add(months)}))::date"
    days = (asked.start_day - side.start_day).days
    day = f"({time} + {parameters.add(days)})" if days else time
    if bucket is Bucket.DAY:
        return day
    start = parameters.add(frame.calendar.week_start)
    return f"({day} - ((extract(isodow FROM {day})::int - {start} + 7) %% 7))"


def _months(day: date) -> int:
    return day.year * _MONTHS_PER_YEAR + day.month


def _raw_word(dimension: Dimension) -> str:
    if dimension is Dimension.KEY:
        return "COALESCE(c.app_key_id::text, '')"
    return f"c.{raw_column(dimension)}"
