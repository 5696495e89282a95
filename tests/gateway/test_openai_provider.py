"""OpenAI's dialect, word for word."""

import json
from typing import Any

import pytest

from gateway.operations.chat import ChatUsage
from gateway.providers.base import Target, UpstreamInvalid
from gateway.providers.openai import PROVIDER
from tests.gateway.openai_bodies import (
    BAD_USAGES,
    REQUEST,
    TARGET,
    reply,
    request_of,
    succeeded,
)


def sent(target: Target = TARGET, **fields: Any) -> dict[str, Any]:
    """Give the JSON that goes to OpenAI for these fields."""
    body: dict[str, Any] = json.loads(PROVIDER.build_chat(request_of(**fields), target).body)
    assert body.pop("messages") == [{"role": "user", "content": "Hello"}]
    return body


def test_a_request_goes_out_with_the_routes_model_and_the_ceiling_that_was_held() -> None:
    request = PROVIDER.build_chat(request_of(max_tokens=9, temperature=0), TARGET)
    assert (request.method, request.path) == ("POST", "/chat/completions")
    assert request.headers == {"content-type": "application/json", "accept": "application/json"}
    assert sent(max_tokens=9, temperature=0) == {
        "model": "gpt-5.6-sol",
        "max_completion_tokens": 64,
        "temperature": 0,
    }


def test_without_a_ceiling_the_callers_maximum_moves_to_its_new_name() -> None:
    assert sent(Target(model="m"), max_tokens=9) == {"model": "m", "max_completion_tokens": 9}
    assert sent(Target(model="m")) == {"model": "m"}


def test_a_stream_always_asks_for_usage_and_never_for_padding() -> None:
    expected = {
        "model": "gpt-5.6-sol",
        "max_completion_tokens": 64,
        "stream": True,
        "stream_options": {"include_usage": True, "include_obfuscation": False},
    }
    assert sent(stream=True) == expected
    wanted = {"include_usage": False, "include_obfuscation": True}
    assert sent(stream=True, stream_options=wanted) == expected
    request = PROVIDER.build_chat(request_of(stream=True), TARGET)
    assert request.headers["accept"] == "text/event-stream"


def test_parameters_the_model_refuses_are_dropped_and_ours_are_not() -> None:
    target = Target(model="m", drop_parameters=("temperature", "stop", "model", "nonsense"))
    assert sent(target, temperature=1, stop="x", top_p=1) == {"model": "m", "top_p": 1}


def test_other_fields_pass_on_unchanged() -> None:
    fields: dict[str, Any] = {
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"a": [1, 2.5]}}}],
        "tool_choice": "required",
        "response_format": {"type": "json_object"},
        "logit_bias": {"5": -1},
        "parallel_tool_calls": False,
        "store": False,
        "seed": 7,
    }
    assert sent(**fields) == {"model": "gpt-5.6-sol", "max_completion_tokens": 64, **fields}


def test_the_key_is_a_bearer_token() -> None:
    assert PROVIDER.auth("sk-1") == {"authorization": "Bearer sk-1"}


@pytest.mark.parametrize(
    ("name", "usage", "reason", "delivered"),
    [
        ("plain", ChatUsage(input_tokens=21, output_tokens=14), "stop", True),
        ("tools", ChatUsage(input_tokens=96, output_tokens=41), "tool_calls", True),
        ("json_schema", ChatUsage(input_tokens=78, output_tokens=24), "stop", True),
        ("vision", ChatUsage(input_tokens=1118, output_tokens=15), "stop", True),
        (
            "reasoning",
            ChatUsage(input_tokens=34, output_tokens=519, reasoning_tokens=512),
            "stop",
            True,
        ),
        (
            "cached",
            ChatUsage(
                input_tokens=2304,
                output_tokens=2,
                cached_input_tokens=2048,
                cache_write_tokens=128,
            ),
            "stop",
            True,
        ),
        ("refusal", ChatUsage(input_tokens=52, output_tokens=12), "stop", True),
        ("length", ChatUsage(input_tokens=11, output_tokens=6), "length", True),
        ("audio", ChatUsage(input_tokens=15, output_tokens=40), "stop", True),
        ("two_choices", ChatUsage(input_tokens=12, output_tokens=6), "stop", True),
        ("content_filter", ChatUsage(input_tokens=40, output_tokens=0), "content_filter", False),
    ],
)
def test_an_answer_passes_through_and_is_understood(
    name: str, usage: ChatUsage, reason: str, delivered: bool
) -> None:
    body = reply(f"{name}.json")
    answer = PROVIDER.parse_chat(REQUEST, TARGET, succeeded(body))
    assert answer.body is body
    assert answer.usage == usage
    assert answer.counted_tokens == usage.output_tokens
    assert (answer.finish_reason, answer.delivered) == (reason, delivered)
    assert answer.model == "gpt-5.6-sol-2026-05-12"


@pytest.mark.parametrize("usage", BAD_USAGES)
def test_a_usage_that_cannot_be_believed_is_counted_by_us(usage: bytes) -> None:
    body = b'{"choices":[{"message":{"content":"123456789"},"finish_reason":"stop"}],"usage":%s}'
    answer = PROVIDER.parse_chat(REQUEST, TARGET, succeeded(body % usage))
    assert answer.usage is None
    assert answer.counted_tokens == 3


def test_an_unknown_finish_reason_is_other_for_us_and_itself_for_the_caller() -> None:
    body = b'{"choices":[{"message":{"content":"x"},"finish_reason":"bored"}]}'
    answer = PROVIDER.parse_chat(REQUEST, TARGET, succeeded(body))
    assert (answer.finish_reason, answer.body) == ("other", body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}',
        b'{"choices":[{"finish_reason":"stop"}]}',
        b'{"choices":{}}',
        b'{"choices":[{"message":"Hi"}]}',
        b'{"choices":[{"message":{"content":"\xff"}}]}',
    ],
)
def test_an_answer_without_a_readable_choice_is_invalid(body: bytes) -> None:
    with pytest.raises(UpstreamInvalid):
        PROVIDER.parse_chat(REQUEST, TARGET, succeeded(body))


@pytest.mark.parametrize(
    ("name", "headers", "shown", "retry_after"),
    [
        ("error_400_parameter", {}, (400, "invalid_request_error", False), None),
        ("error_401_key", {}, (502, "upstream_error", False), None),
        ("error_403_region", {}, (502, "upstream_error", False), None),
        ("error_404_model", {}, (502, "upstream_error", False), None),
        ("error_429_rate", {"retry-after": "7"}, (503, "upstream_overloaded", True), "7"),
        ("error_429_rate", {"retry-after-ms": "1200"}, (503, "upstream_overloaded", True), "2"),
        ("error_429_rate", {"retry-after": "soon"}, (503, "upstream_overloaded", True), "5"),
        ("error_429_rate", {"retry-after": "inf"}, (503, "upstream_overloaded", True), "5"),
        ("error_429_rate", {"retry-after": "1e9"}, (503, "upstream_overloaded", True), "3600"),
        ("error_429_quota", {}, (503, "upstream_quota", False), None),
        ("error_500_server", {}, (502, "upstream_error", True), None),
        ("error_500_server", {"x-should-retry": "false"}, (502, "upstream_error", False), None),
        ("error_503_overloaded", {"retry-after": "3"}, (502, "upstream_error", True), "3"),
    ],
)
def test_an_error_of_theirs_becomes_ours(
    name: str, headers: dict[str, str], shown: tuple[int, str, bool], retry_after: str | None
) -> None:
    status = int(name.split("_")[1])
    failure = PROVIDER.parse_error(status, headers, reply(f"{name}.json"))
    assert (failure.status, failure.code, failure.retryable) == shown
    assert failure.headers.get("Retry-After") == retry_after


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (302, "upstream_error"),
        (408, "upstream_timeout"),
        (409, "upstream_error"),
        (422, "invalid_request_error"),
        (502, "upstream_error"),
        (504, "upstream_timeout"),
        (529, "upstream_overloaded"),
    ],
)
def test_a_status_alone_says_enough(status: int, code: str) -> None:
    failure = PROVIDER.parse_error(status, {}, b"<html>api.openai.com</html>")
    assert (failure.code, failure.provider_status) == (code, status)
    assert "openai.com" not in failure.message


def test_a_refused_request_tells_the_providers_words_and_the_parameter() -> None:
    failure = PROVIDER.parse_error(400, {}, reply("error_400_parameter.json"))
    assert failure.message == (
        "Unsupported parameter: 'max_tokens' is not supported with this model. "
        "Use 'max_completion_tokens' instead. See [link]"
    )
    assert failure.details == {"param": "max_tokens"}


def test_ids_and_hosts_are_cut_from_words_but_names_of_functions_stay() -> None:
    words = "call_weather failed: req_1a2b3c4d5e6f at help.openai.com/x, key sk-abcdefgh12345"
    body = json.dumps({"error": {"message": words}}).encode()
    failure = PROVIDER.parse_error(400, {}, body)
    assert failure.message == "call_weather failed: [id] at [link] key [redacted]"
