"""The sound of one held text: its pieces asked for in order, the next one while the last is heard.

A piece is asked for once more if its first try cannot have been billed (within the process's
budget of retries); once its sound comes nothing is repeated.
"""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import msgspec

from gateway.attempts import FailedAttempt
from gateway.operations.speech import SpeechRequest, SpeechUse
from gateway.providers.base import (
    UpstreamError,
    UpstreamFailure,
    UpstreamInvalid,
    UpstreamOverloaded,
    UpstreamResponse,
    UpstreamTimeout,
)
from gateway.providers.speech import SpeechStream
from gateway.routing import RESTING
from gateway.runtime import Runtime
from gateway.single import tell_circuit
from gateway.sound.measuring import SoundMeter
from gateway.speech.pieces import Plan, Shaper, plan
from gateway.speech.quotes import TOKENS_PER_S, SpeechQuote, text_tokens
from gateway.telling import as_told
from gateway.transport import NotConnected

_FIRST_SOUND_S = 60.0
_LONGEST_S = 1800.0
_LONGEST_WAIT_S = 2
"""A provider that says "later" is waited for no longer than this."""
_PAUSE_S = (0.05, 0.3)
_SOON_S = 1
_MS_PER_S = 1000
_THREADS = ThreadPoolExecutor(max_workers=2, thread_name_prefix="speech")
"""For joining and encoding, which FFmpeg does beside the interpreter."""


class _Opened(msgspec.Struct, frozen=True):
    """An accepted piece, and its first sound."""

    piece: SpeechRequest
    stream: SpeechStream
    response: UpstreamResponse
    first: bytes


class SpeechSound:
    """One held text becoming sound: `open` it, iterate `chunks`, `close` it in any case.

    `attempts` is how often a provider was asked beyond one for each piece, plus one; `sent_s` when
    it was first asked, `first_s` when the first sound was given out (perf_counter readings).
    """

    def __init__(self, runtime: Runtime, quote: SpeechQuote) -> None:
        self.quote = quote
        self.plan: Plan = plan(quote.provider, quote.request, quote.target)
        self.attempts = 1
        self.failed: tuple[FailedAttempt, ...] = ()
        self.sent_s = time.perf_counter()
        self.first_s: float | None = None
        self.whole = False
        self._runtime = runtime
        self._shaper: Shaper | None = None
        self._meter = SoundMeter(self.plan.format)
        self._first: _Opened | None = None
        self._opened: list[_Opened] = []
        self._fed = 0
        self._relayed = 0
        self._coming: asyncio.Task[_Opened] | None = None
        self._closed = False

    @property
    def media_ms(self) -> int:
        """How long the sound plays that was given out so far."""
        return self._meter.duration_ms

    @property
    def relayed_units(self) -> int:
        """What of the sound given out so far is billed: the characters of each piece that is heard,
        or tokens of sound where the model bills those.
        """
        if not self._relayed:
            return 0
        if self.quote.by_tokens:
            return max(1, self.media_ms * TOKENS_PER_S // _MS_PER_S)
        return _characters(self.plan.pieces[: self._relayed])

    @property
    def begun(self) -> SpeechUse:
        """What the provider was at work on: each piece that it accepted."""
        pieces = tuple(opened.piece for opened in self._opened)
        return SpeechUse(character_count=_characters(pieces), input_tokens=self._tokens(pieces))

    def used(self) -> SpeechUse | None:
        """Give what is to be paid for of the sound given out; None if there was none.

        Of a whole sound the provider's own figure counts, where it told one for each piece.
        """
        if not self._relayed:
            return None
        pieces = self.plan.pieces[: self._relayed]
        counted = SpeechUse(character_count=_characters(pieces), media_ms=self.media_ms)
        if not self.quote.by_tokens:
            return counted
        told = [opened.stream.use for opened in self._opened]
        known = [use for use in told if use is not None]
        if self.whole and len(known) == len(self.plan.pieces):
            return msgspec.structs.replace(
                counted,
                input_tokens=sum(use.input_tokens for use in known),
                output_tokens=sum(use.output_tokens for use in known),
                source="provider",
            )
        return msgspec.structs.replace(
            counted, input_tokens=self._tokens(pieces), output_tokens=self.relayed_units
        )

    async def open(self) -> None:
        """Ask for the first piece and wait for its first sound. Raises: UpstreamFailure."""
        self._runtime.retry_budget.count_call()
        self.sent_s = time.perf_counter()
        self._first = await self._open_piece(0)

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Give the sound as it comes, until its end. Raises: UpstreamFailure."""
        opened = self._first
        assert opened is not None, "opened"
        for at in range(len(self.plan.pieces)):
            if at:
                opened = await self._next_piece()
            self._prefetch(at + 1)
            async for sound in self._sound_of(opened):
                self._fed = at + 1
                made = await self._shaped(sound)
                if made:
                    self._note(made)
                    yield made
        rest = await self._rest()
        self.whole = True
        if rest:
            self._note(rest)
        self._meter.finish()
        if rest:
            yield rest

    def close(self) -> None:
        """Let go of the provider: connections whose answer is whole serve the next call."""
        self._closed = True
        coming = self._coming
        if coming is not None and not coming.cancel() and not coming.cancelled():
            coming.exception()  # nobody wants to hear of it any more
        for opened in self._opened:
            opened.response.close()

    async def _sound_of(self, opened: _Opened) -> AsyncIterator[bytes]:
        stream, response = opened.stream, opened.response
        sound = opened.first
        while True:
            if sound:
                yield sound
            if stream.finished or stream.failure is not None:
                break
            data = await response.read_some()
            if time.perf_counter() - self.sent_s > _LONGEST_S:
                raise UpstreamTimeout("The sound took longer than half an hour.")
            if not data:
                stream.end()
                break
            sound = stream.feed(data)
        if stream.failure is not None:
            raise stream.failure

    async def _shaped(self, sound: bytes) -> bytes:
        if not self.plan.shaped:
            return sound
        return await asyncio.get_running_loop().run_in_executor(_THREADS, self._shape, sound)

    def _shape(self, sound: bytes) -> bytes:
        """Shape in a thread; there also an encoder begins, which may take a dozen milliseconds."""
        if self._shaper is None:
            self._shaper = Shaper(self.plan)
        return self._shaper.feed(sound)

    async def _rest(self) -> bytes:
        shaper = self._shaper
        if shaper is None:
            return b""
        return await asyncio.get_running_loop().run_in_executor(_THREADS, shaper.finish)

    def _note(self, made: bytes) -> None:
        if self.first_s is None:
            self.first_s = time.perf_counter()
        self._relayed = self._fed
        self._meter.feed(made)

    def _prefetch(self, at: int) -> None:
        """Ask for the next piece while this one is heard."""
        if at < len(self.plan.pieces):
            self._coming = asyncio.ensure_future(self._open_piece(at))

    async def _next_piece(self) -> _Opened:
        coming = self._coming
        assert coming is not None, "asked for while the piece before was heard"
        opened = await coming
        self._coming = None
        if self._shaper is not None:
            self._shaper.next_piece()
        return opened

    async def _open_piece(self, at: int) -> _Opened:
        """Ask for one piece, once more where that may help.

        Raises: UpstreamFailure; TooManyWaiting, if the provider's pace leaves no room for it.
        """
        piece, quote = self.plan.pieces[at], self.quote
        repeated = False
        while True:
            if at or repeated:
                await self._keep_pace()
            if not quote.circuit.enter(quote.route.model):
                raise UpstreamOverloaded(RESTING, retry_after_s=_SOON_S)
            try:
                opened = await self._try(piece)
            except UpstreamFailure as failure:
                tell_circuit(quote.upstream, quote.circuit, quote.route.model, failure)
                pause_s = None if repeated else self._pause_s(failure)
                if pause_s is None or not self._runtime.retry_budget.spend():
                    raise as_told(quote.upstream, failure) from failure
                self._log(failure)
            else:
                quote.circuit.succeeded()
                return opened
            await asyncio.sleep(pause_s)
            repeated = True

    async def _keep_pace(self) -> None:
        """Wait until the provider may be asked once more: its first request was counted before the
        hold, with the tokens of all of them.
        """
        await self._runtime.pacer.keep(
            self.quote.task.surface,
            self.quote.upstream,
            tokens=0,
            client_left=None,
            patience_s=_FIRST_SOUND_S,
        )

    async def _try(self, piece: SpeechRequest) -> _Opened:
        """Ask for one piece and wait for its first sound. Raises: UpstreamFailure."""
        try:
            async with asyncio.timeout(_FIRST_SOUND_S):
                return await self._first_sound(piece)
        except TimeoutError as error:
            raise UpstreamTimeout("The provider did not answer in time.") from error

    async def _first_sound(self, piece: SpeechRequest) -> _Opened:
        quote, target = self.quote, self.quote.target
        sent = quote.provider.build_speech(piece, target)
        response = await self._runtime.transport.send(quote.upstream, sent)
        try:
            if response.status != 200:
                body = await response.read()
                raise quote.provider.parse_error(response.status, response.headers, body)
            stream = quote.provider.open_speech(piece, target, response.headers)
            opened = _Opened(piece, stream, response, await _first_of(stream, response))
        except BaseException:
            response.close()
            raise
        self._opened.append(opened)
        if self._closed:
            response.close()
        return opened

    def _pause_s(self, failure: UpstreamFailure) -> float | None:
        """Say how long to wait before the same is asked once more; None if it is not.

        Only what cannot have been billed is: no connection, a refusal, a failure of theirs.
        """
        broken = isinstance(failure, UpstreamError) and failure.retryable
        if not isinstance(failure, NotConnected | UpstreamOverloaded) and not broken:
            return None
        if self.quote.circuit.is_open or self._closed:
            return None
        told_s = failure.retry_after_s
        if told_s is None or (failure.provider_status or 0) >= 500:
            return random.uniform(*_PAUSE_S)  # noqa: S311  it spreads load
        return told_s if told_s <= _LONGEST_WAIT_S else None

    def _log(self, failure: UpstreamFailure) -> None:
        route = self.quote.route
        self.attempts += 1
        done = FailedAttempt(
            provider=route.provider,
            model=route.model,
            code=failure.code,
            status=failure.provider_status,
            after_ms=round((time.perf_counter() - self.sent_s) * _MS_PER_S),
        )
        self.failed = (*self.failed, done)

    def _tokens(self, pieces: tuple[SpeechRequest, ...]) -> int:
        return sum(map(text_tokens, pieces)) if self.quote.by_tokens else 0


async def _first_of(stream: SpeechStream, response: UpstreamResponse) -> bytes:
    """Read until there is sound. Raises: UpstreamFailure, also for an answer without any."""
    while True:
        data = await response.read_some()
        if not data:
            stream.end()
        sound = stream.feed(data) if data else b""
        if sound:
            return sound
        if stream.failure is not None:
            raise stream.failure
        if stream.finished or not data:
            raise UpstreamInvalid("The provider's answer has no sound.")


def _characters(pieces: tuple[SpeechRequest, ...]) -> int:
    return sum(len(piece.text) for piece in pieces)
