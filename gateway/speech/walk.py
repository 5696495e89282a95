"""The walk of one text to be spoken: look for it, hold, ask, relay, settle.

Whole in `synthesise`, as it comes in `open_speech_stream`. Whatever happens between hold and
settle, the call is settled once: here, or by the resolver when this process is gone. What is paid
for is what was relayed, rounded as providers bill: a request's characters once its sound is heard.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Protocol

import msgspec

from gateway.calls import OpenCall
from gateway.idempotency import LONGEST_ANSWER_BYTES, seal_answer
from gateway.operations.speech import SpeechUse
from gateway.providers.base import UpstreamFailure, UpstreamUnreachable
from gateway.runtime import Runtime
from gateway.sound.formats import media_type_of
from gateway.speech.answers import Speech, SpeechEnd, SpeechHead, head_of, nothing_of, whole_of
from gateway.speech.cache import LARGEST_SOUND_BYTES, KeptSound, SpeechCache
from gateway.speech.outcomes import ended, failed
from gateway.speech.quotes import SpeechQuote, SpeechTask, hold_speech, quote_speech
from gateway.speech.sending import SpeechSound
from studio.core.errors import GatewayError

_PIECE_BYTES = 64 * 1024
_LEFT = "The caller left."


class SpeechRelay(Protocol):
    """A sound under way: iterate `chunks`, then call `finish` in any case."""

    @property
    def head(self) -> SpeechHead:
        """What is known before it comes."""

    def client_left(self) -> None:
        """Note that nobody listens any more; the provider is left at once."""

    def chunks(self) -> AsyncGenerator[bytes, None]:
        """Give the sound as it comes, until its end, a break, or the client leaves."""

    async def finish(self) -> SpeechEnd:
        """Settle. Raises: OutcomeUnknown (the resolver settles from the last checkpoint)."""


Written = Callable[[Speech], Awaitable[tuple[bytes, str]]]
"""Writes the answer that an Idempotency-Key keeps: its bytes and its media type."""


async def synthesise(
    runtime: Runtime, task: SpeechTask, *, written: Written | None = None
) -> Speech:
    """Speak one text and give the whole sound; the settle has committed when this returns.

    A client that leaves changes nothing: the provider bills the text once it was sent. Where it is
    spoken again it is found as it was kept, for nothing.

    Raises: what `quote_speech` and `hold_speech` raise (nothing held), UpstreamFailure and what
    `written` raises (hold released, nothing charged), OutcomeUnknown.
    """
    quote = quote_speech(runtime, task)
    cache = SpeechCache(runtime)
    kept = await cache.find(quote)
    if kept is not None:
        return await _again(cache, quote, kept)
    await hold_speech(runtime, quote)
    _watch(runtime, quote, relayed=lambda: 0)
    sound = SpeechSound(runtime, quote)
    answer = media_type = None
    try:
        data = await _collected(sound)
        speech = whole_of(quote, sound, data, time.perf_counter())
        if task.claim is not None and written is not None:
            body, media_type = await written(speech)
            answer = seal_answer(body, call_id=task.id)
    except BaseException as error:
        # Also for a cancelled task and for a bug of ours: nothing was given, nothing is paid.
        sound.close()
        await runtime.desk.settle(failed(quote, sound, error))
        raise
    try:
        settled = await runtime.desk.settle(
            ended(quote, sound, failure=None, left=False, answer=answer, media_type=media_type)
        )
    finally:
        runtime.desk.forget(task.id)
        sound.close()
    await cache.keep(quote, data, media_ms=speech.media_ms)
    paid = quote.billing == "credits"
    return msgspec.structs.replace(
        speech,
        charged_ucr=settled.charged_ucr,
        remaining_ucr=settled.available_ucr if paid else None,
    )


async def open_speech_stream(runtime: Runtime, task: SpeechTask) -> SpeechRelay:
    """Begin a sound: held, sent, and its first sound is here; or found, as it was made before.

    Raises: what `quote_speech` and `hold_speech` raise, UpstreamFailure (hold released). Afterwards
    the relay must be finished.
    """
    quote = quote_speech(runtime, task)
    cache = SpeechCache(runtime)
    kept = await cache.find(quote)
    if kept is not None:
        return _KeptRelay(cache, quote, kept)
    await hold_speech(runtime, quote)
    _watch(runtime, quote, relayed=lambda: 0)
    sound = SpeechSound(runtime, quote)
    try:
        await _open_unless_left(sound)
    except BaseException as error:
        # Also for a cancelled task and for a bug of ours, as in `synthesise`.
        sound.close()
        await runtime.desk.settle(failed(quote, sound, error))
        raise
    _watch(runtime, quote, relayed=lambda: sound.relayed_units)
    return _SentRelay(runtime, cache, quote, sound)


class _SentRelay:
    """A sound that a provider makes now."""

    def __init__(
        self, runtime: Runtime, cache: SpeechCache, quote: SpeechQuote, sound: SpeechSound
    ) -> None:
        self.head = head_of(quote, sound)
        self._runtime = runtime
        self._cache = cache
        self._quote = quote
        self._sound = sound
        self._client_left = False
        self._broken: GatewayError | None = None
        self._copy: list[bytes] | None = None
        self._copied_bytes = 0
        self._most_copied_bytes = 0
        if quote.task.claim is not None:
            self._most_copied_bytes = LONGEST_ANSWER_BYTES
        if cache.wants(quote):
            self._most_copied_bytes = LARGEST_SOUND_BYTES
        if self._most_copied_bytes:
            self._copy = []

    def client_left(self) -> None:
        """Note that nobody listens any more; the provider is left at once."""
        self._client_left = True
        self._sound.close()

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Give the sound as it comes; what breaks it off is told by `finish`."""
        task_id = self._quote.task.id
        try:
            async with contextlib.aclosing(self._sound.chunks()) as chunks:
                async for data in chunks:
                    if self._client_left:
                        break
                    self._runtime.desk.progressed(task_id, self._sound.relayed_units)
                    self._keep_copy(data)
                    yield data
        except GatewayError as failure:
            self._broken = failure

    async def finish(self) -> SpeechEnd:
        """Settle; a whole sound is then kept for the next time."""
        sound, quote = self._sound, self._quote
        left = self._client_left and not sound.whole
        failure = None if left else self._failure()
        copy = b"".join(self._copy or ()) if sound.whole and not self._client_left else b""
        try:
            answer = None
            if quote.task.claim is not None and 0 < len(copy) <= LONGEST_ANSWER_BYTES:
                answer = seal_answer(copy, call_id=quote.task.id)
            outcome = ended(
                quote,
                sound,
                failure=failure,
                left=left,
                answer=answer,
                media_type=media_type_of(quote.request.format) if answer else None,
            )
            settled = await self._runtime.desk.settle(outcome)
        finally:
            self._runtime.desk.forget(quote.task.id)
            sound.close()
        if copy:
            await self._cache.keep(quote, copy, media_ms=sound.media_ms)
        return SpeechEnd(
            use=sound.used() or SpeechUse(source="none"),
            media_ms=sound.media_ms,
            charged_ucr=settled.charged_ucr,
            failure=failure,
        )

    def _keep_copy(self, data: bytes) -> None:
        """Remember what passes by, until it is more than anybody would keep."""
        if self._copy is None:
            return
        self._copied_bytes += len(data)
        self._copy.append(data)
        if self._copied_bytes > self._most_copied_bytes:
            self._copy = None

    def _failure(self) -> GatewayError | None:
        if self._broken is not None or self._sound.whole:
            return self._broken
        return UpstreamUnreachable("The provider broke off its answer.")


class _KeptRelay:
    """A sound that was made before."""

    def __init__(self, cache: SpeechCache, quote: SpeechQuote, kept: KeptSound) -> None:
        self._cache = cache
        self._quote = quote
        self._kept = kept
        self._left = False
        self._found_s = time.perf_counter()
        self.head = msgspec.structs.replace(
            head_of(quote, None), overhead_ms=(self._found_s - quote.task.started_s) * 1000
        )

    def client_left(self) -> None:
        """Note that nobody listens any more."""
        self._left = True

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Give the sound in pieces."""
        data = self._kept.data
        for start in range(0, len(data), _PIECE_BYTES):
            if self._left:
                return
            yield data[start : start + _PIECE_BYTES]

    async def finish(self) -> SpeechEnd:
        """Record that it was given again."""
        latency_ms = round((self._found_s - self._quote.task.started_s) * 1000)
        await self._cache.given(self._quote, self._kept, latency_ms=latency_ms)
        return SpeechEnd(
            use=nothing_of(self._quote, self._kept),
            media_ms=self._kept.media_ms,
            charged_ucr=0,
            failure=None,
        )


async def _collected(sound: SpeechSound) -> bytes:
    await sound.open()
    return b"".join([data async for data in sound.chunks()])


async def _open_unless_left(sound: SpeechSound) -> None:
    """Wait for the first sound until the client leaves, which ends it.

    Raises: UpstreamFailure, also where the client left: nothing was given to anybody.
    """
    client_left = sound.quote.task.client_left
    if client_left is None:
        await sound.open()
        return
    opening = asyncio.ensure_future(sound.open())
    watching = asyncio.ensure_future(client_left())
    try:
        await asyncio.wait({opening, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not opening.done():
            raise ClientGone(_LEFT)
        opening.result()
    finally:
        for task in (opening, watching):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, GatewayError):
                await task


class ClientGone(UpstreamFailure):
    """The caller left before there was anything to give."""

    code = "client_left"
    status = 499


def _watch(runtime: Runtime, quote: SpeechQuote, *, relayed: Callable[[], int]) -> None:
    task = quote.task
    runtime.desk.watch(
        OpenCall(
            id=task.id,
            workspace_id=task.caller.workspace_id,
            limiter_key=task.caller.limiter_key,
            born_s=time.monotonic(),
            relayed_tokens=relayed,
        )
    )


async def _again(cache: SpeechCache, quote: SpeechQuote, kept: KeptSound) -> Speech:
    """Give a sound that was made before; it costs nothing, and is recorded."""
    found_s = time.perf_counter() - quote.task.started_s
    await cache.given(quote, kept, latency_ms=round(found_s * 1000))
    return Speech(
        data=kept.data,
        format=quote.request.format,
        media_ms=kept.media_ms,
        use=nothing_of(quote, kept),
        provider=quote.route.provider,
        model=quote.route.model,
        voice=quote.request.voice,
        charged_ucr=0,
        remaining_ucr=None,
        cached=True,
        sandbox=quote.upstream.sandbox,
        deprecation=quote.deprecation,
        overhead_ms=found_s * 1000,
        attempts=0,
    )
