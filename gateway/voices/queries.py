"""The voices as one process knows them: read again when the catalogue's revision moves."""

import asyncio

from asgiref.sync import sync_to_async
from django.db import connection
from msgspec import Struct

from gateway.models.voice import Voice, VoicePreview
from gateway.runtime import Runtime
from studio.core.errors import NotFound


class VoiceFacts(Struct, frozen=True, kw_only=True):
    """One voice. `emotions` are the words for it, each with what is put before a text."""

    slug: str
    name: str
    provider: str
    provider_voice: str
    language: str
    gender: str
    archetype: str
    characteristics: tuple[str, ...]
    use: str
    example_text: str
    emotions: dict[str, str]
    has_preview: bool


class Preview(Struct, frozen=True, kw_only=True):
    """How a voice sounds."""

    data: bytes
    media_type: str
    media_ms: int
    sha256: str


class KnownVoices:
    """The voices that are switched on, in their order, at one revision of the catalogue."""

    def __init__(self) -> None:
        self._revision = -1
        self._voices: tuple[VoiceFacts, ...] = ()
        self._reading: asyncio.Lock | None = None

    async def at(self, runtime: Runtime) -> tuple[VoiceFacts, ...]:
        """Give them as of the revision that the process has; one request reads for all."""
        if self._revision != runtime.world.revision:
            self._reading = self._reading or asyncio.Lock()
            async with self._reading:
                revision = runtime.world.revision
                if self._revision != revision:
                    self._voices = await sync_to_async(_read_voices, thread_sensitive=False)()
                    self._revision = revision
        return self._voices

    async def one(self, runtime: Runtime, name: str) -> VoiceFacts:
        """Give the voice of an id. Raises: NotFound."""
        for voice in await self.at(runtime):
            if voice.slug == name.lower():
                return voice
        raise NotFound(f'There is no voice "{name[:100]}".')


known_voices = KnownVoices()
"""This process's."""


async def read_preview(slug: str) -> Preview | None:
    """Read how a voice sounds; None if no preview was made of it."""
    return await sync_to_async(_read_preview, thread_sensitive=False)(slug)


def _read_voices() -> tuple[VoiceFacts, ...]:
    try:
        found = Voice.objects.filter(enabled=True).order_by("position", "pk")
        previews = set(VoicePreview.objects.values_list("voice_id", flat=True))
        return tuple(_facts(voice, has_preview=voice.pk in previews) for voice in found)
    finally:
        connection.close()  # nothing else returns it from this thread


def _facts(voice: Voice, *, has_preview: bool) -> VoiceFacts:
    return VoiceFacts(
        slug=voice.slug,
        name=voice.name,
        provider=voice.provider,
        provider_voice=voice.provider_voice,
        language=voice.language,
        gender=voice.gender,
        archetype=voice.archetype,
        characteristics=tuple(voice.characteristics),
        use=voice.use,
        example_text=voice.example_text,
        emotions=voice.emotions,
        has_preview=has_preview,
    )


def _read_preview(slug: str) -> Preview | None:
    try:
        found = VoicePreview.objects.filter(voice__slug=slug, voice__enabled=True).first()
        if found is None:
            return None
        return Preview(
            data=bytes(found.data),
            media_type=found.media_type,
            media_ms=found.media_ms,
            sha256=found.sha256,
        )
    finally:
        connection.close()  # nothing else returns it from this thread
