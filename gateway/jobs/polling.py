"""Asking how a run stands, stopping it where that is wanted, and what the provider's word means."""

import contextlib

from gateway.errors import NoProvider
from gateway.jobs import transitions
from gateway.jobs.ending import Failure, RunEnd, failure_of, finish_run
from gateway.jobs.exchange import ask
from gateway.jobs.leases import Leased
from gateway.jobs.patience import patiently
from gateway.jobs.pricing import charge_and_cost_ucr
from gateway.jobs.storing import keep_answer
from gateway.jobs.workshop import Work, give_back_connection, work_of
from gateway.models import JobRun
from gateway.providers.base import UpstreamFailure
from gateway.providers.media import Made, Progress, Running
from gateway.telling import as_told

_PATIENCE_S = 30.0
_PAUSES_S = (1.0, 2.0, 3.0, 5.0, 8.0, 13.0)
_LONGEST_PAUSE_S = 15.0
_SHORTEST_PAUSE_S = 0.2
_STOPPED = Failure(
    code="upstream_error", text="The provider stopped before it was done.", status=502
)


def poll_run(leased: Leased) -> None:
    """Ask the provider for a run it took, and take what comes of it."""
    try:
        work = work_of(leased)
    except NoProvider:
        # Somebody took its key out of the settings; the deadline ends what stays so.
        transitions.postpone(leased, in_s=_LONGEST_PAUSE_S)
        return
    give_back_connection()
    if leased.cancel_requested and not leased.cancel_sent:
        _cancel(work)
    question = work.provider.build_poll(work.target, leased.upstream_id)
    try:
        answer = ask(work.upstream, question, patience_s=_PATIENCE_S)
        progress = work.provider.parse_poll(work.request, work.target, answer)
    except UpstreamFailure as failure:
        if failure.retryable:
            pause_s = failure.retry_after_s or _pause_s(leased)
            transitions.ask_again(leased, in_s=min(pause_s, _LONGEST_PAUSE_S), progress=None)
        else:
            told = as_told(work.upstream, failure)
            end = RunEnd(state=JobRun.State.FAILED, failure=failure_of(told))
            finish_run(leased.run_id, leased.job_id, leased.fence, end)
        return
    patiently(lambda: take(work, progress))


def take(work: Work, progress: Progress) -> None:
    """Go by the provider's word: the run goes on, is done, or was stopped."""
    leased = work.leased
    if isinstance(progress, Made):
        keep_answer(work, progress)
    elif not isinstance(progress, Running):
        _stopped(work, billed=progress.billed)
    elif leased.state == JobRun.State.RUNNING:
        pause_s = progress.ask_again_s or _pause_s(leased)
        transitions.ask_again(leased, in_s=_bounded(pause_s), progress=progress.progress)
    else:
        pause_s = progress.ask_again_s or _PAUSES_S[0]
        transitions.note_accepted(leased, progress.upstream_id, ask_in_s=_bounded(pause_s))


def _cancel(work: Work) -> None:
    """Ask the provider to stop; how the run then stands, the next poll tells."""
    request = work.provider.build_cancel(work.target, work.leased.upstream_id)
    if request is None:
        return
    with contextlib.suppress(UpstreamFailure):  # the next poll asks again
        answer = ask(work.upstream, request, patience_s=_PATIENCE_S)
        if answer.status < 500:
            transitions.note_cancel_sent(work.leased)
            give_back_connection()


def _stopped(work: Work, *, billed: bool) -> None:
    """End a run that the provider stopped: on demand it is charged as it is billed, else it is our
    loss.
    """
    leased = work.leased
    charge_ucr, cost_ucr = charge_and_cost_ucr(leased, work.asked_use) if billed else (0, 0)
    wanted = leased.cancel_requested
    end = RunEnd(
        state=JobRun.State.CANCELED if wanted else JobRun.State.FAILED,
        charge_ucr=charge_ucr if wanted else 0,
        cost_ucr=cost_ucr,
        failure=None if wanted else _STOPPED,
    )
    finish_run(leased.run_id, leased.job_id, leased.fence, end)


def _pause_s(leased: Leased) -> float:
    """Give how long to wait before the next question: short at first."""
    later = leased.polls + 1
    return _PAUSES_S[later] if later < len(_PAUSES_S) else _LONGEST_PAUSE_S


def _bounded(pause_s: float) -> float:
    return min(max(pause_s, _SHORTEST_PAUSE_S), _LONGEST_PAUSE_S)
