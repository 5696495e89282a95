"""What Celery rings for in billing. Safe twice, safe together: sweeps look again under locks."""

from celery import shared_task

from billing import alerts, budgets, outbox, services
from billing.finance.tasks import check_provider_invoices

# Celery looks for tasks in this file alone.
__all__ = ["check_provider_invoices"]

_ROUNDS = 3
"""Of messages per ring: a round takes as long as the slowest receiver, 10 s at most."""


@shared_task
def sweep_holds() -> int:
    """Lapse overdue holds until none is left. Returns: how many."""
    total = 0
    while swept := services.lapse_overdue_holds():
        total += swept
    return total


@shared_task
def sweep_lots() -> int:
    """Book expired lots until none is left. Returns: how many bookings."""
    total = 0
    while swept := services.book_expired_lots():
        total += swept
    return total


@shared_task
def tell_alerts() -> int:
    """Write alerts of low balances and of spend caps. Returns: how many."""
    total = alerts.tell_low_balances()
    while told := alerts.tell_budget_marks():
        total += told
    return total


@shared_task
def send_messages() -> int:
    """Send webhooks and e-mails that are due, a few times at most: others wait. Returns: how
    many were tried.
    """
    total = 0
    for _ in range(_ROUNDS):
        tried = outbox.send_due()
        total += tried
        if tried == 0:
            break
    return total


@shared_task
def forget_old_messages() -> int:
    """Drop old messages and counts of windows long past. Returns: how many."""
    return outbox.forget_sent() + budgets.forget_spends()
