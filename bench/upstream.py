"""The provider of the bench: a fixed answer over HTTP/1.1, as cheap as Python can make it.

`python -m bench.upstream --port N`. One process, no HTTP library: requests are framed by their
Content-Length, answers are written from prepared bytes. The path chooses the provider's form
(dialects.py), the prompt latency and pace (behaviour.py).
"""

import argparse
import asyncio
import functools
import re
import time
from typing import cast

import uvloop

from bench.behaviour import Behaviour, asked_behaviour
from bench.dialects import Dialect, dialect_of

_BURST_CHUNKS = 8
"""A fast stream goes out so many chunks a write: a write each would measure our system calls."""
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\n"
    b"x-request-id: req_bench\r\ntransfer-encoding: chunked\r\n\r\n"
)


class Upstream(asyncio.Protocol):
    """One connection: one request at a time, kept alive."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember whom to answer."""
        # uvloop has transports of its own, which are no subclass of asyncio.Transport.
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop streaming to nobody."""
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Answer when a whole request is here."""
        self._received += data
        head_end = self._received.find(b"\r\n\r\n")
        if head_end < 0:
            return
        length = _LENGTH.search(self._received, 0, head_end)
        if len(self._received) < head_end + 4 + (int(length[1]) if length else 0):
            return
        head, body = self._received[:head_end], self._received[head_end + 4 :]
        self._received = b""
        behaviour, dialect = asked_behaviour(body), dialect_of(head)
        answer = functools.partial(self._write, dialect.plain)
        if dialect.is_streamed(head, body):
            answer = functools.partial(self._start_stream, behaviour, dialect, body)
        if behaviour.latency_ms:
            self._loop.call_later(behaviour.latency_ms / 1000, answer)
        else:
            answer()

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def _start_stream(self, behaviour: Behaviour, dialect: Dialect, body: bytes) -> None:
        event = dialect.event(body)
        end = dialect.end(behaviour.chunks, body)
        self._write(_STREAM_HEAD % dialect.media_type + dialect.opening())
        if behaviour.per_s:
            pause_s = 1 / behaviour.per_s
            self._pace(event, end, behaviour.chunks, pause_s, self._loop.time() + pause_s)
        else:
            self._burst(event, end, behaviour.chunks)

    def _burst(self, event: bytes, end: bytes, left: int) -> None:
        if self._transport is None:
            return
        count = min(left, _BURST_CHUNKS)
        self._transport.write(event % time.monotonic_ns() * count)
        if left > count:
            self._loop.call_soon(self._burst, event, end, left - count)
        else:
            self._transport.write(end)

    def _pace(self, event: bytes, end: bytes, left: int, pause_s: float, due: float) -> None:
        if self._transport is None:
            return
        if left == 0:
            self._transport.write(end)
            return
        self._transport.write(event % time.monotonic_ns())
        due += pause_s
        self._loop.call_at(due, self._pace, event, end, left - 1, pause_s, due)


async def _serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Upstream, "127.0.0.1", port, backlog=16_384)
    await server.serve_forever()


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    uvloop.run(_serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
