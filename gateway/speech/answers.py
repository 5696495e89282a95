"""What callers of the walk of speech get: a whole sound, or what is known before and after one."""

import time

import msgspec

from gateway.operations.speech import SpeechFormat, SpeechUse
from gateway.sound.formats import media_type_of
from gateway.speech.cache import KeptSound
from gateway.speech.quotes import SpeechQuote
from gateway.speech.sending import SpeechSound
from studio.core.errors import GatewayError


class Speech(msgspec.Struct, frozen=True, kw_only=True):
    """A whole sound. Amounts in µcr, `overhead_ms` is time not spent waiting for the provider.

    `voice` is the provider's own word or id. `cached` is whether it was made before and cost
    nothing; None where sounds of this call are neither kept nor looked for. `remaining_ucr` is None
    where no wallet was asked.
    """

    data: bytes
    format: SpeechFormat
    media_ms: int
    use: SpeechUse
    provider: str
    model: str
    voice: str
    charged_ucr: int
    remaining_ucr: int | None
    cached: bool | None
    sandbox: bool
    deprecation: str
    overhead_ms: float
    attempts: int

    @property
    def media_type(self) -> str:
        """The media type of its format."""
        return media_type_of(self.format)


class SpeechHead(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a sound before it comes. `held_ucr` is None where nothing was held."""

    format: SpeechFormat
    provider: str
    model: str
    voice: str
    held_ucr: int | None
    cached: bool | None
    sandbox: bool
    deprecation: str
    overhead_ms: float
    attempts: int

    @property
    def media_type(self) -> str:
        """The media type of its format."""
        return media_type_of(self.format)


class SpeechEnd(msgspec.Struct, frozen=True, kw_only=True):
    """How a relayed sound ended: `failure` is set where it broke off. Amounts in µcr."""

    use: SpeechUse
    media_ms: int
    charged_ucr: int
    failure: GatewayError | None


def whole_of(quote: SpeechQuote, sound: SpeechSound, data: bytes, answered_s: float) -> Speech:
    """Give a whole sound that is not settled yet."""
    head = head_of(quote, sound)
    overhead_s = time.perf_counter() - quote.task.started_s - (answered_s - sound.sent_s)
    return Speech(
        data=data,
        format=head.format,
        media_ms=sound.media_ms,
        use=sound.used() or SpeechUse(source="none"),
        provider=head.provider,
        model=head.model,
        voice=head.voice,
        charged_ucr=0,
        remaining_ucr=None,
        cached=head.cached,
        sandbox=head.sandbox,
        deprecation=head.deprecation,
        overhead_ms=overhead_s * 1000,
        attempts=sound.attempts,
    )


def head_of(quote: SpeechQuote, sound: SpeechSound | None) -> SpeechHead:
    """Say what is known of a sound; `sound` is None where it was made before."""
    sent_s = quote.task.started_s if sound is None else sound.sent_s
    return SpeechHead(
        format=quote.request.format,
        provider=quote.route.provider,
        model=quote.route.model,
        voice=quote.request.voice,
        held_ucr=quote.hold_ucr if sound is not None and quote.billing == "credits" else None,
        cached=sound is None if quote.shares else None,
        sandbox=quote.upstream.sandbox,
        deprecation=quote.deprecation,
        overhead_ms=(sent_s - quote.task.started_s) * 1000,
        attempts=0 if sound is None else sound.attempts,
    )


def nothing_of(quote: SpeechQuote, kept: KeptSound) -> SpeechUse:
    """Say what a sound that was made before took: characters, and nothing to pay."""
    return SpeechUse(character_count=len(quote.request.text), media_ms=kept.media_ms, source="none")
