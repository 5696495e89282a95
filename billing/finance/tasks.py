"""What Celery rings for in finance; billing/tasks.py makes it known."""

import logging

from celery import shared_task

from billing.finance.drift import find_drift
from billing.finance.tables import usd_text

logger = logging.getLogger(__name__)

_MOST_LOGGED = 100


@shared_task(time_limit=590)
def check_provider_invoices() -> int:
    """Log as errors what providers bill beyond 0.5 % off our recorded cost. Returns: how many."""
    found = find_drift()
    for match in found[:_MOST_LOGGED]:
        logger.error(
            "provider invoice: %s %s on %s: billed $%s, recorded $%s",
            match.provider,
            match.model,
            match.day,
            usd_text(match.billed_ucr),
            usd_text(match.recorded_ucr),
        )
    if found:
        logger.error("provider invoices: %d rows drift in all", len(found))
    return len(found)
