"""A chat as the body of a Messages request."""

from typing import Any

import msgspec

from gateway.operations.chat import ChatRequest
from gateway.operations.chat_messages import (
    AllowedToolsChoice,
    AssistantMessage,
    AudioPart,
    CustomCallPart,
    Function,
    FunctionChoice,
    FunctionTool,
    JsonObjectFormat,
    JsonSchemaFormat,
    Message,
    UserMessage,
)
from gateway.providers.anthropic.media import Block, marked
from gateway.providers.anthropic.thinking import thought_for
from gateway.providers.anthropic.turns import Conversation, read_conversation
from gateway.providers.base import Target
from gateway.providers.translating import unserved_field, uses_functions, without_dropped

DEFAULT_MAX_TOKENS = 4096
LONGEST_USER_ID = 512
_ONLY_JSON = "Answer with one JSON object and nothing else: no other text, no code fence."
_CHOICES = {"auto": "auto", "required": "any", "none": "none"}
_KEPT = frozenset({"messages", "model", "kind", "stream", "stream_options"})
_DROPPABLE = frozenset(ChatRequest.__struct_fields__) - _KEPT
_ENCODER = msgspec.json.Encoder()


def unsupported_field(request: ChatRequest) -> str | None:
    """Name what cannot be served without changing what the answer means; None if nothing."""
    return unserved_field(
        request,
        messages=any(_is_odd(message) for message in request.messages),
    )


def write_request(request: ChatRequest, target: Target) -> bytes:
    """Write the body. Raises: InvalidRequest."""
    request = without_dropped(request, target, _DROPPABLE)
    conversation = read_conversation(request.messages)
    sent: Block = {
        "model": target.model,
        "max_tokens": target.max_output_tokens
        or request.max_completion_tokens
        or request.max_tokens
        or DEFAULT_MAX_TOKENS,
        "messages": conversation.messages(),
    }
    if request.stream:
        sent["stream"] = True
    _add_tools(sent, request, conversation)
    _add_output(sent, request, conversation)
    if conversation.system:
        sent["system"] = conversation.system
    _add_sampling(sent, request)
    user_id = request.safety_identifier or request.user
    if user_id and len(user_id) <= LONGEST_USER_ID:
        sent["metadata"] = {"user_id": user_id}
    return _ENCODER.encode(sent)


def _is_odd(message: Message) -> bool:
    """Tell whether a message holds sound or a custom tool's call."""
    if isinstance(message, AssistantMessage):
        calls = message.tool_calls or ()
        return message.audio is not None or any(isinstance(c, CustomCallPart) for c in calls)
    content = message.content if isinstance(message, UserMessage) else None
    return isinstance(content, list) and any(isinstance(part, AudioPart) for part in content)


def _add_tools(sent: Block, request: ChatRequest, conversation: Conversation) -> None:
    """Add the tools and how they are chosen.

    A conversation with calls needs its tools defined, also where the caller is done with them.
    """
    tools = [
        marked(_tool(tool.function), tool.cache_control)
        for tool in request.tools or ()
        if isinstance(tool, FunctionTool)
    ]
    tools += [_tool(function) for function in request.functions or ()]
    choice = _choice(request)
    if isinstance(request.tool_choice, AllowedToolsChoice):
        names = _allowed_names(request.tool_choice)
        tools = [tool for tool in tools if tool["name"] in names]
    if not tools and conversation.called:
        tools = [_tool(Function(name=name)) for name in conversation.called]
        choice = {"type": "none"}
    if tools:
        sent["tools"] = tools
    if choice is not None and (tools or choice["type"] in ("any", "tool")):
        sent["tool_choice"] = choice


def _tool(function: Function) -> Block:
    tool: Block = {
        "name": function.name,
        "input_schema": {"type": "object", **(function.parameters or {"properties": {}})},
    }
    if function.description:
        tool["description"] = function.description
    if function.strict is not None:
        tool["strict"] = function.strict
    return tool


def _choice(request: ChatRequest) -> dict[str, Any] | None:
    """Write how the tool is chosen; a function call of the old form is one at a time."""
    choice = _chosen(request)
    if request.parallel_tool_calls is False or uses_functions(request):
        choice = choice or {"type": "auto"}
        if choice["type"] != "none":
            choice["disable_parallel_tool_use"] = True
    return choice


def _chosen(request: ChatRequest) -> dict[str, Any] | None:
    wanted = request.tool_choice
    if isinstance(wanted, FunctionChoice):
        return {"type": "tool", "name": wanted.function.name}
    if isinstance(wanted, AllowedToolsChoice):
        return {"type": _CHOICES[wanted.allowed_tools.mode]}
    if isinstance(wanted, str):
        return {"type": _CHOICES[wanted]}
    named = request.function_call
    if named is None or isinstance(named, str):
        return None if named is None else {"type": _CHOICES[named]}
    return {"type": "tool", "name": named.name}


def _allowed_names(choice: AllowedToolsChoice) -> set[str]:
    functions = [tool.get("function") for tool in choice.allowed_tools.tools]
    return {function.get("name", "") for function in functions if isinstance(function, dict)}


def _add_output(sent: Block, request: ChatRequest, conversation: Conversation) -> None:
    """Add the form of the answer and how long the model thinks before it.

    Anthropic has no JSON mode without a schema: an instruction stands for it.
    """
    thought = thought_for(
        request,
        sent["model"],
        max_tokens=sent["max_tokens"],
        forced=sent.get("tool_choice", {}).get("type") in ("any", "tool"),
        unsigned=conversation.is_unsigned(),
    )
    config: Block = {}
    if thought.thinking is not None:
        sent["thinking"] = thought.thinking
    if thought.effort is not None:
        config["effort"] = thought.effort
    shape = request.response_format
    if isinstance(shape, JsonSchemaFormat) and shape.json_schema.schema is not None:
        config["format"] = {"type": "json_schema", "schema": shape.json_schema.schema}
    elif isinstance(shape, JsonSchemaFormat | JsonObjectFormat):
        conversation.system.append({"type": "text", "text": _ONLY_JSON})
    if config:
        sent["output_config"] = config


def _add_sampling(sent: Block, request: ChatRequest) -> None:
    """Add what the catalogue did not drop; Anthropic's temperature ends at 1."""
    stop = [request.stop] if isinstance(request.stop, str) else request.stop or []
    stop = [word for word in stop if word.strip()]
    if stop:
        sent["stop_sequences"] = stop
    if request.temperature is not None:
        sent["temperature"] = min(request.temperature, 1)
    if request.top_p is not None:
        sent["top_p"] = request.top_p
    if request.top_k is not None:
        sent["top_k"] = request.top_k
