"""What a workspace has. Amounts are µcr; a view shows credits."""

from datetime import datetime

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


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """`available_ucr` can be spent now; `held_ucr` is reserved by open calls and not part of it.

    `expiring_ucr` is the part of `available_ucr` that expires within 30 days, the first of it at
    `next_expiry`.
    """

    available_ucr: int
    held_ucr: int
    expiring_ucr: int
    next_expiry: datetime | None


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
