"""Asking in another form than OpenAI's: what all providers that have one do with a chat first."""

import copy
from collections.abc import Set

from gateway.operations.chat import ChatRequest
from gateway.operations.chat_messages import CustomChoice, CustomToolEntry
from gateway.providers.base import Target


def unserved_field(request: ChatRequest, *, messages: bool, **more: bool) -> str | None:
    """Name what only OpenAI's form can say and this request says; None if nothing.

    `messages` and `more` are whether those fields hold what the provider at hand cannot serve.
    """
    odd = {
        "n": (request.n or 1) > 1,
        "audio": request.audio is not None,
        "modalities": "audio" in (request.modalities or ()),
        "logprobs": bool(request.logprobs),
        "top_logprobs": bool(request.top_logprobs),
        "logit_bias": bool(request.logit_bias),
        "web_search_options": request.web_search_options is not None,
        "moderation": request.moderation is not None,
        **more,
        "tools": any(isinstance(tool, CustomToolEntry) for tool in request.tools or ()),
        "tool_choice": isinstance(request.tool_choice, CustomChoice),
        "messages": messages,
    }
    return next((name for name, found in odd.items() if found), None)


def uses_functions(request: ChatRequest) -> bool:
    """Tell whether the caller speaks of functions, which came before tools."""
    return bool(request.functions) and not request.tools


def without_dropped(request: ChatRequest, target: Target, droppable: Set[str]) -> ChatRequest:
    """Leave out what the target's model refuses; the request itself stays as it is."""
    names = [name for name in target.drop_parameters if name in droppable]
    if not names:
        return request
    request = copy.copy(request)
    for name in names:
        setattr(request, name, None)
    return request
