"""Months that are over and long gone: what they summed to is sealed, then their rows may go.

Only the owner of the tables can take a partition away; `manage.py analytics_retire` connects as it.
`DETACH … CONCURRENTLY` stops no settle. What a month of raw rows was charged has to equal the
ledger, which the gateway asks between seal and retirement (gateway/retiring.py).
"""

from datetime import date, timedelta
from typing import Any, LiteralString

import msgspec
import psycopg
from psycopg import sql

Connection = psycopg.Connection[tuple[Any, ...]]

_Parameters = dict[str, date] | None
_OLDEST = """
SELECT right(inhrelid::regclass::text, 7), inhdetachpending
FROM pg_inherits WHERE inhparent = %s::regclass ORDER BY 1 LIMIT 1
"""
_NOT_ROLLED = """
SELECT max(u.transaction_id) >= w.transaction_id
FROM public.usage u, analytics.watermark w
WHERE w.name = 'usage' AND u.at >= %(month)s::timestamp AT TIME ZONE 'UTC'
  AND u.at < %(beyond)s::timestamp AT TIME ZONE 'UTC'
GROUP BY w.transaction_id
"""
_SUMS = sql.SQL("""
SELECT workspace_id, {month} AS month, count(*) AS row_count, sum(request_count) AS request_count,
       coalesce(sum(charge_ucr) FILTER (WHERE billing = 'credits'), 0) AS charge_ucr,
       coalesce(sum(charge_ucr) FILTER (WHERE billing = 'imported'), 0) AS imported_ucr,
       sum(cost_ucr) AS cost_ucr
FROM {table}
WHERE at >= {month}::timestamp AT TIME ZONE 'UTC' AND at < {beyond}::timestamp AT TIME ZONE 'UTC'
GROUP BY workspace_id
""")
_COLUMNS = sql.SQL(
    "workspace_id, month, row_count, request_count, charge_ucr, imported_ucr, cost_ucr"
)
_SEAL = sql.SQL(
    "INSERT INTO analytics.month_seal ({columns}) {sums} ON CONFLICT (workspace_id, month)"
    " DO UPDATE SET row_count = excluded.row_count, request_count = excluded.request_count,"
    " charge_ucr = excluded.charge_ucr, imported_ucr = excluded.imported_ucr,"
    " cost_ucr = excluded.cost_ucr, sealed_at = now()"
)
_BROKEN_SEALS = sql.SQL("""
SELECT count(*)
FROM (SELECT {columns} FROM analytics.month_seal WHERE month = {month}) s
FULL JOIN ({sums}) u USING ({columns})
WHERE s.row_count IS NULL OR u.row_count IS NULL
""")
_CUBE_DIFFERS = """
SELECT count(*)
FROM (SELECT workspace_id, sum(request_count) AS request_count,
             coalesce(sum(charge_ucr), 0) AS charge_ucr, coalesce(sum(cost_ucr), 0) AS cost_ucr
      FROM analytics.finance_day WHERE day >= %(month)s AND day < %(beyond)s
      GROUP BY workspace_id) f
FULL JOIN (SELECT workspace_id, request_count, charge_ucr + imported_ucr AS charge_ucr, cost_ucr
           FROM analytics.month_seal WHERE month = %(month)s) s
USING (workspace_id, request_count, charge_ucr, cost_ucr)
WHERE s.workspace_id IS NULL OR f.workspace_id IS NULL
"""
_KEEP_FROM = "UPDATE analytics.kept_from SET month = %s WHERE table_name = %s"


class Refused(Exception):
    """The month may not go yet; nothing has changed."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """How long rows are kept. None: for ever."""

    raw_months: int | None
    hour_days: int = 62
    day_months: int = 25


class Part(msgspec.Struct, frozen=True):
    """One month of one table."""

    table: str
    month: date

    @property
    def beyond(self) -> date:
        """The first day that is not in it."""
        return (self.month + timedelta(days=32)).replace(day=1)

    def name(self) -> sql.Identifier:
        """Its table's own name."""
        return sql.Identifier(_schema(self.table), f"{self.table}_{self.month:%Y_%m}")

    def parent(self) -> sql.Identifier:
        """The table that it is a part of."""
        return sql.Identifier(_schema(self.table), self.table)


def due(owner: Connection, *, kept: Kept, today: date) -> list[Part]:
    """List the parts that are past their time, the oldest of each table first."""
    first = today.replace(day=1)
    limits = {
        "cube_hour": (today - timedelta(days=kept.hour_days)).replace(day=1),
        "cube_day": _months_before(first, kept.day_months),
        "user_day": _months_before(first, kept.day_months),
    }
    if kept.raw_months is not None:
        limits["usage"] = _months_before(first, kept.raw_months)
    return [
        part
        for table, limit in limits.items()
        for part in _parts(owner, table)
        if part.month < limit
    ]


def seal(owner: Connection, part: Part) -> None:
    """Write down what a month of usage sums to, by workspace. Safe twice.

    Raises: Refused, while rows of it are not in the cubes or the cubes say something else.
    """
    span = {"month": part.month, "beyond": part.beyond}
    with owner.transaction():
        found = owner.execute(_NOT_ROLLED, span).fetchone()
        if found is not None and found[0]:
            raise Refused(f"Rows of {part.month:%Y-%m} are not in the cubes yet.")
        owner.execute(_SEAL.format(columns=_COLUMNS, sums=_sums(part, part.parent())))
        if _count(owner, _CUBE_DIFFERS, span):
            raise Refused(f"The cubes of {part.month:%Y-%m} say something else than its rows.")


def retire(owner: Connection, part: Part) -> None:
    """Take one month away for good: of usage, only one that is sealed. The oldest goes first.

    `owner` is in autocommit. Raises: Refused (everything is as it was), psycopg.Error (a part that
    was detached and not dropped is finished by the next call).
    """
    pending = _check_oldest(owner, part)
    if part.table == "usage" and not pending:
        _check_sealed(owner, part, part.parent())
    # First, so that readers and the roller no longer count on it.
    owner.execute(_KEEP_FROM, [part.beyond, part.table])
    owner.execute("SET lock_timeout = '5s'")
    how = sql.SQL("FINALIZE" if pending else "CONCURRENTLY")
    owner.execute(
        sql.SQL("ALTER TABLE {} DETACH PARTITION {} {}").format(part.parent(), part.name(), how)
    )
    if part.table == "usage":
        _check_nothing_came(owner, part)
    owner.execute(sql.SQL("DROP TABLE {}").format(part.name()))


def _check_oldest(owner: Connection, part: Part) -> bool:
    """Raise if there is an older one. Returns: whether an earlier call began to detach it."""
    found = owner.execute(_OLDEST, [f"{_schema(part.table)}.{part.table}"]).fetchone()
    if found is None or found[0] != f"{part.month:%Y_%m}":
        raise Refused(f"{part.table} {part.month:%Y-%m} is not its oldest month.")
    return bool(found[1])


def _check_sealed(owner: Connection, part: Part, table: sql.Identifier) -> None:
    query = _BROKEN_SEALS.format(
        columns=_COLUMNS, month=sql.Literal(part.month), sums=_sums(part, table)
    )
    if _count(owner, query):
        raise Refused(f"usage {part.month:%Y-%m} is not sealed, or has changed since.")


def _check_nothing_came(owner: Connection, part: Part) -> None:
    """Put the part back if a row came between its seal and now."""
    try:
        _check_sealed(owner, part, part.name())
    except Refused:
        owner.execute(
            sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})").format(
                part.parent(),
                part.name(),
                sql.Literal(f"{part.month} 00:00+00"),
                sql.Literal(f"{part.beyond} 00:00+00"),
            )
        )
        owner.execute(_KEEP_FROM, [part.month, part.table])
        raise


def _parts(owner: Connection, table: str) -> list[Part]:
    found = owner.execute(
        "SELECT right(inhrelid::regclass::text, 7) FROM pg_inherits"
        " WHERE inhparent = %s::regclass ORDER BY 1",
        [f"{_schema(table)}.{table}"],
    )
    return [Part(table, date(int(name[:4]), int(name[5:]), 1)) for (name,) in found]


def _sums(part: Part, table: sql.Identifier) -> sql.Composed:
    return _SUMS.format(table=table, month=sql.Literal(part.month), beyond=sql.Literal(part.beyond))


def _count(
    owner: Connection, query: LiteralString | sql.Composed, parameters: _Parameters = None
) -> int:
    row = owner.execute(query, parameters).fetchone()
    assert row is not None
    return int(row[0])


def _schema(table: str) -> str:
    return "public" if table == "usage" else "analytics"


def _months_before(first: date, months: int) -> date:
    count = first.year * 12 + first.month - 1 - months
    return date(count // 12, count % 12 + 1, 1)
