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

from gateway.attempts import Attempts
from gateway.calls import OpenCall, SettleVerdict
from gateway.idempotency import LONGEST_ANSWER_BYTES, seal_answer
from gateway.operations.chat import ChatUsage
from gateway.outcomes import charge_ucr, end_state, is_payable, outcome_of, used_by_reply
from gateway.providers.base import Reply, UpstreamFailure, UpstreamInvalid, UpstreamTimeout
from gateway.quoting import ChatTask, HeldChat, hold_chat
from gateway.runtime import Runtime
from gateway.sending import Opened, ask, open_up
from gateway.statements import Outcome
from studio.core.errors import GatewayError

JSON_TYPE = "application/json"
STREAM_TYPE = "text/event-stream"
_LONGEST_STREAM_S = 3600
_USAGE_PATIENCE_S = 0.8


class ChatAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A finished chat. Amounts in µcr, `overhead_ms` is time not spent waiting for the provider.

    `remaining_ucr` is None where no credits are involved; `attempts` is how often it was sent.
    """

    body: bytes
    charged_ucr: int
    remaining_ucr: int | None
    overhead_ms: float
    sandbox: bool
    deprecation: str
    attempts: int


async def complete(runtime: Runtime, task: ChatTask) -> ChatAnswer:
    """Answer one chat in one piece; the settle has committed when this returns.

    Raises: what `hold_chat` raises (nothing held), UpstreamFailure (hold released, nothing
    charged), OutcomeUnknown.
    """
    held = await hold_chat(runtime, task)
    attempts = Attempts(runtime, held)
    _watch(runtime, held, relayed=lambda: 0)
    try:
        reply = await attempts.run(ask)
    except BaseException as error:
        # Also for a cancelled task and for a bug of ours: no answer, no charge.
        await _void(runtime, held, attempts, error)
        raise
    answered_s = time.perf_counter()
    try:
        settled = await _settle_reply(runtime, held, attempts, reply, answered_s)
    finally:
        runtime.desk.forget(task.id)
    overhead_s = time.perf_counter() - task.started_s - (answered_s - attempts.sent_s)
    return ChatAnswer(
        body=reply.body,
        charged_ucr=settled.charged_ucr,
        remaining_ucr=settled.available_ucr if held.paid else None,
        overhead_ms=overhead_s * 1000,
        sandbox=held.sandbox,
        deprecation=held.deprecation,
        attempts=attempts.number,
    )


async def open_stream(runtime: Runtime, task: ChatTask) -> "ChatRelay":
    """Begin a streamed chat: held, sent, and accepted by the provider, which sent its first bytes.

    Raises: what `hold_chat` raises, UpstreamFailure (hold released). Afterwards the relay must be
    finished.
    """
    held = await hold_chat(runtime, task)
    attempts = Attempts(runtime, held)
    _watch(runtime, held, relayed=lambda: 0)
    try:
        opened = await attempts.run(open_up)
    except BaseException as error:
        # Also for a cancelled task and for a bug of ours, as in `complete`.
        await _void(runtime, held, attempts, error)
        raise
    _watch(runtime, held, relayed=lambda: opened.stream.relayed_tokens)
    return ChatRelay(runtime, held, attempts, opened)


class ChatRelay:
    """A streamed chat under way.

    Iterate `chunks`, then call `finish` in any case, then send what it returns.
    """

    def __init__(
        self,
        runtime: Runtime,
        held: HeldChat,
        attempts: Attempts,
        opened: Opened,
    ) -> None:
        self.held = held
        self._runtime = runtime
        self._attempts = attempts
        self._first = opened.first
        self._stream = opened.stream
        self._response = opened.response
        self._first_s: float | None = None
        self._client_left = False
        self._delivered_tokens = 0
        self._broken: UpstreamFailure | None = None
        self._transcript: list[bytes] | None = [] if held.task.claim else None
        self._transcript_bytes = 0

    @property
    def overhead_ms(self) -> float:
        """What was added before the provider's first answer, in milliseconds."""
        return (self._attempts.sent_s - self.held.task.started_s) * 1000

    @property
    def attempts(self) -> int:
        """How often it was sent."""
        return self._attempts.number

    def client_left(self) -> None:
        """Note that nobody listens any more and drop the provider's connection within a second.

        The usage may be on its way just behind the last text; after the second it is not waited
        for.
        """
        if not self._client_left:
            self._client_left = True
            if self._first_s is not None:
                self._delivered_tokens = self._stream.relayed_tokens
            asyncio.get_running_loop().call_later(_USAGE_PATIENCE_S, self._response.close)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give bytes to relay as they come, until the provider ends, breaks off or the client
        leaves.

        Nothing is retried after the first byte: a break becomes the terminal error event of
        `finish`.
        """
        stream, response = self._stream, self._response
        relayed = self._first
        try:
            while True:
                if relayed and not self._client_left:
                    self._note(relayed)
                    yield relayed
                if stream.finished or stream.failure is not None:
                    break
                data = await response.read_some()
                if time.perf_counter() - self._attempts.sent_s > _LONGEST_STREAM_S:
                    raise UpstreamTimeout("The answer took longer than an hour.")
                if not data:
                    break
                relayed = stream.feed(data)
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
        closing = self._stream.closing_bytes(
            usage=usage,
            charge_ucr=charge_ucr(self.held, self._attempts, usage),
            failure=failure,
        )
        state, reason = end_state(failure, left=left, delivered=usage is not None)
        answer = None
        if whole and not self._client_left and self._transcript is not None:
            answer = seal_answer(b"".join([*self._transcript, closing]), call_id=self.held.task.id)
        outcome = outcome_of(
            self.held,
            self._attempts,
            usage,
            state=state,
            reason=reason,
            http_status=200,
            first_s=self._first_s,
            answer=answer,
            media_type=STREAM_TYPE,
            in_flight=left,
            counted_output_tokens=self._stream.relayed_tokens,
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
        counted = min(relayed, self._attempts.candidate.output_tokens)
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
    runtime: Runtime, held: HeldChat, attempts: Attempts, reply: Reply, answered_s: float
) -> SettleVerdict:
    usage = used_by_reply(held, attempts, reply)
    answer = None
    if held.task.claim is not None:
        answer = seal_answer(reply.body, call_id=held.task.id)
    return await runtime.desk.settle(
        outcome_of(
            held,
            attempts,
            usage,
            state="succeeded",
            reason="",
            http_status=200,
            first_s=answered_s,
            answer=answer,
            media_type=JSON_TYPE,
            counted_output_tokens=reply.counted_tokens if reply.usage is None else None,
        )
    )


async def _void(runtime: Runtime, held: HeldChat, attempts: Attempts, error: BaseException) -> None:
    """Release the hold of a call that delivered nothing; its Idempotency-Key is free again."""
    state, code, status = "failed", type(error).__name__, 500
    if isinstance(error, GatewayError):
        code, status = error.code, error.status
    cancelled = isinstance(error, asyncio.CancelledError)
    if cancelled or attempts.client_left:
        state = "cancelled"
        code = code if cancelled else "client_left"
    await runtime.desk.settle(
        outcome_of(
            held,
            attempts,
            None,
            state=state,
            reason=code,
            http_status=status,
            first_s=None,
            answer=None,
            media_type="",
            in_flight=cancelled,
        )
    )
