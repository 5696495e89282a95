"""How voices sound: their example texts, spoken once as calls of a workspace, and kept.

They go the way of any call and are paid by the workspace they are made for: nothing is ever free
by accident, and providers bill them as they bill others.
"""

import asyncio
import hashlib
import time
from collections.abc import Iterable

from django.db import connection
from django.utils import timezone
from msgspec import Struct

from gateway.models.voice import Voice, VoicePreview
from gateway.operations.speech import SpeechRequest
from gateway.runtime import Runtime
from gateway.speech.answers import Speech
from gateway.speech.quotes import SpeechTask
from gateway.speech.walk import synthesise
from gateway.voices.file import read_voices_file
from studio.accounts.callers import APP_USER, Caller
from studio.accounts.models import Workspace
from studio.core.ids import new_id_text

_APP = "voice-previews"


class Wanted(Struct, frozen=True, kw_only=True):
    """One preview to be made; `model` is a model or a kind of the catalogue."""

    voice_id: int
    slug: str
    provider_voice: str
    language: str
    text: str
    model: str


def previews_wanted(slugs: Iterable[str] | None = None, *, again: bool = False) -> list[Wanted]:
    """Say which voices have no preview of their present text by their present model.

    `again` takes those that have one as well. Voices of providers for which voices.json names no
    model (`previewed_by`) have none.
    """
    models = read_voices_file().previewed_by
    voices = Voice.objects.filter(enabled=True, provider__in=models).order_by("position", "pk")
    if slugs is not None:
        voices = voices.filter(slug__in=list(slugs))
    known = {
        (preview.voice_id, preview.text, preview.model)
        for preview in VoicePreview.objects.defer("data")
    }
    found = [_wanted(voice, models[voice.provider]) for voice in voices]
    return [each for each in found if again or (each.voice_id, each.text, each.model) not in known]


def make_previews(wanted: Iterable[Wanted], *, workspace: Workspace) -> int:
    """Speak and keep previews, one after the other. Returns: what they cost, in µcr.

    Raises: GatewayError for the first that cannot be made; those before it are kept.
    """
    pending = list(wanted)
    return asyncio.run(_make(pending, _payer(workspace))) if pending else 0


async def _make(wanted: list[Wanted], caller: Caller) -> int:
    charged_ucr = 0
    runtime = Runtime()
    try:
        await runtime.open()
        for each in wanted:
            speech = await synthesise(runtime, _task(each, caller))
            await asyncio.to_thread(_keep, each, speech)
            charged_ucr += speech.charged_ucr
    finally:
        await runtime.close()
    return charged_ucr


def _wanted(voice: Voice, model: str) -> Wanted:
    return Wanted(
        voice_id=voice.pk,
        slug=voice.slug,
        provider_voice=voice.provider_voice,
        language=voice.language,
        text=voice.example_text,
        model=model,
    )


def _task(wanted: Wanted, caller: Caller) -> SpeechTask:
    return SpeechTask(
        id=new_id_text(),
        caller=caller,
        surface="studio",
        channel="stable",
        app_id=_APP,
        user_ref=APP_USER,
        request=SpeechRequest(text=wanted.text, voice=wanted.provider_voice, format="mp3"),
        model=wanted.model,
        started_s=time.perf_counter(),
        reads_cache=False,
        fills_cache=False,
    )


def _keep(wanted: Wanted, speech: Speech) -> None:
    try:
        VoicePreview.objects.update_or_create(
            voice_id=wanted.voice_id,
            defaults={
                "data": speech.data,
                "media_type": speech.media_type,
                "media_ms": speech.media_ms,
                "sha256": hashlib.sha256(speech.data).hexdigest(),
                "text": wanted.text,
                "model": wanted.model,
                "made_at": timezone.now(),
            },
        )
    finally:
        connection.close()  # nothing else returns it from this thread


def _payer(workspace: Workspace) -> Caller:
    """Stand for a workspace that pays under its tier, without a key."""
    tier = workspace.tier
    return Caller(
        kind="app_key",
        workspace_id=workspace.pk,
        workspace_status=workspace.status,
        tier=tier.slug,
        markup_bp=tier.markup_bp,
        request_limit=tier.request_limit,
        window_s=tier.window_s,
        concurrency_limit=tier.concurrency_limit,
        default_max_tokens=tier.default_max_tokens,
        limiter_key=f"previews:{workspace.pk}",
        app_id=_APP,
    )
