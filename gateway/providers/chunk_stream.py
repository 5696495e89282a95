"""A stream in OpenAI's chunk grammar, relayed as it comes. Every microsecond here is paid per read.

Nearly all events of a stream are one shape with another piece of text in it. The first of them is
decoded and becomes a template; what follows is recognised by it, counted and passed on in bulk.
Whatever differs (roles, calls, the end, usage, errors, odd line ends) is taken apart and decoded.

Own count: the number of events with output, or one token for each 4 bytes of their text, whichever
is more. `relayed_tokens` and what is relayed do not depend on how the bytes were cut into reads.
Source: WHATWG HTML, 9.2.6 (event streams); CreateChatCompletionStreamResponse of OpenAI's spec.
"""

import re
from typing import Any

import msgspec
from msgspec import Raw, Struct

from gateway.operations.chat import ChatUsage
from gateway.providers.completion import DONE, error_event, usage_event, usage_form
from gateway.providers.event_stream import MAX_EVENT_BYTES, is_utf8
from gateway.providers.failures import ErrorWords, UpstreamFailure, UpstreamInvalid, failure_for
from gateway.providers.openai_form import (
    NO_RAW,
    call_bytes,
    finish_word,
    read_error,
    read_usage,
    sound_bytes,
    text_bytes_of,
)

_UNKNOWN_SHAPE = b"\r"
"""Matches nothing: no event with a CR is taken for known."""
_TEXT_FIELDS = (b'"content":"', b'"arguments":"', b'"reasoning_content":"')
_STRING_REST = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+')
_BYTES_PER_TOKEN = 4
_BULK_ATTEMPTS = 4
"""For each read: looking for a run of known events is dear where shapes alternate."""
_BAD_REQUEST_WORDS = frozenset(
    {"invalid_request_error", "invalid_prompt", "content_policy_violation"}
)
_RATE_WORDS = frozenset({"rate_limit_exceeded", "overloaded_error", "server_overloaded"})


class _Delta(Struct):
    content: Any = None
    refusal: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    tool_calls: Any = None
    function_call: Any = None
    audio: Any = None


class _Choice(Struct):
    delta: _Delta | None = None
    finish_reason: Any = None


class Chunk(Struct):
    """One chunk, as far as it is counted and judged."""

    id: Any = ""
    created: Any = 0
    model: Any = ""
    choices: list[_Choice] | None = None
    usage: Raw = NO_RAW
    error: Raw = NO_RAW


_CHUNK = msgspec.json.Decoder(Chunk)


class ChunkStream:
    """A stream from a provider that speaks OpenAI's chunk grammar (see `base.ChatStream`).

    `hosts` are the provider's, kept out of messages. With log probabilities the shape of an event
    says nothing of the length of its text: `measures_text` False counts events only.
    """

    _usage_of = staticmethod(read_usage)

    def __init__(
        self, *, wants_usage: bool, hosts: tuple[str, ...], measures_text: bool = True
    ) -> None:
        self.finished = False
        self.failure: UpstreamFailure | None = None
        self.usage: ChatUsage | None = None
        self.finish_reason: str | None = None
        self._wants_usage = wants_usage
        self._hosts = hosts
        self._measures_text = measures_text
        self._events = 0
        self._text_bytes = 0
        self._tail = bytearray()
        self._held_return = False
        self._prefix = self._suffix = self._joint = _UNKNOWN_SHAPE
        self._named = False
        self._head: dict[str, Any] = {"id": "", "object": "chat.completion.chunk", "created": 0}
        self._usage_chunk: bytes | None = None

    @property
    def relayed_tokens(self) -> int:
        """Our own count of output tokens given out so far."""
        return max(self._events, -(-self._text_bytes // _BYTES_PER_TOKEN))

    def feed(self, data: bytes) -> bytes:
        """Take what was read; give what may be relayed now."""
        if self.finished or self.failure is not None:
            return b""
        if not self._tail and not self._held_return and (known := self._bulk(data)):
            return known
        if self._held_return or b"\r" in data:
            data = self._with_line_feeds(data)
        seam = self._tail.endswith(b"\n") and data.startswith(b"\n")
        if not seam and b"\n\n" not in data:
            self._keep(data)
            return b""
        if self._tail:
            data = bytes(self._tail) + data
            self._tail.clear()
        end = data.rfind(b"\n\n") + 2
        if end < len(data):
            relayed = self._take(data[:end])
            self._keep(data[end:])
            return relayed
        return self._take(data)

    def closing_bytes(
        self, *, usage: ChatUsage | None, charge_ucr: int, failure: UpstreamFailure | None
    ) -> bytes:
        """Give the end: the usage chunk if it was asked for, then an error event or `[DONE]`.

        The charge stands in the usage chunk as `credits_charged`.
        """
        ending = DONE if failure is None else error_event(failure)
        if usage is None or not self._wants_usage:
            return ending
        return usage_event(self._usage_form(usage), charge_ucr) + ending

    def _bulk(self, data: bytes) -> bytes:
        """Count and relay whole events of the known shape; nothing of both if anything differs.

        JSON strings hold no raw line ends, so the number of line feeds proves that every event is
        framed by the template. What a provider puts between the quotes is its own affair.
        """
        if not data.startswith(self._prefix) or not data.endswith(self._suffix):
            return b""
        return data if self._count_known(data, data.count(self._joint) + 1) else b""

    def _count_known(self, data: bytes, events: int) -> bool:
        """Count events that are framed by the template; nothing if that is not all there is."""
        text_bytes = len(data) - events * len(self._joint)
        if text_bytes < 0 or data.count(b"\n") != 2 * events or len(data) > MAX_EVENT_BYTES:
            return False
        if b"\r" in data or not is_utf8(data):
            return False
        if b"\\" in data:
            text_bytes -= 3 * data.count(b"\\u")  # six bytes stand for at most three
        self._events += events
        self._text_bytes += text_bytes
        return True

    def _with_line_feeds(self, data: bytes) -> bytes:
        """Make all line ends LF; a CR at the very end waits for what follows it."""
        if self._held_return:
            data = b"\r" + data
        self._held_return = data.endswith(b"\r")
        if self._held_return:
            data = data[:-1]
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _keep(self, data: bytes) -> None:
        """Keep an unfinished event, unless it is the end, or endless."""
        if self.finished or self.failure is not None:
            return
        self._tail += data
        if len(self._tail) > MAX_EVENT_BYTES:
            self._fail(UpstreamInvalid("The provider sent an endless event."))
        elif len(self._tail) < 20 and bytes(self._tail).strip() in (
            b"data: [DONE]",
            b"data:[DONE]",
        ):
            self.finished = True

    def _take(self, data: bytes) -> bytes:
        """Relay whole events, in bulk as far as they are of the known shape."""
        relayed = []
        start, attempts = 0, _BULK_ATTEMPTS
        while start < len(data) and not self.finished and self.failure is None:
            if attempts and data.startswith(self._prefix, start):
                attempts -= 1
                end = data.rfind(self._suffix, start) + len(self._suffix)
                if known := self._bulk(data[start:end]):
                    relayed.append(known)
                    start = end
                    continue
            end = data.find(b"\n\n", start) + 2
            if end < 2:
                break  # the last of an odd number of line feeds
            relayed.append(self._take_event(data[start:end].strip(b"\n")))
            start = end
        return b"".join(relayed)

    def _take_event(self, block: bytes) -> bytes:
        if len(block) > MAX_EVENT_BYTES:
            return self._fail(UpstreamInvalid("The provider sent an endless event."))
        name, payload = _fields(block)
        if not payload:
            return b""
        event = b"data: " + payload + b"\n\n"
        if name != b"error" and (known := self._bulk(event)):
            return known
        if payload.strip() == b"[DONE]":
            self.finished = True
            return b""
        try:
            payload.decode()
            chunk = _CHUNK.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._fail(UpstreamInvalid("The provider sent an event that cannot be read."))
        if name == b"error" or bytes(chunk.error) != b"null":
            return self._fail(self._failure(payload))
        return self._take_chunk(chunk, payload)

    def _take_chunk(self, chunk: Chunk, payload: bytes) -> bytes:
        if not self._named:
            self._named = True
            self._head.update(id=chunk.id, created=chunk.created, model=chunk.model)
        usage = self._usage_of(chunk.usage)
        if usage is not None:
            self.usage = usage
        if not chunk.choices:
            if bytes(chunk.usage) != b"null":
                self._usage_chunk = payload if usage is not None else self._usage_chunk
                return b""
            if chunk.choices is None:
                return b""  # JSON, but no chunk: clients would stumble over it
        self._count(chunk, payload)
        return b"data: " + payload + b"\n\n"

    def _count(self, chunk: Chunk, payload: bytes) -> None:
        """Count a decoded chunk, and learn its shape if plain text is all there is to it."""
        ends = False
        for choice in chunk.choices or ():
            if choice.finish_reason:
                self.finish_reason = finish_word(choice.finish_reason)
                ends = True
            text_bytes = _output_bytes(choice.delta)
            if text_bytes:
                self._events += 1
                self._text_bytes += text_bytes if self._measures_text else 0
        if self._measures_text and not ends and bytes(chunk.usage) == b"null":
            self._learn(payload)

    def _learn(self, payload: bytes) -> None:
        split = split_at_text(payload)
        if split is not None:
            self._prefix, self._suffix = split
            self._joint = self._suffix + self._prefix

    def _fail(self, failure: UpstreamFailure) -> bytes:
        self.failure = failure
        self._tail.clear()
        return b""

    def _failure(self, payload: bytes) -> UpstreamFailure:
        """Read an error from inside the stream; its words tell the status it would have had."""
        words = read_error(payload)
        if words.quota or words.kind in _RATE_WORDS:
            return failure_for(429, {}, words, hosts=self._hosts)
        if words.kind in _BAD_REQUEST_WORDS:
            return failure_for(400, {}, words, hosts=self._hosts)
        return failure_for(500, {}, ErrorWords(), hosts=self._hosts)

    def _usage_form(self, usage: ChatUsage) -> dict[str, Any]:
        """Give the provider's own usage chunk if it says the same, else one of ours."""
        if self._usage_chunk is not None and usage == self.usage:
            chunk: dict[str, Any] = msgspec.json.decode(self._usage_chunk)
            return chunk
        return {**self._head, "choices": [], "usage": usage_form(usage)}


def split_at_text(payload: bytes) -> tuple[bytes, bytes] | None:
    """Split a chunk around the one text in it, its quotes kept; None unless there is just one.

    Returns: the event up to the text, and from it to the event's end.
    """
    for field in _TEXT_FIELDS:
        start = payload.find(field) + len(field)
        rest = _STRING_REST.match(payload, start)
        if payload.count(field) == 1 and rest is not None and rest.end() > start:
            return b"data: " + payload[:start], payload[rest.end() :] + b"\n\n"
    return None


def _fields(block: bytes) -> tuple[bytes, bytes]:
    """Read one event's lines: its name and its data; comments and other fields are dropped.

    Data lines are joined by a space where the standard has a line feed: between the tokens of JSON
    they are the same, and the event is one line again.
    """
    name, data = b"", []
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.strip()
    return name, b" ".join(data)


def _output_bytes(delta: _Delta | None) -> int:
    if delta is None:
        return 0
    return (
        text_bytes_of(delta.content)
        + text_bytes_of(delta.refusal)
        + (text_bytes_of(delta.reasoning_content) or text_bytes_of(delta.reasoning))
        + call_bytes(delta.function_call, delta.tool_calls)
        + sound_bytes(delta.audio)
    )
