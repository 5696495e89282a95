"""One chat request, field for field as OpenAI documents it, plus our own `kind`.

Source: github openai/openai-openapi v2.3.0 (2026-08-21), CreateChatCompletionRequest.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from gateway.operations.chat_messages import (
    CustomToolEntry,
    Function,
    FunctionTool,
    Message,
    Named,
    ResponseFormat,
    TextPart,
    ToolChoice,
)
from gateway.operations.json_body import MAX_INTEGER

_Penalty = Annotated[float, Meta(ge=-2, le=2)]
_TokenLimit = Annotated[int, Meta(ge=1, le=MAX_INTEGER)]
_Bias = Annotated[int, Meta(ge=-100, le=100)]


class _Options(Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """An object of settings whose fields are all listed."""


class StreamOptions(_Options):
    """What a stream carries beside the answer."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class CustomVoice(_Options):
    """A voice of the caller's own."""

    id: str


class AudioOutput(_Options):
    """How the model speaks."""

    voice: str | CustomVoice
    format: Literal["wav", "aac", "mp3", "flac", "opus", "pcm16"]


class Prediction(_Options):
    """Text that most of the answer is expected to repeat."""

    type: Literal["content"]
    content: str | Annotated[list[TextPart], Meta(min_length=1)]


class ApproximatePlace(_Options):
    """Roughly where the user is."""

    country: str | None = None
    region: str | None = None
    city: str | None = None
    timezone: str | None = None


class UserLocation(_Options):
    """Where a web search is made from."""

    type: Literal["approximate"]
    approximate: ApproximatePlace


class WebSearchOptions(_Options):
    """A web search before the answer."""

    user_location: UserLocation | None = None
    search_context_size: Literal["low", "medium", "high"] | None = None


class ModerationMode(_Options):
    """What a moderation does."""

    mode: Literal["score", "block"]


class ModerationPolicy(_Options):
    """What is moderated."""

    input: ModerationMode | None = None
    output: ModerationMode | None = None


class Moderation(_Options):
    """Moderation along with the answer."""

    model: str
    policy: ModerationPolicy | None = None


class PromptCacheOptions(_Options):
    """How the provider caches prompts."""

    mode: Literal["implicit", "explicit"] | None = None
    ttl: Literal["30m"] | None = None


class Thinking(_Options):
    """How long a model may think, as Anthropic says it; `reasoning_effort` is OpenAI's word."""

    type: Literal["enabled", "adaptive", "disabled"]
    budget_tokens: Annotated[int, Meta(ge=1, le=MAX_INTEGER)] | None = None


class ChatRequest(Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """One chat. Null counts as absent; what is absent is left to the provider's default.

    `top_k` and `thinking` are not OpenAI's; providers that do not know them are not told.

    `seed` is the one integer that may pass 2^53: OpenAI documents the whole 64-bit range.
    """

    messages: Annotated[list[Message], Meta(min_length=1)]
    model: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    kind: Annotated[str, Meta(min_length=1, max_length=128)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    n: Annotated[int, Meta(ge=1, le=128)] | None = None
    max_completion_tokens: _TokenLimit | None = None
    max_tokens: _TokenLimit | None = None
    stop: str | Annotated[list[str], Meta(min_length=1, max_length=4)] | None = None
    presence_penalty: _Penalty | None = None
    frequency_penalty: _Penalty | None = None
    logit_bias: dict[str, _Bias] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    seed: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    response_format: ResponseFormat | None = None
    tools: list[FunctionTool | CustomToolEntry] | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    functions: Annotated[list[Function], Meta(min_length=1, max_length=128)] | None = None
    function_call: Literal["none", "auto"] | Named | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = (
        None
    )
    verbosity: Literal["low", "medium", "high"] | None = None
    service_tier: Literal["auto", "default", "flex", "scale", "priority", "fast"] | None = None
    modalities: list[Literal["text", "audio"]] | None = None
    audio: AudioOutput | None = None
    prediction: Prediction | None = None
    store: bool | None = None
    metadata: (
        Annotated[
            dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=512)]],
            Meta(max_length=16),
        ]
        | None
    ) = None
    user: str | None = None
    safety_identifier: Annotated[str, Meta(max_length=64)] | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: PromptCacheOptions | None = None
    prompt_cache_retention: Literal["in_memory", "24h"] | None = None
    web_search_options: WebSearchOptions | None = None
    moderation: Moderation | None = None
    top_k: Annotated[int, Meta(ge=1, le=MAX_INTEGER)] | None = None
    thinking: Thinking | None = None

    @property
    def wants_usage(self) -> bool:
        """Whether the caller of a stream asked for the usage chunk."""
        return self.stream_options is not None and self.stream_options.include_usage is True
