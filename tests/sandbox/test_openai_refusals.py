"""The double refuses what OpenAI documents as wrong, with the four keys of its error."""

from typing import Any

import pytest

from tests.sandbox.caller import Caller

USER = {"role": "user", "content": "Hi"}
FUNCTION = {"type": "function", "function": {"name": "time"}}


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"messages": []}, "messages", "empty_array"),
        ({"messages": None}, "messages", "missing_required_parameter"),
        ({"messages": "Hi"}, "messages", "invalid_type"),
        ({"messages": [{"role": "king", "content": "Hi"}]}, "messages[0].role", "invalid_value"),
        (
            {"messages": [{"role": "user"}]},
            "messages[0].content",
            "missing_required_parameter",
        ),
        (
            {"messages": [USER, {"role": "tool", "tool_call_id": "call_1", "content": "12"}]},
            "messages[1].role",
            None,
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
            "messages[0].content[0].image_url.url",
            "missing_required_parameter",
        ),
        ({"temperature": 2.5}, "temperature", "decimal_above_max_value"),
        ({"temperature": -0.1}, "temperature", "decimal_below_min_value"),
        ({"temperature": "hot"}, "temperature", "invalid_type"),
        ({"top_p": 1.1}, "top_p", "decimal_above_max_value"),
        ({"n": 0}, "n", "integer_below_min_value"),
        ({"n": 129}, "n", "integer_above_max_value"),
        ({"n": True}, "n", "invalid_type"),
        ({"presence_penalty": 3}, "presence_penalty", "decimal_above_max_value"),
        ({"max_completion_tokens": 0}, "max_completion_tokens", "integer_below_min_value"),
        (
            {"max_tokens": 5, "max_completion_tokens": 5},
            "max_tokens",
            "invalid_parameter_combination",
        ),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop", "array_above_max_length"),
        ({"stream_options": {"include_usage": True}}, "stream_options", None),
        ({"top_logprobs": 2}, "top_logprobs", None),
        ({"top_logprobs": 21, "logprobs": True}, "top_logprobs", "integer_above_max_value"),
        ({"tool_choice": "auto"}, "tool_choice", None),
        ({"tools": [{"type": "function"}]}, "tools[0].function", "missing_required_parameter"),
        ({"tools": [FUNCTION], "tool_choice": "maybe"}, "tool_choice", "invalid_value"),
        ({"response_format": {"type": "xml"}}, "response_format.type", "invalid_value"),
        ({"response_format": {"type": "json_object"}}, "messages", None),
        ({"reasoning_effort": "huge"}, "reasoning_effort", "invalid_value"),
        ({"safety_identifier": "x" * 65}, "safety_identifier", "string_above_max_length"),
        ({"model": "o3", "max_tokens": 5}, "max_tokens", "unsupported_parameter"),
        ({"model": "o4-mini", "stop": "."}, "stop", "unsupported_parameter"),
        ({"colour": "red"}, "colour", "unknown_parameter"),
    ],
)
def test_bad_field_is_named(
    caller: Caller, fields: dict[str, Any], param: str, code: str | None
) -> None:
    answer = caller.chat("Hi", **{"messages": [USER], **fields})
    error = answer.json()["error"]
    assert (answer.status, error["param"], error["code"]) == (400, param, code)
    assert error["type"] == "invalid_request_error"
    assert set(error) == {"message", "type", "param", "code"}


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"model":NaN}', b"\xff\xfe", b"[" * 100_000, b'{"model":"gpt-5.5"}'],
)
def test_body_that_is_no_chat_is_a_400(caller: Caller, body: bytes) -> None:
    answer = caller.send("POST", "/openai/v1/chat/completions", body=body)
    assert answer.status == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("hostile", [7, True, [7], {"a": 7}, "", [[]], [{}], {"type": []}])
def test_no_wrong_type_makes_the_double_fall_over(caller: Caller, hostile: object) -> None:
    for name in ("messages", "tools", "tool_choice", "response_format", "stop", "stream_options"):
        fields: dict[str, Any] = {"stream": True, name: hostile}
        assert caller.chat("Hi", **fields).status in (200, 400)


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [FUNCTION], "tool_choice": {"type": "function", "function": {}}},
        {"tools": [{"type": "function", "function": {"name": "a", "parameters": {"type": 7}}}]},
        {"functions": [7]},
        {"prediction": {"type": "content", "content": [{}]}},
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "a", "schema": {"$ref": 7}},
            }
        },
    ],
)
def test_malformed_nested_value_is_a_400(caller: Caller, fields: dict[str, Any]) -> None:
    assert caller.chat("Hi", **fields).status == 400


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/openai/v1/chat/completions", 405),
        ("POST", "/openai/v1/models", 405),
        ("POST", "/openai/v1/nothing", 404),
        ("GET", "/openai", 404),
        ("GET", "/nobody/v1/models", 404),
        ("GET", "/openai/v1/models/llama-3", 404),
    ],
)
def test_wrong_method_or_path_is_refused(
    caller: Caller, method: str, path: str, status: int
) -> None:
    assert caller.send(method, path).status == status


def test_missing_key_is_a_401(caller: Caller) -> None:
    answer = caller.send("GET", "/openai/v1/models", headers={})
    assert (answer.status, answer.json()["error"]["code"]) == (401, None)
