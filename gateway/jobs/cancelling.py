"""Cancelling a job: at once what nobody began, by the provider's leave what it is at.

A run whose provider cannot stop, or is done first, is delivered and charged: it was made and paid
for. Cancelling twice changes nothing.
"""

from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from gateway.jobs.ending import end_if_done, notify, tell
from gateway.jobs.ringing import call_workers
from gateway.models import Job, JobRun
from studio.core.errors import NotFound


def cancel_job(job_id: UUID, *, workspace_id: int | None, by: str = "owner") -> None:
    """Ask for a job's end; for staff (`workspace_id` None) of any workspace.

    Raises: NotFound, also for another workspace's job.
    """
    with transaction.atomic(durable=True):
        found = Job.objects.select_for_update().filter(pk=job_id)
        if workspace_id is not None:
            found = found.filter(workspace_id=workspace_id)
        job = found.first()
        if job is None:
            raise NotFound("There is no such job.")
        if job.state in Job.FINAL or job.cancel_requested_at is not None:
            return
        asked = Job.objects.filter(pk=job.pk)
        asked.update(cancel_requested_at=Now(), version=F("version") + 1)
        job.refresh_from_db(fields=["cancel_requested_at"])
        tell(job.pk, "cancel_requested", public=True, detail={"by": by})
        notify(job.pk)
        at_work = _stop(job)
        end_if_done(job)
    call_workers(at_work)


def _stop(job: Job) -> list[str]:
    """End what was not sent yet; let workers ask the provider to stop the rest, at once."""
    runs = JobRun.objects.filter(job=job)
    runs.filter(state=JobRun.State.QUEUED).update(
        state=JobRun.State.CANCELED,
        fence=F("fence") + 1,
        lease_until=None,
        progress=1.0,
        finished_at=Now(),
    )
    at_work = runs.filter(state=JobRun.State.RUNNING, lease_until__isnull=True)
    at_work.update(next_at=Now(), rung_until=None)
    return [str(run_id) for run_id in at_work.values_list("pk", flat=True)]
