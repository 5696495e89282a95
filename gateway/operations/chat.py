"""Chat: the request as OpenAI documents it, read strictly, plus our own `kind`. No provider's habits live here.

Source: github openai/openai-openapi v2.3.0 (2026-08-21), CreateChatCompletionRequest.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from gateway.operations.chat_messages import (
    AllowedToolsChoice,
    CustomToolEntry,
    FilePart,
    Function,
    FunctionTool,
    JsonSchemaFormat,
    Message,
    Named,
    ResponseFormat,
    TextPart,
    ToolChoice,
    UserMessage,
)
from gateway.operations.chat_tokens import (
    ChatUsage,
    input_token_ceiling,
    input_token_estimate,
    output_token_ceiling,
)
from gateway.operations.json_body import MAX_INTEGER, check_numbers, check_shape, read_body
from studio.core.errors import InvalidRequest

__all__ = [
    "ChatRequest",
    "ChatUsage",
    "decode_chat",
    "input_token_ceiling",
    "input_token_estimate",
    "names_model_only",
    "output_token_ceiling",
    "speaks_core",
    "unpriced_options",
]

NO_MESSAGES = "messages array is required and must not be empty"

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


class ChatRequest(Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """One chat. Null counts as absent; what is absent is left to the provider's default.

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

    @property
    def wants_usage(self) -> bool:
        """Whether the caller of a stream asked for the usage chunk."""
        return self.stream_options is not None and self.stream_options.include_usage is True


class _Named(Struct):
    """The two fields that tell whose client is speaking."""

    model: Any = UNSET
    kind: Any = UNSET


_REQUEST = msgspec.json.Decoder(ChatRequest)
_NAMED = msgspec.json.Decoder(_Named)


def decode_chat(body: bytes) -> ChatRequest:
    """Read a chat request.

    Raises: InvalidRequest for every body that is not exactly that, whatever its bytes.
    """
    try:
        request = read_body(_REQUEST, body)
    except InvalidRequest as error:
        if error.details.get("param") == "messages":
            raise InvalidRequest(NO_MESSAGES, details={"param": "messages"}) from error
        raise
    if request.stream_options is not None and not request.stream:
        raise _refused("stream_options", "only allowed when stream is true")
    if request.tools or request.functions or request.response_format or request.tool_choice:
        for value in _free_values(request):
            check_numbers(value)
    _refuse_file_ids(request)
    return request


def speaks_core(request: ChatRequest) -> bool:
    """Tell whether this is an OpenAI client: it names a model and no kind (api.md 1)."""
    return request.model is not None and request.kind is None


def names_model_only(body: bytes) -> bool:
    """Say the same of a body that `decode_chat` refused; False if it cannot be read at all."""
    try:
        check_shape(body)
        named = _NAMED.decode(body)
    except (InvalidRequest, msgspec.DecodeError, UnicodeDecodeError):
        return False
    return not isinstance(named.model, UnsetType | None) and isinstance(
        named.kind, UnsetType | None
    )


def unpriced_options(request: ChatRequest) -> list[str]:
    """Name the options in use that providers bill by other rates than the model's tokens.

    Whoever prices the call refuses them unless it has a price for them: nothing is free by accident.
    Source: OpenAI's price list by service tier and tool (wire/openai.md, read 2026-11-21); flex is cheaper, so it passes.
    """
    found = []
    if request.service_tier in ("scale", "priority", "fast"):
        found.append("service_tier")
    if request.web_search_options is not None:
        found.append("web_search_options")
    if request.audio is not None or "audio" in (request.modalities or ()):
        found.append("audio")
    return found


def _free_values(request: ChatRequest) -> Iterator[Any]:
    """Give the parts that callers fill freely (JSON Schema and the like)."""
    for tool in request.tools or ():
        if isinstance(tool, FunctionTool):
            yield tool.function.parameters
    for function in request.functions or ():
        yield function.parameters
    if isinstance(request.response_format, JsonSchemaFormat):
        yield request.response_format.json_schema.schema
    if isinstance(request.tool_choice, AllowedToolsChoice):
        yield request.tool_choice.allowed_tools.tools


def _refuse_file_ids(request: ChatRequest) -> None:
    """Refuse files by id: they lie in the account of the provider key, which callers share, at a cost nobody can bound."""
    for message in request.messages:
        if not isinstance(message, UserMessage) or isinstance(message.content, str):
            continue
        for part in message.content:
            if isinstance(part, FilePart) and part.file.file_id is not None:
                raise _refused("messages", "send files as file_data; file_id is not supported")


def _refused(param: str, reason: str) -> InvalidRequest:
    return InvalidRequest(f"{param}: {reason}", details={"param": param})
