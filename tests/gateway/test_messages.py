"""A request of Anthropic's becomes a chat that any provider can be asked, or is refused by name."""

import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.operations.chat import decode_chat
from gateway.surfaces.messages.request import read_count, read_message
from studio.core.errors import InvalidRequest
from tests.gateway.chat_bodies import BAD_BODIES
from tests.gateway.message_bodies import (
    CACHED,
    EVERYTHING,
    EVERYTHING_ASKED,
    EVERYTHING_SAID,
    HELLO,
    PIXEL,
    REFUSED,
    TOOL,
    WITHOUT_A_PLACE,
    body_of,
)

COUNTED = ("messages", "model", "output_config", "speed", "system", "thinking", "tool_choice")
EPHEMERAL = {"type": "ephemeral"}


def asked(body: bytes) -> Any:
    """Read a request and write the chat it asks for, which must be one that callers could send."""
    chat = read_message(body)
    written = msgspec.json.encode(chat)
    assert decode_chat(written) == chat
    return json.loads(written)


def messages_of(*turns: dict[str, Any]) -> Any:
    """Give what becomes of these turns."""
    return asked(body_of(messages=list(turns)))["messages"]


def test_the_smallest_request() -> None:
    assert asked(body_of()) == {
        "model": "chat.default",
        "messages": [HELLO],
        "max_completion_tokens": 64,
    }


def test_every_documented_field_is_carried() -> None:
    chat = asked(json.dumps(EVERYTHING).encode())
    assert chat.pop("messages") == EVERYTHING_SAID
    assert chat == EVERYTHING_ASKED


@pytest.mark.parametrize(
    ("content", "failed", "text"),
    [
        (None, False, ""),
        ("", True, "Error"),
        ("12:00", False, "12:00"),
        ("no clock", True, "Error: no clock"),
        ([], False, ""),
        ([{"type": "text", "text": "12:00"}], False, "12:00"),
        (
            [
                {
                    "type": "document",
                    "source": {"type": "text", "media_type": "text/plain", "data": "12:00"},
                    "title": "Clock",
                    "context": "On the wall",
                }
            ],
            False,
            "Clock\n\nOn the wall\n\n12:00",
        ),
    ],
)
def test_a_tool_s_result_is_text(content: Any, failed: bool, text: str) -> None:
    block = {"type": "tool_result", "tool_use_id": "t", "content": content, "is_error": failed}
    [message] = messages_of({"role": "user", "content": [block]})
    assert message == {"role": "tool", "tool_call_id": "t", "content": text}


def test_thinking_that_nobody_signed_is_handed_back_as_reasoning() -> None:
    blocks = [
        {"type": "thinking", "thinking": "One", "signature": ""},
        {"type": "thinking", "thinking": "Two", "signature": ""},
        {"type": "text", "text": "Three"},
    ]
    assert messages_of({"role": "assistant", "content": blocks}) == [
        {
            "role": "assistant",
            "content": [{"type": "text", "text": "Three"}],
            "reasoning_content": "One\n\nTwo",
        }
    ]
    [thought] = messages_of({"role": "assistant", "content": blocks[:1]})
    assert thought == {"role": "assistant", "content": "", "reasoning_content": "One"}


@pytest.mark.parametrize(
    ("turn", "index"),
    [
        ({"role": "user", "content": "Hello"}, -1),
        ({"role": "assistant", "content": "Hel"}, -1),
        ({"role": "user", "content": [{"type": "text", "text": "Hello"}]}, -1),
        (
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "t", "content": "12:00"}],
            },
            -1,
        ),
        (
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "t", "name": "n", "input": {}}],
            },
            0,
        ),
    ],
)
def test_a_cache_mark_for_the_whole_stands_behind_the_last_part_that_takes_one(
    turn: dict[str, Any], index: int
) -> None:
    chat = asked(body_of(messages=[HELLO, turn], cache_control=EPHEMERAL))
    assert chat["messages"][index]["content"][-1]["cache_control"] == EPHEMERAL
    assert json.dumps(chat).count("ephemeral") == 1


@pytest.mark.parametrize(
    ("choice", "said_so", "parallel"),
    [
        ({"type": "auto"}, "auto", None),
        ({"type": "any", "disable_parallel_tool_use": False}, "required", None),
        ({"type": "none"}, "none", None),
        ({"type": "auto", "disable_parallel_tool_use": True}, "auto", False),
    ],
)
def test_tool_choices(choice: dict[str, Any], said_so: str, parallel: bool | None) -> None:
    chat = asked(body_of(tools=[TOOL], tool_choice=choice))
    assert (chat["tool_choice"], chat.get("parallel_tool_calls")) == (said_so, parallel)


@pytest.mark.parametrize("kind", ["adaptive", "disabled"])
def test_thinking_without_a_budget(kind: str) -> None:
    assert asked(body_of(thinking={"type": kind}))["thinking"] == {"type": kind}


def test_what_is_empty_or_default_asks_for_nothing() -> None:
    nothing = body_of(
        system="", tools=[], stop_sequences=[], metadata={}, output_config={}, stream=False
    )
    assert asked(nothing) == asked(body_of())
    assert asked(body_of(service_tier="auto"))["service_tier"] == "auto"


@pytest.mark.parametrize(("body", "param"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_carried_is_refused_by_name(body: bytes, param: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        read_message(body)
    assert refusal.value.details["param"] == param
    assert refusal.value.message.startswith(param)


@pytest.mark.parametrize("body", WITHOUT_A_PLACE.values(), ids=WITHOUT_A_PLACE)
def test_what_no_parser_reads_alike_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read_message(body)


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES)
def test_what_a_chat_refuses_is_refused_here(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read_message(body)
    with pytest.raises(InvalidRequest):
        read_message(body.replace(b'{"messages"', b'{"model":"m","max_tokens":9,"messages"'))


def test_a_count_takes_what_makes_up_the_input_and_nothing_else() -> None:
    counted = {name: EVERYTHING[name] for name in (*COUNTED, "tools")}
    chat = read_count(json.dumps(counted).encode())
    assert chat.messages == read_message(json.dumps(EVERYTHING).encode()).messages
    with pytest.raises(InvalidRequest, match="max_tokens: unknown field"):
        read_count(body_of())


words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
some_words = words.filter(bool)
leaves = st.none() | st.booleans() | words
good_values = st.recursive(
    leaves
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
any_values = st.recursive(
    leaves | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
inputs = st.dictionaries(words, good_values, max_size=3)
sources = st.sampled_from(
    [
        {"type": "base64", "media_type": "image/webp", "data": PIXEL},
        {"type": "url", "url": "https://example.com/a.png"},
    ]
)
caches = st.sampled_from([{}, CACHED, {"cache_control": EPHEMERAL}, {"cache_control": None}])
texts = st.builds(lambda text, c: {"type": "text", "text": text, **c}, some_words, caches)
images = st.builds(lambda source, c: {"type": "image", "source": source, **c}, sources, caches)
documents = st.builds(
    lambda data, title: {
        "type": "document",
        "source": {"type": "text", "media_type": "text/plain", "data": data},
        **title,
    },
    words,
    st.sampled_from([{}, {"title": "A"}, {"context": "B"}]),
)
results = st.builds(
    lambda content, failed: {
        "type": "tool_result",
        "tool_use_id": "t",
        "content": content,
        "is_error": failed,
    },
    st.none() | words | st.lists(texts | images | documents, max_size=3),
    st.booleans(),
)
calls = st.builds(lambda i: {"type": "tool_use", "id": "t", "name": "n", "input": i}, inputs)
thoughts = st.builds(
    lambda text, signature: {"type": "thinking", "thinking": text, "signature": signature},
    words,
    words,
)
turns = st.one_of(
    st.builds(
        lambda content: {"role": "user", "content": content},
        words | st.lists(texts | images | documents | results, min_size=1, max_size=4),
    ),
    st.builds(
        lambda content: {"role": "assistant", "content": content},
        words | st.lists(texts | calls | thoughts, min_size=1, max_size=4),
    ),
    st.builds(
        lambda content: {"role": "system", "content": content},
        words | st.lists(texts, min_size=1, max_size=2),
    ),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(turns, min_size=1, max_size=4), caches, inputs)
def test_any_good_request_becomes_a_chat_that_callers_could_send(
    turns: list[dict[str, Any]], cache: dict[str, Any], schema: dict[str, Any]
) -> None:
    tools = [{**TOOL, "input_schema": schema}]
    assert asked(body_of(messages=turns, tools=tools, **cache))["messages"]


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(EVERYTHING)), any_values | turns), st.binary())
def test_nothing_but_a_refusal_comes_of_a_bad_one(fields: dict[str, Any], noise: bytes) -> None:
    for body in (body_of(**fields), noise, body_of(**fields)[: len(noise)]):
        with contextlib.suppress(InvalidRequest):
            asked(body)
