"""What Celery rings for in the gateway. Each task calls one service and is safe twice."""

from celery import shared_task

from gateway import resolver


@shared_task
def resolve_dead_calls() -> int:
    """Settle calls whose process died."""
    return resolver.resolve_dead_calls()


@shared_task
def resolve_orphan_calls() -> None:
    """End calls whose hold lapsed before anybody resolved them."""
    resolver.resolve_orphan_calls()


@shared_task
def forget_old_calls() -> None:
    """Drop stored answers after a day and call rows after a week."""
    resolver.forget_old_calls()
