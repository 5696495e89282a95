"""Which Gemini thinks in which way, and what that makes of `reasoning_effort` and `thinking`.

Models from Gemini 3 on think by a level, older ones within a budget; only some can do without.
Source: ai.google.dev/gemini-api/docs, Thinking, and OpenAI compatibility (which effort is which
level and which budget); docs.cloud.google.com, Gemini 3.5 Flash-Lite and the developer's guide to
Gemini 3.8 Flash: `MINIMAL` is Flash-Lite's, the other Gemini 3 of today begin at `LOW`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from gateway.operations.chat import ChatRequest

_LEVELS: Mapping[str, str] = MappingProxyType(
    {"low": "LOW", "medium": "MEDIUM", "high": "HIGH", "xhigh": "HIGH", "max": "HIGH"}
)
_BUDGETS: Mapping[str, int] = MappingProxyType(
    {"minimal": 1024, "low": 1024, "medium": 8192, "high": 24576, "xhigh": 24576, "max": 24576}
)
_OLDER = ("gemini-1", "gemini-2")
_LIMITS = (("flash-lite", 512, 24576), ("flash", 1, 24576), ("", 128, 32768))
"""Least and most tokens of a budget, by what is in the model's name."""


def is_older(model: str) -> bool:
    """Tell whether a model is from before Gemini 3: budgets, no levels, no signatures needed."""
    return model.startswith(_OLDER)


def thinking_config(request: ChatRequest, model: str) -> dict[str, Any] | None:
    """Write how long the model thinks, and that it shows its thoughts; None leaves it to itself.

    Whoever asks for thoughts sees them; without thinking there is nothing to see.
    """
    thinking, effort = request.thinking, request.reasoning_effort
    if thinking is None and effort is None:
        return None
    if (thinking is not None and thinking.type == "disabled") or (
        thinking is None and effort in ("none", "minimal")
    ):
        return _least(model, minimal=effort == "minimal")
    config: dict[str, Any] = {"includeThoughts": True}
    if thinking is not None and thinking.budget_tokens is not None:
        return config | _within(thinking.budget_tokens, model)
    if effort is not None and effort in _LEVELS:
        config |= _by_effort(effort, model)
    return config


def _least(model: str, *, minimal: bool) -> dict[str, Any]:
    """Think as little as the model can."""
    if not is_older(model):
        return {"thinkingLevel": "MINIMAL" if "flash-lite" in model else "LOW"}
    if minimal:
        return {"thinkingBudget": _BUDGETS["minimal"]}
    return {"thinkingBudget": 0 if "flash" in model else 128}


def _by_effort(effort: str, model: str) -> dict[str, Any]:
    if is_older(model):
        return {"thinkingBudget": _BUDGETS[effort]}
    return {"thinkingLevel": _LEVELS[effort]}


def _within(budget_tokens: int, model: str) -> dict[str, Any]:
    """Think within a budget, or at the level that has about that one."""
    if is_older(model):
        least, most = next((low, high) for name, low, high in _LIMITS if name in model)
        return {"thinkingBudget": max(least, min(budget_tokens, most))}
    if budget_tokens <= _BUDGETS["low"]:
        return {"thinkingLevel": "LOW"}
    return {"thinkingLevel": "MEDIUM" if budget_tokens <= _BUDGETS["medium"] else "HIGH"}
