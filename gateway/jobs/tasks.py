"""What Celery rings for in jobs. Each task calls one service and is safe twice."""

from uuid import UUID

from celery import shared_task

from gateway.jobs import forgetting, ringing, sweeping, working


@shared_task(name=ringing.WORK_ON_RUN)
def work_on_run(run_id: str) -> None:
    """Do the next step of a run."""
    working.work_on_run(UUID(run_id))


@shared_task
def ring() -> int:
    """Call workers for runs that are due. Returns: how many."""
    return ringing.ring()


@shared_task
def expire_overdue_jobs() -> int:
    """End jobs past their deadline until none is left. Returns: how many."""
    total = 0
    while ended := sweeping.expire_overdue_jobs():
        total += ended
    return total


@shared_task
def forget_old_jobs() -> None:
    """Drop old requests and old jobs."""
    forgetting.forget_requests()
    forgetting.forget_jobs()
