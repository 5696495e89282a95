"""Turns of a conversation become messages in the form that all providers are asked in.

A tool's result is a message of its own there, and it is text: its images and PDFs follow in the
user's message. Nothing there says that a tool failed: the text does.
"""

import msgspec

from gateway.operations.chat_messages import (
    AssistantMessage,
    CacheControl,
    CalledFunction,
    FileData,
    FilePart,
    FunctionCallPart,
    FunctionMessage,
    ImageAddress,
    ImagePart,
    Message,
    RedactedThinkingBlock,
    SystemMessage,
    TextPart,
    ThinkingBlock,
    ToolMessage,
    UserMessage,
)
from gateway.surfaces.messages.blocks import (
    AssistantBlock,
    AssistantTurn,
    Base64Image,
    DocumentBlock,
    ImageBlock,
    PlainText,
    TextBlock,
    ToolResultBlock,
    ToolUseBlock,
    Turn,
    UserBlock,
    UserTurn,
)

_ENCODE = msgspec.json.Encoder().encode
_FAILED = "Error"
_ELSEWHERE = "(shown in the next message)"
"""Stands in a tool's result where an image or a PDF stood."""

_UserPart = TextPart | ImagePart | FilePart


def messages_of(turns: list[Turn]) -> list[Message]:
    """Give the messages of a conversation, at least one."""
    found: list[Message] = []
    for turn in turns:
        if isinstance(turn, UserTurn):
            found += _user_messages(turn.content)
        elif isinstance(turn, AssistantTurn):
            found.append(_assistant_message(turn.content))
        else:
            found.append(system_message(turn.content))
    return found


def system_message(content: str | list[TextBlock]) -> SystemMessage:
    """Give instructions as a message."""
    if isinstance(content, str):
        return SystemMessage(content=content)
    return SystemMessage(content=[_text_part(block) for block in content])


def mark_end(messages: list[Message], control: CacheControl) -> None:
    """Let a provider's prompt cache cut behind the last part that can be marked."""
    for message in reversed(messages):
        content = message.content
        if isinstance(content, list):
            part = content[-1]
            if isinstance(part, TextPart | ImagePart | FilePart):
                part.cache_control = control
                return
        elif content and not isinstance(message, FunctionMessage):
            message.content = [TextPart(text=content, cache_control=control)]
            return


def _user_messages(content: str | list[UserBlock]) -> list[Message]:
    """Give the tools' results, then the rest as one message of the user's."""
    if isinstance(content, str):
        return [UserMessage(content=content)]
    results: list[Message] = []
    parts: list[_UserPart] = []
    for block in content:
        if isinstance(block, ToolResultBlock):
            results.append(_tool_message(block))
            parts += _shown_by(block)
        else:
            parts += _parts_of(block)
    return [*results, UserMessage(content=list(parts))] if parts else results


def _parts_of(block: TextBlock | ImageBlock | DocumentBlock) -> list[_UserPart]:
    if isinstance(block, TextBlock):
        return [_text_part(block)]
    if isinstance(block, ImageBlock):
        return [_image_part(block)]
    if isinstance(block.source, PlainText):
        return [_document_text(block, block.source)]
    file = FileData(
        filename=_file_name(block.title),
        file_data=f"data:application/pdf;base64,{block.source.data}",
    )
    part = FilePart(file=file, cache_control=block.cache_control)
    return [part] if block.context is None else [TextPart(text=block.context), part]


def _text_part(block: TextBlock) -> TextPart:
    return TextPart(text=block.text, cache_control=block.cache_control)


def _image_part(block: ImageBlock) -> ImagePart:
    source = block.source
    if isinstance(source, Base64Image):
        url = f"data:{source.media_type};base64,{source.data}"
    else:
        url = source.url
    return ImagePart(image_url=ImageAddress(url=url), cache_control=block.cache_control)


def _document_text(block: DocumentBlock, source: PlainText) -> TextPart:
    """Give a document of plain text as text, below its title and what is said about it."""
    lines = [line for line in (block.title, block.context, source.data) if line]
    return TextPart(text="\n\n".join(lines), cache_control=block.cache_control)


def _file_name(title: str | None) -> str:
    """Give a PDF the name that providers ask for."""
    if title is None:
        return "document.pdf"
    return title if title.lower().endswith(".pdf") else f"{title}.pdf"


def _tool_message(block: ToolResultBlock) -> ToolMessage:
    """Give a tool's result as text; what failed begins with `Error`."""
    content = block.content or ""
    if isinstance(content, list):
        parts = [_result_part(part) for part in content]
    else:
        parts = [TextPart(text=content)] if content else []
    if block.is_error:
        first = f"{_FAILED}: {parts[0].text}" if parts else _FAILED
        parts[:1] = [TextPart(text=first, cache_control=parts[0].cache_control if parts else None)]
    if parts and block.cache_control is not None:
        parts[-1].cache_control = block.cache_control
    plain = len(parts) < 2 and (not parts or parts[0].cache_control is None)
    text = "".join(part.text for part in parts)
    return ToolMessage(content=text if plain else parts, tool_call_id=block.tool_use_id)


def _result_part(block: TextBlock | ImageBlock | DocumentBlock) -> TextPart:
    if isinstance(block, TextBlock):
        return _text_part(block)
    if isinstance(block, DocumentBlock) and isinstance(block.source, PlainText):
        return _document_text(block, block.source)
    return TextPart(text=_ELSEWHERE)


def _shown_by(block: ToolResultBlock) -> list[_UserPart]:
    """Give the images and PDFs of a tool's result, behind a line that says whose they are."""
    shown: list[_UserPart] = []
    for part in block.content if isinstance(block.content, list) else ():
        if isinstance(part, ImageBlock | DocumentBlock) and not isinstance(part.source, PlainText):
            shown += _parts_of(part)
    return [TextPart(text=f"Shown by the tool call {block.tool_use_id}:"), *shown] if shown else []


def _assistant_message(content: str | list[AssistantBlock]) -> AssistantMessage:
    """Give an earlier answer: its thinking, its text, its calls, each in their order."""
    if isinstance(content, str):
        return AssistantMessage(content=content)
    texts = [_text_part(block) for block in content if isinstance(block, TextBlock)]
    calls = [_call_part(block) for block in content if isinstance(block, ToolUseBlock)]
    thoughts = [b for b in content if isinstance(b, ThinkingBlock | RedactedThinkingBlock)]
    signed = [b for b in thoughts if not isinstance(b, ThinkingBlock) or b.signature]
    unsigned = [b.thinking for b in thoughts if isinstance(b, ThinkingBlock) and not b.signature]
    return AssistantMessage(
        content=list(texts) or (None if calls else ""),
        tool_calls=list(calls) or None,
        thinking_blocks=signed or None,
        reasoning_content="\n\n".join(unsigned) or None,
    )


def _call_part(block: ToolUseBlock) -> FunctionCallPart:
    function = CalledFunction(name=block.name, arguments=_ENCODE(block.input).decode())
    return FunctionCallPart(id=block.id, function=function, extra_content=block.extra_content)
