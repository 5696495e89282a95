"""OpenRouter: OpenAI's grammar in front of many providers, with the cost in every answer.

Source: OpenRouter's OpenAPI 1.0.0 (Aug 2026), `openrouter` Python SDK 1.3.84; openrouter.ai/docs
(2026): Errors and Debugging, Limits, Reasoning Tokens, Prompt Caching.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from gateway.operations.chat import ChatRequest, ChatUsage
from gateway.operations.chat_request import StreamOptions
from gateway.providers.base import (
    ChatStream,
    Reply,
    Target,
    UpstreamAnswer,
    UpstreamFailure,
    UpstreamRequest,
)
from gateway.providers.failures import ErrorWords
from gateway.providers.openai_form import (
    NO_RAW,
    beyond_functions,
    failure_meant,
    read_answer,
    read_error,
    read_usage,
    tools_without_extensions,
    without_extensions,
)
from gateway.providers.openrouter_costs import read_cost
from gateway.providers.openrouter_embeddings import OpenRouterEmbeddings
from gateway.providers.openrouter_images import OpenRouterImages
from gateway.providers.rewritten import RewrittenStream, rewrite_answer

_JSON = {"content-type": "application/json", "accept": "application/json"}
_EVENTS = {"content-type": "application/json", "accept": "text/event-stream"}
_COUNTED = StreamOptions(include_usage=True)
"""Documented as without effect: usage always comes. It costs nothing to ask."""
_SENT = (
    *("temperature", "top_p", "top_k", "presence_penalty", "frequency_penalty", "stop", "seed"),
    *("logit_bias", "logprobs", "top_logprobs", "response_format", "parallel_tool_calls", "user"),
    *("tool_choice", "verbosity", "prediction", "metadata", "prompt_cache_key", "service_tier"),
    *("prompt_cache_options", "stream"),
)
"""The fields OpenRouter documents and takes as they are. Routing, plugins and fallback models are
not among them: which model answers is the catalogue's decision.
"""
_STATUS_OF_TYPE = {
    "context_length_exceeded": 400,
    "max_tokens_exceeded": 400,
    "token_limit_exceeded": 400,
    "string_too_long": 400,
    "authentication": 401,
    "permission_denied": 403,
    "payment_required": 402,
    "rate_limit_exceeded": 429,
    "provider_overloaded": 503,
    "provider_unavailable": 502,
    "invalid_request": 400,
    "invalid_prompt": 400,
    "not_found": 404,
    "payload_too_large": 413,
    "unprocessable": 422,
    "content_policy_violation": 400,
    "refusal": 400,
    "timeout": 504,
}
"""Source: openrouter.ai/docs, Typed Error Codes (2026)."""
_REFUSED_TYPES = frozenset({"content_policy_violation", "refusal"})
_IN_FLIGHT = "openrouter_in_flight_budget"
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_ENCODER = msgspec.json.Encoder()
_replace = msgspec.structs.replace


class _Reasoning(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """How much a model may think: by effort, by tokens, or at all."""

    effort: str | None = None
    max_tokens: int | None = None
    enabled: bool | None = None


class _Sent(ChatRequest, omit_defaults=True, kw_only=True):
    reasoning: _Reasoning | None = None


class _Metadata(Struct):
    """What an error says about itself; whatever else is there, and of whatever type."""

    error_type: Any = None
    limit_source: Any = None
    reasons: Any = None
    flagged_input: Any = None
    patterns: Any = None
    raw: Any = None
    retry_after_seconds: Any = None


class _Error(Struct):
    code: Any = None
    message: Any = None
    metadata: Raw = NO_RAW


class _Choice(Struct):
    finish_reason: Any = None
    error: _Error | str | None = None


class _Failed(Struct):
    error: _Error | str | None = None
    choices: list[_Choice] | None = None


class _Fault(Struct, frozen=True, kw_only=True):
    """An error that was read: the status it names, its words, what it says about itself."""

    status: int | None
    words: ErrorWords
    metadata: _Metadata


_NO_FAULT = _Fault(status=None, words=ErrorWords(), metadata=_Metadata())
_FAILED = msgspec.json.Decoder(_Failed)
_METADATA = msgspec.json.Decoder(_Metadata)


class OpenRouter(OpenRouterEmbeddings, OpenRouterImages):
    """OpenRouter's chat completions, embeddings and images."""

    slug = "openrouter"
    default_base_url = "https://openrouter.ai/api/v1"
    hosts = ("openrouter.ai",)
    operations = frozenset({"chat", "embedding", "image"})

    def auth(self, key: str) -> dict[str, str]:
        """Give the header that carries the key."""
        return {"authorization": f"Bearer {key}"}

    def unsupported(self, request: ChatRequest) -> str | None:
        """Name what OpenRouter's chat does not have: several choices, sound, custom tools."""
        if (request.n or 1) > 1:
            return "n"
        if request.audio is not None or "audio" in (request.modalities or ()):
            return "audio"
        for field in ("moderation", "web_search_options"):
            if getattr(request, field) is not None:
                return field
        return beyond_functions(request)

    def build_chat(self, request: ChatRequest, target: Target) -> UpstreamRequest:
        """Write the request: the fields OpenRouter documents, without those the model refuses."""
        dropped = target.drop_parameters
        sent = _Sent(
            messages=without_extensions(request.messages, keep_cache_control=True),
            model=target.model,
            max_completion_tokens=(
                target.max_output_tokens or request.max_completion_tokens or request.max_tokens
            ),
            stream_options=_COUNTED if request.stream else None,
            reasoning=None if "reasoning_effort" in dropped else _reasoning(request),
            **{name: getattr(request, name) for name in _SENT if name not in dropped},
        )
        if "tools" not in dropped:
            sent.tools = tools_without_extensions(request.tools, keep_cache_control=True)
        return UpstreamRequest(
            path="/chat/completions",
            body=_ENCODER.encode(sent),
            headers=_EVENTS if request.stream else _JSON,
        )

    def parse_chat(self, request: ChatRequest, target: Target, answer: UpstreamAnswer) -> Reply:
        """Read a finished answer and write it as OpenAI would.

        Raises: UpstreamFailure, also for an error that came with 200 once the model had begun.
        """
        if answer.status != 200:
            raise self.parse_error(answer.status, answer.headers, answer.body)
        if b'"error"' in answer.body and (fault := _fault_inside(answer.body)) is not None:
            raise _failure_of(fault.status or 502, answer.headers, fault, self.hosts)
        reply = read_answer(answer.body, read_costed_usage)
        return _replace(reply, body=rewrite_answer(answer.body, target, reply.usage))

    def open_chat_stream(self, request: ChatRequest, target: Target) -> ChatStream:
        """Begin to read the stream that answers this request."""
        return _Stream(
            target,
            wants_usage=request.wants_usage,
            hosts=self.hosts,
            measures_text=not request.logprobs,
        )

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFailure:
        """Read an answer that is no success."""
        return _failure_of(status, headers, _fault_inside(body) or _NO_FAULT, self.hosts)


def read_costed_usage(raw: Raw) -> ChatUsage | None:
    """Read usage and what the call cost us. None if the usage is missing or not to be believed."""
    usage = read_usage(raw)
    return None if usage is None else _replace(usage, provider_cost_ucr=read_cost(raw))


def _reasoning(request: ChatRequest) -> _Reasoning | None:
    """Say how much to think: by OpenAI's word, else by Anthropic's."""
    if request.reasoning_effort is not None:
        return _Reasoning(effort=request.reasoning_effort)
    thinking = request.thinking
    if thinking is None:
        return None
    if thinking.type == "disabled":
        return _Reasoning(effort="none")
    if thinking.budget_tokens is not None:
        return _Reasoning(max_tokens=thinking.budget_tokens)
    return _Reasoning(enabled=True)


def _fault_inside(body: bytes) -> _Fault | None:
    """Find an error in a body: on top, or at a choice that ended with one; None if there is none.

    Unreadable bodies have none.
    """
    try:
        failed = _FAILED.decode(body)
    except _UNREADABLE:
        return None
    if failed.error is not None:
        return _read_fault(failed.error)
    for choice in failed.choices or ():
        if choice.error is not None:
            return _read_fault(choice.error)
        if choice.finish_reason == "error":
            return _NO_FAULT
    return None


def _read_fault(error: _Error | str) -> _Fault:
    if isinstance(error, str):
        return _Fault(status=None, words=ErrorWords(message=error), metadata=_Metadata())
    try:
        metadata = _METADATA.decode(error.metadata)
    except _UNREADABLE:
        metadata = _Metadata()
    kind = metadata.error_type if isinstance(metadata.error_type, str) else ""
    status = error.code if type(error.code) is int and 400 <= error.code < 600 else None
    message = _provider_message(metadata.raw) or error.message
    words = ErrorWords(message=message if isinstance(message, str) else "", kind=kind)
    return _Fault(status=status or _STATUS_OF_TYPE.get(kind), words=words, metadata=metadata)


def _provider_message(raw: object) -> str:
    """Read the words of the provider behind, where its error came along whole."""
    return read_error(raw.encode(errors="replace")).message if isinstance(raw, str) else ""


def _failure_of(
    status: int, headers: Mapping[str, str], fault: _Fault, hosts: tuple[str, ...]
) -> UpstreamFailure:
    retry_after_s = fault.metadata.retry_after_seconds
    if "retry-after" not in headers and isinstance(retry_after_s, int | float):
        headers = {"retry-after": str(retry_after_s)}
    meant, quota = _meant(status, fault)
    words = _replace(fault.words, quota=quota)
    return failure_meant(meant, status, headers, words, hosts=hosts)


def _meant(status: int, fault: _Fault) -> tuple[int, bool]:
    """Tell what an error is about, as a status, and whether our money there is used up.

    402 is that, unless it is only calls under way that fill the budget; 403 is moderation of the
    request, a spent limit, or our key.
    """
    metadata = fault.metadata
    source = metadata.limit_source if isinstance(metadata.limit_source, str) else ""
    if source == _IN_FLIGHT:
        return 429, False
    if status == 402 or source.startswith("openrouter_"):
        return 429, True
    if fault.words.kind in _REFUSED_TYPES or (status == 403 and _is_blocked(fault)):
        return 400, False
    return status, False


def _is_blocked(fault: _Fault) -> bool:
    metadata = fault.metadata
    flagged = metadata.reasons or metadata.flagged_input or metadata.patterns
    return bool(flagged) or fault.words.message.startswith("Request blocked")


class _Stream(RewrittenStream):
    """A stream of OpenRouter's."""

    _usage_of = staticmethod(read_costed_usage)

    def _failure(self, payload: bytes) -> UpstreamFailure:
        fault = _fault_inside(payload) or _NO_FAULT
        return _failure_of(fault.status or 502, {}, fault, self._hosts)


PROVIDER = OpenRouter()
