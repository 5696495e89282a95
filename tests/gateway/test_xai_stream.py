"""xAI's streams become OpenAI's."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.operations.chat import ChatUsage
from gateway.providers.base import ChatStream, Target, UpstreamFailure
from gateway.providers.xai import PROVIDER
from tests.gateway.openai_bodies import request_of

REPLIES = Path(__file__).parent / "replies/xai"
TARGET = Target(
    model="grok-4.3", max_output_tokens=64, answer_id="chatcmpl-7", created_s=1790000007
)


def fed(name: str) -> tuple[ChatStream, list[Any]]:
    """Feed a recorded stream; give it and the chunks it became."""
    stream = PROVIDER.open_chat_stream(request_of(stream=True), TARGET)
    relayed = stream.feed((REPLIES / f"{name}.sse").read_bytes()).decode()
    return stream, [json.loads(block[6:]) for block in relayed.split("\n\n")[:-1]]


def test_a_stream_becomes_openais() -> None:
    stream, chunks = fed("stream_reasoning")
    assert {json.dumps({**chunk, "choices": []}) for chunk in chunks} == {
        '{"id": "chatcmpl-7", "object": "chat.completion.chunk", "created": 1790000007, '
        '"model": "grok-4.3", "choices": []}'
    }
    choices = [chunk["choices"][0] for chunk in chunks]
    assert choices[0] == {
        "index": 0,
        "delta": {"role": "assistant", "content": ""},
        "logprobs": None,
        "finish_reason": None,
    }
    thought = [choice["delta"].get("reasoning_content", "") for choice in choices]
    assert "".join(thought) == 'The user asks: "97"?\n'
    assert "".join(choice["delta"].get("content", "") for choice in choices) == "Yes, prime."
    assert [choice["finish_reason"] for choice in choices] == [None] * 11 + ["stop"]
    assert stream.usage == ChatUsage(
        input_tokens=210,
        output_tokens=135,
        cached_input_tokens=128,
        reasoning_tokens=131,
        provider_cost_ucr=465_600,
    )
    assert (stream.finished, stream.finish_reason, stream.relayed_tokens) == (True, "stop", 10)


def test_the_usage_of_a_stream_is_shown_as_it_is_charged() -> None:
    options = {"include_usage": True}
    stream = PROVIDER.open_chat_stream(request_of(stream=True, stream_options=options), TARGET)
    stream.feed((REPLIES / "stream_tools.sse").read_bytes())
    closing = stream.closing_bytes(usage=stream.usage, charge_ucr=1_500_000, failure=None)
    usage, done = closing.decode().split("\n\n")[:-1]
    assert done == "data: [DONE]"
    assert json.loads(usage[6:])["usage"] == {
        "prompt_tokens": 300,
        "completion_tokens": 64,
        "total_tokens": 364,
        "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 44},
        "credits_charged": 1.5,
    }


def test_usage_that_comes_with_every_chunk_is_not_relayed() -> None:
    stream, chunks = fed("stream_usage_all_along")
    assert not any("usage" in chunk for chunk in chunks)
    assert stream.usage == ChatUsage(input_tokens=9, output_tokens=3, provider_cost_ucr=18_750)


def test_each_choice_of_a_stream_begins_with_its_role() -> None:
    _, chunks = fed("stream_two_choices")
    opened = [
        chunk["choices"][0]["index"]
        for chunk in chunks
        if chunk["choices"][0]["delta"].get("role") == "assistant"
    ]
    assert opened == [0, 1]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks[-2:]] == ["stop", "stop"]


def test_calls_of_a_stream_are_whole() -> None:
    _, chunks = fed("stream_tools")
    calls = [chunk["choices"][0]["delta"]["tool_calls"] for chunk in chunks[1:3]]
    assert calls == [
        [
            {
                "index": 0,
                "id": "call_71",
                "type": "function",
                "function": {"name": "add", "arguments": '{"a":2}'},
            }
        ],
        [
            {
                "index": 1,
                "id": "call_72",
                "type": "function",
                "function": {"name": "now", "arguments": "{}"},
            }
        ],
    ]


@pytest.mark.parametrize(
    ("error", "status", "shown"),
    [
        ({"code": "invalid-argument", "error": "no"}, 400, (400, "invalid_request_error")),
        ({"code": "Some resource has been exhausted", "error": "x"}, 429, (503, "upstream_over")),
        ({"error": {"code": "permission-denied", "message": "x"}}, 403, (502, "upstream_error")),
        ({"code": "Deadline expired", "error": "x"}, 504, (504, "upstream_timeout")),
        ({"error": "Content violates usage guidelines."}, 500, (400, "invalid_request_error")),
        ({"error": "oops"}, 500, (502, "upstream_error")),
    ],
)
def test_an_error_inside_a_stream_is_known_by_its_words(
    error: dict[str, Any], status: int, shown: tuple[int, str]
) -> None:
    stream = PROVIDER.open_chat_stream(request_of(stream=True), TARGET)
    assert stream.feed(b"data: " + json.dumps(error).encode() + b"\n\n") == b""
    assert isinstance(stream.failure, UpstreamFailure)
    assert stream.failure.provider_status == status
    assert (stream.failure.status, stream.failure.code[: len(shown[1])]) == shown
