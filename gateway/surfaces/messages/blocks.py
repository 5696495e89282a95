"""The content blocks and turns of a request, field for field as Anthropic documents them.

What no chat can carry has no field here, or a field that takes only null: it is refused by name.
Source: `anthropic` Python SDK 2.12.0 (`types/*_param.py`); Anthropic's OpenAPI document, Aug 2026.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from gateway.operations.chat_messages import CacheControl, RedactedThinkingBlock, ThinkingBlock

_Id = Annotated[str, Meta(min_length=1, max_length=512)]
_NoneOfThem = Annotated[list[Any], Meta(max_length=0)]
_SomeText = Annotated[str, Meta(min_length=1)]


class _Block(Struct, forbid_unknown_fields=True, kw_only=True, tag_field="type"):
    """A block, or the source of one; its type tells which. Null counts as absent."""


class _Settings(Struct, forbid_unknown_fields=True, kw_only=True):
    """An object whose fields are all listed."""


class TextBlock(_Block, tag="text"):
    """A piece of text. Citations have no place in a chat; an empty list is none."""

    text: _SomeText
    cache_control: CacheControl | None = None
    citations: _NoneOfThem | None = None


class Base64Image(_Block, tag="base64"):
    """The bytes of an image."""

    media_type: Literal["image/jpeg", "image/png", "image/gif", "image/webp"]
    data: _SomeText


class UrlImage(_Block, tag="url"):
    """The address of an image."""

    url: _SomeText


class ImageTransformations(_Settings):
    """What becomes of an image that is too large; only the default can be had."""

    oversized_image: Literal["downsize"] | None = None


class ImageBlock(_Block, tag="image"):
    """An image."""

    source: Base64Image | UrlImage
    cache_control: CacheControl | None = None
    transformations: ImageTransformations | None = None


class Base64Pdf(_Block, tag="base64"):
    """The bytes of a PDF."""

    media_type: Literal["application/pdf"]
    data: _SomeText


class PlainText(_Block, tag="text"):
    """A document of plain text."""

    media_type: Literal["text/plain"]
    data: str


class Citations(_Settings):
    """Whether the answer cites the document; `request.py` refuses True."""

    enabled: bool = False


class DocumentBlock(_Block, tag="document"):
    """A document."""

    source: Base64Pdf | PlainText
    cache_control: CacheControl | None = None
    citations: Citations | None = None
    title: Annotated[str, Meta(min_length=1, max_length=500)] | None = None
    context: _SomeText | None = None


class DirectCaller(_Settings):
    """The model itself called the tool."""

    type: Literal["direct"]


class ToolUseBlock(_Block, tag="tool_use"):
    """A call of a tool, as the assistant made it.

    `extra_content` is Google's thought signature, as our answers carry it.
    """

    id: _Id
    name: _Id
    input: dict[str, Any]
    cache_control: CacheControl | None = None
    caller: DirectCaller | None = None
    toolset_name: None = None
    extra_content: dict[str, Any] | None = None


class ToolResultBlock(_Block, tag="tool_result"):
    """What a tool gave back."""

    tool_use_id: _Id
    content: str | list[TextBlock | ImageBlock | DocumentBlock] | None = None
    is_error: bool | None = None
    cache_control: CacheControl | None = None
    toolset_name: None = None


UserBlock = TextBlock | ImageBlock | DocumentBlock | ToolResultBlock
AssistantBlock = TextBlock | ToolUseBlock | ThinkingBlock | RedactedThinkingBlock


class _Turn(Struct, forbid_unknown_fields=True, kw_only=True, tag_field="role"):
    """One turn; its role tells whose."""


class UserTurn(_Turn, tag="user"):
    """What the user said or showed, and what tools gave back."""

    content: str | Annotated[list[UserBlock], Meta(min_length=1)]


class AssistantTurn(_Turn, tag="assistant"):
    """An earlier answer."""

    content: str | Annotated[list[AssistantBlock], Meta(min_length=1)]


class SystemTurn(_Turn, tag="system"):
    """Instructions in the middle of a conversation."""

    content: str | Annotated[list[TextBlock], Meta(min_length=1)]


Turn = UserTurn | AssistantTurn | SystemTurn
