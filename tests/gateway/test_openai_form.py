"""What is not OpenAI's is not sent to those who speak its form."""

import json
from typing import Any

import pytest

from gateway.operations.chat import ChatRequest
from gateway.providers.openai import PROVIDER
from gateway.providers.openai_form import tools_without_extensions, without_extensions
from tests.gateway.openai_bodies import TARGET, request_of

MARK = {"type": "ephemeral", "ttl": "5m"}
PICTURE = {"type": "image_url", "image_url": {"url": "https://a.example/b.png"}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CUSTOM = {"id": "call_2", "type": "custom", "custom": {"name": "c", "input": "x"}}
FUNCTION = {"type": "function", "function": {"name": "f"}}
PLAIN: list[dict[str, Any]] = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": [{"type": "text", "text": "Hi"}, PICTURE]},
    {"role": "assistant", "content": "Yes", "tool_calls": [CALL, CUSTOM]},
    {"role": "tool", "tool_call_id": "call_1", "content": "12"},
]
EXTENDED: list[dict[str, Any]] = [
    {"role": "system", "content": "Be kind."},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "Hi", "cache_control": MARK},
            {**PICTURE, "cache_control": MARK},
        ],
    },
    {
        "role": "assistant",
        "content": "Yes",
        "tool_calls": [{**CALL, "extra_content": {}}, CUSTOM],
        "reasoning_content": "Hm.",
        "thinking_blocks": [{"type": "thinking", "thinking": "Hm.", "signature": "s"}],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "12"},
]


def asked(messages: list[dict[str, Any]], **fields: Any) -> ChatRequest:
    """Read a request with these messages."""
    return request_of(messages=messages, **fields)


def test_messages_of_openais_own_stay_the_same_list() -> None:
    messages = asked(PLAIN).messages
    assert without_extensions(messages) is messages


def test_extensions_are_taken_off_and_the_request_stays_as_it_was() -> None:
    request = asked(EXTENDED)
    assert without_extensions(request.messages) == asked(PLAIN).messages
    assert request == asked(EXTENDED)


@pytest.mark.parametrize("index", [1, 2])
def test_messages_without_extensions_are_not_copied(index: int) -> None:
    messages = asked([*PLAIN[:index], EXTENDED[index], *PLAIN[index + 1 :]]).messages
    kept = without_extensions(messages)
    assert [ours is theirs for ours, theirs in zip(kept, messages, strict=True)] == [
        place != index for place in range(4)
    ]


def test_marks_may_be_kept_without_their_time() -> None:
    user = without_extensions(asked(EXTENDED).messages, keep_cache_control=True)[1]
    marked = [{**part, "cache_control": {"type": "ephemeral"}} for part in PLAIN[1]["content"]]
    assert user == asked([{"role": "user", "content": marked}]).messages[0]


def test_tools_lose_their_marks_or_stay_the_same_list() -> None:
    plain = asked(PLAIN, tools=[FUNCTION]).tools
    marked = asked(PLAIN, tools=[{**FUNCTION, "cache_control": MARK}]).tools
    assert tools_without_extensions(plain) is plain
    assert tools_without_extensions(None) is None
    assert tools_without_extensions(marked) == plain


def test_openai_is_told_nothing_that_only_others_know() -> None:
    request = asked(
        EXTENDED,
        tools=[{**FUNCTION, "cache_control": MARK}],
        top_k=5,
        thinking={"type": "enabled", "budget_tokens": 9},
    )
    assert json.loads(PROVIDER.build_chat(request, TARGET).body) == {
        "messages": PLAIN,
        "model": "gpt-5.6-sol",
        "max_completion_tokens": 64,
        "tools": [FUNCTION],
    }
