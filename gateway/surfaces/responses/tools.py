"""The tools of a request, which of them the model may call, and the form of its text.

Only functions and custom tools have a price here: the provider's own tools are refused by name.
Source: `openai` Python SDK 3.52.0 (`types/responses/tool_param.py`, `tool_choice_*_param.py`,
`response_format_text_config_param.py`).
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Raw, Struct, field

from gateway.operations.chat_messages import (
    AllowedTools,
    AllowedToolsChoice,
    CacheControl,
    CustomChoice,
    CustomToolEntry,
    Function,
    FunctionChoice,
    FunctionTool,
    Grammar,
    GrammarFormat,
    JsonObjectFormat,
    JsonSchema,
    JsonSchemaFormat,
    ResponseFormat,
    TextFormat,
    ToolChoice,
)
from gateway.operations.chat_messages import CustomTool as ChatCustomTool
from gateway.operations.chat_messages import Named as ChatNamed
from gateway.operations.json_body import check_numbers
from gateway.surfaces.responses.items import read_names, read_piece, refused, word

_Name = Annotated[str, Meta(pattern="^[a-zA-Z0-9_-]{1,128}$")]


class _Tool(Struct, forbid_unknown_fields=True, kw_only=True, tag_field="type"):
    """A tool of the caller's own; its type tells of which kind. Null counts as absent."""

    name: _Name
    description: str | None = None
    allowed_callers: list[Literal["direct"]] | None = None
    defer_loading: bool | None = None
    is_async: bool | None = field(default=None, name="async")


class FunctionDefinition(_Tool, tag="function"):
    """A function the model may call; `parameters` is JSON Schema, the provider judges it."""

    parameters: dict[str, Any] | None = None
    strict: bool | None = None
    output_schema: None = None
    cache_control: CacheControl | None = None


class AnyText(Struct, forbid_unknown_fields=True, kw_only=True, tag_field="type", tag="text"):
    """Free text."""


class GrammarText(
    Struct, forbid_unknown_fields=True, kw_only=True, tag_field="type", tag="grammar"
):
    """Text that follows a grammar."""

    definition: str
    syntax: Literal["lark", "regex"]


class CustomDefinition(_Tool, tag="custom"):
    """A tool that takes text."""

    format: AnyText | GrammarText | None = None


Tool = FunctionDefinition | CustomDefinition


class _Choice(Struct, forbid_unknown_fields=True, kw_only=True, tag_field="type"):
    """Which tool is called; its type tells."""


class FunctionNamed(_Choice, tag="function"):
    """This function."""

    name: str


class CustomNamed(_Choice, tag="custom"):
    """This custom tool."""

    name: str


class SomeAllowed(_Choice, tag="allowed_tools"):
    """One of these tools."""

    mode: Literal["auto", "required"]
    tools: list[FunctionNamed | CustomNamed]


Choice = Literal["none", "auto", "required"] | FunctionNamed | CustomNamed | SomeAllowed


class _Format(Struct, forbid_unknown_fields=True, kw_only=True, tag_field="type"):
    """The form of an answer's text; its type tells which."""


class PlainFormat(_Format, tag="text"):
    """Free text."""


class SchemaFormat(_Format, tag="json_schema"):
    """JSON that follows a schema."""

    name: Annotated[str, Meta(pattern="^[a-zA-Z0-9_-]{1,64}$")]
    schema: dict[str, Any]
    description: str | None = None
    strict: bool | None = None


class ObjectFormat(_Format, tag="json_object"):
    """A JSON object."""


Format = PlainFormat | SchemaFormat | ObjectFormat

_TOOL: msgspec.json.Decoder[Tool] = msgspec.json.Decoder(Tool)
_OWN = ("function", "custom")


def read_tool(raw: Raw, place: str) -> Tool:
    """Read one tool; `place` names it in messages. Raises: InvalidRequest."""
    kind = read_names(raw, place).type
    if kind is not None and kind not in _OWN:
        reason = f"only functions and custom tools can be used; {word(kind)} has no price here"
        raise refused(f"{place}.type", reason)
    tool = read_piece(_TOOL, raw, place)
    if tool.defer_loading:
        raise refused(f"{place}.defer_loading", "tools cannot be loaded later here")
    if tool.is_async:
        raise refused(f"{place}.async", "calls that go on meanwhile are not supported here")
    if isinstance(tool, FunctionDefinition):
        check_numbers(tool.parameters)
    return tool


def chat_tool(tool: Tool) -> FunctionTool | CustomToolEntry:
    """Give a tool in the form that all providers are asked in."""
    if isinstance(tool, CustomDefinition):
        form = _input_format(tool.format)
        custom = ChatCustomTool(name=tool.name, description=tool.description, format=form)
        return CustomToolEntry(custom=custom)
    function = Function(
        name=tool.name,
        description=tool.description,
        parameters=tool.parameters,
        strict=tool.strict,
    )
    return FunctionTool(function=function, cache_control=tool.cache_control)


def shown_tool(tool: Tool) -> dict[str, Any]:
    """Give a tool as answers show it."""
    shown: dict[str, Any] = {"type": "custom", "name": tool.name, "description": tool.description}
    if isinstance(tool, CustomDefinition):
        return {**shown, "format": tool.format or AnyText()}
    return {
        **shown,
        "type": "function",
        "parameters": tool.parameters,
        "strict": bool(tool.strict),
    }


def chat_choice(choice: Choice) -> ToolChoice:
    """Give a choice of tools in the form that all providers are asked in."""
    if isinstance(choice, FunctionNamed):
        return FunctionChoice(function=ChatNamed(name=choice.name))
    if isinstance(choice, CustomNamed):
        return CustomChoice(custom=ChatNamed(name=choice.name))
    if isinstance(choice, SomeAllowed):
        named = [_allowed(tool) for tool in choice.tools]
        return AllowedToolsChoice(allowed_tools=AllowedTools(mode=choice.mode, tools=named))
    return choice


def chat_format(wanted: Format | None) -> ResponseFormat | None:
    """Give the form of an answer's text as all providers are asked for it."""
    if isinstance(wanted, SchemaFormat):
        check_numbers(wanted.schema)
        schema = JsonSchema(
            name=wanted.name,
            description=wanted.description,
            schema=wanted.schema,
            strict=wanted.strict,
        )
        return JsonSchemaFormat(json_schema=schema)
    return JsonObjectFormat() if isinstance(wanted, ObjectFormat) else None


def _input_format(wanted: AnyText | GrammarText | None) -> TextFormat | GrammarFormat | None:
    if isinstance(wanted, GrammarText):
        grammar = Grammar(definition=wanted.definition, syntax=wanted.syntax)
        return GrammarFormat(grammar=grammar)
    return TextFormat() if wanted is not None else None


def _allowed(tool: FunctionNamed | CustomNamed) -> dict[str, Any]:
    kind = "function" if isinstance(tool, FunctionNamed) else "custom"
    return {"type": kind, kind: {"name": tool.name}}
