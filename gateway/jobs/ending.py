"""The end of a run, and with the last one the end of its job: files, charge and call in one
transaction.

Locks are taken in this order everywhere: the job, its runs, the wallet, the call. Whoever ends a
job holds its row, so it ends once.
"""

import logging
from collections.abc import Sequence
from uuid import UUID

import msgspec
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from gateway.jobs.settling import JobOutcome, settle
from gateway.jobs.statements import JobRoute
from gateway.jobs.views import JobFile
from gateway.jobs.waiting import CHANNEL
from gateway.media.inputs import drop_inputs
from gateway.models import Job, JobEvent, JobRun
from gateway.operations.media import MediaUse
from gateway.webhooks.announcing import announce_end
from studio.core.errors import GatewayError

logger = logging.getLogger(__name__)

DEADLINE = "deadline_exceeded"
CANCELED = "canceled"
_CALL_STATES = {
    Job.State.SUCCEEDED: "succeeded",
    Job.State.FAILED: "failed",
    Job.State.CANCELED: "cancelled",
    Job.State.EXPIRED: "interrupted",
}
_HTTP_STATUS_OF_CANCELED = 499


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Why a run made nothing, as callers are told; `status` is the HTTP status of such an error."""

    code: str
    text: str
    status: int


class RunEnd(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended. `charge_ucr` is what its files cost the caller, `cost_ucr` what they cost
    us, also where the caller pays nothing.
    """

    state: JobRun.State
    files: tuple[JobFile, ...] = ()
    use: MediaUse | None = None
    charge_ucr: int = 0
    cost_ucr: int = 0
    failure: Failure | None = None


def failure_of(error: GatewayError) -> Failure:
    """Give what a job keeps of an error."""
    return Failure(code=error.code, text=error.message, status=error.status)


def finish_run(run_id: UUID, job_id: UUID, fence: int, end: RunEnd) -> bool:
    """End a run that is still ours, and its job with it if that was the last one.

    Returns: False, and nothing is changed, if it is no longer ours or has ended.
    """
    with transaction.atomic(durable=True):
        job = Job.objects.select_for_update().get(pk=job_id)
        if not _write_end(run_id, fence, end):
            return False
        end_if_done(job)
    return True


def end_if_done(job: Job) -> bool:
    """End a job whose runs all have; the caller has locked its row. Returns: whether it did."""
    if job.state in Job.FINAL:
        return False
    runs = list(JobRun.objects.filter(job=job).order_by("number"))
    if any(run.state in JobRun.OPEN for run in runs):
        show_progress(job, runs)
        return False
    state, failure = _verdict(job, runs)
    outcome = _outcome(job, runs, state, failure)
    charged_ucr = settle(outcome)
    files = [file for run in runs for file in run.made]
    kept = bytes(job.request) if job.request is not None and state in _REPEATABLE else None
    Job.objects.filter(pk=job.pk).update(
        state=state,
        version=F("version") + 1,
        progress=1.0,
        made_count=len(files),
        result=files,
        charge_ucr=charged_ucr,
        failure_code=failure.code if failure else "",
        failure_text=failure.text if failure else "",
        failure_status=failure.status if failure else 0,
        request=kept,
        user_keys=None,
        finished_at=Now(),
    )
    if kept is None:
        drop_inputs(job.pk)
    tell(job.pk, str(state), public=True, detail={"made": len(files)})
    notify(job.pk)
    announce_end(job.pk, job.workspace_id, str(state))
    return True


_REPEATABLE = (Job.State.FAILED, Job.State.EXPIRED)


def show_progress(job: Job, runs: Sequence[JobRun]) -> None:
    """Show how far a job's runs are in all; the caller has locked its row."""
    shares = [1.0 if run.state in JobRun.FINAL else run.progress for run in runs]
    progress = round(sum(shares) / len(shares), 3)
    if progress <= job.progress:
        return
    Job.objects.filter(pk=job.pk).update(progress=progress, version=F("version") + 1)
    tell(job.pk, "progress", public=True, detail={"progress": progress})
    notify(job.pk)


def tell(
    job_id: UUID,
    what: str,
    *,
    run_number: int | None = None,
    public: bool = False,
    detail: dict[str, object] | None = None,
) -> None:
    """Write an event to a job's timeline."""
    JobEvent.objects.create(
        job_id=job_id,
        run_number=run_number,
        at=Now(),
        what=what,
        public=public,
        detail=detail or {},
    )


def notify(job_id: UUID) -> None:
    """Wake whoever waits for a job, when the transaction commits."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, str(job_id)])


def _write_end(run_id: UUID, fence: int, end: RunEnd) -> bool:
    failure = end.failure
    changed = JobRun.objects.filter(pk=run_id, fence=fence, state__in=JobRun.OPEN).update(
        state=end.state,
        lease_until=None,
        answer=None,
        progress=1.0,
        made=msgspec.to_builtins(end.files),
        use=msgspec.to_builtins(end.use) if end.use else {},
        charge_ucr=end.charge_ucr,
        cost_ucr=end.cost_ucr,
        failure_code=failure.code if failure else "",
        failure_text=failure.text if failure else "",
        failure_status=failure.status if failure else 0,
        finished_at=Now(),
    )
    return changed == 1


def _verdict(job: Job, runs: Sequence[JobRun]) -> tuple[Job.State, Failure | None]:
    """Say how a job ends whose runs have ended: what was made counts, whatever else failed."""
    made = any(run.state == JobRun.State.SUCCEEDED for run in runs)
    stopped = any(run.state == JobRun.State.CANCELED for run in runs)
    if job.cancel_requested_at is not None and stopped:
        return Job.State.CANCELED, None
    if made:
        return Job.State.SUCCEEDED, None
    failed = next((run for run in runs if run.state == JobRun.State.FAILED), runs[0])
    failure = Failure(
        code=failed.failure_code, text=failed.failure_text, status=failed.failure_status
    )
    expired = failure.code == DEADLINE
    return (Job.State.EXPIRED if expired else Job.State.FAILED), failure


def _outcome(
    job: Job, runs: Sequence[JobRun], state: Job.State, failure: Failure | None
) -> JobOutcome:
    """Put together what is charged and recorded. Never more is charged than was held."""
    routes = msgspec.convert(job.routes, tuple[JobRoute, ...])
    made = [run for run in runs if run.state == JobRun.State.SUCCEEDED]
    shown = routes[(made or runs)[0].route_position]
    charge_ucr = sum(run.charge_ucr for run in runs) if job.billing == "credits" else 0
    if charge_ucr > job.hold_ucr:
        logger.error("job %s: charge %d above its hold %d", job.pk, charge_ucr, job.hold_ucr)
    log = [attempt for run in runs for attempt in run.attempt_log]
    charged = bool(made) or charge_ucr > 0
    return JobOutcome(
        job_id=job.pk,
        workspace_id=job.workspace_id,
        billing=job.billing,
        ledger_kind="usage" if charged else "void",
        charge_ucr=min(charge_ucr, job.hold_ucr),
        cost_ucr=sum(run.cost_ucr for run in runs),
        call_state=_CALL_STATES[state],
        reason=failure.code if failure else "",
        http_status=_http_status(state, failure),
        attempts=sum(run.attempts for run in runs),
        attempt_log=msgspec.json.encode(log).decode() if log else None,
        provider=shown.provider,
        model=shown.model,
        use=_sum([msgspec.convert(run.use, MediaUse) for run in made]),
    )


def _http_status(state: Job.State, failure: Failure | None) -> int:
    if failure is not None:
        return failure.status
    return _HTTP_STATUS_OF_CANCELED if state == Job.State.CANCELED else 200


def _sum(uses: Sequence[MediaUse]) -> MediaUse | None:
    if not uses:
        return None
    return MediaUse(
        item_count=sum(use.item_count for use in uses),
        size=uses[0].size,
        quality=uses[0].quality,
        media_ms=sum(use.media_ms for use in uses),
        character_count=sum(use.character_count for use in uses),
    )
