"""The provider of the bench: a fixed chat completion over HTTP/1.1, as cheap as Python can make it.

`python -m bench.upstream --port N`. One process, no HTTP library: requests are framed by their
Content-Length, answers are written from prepared bytes. The prompt chooses latency and pace
(behaviour.py). Plain answers carry usage; streams carry it when asked to.
"""

import argparse
import asyncio
import functools
import json
import re
import time
from typing import Any, cast

import uvloop

from bench.behaviour import ANSWER_MARK, Behaviour, asked_behaviour

_MODEL = "gpt-5"
_INPUT_TOKENS = 19
_PLAIN_TOKENS = 90
_BURST_CHUNKS = 8
"""A fast stream goes out so many chunks a write: a write each would measure our system calls."""
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_STREAM = re.compile(rb'"stream": ?true')
_INCLUDE_USAGE = re.compile(rb'"include_usage": ?true')
_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"x-request-id: req_bench\r\ntransfer-encoding: chunked\r\n\r\n"
)


def _usage(output_tokens: int) -> dict[str, Any]:
    return {
        "prompt_tokens": _INPUT_TOKENS,
        "completion_tokens": output_tokens,
        "total_tokens": _INPUT_TOKENS + output_tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def _plain_answer() -> bytes:
    text = ANSWER_MARK.decode() + " " + "It is always the same. " * 6
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text.strip(), "refusal": None},
        "logprobs": None,
        "finish_reason": "stop",
    }
    body = json.dumps(
        {
            "id": "chatcmpl-bench",
            "object": "chat.completion",
            "created": 1_750_000_000,
            "model": _MODEL,
            "choices": [choice],
            "usage": _usage(_PLAIN_TOKENS),
            "service_tier": "default",
        },
        separators=(",", ":"),
    ).encode()
    head = (
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req_bench\r\n"
        b"content-length: %d\r\n\r\n"
    )
    return head % len(body) + body


_PLAIN = _plain_answer()


@functools.cache
def _event(choices: str, usage: str) -> bytes:
    """Write one event with its HTTP chunk around it; filling its `%020d` keeps its length."""
    text = (
        'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1750000000,'
        f'"model":"{_MODEL}","choices":[{choices}]{usage}}}\n\n'
    )
    length = len(text.replace("%020d", "0" * 20))
    return f"{length:x}\r\n{text}\r\n".encode()


_TEXT = '{"index":0,"delta":{"content":"%020d"},"finish_reason":null}'
_STOP = '{"index":0,"delta":{},"finish_reason":"stop"}'


@functools.cache
def _stream_end(chunks: int, include_usage: bool) -> bytes:
    end = _event(_STOP, ',"usage":null' if include_usage else "")
    if include_usage:
        end += _event("", ',"usage":' + json.dumps(_usage(chunks), separators=(",", ":")))
    return end + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"


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
        body, self._received = self._received[head_end + 4 :], b""
        behaviour = asked_behaviour(body)
        answer = functools.partial(self._write, _PLAIN)
        if _STREAM.search(body):
            include_usage = _INCLUDE_USAGE.search(body) is not None
            answer = functools.partial(self._start_stream, behaviour, include_usage)
        if behaviour.latency_ms:
            self._loop.call_later(behaviour.latency_ms / 1000, answer)
        else:
            answer()

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def _start_stream(self, behaviour: Behaviour, include_usage: bool) -> None:
        event = _event(_TEXT, ',"usage":null' if include_usage else "")
        end = _stream_end(behaviour.chunks, include_usage)
        self._write(_STREAM_HEAD)
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
