"""What the walk of single.py needs to know of each operation: embeddings, realtime secrets."""

from billing.pricing import CallPrice, PriceBookSnapshot
from gateway.catalogue.snapshot import Route
from gateway.operations.chat import ChatUsage
from gateway.operations.embedding import EmbeddingRequest, token_ceiling, token_estimate
from gateway.operations.realtime import RealtimeRequest, RealtimeSecret
from gateway.providers.base import (
    Provider,
    Target,
    UpstreamAnswer,
    UpstreamRequest,
    embeds,
    opens_realtime,
)
from gateway.single_quotes import Done

_NO_TOKENS = ChatUsage(input_tokens=0, output_tokens=0, source="none")


class _SilentWork:
    """What operations without sound have in common."""

    operation: str
    media_ms: int | None = None
    media_type = "application/json"

    def price(self, book: PriceBookSnapshot, route: Route) -> CallPrice | None:
        """Give what a route costs."""
        return book.price(self.operation, route.provider, route.model)


class EmbeddingWork(_SilentWork):
    """Embeddings: paid for by their input tokens; the answer is OpenAI-shaped JSON."""

    operation = "embedding"
    patience_s = 120.0

    def __init__(self, request: EmbeddingRequest) -> None:
        self._request = request
        self.kind = request.kind
        self.model = request.model
        self.ceiling = token_ceiling(request)
        self.estimate = token_estimate(request)

    def serves(self, provider: Provider) -> bool:
        """Tell whether a provider has embeddings."""
        return embeds(provider)

    def unsupported(self, provider: Provider, target: Target) -> str | None:
        """Name the field that this provider cannot serve."""
        assert embeds(provider), "the route was chosen for it"
        return provider.unsupported_embedding(self._request)

    def build(self, provider: Provider, target: Target) -> UpstreamRequest:
        """Write the provider's request."""
        assert embeds(provider), "the route was chosen for it"
        return provider.build_embeddings(self._request, target)

    def parse(self, provider: Provider, target: Target, answer: UpstreamAnswer) -> Done[bytes]:
        """Read the vectors. Raises: UpstreamFailure."""
        assert embeds(provider), "the route was chosen for it"
        reply = provider.parse_embeddings(self._request, target, answer)
        return Done(answer=reply.body, usage=reply.usage)

    def kept(self, answer: bytes) -> bytes | None:
        """Keep the whole answer under an Idempotency-Key."""
        return answer


class RealtimeWork(_SilentWork):
    """A secret for a realtime session: paid for by the session, and never kept."""

    operation = "realtime"
    patience_s = 30.0
    ceiling = _NO_TOKENS
    estimate = _NO_TOKENS

    def __init__(self, request: RealtimeRequest) -> None:
        self._request = request
        self.kind = request.kind
        self.model = request.model

    def serves(self, provider: Provider) -> bool:
        """Tell whether a provider gives secrets."""
        return opens_realtime(provider)

    def unsupported(self, provider: Provider, target: Target) -> str | None:
        """Say that a session needs nothing beyond its model."""
        return None

    def build(self, provider: Provider, target: Target) -> UpstreamRequest:
        """Write the provider's request."""
        assert opens_realtime(provider), "the route was chosen for it"
        return provider.build_realtime(self._request, target)

    def parse(
        self, provider: Provider, target: Target, answer: UpstreamAnswer
    ) -> Done[RealtimeSecret]:
        """Read the secret. Raises: UpstreamFailure."""
        assert opens_realtime(provider), "the route was chosen for it"
        return Done(answer=provider.parse_realtime(answer), usage=_NO_TOKENS)

    def kept(self, answer: RealtimeSecret) -> None:
        """Keep nothing: whoever repeats an Idempotency-Key learns only that it was answered."""
        return
