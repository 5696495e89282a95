"""The walk of an operation that is one question and one answer: hold, call once, settle, answer.

Exactly one route is called, and once. Vectors of another model cannot be compared with those a
caller has, so a second route would answer something else; and a secret that was given out twice is
paid for twice.

As with a chat, whatever happens between hold and settle, the call is settled once: here, or by the
resolver when this process is gone.
"""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

import msgspec

from gateway.breaker import Circuit
from gateway.calls import OpenCall
from gateway.idempotency import seal_answer
from gateway.providers.base import (
    UpstreamAnswer,
    UpstreamFailure,
    UpstreamOverloaded,
    UpstreamQuota,
    UpstreamTimeout,
)
from gateway.routing import RESTING
from gateway.runtime import Runtime
from gateway.single_quotes import Done, SingleQuote, SingleTask, Work, hold_single, target_of
from gateway.statements import Outcome
from gateway.telling import as_told
from gateway.transport import NotConnected, Upstream

JSON_TYPE = "application/json"
_LARGE_ANSWER_BYTES = 32 * 1024
"""From here on an answer is read in a thread: thousands of vectors take as long as many calls."""
_THREADS = ThreadPoolExecutor(max_workers=2, thread_name_prefix="large-answer")
"""Few, and nobody else's: they share the interpreter with the loop, and a large answer's memory."""

_SOON_S = 1
"""When to come back where nobody said it."""

_Answer = TypeVar("_Answer")
_replace = msgspec.structs.replace


class SingleAnswer(msgspec.Struct, Generic[_Answer], frozen=True, kw_only=True):
    """A finished call. Amounts in µcr; `remaining_ucr` is None where no wallet was asked.

    `overhead_ms` is time not spent waiting for the provider.
    """

    answer: _Answer
    charged_ucr: int
    remaining_ucr: int | None
    overhead_ms: float
    sandbox: bool
    deprecation: str


async def perform(runtime: Runtime, task: SingleTask, work: Work[_Answer]) -> SingleAnswer[_Answer]:
    """Answer one call; the settle has committed when this returns.

    Raises: what `hold_single` raises (nothing is held), UpstreamFailure (hold released, nothing
    charged), OutcomeUnknown.
    """
    quote = await hold_single(runtime, task, work)
    sent_s = time.perf_counter()
    _watch(runtime, task)
    try:
        done = await _ask(runtime, quote, work)
    except BaseException as error:
        # Also for a cancelled task and for a bug of ours: no answer, no charge.
        await runtime.desk.settle(_failed(task, work, quote, error, sent_s))
        raise
    answered_s = time.perf_counter()
    try:
        settled = await runtime.desk.settle(_succeeded(task, work, quote, done, sent_s))
    finally:
        runtime.desk.forget(task.id)
    overhead_s = time.perf_counter() - task.started_s - (answered_s - sent_s)
    return SingleAnswer(
        answer=done.answer,
        charged_ucr=settled.charged_ucr,
        remaining_ucr=settled.available_ucr if quote.billing == "credits" else None,
        overhead_ms=overhead_s * 1000,
        sandbox=quote.upstream.sandbox,
        deprecation=quote.resolution.deprecation_header(),
    )


def _watch(runtime: Runtime, task: SingleTask) -> None:
    runtime.desk.watch(
        OpenCall(
            id=task.id,
            workspace_id=task.caller.workspace_id,
            limiter_key=task.caller.limiter_key,
            born_s=time.monotonic(),
            relayed_tokens=lambda: 0,
        )
    )


async def _ask(runtime: Runtime, quote: SingleQuote, work: Work[_Answer]) -> Done[_Answer]:
    """Send the question, read the answer, and let the provider's circuit know how it went.

    Raises: UpstreamFailure, also if the whole takes longer than the work's patience.
    """
    if not quote.circuit.enter(quote.route.model):
        raise UpstreamOverloaded(RESTING, retry_after_s=_SOON_S)
    try:
        done = await _in_time(runtime, quote, work)
    except UpstreamFailure as failure:
        tell_circuit(quote.upstream, quote.circuit, quote.route.model, failure)
        raise as_told(quote.upstream, failure) from failure
    quote.circuit.succeeded()
    return done


async def _in_time(runtime: Runtime, quote: SingleQuote, work: Work[_Answer]) -> Done[_Answer]:
    try:
        async with asyncio.timeout(work.patience_s):
            return await _exchange(runtime, quote, work)
    except TimeoutError as error:
        raise UpstreamTimeout("The provider did not answer in time.") from error


async def _exchange(runtime: Runtime, quote: SingleQuote, work: Work[_Answer]) -> Done[_Answer]:
    provider = quote.upstream.provider
    target = target_of(quote.route)
    response = await runtime.transport.send(quote.upstream, work.build(provider, target))
    try:
        body = await response.read()
    except BaseException:
        response.close()
        raise
    answer = UpstreamAnswer(status=response.status, headers=response.headers, body=body)
    if len(body) < _LARGE_ANSWER_BYTES:
        return work.parse(provider, target, answer)
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_THREADS, work.parse, provider, target, answer)


def tell_circuit(
    upstream: Upstream, circuit: Circuit, model: str, failure: UpstreamFailure
) -> None:
    """Count a failure against the provider if it speaks against the provider as a whole."""
    status = failure.provider_status
    if isinstance(failure, UpstreamQuota) or status == 401:
        if not upstream.user_key:
            circuit.open_for(failure.retry_after_s)
    elif status == 429:
        circuit.rest(model, failure.retry_after_s or _SOON_S)
        circuit.succeeded()
    elif status is None or status >= 500 or status == 408:
        circuit.failed(connecting=isinstance(failure, NotConnected))
    else:
        circuit.succeeded()


def _succeeded(
    task: SingleTask, work: Work[_Answer], quote: SingleQuote, done: Done[_Answer], sent_s: float
) -> Outcome:
    """Say what an answered call is charged and recorded as; by a user's own key, with nothing."""
    used, paid = done.usage, quote.price if quote.billing == "credits" else None
    kept = work.kept(done.answer) if task.claim else None
    cost_ucr = used.provider_cost_ucr
    if cost_ucr is None and paid is not None:
        cost_ucr = paid.cost_ucr(used)
    outcome = _unanswered(task, work, quote, sent_s)
    return _replace(
        outcome,
        ledger_kind="usage",
        charge_ucr=paid.charge_ucr(used, quote.markup_bp) if paid else 0,
        cost_ucr=cost_ucr if paid and cost_ucr else 0,
        state="succeeded",
        http_status=200,
        input_tokens=used.input_tokens,
        usage_source=used.source,
        first_byte_ms=outcome.latency_ms,
        keep_answer=task.claim is not None,
        answer=seal_answer(kept, call_id=task.id) if kept is not None else None,
        answer_media_type=work.media_type if kept is not None else "",
        media_ms=work.media_ms,
    )


def _failed(
    task: SingleTask, work: Work[_Answer], quote: SingleQuote, error: BaseException, sent_s: float
) -> Outcome:
    """Release the hold of a call that delivered nothing; its Idempotency-Key is free again.

    One that was broken off is likely billed to us for its input: our loss, and visible.
    """
    outcome = _unanswered(task, work, quote, sent_s)
    if isinstance(error, UpstreamFailure):
        return _replace(outcome, reason=error.code, http_status=error.status)
    if not isinstance(error, asyncio.CancelledError):
        return _replace(outcome, reason=type(error).__name__)
    lost = quote.price if quote.billing == "credits" and work.estimate.input_tokens else None
    cost_ucr = lost.cost_ucr(work.estimate) if lost else 0
    return _replace(outcome, state="cancelled", reason="CancelledError", cost_ucr=cost_ucr)


def _unanswered(
    task: SingleTask, work: Work[_Answer], quote: SingleQuote, sent_s: float
) -> Outcome:
    """Give the outcome of a call that brought nothing; our own count stands beside it."""
    caller = task.caller
    elapsed_ms = round((time.perf_counter() - sent_s) * 1000)
    counted = work.estimate.input_tokens or None
    return Outcome(
        id=task.id,
        workspace_id=caller.workspace_id,
        ledger_kind="void",
        charge_ucr=0,
        cost_ucr=0,
        provider=quote.route.provider,
        model=quote.route.model,
        state="failed",
        reason="",
        http_status=500,
        input_tokens=0,
        cached_input_tokens=0,
        cache_write_tokens=0,
        output_tokens=0,
        reasoning_tokens=0,
        usage_source="none",
        latency_ms=elapsed_ms,
        first_byte_ms=None,
        billing=quote.billing,
        counted_input_tokens=counted,
        counted_output_tokens=None if counted is None else 0,
        capped=quote.billing == "credits"
        and caller.spend_cap_ucr is not None
        and caller.app_key_id is not None,
    )
