"""One request of Anthropic's Messages API, read strictly, and the chat that it asks for.

Source: `anthropic` Python SDK 2.12.0 (`types/message_create_params.py`, `tool_param.py`,
`message_count_tokens_params.py`); Anthropic's OpenAPI document of August 2026 for the ranges.
"""

from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from gateway.operations.chat import ChatRequest
from gateway.operations.chat_messages import (
    CacheControl,
    Function,
    FunctionChoice,
    FunctionTool,
    JsonSchema,
    JsonSchemaFormat,
    Named,
    ToolChoice,
)
from gateway.operations.chat_request import StreamOptions, Thinking
from gateway.operations.json_body import MAX_INTEGER, check_numbers, check_shape, read_body
from gateway.surfaces.messages.blocks import (
    DocumentBlock,
    TextBlock,
    ToolResultBlock,
    ToolUseBlock,
    Turn,
)
from gateway.surfaces.messages.turns import mark_end, messages_of, system_message
from studio.core.errors import InvalidRequest

_FORMAT_NAME = "answer"
"""OpenAI wants a name for the schema of an answer; Anthropic's have none."""
_Tokens = Annotated[int, Meta(ge=1, le=MAX_INTEGER)]
_Display = Literal["summarized", "omitted"] | None
"""A hint: a chat has no word for it, and models show what they show."""


class ThreadUnsupported(InvalidRequest):
    """The request leaves its conversation to the server. Anthropic's SDK sends it whole then.

    Source: `anthropic` Python SDK 2.12.0 (`lib/threads/_thread_state.py`).
    """

    code = "thread_unsupported_request"


class _Object(Struct, forbid_unknown_fields=True, kw_only=True):
    """An object whose fields are all listed. Null counts as absent."""


class Tool(_Object):
    """A tool of the caller's own. Anthropic's own tools have other fields and no price here."""

    name: Annotated[str, Meta(pattern="^[a-zA-Z0-9_-]{1,128}$")]
    input_schema: dict[str, Any]
    type: Literal["custom"] | None = None
    description: str | None = None
    strict: bool | None = None
    cache_control: CacheControl | None = None
    eager_input_streaming: bool | None = None
    allowed_callers: list[Literal["direct"]] | None = None
    defer_loading: bool | None = None
    input_examples: Annotated[list[Any], Meta(max_length=0)] | None = None


class _Choice(Struct, forbid_unknown_fields=True, kw_only=True, tag_field="type"):
    """Which tool is called; its type tells."""

    disable_parallel_tool_use: bool | None = None


class AutoChoice(_Choice, tag="auto"):
    """Any tool, or none."""


class AnyChoice(_Choice, tag="any"):
    """Any tool, but one."""


class ToolNamed(_Choice, tag="tool"):
    """This tool."""

    name: str


class NoChoice(_Choice, tag="none"):
    """No tool."""


class _Thinking(Struct, forbid_unknown_fields=True, kw_only=True, tag_field="type"):
    """Whether the model thinks first; its type tells how."""


class ThinkingEnabled(_Thinking, tag="enabled"):
    """It thinks, up to so many tokens."""

    budget_tokens: Annotated[int, Meta(ge=1024, le=MAX_INTEGER)]
    display: _Display = None


class ThinkingAdaptive(_Thinking, tag="adaptive"):
    """It thinks as it sees fit."""

    display: _Display = None


class ThinkingDisabled(_Thinking, tag="disabled"):
    """It does not think."""


class JsonFormat(_Object):
    """An answer that follows a JSON Schema."""

    type: Literal["json_schema"]
    schema: dict[str, Any]


class OutputConfig(_Object):
    """How much effort goes into the answer, and which form it has."""

    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: JsonFormat | None = None


class Metadata(_Object):
    """Who the end user is, in a word that says nothing of them."""

    user_id: Annotated[str, Meta(max_length=512)] | None = None


class CountRequest(_Object, kw_only=True):
    """What a request's input is made of: the body of `count_tokens`."""

    model: Annotated[str, Meta(min_length=1, max_length=256)]
    messages: Annotated[list[Turn], Meta(min_length=1, max_length=100_000)]
    system: str | list[TextBlock] | None = None
    tools: list[Tool] | None = None
    tool_choice: AutoChoice | AnyChoice | ToolNamed | NoChoice | None = None
    thinking: ThinkingEnabled | ThinkingAdaptive | ThinkingDisabled | None = None
    output_config: OutputConfig | None = None
    cache_control: CacheControl | None = None
    speed: Literal["standard"] | None = None


class MessageRequest(CountRequest, kw_only=True):
    """The body of `POST /v1/messages`."""

    max_tokens: _Tokens
    stream: bool | None = None
    stop_sequences: Annotated[list[str], Meta(max_length=4)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_k: _Tokens | None = None
    metadata: Metadata | None = None
    service_tier: Literal["auto", "standard_only"] | None = None
    container: None = None
    inference_geo: None = None
    diagnostics: None = None
    thread: Any = None


class _NamedTool(Struct):
    type: Any = None


class _Tools(Struct):
    tools: list[_NamedTool] = []


_Request = TypeVar("_Request", bound=CountRequest)
_MESSAGE = msgspec.json.Decoder(MessageRequest)
_COUNT = msgspec.json.Decoder(CountRequest)
_TOOLS = msgspec.json.Decoder(_Tools)


def read_message(body: bytes) -> ChatRequest:
    """Read the body of `POST /v1/messages`; give the chat it asks for.

    Raises: InvalidRequest for every body that is not exactly one, whatever its bytes.
    """
    wanted = _read(_MESSAGE, body)
    if wanted.thread is not None:
        raise ThreadUnsupported(
            "thread: conversations are not kept here; send the whole of it",
            details={"param": "thread"},
        )
    chat = _chat_of(wanted)
    chat.max_completion_tokens = wanted.max_tokens
    if wanted.stream:
        chat.stream = True
        chat.stream_options = StreamOptions(include_usage=True)
    chat.stop = wanted.stop_sequences or None
    chat.temperature = wanted.temperature
    chat.top_p = wanted.top_p
    chat.top_k = wanted.top_k
    chat.user = wanted.metadata.user_id if wanted.metadata is not None else None
    if wanted.service_tier is not None:
        chat.service_tier = "auto" if wanted.service_tier == "auto" else "default"
    return chat


def read_count(body: bytes) -> ChatRequest:
    """Read the body of `POST /v1/messages/count_tokens`; give a chat with the same input.

    Raises: InvalidRequest, as `read_message` does.
    """
    return _chat_of(_read(_COUNT, body))


def _read(decoder: msgspec.json.Decoder[_Request], body: bytes) -> _Request:
    try:
        wanted = read_body(decoder, body)
    except InvalidRequest as error:
        raise _not_custom(body) or error from error
    for index, tool in enumerate(wanted.tools or ()):
        if tool.defer_loading:
            raise _refused(f"tools[{index}].defer_loading", "tools cannot be loaded later here")
        check_numbers(tool.input_schema)
    if wanted.output_config is not None and wanted.output_config.format is not None:
        check_numbers(wanted.output_config.format.schema)
    for index, turn in enumerate(wanted.messages):
        _check_turn(turn, f"messages[{index}].content")
    return wanted


def _not_custom(body: bytes) -> InvalidRequest | None:
    """Name the first tool of a refused body that is one of Anthropic's own, if that is why."""
    try:
        check_shape(body)
        tools = _TOOLS.decode(body).tools
    except (InvalidRequest, msgspec.DecodeError, UnicodeDecodeError):
        return None
    for index, tool in enumerate(tools):
        if isinstance(tool.type, str) and tool.type != "custom":
            reason = f"only tools of your own can be used; {tool.type[:100]} has no price here"
            return _refused(f"tools[{index}].type", reason)
    return None


def _check_turn(turn: Turn, place: str) -> None:
    """Judge what the types do not say: citations and numbers in calls. Raises: InvalidRequest."""
    for index, block in enumerate(turn.content if isinstance(turn.content, list) else ()):
        where = f"{place}[{index}]"
        if isinstance(block, ToolUseBlock):
            check_numbers([block.input, block.extra_content])
        elif isinstance(block, DocumentBlock):
            _check_document(block, where)
        elif isinstance(block, ToolResultBlock) and isinstance(block.content, list):
            for inner, part in enumerate(block.content):
                if isinstance(part, DocumentBlock):
                    _check_document(part, f"{where}.content[{inner}]")


def _check_document(block: DocumentBlock, where: str) -> None:
    if block.citations is not None and block.citations.enabled:
        raise _refused(f"{where}.citations.enabled", "citations are not supported here")


def _chat_of(wanted: CountRequest) -> ChatRequest:
    messages = messages_of(wanted.messages)
    if wanted.system:
        messages.insert(0, system_message(wanted.system))
    if wanted.cache_control is not None:
        mark_end(messages, wanted.cache_control)
    chat = ChatRequest(model=wanted.model, messages=messages)
    if wanted.tools:
        chat.tools = [_tool_of(tool) for tool in wanted.tools]
    choice = wanted.tool_choice
    if choice is not None:
        chat.tool_choice = _choice_of(choice)
        chat.parallel_tool_calls = False if choice.disable_parallel_tool_use else None
    if wanted.thinking is not None:
        chat.thinking = _thinking_of(wanted.thinking)
    if wanted.output_config is not None:
        chat.reasoning_effort = wanted.output_config.effort
        chat.response_format = _format_of(wanted.output_config.format)
    return chat


def _tool_of(tool: Tool) -> FunctionTool:
    function = Function(
        name=tool.name,
        description=tool.description,
        parameters=tool.input_schema,
        strict=tool.strict,
    )
    return FunctionTool(function=function, cache_control=tool.cache_control)


def _choice_of(choice: AutoChoice | AnyChoice | ToolNamed | NoChoice) -> ToolChoice:
    if isinstance(choice, ToolNamed):
        return FunctionChoice(function=Named(name=choice.name))
    if isinstance(choice, AnyChoice):
        return "required"
    return "auto" if isinstance(choice, AutoChoice) else "none"


def _thinking_of(thinking: ThinkingEnabled | ThinkingAdaptive | ThinkingDisabled) -> Thinking:
    if isinstance(thinking, ThinkingEnabled):
        return Thinking(type="enabled", budget_tokens=thinking.budget_tokens)
    return Thinking(type="adaptive" if isinstance(thinking, ThinkingAdaptive) else "disabled")


def _format_of(wanted: JsonFormat | None) -> JsonSchemaFormat | None:
    """Ask for the schema strictly: Anthropic's promise is an answer that follows it."""
    if wanted is None:
        return None
    schema = JsonSchema(name=_FORMAT_NAME, schema=wanted.schema, strict=True)
    return JsonSchemaFormat(json_schema=schema)


def _refused(param: str, reason: str) -> InvalidRequest:
    return InvalidRequest(f"{param}: {reason}", details={"param": param})
