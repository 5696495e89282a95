"""Chat: a request read strictly, and what admission and pricing ask of it. No provider's habits."""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from gateway.operations.chat_messages import (
    AllowedToolsChoice,
    AssistantMessage,
    AudioPart,
    FilePart,
    FunctionTool,
    JsonSchemaFormat,
    Message,
    UserMessage,
)
from gateway.operations.chat_request import ChatRequest
from gateway.operations.chat_tokens import (
    ChatSize,
    ChatUsage,
    input_token_ceiling,
    input_token_estimate,
    measure_chat,
    output_token_ceiling,
)
from gateway.operations.json_body import check_numbers, check_shape, read_body
from studio.core.errors import InvalidRequest

__all__ = [
    "ChatRequest",
    "ChatSize",
    "ChatUsage",
    "decode_chat",
    "input_token_ceiling",
    "input_token_estimate",
    "measure_chat",
    "names_model_only",
    "output_token_ceiling",
    "speaks_core",
    "unpriced_options",
]

NO_MESSAGES = "messages array is required and must not be empty"


class _Named(Struct):
    """The two fields that tell whose client is speaking."""

    model: Any = UNSET
    kind: Any = UNSET


_REQUEST = msgspec.json.Decoder(ChatRequest)
_NAMED = msgspec.json.Decoder(_Named)


def decode_chat(body: bytes) -> ChatRequest:
    """Read a chat request.

    Raises: InvalidRequest for every body that is not exactly that, whatever its bytes.
    """
    try:
        request = read_body(_REQUEST, body)
    except InvalidRequest as error:
        if error.details.get("param") == "messages":
            raise InvalidRequest(NO_MESSAGES, details={"param": "messages"}) from error
        raise
    if request.stream_options is not None and not request.stream:
        raise _refused("stream_options", "only allowed when stream is true")
    if request.tools or request.functions or request.response_format or request.tool_choice:
        for value in _free_values(request):
            check_numbers(value)
    _settle_messages(request)
    return request


def speaks_core(request: ChatRequest) -> bool:
    """Tell whether this is an OpenAI client: it names a model and no kind (api.md 1)."""
    return request.model is not None and request.kind is None


def names_model_only(body: bytes) -> bool:
    """Say the same of a body that `decode_chat` refused; False if it cannot be read at all."""
    try:
        check_shape(body)
        named = _NAMED.decode(body)
    except (InvalidRequest, msgspec.DecodeError, UnicodeDecodeError):
        return False
    return not isinstance(named.model, UnsetType | None) and isinstance(
        named.kind, UnsetType | None
    )


def unpriced_options(request: ChatRequest) -> list[str]:
    """Name the options in use that providers bill by other rates than the model's tokens.

    Whoever prices the call refuses them unless it has a price for them: nothing is free by
    accident. `flex` is cheaper than what we charge, so it passes.
    Source: service tiers, tools and audio of OpenAI's price list (2026-11-21).
    """
    found = []
    if request.service_tier in ("scale", "priority", "fast"):
        found.append("service_tier")
    if request.web_search_options is not None:
        found.append("web_search_options")
    if request.audio is not None or "audio" in (request.modalities or ()):
        found.append("audio")
    if any(_speaks(message) for message in request.messages):
        found.append("messages")
    return found


def _speaks(message: Message) -> bool:
    """Tell whether a message holds sound, which is billed by other rates than text."""
    if isinstance(message, AssistantMessage):
        return message.audio is not None
    content = message.content if isinstance(message, UserMessage) else None
    return isinstance(content, list) and any(isinstance(part, AudioPart) for part in content)


def _free_values(request: ChatRequest) -> Iterator[Any]:
    """Give the parts that callers fill freely (JSON Schema and the like)."""
    for tool in request.tools or ():
        if isinstance(tool, FunctionTool):
            yield tool.function.parameters
    for function in request.functions or ():
        yield function.parameters
    if isinstance(request.response_format, JsonSchemaFormat):
        yield request.response_format.json_schema.schema
    if isinstance(request.tool_choice, AllowedToolsChoice):
        yield request.tool_choice.allowed_tools.tools


def _settle_messages(request: ChatRequest) -> None:
    """Drop what answers carry and requests do not; refuse files by id.

    Those lie in the account of the provider key, which callers share, and nobody could bound
    their cost.
    """
    for message in request.messages:
        if isinstance(message, AssistantMessage):
            message.annotations = None
        elif isinstance(message, UserMessage) and isinstance(message.content, list):
            for part in message.content:
                if isinstance(part, FilePart) and part.file.file_id is not None:
                    raise _refused("messages", "send files as file_data; file_id is not supported")


def _refused(param: str, reason: str) -> InvalidRequest:
    return InvalidRequest(f"{param}: {reason}", details={"param": param})
