"""The forms in which the bench's upstream answers: OpenAI's, Anthropic's, Google's.

Prepared bytes; filling an event's `%020d` with the time of sending keeps its length. The path of a
request says which form is spoken.
"""

import functools
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from bench.behaviour import ANSWER_MARK, DONE_MARK

INPUT_TOKENS = 19
PLAIN_TOKENS = 90
TEXT = (ANSWER_MARK.decode() + " " + "It is always the same. " * 6).strip()
_STAMP = "%020d"
_STREAMED = re.compile(rb'"stream": ?true')
_INCLUDE_USAGE = re.compile(rb'"include_usage": ?true')
_Event = tuple[str, Mapping[str, Any]]


def _framed(events: Sequence[_Event], ending: str = "") -> bytes:
    """Write events with one HTTP chunk around them."""
    text = ""
    for name, data in events:
        text += f"event: {name}\n" if name else ""
        text += f"data: {json.dumps(data, separators=(',', ':'))}\n\n"
    text += ending
    length = len(text.replace(_STAMP, "0" * 20))
    return f"{length:x}\r\n{text}\r\n".encode()


class Dialect(ABC):
    """A provider's form. All of it is worked out once."""

    media_type = b"text/event-stream; charset=utf-8"
    """Of its streams."""

    def __init__(self, answer: Mapping[str, Any]) -> None:
        body = json.dumps(answer, separators=(",", ":")).encode()
        head = (
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req_bench\r\n"
            b"content-length: %d\r\n\r\n"
        )
        self.plain = head % len(body) + body

    def is_streamed(self, head: bytes, body: bytes) -> bool:
        """Say whether a request asks for a stream."""
        return _STREAMED.search(body) is not None

    def opening(self) -> bytes:
        """Give what comes before the text."""
        return b""

    @abstractmethod
    def event(self, body: bytes) -> bytes:
        """Give one event of text, to be filled with the time of sending."""

    @abstractmethod
    def end(self, chunks: int, body: bytes) -> bytes:
        """Give what comes after the text."""


class _OpenAI(Dialect):
    def __init__(self) -> None:
        message = {"role": "assistant", "content": TEXT, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        super().__init__(
            {
                "id": "chatcmpl-bench",
                "object": "chat.completion",
                "created": 1_750_000_000,
                "model": "gpt-5",
                "choices": [choice],
                "usage": _openai_usage(PLAIN_TOKENS),
                "service_tier": "default",
            }
        )

    def event(self, body: bytes) -> bytes:
        return _openai_text(_INCLUDE_USAGE.search(body) is not None)

    def end(self, chunks: int, body: bytes) -> bytes:
        return _openai_end(_INCLUDE_USAGE.search(body) is not None, chunks)


@functools.cache
def _openai_text(counted: bool) -> bytes:
    choice = {"index": 0, "delta": {"content": _STAMP}, "finish_reason": None}
    return _framed([("", _openai_chunk([choice], {"usage": None} if counted else {}))])


@functools.cache
def _openai_end(counted: bool, chunks: int) -> bytes:
    stop = {"index": 0, "delta": {}, "finish_reason": "stop"}
    events = [_openai_chunk([stop], {"usage": None} if counted else {})]
    if counted:
        events.append(_openai_chunk([], {"usage": _openai_usage(chunks)}))
    return _framed([("", event) for event in events], "data: [DONE]\n\n") + b"0\r\n\r\n"


def _openai_chunk(choices: Sequence[object], usage: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": "chatcmpl-bench",
        "object": "chat.completion.chunk",
        "created": 1_750_000_000,
        "model": "gpt-5",
        "choices": choices,
        **usage,
    }


def _openai_usage(output_tokens: int) -> dict[str, Any]:
    return {
        "prompt_tokens": INPUT_TOKENS,
        "completion_tokens": output_tokens,
        "total_tokens": INPUT_TOKENS + output_tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


_ANTHROPIC_TEXT = _framed(
    [
        (
            "content_block_delta",
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "text_delta", "text": _STAMP},
            },
        )
    ]
)


class _Anthropic(Dialect):
    def __init__(self) -> None:
        self._message: dict[str, Any] = {
            "id": "msg_bench",
            "type": "message",
            "role": "assistant",
            "model": "claude-sonnet-5-5",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": self._usage(1),
        }
        finished = {
            "content": [{"type": "text", "text": TEXT}],
            "stop_reason": "end_turn",
            "usage": self._usage(PLAIN_TOKENS),
        }
        super().__init__(self._message | finished)

    def opening(self) -> bytes:
        block = {"type": "text", "text": ""}
        start = {"type": "content_block_start", "index": 0, "content_block": block}
        message = {"type": "message_start", "message": self._message}
        return _framed([("message_start", message), ("content_block_start", start)])

    def event(self, body: bytes) -> bytes:
        return _ANTHROPIC_TEXT

    def end(self, chunks: int, body: bytes) -> bytes:
        delta = {"stop_reason": "end_turn", "stop_sequence": None}
        ended = {"type": "message_delta", "delta": delta, "usage": self._usage(chunks)}
        events: list[_Event] = [
            ("content_block_stop", {"type": "content_block_stop", "index": 0}),
            ("message_delta", ended),
            ("message_stop", {"type": "message_stop"}),
        ]
        return _framed(events) + b"0\r\n\r\n"

    @staticmethod
    def _usage(output_tokens: int) -> dict[str, Any]:
        return {
            "input_tokens": INPUT_TOKENS,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": output_tokens,
        }


class _Gemini(Dialect):
    def __init__(self) -> None:
        super().__init__(self._answer(TEXT, PLAIN_TOKENS, "STOP"))
        self._text = _framed([("", self._answer(_STAMP, 1, None))])

    def is_streamed(self, head: bytes, body: bytes) -> bool:
        return b":streamGenerateContent" in head

    def event(self, body: bytes) -> bytes:
        return self._text

    def end(self, chunks: int, body: bytes) -> bytes:
        return _framed([("", self._answer("", chunks, "STOP"))]) + b"0\r\n\r\n"

    @staticmethod
    def _answer(text: str, output_tokens: int, reason: str | None) -> dict[str, Any]:
        candidate: dict[str, Any] = {"content": {"parts": [{"text": text}], "role": "model"}}
        if reason is not None:
            candidate["finishReason"] = reason
        return {
            "candidates": [candidate | {"index": 0}],
            "usageMetadata": {
                "promptTokenCount": INPUT_TOKENS,
                "candidatesTokenCount": output_tokens,
                "totalTokenCount": INPUT_TOKENS + output_tokens,
            },
            "modelVersion": "gemini-bench",
            "responseId": "bench",
        }


_OPENAI, _ANTHROPIC, _GEMINI = _OpenAI(), _Anthropic(), _Gemini()


class _ElevenLabs(Dialect):
    """Speech: MP3 frames of 128 kbit/s, two a chunk, which play 52 ms; the time is in the first.

    Source: ISO/IEC 11172-3 (1993) 2.4.2.3: the header, and 417 bytes a frame at 44.1 kHz.
    """

    media_type = b"audio/mpeg"

    def __init__(self) -> None:
        super().__init__({})

    def is_streamed(self, head: bytes, body: bytes) -> bool:
        return True

    def event(self, body: bytes) -> bytes:
        return _MARKED_SOUND

    def end(self, chunks: int, body: bytes) -> bytes:
        return _LAST_SOUND


_FRAME_BYTES = 417


def _frame(words: bytes) -> bytes:
    """Write one frame with words where its sound would be; `%020d` stands for 20 digits."""
    length = len(words.replace(_STAMP.encode(), b"0" * 20))
    head = b"\xff\xfb\x90\x64" + b"\0" * 32
    return head + words + b"\0" * (_FRAME_BYTES - len(head) - length)


_MARKED_SOUND = b"%x\r\n" % (2 * _FRAME_BYTES) + _frame(b'"content":"%020d"') + _frame(b"")
_MARKED_SOUND += b"\r\n"
_LAST_SOUND = b"%x\r\n" % _FRAME_BYTES + _frame(DONE_MARK) + b"\r\n0\r\n\r\n"
_ELEVENLABS = _ElevenLabs()


def dialect_of(head: bytes) -> Dialect:
    """Give the form that is spoken at a request's path."""
    if head.startswith(b"POST /elevenlabs/"):
        return _ELEVENLABS
    if head.startswith(b"POST /v1/messages"):
        return _ANTHROPIC
    return _GEMINI if head.startswith(b"POST /v1beta/") else _OPENAI
