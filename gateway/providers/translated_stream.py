"""A stream in a provider's own grammar becoming OpenAI's chunks: the parts that all of them share.

A provider subclasses `TranslatedStream`, reads its events in `_take` and says what they hold by
`_text`, `_reasoning`, `_tool_start`, `_tool_arguments` and `_finish`. Counting, framing, bounds and
the end are done here. Own count: one token for each 4 bytes given out, or the number of pieces,
whichever is more, as in `chunk_stream`.
"""

from abc import ABC, abstractmethod
from typing import Any

import msgspec

from gateway.operations.chat import ChatUsage
from gateway.operations.chat_tokens import utf8_bytes
from gateway.providers.base import Target, UpstreamFailure
from gateway.providers.completion import (
    DONE,
    error_event,
    shown_reason,
    usage_event,
    usage_form,
)
from gateway.providers.event_stream import Event, EventReader
from gateway.providers.failures import UpstreamInvalid

_BYTES_PER_TOKEN = 4
_MORE = b'},"finish_reason":null}]}\n\n'
_ENCODE = msgspec.json.Encoder().encode


class TranslatedStream(ABC):
    """A stream being translated (see `base.ChatStream`).

    Subclasses set `_usage`, `finished` and, through `_fail`, `failure`.
    """

    def __init__(self, target: Target, *, wants_usage: bool) -> None:
        self.finished = False
        self.failure: UpstreamFailure | None = None
        self._usage: ChatUsage | None = None
        self.finish_reason: str | None = None
        self._wants_usage = wants_usage
        self._reader = EventReader()
        self._pieces = 0
        self._text_bytes = 0
        self._heads: dict[int, bytes] = {}
        self._head: dict[str, Any] = {
            "id": target.answer_id,
            "object": "chat.completion.chunk",
            "created": target.created_s,
            "model": target.model,
        }
        self._opening = b"data: " + _ENCODE(self._head)[:-1] + b',"choices":[{"index":'

    @property
    def usage(self) -> ChatUsage | None:
        """The provider's last readable usage."""
        return self._usage

    @property
    def relayed_tokens(self) -> int:
        """Our own count of output tokens given out so far."""
        return max(self._pieces, -(-self._text_bytes // _BYTES_PER_TOKEN))

    def feed(self, data: bytes) -> bytes:
        """Take what was read; give what may be relayed now."""
        if self._is_over():
            return b""
        relayed = []
        for event in self._reader.feed(data):
            relayed.append(self._take(event))
            if self._is_over():
                break
        if self._reader.overflow and self.failure is None:
            self._fail(UpstreamInvalid("The provider sent an endless event."))
        return b"".join(relayed)

    def closing_bytes(
        self, *, usage: ChatUsage | None, charge_ucr: int, failure: UpstreamFailure | None
    ) -> bytes:
        """Give the end: the usage chunk if it was asked for, then an error event or `[DONE]`.

        The charge stands in the usage chunk as `credits_charged`.
        """
        ending = DONE if failure is None else error_event(failure)
        if usage is None or not self._wants_usage:
            return ending
        chunk = {**self._head, "choices": [], "usage": usage_form(usage)}
        return usage_event(chunk, charge_ucr) + ending

    @abstractmethod
    def _take(self, event: Event) -> bytes:
        """Read one event; give the chunks it becomes. Never raises."""

    def _is_over(self) -> bool:
        return self.finished or self.failure is not None

    def _text(self, index: int, text: str) -> bytes:
        """Give a piece of a choice's text; most of a stream is this."""
        head = self._heads.get(index)
        if head is None or not text:
            return self._said(index, b'"content":' + _ENCODE(text), utf8_bytes(text))
        self._pieces += 1
        self._text_bytes += len(text) if text.isascii() else len(text.encode())
        return b"".join((head, b'"content":', _ENCODE(text), _MORE))

    def _reasoning(self, index: int, text: str) -> bytes:
        """Give a piece of visible reasoning."""
        return self._said(index, b'"reasoning_content":' + _ENCODE(text), utf8_bytes(text))

    def _tool_start(
        self, index: int, call_index: int, call_id: str, name: str, **extra: object
    ) -> bytes:
        """Give the beginning of the `call_index`-th tool call of a choice, counted from 0."""
        call = {
            "index": call_index,
            "id": call_id,
            "type": "function",
            "function": {"name": name, "arguments": ""},
            **extra,
        }
        return self._said(index, b'"tool_calls":[' + _ENCODE(call) + b"]", utf8_bytes(name))

    def _tool_arguments(self, index: int, call_index: int, text: str) -> bytes:
        """Give a piece of a tool call's arguments."""
        call = {"index": call_index, "function": {"arguments": text}}
        return self._said(index, b'"tool_calls":[' + _ENCODE(call) + b"]", utf8_bytes(text))

    def _extra(self, index: int, field: str, value: object, *, text_bytes: int = 0) -> bytes:
        """Give a delta that holds one other field; it counts as output if it has `text_bytes`."""
        return self._said(index, _ENCODE(field) + b":" + _ENCODE(value), text_bytes)

    def _finish(self, index: int, reason: str) -> bytes:
        """End a choice with a word of OpenAI's, or `other`."""
        self.finish_reason = reason
        return self._chunk(index, b"", _ENCODE(shown_reason(reason)))

    def _fail(self, failure: UpstreamFailure) -> bytes:
        """Note what went wrong; nothing is relayed from now on."""
        self.failure = failure
        return b""

    def _said(self, index: int, delta: bytes, text_bytes: int) -> bytes:
        if text_bytes:
            self._pieces += 1
            self._text_bytes += text_bytes
        return self._chunk(index, delta, b"null")

    def _chunk(self, index: int, delta: bytes, reason: bytes) -> bytes:
        """Write one chunk; the first of a choice says whose words follow, as OpenAI's does."""
        head = self._heads.get(index)
        role = b""
        if head is None:
            head = self._opening + b'%d,"delta":{' % index
            self._heads[index] = head
            role = head + b'"role":"assistant","content":""' + _MORE
        return b"".join((role, head, delta, b'},"finish_reason":', reason, b"}]}\n\n"))
