"""What Celery rings for in webhooks. Safe twice. Sending is the outbox's (billing/tasks.py)."""

from celery import shared_task

from gateway.webhooks import tending


@shared_task
def switch_off_failing() -> int:
    """Switch off addresses that took nothing for a day until none is left. Returns: how many."""
    total = 0
    while switched := tending.switch_off_failing():
        total += switched
    return total
