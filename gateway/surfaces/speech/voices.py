"""GET /speech/voices and /speech/voices/{name}: the voices of this API."""

import msgspec

from gateway.surfaces.door import Answer, Request
from gateway.surfaces.speech.bodies import voices_here
from gateway.surfaces.speech.entry import speech_entered
from gateway.voices.queries import VoiceFacts
from studio.core.errors import NotFound

_PREFIX = "/speech/voices/"


class VoiceLine(msgspec.Struct, kw_only=True):
    """A voice in the list."""

    name: str
    gender: str
    archetype: str
    characteristics: tuple[str, ...]


class VoiceDetails(VoiceLine, kw_only=True):
    """A voice by itself."""

    example_text: str
    supported_emotions: list[str]


class VoiceList(msgspec.Struct):
    """All of them."""

    voices: list[VoiceLine]


async def voices(request: Request) -> Answer:
    """List the voices."""
    async with speech_entered(request, "speech"):
        found = await voices_here(request.runtime)
    return Answer(body=msgspec.json.encode(VoiceList([_line(voice) for voice in found])))


async def voice(request: Request) -> Answer:
    """Describe one voice. Raises: NotFound."""
    name = request.path.removeprefix(_PREFIX)
    async with speech_entered(request, "speech"):
        for found in await voices_here(request.runtime):
            if found.slug == name.lower():
                return Answer(body=msgspec.json.encode(_details(found)))
        raise NotFound(f'There is no voice "{name[:100]}".')


def _line(voice: VoiceFacts) -> VoiceLine:
    return VoiceLine(
        name=voice.slug,
        gender=voice.gender,
        archetype=voice.archetype,
        characteristics=voice.characteristics,
    )


def _details(voice: VoiceFacts) -> VoiceDetails:
    return VoiceDetails(
        name=voice.slug,
        gender=voice.gender,
        archetype=voice.archetype,
        characteristics=voice.characteristics,
        example_text=voice.example_text,
        supported_emotions=sorted(voice.emotions),
    )
