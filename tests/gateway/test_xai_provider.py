"""xAI's accent of OpenAI's grammar, both directions."""

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec import Raw

from gateway.operations.chat import ChatUsage
from gateway.providers.base import Reply, Target, UpstreamInvalid
from gateway.providers.xai import PROVIDER, read_usage
from tests.gateway.openai_bodies import BAD_USAGES, REQUEST, request_of, succeeded

REPLIES = Path(__file__).parent / "replies/xai"
TARGET = Target(
    model="grok-4.3", max_output_tokens=64, answer_id="chatcmpl-7", created_s=1790000007
)
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
AUDIO = {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}
FILE = {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0="}}


def sent(target: Target = TARGET, **fields: Any) -> dict[str, Any]:
    """Give the JSON that goes to xAI for these fields."""
    body: dict[str, Any] = json.loads(PROVIDER.build_chat(request_of(**fields), target).body)
    return body


def sent_messages(*messages: dict[str, Any]) -> Any:
    """Give the messages that go to xAI for these."""
    return sent(messages=list(messages))["messages"]


def parsed(name: str) -> Reply:
    """Read a recorded answer."""
    body = (REPLIES / f"{name}.json").read_bytes()
    return PROVIDER.parse_chat(REQUEST, TARGET, succeeded(body))


def test_a_request_goes_out_with_the_ceiling_that_bounds_reasoning_too() -> None:
    request = PROVIDER.build_chat(request_of(max_completion_tokens=9), TARGET)
    assert (request.method, request.path) == ("POST", "/chat/completions")
    assert json.loads(request.body) == {
        "messages": [{"role": "user", "content": "Hello"}],
        "model": "grok-4.3",
        "max_tokens": 64,
    }
    assert sent(Target(model="m"), max_completion_tokens=9)["max_tokens"] == 9
    assert sent(Target(model="m"), max_tokens=8)["max_tokens"] == 8
    assert PROVIDER.auth("xai-1") == {"authorization": "Bearer xai-1"}


def test_a_stream_asks_for_usage() -> None:
    body = sent(stream=True, stream_options={"include_obfuscation": True})
    assert (body["stream"], body["stream_options"]) == (True, {"include_usage": True})


def test_documented_fields_pass_on_and_others_stay_here() -> None:
    documented: dict[str, Any] = {
        "temperature": 0.5,
        "top_p": 0.9,
        "n": 2,
        "presence_penalty": 1,
        "frequency_penalty": -1,
        "logprobs": True,
        "top_logprobs": 3,
        "seed": 7,
        "stop": ["a", "b"],
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}},
        "parallel_tool_calls": False,
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "user": "u",
    }
    others: dict[str, Any] = {
        "verbosity": "low",
        "store": True,
        "metadata": {"a": "b"},
        "safety_identifier": "s",
        "prompt_cache_key": "k",
        "prompt_cache_options": {"mode": "explicit"},
        "prompt_cache_retention": "24h",
        "service_tier": "flex",
        "prediction": {"type": "content", "content": "x"},
        "top_k": 5,
        "thinking": {"type": "enabled", "budget_tokens": 99},
    }
    body = sent(**documented, **others)
    del body["messages"], body["model"], body["max_tokens"]
    assert body == documented


def test_what_the_model_refuses_is_left_out() -> None:
    target = Target(model="m", drop_parameters=("stop", "reasoning_effort", "tools", "messages"))
    tools = [{"type": "function", "function": {"name": "f"}}]
    body = sent(target, stop="x", reasoning_effort="low", tools=tools, seed=7)
    assert body == {
        "messages": [{"role": "user", "content": "Hello"}],
        "model": "m",
        "seed": 7,
    }


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("none", "none"),
        ("minimal", "low"),
        ("medium", "medium"),
        ("xhigh", "high"),
        ("max", "high"),
    ],
)
def test_effort_is_told_in_words_that_its_models_know(asked: str, told: str) -> None:
    assert sent(reasoning_effort=asked)["reasoning_effort"] == told


def test_a_tool_has_parameters_and_nothing_that_xai_refuses() -> None:
    function = {"name": "f", "description": "d", "strict": True}
    mark = {"type": "ephemeral", "ttl": "1h"}
    tools = [{"type": "function", "function": function, "cache_control": mark}]
    told = {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {}}}
    assert sent(tools=tools)["tools"] == [{"type": "function", "function": told}]
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    tools = [{"type": "function", "function": {"name": "g", "parameters": schema}}]
    assert sent(tools=tools)["tools"] == tools


def test_a_single_stop_is_a_list() -> None:
    assert sent(stop="x")["stop"] == ["x"]


def test_messages_have_four_roles_and_no_names_or_marks() -> None:
    mark = {"type": "ephemeral"}
    picture = {"type": "image_url", "image_url": {"url": "https://a.example/b.png"}}
    messages = sent_messages(
        {"role": "developer", "content": "Be brief.", "name": "app"},
        {
            "role": "system",
            "content": [{"type": "text", "text": "Be kind.", "cache_control": mark}],
        },
        {
            "role": "user",
            "name": "ada",
            "content": [
                {"type": "text", "text": "Hi", "prompt_cache_breakpoint": {"mode": "explicit"}},
                {**picture, "cache_control": mark},
            ],
        },
        {"role": "assistant", "content": None, "tool_calls": [CALL], "reasoning_content": "Hm."},
        {"role": "tool", "tool_call_id": "call_1", "content": "12"},
    )
    assert messages == [
        {"role": "system", "content": "Be brief."},
        {"role": "system", "content": [{"type": "text", "text": "Be kind."}]},
        {"role": "user", "content": [{"type": "text", "text": "Hi"}, picture]},
        {"role": "assistant", "tool_calls": [CALL], "reasoning_content": "Hm."},
        {"role": "tool", "tool_call_id": "call_1", "content": "12"},
    ]


def test_an_earlier_answer_loses_what_only_others_know() -> None:
    signed = {**CALL, "extra_content": {"google": {"thought_signature": "abc"}}}
    blocks = [{"type": "thinking", "thinking": "Hm.", "signature": "s"}]
    messages = sent_messages(
        {"role": "assistant", "content": "Yes", "tool_calls": [signed], "thinking_blocks": blocks},
        {"role": "assistant", "refusal": "I cannot."},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
    )
    assert messages == [
        {"role": "assistant", "content": "Yes", "tool_calls": [CALL]},
        {"role": "assistant", "content": "I cannot."},
        {"role": "assistant", "content": [{"type": "text", "text": "No."}]},
    ]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, None),
        ({"n": 2, "tools": [{"type": "function", "function": {"name": "f"}}]}, None),
        ({"modalities": ["text", "audio"]}, "audio"),
        ({"logit_bias": {"5": 1}}, "logit_bias"),
        ({"moderation": {"model": "m"}}, "moderation"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"tools": [{"type": "custom", "custom": {"name": "c"}}]}, "tools"),
        ({"tool_choice": {"type": "custom", "custom": {"name": "c"}}}, "tool_choice"),
        ({"functions": [{"name": "f"}]}, "functions"),
        ({"messages": [{"role": "user", "content": [AUDIO]}]}, "messages"),
        ({"messages": [{"role": "user", "content": [FILE]}]}, "messages"),
        ({"messages": [{"role": "function", "name": "f", "content": "1"}]}, "messages"),
        ({"messages": [{"role": "assistant", "audio": {"id": "a"}}]}, "messages"),
    ],
)
def test_what_xai_cannot_do_is_named(fields: dict[str, Any], field: str | None) -> None:
    assert PROVIDER.unsupported(request_of(**fields)) == field


@pytest.mark.parametrize(
    ("name", "usage", "reason"),
    [
        ("plain", (32, 103, 6, 94, 291_200), "stop"),
        ("reasoning", (210, 139, 128, 131, 475_600), "stop"),
        ("tools", (471, 194, 320, 126, None), "tool_calls"),
        ("cached_apart", (8470, 5, 4328, 0, 7_500), "stop"),
        ("reasoning_within", (20, 40, 0, 38, 125_000), "stop"),
        ("length", (15, 64, 0, 60, 178_750), "length"),
        ("json_schema", (120, 36, 0, 22, 240_000), "stop"),
        ("vision", (1290, 54, 0, 48, 1_747_501), "stop"),
        ("two_choices", (12, 36, 0, 30, 105_000), "stop"),
        ("end_turn", (9, 2, 0, 0, 16_250), "other"),
    ],
)
def test_an_answer_is_charged_with_its_reasoning(
    name: str, usage: tuple[int, int, int, int, int | None], reason: str
) -> None:
    reply = parsed(name)
    input_tokens, output_tokens, cached, reasoning, cost_ucr = usage
    assert reply.usage == ChatUsage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cached_input_tokens=cached,
        reasoning_tokens=reasoning,
        provider_cost_ucr=cost_ucr,
    )
    assert (reply.counted_tokens, reply.finish_reason) == (output_tokens, reason)
    assert reply.delivered
    shown = json.loads(reply.body)["usage"]
    assert shown["completion_tokens"] == output_tokens
    assert shown["total_tokens"] == input_tokens + output_tokens


def test_an_answer_is_written_as_openai_would() -> None:
    assert json.loads(parsed("reasoning").body) == {
        "id": "chatcmpl-7",
        "object": "chat.completion",
        "created": 1790000007,
        "model": "grok-4.3",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "Yes, 97 is prime.",
                    "refusal": None,
                    "reasoning_content": (
                        "The user asks whether 97 is prime. No prime up to 9 divides it."
                    ),
                },
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 210,
            "completion_tokens": 139,
            "total_tokens": 349,
            "prompt_tokens_details": {"cached_tokens": 128, "cache_write_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 131},
        },
    }


@pytest.mark.parametrize("name", ["tools", "reasoning", "plain"])
def test_an_answer_can_be_handed_back(name: str) -> None:
    message = json.loads(parsed(name).body)["choices"][0]["message"]
    assert request_of(messages=[message]).messages[0].content == message["content"]


@pytest.mark.parametrize("usage", BAD_USAGES[:-3])
def test_a_usage_that_cannot_be_believed_is_none(usage: bytes) -> None:
    assert read_usage(Raw(usage)) is None
    body = b'{"choices":[{"message":{"content":"123456789","reasoning_content":"1"}}],"usage":%s}'
    reply = PROVIDER.parse_chat(REQUEST, TARGET, succeeded(body % usage))
    assert (reply.usage, reply.counted_tokens) == (None, 3)
    assert json.loads(reply.body)["usage"] is None


@pytest.mark.parametrize(
    ("ticks", "cost_ucr"),
    [
        (b"0", 0),
        (b"1", 1),
        (b"10", 1),
        (b"11", 2),
        (b"37756000", 3_775_600),
        (b"-1", None),
        (b"1.5", None),
        (b"true", None),
        (b'"5"', None),
        (b"null", None),
        (b"10000000000000001", None),
        (b"99999999999999999999999", None),
    ],
)
def test_a_tick_is_a_tenth_of_a_micro_credit(ticks: bytes, cost_ucr: int | None) -> None:
    raw = Raw(b'{"prompt_tokens":1,"completion_tokens":1,"cost_in_usd_ticks":%s}' % ticks)
    usage = read_usage(raw)
    assert usage is not None
    assert usage.provider_cost_ucr == cost_ucr


@pytest.mark.parametrize(
    ("name", "shown", "retry_after"),
    [
        ("error_400_argument", (400, "invalid_request_error", False), None),
        ("error_400_key", (502, "upstream_error", False), None),
        ("error_400_object", (400, "invalid_request_error", False), None),
        ("error_401_missing", (502, "upstream_error", False), None),
        ("error_403_guidelines", (400, "invalid_request_error", False), None),
        ("error_403_credits", (503, "upstream_quota", False), None),
        ("error_403_blocked", (502, "upstream_error", False), None),
        ("error_404_model", (502, "upstream_error", False), None),
        ("error_422_missing", (400, "invalid_request_error", False), None),
        ("error_429_rate", (503, "upstream_overloaded", True), "7"),
        ("error_429_credits", (503, "upstream_quota", False), None),
        ("error_500_server", (502, "upstream_error", True), "7"),
        ("error_503_unavailable", (502, "upstream_error", True), "7"),
    ],
)
def test_an_error_of_theirs_becomes_ours(
    name: str, shown: tuple[int, str, bool], retry_after: str | None
) -> None:
    status = int(name.split("_")[1])
    headers = {"retry-after": "7"} if retry_after else {}
    failure = PROVIDER.parse_error(status, headers, (REPLIES / f"{name}.json").read_bytes())
    assert (failure.status, failure.code, failure.retryable) == shown
    assert failure.headers.get("Retry-After") == retry_after
    assert failure.provider_status == status


def test_a_refusal_tells_the_providers_words() -> None:
    body = (REPLIES / "error_400_argument.json").read_bytes()
    failure = PROVIDER.parse_error(400, {}, body)
    assert failure.message == "Model grok-4.3 does not support parameter stop."


@pytest.mark.parametrize(
    "body",
    [
        b'{"choices":[]}',
        b'{"choices":[{"message":{"tool_calls":[1e999]}}]}',
        b'{"request_id":"f15c114e"}',
    ],
)
def test_an_answer_that_cannot_be_read_is_invalid(body: bytes) -> None:
    with pytest.raises(UpstreamInvalid):
        PROVIDER.parse_chat(REQUEST, TARGET, succeeded(body))
