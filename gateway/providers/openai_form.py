"""OpenAI's form, which several providers speak: what of a request is not in it, answers, errors.

Answers are strangers' bytes: trust none. Only what is charged or counted is decoded here.
Source: github openai/openai-openapi v2.3.0 (2026-08-21), CreateChatCompletionResponse.
"""

from collections.abc import Callable, Mapping
from decimal import ROUND_CEILING, Context, Decimal, DecimalException
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from gateway.operations.chat import ChatRequest, ChatUsage
from gateway.operations.chat_messages import (
    AssistantMessage,
    CacheControl,
    CustomCallPart,
    CustomToolEntry,
    FilePart,
    FunctionCallPart,
    FunctionChoice,
    FunctionMessage,
    FunctionTool,
    ImagePart,
    Message,
    TextPart,
)
from gateway.operations.chat_tokens import counted_tokens, utf8_bytes
from gateway.providers.base import Reply
from gateway.providers.failures import (
    ErrorWords,
    UpstreamFailure,
    UpstreamInvalid,
    failure_for,
)
from studio.core.money import UCR_PER_USD

NO_RAW = Raw(b"null")
_FINISH_REASONS = frozenset({"stop", "length", "tool_calls", "content_filter", "function_call"})
_QUOTA_WORDS = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
TokenCount = Annotated[int, Meta(ge=0, le=2**31 - 1)]
"""Tokens: no integer beyond that is one, nor fits where usage is kept."""
_LONGEST_AMOUNT = 40
_LARGEST_AMOUNT_USD = 1_000_000
"""For one call; beyond it an amount is a mistake."""
_EXACT = Context(prec=100, rounding=ROUND_CEILING)


_CACHED = CacheControl(type="ephemeral")
_CACHEABLE = (TextPart, ImagePart, FilePart)
_replace = msgspec.structs.replace


class _InputDetails(Struct):
    cached_tokens: TokenCount | None = None
    cache_write_tokens: TokenCount | None = None


class _OutputDetails(Struct):
    reasoning_tokens: TokenCount | None = None


class _Usage(Struct):
    prompt_tokens: TokenCount
    completion_tokens: TokenCount
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
    reasoning_content: Any = None
    reasoning: Any = None
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
    code: Any = ""


_USAGE = msgspec.json.Decoder(_Usage)
_ANSWER = msgspec.json.Decoder(_Answer)
_SPOKEN = msgspec.json.Decoder(_SpokenAnswer)
_ERROR_BODY = msgspec.json.Decoder(_ErrorBody)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def without_extensions(
    messages: list[Message], *, keep_cache_control: bool = False
) -> list[Message]:
    """Give messages without what is not OpenAI's; the same list where there is nothing of it.

    A mark for the prompt cache that is kept loses its `ttl`: only the shortest is priced.
    """
    if not any(map(_is_extended, messages)):
        return messages
    mark = _CACHED if keep_cache_control else None
    return [
        _without_extensions(message, mark) if _is_extended(message) else message
        for message in messages
    ]


def tools_without_extensions(
    tools: list[FunctionTool | CustomToolEntry] | None, *, keep_cache_control: bool = False
) -> list[FunctionTool | CustomToolEntry] | None:
    """Do for tools what `without_extensions` does for messages."""
    if not any(isinstance(tool, FunctionTool) and tool.cache_control for tool in tools or ()):
        return tools
    return [
        _replace(tool, cache_control=_CACHED if keep_cache_control else None)
        if isinstance(tool, FunctionTool) and tool.cache_control
        else tool
        for tool in tools or ()
    ]


def beyond_functions(request: ChatRequest) -> str | None:
    """Name the field that calls tools in another way than as functions; None if none does.

    Custom tools, choices among tools, and the deprecated `functions` are OpenAI's alone.
    """
    if request.functions is not None or request.function_call is not None:
        return "functions"
    if any(isinstance(tool, CustomToolEntry) for tool in request.tools or ()):
        return "tools"
    if not isinstance(request.tool_choice, str | FunctionChoice | None):
        return "tool_choice"
    if any(_calls_otherwise(message) for message in request.messages):
        return "messages"
    return None


def _calls_otherwise(message: Message) -> bool:
    if not isinstance(message, AssistantMessage):
        return isinstance(message, FunctionMessage)
    custom = any(isinstance(call, CustomCallPart) for call in message.tool_calls or ())
    return custom or message.function_call is not None


def _is_extended(message: Message) -> bool:
    content = message.content
    if type(content) is list and any(map(_is_marked, content)):
        return True
    if not isinstance(message, AssistantMessage):
        return False
    if message.reasoning_content is not None or message.thinking_blocks is not None:
        return True
    return any(map(_is_signed, message.tool_calls or ()))


def _without_extensions(message: Message, mark: CacheControl | None) -> Message:
    if isinstance(message.content, list):
        parts = [
            _replace(part, cache_control=mark) if _is_marked(part) else part
            for part in message.content
        ]
        message = _replace(message, content=parts)
    if not isinstance(message, AssistantMessage):
        return message
    calls = [
        _replace(call, extra_content=None) if _is_signed(call) else call
        for call in message.tool_calls or ()
    ]
    return _replace(message, reasoning_content=None, thinking_blocks=None, tool_calls=calls or None)


def _is_signed(call: FunctionCallPart | CustomCallPart) -> bool:
    return isinstance(call, FunctionCallPart) and call.extra_content is not None


def _is_marked(part: object) -> bool:
    return isinstance(part, _CACHEABLE) and part.cache_control is not None


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


def read_answer(body: bytes, usage_of: Callable[[Raw], ChatUsage | None] = read_usage) -> Reply:
    """Read a finished answer and keep its bytes; `usage_of` reads what it used.

    Raises: UpstreamInvalid if it is no chat completion with at least one choice.
    """
    try:
        if not body.isascii():
            body.decode()
        answer = _ANSWER.decode(body)
    except _UNREADABLE as error:
        raise UpstreamInvalid("The provider's answer cannot be read.") from error
    usage = usage_of(answer.usage)
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


def finish_word(reason: object) -> str:
    """Give a finish reason we know, or `other`."""
    return reason if isinstance(reason, str) and reason in _FINISH_REASONS else "other"


def read_error(body: bytes) -> ErrorWords:
    """Read an error body; empty words where it is none (HTML, say)."""
    try:
        given = _ERROR_BODY.decode(body)
    except _UNREADABLE:
        return ErrorWords()
    error = given.error
    if isinstance(error, str):
        return ErrorWords(message=error, kind=_text(given.code))
    code, kind = _text(error.code), _text(error.type)
    return ErrorWords(
        message=_text(error.message),
        param=_text(error.param),
        kind=code or kind,
        quota=code in _QUOTA_WORDS or kind in _QUOTA_WORDS,
    )


def failure_meant(
    meant: int,
    status: int,
    headers: Mapping[str, str],
    words: ErrorWords,
    *,
    hosts: tuple[str, ...],
) -> UpstreamFailure:
    """Turn an error into ours as if its status were `meant`: some statuses have many meanings."""
    failure = failure_for(meant, headers, words, hosts=hosts)
    failure.provider_status = status
    return failure


def read_usd(raw: Raw) -> int | None:
    """Read an amount in US dollars, a JSON number, exactly. Returns: µcr, rounded up; or None.

    None is what cannot be believed: null, text, less than nothing, more than a call can cost.
    """
    text = bytes(raw)
    if len(text) > _LONGEST_AMOUNT or not text[:1].isdigit():
        return None
    try:
        amount = Decimal(text.decode())
    except (DecimalException, UnicodeDecodeError):
        return None
    if amount > _LARGEST_AMOUNT_USD:
        return None
    return int(_EXACT.multiply(amount, Decimal(UCR_PER_USD)).to_integral_value(ROUND_CEILING))


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
        total += text_bytes_of(said.reasoning_content) or text_bytes_of(said.reasoning)
        total += call_bytes(said.function_call, said.tool_calls)
        total += sound_bytes(said.audio)
    return total


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
