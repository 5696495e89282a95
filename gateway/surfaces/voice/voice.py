"""POST /v1/voice: a text spoken, as JSON with the sound in base64, or as the sound itself."""

from typing import Annotated, Any
from urllib.parse import parse_qs

import msgspec
from msgspec import Meta, Raw

from gateway.admission import require_scope
from gateway.chat import JSON_TYPE
from gateway.idempotency import look_up, read_claim
from gateway.operations.json_body import MAX_INTEGER, read_body
from gateway.operations.speech import (
    LEAST_SPEED,
    MOST_INSTRUCTIONS_CHARACTERS,
    MOST_SPEED,
    SpeechRequest,
    TextNormalization,
)
from gateway.speech.answers import Speech
from gateway.speech.quotes import SpeechTask
from gateway.speech.walk import synthesise
from gateway.surfaces.chat import check_media_type
from gateway.surfaces.door import Answer, Request
from gateway.surfaces.entry import entered, read_channel
from gateway.surfaces.single import replayed
from gateway.surfaces.voice.asking import (
    BODY_LIMIT_BYTES,
    SCOPE,
    base64_of,
    check_text,
    speech_task,
    whole_headers,
)
from gateway.surfaces.voice.relaying import PlainSound, relay_speech
from studio.accounts.callers import Caller
from studio.core.errors import InvalidRequest

_BY_ID = "elevenlabs"
"""The provider whose voices go by `voice_id`; of all others they go by `voice`."""
_TRUE, _FALSE = frozenset({"true", "1"}), frozenset({"false", "0"})
_Word = Annotated[str, Meta(min_length=1, max_length=256)]
_Unit = Annotated[float, Meta(ge=0, le=1)]


class VoiceBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The body. `kind` wins over `model`; `voice_id` and `voice` each are for their provider."""

    text: str
    voice_id: _Word | None = None
    voice: _Word | None = None
    kind: _Word | None = None
    model: _Word | None = None
    apply_text_normalization: TextNormalization | None = None
    speed: Annotated[float, Meta(ge=LEAST_SPEED, le=MOST_SPEED)] = 1.0
    instructions: Annotated[str, Meta(max_length=MOST_INSTRUCTIONS_CHARACTERS)] = ""
    language: Annotated[str, Meta(pattern=r"^[a-z]{2,3}$")] | None = None
    seed: Annotated[int, Meta(ge=0, le=min(2**32 - 1, MAX_INTEGER))] | None = None
    stability: _Unit | None = None
    similarity: _Unit | None = None
    style: _Unit | None = None

    def spoken(self, provider: str) -> SpeechRequest:
        """Give the text as it is asked for at a provider. Raises: InvalidRequest."""
        first, other = self.voice, self.voice_id
        if provider == _BY_ID:
            first, other = other, first
        return SpeechRequest(
            text=check_text(self.text, "text"),
            voice=first or other or "",
            speed=self.speed,
            instructions=self.instructions,
            language=self.language or "",
            text_normalization=self.apply_text_normalization,
            seed=self.seed,
            stability=self.stability,
            similarity=self.similarity,
            style=self.style,
        )

    def names(self, spoken: SpeechRequest) -> dict[str, str]:
        """Give what fields of the request are called here."""
        voice = "voice" if self.voice == spoken.voice else "voice_id"
        return {"voice": voice, "text_normalization": "apply_text_normalization"}


VOICE = msgspec.json.Decoder(VoiceBody)


async def voice(request: Request) -> Answer | None:
    """Speak a text. Returns: the answer, or None if the sound was streamed."""
    async with entered(request, "speech") as admitted:
        caller = admitted.caller
        require_scope(caller, SCOPE)
        check_media_type(request)
        streamed = _is_streamed(request.query)
        body = await request.read_body(BODY_LIMIT_BYTES)
        wanted = read_body(VOICE, body)
        route = f"{request.path}?stream=true" if streamed else request.path
        claim = read_claim(
            request.headers.get(b"idempotency-key"), caller=caller, route=route, body=body
        )
        if claim is not None:
            stored = await look_up(request.runtime.pool, claim, workspace_id=caller.workspace_id)
            if stored is not None:
                return replayed(stored)
        task = msgspec.structs.replace(voice_task(request, caller, wanted), claim=claim)
        if streamed:
            await relay_speech(request, request.runtime, task, PlainSound())
            return None
        return await _whole(request, task, wanted)


def voice_task(request: Request, caller: Caller, wanted: VoiceBody) -> SpeechTask:
    """Give the call that a body asks for. Raises: InvalidRequest, and what `resolve` raises."""
    kind = wanted.kind or (None if wanted.model else "voice.default")
    resolution = request.runtime.world.catalogue.resolve(
        kind=kind, model=wanted.model, channel=read_channel(request, caller), operation="speech"
    )
    spoken = wanted.spoken(resolution.routes[0].provider)
    task = speech_task(request, caller, spoken, kind=kind, model=wanted.model)
    return msgspec.structs.replace(task, names=wanted.names(spoken))


async def _whole(request: Request, task: SpeechTask, wanted: VoiceBody) -> Answer:
    written: list[bytes] = []

    async def write(speech: Speech) -> tuple[bytes, str]:
        written.append(await _written(speech, wanted))
        return written[0], JSON_TYPE

    speech = await synthesise(request.runtime, task, written=write)
    body = written[0] if written else await _written(speech, wanted)
    return Answer(body=body, headers=whole_headers(request, speech))


async def _written(speech: Speech, wanted: VoiceBody) -> bytes:
    """Write the answer. Who asked by `voice` finds it there, whichever provider speaks now."""
    sound = await base64_of(speech.data)
    body: dict[str, Any] = {"audio_base64": Raw(b'"' + sound + b'"'), "format": speech.format}
    if speech.provider == _BY_ID:
        body["voice_id"] = speech.voice
        if wanted.voice is not None:
            body["voice"] = wanted.voice
    else:
        body["voice"] = speech.voice
    body |= {
        "provider": speech.provider,
        "model": speech.model,
        "text_length": len(wanted.text),
    }
    return msgspec.json.encode(body)


def _is_streamed(query: bytes) -> bool:
    """Read `stream` of the query. Raises: InvalidRequest if it is neither true nor false."""
    values = parse_qs(query.decode("latin-1"), keep_blank_values=True).get("stream", ["false"])
    word = values[-1].lower()
    if word not in _TRUE | _FALSE:
        raise InvalidRequest("stream: must be true or false.", details={"param": "stream"})
    return word in _TRUE
