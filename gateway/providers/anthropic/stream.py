"""A message of Anthropic's as it comes, becoming OpenAI's chunks.

Blocks come one after another; each is opened, filled by deltas and closed. Counts are cumulative:
the input's come first, the output's at the end. Event and block types that are not known are
skipped, as Anthropic asks of its clients.
Source: platform.claude.com/docs, Streaming messages; `anthropic` Python SDK 2.12.0,
`types/raw_*_event.py`. How an event is written, and that spaces may stand in front of its last
brace: streams recorded in github vercel/ai, anthropic-messages-language-model.test.ts.
"""

import functools
import re
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Raw, Struct, field

from gateway.operations.chat_tokens import utf8_bytes
from gateway.providers.anthropic.answer import (
    NO_RAW,
    UNREADABLE,
    ContentBlock,
    Counts,
    compact,
    finish_word,
    read_counts,
    text_of,
    usage_of,
)
from gateway.providers.anthropic.failures import failure_inside
from gateway.providers.anthropic.turns import shown_id
from gateway.providers.base import Target
from gateway.providers.event_stream import Event
from gateway.providers.failures import UpstreamInvalid
from gateway.providers.translated_stream import TranslatedStream, text_events

LONGEST_THOUGHT = 1024 * 1024
"""Characters. A longer one is shown, but not kept to be handed back."""
_MOST_SHAPES = 32
"""Blocks of a message whose text is recognised without decoding: a pattern each is kept."""


class _Head(Struct):
    type: Any = ""


class _Opening(Struct):
    usage: Raw = NO_RAW


class _MessageStart(Struct):
    message: _Opening


class _BlockStart(Struct):
    content_block: ContentBlock
    index: Any = 0


class _Delta(Struct):
    type: Any = ""
    text: Any = None
    thinking: Any = None
    signature: Any = None
    partial_json: Any = None


class _BlockDelta(Struct):
    delta: _Delta
    index: Any = 0


class _End(Struct):
    stop_reason: Any = None


class _MessageDelta(Struct):
    delta: _End = field(default_factory=_End)
    usage: Raw = NO_RAW


class _Open(Struct):
    """The block that is being filled."""

    index: object
    kind: str
    start: ContentBlock
    call_index: int = -1
    thought: list[str] = field(default_factory=list)
    thought_length: int = 0
    signature: str = ""
    has_arguments: bool = False


_HEAD = msgspec.json.Decoder(_Head)
_MESSAGE_START = msgspec.json.Decoder(_MessageStart)
_BLOCK_START = msgspec.json.Decoder(_BlockStart)
_BLOCK_DELTA = msgspec.json.Decoder(_BlockDelta)
_MESSAGE_DELTA = msgspec.json.Decoder(_MessageDelta)


@functools.cache
def _text_events(index: int) -> re.Pattern[bytes]:
    """Recognise the deltas of text for a block, as Anthropic writes them."""
    before = (
        rb'event: content_block_delta\r?\ndata: \{"type":"content_block_delta","index":%d,'
        rb'"delta":\{"type":"text_delta","text":"'
    )
    return text_events(before % index, rb'"\} *+\}')


class AnthropicStream(TranslatedStream):
    """A stream of Messages (see `base.ChatStream`).

    `as_function` gives the call in OpenAI's deprecated form.
    """

    _event_start = b"event: content_block_delta"

    def __init__(self, target: Target, *, wants_usage: bool, as_function: bool) -> None:
        super().__init__(target, wants_usage=wants_usage)
        self._as_function = as_function
        self._counts = Counts()
        self._counted = False
        self._open: _Open | None = None
        self._calls = 0
        self._by_type: dict[object, Callable[[bytes], bytes]] = {
            "message_start": self._begin,
            "content_block_start": self._open_block,
            "content_block_delta": self._fill_block,
            "content_block_stop": self._close_block,
            "message_delta": self._end,
            "message_stop": self._stop,
            "error": self._break,
        }

    def _take(self, event: Event) -> bytes:
        """Read one event; give the chunks it becomes."""
        if event.name == b"error":
            return self._break(event.data)
        try:
            kind = _HEAD.decode(event.data).type
            take = self._by_type.get(kind) if isinstance(kind, str) else None
            return b"" if take is None else take(event.data)
        except UNREADABLE:
            return self._fail(UpstreamInvalid("The provider sent an event that cannot be read."))

    def _begin(self, data: bytes) -> bytes:
        self._count(_MESSAGE_START.decode(data).message.usage)
        return b""

    def _open_block(self, data: bytes) -> bytes:
        event = _BLOCK_START.decode(data)
        block = event.content_block
        opened = self._open = _Open(event.index, text_of(block.type), block)
        known = type(event.index) is int and 0 <= event.index < _MOST_SHAPES
        self._text_events = _text_events(event.index) if known else None
        if opened.kind == "text":
            return self._text_piece(text_of(block.text))
        if opened.kind == "thinking":
            return self._thought_piece(opened, text_of(block.thinking))
        if opened.kind == "redacted_thinking":
            thought = {"type": "redacted_thinking", "data": text_of(block.data)}
            return self._extra(0, "thinking_blocks", [thought])
        if opened.kind == "tool_use":
            return self._open_call(opened, block)
        return b""

    def _fill_block(self, data: bytes) -> bytes:
        event = _BLOCK_DELTA.decode(data)
        opened, delta = self._open, event.delta
        if opened is None or opened.index != event.index:
            return b""
        if delta.type == "text_delta":
            return self._text_piece(text_of(delta.text))
        if delta.type == "input_json_delta":
            return self._argument_piece(opened, text_of(delta.partial_json))
        if delta.type == "thinking_delta":
            return self._thought_piece(opened, text_of(delta.thinking))
        if delta.type == "signature_delta":
            opened.signature += text_of(delta.signature)[: LONGEST_THOUGHT - len(opened.signature)]
        return b""

    def _close_block(self, _data: bytes) -> bytes:
        """Close the open block: a thought is handed over whole, a call without input gets one."""
        opened, self._open = self._open, None
        self._text_events = None
        if opened is None:
            return b""
        if opened.kind == "tool_use" and not opened.has_arguments:
            raw = opened.start.input
            return self._argument_piece(opened, "{}" if bytes(raw) == b"null" else compact(raw))
        signature = opened.signature or text_of(opened.start.signature)
        if opened.kind != "thinking" or not signature or opened.thought_length > LONGEST_THOUGHT:
            return b""
        thought = {
            "type": "thinking",
            "thinking": "".join(opened.thought),
            "signature": signature,
        }
        return self._extra(0, "thinking_blocks", [thought])

    def _end(self, data: bytes) -> bytes:
        event = _MESSAGE_DELTA.decode(data)
        self._counted = self._count(event.usage) or self._counted
        self._count_ourselves()
        if event.delta.stop_reason is None:
            return b""
        return self._finish(0, finish_word(event.delta.stop_reason, as_function=self._as_function))

    def _stop(self, _data: bytes) -> bytes:
        self._count_ourselves()
        self.finished = True
        return b""

    def _break(self, data: bytes) -> bytes:
        return self._fail(failure_inside(data))

    def _count_ourselves(self) -> None:
        """Put our count in place of the first one, which had next to no output in it."""
        if self._usage is not None and not self._counted:
            output_tokens = max(self._usage.output_tokens, self.relayed_tokens)
            self._usage = msgspec.structs.replace(
                self._usage, output_tokens=output_tokens, source="counted"
            )

    def _count(self, raw: Raw) -> bool:
        """Take cumulative counts; what they leave out stays as it was. Returns: whether they are
        any.
        """
        counts = read_counts(raw)
        if counts is None or counts.output_tokens is None:
            return False
        for name in Counts.__struct_fields__:
            if getattr(counts, name) is None:
                setattr(counts, name, getattr(self._counts, name))
        self._counts = counts
        usage = usage_of(counts)
        if usage is None:
            return False
        self._usage = usage
        return True

    def _text_piece(self, text: str) -> bytes:
        return self._text(0, text) if text else b""

    def _thought_piece(self, opened: _Open, text: str) -> bytes:
        if not text:
            return b""
        opened.thought_length += len(text)
        if opened.thought_length <= LONGEST_THOUGHT:
            opened.thought.append(text)
        return self._reasoning(0, text)

    def _open_call(self, opened: _Open, block: ContentBlock) -> bytes:
        opened.call_index = self._calls
        self._calls += 1
        name = text_of(block.name)
        if not self._as_function:
            return self._tool_start(0, opened.call_index, shown_id(text_of(block.id)), name)
        if opened.call_index > 0:
            return b""
        call = {"name": name, "arguments": ""}
        return self._extra(0, "function_call", call, text_bytes=utf8_bytes(name))

    def _argument_piece(self, opened: _Open, text: str) -> bytes:
        if not text or opened.call_index < 0:
            return b""
        opened.has_arguments = True
        if not self._as_function:
            return self._tool_arguments(0, opened.call_index, text)
        if opened.call_index > 0:
            return b""
        piece = {"arguments": text}
        return self._extra(0, "function_call", piece, text_bytes=utf8_bytes(text))
