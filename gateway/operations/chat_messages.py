"""The parts of a chat request, field for field as OpenAI documents them: messages, parts, tools.

Source: github openai/openai-openapi v2.3.0 (2026-08-21); `openai` SDK 3.52.0 where it is newer.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct


class _Strict(
    Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True, tag_field="type"
):
    """An object whose fields are all listed; null counts as absent."""


class CacheBreakpoint(Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Where the provider's prompt cache may cut."""

    mode: Literal["explicit"]
    ttl: Literal["30m", "12h"] | None = None


class CacheControl(Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Where Anthropic's prompt cache may cut; not OpenAI's, but how other gateways take it too.

    Source: OpenRouter, Prompt Caching; Anthropic Messages, `cache_control`.
    """

    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] | None = None


class TextPart(_Strict, tag="text"):
    """A piece of text."""

    text: str
    prompt_cache_breakpoint: CacheBreakpoint | None = None
    cache_control: CacheControl | None = None


class ImageAddress(Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """An image by https address or as a `data:` URL."""

    url: Annotated[str, Meta(min_length=1)]
    detail: Literal["auto", "low", "high", "original"] | None = None


class ImagePart(_Strict, tag="image_url"):
    """An image."""

    image_url: ImageAddress
    prompt_cache_breakpoint: CacheBreakpoint | None = None
    cache_control: CacheControl | None = None


class AudioData(Struct, forbid_unknown_fields=True, kw_only=True):
    """Sound in base64."""

    data: str
    format: Literal["wav", "mp3"]


class AudioPart(_Strict, tag="input_audio"):
    """A piece of sound."""

    input_audio: AudioData
    prompt_cache_breakpoint: CacheBreakpoint | None = None


class FileData(Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A file in base64; `file_id` is documented but refused by `decode_chat`."""

    filename: str | None = None
    file_data: str | None = None
    file_id: str | None = None


class FilePart(_Strict, tag="file"):
    """A file."""

    file: FileData
    prompt_cache_breakpoint: CacheBreakpoint | None = None
    cache_control: CacheControl | None = None


class RefusalPart(_Strict, tag="refusal"):
    """An earlier refusal of the assistant."""

    refusal: str


Text = str | Annotated[list[TextPart], Meta(min_length=1)]
UserContent = str | Annotated[list[TextPart | ImagePart | AudioPart | FilePart], Meta(min_length=1)]
AssistantContent = str | Annotated[list[TextPart | RefusalPart], Meta(min_length=1)]


class CalledFunction(Struct, forbid_unknown_fields=True, kw_only=True):
    """A function the assistant called; `arguments` is JSON as text."""

    name: str
    arguments: str


class FunctionCallPart(_Strict, tag="function"):
    """A call of a function.

    `extra_content` is Google's: the signature of the thought that led to the call.
    Source: Gemini API, OpenAI compatibility.
    """

    id: str
    function: CalledFunction
    extra_content: dict[str, Any] | None = None


class CalledCustomTool(Struct, forbid_unknown_fields=True, kw_only=True):
    """A custom tool the assistant called, with its input as free text."""

    name: str
    input: str


class CustomCallPart(_Strict, tag="custom"):
    """A call of a custom tool."""

    id: str
    custom: CalledCustomTool


class AudioReference(Struct, kw_only=True):
    """An earlier spoken answer. What else came with it may come along and is not sent on."""

    id: str


class _Message(
    Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True, tag_field="role"
):
    """A message; its role tells which."""

    name: str | None = None


class DeveloperMessage(_Message, tag="developer"):
    """The application's instructions."""

    content: Text


class SystemMessage(_Message, tag="system"):
    """The application's instructions, by their older name."""

    content: Text


class UserMessage(_Message, tag="user"):
    """What the user said or showed."""

    content: UserContent


class ThinkingBlock(_Strict, tag="thinking"):
    """Reasoning that Anthropic signed, to be handed back as it came."""

    thinking: str
    signature: str


class RedactedThinkingBlock(_Strict, tag="redacted_thinking"):
    """Reasoning that Anthropic encrypted, to be handed back as it came."""

    data: str


class AssistantMessage(_Message, tag="assistant"):
    """An earlier answer.

    `annotations` comes with answers that clients hand back as they got them; it is not sent on.
    `reasoning_content` and `thinking_blocks` are not OpenAI's: reasoning that other providers show.
    """

    content: AssistantContent | None = None
    refusal: str | None = None
    audio: AudioReference | None = None
    tool_calls: list[FunctionCallPart | CustomCallPart] | None = None
    function_call: CalledFunction | None = None
    annotations: list[dict[str, Any]] | None = None
    reasoning_content: str | None = None
    thinking_blocks: list[ThinkingBlock | RedactedThinkingBlock] | None = None


class ToolMessage(_Message, tag="tool"):
    """What a tool gave back."""

    content: Text
    tool_call_id: str


class FunctionMessage(_Message, tag="function"):
    """What a function gave back (deprecated)."""

    content: str | None


Message = (
    UserMessage
    | AssistantMessage
    | SystemMessage
    | ToolMessage
    | DeveloperMessage
    | FunctionMessage
)


class Function(Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A function the model may call; `parameters` is JSON Schema, the provider judges it."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class FunctionTool(_Strict, tag="function"):
    """A function as a tool."""

    function: Function
    cache_control: CacheControl | None = None


class Grammar(Struct, forbid_unknown_fields=True, kw_only=True):
    """A grammar that a custom tool's input follows."""

    definition: str
    syntax: Literal["lark", "regex"]


class TextFormat(_Strict, tag="text"):
    """Free text."""


class GrammarFormat(_Strict, tag="grammar"):
    """Text that follows a grammar."""

    grammar: Grammar


class CustomTool(Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A tool that takes text."""

    name: str
    description: str | None = None
    format: TextFormat | GrammarFormat | None = None


class CustomToolEntry(_Strict, tag="custom"):
    """A custom tool in the list of tools."""

    custom: CustomTool


class Named(Struct, forbid_unknown_fields=True, kw_only=True):
    """A tool by name."""

    name: str


class FunctionChoice(_Strict, tag="function"):
    """This function, and no other."""

    function: Named


class CustomChoice(_Strict, tag="custom"):
    """This custom tool, and no other."""

    custom: Named


class AllowedTools(Struct, forbid_unknown_fields=True, kw_only=True):
    """The tools the model may choose from."""

    mode: Literal["auto", "required"]
    tools: list[dict[str, Any]]


class AllowedToolsChoice(_Strict, tag="allowed_tools"):
    """One of these tools."""

    allowed_tools: AllowedTools


ToolChoice = (
    Literal["none", "auto", "required"] | FunctionChoice | CustomChoice | AllowedToolsChoice
)


class JsonSchema(Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """The schema an answer must follow."""

    name: str
    description: str | None = None
    schema: dict[str, Any] | None = None
    strict: bool | None = None


class JsonSchemaFormat(_Strict, tag="json_schema"):
    """An answer that follows a JSON Schema."""

    json_schema: JsonSchema


class JsonObjectFormat(_Strict, tag="json_object"):
    """An answer that is a JSON object."""


ResponseFormat = TextFormat | JsonSchemaFormat | JsonObjectFormat
