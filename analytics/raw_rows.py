"""Raw rows as the compiler reads them: which, and the users that only they name."""

# ruff: noqa: S608  names are ours, from enums and constants; values are parameters

from typing import Any

from analytics.frames import AsOf, Frame
from analytics.query import Dimension, Filter, QuerySpec

_FIRST_NEWCOMER = 1 << 40
"""Beyond any number of a user: int in the dimension."""

RAW_COLUMNS = (
    "at",
    "app_id",
    "user_ref",
    "operation",
    "kind",
    "provider",
    "model",
    "channel",
    "app_key_id",
    "status",
    "billing",
    "request_count",
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "item_count",
    "character_count",
    "media_ms",
    "cost_ucr",
    "charge_ucr",
    "latency_ms",
    "first_byte_ms",
)
_RAW_WORDS = {
    Dimension.APP: "app_id",
    Dimension.USER: "user_ref",
}


class Parameters:
    """Values of a statement, named as they come."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def add(self, value: object) -> str:
        """Keep a value. Returns: what stands for it in the SQL."""
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f"%({name})s"


def raw_conditions(spec: QuerySpec, frame: Frame, parameters: Parameters) -> list[str]:
    """Write what a raw row `c` must be, whatever its time."""
    conditions = [f"c.workspace_id = {parameters.add(frame.workspace_id)}"]
    for item in spec.filters:
        values: list[Any] = list(item.values)
        if item.dimension is Dimension.KEY:
            ids = [number for word in item.values for number in frame.key_ids.get(word, ())]
            listed = f"{parameters.add(ids)}::bigint[]"
            column = "COALESCE(c.app_key_id, 0)"
        else:
            listed = f"{parameters.add(values)}::text[]"
            column = f"c.{raw_column(item.dimension)}"
        conditions.append(f"{column} {compared(item)}({listed})")
        if item.dimension is Dimension.USER and not item.exclude:
            # The index is over the hash.
            conditions.append(
                "hashtext(c.user_ref) = ANY(ARRAY(SELECT hashtext(u) FROM unnest"
                f"({parameters.add(values)}::text[]) u))"
            )
    return conditions


def fresh(spec: QuerySpec, frame: Frame, parameters: Parameters) -> str:
    """Select the raw rows that the cubes do not have; as of an earlier snapshot, those that came
    since are left out, or counted -1 times where the cubes have them.
    """
    within = " OR ".join(
        f"(c.at >= {parameters.add(side.range.start)} AND c.at < {parameters.add(side.range.end)})"
        for side in frame.sides
    )
    conditions = [*raw_conditions(spec, frame, parameters), f"({within})"]
    columns = ", ".join(f"c.{name}" for name in RAW_COLUMNS)
    watermark = parameters.add(frame.watermark)
    where = " AND ".join(conditions)

    def rows(sign: int, condition: str) -> str:
        return f"SELECT {columns}, {sign} AS sign FROM public.usage c WHERE {where} AND {condition}"

    if frame.as_of is None:
        return rows(1, f"c.transaction_id >= {watermark}")
    seen = seen_then(frame, frame.as_of, parameters)
    oldest = parameters.add(frame.as_of.oldest_id + frame.id_offset)
    late = f"c.transaction_id >= {oldest} AND c.transaction_id < {watermark} AND NOT {seen}"
    return rows(1, f"c.transaction_id >= {watermark} AND {seen}") + "\nUNION ALL\n" + rows(-1, late)


def seen_then(frame: Frame, as_of: AsOf, parameters: Parameters) -> str:
    """Write whether the earlier snapshot saw a raw row."""
    return (
        f"pg_visible_in_snapshot((c.transaction_id - {parameters.add(frame.id_offset)})::text"
        f"::xid8, {parameters.add(as_of.snapshot)}::pg_snapshot)"
    )


def with_users(rows: str, frame: Frame, parameters: Parameters) -> str:
    """Add to rows of a SELECT: `user_number`; and `newcomer`, the name of a user who has no number,
    or had none as of the earlier snapshot. Who has none gets one in the order of the names.
    """
    return (
        "SELECT c.*, COALESCE(d.number, "
        f"{_FIRST_NEWCOMER} + dense_rank() OVER (PARTITION BY d.number IS NULL"
        ' ORDER BY c.user_ref COLLATE "C")) AS user_number,'
        f" CASE WHEN {is_new('d', frame, parameters)} THEN c.user_ref END AS newcomer"
        f" FROM ({rows}) c LEFT JOIN analytics.dimension_user d ON d.user_ref = c.user_ref"
        f" AND d.workspace_id = {parameters.add(frame.workspace_id)}"
    )


def with_known_users(rows: str, frame: Frame, parameters: Parameters) -> str:
    """Add the same to rows that are in the cubes, whose users all have numbers."""
    return (
        "SELECT c.*, d.number::bigint AS user_number,"
        f" CASE WHEN {is_new('d', frame, parameters)} THEN c.user_ref END AS newcomer"
        f" FROM ({rows}) c JOIN analytics.dimension_user d ON d.user_ref = c.user_ref"
        f" AND d.workspace_id = {parameters.add(frame.workspace_id)}"
    )


def is_new(users: str, frame: Frame, parameters: Parameters) -> str:
    """Write whether a row of dimension_user, or its absence, is a newcomer."""
    if frame.as_of is None:
        return f"{users}.number IS NULL"
    last = parameters.add(frame.as_of.last_user_number)
    return f"({users}.number IS NULL OR {users}.number > {last})"


def raw_column(dimension: Dimension) -> str:
    """Give the column of `usage` that has a dimension's words."""
    return _RAW_WORDS.get(dimension, dimension.value)


def compared(item: Filter) -> str:
    """Give the operator of a filter before a list."""
    return "<> ALL" if item.exclude else "= ANY"
