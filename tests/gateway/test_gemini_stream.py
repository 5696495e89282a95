"""Runs of text events from Google: what they become, and what is not taken for one."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.operations.chat import ChatUsage, decode_chat
from gateway.providers.base import ChatStream, Target
from gateway.providers.gemini import PROVIDER

REPLIES = Path(__file__).parent / "replies/gemini"
REQUEST = decode_chat(
    b'{"model":"asked","stream":true,"messages":[{"role":"user","content":"Hello"}]}'
)
TARGET = Target(model="gemini-3.8-flash", answer_id="chatcmpl-7", created_s=1_790_000_000)
HELLO = b'{"text":"Hello"}'
END = b'"finishReason":"STOP","index":0'
COUNTS = b'{"promptTokenCount":9,"candidatesTokenCount":2,"totalTokenCount":11}'


def event(part: bytes = HELLO, *, place: bytes = b'"index":0', counts: bytes = COUNTS) -> bytes:
    """Write an event as Google does."""
    return (
        b'data: {"candidates":[{"content":{"parts":[%b],"role":"model"},%b}],'
        b'"usageMetadata":%b,"modelVersion":"gemini-3.8-flash","responseId":"IcAgad-oL4"}\n\n'
    ) % (part, place, counts)


def opened() -> ChatStream:
    """Begin to read a stream that has said Hello."""
    stream = PROVIDER.open_chat_stream(REQUEST, TARGET)
    stream.feed(event())
    return stream


def said(relayed: bytes) -> list[Any]:
    """Give the choices that were relayed: their index, their delta."""
    found = [json.loads(block[6:])["choices"][0] for block in relayed.split(b"\n\n")[:-1]]
    return [(choice["index"], choice["delta"]) for choice in found]


def test_texts_go_out_as_openai_writes_them_and_the_last_usage_counts() -> None:
    events = (REPLIES / "stream_spaced.sse").read_bytes()
    end = events.index(b'data: {"candidates": [{"content": {"parts": [{"text": ""')
    stream = PROVIDER.open_chat_stream(REQUEST, TARGET)
    relayed = stream.feed(events[:end]).decode()
    assert stream.usage == ChatUsage(input_tokens=14, output_tokens=48, reasoning_tokens=40)
    assert stream.relayed_tokens == 10
    for text in ("Sure", ":\\n\\n", '- \\"Zürich\\"', "\\t東京 🗼", " C:\\\\tmp"):
        assert '"delta":{"content":"' + text + '"},"finish_reason":null}]}' in relayed


def test_each_choice_gets_its_own_text() -> None:
    relayed = opened().feed(event() + event(place=b'"index":1') + event())
    hello = {"content": "Hello"}
    role = {"role": "assistant", "content": ""}
    assert said(relayed) == [(0, hello), (1, role), (1, hello), (0, hello)]


def test_what_comes_behind_the_end_is_nothing() -> None:
    stream = opened()
    counts = b'{"promptTokenCount":9,"candidatesTokenCount":7,"totalTokenCount":16}'
    ended = event(b'{"text":""}', place=END, counts=b'{"promptTokenCount":0}')
    relayed = stream.feed(ended + event(counts=counts) * 2)
    assert said(relayed) == [(0, {})]
    assert stream.usage == ChatUsage(input_tokens=9, output_tokens=7)
    assert (stream.finished, stream.relayed_tokens) == (True, 2)


@pytest.mark.parametrize(
    "counts",
    [
        b'{"promptTokenCount":09,"candidatesTokenCount":2,"totalTokenCount":11}',
        b'{"promptTokenCount":,"candidatesTokenCount":2,"totalTokenCount":11}',
        b'{"promptTokenCount":9,"candidatesTokenCount":2,"totalTokenCount":11,}',
        b'{"promptTokenCount":9,"totalTokenCount":11,"promptTokensDetails":[]]}',
        b'{"promptTokenCount":9,"totalTokenCount":11,"serviceTier":"standard\x00"}',
    ],
)
def test_counts_that_are_no_json_fail_the_stream_where_they_come(counts: bytes) -> None:
    stream = opened()
    assert said(stream.feed(event() + event(counts=counts) + event())) == [
        (0, {"content": "Hello"})
    ]
    assert stream.failure is not None
    assert stream.failure.code == "upstream_invalid_response"
    assert stream.relayed_tokens == 3
    assert stream.usage == ChatUsage(input_tokens=9, output_tokens=2)


@pytest.mark.parametrize(
    "counts", [b'{"promptTokenCount":0}', b'{"promptTokenCount":9,"candidatesTokenCount":-1}']
)
def test_counts_that_cannot_be_believed_leave_the_last_ones(counts: bytes) -> None:
    stream = opened()
    stream.feed(event() * 2)
    assert stream.usage == ChatUsage(input_tokens=9, output_tokens=2)
    assert said(stream.feed(event(counts=counts))) == [(0, {"content": "Hello"})]
    assert stream.usage == ChatUsage(input_tokens=9, output_tokens=2)
