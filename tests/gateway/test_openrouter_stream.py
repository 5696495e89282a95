"""OpenRouter's streams become OpenAI's."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.operations.chat import ChatUsage
from gateway.providers.base import ChatStream, Target, UpstreamFailure
from gateway.providers.openrouter import PROVIDER
from tests.gateway.openai_bodies import request_of

REPLIES = Path(__file__).parent / "replies/openrouter"
TARGET = Target(model="x-ai/grok-4.3", answer_id="chatcmpl-7", created_s=1790000007)
FRAME = (
    b'data: {"id":"chatcmpl-7","object":"chat.completion.chunk","created":1790000007,'
    b'"model":"x-ai/grok-4.3","choices":[{"index":0,"delta":%s,"logprobs":null,'
    b'"finish_reason":%s}]}\n\n'
)


def opened(**fields: Any) -> ChatStream:
    """Begin to read a stream."""
    return PROVIDER.open_chat_stream(request_of(stream=True, **fields), TARGET)


def fed(name: str) -> tuple[ChatStream, list[dict[str, Any]]]:
    """Feed a recorded stream; give it and the choices it became."""
    stream = opened()
    relayed = stream.feed((REPLIES / f"{name}.sse").read_bytes()).decode()
    return stream, [json.loads(block[6:])["choices"][0] for block in relayed.split("\n\n")[:-1]]


def event(delta: dict[str, Any], **fields: Any) -> bytes:
    """Write one event as OpenRouter does."""
    choice = {"index": 0, "delta": {"role": "assistant", "content": "", **delta}}
    chunk = {"id": "gen-1", "provider": "xAI", "choices": [{**choice, "finish_reason": None}]}
    return b"data: " + json.dumps({**chunk, **fields}).encode() + b"\n\n"


def test_a_stream_is_relayed_without_anything_of_openrouters() -> None:
    stream = opened()
    texts = ["Bonjour", " !", " Ça", " va", " ?"]
    assert stream.feed((REPLIES / "stream_text.sse").read_bytes()) == b"".join(
        [
            FRAME % (b'{"role":"assistant","content":""}', b"null"),
            *(FRAME % (b'{"content":"%s"}' % text.encode(), b"null") for text in texts),
            FRAME % (b"{}", b'"stop"'),
        ]
    )
    assert stream.usage == ChatUsage(input_tokens=21, output_tokens=17, provider_cost_ucr=123_457)
    assert (stream.finished, stream.finish_reason, stream.relayed_tokens) == (True, "stop", 5)


def test_reasoning_is_relayed_by_its_common_name() -> None:
    stream, choices = fed("stream_reasoning")
    assert [choice["delta"] for choice in choices] == [
        {"role": "assistant", "content": ""},
        {"reasoning_content": "97 has"},
        {"reasoning_content": " no divisor"},
        {"content": "Yes"},
        {"content": ","},
        {"content": " it"},
        {"content": " is"},
        {"content": "."},
        {},
    ]
    assert stream.usage == ChatUsage(
        input_tokens=40,
        output_tokens=70,
        cached_input_tokens=16,
        cache_write_tokens=8,
        reasoning_tokens=64,
        provider_cost_ucr=780_000,
    )


def test_calls_are_relayed_as_openai_streams_them() -> None:
    _, choices = fed("stream_tools")
    assert [choice["delta"].get("tool_calls") for choice in choices] == [
        None,
        [
            {
                "index": 0,
                "id": "call_mUCA",
                "type": "function",
                "function": {"name": "add", "arguments": ""},
            }
        ],
        [{"index": 0, "function": {"arguments": "{"}}],
        [{"index": 0, "function": {"arguments": '"a"'}}],
        [{"index": 0, "function": {"arguments": ":2}"}}],
        [
            {
                "index": 1,
                "id": "call_y7Be",
                "type": "function",
                "function": {"name": "now", "arguments": "{}"},
            }
        ],
        None,
    ]
    assert choices[-1]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("together", [True, False], ids=["one read", "many reads"])
def test_text_in_a_known_shape_is_relayed_whatever_is_in_it(together: bool) -> None:
    texts = ["a", '"', "\\", "日本語", "data: [DONE]\n\n", '"content":"', " \u2028 ", "e" * 100]
    stream = opened()
    events = [event({"content": text}) for text in texts]
    relayed = stream.feed(b"".join(events)) if together else b"".join(map(stream.feed, events))
    blocks = relayed.decode().split("\n\n")[1:-1]
    deltas = [json.loads(block[6:])["choices"][0]["delta"] for block in blocks]
    assert deltas == [{"content": text} for text in texts]
    assert stream.relayed_tokens >= len(texts)


@pytest.mark.parametrize(
    ("name", "text", "shown", "provider_status"),
    [
        ("stream_error", "Once upon", (503, "upstream_overloaded", True), 429),
        ("stream_error_choice", "Once", (502, "upstream_error", True), 502),
        ("stream_error_first", "", (502, "upstream_error", True), 502),
    ],
)
def test_an_error_inside_the_stream_ends_it(
    name: str, text: str, shown: tuple[int, str, bool], provider_status: int
) -> None:
    stream, choices = fed(name)
    assert "".join(choice["delta"]["content"] for choice in choices) == text
    assert isinstance(stream.failure, UpstreamFailure)
    failure = stream.failure
    assert (failure.status, failure.code, failure.retryable) == shown
    assert (failure.provider_status, stream.finished) == (provider_status, False)


def test_an_error_at_the_choice_means_the_status_that_it_names() -> None:
    stream = opened()
    choice = {"index": 0, "delta": {}, "finish_reason": "error"}
    failed = {**choice, "error": {"code": 402, "message": "x"}}
    assert stream.feed(event({}, choices=[failed])) == b""
    assert stream.failure is not None
    assert (stream.failure.provider_status, stream.failure.code) == (402, "upstream_quota")


def test_log_probabilities_are_relayed_and_not_taken_for_text() -> None:
    stream = opened(logprobs=True)
    probabilities = {
        "content": [{"token": "Hi", "logprob": -0.1, "bytes": [72], "top_logprobs": []}]
    }
    choice = {"index": 0, "delta": {"content": "Hi"}, "logprobs": probabilities}
    relayed = stream.feed(event({}, choices=[choice]) * 2).decode().split("\n\n")
    assert json.loads(relayed[2][6:])["choices"][0]["logprobs"] == probabilities
    assert stream.relayed_tokens == 2


def test_an_event_with_an_impossible_number_is_a_failure() -> None:
    stream = opened()
    choice = b'{"choices":[{"index":1e999,"delta":{"content":"x"}}]}'
    assert stream.feed(b"data: " + choice + b"\n\n") == b""
    assert stream.failure is not None
    assert (stream.failure.code, stream.relayed_tokens) == ("upstream_invalid_response", 0)
