"""The ledger's SQL functions from Python: arrays of one or more in, one verdict per item out.

The contract of each is at the head of its file in `billing/sql/`. Functions here open no
transaction: the caller does, one ledger call in each, under READ COMMITTED (anything else is
refused with SQLSTATE 40001). Amounts are µcr. The proxy path does not come through here:
`gateway/statements.py` calls the same SQL inside its own statements.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
from django.db import connection

Resolution = Literal["usage", "void", "lapse"]
HoldWord = Literal[
    "held", "insufficient", "frozen", "no_wallet", "open", "mismatch", "usage", "void", "lapse"
]
CreditKind = Literal["topup", "promo", "grant"]
CreditWord = Literal["credited", "replay", "mismatch", "no_wallet"]

MoneyWord = Literal[
    "refunded",
    "paid_out",
    "reinstated",
    "adjusted",
    "replay",
    "mismatch",
    "too_much",
    "insufficient",
    "unknown",
    "no_wallet",
]
FreezeWord = Literal["frozen", "replay", "lifted", "no_wallet"]
CloseWord = Literal["closed", "replay", "too_early"]

PAID_PRIORITY = 100
GIVEN_PRIORITY = 50
"""Lots with a lower number burn first: what we gave before what was paid for."""


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


class MoneyVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a movement, and what the wallet has now (None without a wallet).

    `replay`: done before, nothing changed; `mismatch`: its id or ref stands for something else.
    """

    verdict: MoneyWord
    available_ucr: int | None


class UnfreezeVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What became of lifting a freeze, and whether the wallet is frozen now (None without one)."""

    verdict: Literal["lifted", "replay", "unknown"]
    frozen: bool | None


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


def priority_of(*, paid: bool) -> int:
    """Give the place in the burn order of credit that says nothing else."""
    return PAID_PRIORITY if paid else GIVEN_PRIORITY


def credit(  # noqa: PLR0913  the columns of a lot
    *,
    workspace_id: int,
    id: UUID,
    kind: CreditKind,
    amount_ucr: int,
    ref: str,
    priority: int | None = None,
    expires_at: datetime | None = None,
) -> CreditVerdict:
    """Put credit into a wallet, once per `id`. A top-up repays what the wallet owes first.

    Raises: django.db.IntegrityError if the amount is not positive or above $100 million.
    """
    if priority is None:
        priority = priority_of(paid=kind == "topup")
    ((verdict, available),) = _rows(
        "SELECT verdict, available FROM ledger.ledger_credit(%s, %s, %s, %s, %s::smallint,"
        " COALESCE(%s::timestamptz, 'infinity'), %s)",
        [workspace_id, id, kind, amount_ucr, priority, expires_at, ref],
    )
    return CreditVerdict(verdict=verdict, available_ucr=available)


def refund(*, workspace_id: int, call_id: UUID, amount_ucr: int, ref: str) -> MoneyVerdict:
    """Pay back a part of a call's charge, once per `ref` of the call.

    Verdicts: refunded, replay, mismatch, too_much, unknown. Raises: django.db.IntegrityError if the
    amount is not positive.
    """
    return _moved(
        "SELECT verdict, available FROM ledger.ledger_refund(%s, %s, %s, %s)",
        [workspace_id, call_id, amount_ucr, ref],
    )


def pay_out(
    *, workspace_id: int, top_up_id: UUID, amount_ucr: int, ref: str, force: bool
) -> MoneyVerdict:
    """Take back credit whose money goes back to its payer, once per `ref` of the top-up.

    `force` takes other credit of the wallet and then makes it owe. Verdicts: paid_out,
    insufficient, replay, mismatch, too_much, unknown. Raises: django.db.IntegrityError if the
    amount is not positive.
    """
    return _moved(
        "SELECT verdict, available FROM ledger.ledger_payout(%s, %s, %s, %s, %s)",
        [workspace_id, top_up_id, amount_ucr, ref, force],
    )


def reinstate(*, workspace_id: int, top_up_id: UUID, amount_ucr: int, ref: str) -> MoneyVerdict:
    """Give back credit whose payout came back to us, once per `ref` of the top-up.

    Verdicts: reinstated, replay, mismatch, too_much, unknown. Raises: django.db.IntegrityError if
    the amount is not positive.
    """
    return _moved(
        "SELECT verdict, available FROM ledger.ledger_reinstate(%s, %s, %s, %s)",
        [workspace_id, top_up_id, amount_ucr, ref],
    )


def adjust(*, workspace_id: int, id: UUID, amount_ucr: int, paid: bool, ref: str) -> MoneyVerdict:
    """Add to a wallet's paid or given credit, or take from it if the amount is negative, once per
    `id`.

    Verdicts: adjusted, insufficient, replay, mismatch, no_wallet. Raises: django.db.IntegrityError
    if the amount is 0 or beyond $100 million.
    """
    return _moved(
        "SELECT verdict, available FROM ledger.ledger_adjust(%s, %s, %s, %s, %s::smallint,"
        " 'infinity', %s)",
        [workspace_id, id, amount_ucr, paid, priority_of(paid=paid), ref],
    )


def freeze(*, workspace_id: int, id: UUID, ref: str) -> FreezeWord:
    """Let a wallet take no new holds, for one more reason, once per `id`."""
    ((verdict,),) = _rows("SELECT ledger.ledger_freeze(%s, %s, %s)", [workspace_id, id, ref])
    word: FreezeWord = verdict
    return word


def unfreeze(*, workspace_id: int, id: UUID, ref: str) -> UnfreezeVerdict:
    """Lift one reason; the wallet stays frozen while there is another."""
    ((verdict, frozen),) = _rows(
        "SELECT verdict, frozen FROM ledger.ledger_unfreeze(%s, %s, %s)", [workspace_id, id, ref]
    )
    return UnfreezeVerdict(verdict=verdict, frozen=frozen)


def close_month(*, month: date, closed_by: str, confirmed_by: str) -> CloseWord:
    """Close the books of the month that begins on `month` (UTC), for ever.

    Raises: django.db.IntegrityError if it is not the first of a month or the two are one.
    """
    ((verdict,),) = _rows(
        "SELECT ledger.ledger_close_month(%s, %s, %s)", [month, closed_by, confirmed_by]
    )
    word: CloseWord = verdict
    return word


def sweep_holds(limit: int) -> int:
    """Lapse at most `limit` overdue calls. Returns: how many; call again until 0."""
    return int(_rows("SELECT ledger.ledger_sweep_holds(%s)", [limit])[0][0])


def sweep_lots(limit: int) -> int:
    """Book what is free in at most `limit` expired lots. Returns: how many; call again until 0."""
    return int(_rows("SELECT ledger.ledger_sweep_lots(%s)", [limit])[0][0])


def _moved(query: str, parameters: list[Any]) -> MoneyVerdict:
    ((verdict, available),) = _rows(query, parameters)
    return MoneyVerdict(verdict=verdict, available_ucr=available)


def _rows(query: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
