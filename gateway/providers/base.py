"""What a provider file defines, and the forms it takes and gives. Pure: bytes in, bytes out."""

from collections.abc import Mapping
from typing import Protocol, TypeGuard

from msgspec import Struct

from gateway.operations.chat import ChatRequest, ChatUsage
from gateway.operations.embedding import EmbeddingRequest
from gateway.operations.realtime import RealtimeRequest, RealtimeSecret
from gateway.providers.failures import (
    UpstreamError,
    UpstreamFailure,
    UpstreamInvalid,
    UpstreamOverloaded,
    UpstreamQuota,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)

__all__ = [
    "ChatProvider",
    "ChatStream",
    "EmbeddingProvider",
    "EmbeddingReply",
    "Provider",
    "RealtimeProvider",
    "Reply",
    "Target",
    "UpstreamAnswer",
    "UpstreamError",
    "UpstreamFailure",
    "UpstreamInvalid",
    "UpstreamOverloaded",
    "UpstreamQuota",
    "UpstreamRefused",
    "UpstreamRequest",
    "UpstreamResponse",
    "UpstreamTimeout",
    "UpstreamUnreachable",
    "chats",
    "embeds",
    "opens_realtime",
]


class Target(Struct, frozen=True, kw_only=True):
    """Where a request goes: the provider's own model id, and what the catalogue says of it.

    `max_output_tokens` is the ceiling per choice that was paid for in advance; None leaves it open.
    `drop_parameters` are request fields this model refuses. A translated answer is called
    `answer_id` and dated `created_s` (Unix seconds).
    """

    model: str
    max_output_tokens: int | None = None
    drop_parameters: tuple[str, ...] = ()
    answer_id: str = "chatcmpl-0"
    created_s: int = 0


class UpstreamRequest(Struct, frozen=True, kw_only=True):
    """One HTTP request, without its key and without its host; `path` follows the base URL."""

    path: str
    body: bytes
    headers: dict[str, str]
    method: str = "POST"


class UpstreamAnswer(Struct, frozen=True, kw_only=True):
    """A provider's whole answer; `headers` are looked up in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Reply(Struct, frozen=True, kw_only=True):
    """A finished answer.

    `body` is OpenAI-shaped JSON for the caller. `usage` is None where the provider told none that
    can be believed; then `counted_tokens` is our own count of the output. `finish_reason` is a word
    of OpenAI's or `other`. `delivered` is False where there is nothing in it to pay for: no text,
    no call, no sound (a moderation block, say).
    """

    body: bytes
    usage: ChatUsage | None
    counted_tokens: int
    finish_reason: str
    model: str
    delivered: bool


class EmbeddingReply(Struct, frozen=True, kw_only=True):
    """A finished answer to a request for embeddings.

    `body` is OpenAI-shaped JSON for the caller: as many vectors as there were inputs, in their
    order, in the form that was asked for. `usage` is ours where the provider told none that can be
    believed; its `source` says so.
    """

    body: bytes
    usage: ChatUsage


class UpstreamResponse(Protocol):
    """A provider's answer as the transport hands it on: headers are here, the body may be coming.

    `headers` are looked up in lower case.
    """

    @property
    def status(self) -> int:
        """The HTTP status."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The HTTP headers."""

    async def read(self) -> bytes:
        """Read the whole body. Raises: UpstreamFailure."""

    async def read_some(self) -> bytes:
        """Wait for the next bytes; empty at the end. Raises: UpstreamFailure."""

    def at_end(self) -> bool:
        """Tell whether the whole body was read."""

    def release(self) -> None:
        """Give the connection back for the next call."""

    def close(self) -> None:
        """Drop the connection."""


class ChatStream(Protocol):
    """A provider's stream becoming ours. Feed it until it is `finished`, has a `failure`, or ends.

    It never raises: what is wrong with the bytes becomes `failure`, and from then on nothing is
    relayed. Memory is bounded, whatever comes.
    """

    @property
    def finished(self) -> bool:
        """Whether the provider said it is done. An end without that is premature."""

    @property
    def failure(self) -> UpstreamFailure | None:
        """What went wrong after the answer had begun."""

    @property
    def usage(self) -> ChatUsage | None:
        """The provider's last readable usage."""

    @property
    def relayed_tokens(self) -> int:
        """Our own count of output tokens given out so far; 0 only if there was no output at all."""

    @property
    def finish_reason(self) -> str | None:
        """The last finish reason: a word of OpenAI's, or `other`."""

    def feed(self, data: bytes) -> bytes:
        """Take what was read; give what may be relayed now. Whole events only, never the end."""

    def closing_bytes(
        self, *, usage: ChatUsage | None, charge_ucr: int, failure: UpstreamFailure | None
    ) -> bytes:
        """Give the end: the usage chunk if it was asked for, then an error event or `[DONE]`."""


class Provider(Protocol):
    """An upstream, whatever it serves."""

    @property
    def slug(self) -> str:
        """Its name in the catalogue, the settings and the price book."""

    @property
    def default_base_url(self) -> str:
        """Where it is reached unless the operator says otherwise."""

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts it is known by; none of them appears in what callers see."""

    @property
    def operations(self) -> frozenset[str]:
        """What it serves."""

    def auth(self, key: str) -> dict[str, str]:
        """Give the headers that carry the key, the only place where it ever goes."""

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFailure:
        """Read an answer that is no success. Returns the failure for the caller to raise."""


class ChatProvider(Provider, Protocol):
    """An upstream that answers chats (`chat` is among its operations)."""

    def unsupported(self, request: ChatRequest) -> str | None:
        """Name the field of the request that this provider cannot serve at all; None if it can.

        What it can leave out without changing the answer's meaning, it leaves out.
        """

    def build_chat(self, request: ChatRequest, target: Target) -> UpstreamRequest:
        """Write the provider's request; `request` is left as it is.

        Raises: InvalidRequest for what only this provider's form brings to light.
        """

    def parse_chat(self, request: ChatRequest, target: Target, answer: UpstreamAnswer) -> Reply:
        """Read a finished answer. Raises: UpstreamFailure."""

    def open_chat_stream(self, request: ChatRequest, target: Target) -> ChatStream:
        """Begin to read the stream that answers this request."""


class EmbeddingProvider(Provider, Protocol):
    """An upstream that turns texts into vectors (`embedding` is among its operations)."""

    def unsupported_embedding(self, request: EmbeddingRequest) -> str | None:
        """Name the field of the request that this provider cannot serve at all; None if it can."""

    def build_embeddings(self, request: EmbeddingRequest, target: Target) -> UpstreamRequest:
        """Write the provider's request; `request` is left as it is."""

    def parse_embeddings(
        self, request: EmbeddingRequest, target: Target, answer: UpstreamAnswer
    ) -> EmbeddingReply:
        """Read a finished answer. Raises: UpstreamFailure, also where vectors are missing."""


class RealtimeProvider(Provider, Protocol):
    """An upstream that clients talk to themselves, by a secret (`realtime` is among its
    operations).
    """

    def build_realtime(self, request: RealtimeRequest, target: Target) -> UpstreamRequest:
        """Write the request for a secret."""

    def parse_realtime(self, answer: UpstreamAnswer) -> RealtimeSecret:
        """Read the secret. Raises: UpstreamFailure."""


def chats(provider: Provider) -> TypeGuard[ChatProvider]:
    """Tell whether a provider answers chats."""
    return "chat" in provider.operations


def embeds(provider: Provider) -> TypeGuard[EmbeddingProvider]:
    """Tell whether a provider serves embeddings."""
    return "embedding" in provider.operations


def opens_realtime(provider: Provider) -> TypeGuard[RealtimeProvider]:
    """Tell whether a provider gives secrets for realtime sessions."""
    return "realtime" in provider.operations
