"""What Celery rings for in the gateway. Each task calls one service and is safe twice."""

from celery import shared_task

from gateway import resolver


@shared_task
def resolve_dead_calls() -> int:
    """Settle calls whose process died."""
    return resolver.resolve_dead_calls()


@shared_task
def forget_old_calls() -> None:
    """End calls that lost their hold; drop answers after a day, call rows after a week."""
    resolver.resolve_orphan_calls()
    resolver.forget_old_calls()
