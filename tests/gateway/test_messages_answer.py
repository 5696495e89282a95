"""A chat completion, whoever made it, becomes a message of Anthropic's with the same content."""

import hashlib
import json
from typing import Any

import pytest

from gateway.surfaces.envelopes import render, status_of, surface_of
from gateway.surfaces.messages.answer import write_message
from gateway.surfaces.messages.request import read_message
from studio.core.errors import GatewayError
from tests.gateway.message_bodies import body_of

CHAT = read_message(body_of())
USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 20,
    "total_tokens": 120,
    "prompt_tokens_details": {"cached_tokens": 64, "cache_write_tokens": 16},
    "completion_tokens_details": {"reasoning_tokens": 7},
}
CALL = {"id": "call_1", "type": "function", "function": {"name": "time", "arguments": '{"a": 1}'}}
TEXT = {"type": "text", "text": "Hello", "citations": None}


def written(message: dict[str, Any], *, reason: object = "stop", usage: object = USAGE) -> Any:
    """Write a completion that says this."""
    completion = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_780_000_000,
        "model": "gpt-5.6-sol",
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
        "usage": usage,
    }
    return json.loads(write_message(json.dumps(completion).encode(), CHAT))


def content_of(**message: Any) -> Any:
    """Give the content that a message becomes."""
    return written({"role": "assistant", "content": None, **message})["content"]


def tool_use(**fields: Any) -> dict[str, Any]:
    """Give a call of the tool `time`."""
    return {
        "type": "tool_use",
        "id": "call_1",
        "name": "time",
        "input": {"a": 1},
        "caller": {"type": "direct"},
        **fields,
    }


def test_the_whole_message() -> None:
    digest = hashlib.sha256(b"chatcmpl-1\x001780000000").hexdigest()
    assert written({"content": "Hello", "refusal": None}) == {
        "id": f"msg_{digest[:32]}",
        "type": "message",
        "role": "assistant",
        "model": "gpt-5.6-sol",
        "content": [TEXT],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "stop_details": None,
        "container": None,
        "usage": {
            "input_tokens": 20,
            "cache_creation_input_tokens": 16,
            "cache_read_input_tokens": 64,
            "output_tokens": 20,
            "output_tokens_details": {"thinking_tokens": 7},
            "cache_creation": None,
            "inference_geo": None,
            "server_tool_use": None,
            "service_tier": None,
        },
    }


@pytest.mark.parametrize(
    ("reason", "stop_reason"),
    [
        ("stop", "end_turn"),
        ("length", "max_tokens"),
        ("tool_calls", "tool_use"),
        ("function_call", "tool_use"),
        ("content_filter", "refusal"),
        ("other", "end_turn"),
        (None, "end_turn"),
        (7, "end_turn"),
    ],
)
def test_stop_reasons(reason: object, stop_reason: str) -> None:
    assert written({"content": "Hello"}, reason=reason)["stop_reason"] == stop_reason


def test_a_call_is_a_call_even_where_the_provider_says_stop() -> None:
    answer = written({"content": None, "tool_calls": [CALL]}, reason="stop")
    assert (answer["stop_reason"], answer["content"]) == ("tool_use", [tool_use()])
    cut = written({"content": None, "tool_calls": [CALL]}, reason="length")
    assert cut["stop_reason"] == "max_tokens"


def test_a_refusal_is_text_and_says_so() -> None:
    answer = written({"content": None, "refusal": "No"})
    assert answer["content"] == [{"type": "text", "text": "No", "citations": None}]
    assert answer["stop_reason"] == "refusal"


def test_thinking_comes_first_and_keeps_its_signature() -> None:
    blocks = [
        {"type": "thinking", "thinking": "Hm", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "cmVk"},
        {"type": "novel"},
        "thinking",
    ]
    content = content_of(content="Hello", reasoning_content="Hm", thinking_blocks=blocks)
    assert content == [*blocks[:2], TEXT]


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_of_others_has_no_signature(field: str) -> None:
    thinking = {"type": "thinking", "thinking": "Hm", "signature": ""}
    assert content_of(content="Hello", **{field: "Hm"}) == [thinking, TEXT]


@pytest.mark.parametrize(
    ("arguments", "read"),
    [
        ('{"a": 1}', {"a": 1}),
        ("", {}),
        (" ", {}),
        (None, {}),
        ('{"a":', {"INVALID_JSON": '{"a":'}),
        ("[1]", {"INVALID_JSON": "[1]"}),
        ("now", {"INVALID_JSON": "now"}),
    ],
)
def test_the_input_of_a_call_is_an_object(arguments: object, read: dict[str, Any]) -> None:
    call = {**CALL, "function": {"name": "time", "arguments": arguments}}
    assert content_of(tool_calls=[call]) == [tool_use(input=read)]


def test_calls_keep_what_google_signed_and_get_ids_where_they_have_none() -> None:
    signed = {**CALL, "extra_content": {"google": {"thought_signature": "c2ln"}}}
    nameless = {**CALL, "id": ""}
    answer = written({"content": "", "tool_calls": [signed, nameless, {"id": "x"}, 7]})
    own = f"toolu_{answer['id'].removeprefix('msg_')}_1"
    assert answer["content"] == [
        tool_use(extra_content=signed["extra_content"]),
        tool_use(id=own),
    ]


@pytest.mark.parametrize(
    "usage",
    [
        None,
        "many",
        {},
        {"prompt_tokens": 8},
        {"prompt_tokens": -8, "completion_tokens": 2},
        {"prompt_tokens": 8.5, "completion_tokens": 2},
        {"prompt_tokens": True, "completion_tokens": 2},
        {"prompt_tokens": 8, "completion_tokens": 2**40},
        {
            "prompt_tokens": 8,
            "completion_tokens": 2,
            "prompt_tokens_details": {"cached_tokens": 9},
        },
    ],
)
def test_usage_that_nobody_should_believe_is_replaced_by_what_is_charged(usage: object) -> None:
    answer = written({"content": "Hello, you"}, usage=usage)
    assert answer["usage"]["input_tokens"] == 6  # 5 bytes are 2 tokens, a message 4
    assert answer["usage"]["output_tokens"] == 3
    called = written({"content": None, "tool_calls": [CALL]}, usage=usage)
    assert called["usage"]["output_tokens"] == 3


def test_nothing_said_is_no_content() -> None:
    assert content_of(content="", refusal="", tool_calls=None, thinking_blocks=7) == []
    assert content_of(content=["Hello"]) == []


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("invalid_request_error", 400, "invalid_request_error"),
        ("authentication_error", 401, "authentication_error"),
        ("insufficient_credits", 402, "billing_error"),
        ("permission_error", 403, "permission_error"),
        ("not_found", 404, "not_found_error"),
        ("method_not_allowed", 405, "invalid_request_error"),
        ("request_timeout", 408, "timeout_error"),
        ("idempotency_conflict", 409, "conflict_error"),
        ("request_too_large", 413, "request_too_large"),
        ("unsupported_media_type", 415, "invalid_request_error"),
        ("idempotency_mismatch", 422, "invalid_request_error"),
        ("rate_limit_exceeded", 429, "rate_limit_error"),
        ("internal_error", 500, "api_error"),
        ("upstream_error", 502, "api_error"),
        ("upstream_overloaded", 503, "overloaded_error"),
        ("no_price", 503, "api_error"),
        ("upstream_timeout", 504, "timeout_error"),
        ("model_not_found", 500, "not_found_error"),
    ],
)
def test_an_error_has_the_type_that_clients_know_and_our_code(
    code: str, status: int, kind: str
) -> None:
    error = GatewayError("What happened")
    error.code, error.status = code, status
    assert json.loads(render(error, "messages", "req-1")) == {
        "type": "error",
        "error": {"type": kind, "message": "What happened", "details": {"error_code": code}},
        "request_id": "req-1",
    }
    assert status_of(error, "messages") == (404 if code == "model_not_found" else status)


def test_the_surface_s_paths() -> None:
    for path in ("/v1/messages", "/v1/messages/", "/v1/messages/count_tokens"):
        assert surface_of(path) == "messages"
    assert surface_of("/v1/messagesque") == "studio"
