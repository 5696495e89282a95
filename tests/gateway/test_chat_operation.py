"""A chat request is read strictly: every documented field, and nothing else."""

import contextlib
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.operations.chat import (
    ChatRequest,
    decode_chat,
    input_token_ceiling,
    input_token_estimate,
    names_model_only,
    output_token_ceiling,
    speaks_core,
    unpriced_options,
)
from studio.core.errors import InvalidRequest
from tests.gateway.chat_bodies import BAD_BODIES, HELLO, WITHOUT_MESSAGES, body_of, nested

SPEC = Path(__file__).resolve().parents[3] / "shared/wire/specs/openai.openapi.json"
PIXEL = "data:image/png;base64," + "A" * 4000
CACHED = {"prompt_cache_breakpoint": {"mode": "explicit", "ttl": "30m"}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "time", "arguments": "{}"}}
EVERYTHING: dict[str, Any] = {
    "model": "gpt-5.6-sol",
    "messages": [
        {"role": "developer", "content": [{"type": "text", "text": "Be brief.", **CACHED}]},
        {"role": "system", "content": "Be kind.", "name": "house"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}, **CACHED},
                {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
                {"type": "file", "file": {"filename": "a.txt", "file_data": "YQ=="}},
            ],
        },
        {
            "role": "assistant",
            "content": [{"type": "text", "text": "Hm"}, {"type": "refusal", "refusal": "No"}],
            "tool_calls": [
                CALL,
                {"id": "call_2", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}},
            ],
            "audio": {"id": "audio_1"},
            "function_call": {"name": "time", "arguments": "{}"},
            "refusal": "No",
        },
        {"role": "tool", "content": "12:00", "tool_call_id": "call_1"},
        {"role": "function", "content": None, "name": "time"},
    ],
    "stream": True,
    "stream_options": {"include_usage": True, "include_obfuscation": False},
    "temperature": 0.5,
    "top_p": 1,
    "n": 2,
    "max_completion_tokens": 100,
    "max_tokens": 90,
    "stop": ["\n", "END"],
    "presence_penalty": -2,
    "frequency_penalty": 2,
    "logit_bias": {"50256": -100},
    "logprobs": True,
    "top_logprobs": 20,
    "seed": -9223372036854775808,
    "response_format": {
        "type": "json_schema",
        "json_schema": {
            "name": "answer",
            "description": "An answer",
            "schema": {"type": "object", "maximum": 9007199254740991},
            "strict": True,
        },
    },
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "time",
                "description": "The time",
                "parameters": {"type": "object", "properties": {}},
                "strict": False,
            },
        },
        {
            "type": "custom",
            "custom": {
                "name": "sql",
                "description": "A query",
                "format": {
                    "type": "grammar",
                    "grammar": {"definition": "start: 'x'", "syntax": "lark"},
                },
            },
        },
    ],
    "tool_choice": {
        "type": "allowed_tools",
        "allowed_tools": {"mode": "auto", "tools": [{"type": "function"}]},
    },
    "parallel_tool_calls": False,
    "functions": [{"name": "time", "description": "The time", "parameters": {}}],
    "function_call": {"name": "time"},
    "reasoning_effort": "xhigh",
    "verbosity": "low",
    "service_tier": "flex",
    "modalities": ["text", "audio"],
    "audio": {"voice": {"id": "voice_1"}, "format": "mp3"},
    "prediction": {"type": "content", "content": [{"type": "text", "text": "Perhaps"}]},
    "store": False,
    "metadata": {"case": "7"},
    "user": "u-1",
    "safety_identifier": "s-1",
    "prompt_cache_key": "k",
    "prompt_cache_options": {"mode": "explicit", "ttl": "30m"},
    "prompt_cache_retention": "24h",
    "web_search_options": {
        "user_location": {
            "type": "approximate",
            "approximate": {"country": "FR", "region": "ARA", "city": "Lyon", "timezone": "UTC"},
        },
        "search_context_size": "low",
    },
    "moderation": {
        "model": "omni-moderation-latest",
        "policy": {"input": {"mode": "score"}, "output": {"mode": "block"}},
    },
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES)
def test_a_bad_body_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        decode_chat(body)


@pytest.mark.parametrize("body", WITHOUT_MESSAGES)
def test_missing_messages_are_refused_in_the_seeds_words(body: bytes) -> None:
    with pytest.raises(InvalidRequest) as refused:
        decode_chat(body)
    assert refused.value.message == "messages array is required and must not be empty"
    assert refused.value.details == {"param": "messages"}


@pytest.mark.parametrize(
    ("body", "message", "param"),
    [
        (body_of(temprature=1), "temprature: unknown field", "temprature"),
        (
            body_of(messages=[HELLO, {**HELLO, "weight": 1}]),
            "messages[1].weight: unknown field",
            "messages[1].weight",
        ),
        (body_of(temperature=3), "temperature: expected float <= 2.0", "temperature"),
        (
            body_of(messages=[{"role": "user", "content": 7}]),
            "messages[0].content: expected str | array, got int",
            "messages[0].content",
        ),
        (
            body_of(messages=[{"role": "wizard", "content": ""}]),
            "messages[0].role: invalid value 'wizard'",
            "messages[0].role",
        ),
        (body_of(metadata={"k" * 65: ""}), "metadata: expected str of length <= 64", "metadata"),
    ],
)
def test_a_refusal_names_the_place(body: bytes, message: str, param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        decode_chat(body)
    assert (refused.value.message, refused.value.details) == (message, {"param": param})


def test_every_documented_field_is_read_and_kept() -> None:
    request = decode_chat(json.dumps(EVERYTHING).encode())
    assert _plain(request) == EVERYTHING


def test_null_counts_as_absent() -> None:
    fields = dict.fromkeys(set(EVERYTHING) - {"messages"})
    assert decode_chat(body_of(**fields)) == decode_chat(body_of())


def test_an_answer_may_be_handed_back_as_a_message() -> None:
    answer = {"role": "assistant", "content": "Hi", "refusal": None, "annotations": [{"a": 1}]}
    answer |= {"audio": None, "function_call": None, "tool_calls": None}
    request = decode_chat(body_of(messages=[HELLO, answer, HELLO]))
    assert _plain(request)["messages"][1] == {"role": "assistant", "content": "Hi"}


def test_brackets_in_text_are_no_depth_and_an_escaped_backslash_is_no_nul() -> None:
    text = "[" * 500 + '"{' * 500 + "\\u0000" + ":" * 20_000
    message = decode_chat(body_of(messages=[{"role": "user", "content": text}])).messages[0]
    assert message.content == text


def test_64_levels_pass() -> None:
    assert decode_chat(nested(64)).tools is not None


def test_a_key_that_appears_twice_counts_with_its_last_value() -> None:
    request = decode_chat(b'{"model":"a","model":"b","messages":[{"role":"user","content":"x"}]}')
    assert request.model == "b"


@pytest.mark.parametrize(
    ("fields", "core"),
    [
        ({}, False),
        ({"model": "gpt-5"}, True),
        ({"model": "gpt-5", "kind": None}, True),
        ({"kind": "chat.default"}, False),
        ({"model": "gpt-5", "kind": "chat.default"}, False),
    ],
)
def test_a_model_without_a_kind_speaks_core(fields: dict[str, Any], core: bool) -> None:
    assert speaks_core(decode_chat(body_of(**fields))) is core
    assert names_model_only(body_of(**fields)) is core
    assert names_model_only(body_of(**fields, unknown=1)) is core


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"null", b'{"model":"m"', b"[" * 100_000])
def test_what_cannot_be_read_names_nothing(body: bytes) -> None:
    assert names_model_only(body) is False


def test_options_with_rates_of_their_own_are_named() -> None:
    assert unpriced_options(decode_chat(body_of(service_tier="flex", modalities=["text"]))) == []
    request = decode_chat(
        body_of(service_tier="priority", modalities=["audio"], web_search_options={})
    )
    assert unpriced_options(request) == ["service_tier", "web_search_options", "audio"]


def test_text_is_bounded_by_its_utf8_bytes() -> None:
    body = body_of(messages=[{"role": "user", "content": "日本語"}, HELLO])
    assert input_token_ceiling(decode_chat(body), len(body), image_tokens=0) == 9 + 5 + 2 * 8 + 32


def test_an_image_costs_by_rule_and_not_by_its_base64() -> None:
    parts = [{"type": "text", "text": "See"}, {"type": "image_url", "image_url": {"url": PIXEL}}]
    body = body_of(messages=[{"role": "user", "content": parts}])
    request = decode_chat(body)
    assert input_token_ceiling(request, len(body), image_tokens=1500) == 3 + 8 + 32 + 1500
    with_tool = body_of(
        messages=[{"role": "user", "content": parts}],
        tools=[{"type": "function", "function": {"name": "f"}}],
    )
    ceiling = input_token_ceiling(decode_chat(with_tool), len(with_tool), image_tokens=1500)
    assert ceiling == len(with_tool) - len(PIXEL) + 8 + 32 + 16 + 1500


def test_sound_and_files_are_bounded_by_their_bytes() -> None:
    parts = [
        {"type": "input_audio", "input_audio": {"data": "A" * 400, "format": "mp3"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "B" * 600}},
    ]
    body = body_of(messages=[{"role": "user", "content": parts}])
    assert input_token_ceiling(decode_chat(body), len(body), image_tokens=0) == 1005 + 8 + 32


def test_calls_of_earlier_answers_count() -> None:
    body = body_of(messages=[{"role": "assistant", "tool_calls": [CALL]}])
    assert input_token_ceiling(decode_chat(body), len(body), image_tokens=0) == 12 + 8 + 32


def test_the_estimate_is_a_quarter_of_the_bytes() -> None:
    request = decode_chat(body_of(messages=[{"role": "user", "content": "x" * 41}]))
    assert input_token_estimate(request) == 11 + 4


@pytest.mark.parametrize(
    ("fields", "model_max_tokens", "expected"),
    [
        ({}, None, 1024),
        ({}, 500, 500),
        ({"max_tokens": 10}, 500, 10),
        ({"max_tokens": 10, "max_completion_tokens": 20}, 500, 20),
        ({"max_completion_tokens": 9000, "n": 4}, 500, 500),
        ({"max_completion_tokens": 9000}, None, 9000),
    ],
)
def test_output_is_bounded_for_each_choice(
    fields: dict[str, Any], model_max_tokens: int | None, expected: int
) -> None:
    ceiling = output_token_ceiling(
        decode_chat(body_of(**fields)),
        default_max_tokens=1024,
        model_max_tokens=model_max_tokens,
    )
    assert ceiling == expected


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def assert_read_or_refused(body: bytes) -> None:
    """Nothing but a request or a refusal may come of a body."""
    with contextlib.suppress(InvalidRequest):
        assert isinstance(decode_chat(body), ChatRequest)
    names_model_only(body)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.binary())
def test_no_bytes_raise_anything_else(body: bytes) -> None:
    assert_read_or_refused(body)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.sampled_from(sorted(EVERYTHING)), json_values)
def test_no_value_of_any_field_raises_anything_else(field: str, value: Any) -> None:
    assert_read_or_refused(json.dumps({**EVERYTHING, field: value}).encode())


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.data())
def test_no_damage_to_a_good_body_raises_anything_else(data: st.DataObject) -> None:
    body = bytearray(json.dumps(EVERYTHING).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    assert_read_or_refused(bytes(body))


def test_the_request_has_exactly_the_documented_properties() -> None:
    if not SPEC.exists():
        pytest.skip(f"OpenAI's document is not beside this checkout: {SPEC}")
    document = json.loads(SPEC.read_text())
    documented = _properties(document, "CreateChatCompletionRequest")
    assert set(ChatRequest.__struct_fields__) - documented == {"kind", "thinking", "top_k"}
    assert documented - set(ChatRequest.__struct_fields__) == set()


def _properties(document: dict[str, Any], name: str) -> set[str]:
    schema = document["components"]["schemas"][name]
    found = set(schema.get("properties", ()))
    for part in schema.get("allOf", ()):
        found |= set(part.get("properties", ()))
        if "$ref" in part:
            found |= _properties(document, part["$ref"].rsplit("/", 1)[1])
    return found


def _plain(request: ChatRequest) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(request)
    return plain
