"""xAI (Grok): OpenAI's grammar, with reasoning shown and usage counted in another way.

Source: xAI's REST API, OpenAPI 1.0.0 (stored copy of 2026) and docs.x.ai (2026): request fields,
`reasoning_content`, `cost_in_usd_ticks`, status codes; LiteLLM 1.109.1 `llms/xai`: what is refused.
"""

from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import unquote

import msgspec
from msgspec import Raw, Struct

from gateway.operations.chat import ChatRequest, ChatUsage
from gateway.operations.chat_messages import (
    AssistantMessage,
    AudioPart,
    CustomCallPart,
    DeveloperMessage,
    FilePart,
    Function,
    FunctionCallPart,
    FunctionTool,
    ImagePart,
    Message,
    RefusalPart,
    SystemMessage,
    TextPart,
    ToolMessage,
    UserMessage,
)
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
    TokenCount,
    beyond_functions,
    failure_meant,
    read_answer,
    read_error,
)
from gateway.providers.rewritten import RewrittenStream, rewrite_answer

_JSON = {"content-type": "application/json", "accept": "application/json"}
_EVENTS = {"content-type": "application/json", "accept": "text/event-stream"}
_COUNTED = StreamOptions(include_usage=True)
_SENT = (
    *("temperature", "top_p", "n", "presence_penalty", "frequency_penalty", "logprobs", "seed"),
    *("top_logprobs", "response_format", "parallel_tool_calls", "tool_choice", "user", "stream"),
)
"""The fields xAI documents and takes as they are."""
_EFFORTS: dict[str, Literal["low", "high"]] = {"minimal": "low", "xhigh": "high", "max": "high"}
"""Words for effort that not all of its models know, and the nearest that they do."""
_NO_PARAMETERS: dict[str, Any] = {"type": "object", "properties": {}}
_TICKS_PER_UCR = 10
"""A tick is a ten-billionth of a dollar. Source: docs.x.ai, Cost Tracking."""
_MOST_TOKENS = 2**31 - 1
_MOST_TICKS = 10**16
"""A million dollars; beyond it a cost is a mistake."""
_STATUS_OF_CODE = (
    ("invalid", 400),
    ("unauthenticated", 401),
    ("permission", 403),
    ("not found", 404),
    ("exhausted", 429),
    ("deadline", 504),
    ("unavailable", 503),
)
"""Errors inside a stream name no status, but say its gRPC code in words."""
_USED_UP = ("used all available credits", "spending limit", "doesn't have any credits")
_ENCODER = msgspec.json.Encoder()
_replace = msgspec.structs.replace


class _InputDetails(Struct):
    cached_tokens: TokenCount | None = None


class _OutputDetails(Struct):
    reasoning_tokens: TokenCount | None = None


class _Usage(Struct):
    prompt_tokens: TokenCount
    completion_tokens: TokenCount
    total_tokens: Any = None
    prompt_tokens_details: _InputDetails | None = None
    completion_tokens_details: _OutputDetails | None = None
    cost_in_usd_ticks: Any = None


_USAGE = msgspec.json.Decoder(_Usage)


class XAI:
    """xAI's chat completions."""

    slug = "xai"
    default_base_url = "https://api.x.ai/v1"
    hosts = ("api.x.ai",)
    operations = frozenset({"chat"})

    def auth(self, key: str) -> dict[str, str]:
        """Give the header that carries the key."""
        return {"authorization": f"Bearer {key}"}

    def unsupported(self, request: ChatRequest) -> str | None:
        """Name what xAI's chat cannot do: sound, files, custom tools, biases, moderation."""
        if request.audio is not None or "audio" in (request.modalities or ()):
            return "audio"
        for field in ("logit_bias", "moderation", "web_search_options"):
            if getattr(request, field) is not None:
                return field
        if any(_has_unknown_part(message) for message in request.messages):
            return "messages"
        return beyond_functions(request)

    def build_chat(self, request: ChatRequest, target: Target) -> UpstreamRequest:
        """Write the request: the fields xAI documents, without those the model refuses.

        The ceiling goes as `max_tokens`: `max_completion_tokens` bounds visible output only, and
        what was paid for in advance must bound the reasoning too. Source: xAI's OpenAPI 1.0.0;
        github evalstate/fast-agent #276 (2025-07) for what `max_tokens` bounds; LiteLLM 1.109.1.
        """
        dropped = target.drop_parameters
        sent = ChatRequest(
            messages=[_message(message) for message in request.messages],
            model=target.model,
            max_tokens=(
                target.max_output_tokens or request.max_completion_tokens or request.max_tokens
            ),
            stream_options=_COUNTED if request.stream else None,
            **{name: getattr(request, name) for name in _SENT if name not in dropped},
        )
        if "stop" not in dropped:
            sent.stop = [request.stop] if isinstance(request.stop, str) else request.stop
        if "tools" not in dropped and request.tools is not None:
            sent.tools = [_tool(tool) for tool in request.tools if isinstance(tool, FunctionTool)]
        effort = request.reasoning_effort
        if effort is not None and "reasoning_effort" not in dropped:
            sent.reasoning_effort = _EFFORTS.get(effort, effort)
        return UpstreamRequest(
            path="/chat/completions",
            body=_ENCODER.encode(sent),
            headers=_EVENTS if request.stream else _JSON,
        )

    def parse_chat(self, request: ChatRequest, target: Target, answer: UpstreamAnswer) -> Reply:
        """Read a finished answer and write it as OpenAI would. Raises: UpstreamFailure."""
        if answer.status != 200:
            raise self.parse_error(answer.status, answer.headers, answer.body)
        reply = read_answer(answer.body, read_usage)
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
        words = _words(body)
        return failure_meant(_meant(status, words), status, headers, words, hosts=self.hosts)


def read_usage(raw: Raw) -> ChatUsage | None:
    """Read xAI's usage; None if it is missing or not to be believed.

    `completion_tokens` is visible output; reasoning comes on top, unless the total says otherwise.
    Some models count cached input apart from `prompt_tokens`, which shows where it is more.
    Source: xAI's OpenAPI 1.0.0 (its example); docs.x.ai, Consumption and Rate Limits; github
    vercel/ai #12425, #12485 (2026-02).
    """
    try:
        usage = _USAGE.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    details = usage.prompt_tokens_details or _InputDetails()
    cached = details.cached_tokens or 0
    apart = cached > usage.prompt_tokens
    reasoning = (usage.completion_tokens_details or _OutputDetails()).reasoning_tokens or 0
    total = usage.prompt_tokens + usage.completion_tokens
    together = usage.total_tokens == total and reasoning <= usage.completion_tokens
    output_tokens = usage.completion_tokens + (0 if together else reasoning)
    input_tokens = usage.prompt_tokens + (cached if apart else 0)
    if max(input_tokens, output_tokens) > _MOST_TOKENS:
        return None
    return ChatUsage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cached_input_tokens=cached,
        reasoning_tokens=min(reasoning, output_tokens),
        provider_cost_ucr=_cost_ucr(usage.cost_in_usd_ticks),
    )


def _cost_ucr(ticks: object) -> int | None:
    """Give what xAI says the call cost, in µcr, rounded up; None if it says nothing believable."""
    if type(ticks) is not int or not 0 <= ticks <= _MOST_TICKS:
        return None
    return -(-ticks // _TICKS_PER_UCR)


def _words(body: bytes) -> ErrorWords:
    """Read an error: an object like OpenAI's, or a text beside a code; the text may be quoted as
    in an address.
    """
    words = read_error(body)
    message = words.message
    if "%20" in message and " " not in message:
        message = unquote(message)
    quota = words.quota or any(phrase in message for phrase in _USED_UP)
    return _replace(words, message=message, quota=quota)


def _meant(status: int, words: ErrorWords) -> int:
    """Tell what an error is about: a wrong key is a 400, used up credits and moderation a 403."""
    text = words.message.lower()
    if words.quota:
        return 429
    if "api key" in text and "incorrect" in text:
        return 401
    if "usage guidelines" in text:
        return 400
    return status


def _message(message: Message) -> Message:
    """Give a message as xAI knows it: four roles, no names, no marks of other providers."""
    if isinstance(message, UserMessage):
        return UserMessage(content=_parts(message.content))
    if isinstance(message, SystemMessage | DeveloperMessage):
        return SystemMessage(content=_parts(message.content))
    if isinstance(message, ToolMessage):
        return ToolMessage(content=_parts(message.content), tool_call_id=message.tool_call_id)
    if isinstance(message, AssistantMessage):
        return _answer(message)
    return message


def _answer(message: AssistantMessage) -> AssistantMessage:
    """Give an earlier answer; its reasoning is handed back, a refusal becomes what was said."""
    content = message.content if message.content is not None else message.refusal
    calls: list[FunctionCallPart | CustomCallPart] = [
        FunctionCallPart(id=call.id, function=call.function)
        for call in message.tool_calls or ()
        if isinstance(call, FunctionCallPart)
    ]
    return AssistantMessage(
        content=None if content is None else _parts(content),
        tool_calls=calls or None,
        reasoning_content=message.reasoning_content,
    )


def _parts(content: Any) -> Any:  # noqa: ANN401  four kinds of messages, each with parts of its own
    return content if isinstance(content, str) else [_part(part) for part in content]


def _part(part: TextPart | ImagePart | AudioPart | FilePart | RefusalPart) -> object:
    """Give a part without marks for the prompt cache, which xAI fills by itself."""
    if isinstance(part, TextPart):
        return TextPart(text=part.text)
    if isinstance(part, ImagePart):
        return ImagePart(image_url=part.image_url)
    if isinstance(part, RefusalPart):
        return TextPart(text=part.refusal)
    return part


def _tool(tool: FunctionTool) -> FunctionTool:
    """Give a tool; `parameters` must be there, `strict` is refused."""
    asked = tool.function
    function = Function(
        name=asked.name,
        description=asked.description,
        parameters=_NO_PARAMETERS if asked.parameters is None else asked.parameters,
    )
    return FunctionTool(function=function)


def _has_unknown_part(message: Message) -> bool:
    if isinstance(message, AssistantMessage):
        return message.audio is not None
    content = message.content if isinstance(message, UserMessage) else None
    return isinstance(content, list) and any(
        isinstance(part, AudioPart | FilePart) for part in content
    )


class _Stream(RewrittenStream):
    """A stream of xAI's."""

    _usage_of = staticmethod(read_usage)

    def _failure(self, payload: bytes) -> UpstreamFailure:
        words = _words(payload)
        kind = words.kind.lower().replace("-", " ").replace("_", " ")
        status = next((status for word, status in _STATUS_OF_CODE if word in kind), 500)
        return failure_meant(_meant(status, words), status, {}, words, hosts=self._hosts)


PROVIDER = XAI()
