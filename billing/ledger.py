"""The ledger's SQL functions from Python: arrays of one or more in, one verdict per item out.

The contract of each is at the head of its file in `billing/sql/`. Functions here open no
transaction: the caller does, one ledger call in each, under READ COMMITTED (anything else is
refused with SQLSTATE 40001). Amounts are µcr. The proxy path does not come through here:
`gateway/statements.py` calls the same SQL inside its own statements.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
from django.db import connection

Resolution = Literal["usage", "void", "lapse"]
HoldWord = Literal[
    "held", "insufficient", "frozen", "no_wallet", "open", "mismatch", "usage", "void", "lapse"
]
CreditKind = Literal["topup", "promo"]
CreditWord = Literal["credited", "replay", "mismatch", "no_wallet"]

DEFAULT_PRIORITY = 100
"""Lots with a lower number burn first."""


class HoldItem(msgspec.Struct, frozen=True, kw_only=True):
    """Credit to reserve for call `id`, until `seconds` from now unless extended."""

    workspace_id: int
    id: UUID
    amount_ucr: int
    seconds: int
    price_version: int
    markup_bp: int


class HoldVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """Only `held` may dispatch a call. `available_ucr` is what the wallet has after this item."""

    verdict: HoldWord
    available_ucr: int


class SettleItem(msgspec.Struct, frozen=True, kw_only=True):
    """How call `id` ended. `charge_ucr` is 0 unless `kind` is usage; `cost_ucr` is what the
    provider bills us.
    """

    workspace_id: int
    id: UUID
    kind: Resolution
    charge_ucr: int = 0
    cost_ucr: int = 0


class SettleVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """The kind that won and what it charged; `fresh` if this call did it. None: no such hold."""

    verdict: Resolution | None
    fresh: bool
    charged_ucr: int | None
    available_ucr: int


class CreditVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a credit, and what the wallet has now (None without a wallet)."""

    verdict: CreditWord
    available_ucr: int | None


def place_holds(items: Sequence[HoldItem]) -> list[HoldVerdict]:
    """Reserve credit, each item as if the ones before it in its wallet had been done.

    Raises: django.db.IntegrityError if an item is not well-formed or an id occurs twice; nothing is
    held then.
    """
    rows = _rows(
        "SELECT verdict, available FROM ledger.ledger_hold("
        "%s::bigint[], %s::uuid[], %s::bigint[], %s::int[], %s::int[], %s::int[]) ORDER BY n",
        [
            [item.workspace_id for item in items],
            [item.id for item in items],
            [item.amount_ucr for item in items],
            [item.seconds for item in items],
            [item.price_version for item in items],
            [item.markup_bp for item in items],
        ],
    )
    return [HoldVerdict(verdict=verdict, available_ucr=available) for verdict, available in rows]


def settle(items: Sequence[SettleItem]) -> list[SettleVerdict]:
    """End calls: the first to settle an id wins, everybody else learns the winner's kind and
    charge.

    Raises: django.db.IntegrityError if an item is not well-formed; nothing is settled then.
    """
    rows = _rows(
        "SELECT verdict, fresh, charged, available FROM ledger.ledger_settle("
        "%s::bigint[], %s::uuid[], %s::text[], %s::bigint[], %s::bigint[]) ORDER BY n",
        [
            [item.workspace_id for item in items],
            [item.id for item in items],
            [item.kind for item in items],
            [item.charge_ucr for item in items],
            [item.cost_ucr for item in items],
        ],
    )
    return [
        SettleVerdict(verdict=verdict, fresh=fresh, charged_ucr=charged, available_ucr=available)
        for verdict, fresh, charged, available in rows
    ]


def extend(calls: Sequence[tuple[int, UUID]], *, seconds: int) -> list[bool]:
    """Keep the holds of (workspace, call) pairs for at least `seconds` from now.

    Returns: per pair, whether the hold is still open.
    """
    rows = _rows(
        "SELECT extended FROM ledger.ledger_extend(%s::bigint[], %s::uuid[], %s::int) ORDER BY n",
        [[call[0] for call in calls], [call[1] for call in calls], seconds],
    )
    return [extended for (extended,) in rows]


def credit(  # noqa: PLR0913  the columns of a lot
    *,
    workspace_id: int,
    id: UUID,
    kind: CreditKind,
    amount_ucr: int,
    ref: str,
    priority: int = DEFAULT_PRIORITY,
    expires_at: datetime | None = None,
) -> CreditVerdict:
    """Put credit into a wallet, once per `id`. A top-up repays what the wallet owes first.

    Raises: django.db.IntegrityError if the amount is not positive or above $100 million.
    """
    ((verdict, available),) = _rows(
        "SELECT verdict, available FROM ledger.ledger_credit(%s, %s, %s, %s, %s::smallint,"
        " COALESCE(%s::timestamptz, 'infinity'), %s)",
        [workspace_id, id, kind, amount_ucr, priority, expires_at, ref],
    )
    return CreditVerdict(verdict=verdict, available_ucr=available)


def sweep_holds(limit: int) -> int:
    """Lapse at most `limit` overdue calls. Returns: how many; call again until 0."""
    return int(_rows("SELECT ledger.ledger_sweep_holds(%s)", [limit])[0][0])


def sweep_lots(limit: int) -> int:
    """Book what is free in at most `limit` expired lots. Returns: how many; call again until 0."""
    return int(_rows("SELECT ledger.ledger_sweep_lots(%s)", [limit])[0][0])


def _rows(query: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
