"""What comes back from Anthropic: whole answers and errors, as our callers see them."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.operations.chat import ChatUsage
from gateway.providers.anthropic import PROVIDER
from gateway.providers.base import Reply, Target, UpstreamAnswer, UpstreamInvalid
from tests.gateway.anthropic_bodies import WEATHER, request_of

REPLIES = Path(__file__).parent / "replies/anthropic"
TARGET = Target(model="claude-sonnet-5-5", answer_id="chatcmpl-7", created_s=1_790_000_000)
SIGNATURE = "EqQBCkYIBxgCKkBmQ1dKd3ZpY2VfMDFBYkNkRWZHaElqS2xNbk9wUXJTdFV2"
BAD_USAGES = [
    b"null",
    b"{}",
    b"[]",
    b'"many"',
    b'{"input_tokens":8}',
    b'{"output_tokens":8}',
    b'{"input_tokens":-8,"output_tokens":2}',
    b'{"input_tokens":8,"output_tokens":2.5}',
    b'{"input_tokens":"8","output_tokens":2}',
    b'{"input_tokens":8,"output_tokens":true}',
    b'{"input_tokens":8,"output_tokens":99999999999}',
    b'{"input_tokens":2147483647,"output_tokens":2,"cache_read_input_tokens":1}',
    b'{"input_tokens":8,"output_tokens":2,"cache_read_input_tokens":-1}',
]


def parsed(body: bytes, **fields: Any) -> Reply:
    """Read a success with this body."""
    answer = UpstreamAnswer(status=200, headers={}, body=body)
    return PROVIDER.parse_chat(request_of(**fields), TARGET, answer)


def recorded(name: str, **fields: Any) -> tuple[Reply, dict[str, Any]]:
    """Read a recorded answer. Returns: it, and its only message."""
    reply = parsed((REPLIES / f"{name}.json").read_bytes(), **fields)
    (choice,) = json.loads(reply.body)["choices"]
    assert choice["index"] == 0
    message: dict[str, Any] = choice["message"]
    assert message.pop("role") == "assistant"
    assert message.pop("refusal") is None
    return reply, message


def test_an_answer_has_our_id_and_date_and_the_routes_model() -> None:
    reply, _ = recorded("plain")
    assert json.loads(reply.body) == {
        "id": "chatcmpl-7",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": "claude-sonnet-5-5",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "The capital of France is Paris.",
                    "refusal": None,
                },
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 21,
            "completion_tokens": 10,
            "total_tokens": 31,
            "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
    }
    assert reply.model == "claude-sonnet-5-5"
    assert b"msg_" not in reply.body


@pytest.mark.parametrize(
    ("name", "usage", "reason", "delivered"),
    [
        ("plain", ChatUsage(input_tokens=21, output_tokens=10), "stop", True),
        (
            "thinking",
            ChatUsage(input_tokens=42, output_tokens=96, reasoning_tokens=71),
            "stop",
            True,
        ),
        (
            "cached",
            ChatUsage(
                input_tokens=37 + 2048 + 512,
                output_tokens=4,
                cached_input_tokens=2048,
                cache_write_tokens=512,
            ),
            "stop",
            True,
        ),
        ("tools", ChatUsage(input_tokens=412, output_tokens=57), "tool_calls", True),
        ("max_tokens", ChatUsage(input_tokens=18, output_tokens=6), "length", True),
        ("context_window", ChatUsage(input_tokens=199_998, output_tokens=2), "length", True),
        ("stop_sequence", ChatUsage(input_tokens=24, output_tokens=7), "stop", True),
        ("unknown_blocks", ChatUsage(input_tokens=88, output_tokens=19), "length", True),
        ("refusal", ChatUsage(input_tokens=33, output_tokens=1), "content_filter", False),
        ("refusal_midway", ChatUsage(input_tokens=33, output_tokens=6), "content_filter", True),
        ("nothing", ChatUsage(input_tokens=65, output_tokens=2), "stop", True),
    ],
)
def test_an_answer_is_understood(name: str, usage: ChatUsage, reason: str, delivered: bool) -> None:
    reply, _ = recorded(name)
    assert reply.usage == usage
    assert reply.counted_tokens == usage.output_tokens
    assert (reply.finish_reason, reply.delivered) == (reason, delivered)
    assert json.loads(reply.body)["choices"][0]["finish_reason"] == reason


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("json_schema", '{"city":"Paris","population":2102650}'),
        ("japanese", "こんにちは、世界。🙂"),
        ("unknown_blocks", "Paris it is. Really."),
        ("refusal", ""),
        ("nothing", ""),
    ],
)
def test_texts_are_joined_and_unknown_blocks_skipped(name: str, content: str) -> None:
    assert recorded(name)[1] == {"content": content}


def test_calls_have_ids_of_ours_and_arguments_as_they_were() -> None:
    _, message = recorded("tools")
    assert message == {
        "content": None,
        "tool_calls": [
            {
                "id": "call_01A09q90qw90lq917835lq9",
                "type": "function",
                "function": {
                    "name": "get_weather",
                    "arguments": '{"city":"Zürich","days":2,"limit":12345678901234567890}',
                },
            }
        ],
    }
    _, message = recorded("parallel_tools")
    assert message["content"] == "I'll look at both."
    assert [call["function"] for call in message["tool_calls"]] == [
        {"name": "get_weather", "arguments": '{"city":"Paris"}'},
        {"name": "get_time", "arguments": "{}"},
    ]


def test_a_caller_who_sent_functions_gets_a_function_call() -> None:
    reply, message = recorded("parallel_tools", functions=[WEATHER])
    assert message == {
        "content": "I'll look at both.",
        "function_call": {"name": "get_weather", "arguments": '{"city":"Paris"}'},
    }
    assert reply.finish_reason == "function_call"
    both = recorded("tools", functions=[WEATHER], tools=[{"type": "function", "function": WEATHER}])
    assert both[0].finish_reason == "tool_calls"


def test_thoughts_are_shown_and_given_whole_to_be_handed_back() -> None:
    thought = {
        "type": "thinking",
        "thinking": "27 * 453: 27 * 400 = 10800 and 27 * 53 = 1431.",
        "signature": SIGNATURE,
    }
    assert recorded("thinking")[1] == {
        "content": "27 * 453 = 12231.",
        "reasoning_content": thought["thinking"],
        "thinking_blocks": [thought],
    }
    assert recorded("thinking_omitted")[1] == {
        "content": "12231",
        "thinking_blocks": [{**thought, "thinking": ""}],
    }
    _, message = recorded("redacted_thinking")
    assert message["reasoning_content"] == "Safe to say."
    assert [block["type"] for block in message["thinking_blocks"]] == [
        "redacted_thinking",
        "thinking",
    ]


@pytest.mark.parametrize("usage", BAD_USAGES)
def test_a_usage_that_cannot_be_believed_is_counted_by_us(usage: bytes) -> None:
    body = b'{"content":[{"type":"text","text":"123456789"}],"stop_reason":"end_turn","usage":%s}'
    reply = parsed(body % usage)
    assert (reply.usage, reply.counted_tokens) == (None, 3)
    assert json.loads(reply.body)["usage"] is None


@pytest.mark.parametrize("reason", [b'"bored"', b"null", b"7"])
def test_an_unknown_stop_reason_is_other_for_us_and_stop_for_the_caller(reason: bytes) -> None:
    reply = parsed(b'{"content":[{"type":"text","text":"x"}],"stop_reason":%s}' % reason)
    assert reply.finish_reason == "other"
    assert json.loads(reply.body)["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    "body",
    [
        b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}',
        b'{"content":"Hi"}',
        b'{"content":["Hi"]}',
        b'{"content":[{"type":"text","text":"\xff"}]}',
        b'{"content":[{"type":"tool_use","name":"f","input":{"a":"\xff"}}]}',
    ],
)
def test_an_answer_without_readable_blocks_is_invalid(body: bytes) -> None:
    with pytest.raises(UpstreamInvalid):
        parsed(body)


@pytest.mark.parametrize(
    ("name", "headers", "shown", "retry_after"),
    [
        ("error_400_temperature", {}, (400, "invalid_request_error", False), None),
        ("error_400_credit", {}, (503, "upstream_quota", False), None),
        ("error_400_on_hold", {}, (502, "upstream_error", False), None),
        ("error_401_key", {}, (502, "upstream_error", False), None),
        ("error_402_billing", {}, (503, "upstream_quota", False), None),
        ("error_403_permission", {}, (502, "upstream_error", False), None),
        ("error_404_model", {}, (502, "upstream_error", False), None),
        ("error_429_rate", {"retry-after": "7"}, (503, "upstream_overloaded", True), "7"),
        ("error_429_rate", {}, (503, "upstream_overloaded", True), "5"),
        ("error_429_spend_limit", {}, (503, "upstream_quota", False), None),
        ("error_500_api", {}, (502, "upstream_error", True), None),
        ("error_500_api", {"x-should-retry": "false"}, (502, "upstream_error", False), None),
        ("error_504_timeout", {}, (504, "upstream_timeout", True), None),
        ("error_529_overloaded", {"retry-after": "3"}, (503, "upstream_overloaded", True), "3"),
    ],
)
def test_an_error_of_theirs_becomes_ours(
    name: str, headers: dict[str, str], shown: tuple[int, str, bool], retry_after: str | None
) -> None:
    status = int(name.split("_")[1])
    failure = PROVIDER.parse_error(status, headers, (REPLIES / f"{name}.json").read_bytes())
    assert (failure.status, failure.code, failure.retryable) == shown
    assert failure.headers.get("Retry-After") == retry_after
    assert failure.provider_status == status


def test_a_refused_request_tells_anthropics_words_without_ids_and_addresses() -> None:
    failure = PROVIDER.parse_error(400, {}, (REPLIES / "error_400_tool_result.json").read_bytes())
    assert failure.message == (
        "messages.2: `tool_use` ids were found without `tool_result` blocks immediately after: "
        "[id]. Each `tool_use` block must have a corresponding `tool_result` block in the next "
        "message. See [link]"
    )


def test_a_callers_words_in_a_refusal_do_not_make_our_account_empty() -> None:
    words = "Tool 'Your credit balance is too low' not found in provided tools"
    error = {"type": "error", "error": {"type": "invalid_request_error", "message": words}}
    failure = PROVIDER.parse_error(400, {}, json.dumps(error).encode())
    assert (failure.status, failure.code) == (400, "invalid_request_error")


def test_a_page_of_html_is_an_error_too() -> None:
    page = b"<html><head><title>413 Request Entity Too Large</title></head></html>"
    failure = PROVIDER.parse_error(413, {}, page)
    assert (failure.status, failure.code) == (400, "invalid_request_error")
    assert failure.message == "The request is larger than the provider takes."
    failure = PROVIDER.parse_error(502, {}, b"<html>api.anthropic.com</html>")
    assert (failure.status, failure.code, failure.retryable) == (502, "upstream_error", True)
    assert "anthropic.com" not in failure.message
