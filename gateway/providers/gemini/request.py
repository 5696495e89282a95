"""A chat as the body of a `generateContent` request.

Source: Google's discovery document v1beta (2026-08-23), GenerateContentRequest, GenerationConfig
and FunctionCallingConfig.
"""

from typing import Any

import msgspec

from gateway.operations.chat import ChatRequest
from gateway.operations.chat_messages import (
    AllowedToolsChoice,
    AssistantMessage,
    CustomCallPart,
    Function,
    FunctionChoice,
    FunctionTool,
    JsonObjectFormat,
    JsonSchemaFormat,
    Message,
)
from gateway.providers.base import Target
from gateway.providers.gemini.media import Part, refused
from gateway.providers.gemini.thinking import is_older, thinking_config
from gateway.providers.gemini.turns import read_conversation
from gateway.providers.translating import unserved_field, uses_functions, without_dropped

_JSON = "application/json"
_MODES = {"auto": "AUTO", "required": "ANY", "none": "NONE"}
_LARGEST = 2**31 - 1
"""Of Google's integers, which have 32 bits."""
_KEPT = frozenset(
    {"messages", "model", "kind", "stream", "stream_options", "max_completion_tokens", "max_tokens"}
)
_DROPPABLE = frozenset(ChatRequest.__struct_fields__) - _KEPT
_ENCODER = msgspec.json.Encoder()


def unsupported_field(request: ChatRequest) -> str | None:
    """Name what cannot be served without changing what the answer means; None if nothing.

    Several candidates and logarithms of probabilities have fields, but no model of today takes
    them: "Multiple candidates is not enabled for this model" (replies of the live API, Aug 2026).
    """
    return unserved_field(
        request,
        parallel_tool_calls=request.parallel_tool_calls is False and bool(request.tools),
        messages=any(_is_odd(message) for message in request.messages),
    )


def write_request(request: ChatRequest, target: Target) -> bytes:
    """Write the body. Raises: InvalidRequest."""
    request = without_dropped(request, target, _DROPPABLE)
    conversation = read_conversation(request.messages, signs=not is_older(target.model))
    sent: Part = {"contents": conversation.contents()}
    if conversation.system:
        sent["systemInstruction"] = {"parts": conversation.system}
    _add_tools(sent, request)
    config = _sampling(request, target) | _format(request)
    thinking = thinking_config(request, target.model)
    if thinking is not None:
        config["thinkingConfig"] = thinking
    if config:
        sent["generationConfig"] = config
    return _ENCODER.encode(sent)


def _is_odd(message: Message) -> bool:
    """Tell whether a message holds an earlier spoken answer or a custom tool's call."""
    if not isinstance(message, AssistantMessage):
        return False
    calls = message.tool_calls or ()
    return message.audio is not None or any(isinstance(call, CustomCallPart) for call in calls)


def _add_tools(sent: Part, request: ChatRequest) -> None:
    """Add the functions and how they are chosen; nothing is to choose where there are none."""
    functions = [
        _declaration(tool.function)
        for tool in request.tools or ()
        if isinstance(tool, FunctionTool)
    ]
    functions = functions or [_declaration(function) for function in request.functions or ()]
    calling = _calling(request)
    if functions:
        sent["tools"] = [{"functionDeclarations": functions}]
    if calling is not None and (functions or calling["mode"] == "ANY"):
        sent["toolConfig"] = {"functionCallingConfig": calling}


def _declaration(function: Function) -> Part:
    declared: Part = {"name": function.name}
    if function.description:
        declared["description"] = function.description
    if function.parameters:
        declared["parametersJsonSchema"] = function.parameters
    return declared


def _calling(request: ChatRequest) -> dict[str, Any] | None:
    """Write how a function is chosen. Google limits the names in two modes: one insists on a call
    (`ANY`), the other lets the model speak (`VALIDATED`).
    """
    wanted = request.tool_choice
    if isinstance(wanted, FunctionChoice):
        return {"mode": "ANY", "allowedFunctionNames": [wanted.function.name]}
    if isinstance(wanted, AllowedToolsChoice):
        mode = "ANY" if wanted.allowed_tools.mode == "required" else "VALIDATED"
        return {"mode": mode, "allowedFunctionNames": _allowed_names(wanted)}
    if isinstance(wanted, str):
        return {"mode": _MODES[wanted]}
    named = request.function_call if uses_functions(request) else None
    if isinstance(named, str):
        return {"mode": _MODES[named]}
    return None if named is None else {"mode": "ANY", "allowedFunctionNames": [named.name]}


def _allowed_names(choice: AllowedToolsChoice) -> list[str]:
    functions = [tool.get("function") for tool in choice.allowed_tools.tools]
    named = [function.get("name") for function in functions if isinstance(function, dict)]
    names = [name for name in named if isinstance(name, str)]
    if not names or len(names) < len(functions):
        raise refused("tool_choice", "functions are named as the tools are")
    return names


def _sampling(request: ChatRequest, target: Target) -> dict[str, Any]:
    """Write the limits, and of the rest what the catalogue did not drop."""
    ceiling = target.max_output_tokens or request.max_completion_tokens or request.max_tokens
    stop = [request.stop] if isinstance(request.stop, str) else request.stop or []
    given = {
        "maxOutputTokens": None if ceiling is None else min(ceiling, _LARGEST),
        "temperature": request.temperature,
        "topP": request.top_p,
        "topK": None if request.top_k is None else min(request.top_k, _LARGEST),
        "seed": None if request.seed is None else _seed(request.seed),
        "presencePenalty": request.presence_penalty,
        "frequencyPenalty": request.frequency_penalty,
        "stopSequences": [word for word in stop if word] or None,
    }
    return {name: value for name, value in given.items() if value is not None}


def _seed(seed: int) -> int:
    """Give a seed that fits; the same one for the same one."""
    return seed if -_LARGEST <= seed <= _LARGEST else seed % _LARGEST


def _format(request: ChatRequest) -> dict[str, Any]:
    shape = request.response_format
    if isinstance(shape, JsonSchemaFormat):
        schema = shape.json_schema.schema
        named = {} if schema is None else {"responseJsonSchema": schema}
        return {"responseMimeType": _JSON, **named}
    return {"responseMimeType": _JSON} if isinstance(shape, JsonObjectFormat) else {}
