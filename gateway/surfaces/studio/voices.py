"""/v1/voices: which voices there are, and how they sound."""

from typing import Any
from urllib.parse import parse_qsl

import msgspec

from gateway.media.addresses import base_url
from gateway.surfaces.answers import Headers
from gateway.surfaces.door import Answer, Request
from gateway.surfaces.entry import entered
from gateway.voices.queries import VoiceFacts, known_voices, read_preview
from studio.core.errors import InvalidRequest, NotFound

_PREFIX = "/v1/voices/"
_FILTERS = ("provider", "language", "gender", "use")


class VoiceBody(msgspec.Struct, kw_only=True):
    """One voice. `voice` is what `/v1/voice` and `/v1/audio/speech` take by that name."""

    id: str
    name: str
    provider: str
    voice: str
    language: str
    gender: str
    archetype: str
    characteristics: tuple[str, ...]
    use: str
    emotions: list[str]
    example_text: str
    preview_url: str | None


class VoicesBody(msgspec.Struct):
    """Some of them."""

    voices: list[VoiceBody]


async def voices(request: Request) -> Answer:
    """List the voices that can be called; the query may narrow it by four of their facts."""
    async with entered(request, ""):
        wanted = _filters(request.query)
        runtime = request.runtime
        found = [
            _body(request, voice)
            for voice in await known_voices.at(runtime)
            if runtime.upstreams.reaches(voice.provider)
            and all(getattr(voice, name) == value for name, value in wanted.items())
        ]
        return Answer(body=msgspec.json.encode(VoicesBody(found)))


async def voice(request: Request) -> Answer:
    """Describe one voice. Raises: NotFound."""
    async with entered(request, ""):
        found = await known_voices.one(request.runtime, request.path.removeprefix(_PREFIX))
        return Answer(body=msgspec.json.encode(_body(request, found)))


async def preview(request: Request) -> Answer:
    """Give how a voice sounds, as an MP3. Raises: NotFound, also if no preview was made yet."""
    async with entered(request, ""):
        slug = request.path.removeprefix(_PREFIX).removesuffix("/preview")
        found = await known_voices.one(request.runtime, slug)
        sound = await read_preview(found.slug)
        if sound is None:
            raise NotFound(f'There is no preview of the voice "{found.slug}" yet.')
        etag = f'"{sound.sha256[:32]}"'.encode()
        headers: Headers = [(b"etag", etag), (b"cache-control", b"private, max-age=86400")]
        if request.headers.get(b"if-none-match") == etag:
            return Answer(status=304, headers=headers)
        return Answer(body=sound.data, media_type=sound.media_type.encode(), headers=headers)


def _filters(query: bytes) -> dict[str, Any]:
    """Read the query. Raises: InvalidRequest for a word that means nothing here, or twice."""
    found: dict[str, Any] = {}
    for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
        if name not in _FILTERS or name in found:
            known = ", ".join(_FILTERS)
            raise InvalidRequest(
                f"{name[:50]}: voices are narrowed by {known}, each once.",
                details={"param": name[:50]},
            )
        found[name] = value.lower()
    return found


def _body(request: Request, voice: VoiceFacts) -> VoiceBody:
    return VoiceBody(
        id=voice.slug,
        name=voice.name,
        provider=voice.provider,
        voice=voice.provider_voice,
        language=voice.language,
        gender=voice.gender,
        archetype=voice.archetype,
        characteristics=voice.characteristics,
        use=voice.use,
        emotions=sorted(voice.emotions),
        example_text=voice.example_text,
        preview_url=_preview_url(request, voice),
    )


def _preview_url(request: Request, voice: VoiceFacts) -> str | None:
    if not voice.has_preview:
        return None
    return f"{base_url(request.raw_headers)}{_PREFIX}{voice.slug}/preview"
