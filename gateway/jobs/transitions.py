"""Each change of a run on its way, under its fence: False means that it is no longer ours, and
nothing was changed.

Each is one transaction, never open over a network call. The order of locks is told in ending.py.
"""

from datetime import timedelta

import msgspec
from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Now

from gateway.attempts import FailedAttempt
from gateway.jobs.ending import notify, show_progress, tell
from gateway.jobs.leases import Leased
from gateway.models import Job, JobRun

_VISIBLE_STEP = 0.05
"""Progress is told in steps of this, so that polls of the same job are not all changes."""


def begin_submission(leased: Leased, *, calls_back: bool) -> bool:
    """Commit that a run is about to be sent: whatever happens from here on, it is sent once."""
    with transaction.atomic(durable=True):
        if leased.job_state == Job.State.QUEUED:
            _begin_job(leased)
        changed = _mine(leased, JobRun.State.QUEUED).update(
            state=JobRun.State.SUBMITTING,
            attempts=F("attempts") + 1,
            submitted_at=Now(),
            calls_back=calls_back,
        )
        if changed:
            _tell(leased, "submitting", provider=leased.route.provider, model=leased.route.model)
        else:
            transaction.set_rollback(True)
    return changed == 1


def begin_here(leased: Leased) -> None:
    """Commit that we are at a run ourselves. It stays as it is: whoever comes after a dead worker
    does it again.
    """
    with transaction.atomic(durable=True):
        if leased.job_state == Job.State.QUEUED:
            _begin_job(leased)
        if _mine(leased, JobRun.State.QUEUED).update(attempts=F("attempts") + 1):
            _tell(leased, "working", provider=leased.route.provider, model=leased.route.model)


def note_accepted(leased: Leased, upstream_id: str, *, ask_in_s: float) -> bool:
    """Commit that the provider took the work, and when to ask for it."""
    with transaction.atomic(durable=True):
        changed = (
            _mine(leased, JobRun.State.SUBMITTING, JobRun.State.UNKNOWN)
            .filter(upstream_id__in=["", upstream_id])
            .update(
                state=JobRun.State.RUNNING,
                upstream_id=upstream_id,
                next_at=_in(ask_in_s),
                lease_until=None,
            )
        )
        if changed:
            _tell(leased, "accepted")
    return changed == 1


def send_again(leased: Leased, failed: FailedAttempt, *, route_position: int, in_s: float) -> bool:
    """Let a run be sent again after an attempt that certainly began nothing, maybe elsewhere."""
    with transaction.atomic(durable=True):
        run = _mine(leased, JobRun.State.SUBMITTING, JobRun.State.QUEUED).first()
        if run is None:
            return False
        changed = _mine(leased, JobRun.State.SUBMITTING, JobRun.State.QUEUED).update(
            state=JobRun.State.QUEUED,
            route_position=route_position,
            attempt_log=[*run.attempt_log, msgspec.to_builtins(failed)],
            next_at=_in(in_s),
            lease_until=None,
        )
        if changed:
            _tell(leased, "sent_again", code=failed.code, status=failed.status, in_s=in_s)
    return changed == 1


def note_unknown(leased: Leased, *, look_in_s: float) -> bool:
    """Commit that nobody knows whether the provider began; it may still tell us."""
    with transaction.atomic(durable=True):
        changed = _mine(leased, JobRun.State.SUBMITTING).update(
            state=JobRun.State.UNKNOWN, next_at=_in(look_in_s), lease_until=None
        )
        if changed:
            _tell(leased, "unknown")
    return changed == 1


def note_answered(leased: Leased, sealed_answer: bytes) -> bool:
    """Commit that the provider is done and where its files lie; the run stays leased."""
    with transaction.atomic(durable=True):
        changed = _mine(leased, *JobRun.OPEN).update(
            state=JobRun.State.STORING, answer=sealed_answer, answered_at=Now()
        )
        if changed:
            _tell(leased, "answered")
    return changed == 1


def postpone(leased: Leased, *, in_s: float) -> bool:
    """Give a run back as it is, to be looked at again."""
    changed = _mine(leased, *JobRun.OPEN).update(next_at=_in(in_s), lease_until=None)
    return changed == 1


def ask_again(leased: Leased, *, in_s: float, progress: float | None) -> bool:
    """Commit when to ask for a run again, and how far it is where that is news."""
    moved = progress is not None and progress >= leased.progress + _VISIBLE_STEP
    if not moved:
        changed = _mine(leased, JobRun.State.RUNNING).update(
            polls=F("polls") + 1, next_at=_in(in_s), lease_until=None
        )
        return changed == 1
    with transaction.atomic(durable=True):
        job = Job.objects.select_for_update().get(pk=leased.job_id)
        changed = _mine(leased, JobRun.State.RUNNING).update(
            polls=F("polls") + 1, next_at=_in(in_s), lease_until=None, progress=progress
        )
        if changed:
            show_progress(job, list(JobRun.objects.filter(job=job)))
    return changed == 1


def note_cancel_sent(leased: Leased) -> None:
    """Commit that the provider was asked to stop."""
    with transaction.atomic(durable=True):
        if _mine(leased, JobRun.State.RUNNING).update(cancel_sent_at=Now()):
            _tell(leased, "cancel_sent")


def _begin_job(leased: Leased) -> None:
    begun = Job.objects.filter(pk=leased.job_id, state=Job.State.QUEUED)
    if begun.update(state=Job.State.RUNNING, started_at=Now(), version=F("version") + 1):
        tell(leased.job_id, "started", public=True)
        notify(leased.job_id)


def _mine(leased: Leased, *states: JobRun.State) -> QuerySet[JobRun]:
    return JobRun.objects.filter(pk=leased.run_id, fence=leased.fence, state__in=states)


def _tell(leased: Leased, what: str, **detail: object) -> None:
    tell(leased.job_id, what, run_number=leased.number, detail=detail)


def _in(seconds: float) -> CombinedExpression:
    return Now() + timedelta(seconds=seconds)
