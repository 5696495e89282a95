"""What of a text is asked for at once, and what is done to the sound of it on its way.

A text that one request of its model takes, in a format and at a speed that the provider knows, is
relayed untouched. Everything else is asked for as samples, piece by piece, and made here.
"""

import msgspec

from gateway.operations.speech import PCM_RATE_HZ, SpeechFormat, SpeechRequest
from gateway.providers.base import Target
from gateway.providers.speech import SpeechProvider
from gateway.sound.encoding import Encoder
from gateway.sound.joining import Joiner
from gateway.sound.sentences import cut
from gateway.sound.tempo import Tempo

_NEIGHBOUR_CHARACTERS = 300
"""Of the text before and after a piece: enough to know how a sentence goes on."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The requests of one text, in order, and how their sound is made ours.

    With `shaped` False there is one, and its sound goes out as it comes. `speed` is what is changed
    here, 1.0 where the provider did it.
    """

    pieces: tuple[SpeechRequest, ...]
    shaped: bool
    format: SpeechFormat
    speed: float = 1.0


def plan(provider: SpeechProvider, request: SpeechRequest, target: Target) -> Plan:
    """Say how a text is spoken by a provider."""
    most = provider.most_characters(target)
    keeps_speed = provider.keeps_speed(request, target)
    native = request.format in provider.native_formats(target)
    if len(request.text) <= most and keeps_speed and native:
        return Plan(pieces=(request,), shaped=False, format=request.format)
    texts = cut(request.text, most)
    return Plan(
        pieces=tuple(
            msgspec.structs.replace(
                request,
                text=text,
                format="pcm",
                speed=request.speed if keeps_speed else 1.0,
                text_before=texts[at - 1][-_NEIGHBOUR_CHARACTERS:] if at else "",
                text_after=texts[at + 1][:_NEIGHBOUR_CHARACTERS] if at + 1 < len(texts) else "",
            )
            for at, text in enumerate(texts)
        ),
        shaped=True,
        format=request.format,
        speed=1.0 if keeps_speed else request.speed,
    )


class Shaper:
    """Makes one sound of the pieces' samples: joined, at the right speed, in the right format.

    Used by one thread at a time.
    """

    def __init__(self, plan: Plan) -> None:
        self._joiner = Joiner(sample_rate=PCM_RATE_HZ) if len(plan.pieces) > 1 else None
        self._tempo = None if plan.speed == 1.0 else Tempo(plan.speed, sample_rate=PCM_RATE_HZ)
        self._encoder = Encoder(plan.format, sample_rate=PCM_RATE_HZ)

    def feed(self, pcm: bytes) -> bytes:
        """Take samples of the present piece; give what is made by now, maybe nothing."""
        joined = pcm if self._joiner is None else self._joiner.feed(pcm)
        return self._encoded(joined)

    def next_piece(self) -> None:
        """End a piece: what is fed now belongs to the next one."""
        if self._joiner is not None:
            self._joiner.next_part()

    def finish(self) -> bytes:
        """Give the rest; nothing may be fed after this."""
        rest = b"" if self._joiner is None else self._joiner.finish()
        made = self._encoded(rest)
        if self._tempo is not None:
            made += self._encoder.feed(self._tempo.finish())
        return made + self._encoder.finish()

    def _encoded(self, pcm: bytes) -> bytes:
        if self._tempo is not None:
            pcm = self._tempo.feed(pcm)
        return self._encoder.feed(pcm) if pcm else b""
