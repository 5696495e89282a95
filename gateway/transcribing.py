"""Speech written down: how long a stranger's sound is, and what single.py's walk needs of it.

A transcription is paid for by the length of its sound, which is measured before anything is held:
what is held is what is charged.
"""

import msgspec

from billing.pricing import CallPrice, PriceBookSnapshot, TokenUsage
from billing.pricing_items import MediaPrice
from gateway.catalogue.snapshot import Route
from gateway.operations.chat import ChatUsage
from gateway.operations.media import MediaUse
from gateway.operations.transcription import (
    MOST_SOUND_MS,
    SoundKind,
    TranscriptionRequest,
    written_transcript,
)
from gateway.providers.base import Provider, Target, UpstreamAnswer, UpstreamRequest
from gateway.providers.transcriptions import hears
from gateway.single_quotes import Done
from gateway.sound_children import sounds
from studio.core.errors import InvalidRequest

_NO_TOKENS = ChatUsage(input_tokens=0, output_tokens=0, source="counted")


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A transcript in the form that was asked for."""

    body: bytes
    media_type: str


class LengthPrice(msgspec.Struct, frozen=True, kw_only=True):
    """What a sound of one length costs, whatever tokens a provider counts."""

    price: MediaPrice
    use: MediaUse

    def charge_ucr(self, usage: TokenUsage, markup_bp: int) -> int:
        """Give what the caller pays."""
        return self.price.charge_ucr(self.use, markup_bp)

    def cost_ucr(self, usage: TokenUsage) -> int:
        """Give what the provider bills us."""
        return self.price.cost_ucr(self.use)

    def list_ucr_by_meter(self, usage: TokenUsage) -> dict[str, int]:
        """Give the price of a second."""
        return dict(self.price.list_ucr_by_meter(self.use))


class TranscriptionWork:
    """One sound to be written down."""

    operation = "transcription"
    patience_s = 600.0
    ceiling = _NO_TOKENS
    estimate = _NO_TOKENS

    def __init__(self, request: TranscriptionRequest) -> None:
        self._request = request
        self.kind = request.asked_kind
        self.model = request.model
        self.media_ms: int | None = request.media_ms
        self.media_type = "application/json"

    def price(self, book: PriceBookSnapshot, route: Route) -> CallPrice | None:
        """Give what this sound costs on a route."""
        found = book.media(self.operation, route.provider, route.model)
        if found is None:
            return None
        return LengthPrice(price=found, use=MediaUse(item_count=1, media_ms=self._request.media_ms))

    def serves(self, provider: Provider) -> bool:
        """Tell whether a provider writes speech down."""
        return hears(provider)

    def unsupported(self, provider: Provider, target: Target) -> str | None:
        """Name the field that this model cannot serve."""
        assert hears(provider), "the route was chosen for it"
        return provider.unsupported_transcription(self._request, target)

    def build(self, provider: Provider, target: Target) -> UpstreamRequest:
        """Write the provider's request."""
        assert hears(provider), "the route was chosen for it"
        return provider.build_transcription(self._request, target)

    def parse(self, provider: Provider, target: Target, answer: UpstreamAnswer) -> Done[Written]:
        """Read what was heard, and write it as it was asked for. Raises: UpstreamFailure."""
        assert hears(provider), "the route was chosen for it"
        heard = provider.parse_transcription(self._request, target, answer)
        body, media_type = written_transcript(heard.transcript, self._request, heard.tokens)
        self.media_type = media_type
        usage = _NO_TOKENS
        if heard.tokens is not None:
            usage = ChatUsage(
                input_tokens=heard.tokens.input_tokens, output_tokens=heard.tokens.output_tokens
            )
        return Done(answer=Written(body=body, media_type=media_type), usage=usage)

    def kept(self, answer: Written) -> bytes | None:
        """Keep the whole answer under an Idempotency-Key."""
        return answer.body


async def measure_sound(sound: bytes | bytearray, kind: SoundKind) -> int:
    """Measure a stranger's sound, in a process of its own. Returns: its length in ms, at least 1.

    Raises: InvalidRequest for what is no sound, has none, or is too long; SoundsBusy.
    """
    measured = await sounds.measure(sound, kind)
    if measured.too_long:
        hours = MOST_SOUND_MS // 3_600_000
        raise _refused(f"the sound is longer than {hours} hours")
    if measured.media_ms <= 0:
        raise _refused("there is no sound in it that can be read")
    return measured.media_ms


def _refused(reason: str) -> InvalidRequest:
    return InvalidRequest(f"file: {reason}.", details={"param": "file"})
