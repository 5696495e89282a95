"""Spend caps per calendar window: what windows are, which caps a workspace has, setting them.

What is spent of a cap is counted by the gateway's settle statement (`billing_budgetspend`), and
asked by the gateway before a hold. Amounts are µcr.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from django.db import connection, transaction

from billing.errors import BudgetRefused
from billing.models.budgets import Budget
from billing.services import lock_workspace
from studio.accounts.models import AppKey, Workspace

Period = Literal["day", "week", "month"]
Scope = Literal["workspace", "key", "app"]

MOST_BUDGETS = 100
"""Per workspace: each settle of such a workspace counts for those that it falls under."""
_MOST_CAP_UCR = 10**17
_LONGEST_APP_ID = 200

_READ = """
SELECT g.id, k.key_id, g.app_id, g.period, g.cap_ucr, g.alert_percent, w.time_zone, x.starts_on,
       COALESCE(s.spent_ucr, 0), g.app_key_id
FROM billing_budget g
JOIN accounts_workspace w ON w.id = g.workspace_id
LEFT JOIN accounts_appkey k ON k.id = g.app_key_id
CROSS JOIN LATERAL (SELECT billing_window_start(g.period, w.time_zone, now()) AS starts_on) x
LEFT JOIN billing_budgetspend s ON s.budget_id = g.id AND s.starts_on = x.starts_on
WHERE g.workspace_id = %s ORDER BY g.id
"""


# In the order in which a settle writes them, so that the two never wait for each other in a ring.
_TELL_AGAIN = """
UPDATE billing_budgetspend SET told_percent = 0
WHERE id IN (
  SELECT id FROM billing_budgetspend WHERE budget_id = ANY(%s) AND told_percent > 0
  ORDER BY budget_id FOR UPDATE)
"""


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """A calendar day, week (from Monday) or month of a time zone.

    `starts_on` names it; it lasts from `starts_at` up to, and not including, `ends_at` (both UTC).
    """

    starts_on: date
    starts_at: datetime
    ends_at: datetime


class BudgetItem(msgspec.Struct, frozen=True, kw_only=True):
    """A cap as it is asked for: of a key by its public `key_id`, of an app label, or of all."""

    key_id: str | None = None
    app_id: str | None = None
    period: Period
    cap_ucr: int
    alert_percent: int | None = None

    @property
    def scope(self) -> Scope:
        """Whose cap it is."""
        if self.key_id is not None:
            return "key"
        return "workspace" if self.app_id is None else "app"


class BudgetState(msgspec.Struct, frozen=True, kw_only=True):
    """A cap and what is spent of it in the window that is now."""

    id: int
    item: BudgetItem
    window: Window
    spent_ucr: int


def zone_of(name: str) -> ZoneInfo:
    """Give a time zone by its name; UTC for one that is not known, as the database does."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def window_at(period: Period, zone: ZoneInfo, moment: datetime) -> Window:
    """Give the window that a moment lies in. `moment` is aware of its own zone."""
    today = moment.astimezone(zone).date()
    if period == "week":
        today -= timedelta(days=today.weekday())
    elif period == "month":
        today = today.replace(day=1)
    return window_from(period, zone, today)


def window_from(period: Period, zone: ZoneInfo, starts_on: date) -> Window:
    """Give the window that begins on this day.

    A midnight that happens twice begins the day the first time; one that is skipped, when the
    clock has jumped.
    """
    if period == "month":
        ends_on = (starts_on.replace(day=28) + timedelta(days=4)).replace(day=1)
    else:
        ends_on = starts_on + timedelta(days=7 if period == "week" else 1)
    return Window(
        starts_on=starts_on,
        starts_at=_midnight(starts_on, zone),
        ends_at=_midnight(ends_on, zone),
    )


def read_budgets(workspace_id: int) -> list[BudgetState]:
    """Read a workspace's caps in the order they were set."""
    with connection.cursor() as cursor:
        cursor.execute(_READ, [workspace_id])
        rows = cursor.fetchall()
    return [
        BudgetState(
            id=row[0],
            item=BudgetItem(
                key_id=None if row[9] is None else row[1] or "static",
                app_id=row[2],
                period=row[3],
                cap_ucr=row[4],
                alert_percent=row[5],
            ),
            window=window_from(row[3], zone_of(row[6]), row[7]),
            spent_ucr=row[8],
        )
        for row in rows
    ]


def replace_budgets(*, workspace_id: int, items: Sequence[BudgetItem]) -> list[int]:
    """Let these be all the caps of a workspace. One that was there before keeps its count, and is
    told about anew if it changed.

    The caller opens the transaction and lets new caps know what was spent before.

    Returns: ids of the new caps. Raises: BudgetRefused; nothing was written.
    """
    assert connection.in_atomic_block, "caps and what they count change together"
    _check(items)
    lock_workspace(workspace_id)
    keys = _keys(workspace_id, items)
    known = {
        (budget.app_key_id, budget.app_id, budget.period): budget
        for budget in Budget.objects.filter(workspace_id=workspace_id)
    }
    created: list[int] = []
    moved: list[int] = []
    for item in items:
        app_key_id = None if item.key_id is None else keys[item.key_id]
        budget = known.pop((app_key_id, item.app_id, item.period), None)
        if budget is None:
            budget = Budget(
                workspace_id=workspace_id,
                app_key_id=app_key_id,
                app_id=item.app_id,
                period=item.period,
            )
        is_new = budget.pk is None
        if not is_new and (budget.cap_ucr, budget.alert_percent) != _amounts(item):
            moved.append(budget.pk)
        budget.cap_ucr, budget.alert_percent = _amounts(item)
        budget.save()
        if is_new:
            created.append(budget.pk)
    Budget.objects.filter(pk__in=[budget.pk for budget in known.values()]).delete()
    with connection.cursor() as cursor:
        cursor.execute(_TELL_AGAIN, [moved])
    return created


def forget_spends(*, older_than_days: int = 400) -> int:
    """Drop what was counted in windows long past, and for caps that are gone. Returns: how many."""
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM billing_budgetspend s WHERE s.starts_on < current_date - %s::int"
            " OR (s.counted_at < now() - interval '1 day'"
            " AND NOT EXISTS (SELECT FROM billing_budget g WHERE g.id = s.budget_id))",
            [older_than_days],
        )
        return int(cursor.rowcount)


def read_time_zone(workspace_id: int) -> str:
    """Give the name of the time zone that a workspace's windows are of."""
    return Workspace.objects.values_list("time_zone", flat=True).get(pk=workspace_id)


def _amounts(item: BudgetItem) -> tuple[int, int | None]:
    return item.cap_ucr, item.alert_percent


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone, fold=0).astimezone(UTC)


def _check(items: Sequence[BudgetItem]) -> None:
    if len(items) > MOST_BUDGETS:
        raise BudgetRefused(f"A workspace has at most {MOST_BUDGETS} caps.")
    seen: set[tuple[str | None, str | None, str]] = set()
    for item in items:
        if not 0 < item.cap_ucr <= _MOST_CAP_UCR:
            raise BudgetRefused("A cap is more than 0 and at most 100 000 000 000 credits.")
        if item.alert_percent is not None and not 1 <= item.alert_percent <= 99:
            raise BudgetRefused("alert_percent is between 1 and 99.")
        _check_label(item)
        name = (item.key_id, item.app_id, item.period)
        if name in seen:
            raise BudgetRefused(f"Two caps of one {item.scope} for one {item.period}.")
        seen.add(name)


def _check_label(item: BudgetItem) -> None:
    label = item.app_id
    if item.key_id is not None and label is not None:
        raise BudgetRefused("A cap is of a key or of an app, not of both.")
    if label is not None and not (0 < len(label) <= _LONGEST_APP_ID and label.isprintable()):
        raise BudgetRefused("An app label has 1 to 200 printable characters.")


def _keys(workspace_id: int, items: Sequence[BudgetItem]) -> dict[str, int]:
    """Give the keys' ids by their public ones. Raises: BudgetRefused for one of somebody else."""
    named = {item.key_id for item in items if item.key_id is not None}
    if not named:
        return {}
    mine = AppKey.objects.filter(workspace_id=workspace_id)
    found = {key_id or "static": pk for pk, key_id in mine.values_list("pk", "key_id")}
    unknown = named - found.keys()
    if unknown:
        raise BudgetRefused(f"This workspace has no key {min(unknown)[:50]!r}.")
    return {key_id: found[key_id] for key_id in named}
