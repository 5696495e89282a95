"""Spend caps on the way of a call: the question before the hold, and setting them.

Soft by at most what is in flight, because the wallet is hard (decision 12): what settles after the
question was asked counts for the next. Only for workspaces that have caps is anything asked or
counted; a process learns of a workspace's first one within a second (`world.py`), and what it
settled until then is counted afterwards (`recount_budgets`).
"""

from collections.abc import Sequence

from django.db import connection, transaction

from billing.budgets import (
    BudgetItem,
    BudgetState,
    read_budgets,
    replace_budgets,
    window_from,
    zone_of,
)
from gateway.errors import BudgetSpent, KeyBudgetSpent
from gateway.pool import borrowed
from gateway.runtime import Runtime
from studio.accounts.callers import Caller

_SPENT = "SELECT spent_ucr FROM accounts_appkey WHERE id = %s"
_SPENT_BUDGET = """
SELECT g.app_key_id, g.app_id, g.period, w.time_zone, s.starts_on
FROM billing_budget g
JOIN accounts_workspace w ON w.id = g.workspace_id
JOIN billing_budgetspend s ON s.budget_id = g.id
  AND s.starts_on = billing_window_start(g.period, w.time_zone, now())
WHERE g.workspace_id = %s AND (g.app_key_id IS NULL OR g.app_key_id = %s)
  AND (g.app_id IS NULL OR g.app_id = %s) AND s.spent_ucr >= g.cap_ucr
ORDER BY g.id LIMIT 1
"""
_COUNT_BEFORE = """
INSERT INTO billing_budgetspend AS s (budget_id, starts_on, spent_ucr)
SELECT g.id, %s, sum(u.charge_ucr)
FROM billing_budget g JOIN usage u ON u.workspace_id = g.workspace_id
  AND (g.app_key_id IS NULL OR g.app_key_id = u.app_key_id)
  AND (g.app_id IS NULL OR g.app_id = u.app_id)
WHERE g.id = %s AND u.at >= %s AND u.at < %s AND u.request_count > 0 AND u.charge_ucr > 0
GROUP BY g.id
ON CONFLICT (budget_id, starts_on) DO UPDATE SET spent_ucr = s.spent_ucr + EXCLUDED.spent_ucr
"""

_RECOUNT = """
INSERT INTO billing_budgetspend AS s (budget_id, starts_on, spent_ucr)
SELECT g.id, x.starts_on, sum(u.charge_ucr)
FROM billing_budget g
JOIN accounts_workspace w ON w.id = g.workspace_id
JOIN usage u ON u.workspace_id = g.workspace_id AND u.at >= g.created_at - interval '40 days'
  AND (g.app_key_id IS NULL OR g.app_key_id = u.app_key_id)
  AND (g.app_id IS NULL OR g.app_id = u.app_id)
CROSS JOIN LATERAL (SELECT billing_window_start(g.period, w.time_zone, u.at) AS starts_on) x
WHERE g.created_at > now() - %s::interval AND u.request_count > 0 AND u.charge_ucr > 0
  AND x.starts_on >= billing_window_start(g.period, w.time_zone, g.created_at)
GROUP BY g.id, x.starts_on ORDER BY g.id, x.starts_on
ON CONFLICT (budget_id, starts_on) DO UPDATE SET spent_ucr = EXCLUDED.spent_ucr
WHERE s.spent_ucr < EXCLUDED.spent_ucr
"""
RECOUNTED_FOR = "3 minutes"


async def check_budgets(runtime: Runtime, caller: Caller, app_id: str) -> None:
    """Refuse a paid call for which a cap is used up: the key's own, or one of a window.

    Raises: KeyBudgetSpent, BudgetSpent, Unavailable.
    """
    budgeted = caller.workspace_id in runtime.world.budgeted
    if caller.spend_cap_ucr is None and not budgeted:
        return
    async with borrowed(runtime.pool) as postgres:
        if caller.spend_cap_ucr is not None:
            cursor = await postgres.execute(_SPENT, (caller.app_key_id,))
            row = await cursor.fetchone()
            if row is not None and row[0] >= caller.spend_cap_ucr:
                raise KeyBudgetSpent("This key's spend cap is used up.")
        if budgeted:
            asked = (caller.workspace_id, caller.app_key_id, app_id)
            cursor = await postgres.execute(_SPENT_BUDGET, asked)
            row = await cursor.fetchone()
            if row is not None:
                raise _spent(row)


def set_budgets(*, workspace_id: int, items: Sequence[BudgetItem]) -> list[BudgetState]:
    """Let these be all the caps of a workspace; a new one counts its present window from usage.

    Calls that settle in the very moment may be missed: they are in flight. Raises: BudgetRefused.
    """
    with transaction.atomic(durable=True):
        created = set(replace_budgets(workspace_id=workspace_id, items=items))
        budgets = read_budgets(workspace_id)
        with connection.cursor() as cursor:
            for budget in budgets:
                window = budget.window
                if budget.id in created:
                    span = [window.starts_at, window.ends_at]
                    cursor.execute(_COUNT_BEFORE, [window.starts_on, budget.id, *span])
    return read_budgets(workspace_id)


def recount_budgets() -> int:
    """Count the windows of new caps anew from usage, where that is more: calls that settled in a
    process that did not know of them yet. Returns: how many counts were behind.
    """
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(_RECOUNT, [RECOUNTED_FOR])
        return int(cursor.rowcount)


def _spent(row: tuple[object, ...]) -> BudgetSpent:
    app_key_id, app_id, period, zone, starts_on = row
    whose = "key" if app_key_id is not None else "workspace" if app_id is None else "app"
    window = window_from(period, zone_of(str(zone)), starts_on)  # type: ignore[arg-type]
    resets_at = window.ends_at.isoformat()
    return BudgetSpent(
        f"The {whose}'s spend cap for this {period} is used up; the next {period} begins at"
        f" {resets_at}.",
        details={"scope": whose, "period": str(period), "resets_at": resets_at},
    )
