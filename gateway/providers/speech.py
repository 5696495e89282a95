"""What a provider of speech defines. Pure, as base.py's forms: bytes in, bytes out.

A text that is too long is cut before it comes here, a format or a speed that the provider lacks is
made here from its `pcm` (16-bit little-endian, one channel, 24 000 Hz).
"""

from collections.abc import Mapping
from typing import Protocol, TypeGuard

from gateway.operations.speech import SpeechFormat, SpeechRequest, SpeechUse
from gateway.providers.base import Provider, Target, UpstreamFailure, UpstreamRequest


class SpeechStream(Protocol):
    """A provider's answer becoming sound. Fed until it is `finished`, has a `failure`, or ends.

    It never raises: what is wrong with the bytes becomes `failure`, and from then on nothing is
    given out. Memory is bounded, whatever comes.
    """

    @property
    def finished(self) -> bool:
        """Whether the provider said it is done; stays False where only the body's end says so."""

    @property
    def failure(self) -> UpstreamFailure | None:
        """What went wrong after the answer had begun."""

    @property
    def use(self) -> SpeechUse | None:
        """What the provider told of tokens so far, `source` being `provider`; None if nothing."""

    def feed(self, data: bytes) -> bytes:
        """Take what was read; give the sound in it, in the format that was asked for."""

    def end(self) -> None:
        """Note that the body ended: an answer that is not whole (empty, cut) has a `failure`."""


class SpeechProvider(Provider, Protocol):
    """An upstream that speaks (`speech` is among its operations).

    `needs_deployment` is whether each model is at an address of the operator's own.
    """

    needs_deployment: bool

    def unsupported_speech(self, request: SpeechRequest, target: Target) -> str | None:
        """Name the field of the request that this model cannot serve at all; None if it can.

        What it can leave out without changing the sound's meaning, it leaves out.
        """

    def voice_of(self, request: SpeechRequest, target: Target) -> str:
        """Give the provider's own name or id of the voice that speaks, also where none was asked
        for.
        """

    def most_characters(self, target: Target) -> int:
        """Give how many characters of text one request takes."""

    def native_formats(self, target: Target) -> frozenset[SpeechFormat]:
        """Give the formats that the provider makes itself; `pcm` is always one of them."""

    def keeps_speed(self, request: SpeechRequest, target: Target) -> bool:
        """Tell whether the provider itself speaks at the request's speed.

        Where not, it is asked for `pcm` at speed 1.0 and the speed is changed here.
        """

    def build_speech(self, request: SpeechRequest, target: Target) -> UpstreamRequest:
        """Write the provider's request, by its streaming route where it has one; `request` is left
        as it is. Its `format` is a native one.
        """

    def open_speech(
        self, request: SpeechRequest, target: Target, headers: Mapping[str, str]
    ) -> SpeechStream:
        """Begin to read the answer (status 200) to this request; `headers` are the answer's."""


def speaks(provider: Provider) -> TypeGuard[SpeechProvider]:
    """Tell whether a provider speaks."""
    return "speech" in provider.operations
