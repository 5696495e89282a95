"""A finished chat becomes a response, exactly; what strangers wrote into it breaks nothing."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import Response

from gateway.surfaces.responses.answer import write_response
from gateway.surfaces.responses.request import read_response
from tests.gateway.openai_bodies import BAD_USAGES, reply
from tests.gateway.response_bodies import EVERYTHING, SCHEMA, WEATHER
from tests.gateway.response_events import DIGITS, OWN

CHAT: dict[str, Any] = {
    "id": "chatcmpl-0190a5b4-7c1e-7a3e-8f50-123456789abc",
    "object": "chat.completion",
    "created": 1_790_000_000,
    "model": "gpt-5.6-sol",
    "usage": {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13},
}
SIGNED = [
    {"type": "thinking", "thinking": "Hm.", "signature": "S"},
    {"type": "redacted_thinking", "data": "D"},
]
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}

REPEATED: dict[str, Any] = {
    "background": False,
    "conversation": None,
    "instructions": "Be brief.",
    "max_output_tokens": 200,
    "max_tool_calls": 3,
    "metadata": {"order": "7"},
    "moderation": None,
    "parallel_tool_calls": False,
    "previous_response_id": None,
    "prompt": None,
    "prompt_cache_key": "k1",
    "prompt_cache_options": {"mode": "explicit", "ttl": "30m"},
    "prompt_cache_retention": "24h",
    "reasoning": {"effort": "high", "summary": "auto"},
    "safety_identifier": "s1",
    "store": False,
    "temperature": 0.5,
    "text": {
        "format": {
            "type": "json_schema",
            "name": "place",
            "schema": SCHEMA,
            "description": None,
            "strict": True,
        },
        "verbosity": "low",
    },
    "tool_choice": EVERYTHING["tool_choice"],
    "tools": [
        {**WEATHER, "description": "Tell the weather", "strict": True},
        EVERYTHING["tools"][1],
        {"type": "custom", "name": "note", "description": None, "format": {"type": "text"}},
    ],
    "top_logprobs": 2,
    "top_p": 0.9,
    "truncation": "disabled",
    "user": "u1",
}
"""What an answer says of the request with everything in it."""


def answered(completion: bytes, **fields: Any) -> Any:  # noqa: ANN401  JSON
    """Write a finished chat as the response to a request with these fields."""
    asked = read_response(json.dumps({"model": "asked", "input": "Hi", **fields}).encode())
    response = json.loads(write_response(completion, asked, OWN))
    Response.model_validate(response)
    return response


def said(reason: object = "stop", logprobs: object = None, **message: Any) -> bytes:
    """Write a finished chat that says this."""
    choice = {"index": 0, "message": message, "logprobs": logprobs, "finish_reason": reason}
    return json.dumps({**CHAT, "choices": [choice]}).encode()


def test_an_answer_is_a_whole_response_that_repeats_its_request() -> None:
    fields = {**EVERYTHING, "stream": False, "stream_options": None}
    assert answered(said(content="Hello!"), **fields) == {
        "id": f"resp_{DIGITS}",
        "object": "response",
        "created_at": 1_790_000_000,
        "status": "completed",
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "model": "gpt-5.6-sol",
        "output": [
            {
                "id": f"msg_{DIGITS}0000",
                "type": "message",
                "status": "completed",
                "role": "assistant",
                "content": [
                    {"type": "output_text", "text": "Hello!", "annotations": [], "logprobs": []}
                ],
            }
        ],
        "usage": {
            "input_tokens": 9,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": 4,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 13,
        },
        "service_tier": None,
        **REPEATED,
    }


def test_what_was_not_asked_for_is_repeated_as_its_default() -> None:
    found = answered(said(content="Hello!"))
    assert (found["tools"], found["tool_choice"], found["text"]["format"]) == (
        [],
        "auto",
        {"type": "text"},
    )
    assert (found["parallel_tool_calls"], found["metadata"], found["temperature"]) == (
        True,
        {},
        None,
    )


def test_reasoning_words_a_refusal_and_calls_are_items_in_this_order() -> None:
    custom = {"id": "call_2", "type": "custom", "custom": {"name": "sh", "input": "ls"}}
    signed_call = {**CALL, "extra_content": {"google": {"thought_signature": "G"}}}
    found = answered(
        said(
            "tool_calls",
            content="Hi",
            refusal="No.",
            reasoning_content="Hm.",
            tool_calls=[signed_call, custom],
        )
    )
    assert found["status"] == "completed"
    assert found["output"] == [
        {
            "id": f"rs_{DIGITS}0000",
            "type": "reasoning",
            "status": "completed",
            "summary": [],
            "content": [{"type": "reasoning_text", "text": "Hm."}],
            "encrypted_content": None,
        },
        {
            "id": f"msg_{DIGITS}0001",
            "type": "message",
            "status": "completed",
            "role": "assistant",
            "content": [
                {"type": "output_text", "text": "Hi", "annotations": [], "logprobs": []},
                {"type": "refusal", "refusal": "No."},
            ],
        },
        {
            "id": f"fc_{DIGITS}0002",
            "type": "function_call",
            "status": "completed",
            "call_id": "call_1",
            "name": "f",
            "arguments": "{}",
            "extra_content": {"google": {"thought_signature": "G"}},
        },
        {
            "id": f"ctc_{DIGITS}0003",
            "type": "custom_tool_call",
            "call_id": "call_2",
            "name": "sh",
            "input": "ls",
        },
    ]


def test_a_summary_is_given_where_one_was_asked_for() -> None:
    found = answered(said(reasoning="Hm.", content="Hi"), reasoning={"summary": "auto"})
    assert found["output"][0]["summary"] == [{"type": "summary_text", "text": "Hm."}]
    assert found["output"][0]["content"] == []


@pytest.mark.parametrize("reasoning", [{"reasoning_content": "Hm."}, {}])
def test_signed_reasoning_comes_back_as_it_went(reasoning: dict[str, str]) -> None:
    first = answered(said(content="Hi", thinking_blocks=SIGNED, **reasoning))["output"]
    assert first[0]["content"] == [{"type": "reasoning_text", "text": "Hm."}]
    body = {"input": [*first, {"role": "user", "content": "And?"}]}
    [answer, _] = read_response(json.dumps(body).encode()).chat.messages
    blocks = getattr(answer, "thinking_blocks", None) or []
    assert [getattr(block, "signature", None) for block in blocks] == ["S", None]
    assert [getattr(block, "data", None) for block in blocks] == [None, "D"]


@pytest.mark.parametrize(
    ("reason", "detail"), [("length", "max_output_tokens"), ("content_filter", "content_filter")]
)
def test_an_answer_that_was_cut_off_is_incomplete_in_its_last_item(
    reason: str, detail: str
) -> None:
    found = answered(said(reason, content="Hi", tool_calls=[CALL]))
    assert (found["status"], found["incomplete_details"]) == ("incomplete", {"reason": detail})
    assert [item["status"] for item in found["output"]] == ["completed", "incomplete"]
    assert answered(said(reason, content=None))["output"] == []


def test_log_probabilities_stand_beside_their_text() -> None:
    top = {"token": "H", "logprob": -0.1, "bytes": [72]}
    row = {"token": "Hi", "logprob": -0.5, "bytes": None, "top_logprobs": [top]}
    found = answered(said(content="Hi", logprobs={"content": [row], "refusal": None}))
    assert found["output"][0]["content"][0]["logprobs"] == [
        {"token": "Hi", "logprob": -0.5, "bytes": [], "top_logprobs": [top]}
    ]


def test_usage_says_what_was_cached_and_what_was_thought() -> None:
    body = json.loads(reply("reasoning.json"))
    usage = body["usage"]
    found = answered(json.dumps(body).encode())["usage"]
    reasoning_tokens = usage["completion_tokens_details"]["reasoning_tokens"]
    assert found["output_tokens_details"] == {"reasoning_tokens": reasoning_tokens}
    assert (found["input_tokens"], found["output_tokens"]) == (
        usage["prompt_tokens"],
        usage["completion_tokens"],
    )
    cached = json.loads(reply("cached.json"))["usage"]
    details = answered(reply("cached.json"))["usage"]["input_tokens_details"]
    assert details["cached_tokens"] == cached["prompt_tokens_details"]["cached_tokens"] > 0


@pytest.mark.parametrize("usage", [*BAD_USAGES, b"7"])
def test_usage_that_is_none_is_left_out(usage: bytes) -> None:
    whole = said(content="Hi").replace(json.dumps(CHAT["usage"]).encode(), usage)
    assert answered(whole)["usage"] is None


def test_the_id_is_ours_or_a_digest_and_the_same_each_time() -> None:
    ours, theirs = said(content="Hi"), reply("plain.json")
    assert answered(ours)["id"] == f"resp_{DIGITS}"
    one, other = answered(theirs), answered(theirs)
    assert one == other
    provider_id = json.loads(theirs)["id"]
    assert provider_id.removeprefix("chatcmpl-") not in json.dumps(one)
    assert len(one["id"]) == len(f"resp_{DIGITS}")
    nameless = said(content="Hi").replace(CHAT["id"].encode(), b"").replace(b"1790000000", b"null")
    assert (answered(nameless)["id"], answered(nameless)["created_at"]) == (
        f"resp_{DIGITS}",
        1_790_000_001,
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (b'"a \\ud83d b"', "a \ufffd b"),
        (b'"\\udc00\\ud800"', "\ufffd\ufffd"),
        (b'"\\ud83d\\ude00 \\ud83d"', "😀 \ufffd"),
        (b'"\\\\ud83d \\ud83d"', "\\ud83d \ufffd"),
    ],
)
def test_half_a_character_costs_only_itself(text: bytes, shown: str) -> None:
    found = answered(said(content="TEXT").replace(b'"TEXT"', text))
    assert found["output"][0]["content"][0]["text"] == shown


@pytest.mark.parametrize("name", ["plain", "tools", "refusal", "json_schema", "vision", "length"])
def test_recorded_replies_become_responses(name: str) -> None:
    chat = json.loads(reply(f"{name}.json"))
    message = chat["choices"][0]["message"]
    found = answered(reply(f"{name}.json"))["output"]
    texts = [part for item in found if item["type"] == "message" for part in item["content"]]
    assert [part.get("text") or part.get("refusal") for part in texts] == [
        text for text in (message.get("content"), message.get("refusal")) if text
    ]
    calls = [item for item in found if item["type"] == "function_call"]
    assert [(call["call_id"], call["name"], call["arguments"]) for call in calls] == [
        (call["id"], call["function"]["name"], call["function"]["arguments"])
        for call in message.get("tool_calls") or ()
    ]


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "type", "function", "custom", "name", "arguments", "data"]),
            inner,
        )
    ),
    max_leaves=8,
)
fields = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ("content", "refusal", "reasoning_content", "thinking_blocks", "tool_calls"), anything
    ),
)


@given(fields, anything, anything, anything)
def test_whatever_a_provider_writes_the_answer_is_a_response(
    message: dict[str, Any], reason: object, logprobs: object, other: object
) -> None:
    choice = {"message": message, "finish_reason": reason, "logprobs": logprobs}
    body = dict.fromkeys(("id", "created", "model", "usage", "service_tier"), other)
    answered(json.dumps({**body, "choices": [choice]}).encode())
