"""What Celery rings for in payments. Safe twice. Nothing while payments are off."""

from celery import shared_task
from django.conf import settings

from billing.stripe import recharge, reconciliation


# Shorter than the broker waits before it rings again for a task that nobody finished.
@shared_task(time_limit=590)
def recharge_cards() -> int:
    """Charge the cards of workspaces whose credit is low. Returns: how many."""
    return recharge.recharge_due() if settings.STRIPE_SECRET_KEY else 0


@shared_task(time_limit=590)
def back_fill_payments() -> int:
    """Take what no webhook brought. Returns: how many events that were."""
    return reconciliation.back_fill().missed_count if settings.STRIPE_SECRET_KEY else 0
