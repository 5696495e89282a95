"""What Celery rings for in billing. Safe twice, safe together: sweeps look again under locks."""

from celery import shared_task

from billing import services


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
