"""Answers and errors in OpenAI's form, which several providers speak. Strangers' bytes: trust none.

Only what is charged or counted is decoded; the bytes themselves go to the caller as they came.
Source: github openai/openai-openapi v2.3.0 (2026-08-21), CreateChatCompletionResponse.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from gateway.operations.chat import ChatUsage
from gateway.operations.chat_tokens import counted_tokens, utf8_bytes
from gateway.providers.base import Reply
from gateway.providers.failures import ErrorWords, UpstreamInvalid

NO_RAW = Raw(b"null")
_FINISH_REASONS = frozenset({"stop", "length", "tool_calls", "content_filter", "function_call"})
_QUOTA_WORDS = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
_Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]
"""Tokens: no integer beyond that is one, nor fits where usage is kept."""


class _InputDetails(Struct):
    cached_tokens: _Count | None = None
    cache_write_tokens: _Count | None = None


class _OutputDetails(Struct):
    reasoning_tokens: _Count | None = None


class _Usage(Struct):
    prompt_tokens: _Count
    completion_tokens: _Count
    prompt_tokens_details: _InputDetails | None = None
    completion_tokens_details: _OutputDetails | None = None


class _Message(Struct):
    """There must be one; what is in it is looked at only if nobody else counted."""


class _Choice(Struct):
    message: _Message
    finish_reason: Any = None


class _Answer(Struct):
    choices: Annotated[list[_Choice], Meta(min_length=1)]
    usage: Raw = NO_RAW
    model: Any = ""


class _SpokenMessage(Struct):
    content: Any = None
    refusal: Any = None
    tool_calls: Any = None
    function_call: Any = None
    audio: Any = None


class _SpokenChoice(Struct):
    message: _SpokenMessage


class _SpokenAnswer(Struct):
    choices: list[_SpokenChoice]


class _Error(Struct):
    message: Any = ""
    code: Any = ""
    type: Any = ""
    param: Any = ""


class _ErrorBody(Struct):
    error: _Error | str


_USAGE = msgspec.json.Decoder(_Usage)
_ANSWER = msgspec.json.Decoder(_Answer)
_SPOKEN = msgspec.json.Decoder(_SpokenAnswer)
_ERROR_BODY = msgspec.json.Decoder(_ErrorBody)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def read_answer(body: bytes) -> Reply:
    """Read a finished answer and keep its bytes.

    Raises: UpstreamInvalid if it is no chat completion with at least one choice.
    """
    try:
        if not body.isascii():
            body.decode()
        answer = _ANSWER.decode(body)
    except _UNREADABLE as error:
        raise UpstreamInvalid("The provider's answer cannot be read.") from error
    usage = read_usage(answer.usage)
    reason = finish_word(answer.choices[0].finish_reason)
    said_bytes = None
    if usage is None or usage.output_tokens == 0 or reason == "content_filter":
        said_bytes = _said_bytes(body)
    return Reply(
        body=body,
        usage=usage,
        counted_tokens=counted_tokens(said_bytes or 0) if usage is None else usage.output_tokens,
        finish_reason=reason,
        model=answer.model if isinstance(answer.model, str) else "",
        delivered=said_bytes != 0,
    )


def read_usage(raw: Raw) -> ChatUsage | None:
    """Read a usage object; None if it is missing or not to be believed (negative, text, NaN)."""
    if len(memoryview(raw)) <= 4:  # null
        return None
    try:
        usage = _USAGE.decode(raw)
    except _UNREADABLE:
        return None
    cached = written = reasoning = 0
    if usage.prompt_tokens_details is not None:
        cached = usage.prompt_tokens_details.cached_tokens or 0
        written = usage.prompt_tokens_details.cache_write_tokens or 0
    if usage.completion_tokens_details is not None:
        reasoning = usage.completion_tokens_details.reasoning_tokens or 0
    if cached + written > usage.prompt_tokens:
        return None
    return ChatUsage(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        cached_input_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=min(reasoning, usage.completion_tokens),
    )


def finish_word(reason: object) -> str:
    """Give a finish reason we know, or `other`."""
    return reason if isinstance(reason, str) and reason in _FINISH_REASONS else "other"


def read_error(body: bytes) -> ErrorWords:
    """Read an error body; empty words where it is none (HTML, say)."""
    try:
        error = _ERROR_BODY.decode(body).error
    except _UNREADABLE:
        return ErrorWords()
    if isinstance(error, str):
        return ErrorWords(message=error)
    code, kind = _text(error.code), _text(error.type)
    return ErrorWords(
        message=_text(error.message),
        param=_text(error.param),
        kind=code or kind,
        quota=code in _QUOTA_WORDS or kind in _QUOTA_WORDS,
    )


def call_bytes(function_call: object, tool_calls: object) -> int:
    """Count the UTF-8 bytes a model wrote to call functions or tools."""
    total = _function_bytes(function_call)
    for call in tool_calls if isinstance(tool_calls, list) else ():
        if isinstance(call, dict):
            total += _function_bytes(call.get("function")) + _function_bytes(call.get("custom"))
    return total


def sound_bytes(audio: object) -> int:
    """Count what a spoken answer holds: its transcript, else its base64."""
    if not isinstance(audio, dict):
        return 0
    return text_bytes_of(audio.get("transcript")) or text_bytes_of(audio.get("data"))


def text_bytes_of(text: object) -> int:
    """Count the UTF-8 bytes of what should be a text."""
    return utf8_bytes(text) if isinstance(text, str) else 0


def _function_bytes(function: object) -> int:
    if not isinstance(function, dict):
        return 0
    return sum(text_bytes_of(function.get(field)) for field in ("name", "arguments", "input"))


def _said_bytes(body: bytes) -> int:
    """Count the UTF-8 bytes of everything the choices say."""
    try:
        choices = _SPOKEN.decode(body).choices
    except _UNREADABLE as error:
        raise UpstreamInvalid("The provider's answer cannot be read.") from error
    total = 0
    for choice in choices:
        said = choice.message
        total += text_bytes_of(said.content) + text_bytes_of(said.refusal)
        total += call_bytes(said.function_call, said.tool_calls)
        total += sound_bytes(said.audio)
    return total


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
