"""OpenRouter's accent of OpenAI's grammar, both directions; costs, and errors that come late."""

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec import Raw

from gateway.operations.chat import ChatUsage
from gateway.providers.base import Reply, Target, UpstreamFailure, UpstreamInvalid
from gateway.providers.openrouter import PROVIDER, read_costed_usage
from tests.gateway.openai_bodies import BAD_USAGES, REQUEST, request_of, succeeded

REPLIES = Path(__file__).parent / "replies/openrouter"
TARGET = Target(
    model="anthropic/claude-sonnet-5.5",
    max_output_tokens=64,
    answer_id="chatcmpl-7",
    created_s=1790000007,
)
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
MARK = {"type": "ephemeral"}


def sent(target: Target = TARGET, **fields: Any) -> dict[str, Any]:
    """Give the JSON that goes to OpenRouter for these fields."""
    body: dict[str, Any] = json.loads(PROVIDER.build_chat(request_of(**fields), target).body)
    return body


def parsed(name: str) -> Reply:
    """Read a recorded answer."""
    body = (REPLIES / f"{name}.json").read_bytes()
    return PROVIDER.parse_chat(REQUEST, TARGET, succeeded(body))


def refused(body: bytes) -> UpstreamFailure:
    """Give the failure that an answer with status 200 is."""
    with pytest.raises(UpstreamFailure) as failed:
        PROVIDER.parse_chat(REQUEST, TARGET, succeeded(body))
    return failed.value


def test_a_request_goes_out_with_the_routes_model_and_the_ceiling_that_was_held() -> None:
    request = PROVIDER.build_chat(request_of(max_tokens=9), TARGET)
    assert (request.method, request.path) == ("POST", "/chat/completions")
    assert json.loads(request.body) == {
        "messages": [{"role": "user", "content": "Hello"}],
        "model": "anthropic/claude-sonnet-5.5",
        "max_completion_tokens": 64,
    }
    assert sent(Target(model="m"), max_tokens=9)["max_completion_tokens"] == 9
    assert PROVIDER.auth("sk-or-v1-1") == {"authorization": "Bearer sk-or-v1-1"}


def test_a_stream_asks_for_usage() -> None:
    body = sent(stream=True, stream_options={"include_usage": False})
    assert (body["stream"], body["stream_options"]) == (True, {"include_usage": True})


def test_documented_fields_pass_on_and_others_stay_here() -> None:
    documented: dict[str, Any] = {
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 40,
        "presence_penalty": 1,
        "frequency_penalty": -1,
        "logit_bias": {"5": -1},
        "logprobs": True,
        "top_logprobs": 3,
        "seed": 7,
        "stop": "x",
        "response_format": {"type": "json_object"},
        "tools": [{"type": "function", "function": {"name": "f", "strict": True}}],
        "parallel_tool_calls": False,
        "tool_choice": "required",
        "user": "u",
        "verbosity": "low",
        "prediction": {"type": "content", "content": "x"},
        "metadata": {"a": "b"},
        "prompt_cache_key": "k",
        "prompt_cache_options": {"mode": "explicit"},
        "service_tier": "flex",
    }
    others: dict[str, Any] = {
        "n": 1,
        "store": True,
        "safety_identifier": "s",
        "prompt_cache_retention": "24h",
    }
    body = sent(**documented, **others)
    del body["messages"], body["model"], body["max_completion_tokens"]
    assert body == documented


def test_what_the_model_refuses_is_left_out() -> None:
    target = Target(model="m", drop_parameters=("temperature", "reasoning_effort", "tools"))
    tools = [{"type": "function", "function": {"name": "f"}}]
    body = sent(target, temperature=1, reasoning_effort="low", tools=tools, seed=7)
    assert body == {
        "messages": [{"role": "user", "content": "Hello"}],
        "model": "m",
        "seed": 7,
    }


@pytest.mark.parametrize(
    ("fields", "reasoning"),
    [
        ({"reasoning_effort": "minimal"}, {"effort": "minimal"}),
        ({"reasoning_effort": "none"}, {"effort": "none"}),
        ({"thinking": {"type": "enabled", "budget_tokens": 2048}}, {"max_tokens": 2048}),
        ({"thinking": {"type": "enabled"}}, {"enabled": True}),
        ({"thinking": {"type": "adaptive"}}, {"enabled": True}),
        ({"thinking": {"type": "disabled"}}, {"effort": "none"}),
        ({"reasoning_effort": "high", "thinking": {"type": "disabled"}}, {"effort": "high"}),
    ],
)
def test_reasoning_is_asked_for_in_openrouters_words(
    fields: dict[str, Any], reasoning: dict[str, Any]
) -> None:
    body = sent(**fields)
    assert body["reasoning"] == reasoning
    assert body.keys().isdisjoint({"reasoning_effort", "thinking"})


def test_marks_for_the_prompt_cache_pass_on_with_the_shortest_time_only() -> None:
    long = {"type": "ephemeral", "ttl": "1h"}
    content = [
        {"type": "text", "text": "Hi", "cache_control": long},
        {"type": "image_url", "image_url": {"url": "https://a.example/b.png"}},
        {"type": "file", "file": {"file_data": "data:,x"}, "cache_control": MARK},
    ]
    tool = {"type": "function", "function": {"name": "f"}}
    body = sent(
        messages=[{"role": "user", "content": content}],
        tools=[{**tool, "cache_control": long}, tool],
    )
    assert body["messages"][0]["content"] == [
        {"type": "text", "text": "Hi", "cache_control": MARK},
        content[1],
        content[2],
    ]
    assert body["tools"] == [{**tool, "cache_control": MARK}, tool]


def test_an_earlier_answer_loses_what_only_others_know() -> None:
    signed = {**CALL, "extra_content": {"google": {"thought_signature": "abc"}}}
    blocks = [{"type": "redacted_thinking", "data": "s"}]
    answer = {"role": "assistant", "content": "Yes", "tool_calls": [signed]}
    extended = {**answer, "thinking_blocks": blocks, "reasoning_content": "Hm."}
    result = {"role": "tool", "tool_call_id": "call_1", "content": "12"}
    body = sent(messages=[extended, result])
    assert body["messages"] == [{**answer, "tool_calls": [CALL]}, result]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"n": 1, "logit_bias": {"5": 1}}, None),
        ({"n": 2}, "n"),
        ({"audio": {"voice": "alloy", "format": "wav"}}, "audio"),
        ({"moderation": {"model": "m"}}, "moderation"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"tools": [{"type": "custom", "custom": {"name": "c"}}]}, "tools"),
        ({"function_call": "auto"}, "functions"),
        ({"messages": [{"role": "function", "name": "f", "content": "1"}]}, "messages"),
    ],
)
def test_what_openrouter_cannot_do_is_named(fields: dict[str, Any], field: str | None) -> None:
    assert PROVIDER.unsupported(request_of(**fields)) == field


@pytest.mark.parametrize(
    ("name", "usage", "reason"),
    [
        ("plain", ChatUsage(input_tokens=507, output_tokens=137, provider_cost_ucr=3_576_000), ""),
        (
            "reasoning",
            ChatUsage(
                input_tokens=40, output_tokens=70, reasoning_tokens=64, provider_cost_ucr=780_000
            ),
            "",
        ),
        ("tools", ChatUsage(input_tokens=96, output_tokens=41, provider_cost_ucr=1), "tool_calls"),
        (
            "cached",
            ChatUsage(
                input_tokens=2304,
                output_tokens=2,
                cached_input_tokens=2048,
                cache_write_tokens=128,
                provider_cost_ucr=520_000,
            ),
            "",
        ),
        ("byok", ChatUsage(input_tokens=34, output_tokens=2, provider_cost_ucr=892_500), ""),
        ("no_cost", ChatUsage(input_tokens=34, output_tokens=2), ""),
        (
            "length",
            ChatUsage(input_tokens=11, output_tokens=6, provider_cost_ucr=123_457),
            "length",
        ),
    ],
)
def test_an_answer_tells_what_it_used_and_cost(name: str, usage: ChatUsage, reason: str) -> None:
    reply = parsed(name)
    assert reply.usage == usage
    assert (reply.finish_reason, reply.delivered) == (reason or "stop", True)
    assert set(json.loads(reply.body)["usage"]) == {
        "prompt_tokens",
        "completion_tokens",
        "total_tokens",
        "prompt_tokens_details",
        "completion_tokens_details",
    }


def test_an_answer_is_written_as_openai_would() -> None:
    answer = json.loads(parsed("tools").body)
    assert answer["choices"] == [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "I will look.",
                "refusal": None,
                "tool_calls": [
                    {
                        "id": "toolu_vrtx_01J7uV",
                        "type": "function",
                        "function": {"name": "get_weather", "arguments": '{"city": "Lyon"}'},
                    },
                    {
                        "id": "toolu_vrtx_0141TP",
                        "type": "function",
                        "function": {"name": "get_time", "arguments": "{}"},
                    },
                ],
            },
            "logprobs": None,
            "finish_reason": "tool_calls",
        }
    ]
    assert set(answer) == {"id", "object", "created", "model", "choices", "usage"}
    assert (answer["id"], answer["model"]) == ("chatcmpl-7", "anthropic/claude-sonnet-5.5")


@pytest.mark.parametrize("name", ["tools", "reasoning", "cached", "images"])
def test_an_answer_can_be_handed_back(name: str) -> None:
    message = json.loads(parsed(name).body)["choices"][0]["message"]
    assert request_of(messages=[message]).messages[0].content == message["content"]


def test_reasoning_is_shown_by_its_common_name() -> None:
    message = json.loads(parsed("reasoning").body)["choices"][0]["message"]
    assert message == {
        "role": "assistant",
        "content": "Yes.",
        "refusal": None,
        "reasoning_content": "97 has no divisor up to 9.",
    }


@pytest.mark.parametrize("usage", BAD_USAGES)
def test_a_usage_that_cannot_be_believed_is_none(usage: bytes) -> None:
    assert read_costed_usage(Raw(usage)) is None
    body = b'{"choices":[{"message":{"content":"12345","reasoning":"6789"}}],"usage":%s}' % usage
    reply = PROVIDER.parse_chat(REQUEST, TARGET, succeeded(body))
    assert (reply.usage, reply.counted_tokens) == (None, 3)


@pytest.mark.parametrize(
    ("cost", "cost_ucr"),
    [
        (b"0", 0),
        (b"0.003576", 3_576_000),
        (b"1e-9", 1),
        (b"1.0000000001e-9", 2),
        (b"1e-400", 1),
        (b"0.1000000000000000055511151231257827", 100_000_001),
        (b"12", 12_000_000_000),
        (b"1000000", 10**15),
        (b"1000000.1", None),
        (b"1e400", None),
        (b"1e99999999999999999999", None),
        (b"0." + b"1" * 60, None),
        (b"-0.5", None),
        (b"null", None),
        (b"true", None),
        (b'"0.5"', None),
        (b"[0.5]", None),
    ],
)
def test_a_cost_is_exact_and_rounded_up_to_a_micro_credit(cost: bytes, cost_ucr: int) -> None:
    usage = read_costed_usage(
        Raw(b'{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2,"cost":%s}' % cost)
    )
    assert usage == ChatUsage(input_tokens=1, output_tokens=1, provider_cost_ucr=cost_ucr)


def test_a_cost_that_is_no_json_spoils_the_answer() -> None:
    body = b'{"choices":[{"message":{"content":"x"}}],"usage":{"cost":NaN}}'
    assert isinstance(refused(body), UpstreamInvalid)


def test_a_bill_that_is_not_told_is_not_guessed() -> None:
    raw = b'{"prompt_tokens":1,"completion_tokens":1,"cost":0.1,"is_byok":true}'
    assert read_costed_usage(Raw(raw)) == ChatUsage(input_tokens=1, output_tokens=1)


@pytest.mark.parametrize(
    ("name", "shown", "provider_status"),
    [
        ("embedded_error", (502, "upstream_error", True), 503),
        ("embedded_choice", (502, "upstream_error", True), 502),
    ],
)
def test_an_error_in_a_finished_answer_is_a_failure(
    name: str, shown: tuple[int, str, bool], provider_status: int
) -> None:
    failure = refused((REPLIES / f"{name}.json").read_bytes())
    assert (failure.status, failure.code, failure.retryable) == shown
    assert failure.provider_status == provider_status


@pytest.mark.parametrize(
    ("error", "provider_status", "code"),
    [
        ({"code": 429, "message": "x"}, 429, "upstream_overloaded"),
        ({"code": 402, "message": "x"}, 402, "upstream_quota"),
        ({"code": 400, "message": "x"}, 400, "invalid_request_error"),
        ({"code": 200, "message": "x"}, 502, "upstream_error"),
        ({"code": "x", "metadata": {"error_type": "timeout"}}, 504, "upstream_timeout"),
        ({"metadata": {"error_type": "refusal"}}, 400, "invalid_request_error"),
        ({"metadata": 7}, 502, "upstream_error"),
        ("oops", 502, "upstream_error"),
    ],
)
def test_an_error_with_200_means_the_status_that_it_names(
    error: object, provider_status: int, code: str
) -> None:
    failure = refused(json.dumps({"error": error}).encode())
    assert (failure.provider_status, failure.code) == (provider_status, code)


def test_the_word_error_in_an_answer_is_no_error() -> None:
    body = b'{"choices":[{"message":{"content":"x"},"finish_reason":"stop"}],"error":null,"a":%s}'
    reply = PROVIDER.parse_chat(REQUEST, TARGET, succeeded(body % b'"error"'))
    assert reply.finish_reason == "stop"


@pytest.mark.parametrize(
    ("name", "shown", "retry_after"),
    [
        ("error_400_parameter", (400, "invalid_request_error", False), None),
        ("error_400_provider", (400, "invalid_request_error", False), None),
        ("error_401_key", (502, "upstream_error", False), None),
        ("error_402_credits", (503, "upstream_quota", False), None),
        ("error_402_in_flight", (503, "upstream_overloaded", True), "5"),
        ("error_403_moderation", (400, "invalid_request_error", False), None),
        ("error_403_guardrail", (400, "invalid_request_error", False), None),
        ("error_403_key_limit", (503, "upstream_quota", False), None),
        ("error_403_permission", (502, "upstream_error", False), None),
        ("error_404_model", (502, "upstream_error", False), None),
        ("error_408_timeout", (504, "upstream_timeout", True), None),
        ("error_413_size", (400, "invalid_request_error", False), None),
        ("error_429_rate", (503, "upstream_overloaded", True), "5"),
        ("error_429_provider", (503, "upstream_overloaded", True), "17"),
        ("error_500_server", (502, "upstream_error", True), None),
        ("error_502_text", (502, "upstream_error", True), None),
        ("error_503_provider", (502, "upstream_error", True), None),
    ],
)
def test_an_error_of_theirs_becomes_ours(
    name: str, shown: tuple[int, str, bool], retry_after: str | None
) -> None:
    status = int(name.split("_")[1])
    failure = PROVIDER.parse_error(status, {}, (REPLIES / f"{name}.json").read_bytes())
    assert (failure.status, failure.code, failure.retryable) == shown
    assert failure.headers.get("Retry-After") == retry_after
    assert failure.provider_status == status


def test_a_header_says_better_when_to_come_back() -> None:
    body = (REPLIES / "error_429_provider.json").read_bytes()
    assert PROVIDER.parse_error(429, {"retry-after": "60"}, body).retry_after_s == 60


def test_a_refusal_tells_the_words_of_the_provider_behind() -> None:
    failure = PROVIDER.parse_error(400, {}, (REPLIES / "error_400_provider.json").read_bytes())
    assert failure.message == (
        "Unsupported value: 'temperature' does not support 0.2 with this model. See [link]"
    )
