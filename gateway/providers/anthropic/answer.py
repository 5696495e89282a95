"""A finished message of Anthropic's as a chat completion. Strangers' bytes: trust none.

Source: Anthropic's OpenAPI document of August 2026, Message; `anthropic` Python SDK 2.12.0,
`types/usage.py`, `message_delta_usage.py`, `stop_reason.py`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from gateway.operations.chat import ChatUsage
from gateway.operations.chat_tokens import counted_tokens, utf8_bytes
from gateway.providers.anthropic.turns import shown_id
from gateway.providers.base import Reply, Target
from gateway.providers.completion import (
    WrittenCall,
    WrittenChoice,
    WrittenFunction,
    WrittenMessage,
    write_completion,
)
from gateway.providers.failures import UpstreamInvalid

NO_RAW = Raw(b"null")
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_MOST_TOKENS = 2**31 - 1
_Count = Annotated[int, Meta(ge=0, le=_MOST_TOKENS)]
_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "end_turn": "stop",
        "stop_sequence": "stop",
        "max_tokens": "length",
        "model_context_window_exceeded": "length",
        "pause_turn": "length",
        "tool_use": "tool_calls",
        "refusal": "content_filter",
    }
)


class _OutputDetails(Struct):
    thinking_tokens: _Count | None = None


class Counts(Struct):
    """Anthropic's usage: three classes of input apart. What is None was not told."""

    input_tokens: _Count | None = None
    cache_creation_input_tokens: _Count | None = None
    cache_read_input_tokens: _Count | None = None
    output_tokens: _Count | None = None
    output_tokens_details: _OutputDetails | None = None


class ContentBlock(Struct):
    """A block of any type, each with its own fields; whatever they hold is looked at when used."""

    type: Any = ""
    text: Any = None
    thinking: Any = None
    signature: Any = None
    data: Any = None
    id: Any = None
    name: Any = None
    input: Raw = NO_RAW


class _Message(Struct):
    content: list[ContentBlock]
    stop_reason: Any = None
    model: Any = ""
    usage: Raw = NO_RAW


_COUNTS = msgspec.json.Decoder(Counts)
_MESSAGE = msgspec.json.Decoder(_Message)


def read_answer(body: bytes, target: Target, *, as_function: bool) -> Reply:
    """Read a finished message; `as_function` gives its call in OpenAI's deprecated form.

    Raises: UpstreamInvalid if it is none.
    """
    try:
        message = _MESSAGE.decode(body)
        written, said_bytes = _written(message.content, as_function=as_function)
    except UNREADABLE as error:
        raise UpstreamInvalid("The provider's answer cannot be read.") from error
    counts = read_counts(message.usage)
    usage = None if counts is None else usage_of(counts)
    reason = finish_word(message.stop_reason, as_function=as_function)
    paid = usage is not None and usage.output_tokens > 0 and reason != "content_filter"
    choice = WrittenChoice(message=written, finish_reason=reason)
    return Reply(
        body=write_completion(target, (choice,), usage),
        usage=usage,
        counted_tokens=counted_tokens(said_bytes) if usage is None else usage.output_tokens,
        finish_reason=reason,
        model=text_of(message.model),
        delivered=said_bytes > 0 or paid,
    )


def read_counts(raw: Raw) -> Counts | None:
    """Read a usage object; None if it is missing or not to be believed (negative, text, NaN)."""
    if bytes(raw) == b"null":
        return None
    try:
        return _COUNTS.decode(raw)
    except UNREADABLE:
        return None


def usage_of(counts: Counts) -> ChatUsage | None:
    """Put the classes of input together; None where there is no input or no output count.

    What was read from and written to the cache is not in Anthropic's `input_tokens`.
    """
    if counts.input_tokens is None or counts.output_tokens is None:
        return None
    read = counts.cache_read_input_tokens or 0
    written = counts.cache_creation_input_tokens or 0
    total = counts.input_tokens + read + written
    if total > _MOST_TOKENS:
        return None
    details = counts.output_tokens_details
    thinking = (details.thinking_tokens or 0) if details is not None else 0
    return ChatUsage(
        input_tokens=total,
        output_tokens=counts.output_tokens,
        cached_input_tokens=read,
        cache_write_tokens=written,
        reasoning_tokens=min(thinking, counts.output_tokens),
    )


def finish_word(reason: object, *, as_function: bool) -> str:
    """Give OpenAI's word for a stop reason, or `other`."""
    word = _REASONS.get(reason, "other") if isinstance(reason, str) else "other"
    return "function_call" if word == "tool_calls" and as_function else word


def compact(raw: Raw) -> str:
    """Give the JSON of a tool's input as text without white space; numbers stay as they are."""
    return msgspec.json.format(bytes(raw), indent=-1).decode()


def text_of(value: object) -> str:
    """Give what should be a text; empty if it is none."""
    return value if isinstance(value, str) else ""


def _written(blocks: list[ContentBlock], *, as_function: bool) -> tuple[WrittenMessage, int]:
    """Sort the blocks into a message; types that are not known are skipped.

    Returns: the message, and the UTF-8 bytes of what it says.
    """
    texts = [text_of(block.text) for block in blocks if block.type == "text"]
    thoughts = [block for block in blocks if block.type in ("thinking", "redacted_thinking")]
    calls = tuple(_call(block) for block in blocks if block.type == "tool_use")
    reasoning = "".join(text_of(block.thinking) for block in thoughts)
    content = "".join(texts)
    written = WrittenMessage(
        content=None if calls and not content else content,
        tool_calls=() if as_function else calls,
        function_call=calls[0].function if calls and as_function else None,
        reasoning_content=reasoning or None,
        thinking_blocks=tuple(_thought(block) for block in thoughts),
    )
    said_bytes = utf8_bytes(content) + utf8_bytes(reasoning)
    for call in calls:
        said_bytes += utf8_bytes(call.function.name) + utf8_bytes(call.function.arguments)
    return written, said_bytes


def _thought(block: ContentBlock) -> dict[str, Any]:
    if block.type == "redacted_thinking":
        return {"type": "redacted_thinking", "data": text_of(block.data)}
    return {
        "type": "thinking",
        "thinking": text_of(block.thinking),
        "signature": text_of(block.signature),
    }


def _call(block: ContentBlock) -> WrittenCall:
    arguments = "{}" if bytes(block.input) == b"null" else compact(block.input)
    function = WrittenFunction(name=text_of(block.name), arguments=arguments)
    return WrittenCall(id=shown_id(text_of(block.id)), function=function)
