"""Which Claude thinks in which way, and what that makes of OpenAI's `reasoning_effort`.

Older models think within a budget (`enabled`), newer ones as long as they like (`adaptive`) by an
effort. The newest think unasked, and some cannot be stopped. An unknown model counts as such.
Source: platform.claude.com/docs, Troubleshooting thinking and the models' migration guides
(Oct 2026); shares of a budget: OpenRouter, Reasoning tokens.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from msgspec import Struct

from gateway.operations.chat import ChatRequest

MIN_BUDGET_TOKENS = 1024
_DATE = re.compile(r"-20\d{6}$")
_LEVELS = ("low", "medium", "high", "xhigh", "max")
_SHARES = MappingProxyType({"low": 0.2, "medium": 0.5, "high": 0.8, "xhigh": 0.95, "max": 0.95})
"""How much of `max_tokens` an effort may think, where a model wants a budget."""


class _Ways(Struct, frozen=True):
    types: tuple[str, ...]
    efforts: tuple[str, ...] = _LEVELS
    unasked: bool = True


_NEWEST = _Ways(("adaptive",))
_STOPPABLE = _Ways(("adaptive", "disabled"))
_BOTH = _Ways(("adaptive", "enabled", "disabled"), ("low", "medium", "high", "max"), unasked=False)
_BUDGET = _Ways(("enabled", "disabled"), (), unasked=False)
_MODELS: Mapping[str, _Ways] = MappingProxyType(
    {
        "claude-sonnet-5-5": _Ways(("adaptive", "between_tools")),
        "claude-haiku-5-5": _STOPPABLE,
        "claude-opus-5": _STOPPABLE,
        "claude-sonnet-5": _STOPPABLE,
        "claude-opus-4-8": _Ways(("adaptive", "disabled"), unasked=False),
        "claude-opus-4-7": _Ways(("adaptive", "disabled"), unasked=False),
        "claude-opus-4-6": _BOTH,
        "claude-sonnet-4-6": _BOTH,
        "claude-opus-4-5": _Ways(("enabled", "disabled"), ("low", "medium", "high"), unasked=False),
        "claude-sonnet-4-5": _BUDGET,
        "claude-haiku-4-5": _BUDGET,
    }
)


class Thought(Struct, frozen=True):
    """The two fields that say how long to think, in Anthropic's JSON; None leaves one out."""

    thinking: dict[str, Any] | None = None
    effort: str | None = None


def thought_for(
    request: ChatRequest, model: str, *, max_tokens: int, forced: bool, unsigned: bool
) -> Thought:
    """Say how the model is to think.

    `forced` is whether a tool has to be called: thinking is not allowed then, and the tool is what
    was meant. `unsigned` is whether the last calls come back without the thoughts that led to
    them, which a model with a budget refuses. A budget has to be below `max_tokens`: where there
    is no room for the smallest one, there is no thinking.
    """
    ways = _MODELS.get(_DATE.sub("", model), _NEWEST)
    asked = request.reasoning_effort
    effort = _effort(asked, ways.efforts)
    stop = asked == "none"
    if request.thinking is not None:
        stop = request.thinking.type == "disabled"
    if stop:
        return _stopped(ways, effort)
    if forced or (asked is None and request.thinking is None):
        return Thought(effort=effort)
    budget = None
    if request.thinking is not None and request.thinking.type == "enabled":
        budget = request.thinking.budget_tokens
    if "adaptive" in ways.types and (budget is None or "enabled" not in ways.types):
        # Without `display` the newer models keep their thoughts to themselves.
        return Thought({"type": "adaptive", "display": "summarized"}, effort)
    if unsigned or max_tokens <= MIN_BUDGET_TOKENS:
        return Thought(effort=effort)
    if budget is None:
        budget = int(max_tokens * _SHARES[_level(asked) or "medium"])
    budget = min(max(budget, MIN_BUDGET_TOKENS), max_tokens - 1)
    return Thought({"type": "enabled", "budget_tokens": budget}, effort)


def _stopped(ways: _Ways, effort: str | None) -> Thought:
    """Stop the model from thinking, or let it think as little as it can."""
    if not ways.unasked:
        return Thought(effort=effort)
    for kind in ("disabled", "between_tools"):
        if kind in ways.types:
            return Thought({"type": kind}, effort)
    return Thought(effort=effort or "low")


def _level(asked: str | None) -> str | None:
    """Give Anthropic's word for an effort of OpenAI's."""
    if asked is None or asked == "none":
        return None
    return "low" if asked == "minimal" else asked


def _effort(asked: str | None, efforts: tuple[str, ...]) -> str | None:
    """Give the highest effort the model knows that is not above what was asked."""
    level = _level(asked)
    if level is None or not efforts:
        return None
    known = [name for name in _LEVELS[: _LEVELS.index(level) + 1] if name in efforts]
    return known[-1]
