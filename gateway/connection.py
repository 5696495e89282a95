"""One HTTP/1.1 connection to a provider, one request at a time, and the answer that comes back.

The parser is llhttp (httptools), which the server side has too. Nothing here retries, redirects,
decompresses or keeps cookies: a provider's bytes are handed on as they come.
"""

import asyncio
from collections.abc import Callable
from typing import cast

import httptools

from gateway.providers.base import UpstreamFailure, UpstreamTimeout, UpstreamUnreachable

_MOST_HEAD_BYTES = 64 * 1024
_PAUSE_BYTES = 512 * 1024
"""So much of a body waits for whoever reads it; then the provider waits too."""
_MOST_ANSWER_BYTES = 32 * 1024 * 1024
_OK = 200
_BODILESS = (204, 304)


class Incoming:
    """An answer whose status and headers are here and whose body may still be coming."""

    __slots__ = (
        "_buffered",
        "_connection",
        "_failure",
        "_parts",
        "_waiter",
        "complete",
        "headers",
        "status",
    )

    def __init__(self, connection: "Connection") -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.complete = False
        self._connection = connection
        self._failure: UpstreamFailure | None = None
        self._parts: list[bytes] = []
        self._buffered = 0
        self._waiter: asyncio.Future[None] | None = None

    async def read(self) -> bytes:
        """Read the whole body, at most 32 MB. Raises: UpstreamUnreachable, UpstreamTimeout."""
        body = await self.read_some()
        if self.at_end():
            return body
        parts, size = [body], len(body)
        while data := await self.read_some():
            parts.append(data)
            size += len(data)
            if size > _MOST_ANSWER_BYTES:
                self.close()
                raise UpstreamUnreachable("The provider's answer is too large.")
        return b"".join(parts)

    async def read_some(self) -> bytes:
        """Wait for the next bytes; empty at the end.

        Raises: UpstreamUnreachable, UpstreamTimeout.
        """
        while not self._parts:
            if self.complete:
                return b""
            if self._failure is not None:
                raise self._failure
            await self._wait()
        data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts.clear()
        self._buffered = 0
        self._connection.resume()
        return data

    def at_end(self) -> bool:
        """Tell whether the whole body was read."""
        return self.complete and not self._parts

    def release(self) -> None:
        """Have no more use for it. A connection whose answer is whole serves the next call."""
        self.close()

    def close(self) -> None:
        """Drop the connection; the provider sees us leave.

        Does nothing after the end of the body.
        """
        if not self.complete:
            self._connection.close()

    async def begin(self) -> None:
        """Wait for status and headers. Raises: UpstreamUnreachable, UpstreamTimeout."""
        while not self.status:
            if self._failure is not None:
                raise self._failure
            await self._wait()

    def take(self, parts: list[bytes]) -> bool:
        """Keep parts of the body; tell whether enough of it waits."""
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        self._parts.append(data)
        self._buffered += len(data)
        return self._buffered > _PAUSE_BYTES

    def fail(self, *, silent: bool = False) -> None:
        """Note that no more will come; why, is what was noted first."""
        if self._failure is not None:
            return
        if silent:
            words = "fell silent" if self.status else "did not answer in time"
            self._failure = UpstreamTimeout(f"The provider {words}.")
        else:
            words = "broke off its answer" if self.status else "cannot be reached"
            self._failure = UpstreamUnreachable(f"The provider {words}.")
        self.wake()

    def wake(self) -> None:
        """Let whoever waits look again."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _wait(self) -> None:
        self._waiter = self._connection.loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None


class Connection(asyncio.Protocol):
    """A connection. `done` hears when it is free for the next request, `lost` when it is gone.

    `heard_s` is when something last came, or was last asked, by the loop's clock.
    """

    def __init__(
        self, done: Callable[["Connection"], None], lost: Callable[["Connection"], None]
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.heard_s = self.loop.time()
        self._done = done
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._incoming: Incoming | None = None
        self._parts: list[bytes] = []
        self.on_body = self._parts.append  # of the parser, which calls it for each small chunk
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[str, str] = {}
        self._head_bytes = 0
        self._framed = True
        self._stays = True
        self._paused = False
        self._left = False

    def ask(self, request: bytes) -> Incoming:
        """Send a whole request; its answer is waited for with `begin`."""
        assert self._incoming is None, "one request at a time"
        assert self._transport is not None, "connected"
        self._incoming = Incoming(self)
        self._head_bytes = 0
        self.heard_s = self.loop.time()
        self._transport.write(request)
        return self._incoming

    @property
    def is_open(self) -> bool:
        """Whether a request may be sent."""
        return self._transport is not None and not self._transport.is_closing()

    def close(self) -> None:
        """Leave at once."""
        self._left = True
        if self._transport is not None:
            self._transport.abort()

    def resume(self) -> None:
        """Read on, if a full buffer had stopped that."""
        if self._paused:
            self._paused = False
            self.heard_s = self.loop.time()
            if self.is_open:
                assert self._transport is not None, "open"
                self._transport.resume_reading()

    def give_up_if_silent(self, since_s: float) -> None:
        """End an answer of which nothing came since then, unless it is we who do not read."""
        if self.heard_s < since_s and not self._paused and self._incoming is not None:
            self._incoming.fail(silent=True)
            self.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember what to write to."""
        # uvloop has transports of its own, which are no subclass of asyncio.Transport.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Read on in the answer."""
        incoming = self._incoming
        if incoming is None:
            self.close()  # nobody asked
            return
        self.heard_s = self.loop.time()
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._break_off(incoming)
            return
        if self._parts:
            self._hand_on(incoming)
        if incoming.complete:
            self._incoming = None
            self._end()
        elif not incoming.status:
            self._head_bytes += len(data)
            if self._head_bytes > _MOST_HEAD_BYTES:
                self._break_off(incoming)
            return
        incoming.wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the answer: where nothing else frames it, this is its end, else it is cut."""
        incoming, self._incoming = self._incoming, None
        if incoming is not None and not incoming.complete:
            ended = exc is None and not self._left
            if incoming.status and not self._framed and ended:
                incoming.complete = True
                incoming.wake()
            else:
                incoming.fail()
        self._lost(self)

    def on_message_begin(self) -> None:
        """Refuse what nobody asked for: it would be taken for the next request's answer."""
        if self._incoming is None or self._incoming.status:
            raise ValueError("a second answer to one request")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; one that comes twice is a list."""
        word, text = name.decode("latin-1").lower(), value.decode("latin-1")
        known = self._headers.get(word)
        self._headers[word] = text if known is None else f"{known}, {text}"

    def on_headers_complete(self) -> None:
        """Begin the answer, unless this is only a sign of life (1xx)."""
        headers, self._headers = self._headers, {}
        status = self._parser.get_status_code()
        incoming = self._incoming
        if status < _OK or incoming is None:
            return
        self._framed = (
            "content-length" in headers or "transfer-encoding" in headers or status in _BODILESS
        )
        incoming.headers = headers
        incoming.status = status

    def on_message_complete(self) -> None:
        """End the answer, unless it was only a sign of life."""
        self._headers = {}  # trailers
        incoming = self._incoming
        if incoming is not None and incoming.status:
            incoming.complete = True
            self._stays = self._parser.should_keep_alive()

    def _hand_on(self, incoming: Incoming) -> None:
        """Hand a part of the body on; stop reading when too much of it waits."""
        full = incoming.take(self._parts)
        self._parts.clear()
        if full and not self._paused:
            self._paused = True
            assert self._transport is not None, "connected"
            self._transport.pause_reading()

    def _end(self) -> None:
        """Keep the connection for the next request, if both sides want that."""
        self.resume()
        if self._stays and self.is_open:
            self._done(self)
        else:
            self.close()

    def _break_off(self, incoming: Incoming) -> None:
        """End an answer that is none."""
        if self._parts:
            self._hand_on(incoming)
        if incoming.complete:
            incoming.wake()
        else:
            incoming.fail()
        self._incoming = None
        self.close()
