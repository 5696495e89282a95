"""Serving a chat over HTTP, in whatever form the client speaks.

`serve_chat` is the whole walk of one request; a form (OpenAI's own below, others in their folders)
says how its body is read and how the answer, which is OpenAI's until then, is written.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from gateway.admission import require_scope
from gateway.chat import JSON_TYPE, STREAM_TYPE, ChatAnswer, ChatRelay, complete, open_stream
from gateway.errors import OutcomeUnknown
from gateway.idempotency import StoredAnswer, look_up, read_claim
from gateway.operations.chat import ChatRequest, decode_chat, names_model_only, speaks_core
from gateway.quoting import ChatTask
from gateway.surfaces.answers import Headers, paid_headers
from gateway.surfaces.door import Answer, Request
from gateway.surfaces.entry import entered, read_channel, read_labels
from studio.core.errors import GatewayError, InvalidRequest
from studio.core.money import credits_text

_BODY_LIMIT_BYTES = 2 * 1024 * 1024
_IDLE_S = 15
_KEEP_ALIVE = b": keep-alive\n\n"


class UnsupportedMediaType(GatewayError):
    """The body is not declared as JSON."""

    code = "unsupported_media_type"
    status = 415


class StreamWriter(Protocol):
    """Writes a stream in a client's form from OpenAI's chunks."""

    def feed(self, data: bytes) -> bytes:
        """Take whole events of OpenAI's; give what they become."""

    def close(self, data: bytes) -> bytes:
        """Take the settled end (usage chunk, error or `[DONE]`); give the last bytes."""


class Spoken(Protocol):
    """One request that was read: the chat it asks for, and how its answer is written."""

    @property
    def chat(self) -> ChatRequest:
        """The chat, in the form that all providers are asked in."""

    def write(self, answer: bytes) -> bytes:
        """Write a finished answer (the JSON of a chat completion) in the client's form."""

    def open_stream(self) -> StreamWriter | None:
        """Begin to write a stream; None where OpenAI's chunks are what the client reads."""


Reader = Callable[[Request, bytes], Spoken]
"""Reads a body. It may set `request.surface` once it knows whose client speaks.

Raises: InvalidRequest.
"""


async def chat(request: Request) -> Answer | None:
    """Serve POST /v1/chat and POST /v1/chat/completions, plain or streamed."""
    return await serve_chat(request, _read_openai)


async def serve_chat(request: Request, read: Reader) -> Answer | None:
    """Serve one chat: admit, read, look for a stored answer, call, write.

    Returns: the answer, or None if it was streamed. Raises: what the walk raises; nothing is then
    held.
    """
    async with entered(request, "chat") as admitted:
        caller = admitted.caller
        require_scope(caller, "chat")
        check_media_type(request)
        body = await request.read_body(_BODY_LIMIT_BYTES)
        spoken = read(request, body)
        labels = read_labels(request, caller)
        claim = read_claim(
            request.headers.get(b"idempotency-key"), caller=caller, route=request.path, body=body
        )
        if claim is not None:
            stored = await look_up(request.runtime.pool, claim, workspace_id=caller.workspace_id)
            if stored is not None:
                return _replayed(stored, spoken)
        task = ChatTask(
            id=request.id,
            caller=caller,
            surface=request.surface,
            channel=read_channel(request, caller),
            app_id=labels.app_id,
            user_ref=labels.user_ref,
            request=spoken.chat,
            body_bytes=len(body),
            claim=claim,
            started_s=request.started,
            user_keys=request.user_keys,
            client_left=request.wait_for_disconnect,
        )
        if spoken.chat.stream:
            await _stream(request, task, spoken.open_stream())
            return None
        return _answer(request, await complete(request.runtime, task), spoken)


class _OpenAISpoken:
    """A chat in OpenAI's own form: nothing is rewritten."""

    __slots__ = ("chat",)

    def __init__(self, chat: ChatRequest) -> None:
        self.chat = chat

    def write(self, answer: bytes) -> bytes:
        return answer

    def open_stream(self) -> None:
        return None


def _read_openai(request: Request, body: bytes) -> _OpenAISpoken:
    """Read the body; from now on errors speak `core` to a client that names a model and no kind."""
    try:
        wanted = decode_chat(body)
    except InvalidRequest:
        if names_model_only(body):
            request.surface = "core"
        raise
    if speaks_core(wanted):
        request.surface = "core"
    return _OpenAISpoken(wanted)


async def _stream(request: Request, task: ChatTask, writer: StreamWriter | None) -> None:
    """Relay a streamed chat; what the client does meanwhile is watched by one task."""
    relay = await open_stream(request.runtime, task)
    watcher = asyncio.create_task(_watch(request, relay))
    pulse = _Pulse(request)
    try:
        await asyncio.sleep(0)  # who left before the first byte is noticed before it is relayed
        await request.start(200, _stream_headers(request, relay))
        async for data in relay.chunks():
            pulse.beat()
            await request.send(data if writer is None else writer.feed(data))
    finally:
        pulse.stop()
        try:
            closing = await relay.finish()
        except OutcomeUnknown as error:
            closing = relay.unsettled_bytes(error)
        finally:
            watcher.cancel()
    await request.send(closing if writer is None else writer.close(closing), more=False)


async def _watch(request: Request, relay: ChatRelay) -> None:
    await request.wait_for_disconnect()
    relay.client_left()


class _Pulse:
    """Send a comment when a stream has been idle for 15 s, so that nothing between us and the
    client hangs up.
    """

    def __init__(self, request: Request) -> None:
        self._request = request
        self._loop = asyncio.get_running_loop()
        self._last_s = self._loop.time()
        self._timer = self._loop.call_later(_IDLE_S, self._check)
        self._sending: asyncio.Task[None] | None = None

    def beat(self) -> None:
        """Note that something was sent."""
        self._last_s = self._loop.time()

    def stop(self) -> None:
        """Send no more comments."""
        self._timer.cancel()

    def _check(self) -> None:
        idle_s = self._loop.time() - self._last_s
        if idle_s >= _IDLE_S:
            self._sending = self._loop.create_task(self._request.send(_KEEP_ALIVE))
            self._last_s = self._loop.time()
            idle_s = 0
        self._timer = self._loop.call_later(_IDLE_S - idle_s, self._check)


def _answer(request: Request, answer: ChatAnswer, spoken: Spoken) -> Answer:
    headers = paid_headers(
        charged_ucr=answer.charged_ucr,
        remaining_ucr=answer.remaining_ucr,
        overhead_ms=answer.overhead_ms,
    )
    _say_upstream(request, headers, sandbox=answer.sandbox, deprecation=answer.deprecation)
    _say_attempts(headers, answer.attempts)
    return Answer(body=spoken.write(answer.body), headers=headers)


def _stream_headers(request: Request, relay: ChatRelay) -> Headers:
    held = relay.held
    headers = paid_headers(charged_ucr=None, remaining_ucr=None, overhead_ms=relay.overhead_ms)
    headers += [
        (b"content-type", STREAM_TYPE.encode()),
        (b"cache-control", b"no-cache, no-transform"),
        (b"x-accel-buffering", b"no"),
        (b"x-credits-held", credits_text(held.held_ucr).encode()),
    ]
    _say_upstream(request, headers, sandbox=held.sandbox, deprecation=held.deprecation)
    _say_attempts(headers, relay.attempts)
    return headers


def _say_attempts(headers: Headers, attempts: int) -> None:
    if attempts > 1:
        headers.append((b"x-studio-attempts", b"%d" % attempts))


def _say_upstream(request: Request, headers: Headers, *, sandbox: bool, deprecation: str) -> None:
    if sandbox:
        request.upstream = "sandbox"
        headers.append((b"x-studio-upstream", b"sandbox"))
    if deprecation:
        headers.append((b"deprecation", deprecation.encode()))


def _replayed(stored: StoredAnswer, spoken: Spoken) -> Answer:
    """Write a stored answer, which is kept as OpenAI's, in the client's form again."""
    if stored.media_type == STREAM_TYPE:
        writer = spoken.open_stream()
        body = stored.body if writer is None else writer.feed(stored.body) + writer.close(b"")
    else:
        body = spoken.write(stored.body)
    return Answer(
        status=stored.status,
        body=body,
        media_type=(stored.media_type or JSON_TYPE).encode(),
        headers=[(b"idempotent-replayed", b"true")],
    )


def check_media_type(request: Request) -> None:
    """Refuse a body that is not declared as JSON. Raises: UnsupportedMediaType."""
    media_type = request.headers.get(b"content-type", b"application/json")
    if media_type.split(b";", 1)[0].strip().lower() != b"application/json":
        raise UnsupportedMediaType("Send the request as application/json.")
