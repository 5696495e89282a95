"""A stream in a provider's own grammar becoming OpenAI's chunks: the parts that all of them share.

A provider subclasses `TranslatedStream`, reads its events in `_take` and says what they hold by
`_text`, `_reasoning`, `_tool_start`, `_tool_arguments` and `_finish`. Counting, framing, bounds and
the end are done here. Own count: one token for each 4 bytes given out, or the number of pieces,
whichever is more, as in `chunk_stream`.

Nearly all events of a stream are plain text in one shape. A provider tells that shape by
`text_events`; runs of such events are not decoded, their texts are put into our chunks as they are.
An event in any other shape goes to `_take`, which would have written the same.
"""

import re
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
from gateway.providers.event_stream import MAX_EVENT_BYTES, Event, EventReader, is_utf8
from gateway.providers.failures import UpstreamInvalid

_BYTES_PER_TOKEN = 4
_MORE = b'},"finish_reason":null}]}\n\n'
_TEXT_END = b'"' + _MORE
_ENCODE = msgspec.json.Encoder().encode
_PLAIN = rb'[^"\\\x00-\x1f]*+'
_TEXT = rb'(?!")(' + _PLAIN + rb'(?:\\["\\bfnrt]' + _PLAIN + rb")*+)"
"""A text, not empty, as it stands between its quotes, if our own encoder writes it so too."""
_RUN_ATTEMPTS = 4
"""For each read: looking for a run of known events is dear where shapes alternate."""


def text_events(before: bytes, behind: bytes) -> re.Pattern[bytes]:
    """Make a pattern that finds the events of plain text which follow each other in a read.

    `before` and `behind` are patterns for what an event has on either side of its text. The groups
    are the text and, once, what follows the run.
    """
    return re.compile(before + _TEXT + behind + rb"\r?\n\r?\n|((?s:.)++)")


class TranslatedStream(ABC):
    """A stream being translated (see `base.ChatStream`).

    Subclasses set `_usage`, `finished` and, through `_fail`, `failure`. While choice 0 may get
    plain text, `_text_events` is the shape of its events; they all begin with `_event_start`.
    """

    _event_start: bytes

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
        self._text_events: re.Pattern[bytes] | None = None
        self._text_head = self._text_joint = b""
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
        chunks, start = self._take_run(data, 0)
        if start == len(data):
            return chunks  # most reads are nothing but text
        relayed, attempts = [chunks], _RUN_ATTEMPTS
        while start < len(data):
            attempts -= 1
            end = data.find(b"\n" + self._event_start, start) + 1 if attempts else 0
            relayed.append(self._take_events(data[start : end or len(data)]))
            if self._is_over():
                break
            chunks, start = self._take_run(data, end or len(data))
            relayed.append(chunks)
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

    def _take_run(self, data: bytes, start: int) -> tuple[bytes, int]:
        """Take the events of plain text that follow each other from here on, all at once.

        Returns: their chunks, none if there are no such events, and where the rest begins.
        """
        pattern = self._text_events
        if pattern is None or not data.startswith(self._event_start, start):
            return b"", start
        if not self._text_head or len(data) > MAX_EVENT_BYTES or self._reader.is_inside_event:
            return b"", start
        texts, rests = zip(*pattern.findall(data, start), strict=True)
        end = len(data) - len(rests[-1])
        if end < len(data):
            texts = texts[:-1]
        said = b"".join(texts)
        chunks = self._text_head + self._text_joint.join(texts) + _TEXT_END
        if not texts or not (said.isascii() or is_utf8(chunks)):
            return b"", start
        self._pieces += len(texts)
        self._text_bytes += len(said)
        if b"\\" in said:  # two bytes stand for one
            self._text_bytes -= said.count(b"\\") - said.count(b"\\\\")
        return chunks, end

    def _take_events(self, data: bytes) -> bytes:
        """Take whole and unfinished events of any shape."""
        relayed = []
        for event in self._reader.feed(data):
            relayed.append(self._take(event))
            if self._is_over():
                break
        if self._reader.overflow and self.failure is None:
            self._fail(UpstreamInvalid("The provider sent an endless event."))
        return b"".join(relayed)

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
            if index == 0:
                self._text_head = head + b'"content":"'
                self._text_joint = _TEXT_END + self._text_head
        return b"".join((role, head, delta, b'},"finish_reason":', reason, b"}]}\n\n"))
