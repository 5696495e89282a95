"""A request of the Responses API becomes the chat it asks for, exactly, or is refused by name."""

import base64
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.operations.chat import decode_chat
from gateway.surfaces.responses.request import read_response
from studio.core.errors import InvalidRequest
from tests.gateway.chat_bodies import BAD_BODIES
from tests.gateway.response_bodies import (
    EVERYTHING,
    NOWHERE,
    PICTURE,
    REFUSED,
    SCHEMA,
    WEATHER,
    body_of,
)

THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "S"}
REDACTED = {"type": "redacted_thinking", "data": "D"}

CHAT: dict[str, Any] = {
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello"},
    ],
    "model": "chat.default",
    "stream": True,
    "stream_options": {"include_usage": True},
    "temperature": 0.5,
    "top_p": 0.9,
    "max_completion_tokens": 200,
    "logprobs": True,
    "top_logprobs": 2,
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "place", "schema": SCHEMA, "strict": True},
    },
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "weather",
                "description": "Tell the weather",
                "parameters": SCHEMA,
                "strict": True,
            },
        },
        {
            "type": "custom",
            "custom": {
                "name": "shell",
                "description": "Run",
                "format": {
                    "type": "grammar",
                    "grammar": {"definition": "start: /a/", "syntax": "lark"},
                },
            },
        },
        {"type": "custom", "custom": {"name": "note", "format": {"type": "text"}}},
    ],
    "tool_choice": {
        "type": "allowed_tools",
        "allowed_tools": {
            "mode": "required",
            "tools": [
                {"type": "function", "function": {"name": "weather"}},
                {"type": "custom", "custom": {"name": "shell"}},
            ],
        },
    },
    "parallel_tool_calls": False,
    "reasoning_effort": "high",
    "verbosity": "low",
    "service_tier": "flex",
    "user": "u1",
    "safety_identifier": "s1",
    "prompt_cache_key": "k1",
    "prompt_cache_options": {"mode": "explicit"},
    "prompt_cache_retention": "24h",
}
"""What the request with everything in it asks for."""


def asked(**fields: Any) -> Any:  # noqa: ANN401  JSON
    """Give the chat that a request asks for, as JSON."""
    chat = msgspec.json.encode(read_response(body_of(**fields)).chat)
    decode_chat(chat)
    return json.loads(chat)


def messages(*items: dict[str, Any]) -> Any:  # noqa: ANN401  JSON
    """Give the messages that items become."""
    return asked(input=list(items))["messages"]


def sealed(*blocks: dict[str, Any]) -> str:
    """Give signed reasoning as answers carry it."""
    return "blocks.1." + base64.b64encode(json.dumps(blocks).encode()).decode()


def user(content: object) -> dict[str, Any]:
    """Give a user's item, which looks as a chat's message does."""
    return {"role": "user", "content": content}


def output_text(text: str) -> dict[str, Any]:
    """Give an assistant's item as answers have it."""
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {
        "type": "message",
        "id": "msg_1",
        "status": "completed",
        "role": "assistant",
        "content": [part],
    }


def call(call_id: str, **fields: Any) -> dict[str, Any]:
    """Give a function's call as answers have it."""
    return {
        "type": "function_call",
        "id": f"fc_{call_id}",
        "status": "completed",
        "call_id": call_id,
        "name": "weather",
        "arguments": "{}",
        **fields,
    }


def result(call_id: str, output: object = "12 degrees") -> dict[str, Any]:
    """Give what a function gave back."""
    return {"type": "function_call_output", "call_id": call_id, "output": output}


def called(call_id: str, **fields: Any) -> dict[str, Any]:
    """Give a function's call as a chat has it."""
    function = {"name": "weather", "arguments": "{}"}
    return {"type": "function", "id": call_id, "function": function, **fields}


def test_every_field_becomes_a_chat_s() -> None:
    asked_for = read_response(json.dumps(EVERYTHING).encode())
    chat = msgspec.json.encode(asked_for.chat)
    decode_chat(chat)
    assert json.loads(chat) == CHAT
    assert asked_for.summarizes


def test_a_short_request_asks_for_nothing_else() -> None:
    assert asked() == {"messages": [user("Hello")], "model": "gpt-5.6-sol"}
    assert not read_response(body_of()).summarizes
    assert "model" not in json.loads(msgspec.json.encode(read_response(b'{"input":"Hi"}').chat))
    nothing = dict.fromkeys(EVERYTHING, None) | {"input": "Hello", "model": "gpt-5.6-sol"}
    assert asked(**nothing) == asked()
    assert asked(tools=[], include=[], metadata={}, stream=False, text={}, reasoning={}) == asked()


@pytest.mark.parametrize(
    ("choice", "chat_s"),
    [
        ("none", "none"),
        ("auto", "auto"),
        ("required", "required"),
        (
            {"type": "function", "name": "weather"},
            {"type": "function", "function": {"name": "weather"}},
        ),
        ({"type": "custom", "name": "shell"}, {"type": "custom", "custom": {"name": "shell"}}),
    ],
)
def test_a_choice_of_tools_is_a_chat_s(choice: object, chat_s: object) -> None:
    assert asked(tools=[WEATHER], tool_choice=choice)["tool_choice"] == chat_s


def test_the_form_of_the_text_is_a_chat_s() -> None:
    assert "response_format" not in asked(text={"format": {"type": "text"}})
    found = asked(text={"format": {"type": "json_object"}})
    assert found["response_format"] == {"type": "json_object"}


def test_log_probabilities_are_asked_for_in_either_way() -> None:
    by_count, by_name = asked(top_logprobs=3), asked(include=["message.output_text.logprobs"])
    assert (by_count["logprobs"], by_count["top_logprobs"]) == (True, 3)
    assert (by_name["logprobs"], by_name.get("top_logprobs")) == (True, None)


def test_what_a_user_shows_becomes_parts() -> None:
    mark = {"mode": "explicit", "ttl": "30m"}
    cached = {"type": "ephemeral"}
    parts = [
        {"type": "input_text", "text": "Look", "prompt_cache_breakpoint": mark},
        {"type": "input_image", "image_url": PICTURE, "detail": "low", "cache_control": cached},
        {"type": "input_file", "file_data": "data:,x", "filename": "a.txt", "detail": "auto"},
    ]
    assert messages(user(parts)) == [
        user(
            [
                {"type": "text", "text": "Look", "prompt_cache_breakpoint": mark},
                {
                    "type": "image_url",
                    "image_url": {"url": PICTURE, "detail": "low"},
                    "cache_control": cached,
                },
                {"type": "file", "file": {"filename": "a.txt", "file_data": "data:,x"}},
            ]
        )
    ]


def test_instructions_stand_where_they_were_given() -> None:
    parts = [{"type": "input_text", "text": "Or long."}]
    assert messages(
        {"role": "developer", "content": "Be brief."},
        user("Hello"),
        {"role": "system", "type": "message", "content": parts},
    ) == [
        {"role": "system", "content": "Be brief."},
        user("Hello"),
        {"role": "system", "content": [{"type": "text", "text": "Or long."}]},
    ]


def test_an_answer_of_several_items_is_one_message() -> None:
    reasoning = {"type": "reasoning", "id": "rs_1", "summary": []}
    thought = {"type": "reasoning_text", "text": "Hm."}
    assert messages(
        user("Weather?"),
        {**reasoning, "content": [thought], "encrypted_content": None, "status": "completed"},
        output_text("Let me see."),
        call("c1"),
        call("c2", extra_content={"google": {"thought_signature": "G"}}),
        result("c1"),
        result("c2"),
        {**reasoning, "summary": [{"type": "summary_text", "text": "Well."}]},
        output_text("Warm."),
    ) == [
        user("Weather?"),
        {
            "role": "assistant",
            "content": "Let me see.",
            "reasoning_content": "Hm.",
            "tool_calls": [
                called("c1"),
                called("c2", extra_content={"google": {"thought_signature": "G"}}),
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "12 degrees"},
        {"role": "tool", "tool_call_id": "c2", "content": "12 degrees"},
        {"role": "assistant", "content": "Warm.", "reasoning_content": "Well."},
    ]


def test_words_behind_words_are_another_message_and_behind_a_call_the_same() -> None:
    said = [{"type": "text", "text": "One."}, {"type": "text", "text": "Two."}]
    apart = messages(output_text("One."), output_text("Two."))
    assert [message["content"] for message in apart] == ["One.", "Two."]
    together = messages(output_text("One."), call("c1"), output_text("Two."), result("c1"))
    assert [message["role"] for message in together] == ["assistant", "tool"]
    assert (together[0]["content"], together[0]["tool_calls"]) == (said, [called("c1")])


def test_a_custom_tool_s_call_and_a_refusal_are_kept() -> None:
    refusal = {"type": "refusal", "refusal": "No."}
    assert messages(
        {"role": "assistant", "content": [refusal], "phase": "final_answer"},
        {"type": "custom_tool_call", "id": "ctc_1", "call_id": "c", "name": "sh", "input": "ls"},
        {"type": "custom_tool_call_output", "call_id": "c", "output": "a b"},
    ) == [
        {
            "role": "assistant",
            "content": [refusal],
            "tool_calls": [{"type": "custom", "id": "c", "custom": {"name": "sh", "input": "ls"}}],
        },
        {"role": "tool", "tool_call_id": "c", "content": "a b"},
    ]


def test_what_a_tool_shows_follows_its_results() -> None:
    picture = {"type": "input_image", "image_url": PICTURE}
    text = {"type": "input_text", "text": "A map"}
    assert messages(call("c1"), call("c2"), result("c1", [text, picture]), result("c2", [text]))[
        1:
    ] == [
        {
            "role": "tool",
            "tool_call_id": "c1",
            "content": [
                {"type": "text", "text": "A map"},
                {"type": "text", "text": "(shown in the next message)"},
            ],
        },
        {"role": "tool", "tool_call_id": "c2", "content": "A map"},
        user(
            [
                {"type": "text", "text": "Shown by the tool call c1:"},
                {"type": "image_url", "image_url": {"url": PICTURE}},
            ]
        ),
    ]


def test_signed_reasoning_is_taken_back_and_another_s_is_dropped() -> None:
    ours = {"type": "reasoning", "summary": [], "encrypted_content": sealed(THOUGHT, REDACTED)}
    theirs = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAAB"}
    [message] = messages(ours, theirs, output_text("Hi"))
    assert message == {
        "role": "assistant",
        "content": "Hi",
        "thinking_blocks": [THOUGHT, REDACTED],
    }
    assert messages(theirs, user("Hello")) == [user("Hello")]


@pytest.mark.parametrize(("body", "param"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_carried_is_refused_by_name(body: bytes, param: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        read_response(body)
    assert refusal.value.details["param"] == param
    assert refusal.value.message.startswith(f"{param}: ")


@pytest.mark.parametrize("body", NOWHERE.values(), ids=NOWHERE)
def test_what_no_parser_reads_alike_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read_response(body)


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES)
def test_what_a_chat_refuses_is_refused_here(body: bytes) -> None:
    for bad in (body, body.replace(b'"messages"', b'"input"')):
        with pytest.raises(InvalidRequest):
            read_response(bad)


words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
said = st.sampled_from(["user", "system", "developer", "assistant"])
items = st.one_of(
    st.builds(lambda role, text: {"role": role, "content": text}, said, words),
    st.builds(output_text, words),
    st.builds(lambda text: call("c", arguments=text), words),
    st.builds(lambda text: result("c", text), words),
    st.builds(
        lambda text: {"type": "reasoning", "summary": [{"type": "summary_text", "text": text}]},
        words,
    ),
)


@given(st.lists(items, min_size=1, max_size=8))
def test_whatever_the_items_the_chat_is_one_that_a_chat_s_reader_takes(
    conversation: list[dict[str, Any]],
) -> None:
    try:
        found = asked(input=conversation)["messages"]
    except InvalidRequest as refusal:
        assert {item.get("type") for item in conversation} == {"reasoning"}
        assert refusal.message == "input: holds nothing to answer"
        return
    roles = [message["role"] for message in found]
    kinds = [item.get("type") for item in conversation]
    assert roles.count("tool") == kinds.count("function_call_output")
    calls = [call for message in found for call in message.get("tool_calls", [])]
    assert len(calls) == kinds.count("function_call")
