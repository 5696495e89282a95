"""OpenAI. Source: github openai/openai-openapi v2.3.0 (2026-08-21); `openai` Python SDK 3.52.0."""

import copy
from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from gateway.operations.chat import ChatRequest
from gateway.operations.chat_request import StreamOptions
from gateway.operations.json_body import MAX_INTEGER
from gateway.operations.realtime import SECRET_LIFE_S, RealtimeRequest, RealtimeSecret
from gateway.providers.base import (
    ChatStream,
    Reply,
    Target,
    UpstreamAnswer,
    UpstreamFailure,
    UpstreamInvalid,
    UpstreamRequest,
)
from gateway.providers.chunk_stream import ChunkStream
from gateway.providers.embeddings_form import OpenAIEmbeddings
from gateway.providers.failures import failure_for
from gateway.providers.openai_form import (
    read_answer,
    read_error,
    tools_without_extensions,
    without_extensions,
)
from gateway.providers.openai_images import OpenAIImages
from gateway.providers.openai_speech import OpenAISpeech
from gateway.providers.transcriptions import OpenAITranscriptions

_JSON = {"content-type": "application/json", "accept": "application/json"}
_EVENTS = {"content-type": "application/json", "accept": "text/event-stream"}
_COUNTED = StreamOptions(include_usage=True, include_obfuscation=False)
"""Usage is what we charge by; padding against traffic analysis is noise behind our own TLS."""
_OURS = frozenset(
    {"messages", "model", "kind", "stream", "stream_options", "max_completion_tokens"}
)
_DROPPABLE = frozenset(ChatRequest.__struct_fields__) - _OURS
_ENCODER = msgspec.json.Encoder()


class _Secret(Struct):
    """The part of a realtime secret that is handed on."""

    value: Annotated[str, Meta(pattern=r"\A[!-~]{1,4096}\Z")]
    expires_at: Annotated[int, Meta(ge=1, le=MAX_INTEGER)]


_SECRET = msgspec.json.Decoder(_Secret)


class OpenAI(OpenAIEmbeddings, OpenAIImages, OpenAISpeech, OpenAITranscriptions):
    """OpenAI's chats, embeddings, images, speech, transcriptions and realtime secrets."""

    slug = "openai"
    default_base_url = "https://api.openai.com/v1"
    hosts = ("api.openai.com",)
    operations = frozenset({"chat", "embedding", "image", "realtime", "speech", "transcription"})

    def auth(self, key: str) -> dict[str, str]:
        """Give the header that carries the key."""
        return {"authorization": f"Bearer {key}"}

    def unsupported(self, request: ChatRequest) -> str | None:
        """Say that everything a chat may ask for is OpenAI's own."""
        return None

    def build_chat(self, request: ChatRequest, target: Target) -> UpstreamRequest:
        """Write the request: the route's model and ceiling, everything else as the caller said it.

        `max_tokens` is deprecated and refused by reasoning models: its value moves to
        `max_completion_tokens`.
        """
        sent = copy.copy(request)
        sent.kind = None
        sent.model = target.model
        sent.max_completion_tokens = (
            target.max_output_tokens or request.max_completion_tokens or request.max_tokens
        )
        sent.max_tokens = None
        sent.messages = without_extensions(request.messages)
        sent.tools = tools_without_extensions(request.tools)
        sent.top_k = sent.thinking = None
        if request.stream:
            sent.stream_options = _COUNTED
        for name in target.drop_parameters:
            if name in _DROPPABLE:
                setattr(sent, name, None)
        return UpstreamRequest(
            path="/chat/completions",
            body=_ENCODER.encode(sent),
            headers=_EVENTS if request.stream else _JSON,
        )

    def parse_chat(self, request: ChatRequest, target: Target, answer: UpstreamAnswer) -> Reply:
        """Read a finished answer; its bytes go to the caller untouched. Raises: UpstreamFailure."""
        if answer.status != 200:
            raise self.parse_error(answer.status, answer.headers, answer.body)
        return read_answer(answer.body)

    def open_chat_stream(self, request: ChatRequest, target: Target) -> ChatStream:
        """Begin to read the stream that answers this request."""
        return ChunkStream(
            wants_usage=request.wants_usage, hosts=self.hosts, measures_text=not request.logprobs
        )

    def build_realtime(self, request: RealtimeRequest, target: Target) -> UpstreamRequest:
        """Write the request for a secret that opens sessions with this model and voice."""
        session: dict[str, object] = {"type": "realtime", "model": target.model}
        if request.voice is not None:
            session["audio"] = {"output": {"voice": request.voice}}
        life = {"anchor": "created_at", "seconds": SECRET_LIFE_S}
        body = _ENCODER.encode({"expires_after": life, "session": session})
        return UpstreamRequest(path="/realtime/client_secrets", body=body, headers=_JSON)

    def parse_realtime(self, answer: UpstreamAnswer) -> RealtimeSecret:
        """Read the secret; the session it came with is not needed. Raises: UpstreamFailure."""
        if answer.status != 200:
            raise self.parse_error(answer.status, answer.headers, answer.body)
        try:
            secret = _SECRET.decode(answer.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UpstreamInvalid("The provider's answer is not a secret.") from error
        return RealtimeSecret(value=secret.value, expires_at=secret.expires_at)

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFailure:
        """Read an answer that is no success."""
        return failure_for(status, headers, read_error(body), hosts=self.hosts)


PROVIDER = OpenAI()
