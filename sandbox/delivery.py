"""A reply onto the wire, spoiled as its faults ask.

It knows HTTP and server-sent events, and no provider.
"""

import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any, TypeAlias

from sandbox.connection import Connection
from sandbox.faults import NO_FAULTS, Faults
from sandbox.journal import Entry
from sandbox.messages import Headers, Reply

Message: TypeAlias = MutableMapping[str, Any]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

HTML = b"<!DOCTYPE html><html><head><title>502</title></head><body>Bad gateway</body></html>\n"
BAD_UTF8 = b"\xff\xfe\xc3("
_EVENT_STREAM = (b"content-type", b"text/event-stream; charset=utf-8")


class Delivery:
    """Send one reply over one connection, and write down what went out."""

    __slots__ = ("_connection", "_entry", "_faults", "_room", "_send")

    def __init__(self, send: Send, connection: Connection, entry: Entry) -> None:
        self._send = send
        self._connection = connection
        self._entry = entry
        self._faults = NO_FAULTS
        self._room: int | None = None
        """Body bytes left before `cut_at` strikes."""

    async def deliver(self, reply: Reply) -> None:
        """Send the reply. Returns early when the caller left or a fault broke the connection."""
        self._faults = faults = reply.faults
        self._room = faults.cut_at
        complete = await self._waited(faults) and await self._sent(reply)
        self._close_entry(complete=complete)

    async def _waited(self, faults: Faults) -> bool:
        """Wait the latency, or for ever, or drop the request unanswered."""
        if faults is NO_FAULTS:
            return True
        if faults.latency_ms and not await self._connection.pause(faults.latency_ms / 1000):
            return False
        if faults.drop:
            self._entry.broken = True
            await self._connection.reset()
            return False
        return faults.hang != 0 or await self._connection.pause(None)

    async def _sent(self, reply: Reply) -> bool:
        if reply.events is not None and not (self._faults.html or self._faults.empty):
            return await self._sent_events(reply, reply.events)
        if reply.pieces is not None and not (self._faults.html or self._faults.empty):
            return await self._sent_pieces(reply, reply.pieces)
        return await self._sent_body(reply)

    def _close_entry(self, *, complete: bool) -> None:
        entry = self._entry
        entry.finished_at = time.time()
        if not complete and not entry.broken:
            entry.left_at = self._connection.lost_at

    async def _sent_body(self, reply: Reply) -> bool:
        body, headers = reply.body, reply.headers
        if self._faults is not NO_FAULTS:
            body, headers = _spoiled_body(reply, self._faults)
        length = len(body) + self._faults.content_length
        await self._start(reply.status, [*headers, (b"content-length", b"%d" % max(length, 0))])
        if self._faults is NO_FAULTS:
            self._entry.bytes_sent = len(body)
            await self._send({"type": "http.response.body", "body": body})
            return self._connection.lost_at is None
        return await self._sent_spoiled(body, length)

    async def _sent_spoiled(self, body: bytes, length: int) -> bool:
        """Send a body in pieces, up to the cut, and against its own content-length."""
        promised = body[: max(length, 0)]
        for piece in _pieces(promised, self._faults.split_bytes):
            if not await self._write(piece):
                return False
        if length != len(body):
            self._entry.broken = True
            self._connection.transport.write(body[len(promised) :])
            await self._connection.close()
            return False
        await self._send({"type": "http.response.body"})
        return self._connection.lost_at is None

    async def _sent_events(self, reply: Reply, events: Iterator[bytes]) -> bool:
        faults = self._faults
        await self._start(reply.status, [*reply.headers, _EVENT_STREAM])
        spoiled = events if faults is NO_FAULTS else _spoiled_events(events, reply, faults)
        ending = b"\r\n\r\n" if faults.crlf else b"\n\n"
        delay_s = faults.chunk_delay_ms / 1000
        for count, event in enumerate(spoiled):
            if count and delay_s and not await self._connection.pause(delay_s):
                return False
            if faults.hang is not None and count == faults.hang:
                return await self._connection.pause(None)
            if not await self._write_event(event + ending):
                return False
        await self._send({"type": "http.response.body"})
        return self._connection.lost_at is None

    async def _sent_pieces(self, reply: Reply, pieces: Iterator[bytes]) -> bool:
        """Send a body that is still being made, chunked."""
        faults = self._faults
        await self._start(reply.status, reply.headers)
        pause_s = (faults.chunk_delay_ms or reply.pace_ms) / 1000
        for count, made in enumerate(pieces):
            if faults.hang is not None and count == faults.hang:
                return await self._connection.pause(None)
            if count and pause_s and not await self._connection.pause(pause_s):
                return False
            for piece in _pieces(made, faults.split_bytes):
                if not await self._write(piece):
                    return False
            self._entry.events_sent += 1
        await self._send({"type": "http.response.body"})
        return self._connection.lost_at is None

    async def _start(self, status: int, headers: Headers) -> None:
        self._entry.status = status
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def _write_event(self, event: bytes) -> bool:
        if self._faults.comments:
            event = b": keep-alive\n\n" + event
        if self._faults.crlf:
            event = event.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        for piece in _pieces(event, self._faults.split_bytes):
            if not await self._write(piece):
                return False
        self._entry.events_sent += 1
        return True

    async def _write(self, piece: bytes) -> bool:
        """Write body bytes. Returns: whether the caller is still there to read more."""
        if self._room is not None:
            cut = len(piece) >= self._room
            piece = piece[: self._room]
            self._room -= len(piece)
            if cut:
                await self._cut(piece)
                return False
        await self._send({"type": "http.response.body", "body": piece, "more_body": True})
        if self._connection.lost_at is not None:
            return False
        self._entry.bytes_sent += len(piece)
        # Pieces are promised to travel apart: without a pause the event loop would join them.
        return not self._faults.split_bytes or await self._connection.pause(0.001)

    async def _cut(self, piece: bytes) -> None:
        self._entry.broken = True
        self._entry.bytes_sent += len(piece)
        await self._send({"type": "http.response.body", "body": piece, "more_body": True})
        await self._connection.reset()


def _pieces(data: bytes, size: int) -> Iterator[bytes]:
    if not size:
        yield data
        return
    for start in range(0, len(data), size):
        yield data[start : start + size]


def _spoiled_body(reply: Reply, faults: Faults) -> tuple[bytes, Headers]:
    body = reply.body
    kept = [header for header in reply.headers if header[0] != b"content-type"]
    if faults.html:
        return HTML, [*kept, (b"content-type", b"text/html; charset=utf-8")]
    if faults.empty:
        return b"", reply.headers or [_EVENT_STREAM]
    if faults.wrong_json is not None:
        body = body[: len(body) // 2]
    if faults.invalid_utf8 is not None:
        middle = body.find(b'"content":"') + len(b'"content":"')
        body = body[:middle] + BAD_UTF8 + body[middle:]
    return body, reply.headers


def _spoiled_events(events: Iterator[bytes], reply: Reply, faults: Faults) -> Iterator[bytes]:
    for count, event in enumerate(events):
        if count == faults.error_event:
            yield reply.error_event
            return
        if count == faults.wrong_json:
            yield event[: len(event) // 2]
        elif count == faults.invalid_utf8:
            yield event.replace(b'"content":"', b'"content":"' + BAD_UTF8)
        else:
            yield event
