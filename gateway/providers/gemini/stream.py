"""A stream of Gemini's as OpenAI's chunks: each event is an answer with a piece of what is said.

There is no end mark: the event with the finish reason is the last one. It has the usage in it; one
without is waited for, until the body ends.
Source: Google's discovery document v1beta (2026-08-23), streamGenerateContent; `google-genai`
Python SDK 3.4.0. How an event is written: streams recorded in github vercel/ai,
packages/google/src/__fixtures__ (September 2026).
"""

import re

from msgspec import Raw

from gateway.operations.chat import ChatUsage
from gateway.operations.chat_tokens import utf8_bytes
from gateway.providers.base import Target
from gateway.providers.completion import WrittenCall
from gateway.providers.event_stream import Event
from gateway.providers.failures import UpstreamInvalid
from gateway.providers.gemini.answer import (
    ANSWER,
    NO_RAW,
    UNREADABLE,
    Answer,
    CallIds,
    Candidate,
    Part,
    call_of,
    finish_word,
    read_usage,
    text_of,
)
from gateway.providers.gemini.failures import failure_inside
from gateway.providers.translated_stream import TranslatedStream, text_events

_MOST_CHOICES = 128
_NUMBER = rb"[1-9]\d{0,9}+"
_COUNT = rb'"[A-Za-z]++": ?' + _NUMBER
_DETAIL = rb'\{"modality": ?"[A-Z]++","tokenCount": ?' + _NUMBER + rb"\}"
_DETAILS = rb'"[A-Za-z]++": ?\[' + _DETAIL + rb"(?:," + _DETAIL + rb")*+\]"
_WORD = rb'"[A-Za-z]++": ?"[a-z]++"'
_USAGE = (
    rb'\{"promptTokenCount": ?%s(?:,"candidatesTokenCount": ?%s)?+,"totalTokenCount": ?%s'
    rb"(?:,(?:%s|%s|%s))*+\}" % (_NUMBER, _NUMBER, _NUMBER, _COUNT, _DETAILS, _WORD)
)
_TOLD = re.compile(rb'"usageMetadata": ?(' + _USAGE + rb")")
_TEXT_EVENTS = text_events(
    rb'data: \{"candidates": ?\[\{"content": ?\{"parts": ?\[\{"text": ?"',
    rb'"\}\],"role": ?"model"\}(?:,"index": ?0)?+\}\],'
    rb'"usageMetadata": ?'
    + _USAGE
    + rb'(?:,"modelVersion": ?"[\w./-]*+")?+(?:,"responseId": ?"[\w-]*+")?+\}',
)
"""An event that holds a piece of text, how much was used so far, and nothing else."""


class GeminiStream(TranslatedStream):
    """The stream of one chat; `as_function` gives its call in OpenAI's deprecated form."""

    _event_start = b'data: {"candidates"'

    def __init__(self, target: Target, *, wants_usage: bool, as_function: bool) -> None:
        super().__init__(target, wants_usage=wants_usage)
        self._as_function = as_function
        self._ids = CallIds(target)
        self._calls: dict[int, int] = {}
        self._ended: set[int] = set()
        self._unread = NO_RAW
        self._last_text_event = b""
        self._text_events = _TEXT_EVENTS

    @property
    def usage(self) -> ChatUsage | None:
        """The provider's last usage. Every event has one; only what is asked for is read."""
        if self._last_text_event:
            told = _TOLD.search(self._last_text_event)
            assert told is not None
            self._last_text_event, self._unread = b"", Raw(told[1])
        if self._unread is not NO_RAW:
            self._usage = read_usage(self._unread) or self._usage
            self._unread = NO_RAW
        return self._usage

    def _take(self, event: Event) -> bytes:
        """Read one event; give the chunks it becomes."""
        try:
            answer = ANSWER.decode(event.data)
            if bytes(answer.error) != b"null":
                return self._fail(failure_inside(event.data))
            return self._relay(answer)
        except UNREADABLE:
            return self._fail(UpstreamInvalid("The provider sent an event that cannot be read."))

    def _take_run(self, data: bytes, start: int) -> tuple[bytes, int]:
        """Take events of plain text all at once; the last of them tells what was used."""
        chunks, end = super()._take_run(data, start)
        if chunks:
            self._last_text_event = data[data.rfind(self._event_start, start, end) : end]
        return chunks, end

    def _relay(self, answer: Answer) -> bytes:
        if answer.usage_metadata is not NO_RAW:
            self._last_text_event, self._unread = b"", answer.usage_metadata
        candidates = answer.candidates or []
        if answer.is_blocked:
            candidates = [Candidate(finish_reason="SAFETY")]
        if len(candidates) == 1:
            chunks = self._candidate(candidates[0])
        else:
            chunks = b"".join([self._candidate(candidate) for candidate in candidates])
        told = answer.usage_metadata is not NO_RAW
        self.finished = told and self.finish_reason is not None and self.usage is not None
        return chunks

    def _candidate(self, candidate: Candidate) -> bytes:
        """Give a piece of a choice; what comes behind its end is nothing any more."""
        index = candidate.index
        if type(index) is not int or not 0 <= index < _MOST_CHOICES:
            index = 0
        if index in self._ended:
            return b""
        parts = candidate.parts
        chunks = b"".join([self._part(index, part) for part in parts]) if parts else b""
        if candidate.finish_reason is None:
            return chunks
        self._ended.add(index)
        self._text_events = None
        reason = finish_word(
            candidate.finish_reason, calls=index in self._calls, as_function=self._as_function
        )
        return chunks + self._finish(index, reason)

    def _part(self, index: int, part: Part) -> bytes:
        if part.function_call is not None:
            call = call_of(part, self._ids.make())
            return b"" if call is None else self._call(index, call)
        text = text_of(part.text)
        if not text:
            return b""
        return self._reasoning(index, text) if part.thought is True else self._text(index, text)

    def _call(self, index: int, call: WrittenCall) -> bytes:
        """Give a call, which comes whole; of the deprecated form there is only the first one."""
        number = self._calls.get(index, 0)
        self._calls[index] = number + 1
        name, arguments = call.function.name, call.function.arguments
        if self._as_function:
            said_bytes = utf8_bytes(name) + utf8_bytes(arguments)
            function = {"name": name, "arguments": arguments}
            if number:
                return b""
            return self._extra(index, "function_call", function, text_bytes=said_bytes)
        extra = {} if call.extra_content is None else {"extra_content": call.extra_content}
        started = self._tool_start(index, number, call.id, name, **extra)
        return started + self._tool_arguments(index, number, arguments)
