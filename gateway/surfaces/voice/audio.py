"""POST /v1/audio/speech, in OpenAI's form: the sound as bytes, or as events.

Source: github openai/openai-openapi v2.3.0 (2026-08-21), CreateSpeechRequest.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gateway.admission import require_scope
from gateway.idempotency import look_up, read_claim
from gateway.operations.json_body import read_body
from gateway.operations.speech import (
    LEAST_SPEED,
    MOST_INSTRUCTIONS_CHARACTERS,
    MOST_SPEED,
    SpeechFormat,
    SpeechRequest,
)
from gateway.speech.quotes import SpeechTask
from gateway.surfaces.chat import check_media_type
from gateway.surfaces.door import Answer, Request
from gateway.surfaces.entry import entered
from gateway.surfaces.single import replayed
from gateway.surfaces.voice.asking import BODY_LIMIT_BYTES, SCOPE, check_text, speech_task
from gateway.surfaces.voice.relaying import PlainSound, SoundEvents, relay_speech
from studio.accounts.callers import Caller
from studio.core.errors import InvalidRequest

_Word = Annotated[str, Meta(min_length=1, max_length=256)]


class _CustomVoice(msgspec.Struct, forbid_unknown_fields=True):
    """A voice that an account made."""

    id: _Word


class SpeechBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The body. `model` is any name of the catalogue, a kind's too."""

    model: _Word
    input: str
    voice: _Word | _CustomVoice | None = None
    instructions: Annotated[str, Meta(max_length=MOST_INSTRUCTIONS_CHARACTERS)] = ""
    response_format: SpeechFormat = "mp3"
    speed: Annotated[float, Meta(ge=LEAST_SPEED, le=MOST_SPEED)] = 1.0
    stream_format: Literal["audio", "sse"] = "audio"

    def spoken(self) -> SpeechRequest:
        """Give the text as it is asked for. Raises: InvalidRequest."""
        voice = self.voice.id if isinstance(self.voice, _CustomVoice) else self.voice
        return SpeechRequest(
            text=check_text(self.input, "input"),
            voice=voice or "",
            format=self.response_format,
            speed=self.speed,
            instructions=self.instructions,
        )


SPEECH = msgspec.json.Decoder(SpeechBody)


async def speech(request: Request) -> Answer | None:
    """Speak a text. Returns: an answer that was stored, or None, as the sound was streamed."""
    async with entered(request, "speech") as admitted:
        caller = admitted.caller
        require_scope(caller, SCOPE)
        check_media_type(request)
        body = await request.read_body(BODY_LIMIT_BYTES)
        wanted = read_body(SPEECH, body)
        events = wanted.stream_format == "sse"
        claim = read_claim(
            request.headers.get(b"idempotency-key"), caller=caller, route=request.path, body=body
        )
        if claim is not None and events:
            raise InvalidRequest("Idempotency-Key: is not for stream_format sse.")
        if claim is not None:
            stored = await look_up(request.runtime.pool, claim, workspace_id=caller.workspace_id)
            if stored is not None:
                return replayed(stored)
        task = msgspec.structs.replace(audio_task(request, caller, wanted), claim=claim)
        writer = SoundEvents(request.id) if events else PlainSound()
        await relay_speech(request, request.runtime, task, writer)
        return None


def audio_task(request: Request, caller: Caller, wanted: SpeechBody) -> SpeechTask:
    """Give the call that a body asks for. Raises: InvalidRequest."""
    return speech_task(request, caller, wanted.spoken(), model=wanted.model)
