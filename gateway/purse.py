"""What a caller has to spend, and whether it may be spent now. Nothing is held."""

import msgspec
from asgiref.sync import sync_to_async
from django.db import connection

from billing.queries import read_balance
from gateway.budgets import check_budgets
from gateway.errors import BudgetSpent, KeyBudgetSpent
from gateway.runtime import Runtime
from studio.accounts.callers import Caller

_FROZEN = "SELECT frozen FROM ledger.wallet WHERE id = %s"


class Purse(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller has, in µcr, and whether the wallet's freeze and the caps let it be spent."""

    available_ucr: int
    open: bool


async def read_purse(runtime: Runtime, caller: Caller, *, app_id: str, paid: bool) -> Purse:
    """Read what the caller has; a call by a user's own key asks nobody for credits."""
    available_ucr, frozen = await sync_to_async(_wallet, thread_sensitive=False)(
        caller.workspace_id
    )
    if not paid:
        return Purse(available_ucr=available_ucr, open=True)
    capped = await _is_spent(runtime, caller, app_id)
    return Purse(available_ucr=available_ucr, open=not frozen and not capped)


async def _is_spent(runtime: Runtime, caller: Caller, app_id: str) -> bool:
    try:
        await check_budgets(runtime, caller, app_id)
    except (KeyBudgetSpent, BudgetSpent):
        return True
    return False


def _wallet(workspace_id: int) -> tuple[int, bool]:
    try:
        available_ucr = read_balance(workspace_id).available_ucr
        with connection.cursor() as cursor:
            cursor.execute(_FROZEN, [workspace_id])
            row = cursor.fetchone()
        return available_ucr, row is not None and bool(row[0])
    finally:
        connection.close()  # back to the pool: nothing else returns it from this thread
