"""One step of one run: lease it, do what its state asks for, leave it for the next step."""

from collections.abc import Callable, Mapping
from uuid import UUID

from django.db import connection

from gateway.jobs.ending import RunEnd, finish_run
from gateway.jobs.leases import Leased, hearts, lease_run
from gateway.jobs.polling import poll_run
from gateway.jobs.storing import store_run
from gateway.jobs.submission import find_lost, look_again, submit_run
from gateway.jobs.sweeping import expire_job
from gateway.models import JobRun

_STEPS: Mapping[str, Callable[[Leased], None]] = {
    JobRun.State.QUEUED: submit_run,
    JobRun.State.SUBMITTING: find_lost,
    JobRun.State.UNKNOWN: look_again,
    JobRun.State.RUNNING: poll_run,
    JobRun.State.STORING: store_run,
}


def work_on_run(run_id: UUID) -> None:
    """Do the next step of a run, if it is due and nobody else does it. Safe twice and late."""
    try:
        leased = lease_run(run_id)
        if leased is not None:
            with hearts.beating(leased):
                _step(leased)
    finally:
        connection.close()


def _step(leased: Leased) -> None:
    if leased.cancel_requested and leased.state == JobRun.State.QUEUED:
        end = RunEnd(state=JobRun.State.CANCELED)
        finish_run(leased.run_id, leased.job_id, leased.fence, end)
    elif leased.left_s <= 0 and leased.state != JobRun.State.STORING:
        expire_job(leased.job_id)
    else:
        _STEPS[leased.state](leased)
