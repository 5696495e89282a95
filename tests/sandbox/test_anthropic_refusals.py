"""The double refuses what Anthropic refuses, and names the place."""

import json
from typing import Any

import pytest

from tests.sandbox.caller import Answer, Caller

USER = {"role": "user", "content": "Hi"}
TOOL = {"name": "time", "input_schema": {"type": "object"}}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "time", "input": {}}
CALLED = {"role": "assistant", "content": [CALL]}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "12"}
RESULTED = {"role": "user", "content": [RESULT]}
KEY = {"x-api-key": "sk-ant-1", "anthropic-version": "2026-10-21"}
SUMMARY = {"type": "adaptive"}


def say(caller: Caller, headers: dict[str, str] | None = None, **fields: Any) -> Answer:
    """Send a body that is good but for these fields; a field that is Ellipsis is left out."""
    body = {"model": "claude-sonnet-5", "max_tokens": 4096, "messages": [USER], **fields}
    kept = {name: value for name, value in body.items() if value is not ...}
    encoded = json.dumps(kept).encode()
    return caller.send("POST", "/anthropic/v1/messages", body=encoded, headers=headers or KEY)


def content(*blocks: Any, role: str = "user") -> dict[str, Any]:
    """Make the fields of a conversation of one message."""
    return {"messages": [{"role": role, "content": list(blocks)}], "tools": [TOOL]}


def source(kind: str, **fields: str) -> dict[str, Any]:
    """Make an image or document block."""
    return {"type": kind, "source": fields}


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"max_tokens": ...}, "max_tokens: Field required"),
        ({"max_tokens": "9"}, "max_tokens: Input should be a valid number"),
        ({"max_tokens": 128_001}, "max_tokens: 128001 > 128000"),
        ({"messages": ...}, "messages: Field required"),
        ({"messages": []}, "messages: at least one message"),
        ({"messages": "Hi"}, "messages: Input should be a valid list"),
        ({"messages": [{"role": "king", "content": "Hi"}]}, "messages.0.role: "),
        ({"messages": [{"role": "system", "content": "Hi"}]}, "messages.0.role: "),
        ({"messages": [{"role": "user"}]}, "messages.0.content: Field required"),
        ({"messages": [{"role": "user", "content": ""}]}, "messages.0: all messages must have"),
        ({"messages": [{"role": "user", "content": " "}]}, "messages: text content blocks must"),
        ({"messages": [{**USER, "name": "Ann"}]}, "messages.0.name: Extra inputs"),
        ({"messages": [USER, {"role": "assistant", "content": "I"}]}, "This model does not supp"),
        (content({"type": "text", "text": ""}), "messages: text content blocks must be non-empty"),
        (content({"type": "input_audio"}), "messages.0.content.0: Input tag 'input_audio'"),
        (content(CALL), "messages.0.content.0: Input tag 'tool_use'"),
        (content(source("document", type="url"), role="assistant"), "messages.0.content.0: Input"),
        (content({"type": "text", "text": "a", "citations": [{}]}), "messages.0.content.0.text.c"),
        (content(source("image", type="url", url="http://a")), "messages.0.content.0.image.sour"),
        (
            content(source("image", type="base64", media_type="image/bmp", data="AAAA")),
            "messages.0.content.0.image.source.media_type",
        ),
        (
            content(source("document", type="base64", media_type="application/pdf", data="?")),
            "messages.0.content.0.document.source.data: invalid base64",
        ),
        (content(RESULT), "messages.0.content.0: unexpected `tool_use_id`"),
        ({"messages": [USER, CALLED], "tools": [TOOL]}, "messages.1.content.0: `tool_use` ids"),
        ({"messages": [USER, CALLED, USER], "tools": [TOOL]}, "messages.2: `tool_use` ids were"),
        ({"messages": [USER, CALLED, RESULTED]}, "Requests which include `tool_use`"),
        (
            {"messages": [USER, CALLED, RESULTED, CALLED, RESULTED], "tools": [TOOL]},
            "messages.3.content.0: `tool_use` ids must be unique",
        ),
        (
            {"messages": [USER, CALLED, USER, RESULTED], "tools": [TOOL]},
            "messages.2: `tool_result` blocks must come first",
        ),
        ({"tools": [{"name": "time"}]}, "tools.0.input_schema: Field required"),
        ({"tools": [{"name": "time", "input_schema": {}}]}, "tools.0.input_schema.type: "),
        ({"tools": [{**TOOL, "name": "what time"}]}, "tools.0.name: String should match"),
        ({"tools": [TOOL, TOOL]}, "tools: Tool names must be unique"),
        ({"tool_choice": {"type": "auto"}}, "tool_choice: may only be specified"),
        ({"tools": [TOOL], "tool_choice": {"type": "must"}}, "tool_choice.type: "),
        ({"tools": [TOOL], "tool_choice": {"type": "tool", "name": "x"}}, "Tool 'x' not found"),
        (
            {"tools": [TOOL], "tool_choice": {"type": "any"}, "thinking": SUMMARY},
            "Thinking may not be enabled",
        ),
        ({"stop_sequences": [" "]}, "stop_sequences: each stop sequence"),
        ({"temperature": 1}, "temperature: Extra inputs"),
        ({"top_p": 1}, "top_p: Extra inputs"),
        ({"top_k": 5}, "top_k: Extra inputs"),
        ({"metadata": {"user_id": "x" * 513}}, "metadata.user_id: String should have"),
        ({"metadata": {"name": "x"}}, "metadata.name: Extra inputs"),
        ({"service_tier": "fast"}, "service_tier: "),
        ({"thinking": {"type": "enabled", "budget_tokens": 1}}, "thinking.enabled.budget_tokens"),
        ({"thinking": {"type": "enabled", "budget_tokens": 2048}}, '"thinking.type.enabled" is'),
        ({"output_config": {"effort": "minimal"}}, "output_config.effort: "),
        ({"output_config": {"format": {"type": "json_object"}}}, "output_config.format.schema: "),
        ({"cache_control": {"type": "ephemeral", "ttl": "2h"}}, "cache_control.cache_control.ttl"),
        (
            content(*[{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}] * 5),
            "A maximum of 4 blocks with cache_control may be provided. Found 5.",
        ),
        ({"n": 2}, "n: Extra inputs"),
    ],
)
def test_bad_request_is_told_where(caller: Caller, fields: dict[str, Any], place: str) -> None:
    answer = say(caller, **fields)
    body = answer.json()
    assert answer.status == 400
    assert body["error"]["message"].startswith(place)
    assert (body["type"], body["error"]["type"]) == ("error", "invalid_request_error")
    assert body["request_id"] == answer.headers["request-id"]


@pytest.mark.parametrize(
    ("model", "fields", "status"),
    [
        ("claude-opus-5-5", {"thinking": {"type": "disabled"}}, 400),
        ("claude-sonnet-5-5", {"thinking": {"type": "disabled"}}, 400),
        ("claude-sonnet-5-5", {"thinking": {"type": "between_tools"}}, 200),
        ("claude-sonnet-5", {"thinking": {"type": "disabled"}}, 200),
        ("claude-haiku-4-5", {"thinking": SUMMARY}, 400),
        ("claude-haiku-4-5", {"thinking": {"type": "enabled", "budget_tokens": 4095}}, 200),
        ("claude-haiku-4-5", {"thinking": {"type": "enabled", "budget_tokens": 4096}}, 400),
        ("claude-haiku-4-5", {"output_config": {"effort": "low"}}, 400),
        ("claude-sonnet-4-6", {"output_config": {"effort": "xhigh"}}, 400),
        ("claude-sonnet-4-6", {"thinking": {"type": "enabled", "budget_tokens": 1024}}, 200),
        ("claude-sonnet-5-5", {"tools": [TOOL], "tool_choice": {"type": "any"}}, 400),
        ("claude-sonnet-5", {"tools": [TOOL], "tool_choice": {"type": "any"}}, 200),
        ("claude-haiku-4-5", {"messages": [USER, {"role": "assistant", "content": "I"}]}, 200),
        ("claude-haiku-4-5", {"messages": [USER, {"role": "assistant", "content": "I "}]}, 400),
        ("claude-haiku-4-5", {"max_tokens": 64_001}, 400),
        (
            "claude-haiku-4-5",
            {
                "messages": [USER, CALLED, RESULTED],
                "tools": [TOOL],
                "thinking": {"type": "enabled", "budget_tokens": 1024},
            },
            400,
        ),
        ("claude-sonnet-4-5-20250929", {}, 200),
        ("claude-unlisted", {"thinking": SUMMARY}, 200),
        ("gpt-5.5", {}, 404),
        ("", {}, 404),
    ],
)
def test_models_take_what_they_take(
    caller: Caller, model: str, fields: dict[str, Any], status: int
) -> None:
    assert say(caller, model=model, **fields).status == status


@pytest.mark.parametrize(
    ("model", "fields", "status"),
    [
        ("claude-haiku-4-5", {"temperature": 0.5, "top_p": 0.5, "top_k": 5}, 200),
        ("claude-haiku-4-5", {"temperature": 1.5}, 400),
        ("claude-sonnet-5", {"temperature": 1, "top_p": 0.99}, 200),
        ("claude-sonnet-5", {"temperature": 0.5}, 400),
        ("claude-sonnet-5", {"top_k": 5}, 400),
        ("claude-sonnet-5", content({"type": "text", "text": "a", "citations": [{}]}), 200),
    ],
)
def test_the_older_version_still_takes_sampling(
    caller: Caller, model: str, fields: dict[str, Any], status: int
) -> None:
    headers = {"x-api-key": "sk-ant-1", "anthropic-version": "2023-06-01"}
    assert say(caller, headers, model=model, **fields).status == status


@pytest.mark.parametrize(
    ("headers", "status", "kind"),
    [
        ({"anthropic-version": "2026-10-21"}, 401, "authentication_error"),
        ({"authorization": "Basic x", **KEY, "x-api-key": ""}, 401, "authentication_error"),
        ({"x-api-key": "sk-ant-1"}, 400, "invalid_request_error"),
        (
            {"x-api-key": "sk-ant-1", "anthropic-version": "2025-01-01"},
            400,
            "invalid_request_error",
        ),
        ({"authorization": "Bearer sk-1", "anthropic-version": "2026-10-21"}, 200, None),
        (KEY, 200, None),
    ],
)
def test_key_and_version_have_to_be_there(
    caller: Caller, headers: dict[str, str], status: int, kind: str | None
) -> None:
    answer = say(caller, headers)
    assert (answer.status, answer.json().get("error", {}).get("type")) == (status, kind)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/anthropic/v1/messages", 405),
        ("POST", "/anthropic/v1/models", 405),
        ("POST", "/anthropic/v1/complete", 404),
        ("GET", "/anthropic", 404),
    ],
)
def test_wrong_method_or_path_is_refused(
    caller: Caller, method: str, path: str, status: int
) -> None:
    assert caller.send(method, path, headers=KEY).status == status


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"model":NaN}', b"\xff\xfe", b"[" * 100_000])
def test_body_that_is_no_message_is_a_400(caller: Caller, body: bytes) -> None:
    answer = caller.send("POST", "/anthropic/v1/messages", body=body, headers=KEY)
    assert (answer.status, answer.json()["error"]["type"]) == (400, "invalid_request_error")


@pytest.mark.parametrize("hostile", [7, True, [7], {"a": 7}, "", [[]], [{}], {"type": []}, None])
def test_no_wrong_type_makes_the_double_fall_over(caller: Caller, hostile: object) -> None:
    for name in ("messages", "tools", "tool_choice", "thinking", "output_config", "system"):
        assert say(caller, None, **{"stream": True, name: hostile}).status in (200, 400)
    for name in ("metadata", "stop_sequences", "cache_control", "model", "max_tokens"):
        assert say(caller, None, **{name: hostile}).status in (200, 400, 404)
    for kind in ("text", "image", "document", "tool_result"):
        block = {"type": kind, kind: hostile, "source": hostile, "content": hostile}
        assert say(caller, **content(block)).status == 400


def test_only_the_prompt_is_needed_to_count(caller: Caller) -> None:
    path = "/anthropic/v1/messages/count_tokens"
    body = json.dumps({"model": "claude-sonnet-5", "messages": [USER]}).encode()
    assert caller.send("POST", path, body=body, headers=KEY).json() == {"input_tokens": 8}
    body = json.dumps({"model": "claude-sonnet-5", "messages": []}).encode()
    assert caller.send("POST", path, body=body, headers=KEY).status == 400


def test_faults_speak_anthropics_form(caller: Caller) -> None:
    def asked(words: str, **fields: Any) -> Answer:
        return say(caller, messages=[{"role": "user", "content": f"[[sandbox {words}]]"}], **fields)

    assert asked("status=429 code=enforced_spend_limit_reached").json()["error"]["details"] == {
        "error_code": "enforced_spend_limit_reached"
    }
    assert asked("status=529 retry_after=7").headers["retry-after"] == "7"
    page = asked("status=413")
    assert (page.status, page.body[:9]) == (413, b"<!DOCTYPE")
    assert asked("reject=system", system="Hm").json()["error"]["message"].startswith("system: ")
    assert "usage" not in asked("missing_usage").json()
    assert asked("usage=-5").json()["usage"]["output_tokens"] == -5
    assert b'"text":"\xff\xfe' in asked("invalid_utf8").body
    assert b'"text":"\xff\xfe' in asked("invalid_utf8", stream=True).body
    assert asked("no_done", stream=True).events()[-1]["type"] == "message_delta"
    last = asked("error_event", stream=True).events()[-1]
    assert (last["type"], last["error"]["type"]) == ("error", "overloaded_error")
    assert asked("nonsense").json()["error"]["details"] == {"error_code": "unknown_fault"}
    assert asked("chunks=64").json()["usage"]["output_tokens"] == 64
