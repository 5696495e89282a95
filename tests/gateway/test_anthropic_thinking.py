"""How long a Claude thinks, by OpenAI's word, by Anthropic's, and by which Claude it is."""

from typing import Any

import pytest

from gateway.providers.anthropic import PROVIDER
from gateway.providers.base import Target
from tests.gateway.anthropic_bodies import TOOL, USER, built, called, request_of

ADAPTIVE = {"type": "adaptive", "display": "summarized"}
DISABLED = {"type": "disabled"}


def thought(model: str, max_tokens: int = 4000, **fields: Any) -> tuple[Any, Any]:
    """Give the thinking and the effort that are sent."""
    sent = built(Target(model=model, max_output_tokens=max_tokens), **fields)
    return sent.get("thinking"), sent.get("output_config", {}).get("effort")


def budget(tokens: int) -> dict[str, Any]:
    """Make the setting of a budget."""
    return {"type": "enabled", "budget_tokens": tokens}


@pytest.mark.parametrize(
    ("model", "effort", "thinking", "sent_effort"),
    [
        ("claude-opus-5-5", "medium", ADAPTIVE, "medium"),
        ("claude-opus-5-5", "minimal", ADAPTIVE, "low"),
        ("claude-opus-5-5", "none", None, "low"),
        ("claude-sonnet-5-5", "max", ADAPTIVE, "max"),
        ("claude-sonnet-5-5", "none", {"type": "between_tools"}, None),
        ("claude-haiku-5-5", "none", DISABLED, None),
        ("claude-sonnet-5", "none", DISABLED, None),
        ("claude-sonnet-4-6", "xhigh", ADAPTIVE, "high"),
        ("claude-sonnet-4-6", "none", None, None),
        ("claude-opus-4-5", "xhigh", budget(3800), "high"),
        ("claude-haiku-4-5", "minimal", budget(1024), None),
        ("claude-haiku-4-5", "medium", budget(2000), None),
        ("claude-sonnet-4-5-20250929", "high", budget(3200), None),
        ("claude-sonnet-4-5", "none", None, None),
        ("claude-of-tomorrow", "high", ADAPTIVE, "high"),
        ("claude-of-tomorrow", None, None, None),
        ("claude-haiku-4-5", None, None, None),
    ],
)
def test_an_effort_is_what_the_model_understands(
    model: str, effort: str | None, thinking: object, sent_effort: str | None
) -> None:
    assert thought(model, reasoning_effort=effort) == (thinking, sent_effort)


@pytest.mark.parametrize(
    ("model", "asked", "thinking"),
    [
        ("claude-opus-5-5", budget(2000), ADAPTIVE),
        ("claude-sonnet-5", {"type": "adaptive"}, ADAPTIVE),
        ("claude-sonnet-5", DISABLED, DISABLED),
        ("claude-opus-5-5", DISABLED, None),
        ("claude-sonnet-4-6", budget(2000), budget(2000)),
        ("claude-sonnet-4-6", {"type": "adaptive", "budget_tokens": 2000}, ADAPTIVE),
        ("claude-sonnet-4-6", {"type": "enabled"}, ADAPTIVE),
        ("claude-haiku-4-5", budget(2000), budget(2000)),
        ("claude-haiku-4-5", budget(5), budget(1024)),
        ("claude-haiku-4-5", budget(9000), budget(3999)),
        ("claude-haiku-4-5", {"type": "adaptive"}, budget(2000)),
        ("claude-haiku-4-5", DISABLED, None),
    ],
)
def test_anthropics_own_words_are_taken_too(model: str, asked: Any, thinking: object) -> None:
    assert thought(model, thinking=asked)[0] == thinking


def test_a_budget_needs_room_below_the_limit() -> None:
    assert thought("claude-haiku-4-5", 1025, reasoning_effort="low") == (budget(1024), None)
    assert thought("claude-haiku-4-5", 1024, reasoning_effort="low") == (None, None)


def test_a_forced_tool_is_called_without_thinking() -> None:
    fields: dict[str, Any] = {"tools": [TOOL], "reasoning_effort": "high"}
    for choice in ("required", {"type": "function", "function": {"name": "weather"}}):
        assert thought("claude-sonnet-5", tool_choice=choice, **fields) == (None, "high")
        assert thought("claude-haiku-4-5", tool_choice=choice, **fields) == (None, None)
    assert thought("claude-haiku-4-5", tool_choice="auto", **fields) == (budget(3200), None)


def test_a_budget_is_not_sent_where_the_thoughts_behind_the_last_calls_are_missing() -> None:
    signed = [{"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}]
    answer = {"role": "tool", "tool_call_id": "a", "content": "x"}
    fields: dict[str, Any] = {"tools": [TOOL], "reasoning_effort": "high"}
    unsigned = [USER, called("a"), answer]
    assert thought("claude-haiku-4-5", messages=unsigned, **fields) == (None, None)
    assert thought("claude-sonnet-5-5", messages=unsigned, **fields) == (ADAPTIVE, "high")
    whole = [USER, called("a", thinking_blocks=signed), answer]
    assert thought("claude-haiku-4-5", messages=whole, **fields) == (budget(3200), None)


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"n": 2}, "n"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"audio": {"voice": "alloy", "format": "wav"}}, "audio"),
        ({"logprobs": True}, "logprobs"),
        ({"logit_bias": {"50256": -100}}, "logit_bias"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"moderation": {"model": "m"}}, "moderation"),
        ({"tools": [{"type": "custom", "custom": {"name": "shell"}}]}, "tools"),
        ({"tool_choice": {"type": "custom", "custom": {"name": "shell"}}}, "tool_choice"),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {
                                "type": "input_audio",
                                "input_audio": {"data": "AA==", "format": "wav"},
                            }
                        ],
                    }
                ]
            },
            "messages",
        ),
        ({"messages": [{"role": "assistant", "audio": {"id": "audio_1"}}]}, "messages"),
        (
            {
                "messages": [
                    {
                        "role": "assistant",
                        "tool_calls": [
                            {"type": "custom", "id": "a", "custom": {"name": "b", "input": "c"}}
                        ],
                    }
                ]
            },
            "messages",
        ),
        ({"tools": [TOOL], "tool_choice": "required", "reasoning_effort": "high"}, None),
        ({}, None),
    ],
)
def test_what_no_claude_can_do_is_named(fields: dict[str, Any], name: str | None) -> None:
    assert PROVIDER.unsupported(request_of(**fields)) == name
