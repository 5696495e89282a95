"""What a workspace has. Amounts are µcr; a view shows credits."""

from datetime import datetime
from uuid import UUID

import msgspec
from django.db import connection

EXPIRING_WITHIN_DAYS = 30

_BALANCE = """
SELECT COALESCE(sum(free) FILTER (WHERE expires_at > now()), 0)::bigint,
       COALESCE(sum(held), 0)::bigint,
       COALESCE(sum(free) FILTER (
         WHERE expires_at > now() AND expires_at <= now() + make_interval(days => %s)), 0)::bigint,
       min(expires_at) FILTER (WHERE expires_at > now() AND expires_at < 'infinity' AND free > 0)
FROM (
  SELECT expires_at, held, remaining - held AS free FROM ledger.lot WHERE wallet_id = %s AND live) l
"""


_CHARGE = """
SELECT COALESCE(sum(amount) FILTER (WHERE kind = 'usage'), 0)::bigint,
       COALESCE(sum(amount) FILTER (WHERE kind = 'refund'), 0)::bigint
FROM ledger.entry WHERE wallet_id = %s AND id = %s HAVING bool_or(kind = 'usage')
"""


_TOP_UP = """
SELECT bought, paid_out, reinstated,
       COALESCE((SELECT sum(l.remaining - l.held) FROM ledger.lot l
                 WHERE l.id = ANY (lots) AND l.live AND l.expires_at > now()), 0)::bigint
FROM (
  SELECT min(kind) FILTER (WHERE seq = 0) AS first,
         COALESCE(sum(amount) FILTER (WHERE kind = 'topup'), 0)::bigint AS bought,
         COALESCE(sum(amount) FILTER (WHERE kind = 'payout'), 0)::bigint AS paid_out,
         COALESCE(sum(amount) FILTER (WHERE kind = 'reinstatement'), 0)::bigint AS reinstated,
         array_agg(lot_id) FILTER (WHERE kind IN ('topup', 'reinstatement')) AS lots
  FROM ledger.entry WHERE wallet_id = %s AND id = %s) g
WHERE first = 'topup'
"""


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """`available_ucr` can be spent now; `held_ucr` is reserved by open calls and not part of it.

    `expiring_ucr` is the part of `available_ucr` that expires within 30 days, the first of it at
    `next_expiry`.
    """

    available_ucr: int
    held_ucr: int
    expiring_ucr: int
    next_expiry: datetime | None


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """What a call was charged, and what was paid back of it."""

    charged_ucr: int
    refunded_ucr: int

    @property
    def refundable_ucr(self) -> int:
        """What is left to refund."""
        return self.charged_ucr - self.refunded_ucr


class TopUp(msgspec.Struct, frozen=True, kw_only=True):
    """What was bought at once, what went back to the payer, and what is free of it now."""

    bought_ucr: int
    paid_out_ucr: int
    reinstated_ucr: int
    free_ucr: int

    @property
    def left_ucr(self) -> int:
        """What could still go back, spent or not."""
        return self.bought_ucr - self.paid_out_ucr + self.reinstated_ucr


def read_balance(workspace_id: int) -> Balance:
    """Read a wallet's balance: one index range, however long its history. All zero for no such
    workspace.
    """
    with connection.cursor() as cursor:
        cursor.execute(_BALANCE, [EXPIRING_WITHIN_DAYS, workspace_id])
        available, held, expiring, next_expiry = cursor.fetchone()
    return Balance(
        available_ucr=available, held_ucr=held, expiring_ucr=expiring, next_expiry=next_expiry
    )


def read_charge(*, workspace_id: int, call_id: UUID) -> Charge | None:
    """Read what a call was charged. Returns: None if it is no call of this workspace that ended in
    a charge (which may be 0).
    """
    with connection.cursor() as cursor:
        cursor.execute(_CHARGE, [workspace_id, call_id])
        row = cursor.fetchone()
    return None if row is None else Charge(charged_ucr=row[0], refunded_ucr=row[1])


def read_top_up(*, workspace_id: int, top_up_id: UUID) -> TopUp | None:
    """Read what became of a top-up. Returns: None if it is no top-up of this workspace."""
    with connection.cursor() as cursor:
        cursor.execute(_TOP_UP, [workspace_id, top_up_id])
        row = cursor.fetchone()
    if row is None:
        return None
    return TopUp(bought_ucr=row[0], paid_out_ucr=row[1], reinstated_ucr=row[2], free_ucr=row[3])
