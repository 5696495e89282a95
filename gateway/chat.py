"""The walk of one chat: hold, call, settle, answer.

Plain in `complete`, streamed in `open_stream` and `ChatRelay`.

No HTTP of ours in here: callers get an answer or a relay, and errors from the one tree. Whatever
happens between hold and settle, the call is settled once: here, or by the resolver when this
process is gone.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import msgspec

from gateway.calls import OpenCall, SettleVerdict
from gateway.idempotency import LONGEST_ANSWER_BYTES, seal_answer
from gateway.operations.chat import ChatUsage
from gateway.outcomes import end_state, is_payable, outcome_of, used_by_reply
from gateway.providers.base import (
    ChatStream,
    Reply,
    Target,
    UpstreamAnswer,
    UpstreamFailure,
    UpstreamInvalid,
    UpstreamResponse,
    UpstreamTimeout,
)
from gateway.quoting import ChatTask, HeldChat, hold_chat
from gateway.runtime import Runtime
from gateway.statements import Outcome
from studio.core.errors import GatewayError

JSON_TYPE = "application/json"
STREAM_TYPE = "text/event-stream"
_LONGEST_STREAM_S = 3600
_USAGE_PATIENCE_S = 0.8


class ChatAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A finished chat. Amounts in µcr, `overhead_ms` is time not spent waiting for the provider."""

    body: bytes
    charged_ucr: int
    remaining_ucr: int
    overhead_ms: float
    sandbox: bool
    deprecation: str


async def complete(runtime: Runtime, task: ChatTask) -> ChatAnswer:
    """Answer one chat in one piece; the settle has committed when this returns.

    Raises: what `hold_chat` raises (nothing held), UpstreamFailure (hold released, nothing
    charged), OutcomeUnknown.
    """
    held = await hold_chat(runtime, task)
    sent_s = time.perf_counter()
    _watch(runtime, held, relayed=lambda: 0)
    try:
        reply = await _call(runtime, held)
    except BaseException as error:
        # Also for a cancelled task and for a bug of ours: no answer, no charge.
        await _void(runtime, held, error, sent_s)
        raise
    answered_s = time.perf_counter()
    try:
        settled = await _settle_reply(runtime, held, reply, sent_s, answered_s)
    finally:
        runtime.desk.forget(task.id)
    overhead_s = time.perf_counter() - task.started_s - (answered_s - sent_s)
    return ChatAnswer(
        body=reply.body,
        charged_ucr=settled.charged_ucr,
        remaining_ucr=settled.available_ucr,
        overhead_ms=overhead_s * 1000,
        sandbox=held.priced.upstream.sandbox,
        deprecation=held.deprecation,
    )


async def open_stream(runtime: Runtime, task: ChatTask) -> "ChatRelay":
    """Begin a streamed chat: held, sent, and accepted by the provider.

    Raises: what `hold_chat` raises, UpstreamFailure (hold released). Afterwards the relay must be
    finished.
    """
    held = await hold_chat(runtime, task)
    sent_s = time.perf_counter()
    provider = held.priced.upstream.provider
    target = _target(held)
    stream = provider.open_chat_stream(task.request, target)
    _watch(runtime, held, relayed=lambda: stream.relayed_tokens)
    try:
        request = provider.build_chat(task.request, target)
        response = await runtime.transport.send(held.priced.upstream, request)
        if response.status != 200:
            body = await response.read()
            raise provider.parse_error(response.status, response.headers, body)
    except BaseException as error:
        # Also for a cancelled task and for a bug of ours, as in `complete`.
        await _void(runtime, held, error, sent_s)
        raise
    return ChatRelay(runtime, held, stream, response, sent_s)


class ChatRelay:
    """A streamed chat under way.

    Iterate `chunks`, then call `finish` in any case, then send what it returns.
    """

    def __init__(
        self,
        runtime: Runtime,
        held: HeldChat,
        stream: ChatStream,
        response: UpstreamResponse,
        sent_s: float,
    ) -> None:
        self.held = held
        self.opened_s = time.perf_counter()
        self._runtime = runtime
        self._stream = stream
        self._response = response
        self._sent_s = sent_s
        self._first_s: float | None = None
        self._client_left = False
        self._delivered_tokens = 0
        self._broken: UpstreamFailure | None = None
        self._transcript: list[bytes] | None = [] if held.task.claim else None
        self._transcript_bytes = 0

    @property
    def overhead_ms(self) -> float:
        """What was added before the provider's first answer, in milliseconds."""
        return (self._sent_s - self.held.task.started_s) * 1000

    def client_left(self) -> None:
        """Note that nobody listens any more and drop the provider's connection within a second.

        The usage may be on its way just behind the last text; after the second it is not waited
        for.
        """
        if not self._client_left:
            self._client_left = True
            self._delivered_tokens = self._stream.relayed_tokens
            asyncio.get_running_loop().call_later(_USAGE_PATIENCE_S, self._response.close)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give bytes to relay as they come, until the provider ends, breaks off or the client
        leaves.

        Nothing is retried after the first byte: a break becomes the terminal error event of
        `finish`.
        """
        stream, response = self._stream, self._response
        try:
            while True:
                data = await response.read_some()
                if time.perf_counter() - self._sent_s > _LONGEST_STREAM_S:
                    raise UpstreamTimeout("The answer took longer than an hour.")
                if not data:
                    break
                relayed = stream.feed(data)
                if relayed and not self._client_left:
                    self._note(relayed)
                    yield relayed
                if stream.finished or stream.failure is not None:
                    break
        except UpstreamFailure as failure:
            self._broken = failure

    async def finish(self) -> bytes:
        """Settle, then give the last bytes: usage, a terminal error if there was one, `[DONE]`.

        Raises: OutcomeUnknown (the resolver settles from the last checkpoint).
        """
        failure = self._stream.failure
        if failure is None and not self._client_left and not self._ended():
            failure = self._broken or UpstreamInvalid("The provider ended its answer early.")
        if failure is not None:
            self._response.close()
        try:
            outcome, closing = self._outcome(failure)
            await self._runtime.desk.settle(outcome)
        finally:
            self._runtime.desk.forget(self.held.task.id)
            self._let_go()
        return closing

    def unsettled_bytes(self, error: GatewayError) -> bytes:
        """Give the last bytes of a stream that could not be settled: an error, no `[DONE]`."""
        return self._stream.closing_bytes(
            usage=None, charge_ucr=0, failure=UpstreamInvalid(error.message)
        )

    def _ended(self) -> bool:
        """Tell a whole answer from a cut one: not every provider says `[DONE]`."""
        single = (self.held.task.request.n or 1) == 1
        return self._stream.finished or (single and self._stream.finish_reason is not None)

    def _let_go(self) -> None:
        """Keep the provider's connection for the next call if its answer was read to the end.

        Asked after the settle, by when the end of the body has come in behind `[DONE]`.
        """
        if self._response.at_end():
            self._response.release()
        else:
            self._response.close()

    def _outcome(self, failure: UpstreamFailure | None) -> tuple[Outcome, bytes]:
        whole = failure is None and self._ended()
        left = self._client_left and not whole
        usage = self._usage(complete=whole)
        price, markup_bp = self.held.price, self.held.task.caller.markup_bp
        charge_ucr = price.charge_ucr(usage, markup_bp) if usage else 0
        closing = self._stream.closing_bytes(usage=usage, charge_ucr=charge_ucr, failure=failure)
        state, reason = end_state(failure, left=left, delivered=usage is not None)
        answer = None
        if whole and not self._client_left and self._transcript is not None:
            answer = seal_answer(b"".join([*self._transcript, closing]), call_id=self.held.task.id)
        outcome = outcome_of(
            self.held,
            usage,
            state=state,
            reason=reason,
            http_status=200,
            sent_s=self._sent_s,
            first_s=self._first_s,
            answer=answer,
            media_type=STREAM_TYPE,
            keep_answer=not self._client_left,
        )
        return outcome, closing

    def _usage(self, *, complete: bool) -> ChatUsage | None:
        """Give what was used, or None if there is nothing to pay for.

        Of a whole answer the provider's figure counts, also where the caller left just before its
        end; of a broken one at least what was delivered, and nothing if nothing was.
        """
        reported = self._stream.usage
        relayed = self._delivered_tokens if self._client_left else self._stream.relayed_tokens
        if complete and reported is not None and relayed:
            return reported
        if relayed == 0:
            paid = complete and is_payable(
                reported, delivered=False, finish_reason=self._stream.finish_reason
            )
            return reported if paid else None
        counted = min(relayed, self.held.output_ceiling)
        if reported is not None:
            output_tokens = max(reported.output_tokens, counted)
            return msgspec.structs.replace(reported, output_tokens=output_tokens)
        return ChatUsage(
            input_tokens=self.held.input_estimate, output_tokens=counted, source="counted"
        )

    def _note(self, relayed: bytes) -> None:
        """Keep account of what goes out: the first moment, the checkpoint, the stored answer."""
        if self._first_s is None:
            self._first_s = time.perf_counter()
        self._runtime.desk.progressed(self.held.task.id, self._stream.relayed_tokens)
        if self._transcript is not None:
            self._transcript_bytes += len(relayed)
            if self._transcript_bytes <= LONGEST_ANSWER_BYTES:
                self._transcript.append(relayed)
            else:
                self._transcript = None


async def _call(runtime: Runtime, held: HeldChat) -> Reply:
    upstream = held.priced.upstream
    target = _target(held)
    request = upstream.provider.build_chat(held.task.request, target)
    response = await runtime.transport.send(upstream, request)
    answer = UpstreamAnswer(
        status=response.status, headers=response.headers, body=await response.read()
    )
    return upstream.provider.parse_chat(held.task.request, target, answer)


def _target(held: HeldChat) -> Target:
    route = held.priced.route
    return Target(
        model=route.model,
        max_output_tokens=held.max_tokens,
        drop_parameters=route.drop_parameters,
        answer_id=f"chatcmpl-{held.task.id}",
        created_s=int(time.time()),
    )


def _watch(runtime: Runtime, held: HeldChat, *, relayed: Callable[[], int]) -> None:
    task = held.task
    runtime.desk.watch(
        OpenCall(
            id=task.id,
            workspace_id=task.caller.workspace_id,
            limiter_key=task.caller.limiter_key,
            born_s=time.monotonic(),
            relayed_tokens=relayed,
        )
    )


async def _settle_reply(
    runtime: Runtime, held: HeldChat, reply: Reply, sent_s: float, answered_s: float
) -> SettleVerdict:
    usage = used_by_reply(held, reply)
    answer = None
    if held.task.claim is not None:
        answer = seal_answer(reply.body, call_id=held.task.id)
    return await runtime.desk.settle(
        outcome_of(
            held,
            usage,
            state="succeeded",
            reason="",
            http_status=200,
            sent_s=sent_s,
            first_s=answered_s,
            answer=answer,
            media_type=JSON_TYPE,
        )
    )


async def _void(runtime: Runtime, held: HeldChat, error: BaseException, sent_s: float) -> None:
    """Release the hold of a call that delivered nothing; its Idempotency-Key is free again."""
    cancelled = isinstance(error, asyncio.CancelledError)
    code, status = type(error).__name__, 500
    if isinstance(error, UpstreamFailure):
        code, status = error.code, error.status
    await runtime.desk.settle(
        outcome_of(
            held,
            None,
            state="cancelled" if cancelled else "failed",
            reason=code,
            http_status=status,
            sent_s=sent_s,
            first_s=None,
            answer=None,
            media_type="",
        )
    )
