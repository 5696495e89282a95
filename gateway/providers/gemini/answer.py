"""A finished answer of Gemini's as a chat completion. Strangers' bytes: trust none.

Source: Google's discovery document v1beta (2026-08-23), GenerateContentResponse, Candidate and
UsageMetadata; `google-genai` 3.4.0, `types.py`, FinishReason; which reason is which word: LiteLLM
1.109.1.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import Raw, Struct, field

from gateway.operations.chat import ChatUsage
from gateway.operations.chat_tokens import counted_tokens, utf8_bytes
from gateway.providers.base import Reply, Target
from gateway.providers.completion import (
    WrittenCall,
    WrittenChoice,
    WrittenFunction,
    WrittenMessage,
    write_completion,
)
from gateway.providers.failures import UpstreamInvalid
from gateway.providers.openai_form import TokenCount

NO_RAW = Raw(b"null")
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_LARGEST = 2**31 - 1
_ID_CHARACTERS = 32
_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "STOP": "stop",
        **dict.fromkeys(("MAX_TOKENS", "CONTINUATION"), "length"),
        **dict.fromkeys(
            (
                *("SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII"),
                *("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "IMAGE_OTHER"),
                *("NO_IMAGE", "MODEL_ARMOR", "OTHER"),
            ),
            "content_filter",
        ),
    }
)


class _Counts(Struct, rename="camel"):
    """Google's usage. What is nothing is left out; the prompt includes what was cached."""

    prompt_token_count: TokenCount
    cached_content_token_count: TokenCount | None = None
    candidates_token_count: TokenCount | None = None
    thoughts_token_count: TokenCount | None = None
    tool_use_prompt_token_count: TokenCount | None = None


class _Call(Struct):
    name: Any = ""
    args: Raw = NO_RAW


class Part(Struct, rename="camel"):
    """A piece of what a candidate says; kinds that were not asked for are skipped."""

    text: Any = None
    thought: Any = False
    thought_signature: Any = None
    function_call: _Call | None = None


class _Content(Struct):
    parts: list[Part] | None = None


class Candidate(Struct, rename="camel"):
    """One answer, or a piece of it."""

    content: _Content | None = None
    finish_reason: Any = None
    index: Any = 0

    @property
    def parts(self) -> list[Part]:
        """What it says."""
        return (self.content.parts if self.content is not None else None) or []


class _Feedback(Struct, rename="camel"):
    block_reason: Any = None


class Answer(Struct, rename="camel"):
    """An answer, or one event of a stream."""

    candidates: list[Candidate] | None = None
    prompt_feedback: _Feedback | None = None
    usage_metadata: Raw = NO_RAW
    error: Raw = NO_RAW

    @property
    def is_blocked(self) -> bool:
        """Whether the prompt was refused, and nothing was made of it."""
        feedback = self.prompt_feedback
        return not self.candidates and feedback is not None and bool(feedback.block_reason)


_COUNTS = msgspec.json.Decoder(_Counts)
ANSWER = msgspec.json.Decoder(Answer)


class _Said(Struct):
    """What a candidate says, sorted; `said_bytes` is its length in UTF-8."""

    texts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    calls: list[WrittenCall] = field(default_factory=list)
    said_bytes: int = 0


class CallIds:
    """Names calls by the answer they are in: 40 characters, the most OpenAI takes back.

    Google's own ids do not leave the house, and its older models have none.
    """

    def __init__(self, target: Target) -> None:
        self._stem = target.answer_id.replace("-", "")[-_ID_CHARACTERS:]
        self._count = 0

    def make(self) -> str:
        """Give the next id."""
        self._count += 1
        return f"call_{self._stem}{self._count:03d}"


def read_answer(body: bytes, target: Target, *, as_function: bool) -> Reply:
    """Read a finished answer; `as_function` gives its call in OpenAI's deprecated form.

    A blocked prompt is an answer too: one that says nothing. Raises: UpstreamInvalid if it is none.
    """
    ids = CallIds(target)
    try:
        answer = ANSWER.decode(body)
        candidates = answer.candidates or []
        if answer.is_blocked:
            candidates = [Candidate(finish_reason="SAFETY")]
        said = [_sorted(candidate.parts, ids) for candidate in candidates]
    except UNREADABLE as error:
        raise UpstreamInvalid("The provider's answer cannot be read.") from error
    if not said:
        raise UpstreamInvalid("The provider's answer has no candidates.")
    choices = tuple(
        _choice(candidate, one, as_function=as_function)
        for candidate, one in zip(candidates, said, strict=True)
    )
    usage = read_usage(answer.usage_metadata)
    said_bytes = sum(one.said_bytes for one in said)
    return Reply(
        body=write_completion(target, choices, usage),
        usage=usage,
        counted_tokens=counted_tokens(said_bytes) if usage is None else usage.output_tokens,
        finish_reason=choices[0].finish_reason,
        model=target.model,
        delivered=said_bytes > 0,
    )


def read_usage(raw: Raw) -> ChatUsage | None:
    """Read a usage object; None if it is missing or not to be believed (negative, text, NaN).

    Thoughts are output that stands beside the candidates', and what the tools of the server's read
    is input.
    """
    if bytes(raw) == b"null":
        return None
    try:
        counts = _COUNTS.decode(raw)
    except UNREADABLE:
        return None
    cached = counts.cached_content_token_count or 0
    thoughts = counts.thoughts_token_count or 0
    read = counts.prompt_token_count + (counts.tool_use_prompt_token_count or 0)
    written = (counts.candidates_token_count or 0) + thoughts
    if counts.prompt_token_count < max(cached, 1) or max(read, written) > _LARGEST:
        return None
    return ChatUsage(
        input_tokens=read,
        output_tokens=written,
        cached_input_tokens=cached,
        reasoning_tokens=thoughts,
    )


def finish_word(reason: object, *, calls: bool, as_function: bool) -> str:
    """Give OpenAI's word for a finish reason, or `other`; Google has none for calls."""
    word = _REASONS.get(reason, "other") if isinstance(reason, str) else "other"
    if word != "stop" or not calls:
        return word
    return "function_call" if as_function else "tool_calls"


def call_of(part: Part, call_id: str) -> WrittenCall | None:
    """Read the call of a part, its signature beside it; None if there is none."""
    if part.function_call is None:
        return None
    raw = bytes(part.function_call.args)
    # Without white space; numbers stay as they are.
    arguments = "{}" if raw == b"null" else msgspec.json.format(raw, indent=-1).decode()
    signature = text_of(part.thought_signature)
    return WrittenCall(
        id=call_id,
        function=WrittenFunction(name=text_of(part.function_call.name), arguments=arguments),
        extra_content={"google": {"thought_signature": signature}} if signature else None,
    )


def text_of(value: object) -> str:
    """Give what should be a text; empty if it is none."""
    return value if isinstance(value, str) else ""


def _sorted(parts: list[Part], ids: CallIds) -> _Said:
    said = _Said()
    for part in parts:
        call = None if part.function_call is None else call_of(part, ids.make())
        if call is not None:
            said.calls.append(call)
            said.said_bytes += utf8_bytes(call.function.name) + utf8_bytes(call.function.arguments)
            continue
        text = text_of(part.text)
        (said.thoughts if part.thought is True else said.texts).append(text)
        said.said_bytes += utf8_bytes(text)
    return said


def _choice(candidate: Candidate, said: _Said, *, as_function: bool) -> WrittenChoice:
    message = WrittenMessage(
        content="".join(said.texts) or None,
        tool_calls=() if as_function else tuple(said.calls),
        function_call=said.calls[0].function if said.calls and as_function else None,
        reasoning_content="".join(said.thoughts) or None,
    )
    reason = finish_word(candidate.finish_reason, calls=bool(said.calls), as_function=as_function)
    return WrittenChoice(message=message, finish_reason=reason)
