"""Telling a workspace about its money: a balance below its threshold, a spend cap nearly or all
used.

Each is told once: a low balance until it has risen again, a mark of a cap once per window. Found
out by a task, never on the way of a call. Amounts are µcr.
"""

from datetime import date

import msgspec
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import connection, transaction

from billing.errors import AlertRefused
from billing.models.alerts import AlertSettings
from billing.outbox import Event, enqueue_mail, enqueue_webhook, seal_secret, unseal_secret
from billing.services import lock_workspace
from studio.core.egress import read_address
from studio.core.money import credits_text
from studio.core.webhooks import WebhookRefused, new_webhook_secret

MOST_EMAILS = 5
MARKS_AT_ONCE = 100
_MOST_UCR = 10**17
_ALL_PERCENT = 100

_BALANCE = """
(SELECT COALESCE(sum(l.remaining), 0)::bigint FROM ledger.lot l
 WHERE l.wallet_id = a.workspace_id AND l.live AND l.expires_at > now())
"""
# Held credit counts: what a call reserves and gives back would else ring again and again.
_RISEN = f"""
UPDATE billing_alertsettings a SET low_since = NULL
WHERE low_since IS NOT NULL AND (low_balance_ucr IS NULL OR {_BALANCE} >= low_balance_ucr)
"""  # noqa: S608  our own words alone
_FALLEN = f"""
UPDATE billing_alertsettings a SET low_since = now()
WHERE low_since IS NULL AND low_balance_ucr IS NOT NULL AND {_BALANCE} < low_balance_ucr
RETURNING workspace_id, low_balance_ucr, {_BALANCE}
"""  # noqa: S608  our own words alone
# Rows that a settle is writing are left for the next time: nobody waits for anybody.
_MARKS = """
WITH due AS (
  SELECT s.id, g.id AS budget_id,
         CASE WHEN s.spent_ucr >= g.cap_ucr THEN 100 ELSE g.alert_percent END AS mark
  FROM billing_budgetspend s JOIN billing_budget g ON g.id = s.budget_id
  WHERE s.counted_at > now() - interval '1 hour' AND s.told_percent < 100
    AND (s.spent_ucr >= g.cap_ucr
         OR (s.spent_ucr::numeric * 100 >= g.cap_ucr::numeric * g.alert_percent
             AND s.told_percent < g.alert_percent))
  ORDER BY s.id LIMIT %s FOR UPDATE OF s SKIP LOCKED)
UPDATE billing_budgetspend s SET told_percent = due.mark
FROM due JOIN billing_budget g ON g.id = due.budget_id
LEFT JOIN accounts_appkey k ON k.id = g.app_key_id
WHERE s.id = due.id
RETURNING g.workspace_id, k.last_four, g.app_id, g.period, g.cap_ucr, s.spent_ucr, s.starts_on,
          s.told_percent
"""


class AlertChange(msgspec.Struct, frozen=True, kw_only=True):
    """What a workspace wants: no threshold, no addresses and no URL mean no alerts."""

    low_balance_ucr: int | None
    emails: tuple[str, ...]
    webhook_url: str
    rotate_secret: bool = False


class AlertState(msgspec.Struct, frozen=True, kw_only=True):
    """What is set. `new_secret` is the webhook's, told once, when it is made."""

    low_balance_ucr: int | None
    emails: tuple[str, ...]
    webhook_url: str
    new_secret: str = ""


class _Mark(msgspec.Struct, frozen=True):
    """A spend cap that reached a mark, as its statement gives it."""

    last_four: str | None
    app_id: str | None
    period: str
    cap_ucr: int
    spent_ucr: int
    starts_on: date
    percent: int


def read_alerts(workspace_id: int) -> AlertState:
    """Read what a workspace has set; nothing where it never did."""
    found = AlertSettings.objects.filter(pk=workspace_id).first()
    if found is None:
        return AlertState(low_balance_ucr=None, emails=(), webhook_url="")
    return AlertState(
        low_balance_ucr=found.low_balance_ucr,
        emails=tuple(found.emails),
        webhook_url=found.webhook_url,
    )


def set_alerts(*, workspace_id: int, change: AlertChange) -> AlertState:
    """Let a workspace be told as it wants. A new URL, or a wish for it, makes a new secret.

    Raises: AlertRefused; nothing was written.
    """
    _check(change)
    secret = ""
    with transaction.atomic(durable=True):
        lock_workspace(workspace_id)
        found = AlertSettings.objects.filter(pk=workspace_id).first()
        if found is None:
            found = AlertSettings(workspace_id=workspace_id)
        if not change.webhook_url:
            found.sealed_secret = None
        elif change.rotate_secret or found.webhook_url != change.webhook_url:
            secret = new_webhook_secret()
            found.sealed_secret = seal_secret(secret, context=_context(workspace_id))
        if found.low_balance_ucr != change.low_balance_ucr:
            found.low_since = None
        found.low_balance_ucr = change.low_balance_ucr
        found.emails = list(change.emails)
        found.webhook_url = change.webhook_url
        found.save()
    return msgspec.structs.replace(read_alerts(workspace_id), new_secret=secret)


def tell_low_balances() -> int:
    """Write an alert for every balance that fell below its threshold. Returns: how many."""
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(_RISEN)
        cursor.execute(_FALLEN)
        fallen = cursor.fetchall()
        for workspace_id, threshold_ucr, balance_ucr in fallen:
            _enqueue(workspace_id, _low_balance(threshold_ucr, balance_ucr))
    return len(fallen)


def tell_budget_marks(*, limit: int = MARKS_AT_ONCE) -> int:
    """Write an alert for each spend cap that reached its mark, or its end. Returns: how many; call
    again until 0.
    """
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(_MARKS, [limit])
        marked = cursor.fetchall()
        for workspace_id, *facts in marked:
            _enqueue(workspace_id, _budget_mark(_Mark(*facts)))
    return len(marked)


def _enqueue(workspace_id: int, event: Event) -> None:
    found = AlertSettings.objects.filter(pk=workspace_id).first()
    if found is None:
        return
    if found.webhook_url and found.sealed_secret is not None:
        secret = unseal_secret(bytes(found.sealed_secret), context=_context(workspace_id))
        enqueue_webhook(
            workspace_id=workspace_id, url=found.webhook_url, secret=secret, event=event
        )
    for address in found.emails:
        enqueue_mail(workspace_id=workspace_id, to=address, event=event)


def _low_balance(threshold_ucr: int, balance_ucr: int) -> Event:
    balance, threshold = credits_text(balance_ucr), credits_text(threshold_ucr)
    return Event(
        type="credits.low_balance",
        subject=f"Low balance: {balance} credits",
        text=f"The balance is {balance} credits, below your threshold of {threshold}.\n",
        data={
            "balance": msgspec.Raw(balance.encode()),
            "threshold": msgspec.Raw(threshold.encode()),
        },
    )


def _budget_mark(mark: _Mark) -> Event:
    last_four, app_id, period = mark.last_four, mark.app_id, mark.period
    whose = f"key …{last_four}" if last_four else f"app {app_id}" if app_id else "workspace"
    scope = "key" if last_four else "app" if app_id else "workspace"
    spent, cap = credits_text(mark.spent_ucr), credits_text(mark.cap_ucr)
    used_up = mark.percent == _ALL_PERCENT
    told = "is used up" if used_up else f"is used to {mark.percent} %"
    return Event(
        type="credits.budget_spent" if used_up else "credits.budget_alert",
        subject=f"Spend cap of the {whose} {told}",
        text=(
            f"The {whose} has spent {spent} of {cap} credits in the {period} that began on"
            f" {mark.starts_on}. The cap {told}.\n"
        ),
        data={
            "scope": scope,
            "key_ends_in": last_four,
            "app": app_id,
            "period": period,
            "window_start": str(mark.starts_on),
            "spent": msgspec.Raw(spent.encode()),
            "cap": msgspec.Raw(cap.encode()),
            "percent": mark.percent,
        },
    )


def _context(workspace_id: int) -> bytes:
    return f"alerts:{workspace_id}".encode()


def _check(change: AlertChange) -> None:
    low_ucr = change.low_balance_ucr
    if low_ucr is not None and not 0 < low_ucr <= _MOST_UCR:
        raise AlertRefused("low_balance is more than 0 credits.")
    if len(change.emails) > MOST_EMAILS or len(set(change.emails)) < len(change.emails):
        raise AlertRefused(f"emails are at most {MOST_EMAILS}, each once.")
    for address in change.emails:
        try:
            validate_email(address)
        except ValidationError as error:
            raise AlertRefused("emails: one of them is no e-mail address.") from error
    if change.webhook_url:
        try:
            read_address(change.webhook_url, allowed_origins=settings.WEBHOOK_ALLOWED_ORIGINS)
        except WebhookRefused as error:
            raise AlertRefused(f"webhook_url: {error}") from error
