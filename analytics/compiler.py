"""A plan as one SQL statement. Identifiers come from enums and constants of ours, values travel as
parameters.

The statement, from the top: `fresh`, raw rows that the cubes do not have yet (and, asked as of an
earlier snapshot, those they have too many, counted -1 times); cells of each family, by side, bucket
and keys; `top`, which values of the first group-by are kept; groups and totals of each family; the
families side by side; one page of rows, totals first.

Keys are words; a user is a number until the page is cut.
"""

# ruff: noqa: S608  names are ours, from enums and constants; values are parameters

from collections.abc import Iterable
from typing import Any

import msgspec

from analytics.frames import Frame
from analytics.measures import (
    ALWAYS_SUMMED,
    MEASURES,
    Family,
    columns_of,
    families_of,
)
from analytics.pieces import piece_select, ranks_users, rest_of, summed, touches_users
from analytics.planner import Plan
from analytics.planner import plan as make_plan
from analytics.query import Bucket, Dimension, Metric, QuerySpec
from analytics.raw_rows import Parameters, fresh, with_users

_KEYS = ("key_1", "key_2")


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """SQL with its parameters.

    A row: is it the totals, bucket, is it "other", the keys, then each metric of the asked range,
    then each of the other range.
    """

    sql: str
    parameters: dict[str, Any]


def compile_table(
    spec: QuerySpec, frame: Frame, plan: Plan, *, first_row: int, row_count: int | None
) -> Statement:
    """Write the statement for rows from `first_row` (0 is the first) on, and the totals."""
    parameters = Parameters()
    families = families_of(spec.metrics)
    rows = fresh(spec, frame, parameters)
    if touches_users(spec):
        rows = with_users(rows, frame, parameters)
    clauses = [("fresh", rows)]
    for family in families:
        if family is Family.SUMS and ranks_users(spec):
            clauses += _ranked_users(spec, frame, plan, parameters)
        else:
            pieces = _pieces(family, spec, frame, plan, parameters)
            clauses.append((f"{family.value}_cells", _cells(family, spec, frame, pieces)))
    if _is_topped(spec) and not ranks_users(spec):
        cells = f"{MEASURES[spec.ranked_by.metric].family.value}_cells"
        clauses.append(("top", _top(cells, spec, frame, parameters)))
    clauses += [(f"{family.value}_groups", _groups(family, spec, frame)) for family in families]
    clauses.append(("joined", _joined(spec, families)))
    clauses.append(("numbered", _numbered(spec, frame)))
    bodies = ",\n".join(f"{name} AS MATERIALIZED (\n{body}\n)" for name, body in clauses)
    page = _page(spec, frame, parameters, first_row=first_row, row_count=row_count)
    return Statement(sql=f"WITH {bodies}\n{page}", parameters=parameters.values)


def _pieces(  # noqa: PLR0913  what parts depend on
    family: Family,
    spec: QuerySpec,
    frame: Frame,
    plan: Plan,
    parameters: Parameters,
    *,
    among: str = "",
) -> list[str]:
    """Select what each piece of a family gives, and for each side what the cubes do not have."""
    known = (spec, frame, parameters)
    pieces = [
        piece_select(piece, family, *known, among=among)
        for piece in plan.pieces[family]
        if piece.side < len(frame.sides)
    ]
    fresh_rows = [
        piece_select(None, family, *known, side=side.number, among=among) for side in frame.sides
    ]
    return pieces + fresh_rows


def _ranked_users(
    spec: QuerySpec, frame: Frame, plan: Plan, parameters: Parameters
) -> list[tuple[str, str]]:
    """Rank users by one metric first, then sum all metrics of the few that are kept, by the order
    of the cube's key. The rest is everything, from cubes without users, less those.
    """
    metric = spec.ranked_by.metric
    ranking = msgspec.structs.replace(
        spec, metrics=(metric,), group_by=(Dimension.USER,), bucket=Bucket.NONE
    )
    one_side = msgspec.structs.replace(frame, sides=frame.sides[:1])
    rank_pieces = _pieces(Family.SUMS, ranking, one_side, plan, parameters)
    kept = _pieces(Family.SUMS, spec, frame, plan, parameters, among="SELECT key_1 FROM top")
    rest = rest_of(spec)
    rest_pieces = _pieces(
        Family.SUMS, rest, frame, make_plan(rest, frame, (Family.SUMS,)), parameters
    )
    columns = summed(spec, frame)
    bucket, key = ("bucket", "key_1") if spec.other else (_no_bucket(spec), "NULL::text")
    by = f"side, {bucket} AS bucket, NULL::bigint AS key_1, {key} AS key_2, NULL::text AS newcomer"
    less = f"side, bucket, NULL::bigint, key_2, NULL, {', '.join(f'-{name}' for name in columns)}"
    return [
        ("rank_cells", _cells(Family.SUMS, ranking, one_side, rank_pieces)),
        ("top", _top("rank_cells", spec, frame, parameters)),
        ("kept_cells", _cells(Family.SUMS, spec, frame, kept)),
        ("rest_cells", _cells(Family.SUMS, rest, frame, rest_pieces)),
        (
            "sums_cells",
            f"SELECT * FROM kept_cells UNION ALL SELECT {by}, {', '.join(columns)} FROM rest_cells"
            f" UNION ALL SELECT {less} FROM kept_cells",
        ),
    ]


def _is_topped(spec: QuerySpec) -> bool:
    return spec.limit is not None and bool(spec.group_by)


def _cells(family: Family, spec: QuerySpec, frame: Frame, pieces: Iterable[str]) -> str:
    """Sum what the pieces give by side, bucket and keys (and user, or histogram bucket)."""
    union = "\nUNION ALL\n".join(pieces)
    by = "side, bucket, key_1, key_2"
    name = f"{_newcomer(spec)} AS newcomer"
    match family:
        case Family.SUMS:
            sums = ", ".join(
                f"COALESCE(sum({name}), 0)::int8 AS {name}" for name in summed(spec, frame)
            )
            exists = ""
            if frame.as_of is not None:
                exists = " HAVING " + " OR ".join(f"sum({name}) <> 0" for name in ALWAYS_SUMMED)
            return f"SELECT {by}, {name}, {sums} FROM (\n{union}\n) p GROUP BY {by}{exists}"
        case Family.USERS if frame.as_of is None:
            return union
        case Family.USERS:
            return (
                f"SELECT {by}, {name}, user_number FROM (\n{union}\n) p GROUP BY {by}, user_number"
                " HAVING sum(request_count) > 0"
            )
        case _:
            return (
                f"SELECT {by}, {name}, slot, sum(amount) AS amount FROM (\n{union}\n) p"
                f" GROUP BY {by}, slot HAVING sum(amount) > 0"
            )


def _top(cells_name: str, spec: QuerySpec, frame: Frame, parameters: Parameters) -> str:
    """Rank the values of the first group-by over the whole range. Nobody's requests (an empty
    name) are in no ranking.
    """
    metric = spec.ranked_by.metric
    family = MEASURES[metric].family
    cells = f"SELECT * FROM {cells_name} WHERE side = 0"
    if spec.group_by[0] is Dimension.USER:
        unnamed = parameters.add(frame.numbers.unnamed_user)
        cells += f" AND key_1 <> {unnamed} AND newcomer IS DISTINCT FROM ''"
    else:
        cells += " AND key_1 <> ''"
    way = "DESC" if spec.ranked_by.descending else "ASC"
    values = _measured(family, (metric,), columns_of((metric,)), cells, ("key_1",))
    order = f"{_name(metric)} {way} NULLS LAST, {_key_order('key_1', spec.group_by[0], frame)}"
    return (
        f"SELECT key_1, row_number() OVER (ORDER BY {order}) AS place FROM (\n{values}\n) v"
        f" ORDER BY place LIMIT {parameters.add(spec.limit)}"
    )


def _groups(family: Family, spec: QuerySpec, frame: Frame) -> str:
    """Compute the family's metrics for each group, and for all of a side."""
    metrics = tuple(metric for metric in spec.metrics if MEASURES[metric].family is family)
    columns = summed(spec, frame)
    cells = f"SELECT * FROM {family.value}_cells"
    totals = _measured(family, metrics, columns, cells, ("side",))
    names = ", ".join(_name(metric) for metric in metrics)
    all_of_it = (
        f"SELECT true AS is_total, side, {_no_bucket(spec)} AS bucket, false AS is_other,"
        f" {_no_keys(spec)}, NULL::bigint AS place, NULL::text AS newcomer, {names}"
        f" FROM (\n{totals}\n) t"
    )
    if not spec.group_by and spec.bucket is Bucket.NONE:
        return all_of_it
    by = ("side", "bucket", "is_other", *_KEYS, "place")
    if _is_topped(spec):
        join = "LEFT JOIN" if spec.other else "JOIN"
        rest = _cell_columns(family, columns)
        cells = (
            "SELECT c.side, c.bucket, t.key_1 IS NULL AS is_other, t.key_1, c.key_2, t.place,"
            f" c.newcomer, {rest} FROM {family.value}_cells c {join} top t ON t.key_1 = c.key_1"
        )
    else:
        cells = f"SELECT c.*, false AS is_other, NULL::bigint AS place FROM {family.value}_cells c"
    groups = _measured(family, metrics, columns, cells, by)
    return (
        f"{all_of_it}\nUNION ALL\nSELECT false, side, bucket, is_other, key_1, key_2, place,"
        f" newcomer, {names} FROM (\n{groups}\n) g"
    )


def _cell_columns(family: Family, columns: tuple[str, ...]) -> str:
    match family:
        case Family.SUMS:
            return ", ".join(f"c.{name}" for name in columns)
        case Family.USERS:
            return "c.user_number"
        case _:
            return "c.slot, c.amount"


def _measured(
    family: Family,
    metrics: tuple[Metric, ...],
    columns: tuple[str, ...],
    cells: str,
    by: tuple[str, ...],
) -> str:
    """Write the metrics of cells, grouped by these columns of theirs."""
    keys = ", ".join(by)
    name = "max(newcomer) AS newcomer"
    if family is Family.SUMS:
        sums = ", ".join(f"sum({name}) AS {name}" for name in columns)
        values = ", ".join(f"{MEASURES[metric].formula} AS {_name(metric)}" for metric in metrics)
        groups = f"SELECT {keys}, {name}, {sums} FROM ({cells}) c GROUP BY {keys}"
        return f"SELECT {keys}, newcomer, {values} FROM ({groups}) s"
    if family is Family.USERS:
        count = f"count(DISTINCT user_number) AS {_name(Metric.USERS)}"
        return f"SELECT {keys}, {name}, {count} FROM ({cells}) c GROUP BY {keys}"
    percentiles = ", ".join(
        f"analytics.latency_of_bucket(min(slot) FILTER (WHERE so_far >= {MEASURES[metric].share}"
        f" * total)) AS {_name(metric)}"
        for metric in metrics
    )
    return (
        f"SELECT {keys}, {name}, {percentiles} FROM (\nSELECT {keys}, newcomer, slot,"
        f" sum(amount) OVER (PARTITION BY {keys} ORDER BY slot) AS so_far,"
        f" sum(amount) OVER (PARTITION BY {keys}) AS total FROM (\n"
        f"SELECT {keys}, {name}, slot, sum(amount) AS amount FROM ({cells}) c"
        f" GROUP BY {keys}, slot\n) s) r GROUP BY {keys}"
    )


def _joined(spec: QuerySpec, families: tuple[Family, ...]) -> str:
    """Put the families and the sides of a group beside each other."""
    parts = []
    for family in families:
        values = ", ".join(
            _name(metric)
            if MEASURES[metric].family is family
            else f"NULL::{_type(metric)} AS {_name(metric)}"
            for metric in spec.metrics
        )
        parts.append(
            "SELECT is_total, side, bucket, is_other, key_1, key_2, place, newcomer,"
            f" {values} FROM {family.value}_groups"
        )
    values = ", ".join(
        f"{_filled(metric, f'max({_name(metric)}) FILTER (WHERE side = {side})')}"
        f" AS {_name(metric)}{'_before' if side else ''}"
        for side in (0, 1)
        for metric in spec.metrics
    )
    union = "\nUNION ALL\n".join(parts)
    return (
        "SELECT is_total, bucket, is_other, key_1, key_2, max(place) AS place,"
        f" max(newcomer) AS newcomer, {values}\n"
        f"FROM (\n{union}\n) u GROUP BY is_total, bucket, is_other, key_1, key_2"
    )


def _numbered(spec: QuerySpec, frame: Frame) -> str:
    way = "DESC" if spec.ranked_by.descending else "ASC"
    order = ["bucket"] if spec.bucket is not Bucket.NONE else []
    order += ["is_other", "place"] if _is_topped(spec) else []
    order += [f"{_name(spec.ranked_by.metric)} {way} NULLS LAST"]
    order += [_key_order(*pair, frame) for pair in zip(_KEYS, spec.group_by, strict=False)]
    return (
        "SELECT j.*, row_number() OVER (PARTITION BY is_total ORDER BY "
        f"{', '.join(order)}) - 1 AS line FROM joined j"
    )


def _page(
    spec: QuerySpec,
    frame: Frame,
    parameters: Parameters,
    *,
    first_row: int,
    row_count: int | None,
) -> str:
    keys = []
    joins = ""
    for key, dimension in zip(_KEYS, spec.group_by, strict=False):
        if dimension is Dimension.USER:
            joins = (
                f" LEFT JOIN analytics.dimension_user d ON d.number = n.{key}"
                f" AND d.workspace_id = {parameters.add(frame.workspace_id)}"
            )
            keys.append(f"CASE WHEN n.{key} IS NOT NULL THEN COALESCE(n.newcomer, d.user_ref) END")
        else:
            keys.append(f"n.{key}")
    keys += ["NULL::text"] * (len(_KEYS) - len(keys))
    values = [_name(metric) for metric in spec.metrics]
    values += [f"{name}_before" for name in values]
    lines = f"n.line >= {parameters.add(first_row)}"
    if row_count is not None:
        lines += f" AND n.line < {parameters.add(first_row + row_count)}"
    return (
        f"SELECT n.is_total, n.bucket, n.is_other, {', '.join(keys)}, {', '.join(values)}\n"
        f"FROM numbered n{joins}\nWHERE n.is_total OR ({lines})\nORDER BY n.is_total DESC, n.line"
    )


def _newcomer(spec: QuerySpec) -> str:
    return "max(newcomer)" if Dimension.USER in spec.group_by else "NULL::text"


def _key_order(key: str, dimension: Dimension, frame: Frame) -> str:
    """Write a key's place among equals: of users that of their numbers, newcomers after them by
    name, as of an earlier snapshot too.
    """
    if dimension is not Dimension.USER:
        return f'{key} COLLATE "C"'
    if frame.as_of is None:
        return key
    return f'LEAST({key}, {frame.as_of.last_user_number + 1}), newcomer COLLATE "C"'


def _name(metric: Metric) -> str:
    return f"m_{metric.value}"


def _type(metric: Metric) -> str:
    formula = MEASURES[metric].formula
    whole = formula.endswith("::int8") or metric is Metric.USERS
    return "int8" if whole else "float8"


def _filled(metric: Metric, value: str) -> str:
    return f"COALESCE({value}, 0)" if MEASURES[metric].adds_up else value


def _no_bucket(spec: QuerySpec) -> str:
    return "NULL::timestamptz" if spec.bucket is Bucket.HOUR else "NULL::date"


def _no_keys(spec: QuerySpec) -> str:
    types = ["bigint" if dimension is Dimension.USER else "text" for dimension in spec.group_by]
    types += ["text"] * (len(_KEYS) - len(types))
    return ", ".join(f"NULL::{kind} AS {key}" for key, kind in zip(_KEYS, types, strict=True))
