"""Sending a run to a provider: at most once for each time it is certain that nothing was begun.

What was refused before anything was begun may be sent again, there or by the job's next route. Once
it may have been begun, it never is: the run is `unknown` and waits three minutes for the provider's
own word, then fails; nothing is charged, and what the provider may bill is our loss.
"""

from gateway.attempts import FailedAttempt
from gateway.errors import NoProvider, UserKeyRefused, UserQuotaExceeded
from gateway.jobs import transitions
from gateway.jobs.asked import asked_use, unseal_request
from gateway.jobs.circuits import circuits
from gateway.jobs.ending import Failure, RunEnd, failure_of, finish_run
from gateway.jobs.exchange import submit
from gateway.jobs.leases import Leased
from gateway.jobs.own_work import is_ours, make_here
from gateway.jobs.patience import patiently
from gateway.jobs.polling import take
from gateway.jobs.pricing import charge_and_cost_ucr
from gateway.jobs.quoting import deadline_s
from gateway.jobs.workshop import (
    Work,
    give_back_connection,
    long_calls,
    work_of,
)
from gateway.media.errors import InputGone, StorageUnavailable
from gateway.media.inputs import with_data
from gateway.models import JobRun
from gateway.providers.base import (
    UpstreamError,
    UpstreamFailure,
    UpstreamOverloaded,
    UpstreamQuota,
    UpstreamRefused,
    UpstreamRequest,
)
from gateway.routing import RESTING
from gateway.telling import as_told
from gateway.transport import NotConnected, Upstream
from studio.core.errors import InvalidRequest

UNKNOWN_FOR_S = 180
_LONG_S = 60
"""A submission that may take longer needs a place for long calls."""
_NO_PLACE_PAUSE_S = 1.0
_MOST_ATTEMPTS = 4
_PAUSES_S = (1, 3, 9)
_LONGEST_PAUSE_S = 60
_LONGEST_REST_S = 15.0
_OVERLOADED = 503
"""The one status from 500 up that says that nothing was begun. Source: RFC 9110, 15.6.4."""
UNKNOWN = Failure(
    code="outcome_unknown",
    text="The provider did not say whether it did this. Nothing was charged.",
    status=502,
)


def submit_run(leased: Leased) -> None:
    """Send a queued run, and take what comes of it; what we do ourselves is done at once."""
    if is_ours(leased):
        make_here(leased)
        return
    try:
        work = work_of(leased)
    except NoProvider as error:
        gone = UpstreamError(error.message)
        _send_elsewhere(leased, gone, told=gone, begun=False)
        return
    circuit = circuits.circuit(work.upstream)
    long = work.provider.patience_s(work.request, work.target) > _LONG_S
    with long_calls.place(needed=long) as granted:
        if not granted:
            transitions.postpone(leased, in_s=_NO_PLACE_PAUSE_S)
        elif not circuit.enter(leased.route.model):
            _let_rest(leased, circuit.wait_s(leased.route.model))
        else:
            _submit(work)


def find_lost(leased: Leased) -> None:
    """Decide about a run whose worker died while it may have been sending; if the provider has told
    us its id, it was begun.
    """
    if leased.upstream_id:
        transitions.note_accepted(leased, leased.upstream_id, ask_in_s=0)
    elif leased.calls_back and leased.submitted_ago_s < UNKNOWN_FOR_S:
        transitions.note_unknown(leased, look_in_s=UNKNOWN_FOR_S - leased.submitted_ago_s)
    else:
        give_up(leased)


def look_again(leased: Leased) -> None:
    """Go on with an unknown run if the provider told us which it is; else give it up in time."""
    if leased.upstream_id:
        transitions.note_accepted(leased, leased.upstream_id, ask_in_s=0)
    elif leased.submitted_ago_s < UNKNOWN_FOR_S:
        transitions.postpone(leased, in_s=UNKNOWN_FOR_S - leased.submitted_ago_s)
    else:
        give_up(leased)


def give_up(leased: Leased, failure: Failure = UNKNOWN) -> None:
    """End a run that was sent and of which nothing came: free for the caller, a loss for us."""
    request = unseal_request(leased.request, leased.operation, leased.job_id)
    _, cost_ucr = charge_and_cost_ucr(leased, asked_use(request, leased.item_count))
    end = RunEnd(state=JobRun.State.FAILED, failure=failure, cost_ucr=cost_ucr)
    finish_run(leased.run_id, leased.job_id, leased.fence, end)


def _submit(work: Work) -> None:
    leased, provider = work.leased, work.provider
    try:
        written = _written(work)
    except InvalidRequest as error:
        _fail(leased, UpstreamRefused(error.message, details=error.details))
        return
    except InputGone as error:
        _end(leased, failure_of(error))
        return
    except StorageUnavailable:
        transitions.postpone(leased, in_s=_NO_PLACE_PAUSE_S)
        return
    if not transitions.begin_submission(leased, calls_back=bool(work.target.callback_url)):
        return
    give_back_connection()
    patience_s = provider.patience_s(work.request, work.target)
    try:
        answer = submit(work.upstream, written, patience_s=patience_s)
        progress = provider.parse_submission(work.request, work.target, answer)
    except UpstreamFailure as failure:
        _tell_circuit(work.upstream, leased, failure)
        fault = failure
        patiently(lambda: _judge(work, fault))
        return
    circuits.circuit(work.upstream).succeeded()
    patiently(lambda: take(work, progress))


def _written(work: Work) -> UpstreamRequest:
    """Write the submission; the bytes of pictures that were sent in are in memory for no longer.

    Raises: InvalidRequest, InputGone, StorageUnavailable.
    """
    whole = with_data(work.request, workspace_id=work.leased.workspace_id)
    return work.provider.build_submission(whole, work.target)


def _judge(work: Work, failure: UpstreamFailure) -> None:
    """Decide what a failed submission means: send it again, fail, or nobody knows."""
    leased = work.leased
    told = as_told(work.upstream, failure)
    if _is_unsure(failure):
        if work.target.callback_url:
            transitions.note_unknown(leased, look_in_s=UNKNOWN_FOR_S)
        elif failure.provider_status is None:
            give_up(leased)
        else:
            give_up(leased, failure_of(told))
    elif isinstance(told, UpstreamRefused | UserKeyRefused | UserQuotaExceeded):
        _fail(leased, told)
    else:
        _send_elsewhere(leased, failure, told=told, begun=True)


def _is_unsure(failure: UpstreamFailure) -> bool:
    """Tell whether the provider may have begun: it was sent, and no refusal came back.

    An error of the server is none: a gateway before it, or a step after the beginning, may have
    failed.
    """
    if isinstance(failure, NotConnected | UpstreamRefused | UpstreamQuota | UpstreamOverloaded):
        return False
    status = failure.provider_status
    if not isinstance(failure, UpstreamError):
        return True
    return status is not None and status >= 500 and status != _OVERLOADED


def _let_rest(leased: Leased, wait_s: float) -> None:
    """Go to the next route while this one's provider is left alone, or wait; nobody was asked."""
    resting = UpstreamOverloaded(RESTING)
    if leased.route_position + 1 < len(leased.routes):
        _send_elsewhere(leased, resting, told=resting, begun=False)
    else:
        transitions.postpone(leased, in_s=min(max(wait_s, _PAUSES_S[0]), _LONGEST_REST_S))


def _send_elsewhere(
    leased: Leased, failure: UpstreamFailure, *, told: UpstreamFailure, begun: bool
) -> None:
    """Send a run again by this route or the next, or fail it if there were enough attempts.

    `told` is the failure as its caller reads it. `begun` is whether an attempt was counted.
    """
    attempts = leased.attempts + begun
    position, pause_s = _next_place(leased, failure)
    late = position is None or leased.left_s < pause_s + _PAUSES_S[0]
    if position is None or late or attempts >= _MOST_ATTEMPTS:
        _fail(leased, told)
        return
    failed = FailedAttempt(
        provider=leased.route.provider,
        model=leased.route.model,
        code=failure.code,
        status=failure.provider_status,
        after_ms=max(0, round(1000 * (deadline_s(leased.operation) - leased.left_s))),
    )
    transitions.send_again(leased, failed, route_position=position, in_s=pause_s)


def _next_place(leased: Leased, failure: UpstreamFailure) -> tuple[int | None, float]:
    """Choose the route's place and the pause: the next route at once, else this one later."""
    if leased.route_position + 1 < len(leased.routes):
        return leased.route_position + 1, 0.0
    if not (isinstance(failure, NotConnected) or failure.retryable):
        return None, 0.0
    guessed_s = _PAUSES_S[min(leased.attempts, len(_PAUSES_S) - 1)]
    return leased.route_position, float(min(failure.retry_after_s or guessed_s, _LONGEST_PAUSE_S))


def _fail(leased: Leased, failure: UpstreamFailure) -> None:
    _end(leased, failure_of(failure))


def _end(leased: Leased, failure: Failure) -> None:
    end = RunEnd(state=JobRun.State.FAILED, failure=failure)
    finish_run(leased.run_id, leased.job_id, leased.fence, end)


def _tell_circuit(upstream: Upstream, leased: Leased, failure: UpstreamFailure) -> None:
    """Count a failure against the provider if it speaks against the provider as a whole."""
    circuit, status = circuits.circuit(upstream), failure.provider_status
    if isinstance(failure, UpstreamQuota) or status == 401:
        circuit.open_for(failure.retry_after_s)
    elif status == 429:
        circuit.rest(leased.route.model, failure.retry_after_s or _PAUSES_S[0])
    elif isinstance(failure, NotConnected) or status is None or status >= 500:
        circuit.failed(connecting=isinstance(failure, NotConnected))
    else:
        circuit.succeeded()
