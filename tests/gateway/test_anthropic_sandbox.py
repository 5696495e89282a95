"""The double, which is as strict as Anthropic, takes what the provider writes, for every model."""

import base64
import json
from typing import Any

import pytest
import requests

from gateway.catalogue.file import read_catalogue_file
from gateway.operations.chat import decode_chat
from gateway.providers.anthropic import PROVIDER
from gateway.providers.base import Reply, Target, UpstreamAnswer, UpstreamFailure
from tests.gateway.anthropic_bodies import TOOL, USER, called

PIXEL = base64.b64encode(b"\x89PNG").decode()
SCHEMA = {"type": "object", "properties": {}, "additionalProperties": False}
MODELS = {
    key.removeprefix("anthropic:"): tuple(model.drop_parameters)
    for key, model in read_catalogue_file().models.items()
    if key.startswith("anthropic:")
}
NO_FORCED_TOOLS = {"claude-opus-5-5", "claude-sonnet-5-5"}
TWICE = called("call_0")
ANSWER = {"role": "tool", "tool_call_id": "call_0", "content": "12"}
BODIES: dict[str, dict[str, Any]] = {
    "plain": {},
    "sampled": {"temperature": 2, "top_p": 0.5, "top_k": 5, "stop": [" ", "never"]},
    "tuned": {"seed": 1, "presence_penalty": 1, "service_tier": "flex", "user": "ann"},
    "instructed": {"messages": [{"role": "system", "content": "Be brief."}, USER]},
    "only instructed": {"messages": [{"role": "system", "content": "Be brief."}]},
    "reasoning": {"reasoning_effort": "high"},
    "not reasoning": {"reasoning_effort": "none"},
    "barely": {"reasoning_effort": "minimal", "max_tokens": 100},
    "most": {"reasoning_effort": "xhigh"},
    "budget": {"thinking": {"type": "enabled", "budget_tokens": 90_000}},
    "adaptive": {"thinking": {"type": "adaptive"}},
    "disabled": {"thinking": {"type": "disabled"}, "reasoning_effort": "low"},
    "tools": {"tools": [TOOL], "reasoning_effort": "low"},
    "one at a time": {"tools": [TOOL], "parallel_tool_calls": False},
    "tools afterwards": {"messages": [USER, called("a:1"), {**ANSWER, "tool_call_id": "a:1"}]},
    "ids twice": {"messages": [USER, TWICE, ANSWER, TWICE, ANSWER], "tools": [TOOL]},
    "late result": {
        "messages": [USER, TWICE, USER, {"role": "assistant", "content": "Hm"}, ANSWER, USER],
        "tools": [TOOL],
        "reasoning_effort": "high",
    },
    "functions": {
        "messages": [
            USER,
            {"role": "assistant", "function_call": {"name": "weather", "arguments": ""}},
            {"role": "function", "name": "weather", "content": ""},
        ],
        "functions": [TOOL["function"]],
        "function_call": "auto",
    },
    "schema": {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "x", "schema": SCHEMA, "strict": True},
        }
    },
    "json": {"response_format": {"type": "json_object"}},
    "empty texts": {
        "messages": [{"role": "assistant", "content": " "}, USER, {**USER, "name": "b"}]
    },
    "parts": {
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "See", "cache_control": {"type": "ephemeral"}},
                    {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
                    {
                        "type": "image_url",
                        "image_url": {"url": f"data:image/png;base64,{PIXEL}"},
                        "cache_control": {"type": "ephemeral", "ttl": "1h"},
                    },
                    {"type": "file", "file": {"file_data": PIXEL, "filename": "a.pdf"}},
                ],
            }
        ]
    },
}
FORCED = {"tools": [TOOL], "tool_choice": "required", "reasoning_effort": "high"}


def sent(url: str, model: str, **fields: Any) -> requests.Response:
    """Send what the provider makes of these fields."""
    target = Target(model=model, max_output_tokens=4000, drop_parameters=MODELS[model])
    body = json.dumps({"messages": [USER], "kind": "chat.claude", **fields}).encode()
    request = PROVIDER.build_chat(decode_chat(body), target)
    headers = request.headers | PROVIDER.auth("sk-ant-1")
    address = f"{url}/anthropic{request.path}"
    return requests.post(address, data=request.body, headers=headers, timeout=30)


def replied(url: str, model: str, **fields: Any) -> Reply:
    """Send it and read the answer."""
    response = sent(url, model, **fields)
    answer = UpstreamAnswer(
        status=response.status_code, headers=response.headers, body=response.content
    )
    body = json.dumps({"messages": [USER], **fields}).encode()
    return PROVIDER.parse_chat(decode_chat(body), Target(model=model), answer)


def asked_for(words: str) -> dict[str, str]:
    """Make a message that asks the double for a fault."""
    return {"role": "user", "content": f"[[sandbox {words}]]"}


def deltas(relayed: bytes) -> list[Any]:
    """Give the deltas of what was relayed."""
    events = relayed.split(b"\n\n")[:-1]
    return [json.loads(event.removeprefix(b"data: "))["choices"][0]["delta"] for event in events]


def said(relayed: bytes, field: str) -> str:
    """Join the pieces of one field."""
    return "".join(delta.get(field, "") for delta in deltas(relayed))


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("model", MODELS)
def test_what_is_written_is_accepted(sandbox_url: str, model: str, name: str) -> None:
    response = sent(sandbox_url, model, **BODIES[name])
    assert response.status_code == 200, response.text


@pytest.mark.parametrize("model", MODELS)
def test_a_tool_is_forced_where_the_model_lets_itself_be_forced(
    sandbox_url: str, model: str
) -> None:
    response = sent(sandbox_url, model, **FORCED)
    assert response.status_code == (400 if model in NO_FORCED_TOOLS else 200), response.text
    assert ("tool_choice" in response.json().get("error", {}).get("message", "")) == (
        model in NO_FORCED_TOOLS
    )


@pytest.mark.parametrize("model", MODELS)
def test_an_answer_handed_back_as_it_came_is_accepted(sandbox_url: str, model: str) -> None:
    question = {"role": "user", "content": "aloud, in parallel"}
    fields: dict[str, Any] = {"tools": [TOOL], "reasoning_effort": "low"}
    first = json.loads(replied(sandbox_url, model, messages=[question], **fields).body)
    message = first["choices"][0]["message"]
    assert message["thinking_blocks"][0]["signature"] != ""
    assert message["reasoning_content"] != ""
    results = [
        {"role": "tool", "tool_call_id": call["id"], "content": f"{index} degrees"}
        for index, call in enumerate(message["tool_calls"])
    ]
    turns = [question, message, *results]
    second = json.loads(replied(sandbox_url, model, messages=turns, **fields).body)
    assert second["choices"][0]["message"]["content"] == "The tool answered: 1 degrees"


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"tools": [TOOL], "messages": [{"role": "user", "content": "aloud in parallel"}]},
        {"reasoning_effort": "high", "messages": [{"role": "user", "content": "Grüße 🌍"}]},
        {"messages": [{"role": "user", "content": "[[sandbox refusal]]"}]},
        {"messages": [{"role": "user", "content": "[[sandbox cached=7 cache_write=3]]"}]},
        {"messages": [{"role": "user", "content": "[[sandbox split_bytes=7 crlf comments]]"}]},
        {"messages": [{"role": "user", "content": "[[sandbox missing_usage]]"}]},
    ],
)
def test_a_stream_says_and_counts_what_the_whole_answer_does(
    sandbox_url: str, fields: dict[str, Any]
) -> None:
    whole = replied(sandbox_url, "claude-sonnet-5-5", **fields)
    body = json.dumps({"messages": [USER], **fields, "stream": True}).encode()
    stream = PROVIDER.open_chat_stream(decode_chat(body), Target(model="claude-sonnet-5-5"))
    response = sent(sandbox_url, "claude-sonnet-5-5", **fields, stream=True)
    relayed = stream.feed(response.content)
    message = json.loads(whole.body)["choices"][0]["message"]
    assert (stream.finished, stream.failure) == (True, None)
    assert (stream.usage, stream.finish_reason) == (whole.usage, whole.finish_reason)
    for field in ("content", "reasoning_content"):
        assert said(relayed, field) == (message.get(field) or "")
    found = deltas(relayed)
    thoughts = [block for d in found for block in d.get("thinking_blocks", ())]
    assert thoughts == message.get("thinking_blocks", [])
    pieces = [call for d in found for call in d.get("tool_calls", ())]
    ids = {call["id"] for call in pieces if "id" in call}
    assert len(ids) == len(message.get("tool_calls", ()))
    for index, call in enumerate(message.get("tool_calls", ())):
        arguments = [p["function"]["arguments"] for p in pieces if p["index"] == index]
        assert "".join(arguments) == call["function"]["arguments"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("html", "upstream_invalid_response"),
        ("empty", "upstream_invalid_response"),
        ("wrong_json", "upstream_invalid_response"),
        ("invalid_utf8", "upstream_invalid_response"),
        ("status=400", "invalid_request_error"),
        ("status=401", "upstream_error"),
        ("status=402", "upstream_quota"),
        ("status=413", "invalid_request_error"),
        ("status=429 retry_after=2", "upstream_overloaded"),
        ("status=429 code=enforced_spend_limit_reached", "upstream_quota"),
        ("status=503", "upstream_error"),
        ("status=504", "upstream_timeout"),
        ("status=529", "upstream_overloaded"),
    ],
)
def test_a_fault_is_a_failure_of_its_kind(sandbox_url: str, words: str, code: str) -> None:
    with pytest.raises(UpstreamFailure) as failed:
        replied(sandbox_url, "claude-sonnet-5-5", messages=[asked_for(words)])
    assert failed.value.code == code


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        ("wrong_json=4", "upstream_invalid_response", "You"),
        ("invalid_utf8=4", "upstream_invalid_response", "You"),
        ("error_event=4", "upstream_overloaded", "You"),
        ("huge_line_bytes=2000000", "upstream_invalid_response", "You"),
        ("html", None, ""),
        ("no_done chunks=1", None, " the"),
    ],
)
def test_a_fault_inside_a_stream_ends_it_behind_what_was_said(
    sandbox_url: str, words: str, code: str | None, text: str
) -> None:
    request = decode_chat(json.dumps({"messages": [USER], "stream": True}).encode())
    stream = PROVIDER.open_chat_stream(request, Target(model="claude-sonnet-5-5"))
    response = sent(sandbox_url, "claude-sonnet-5-5", messages=[asked_for(words)], stream=True)
    relayed = stream.feed(response.content)
    assert (stream.failure.code if stream.failure else None) == code
    assert said(relayed, "content") == text
    assert stream.finished is False
