"""What Celery rings for in the gateway. Each task calls one service and is safe twice."""

import logging

from celery import shared_task

from gateway import budgets, corrections, resolver
from gateway.reconcile import (
    AlreadyReconciling,
    Violation,
    reconcile_all,
    reconcile_since_last,
)
from gateway.speech import cache as speech_cache

logger = logging.getLogger(__name__)

_MOST_LOGGED = 100


@shared_task
def resolve_dead_calls() -> int:
    """Settle calls whose process died."""
    return resolver.resolve_dead_calls()


@shared_task
def resolve_orphan_calls() -> None:
    """End calls whose hold lapsed before anybody resolved them."""
    resolver.resolve_orphan_calls()


@shared_task
def recount_budgets() -> int:
    """Count for new spend caps what settled before every process knew of them."""
    return budgets.recount_budgets()


@shared_task
def forget_old_calls() -> None:
    """Drop stored answers after a day and call rows after a week."""
    resolver.forget_old_calls()


@shared_task
def forget_old_speech() -> int:
    """End sounds that were kept to be given again and are past their time. Returns: how many."""
    return speech_cache.forget_old_speech()


@shared_task
def write_corrections() -> int:
    """Write refunds to usage until none is left. Returns: how many."""
    total = 0
    while written := corrections.write_corrections():
        total += written
    return total


# Shorter than the broker waits before it rings again for a task that nobody finished.
@shared_task(time_limit=590)
def reconcile() -> int:
    """Check every invariant over all there is. Returns: how many findings."""
    return _log(reconcile_all())


@shared_task(time_limit=290)
def reconcile_recent() -> int:
    """Check what was written since everything was last in order. Returns: how many findings."""
    try:
        return _log(reconcile_since_last())
    except AlreadyReconciling:
        logger.info("reconcile: another check is under way")
        return 0


def _log(violations: list[Violation]) -> int:
    """Log what is broken, as errors."""
    for violation in violations[:_MOST_LOGGED]:
        logger.error("reconcile: %s: %s", violation.source, violation.text)
    if violations:
        logger.error("reconcile: %d violations in all", len(violations))
    return len(violations)
