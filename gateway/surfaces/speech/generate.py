"""POST /speech/generate: a text, spoken and stored."""

import msgspec

from gateway.chat import JSON_TYPE
from gateway.idempotency import StoredAnswer, look_up, read_claim
from gateway.operations.json_body import read_body
from gateway.operations.speech import SpeechRequest
from gateway.speech.answers import Speech
from gateway.speech.walk import synthesise
from gateway.surfaces.chat import check_media_type
from gateway.surfaces.door import Answer, Request
from gateway.surfaces.single import replayed
from gateway.surfaces.speech.bodies import (
    BODY_LIMIT_BYTES,
    GENERATE,
    KINDS,
    GenerateBody,
    speaker,
    spoken,
)
from gateway.surfaces.speech.entry import (
    SPEAKER,
    keep_speech,
    service,
    signed_again,
    speech_entered,
)
from gateway.surfaces.voice.asking import speech_task, whole_headers
from gateway.voices.queries import VoiceFacts
from studio.accounts.callers import Caller


class GenerateAnswer(msgspec.Struct, kw_only=True):
    """What it answers; `text` is what was spoken, with the tag of the emotion."""

    audio_url: str
    duration: float
    text: str
    voice: str
    precision: str


async def generate(request: Request) -> Answer:
    """Speak a text."""
    async with speech_entered(request, "speech", "audio") as admitted:
        caller = admitted.caller
        check_media_type(request)
        body = await request.read_body(BODY_LIMIT_BYTES)
        asked = read_body(GENERATE, body)
        voice = await speaker(request.runtime, asked.voice)
        wanted = spoken(asked.text, voice, emotion=asked.emotion, speed=asked.speed)
        claim = read_claim(
            request.headers.get(b"idempotency-key"), caller=caller, route=request.path, body=body
        )
        if claim is not None:
            stored = await look_up(request.runtime.pool, claim, workspace_id=caller.workspace_id)
            if stored is not None:
                return _again(request, caller, stored)
        task = speech_task(request, caller, wanted, kind=KINDS[asked.precision], claim=claim)
        made = _Made(request, caller, asked, voice, wanted)
        with service(SPEAKER):
            speech = await synthesise(request.runtime, task, written=made.written)
        return Answer(body=await made.body(speech), headers=whole_headers(request, speech))


class _Made:
    """The answer to one request, written once: before the settle where it is to be kept."""

    def __init__(
        self,
        request: Request,
        caller: Caller,
        asked: GenerateBody,
        voice: VoiceFacts,
        wanted: SpeechRequest,
    ) -> None:
        self._request = request
        self._caller = caller
        self._asked = asked
        self._voice = voice
        self._wanted = wanted
        self._body = b""

    async def written(self, speech: Speech) -> tuple[bytes, str]:
        return await self.body(speech), JSON_TYPE

    async def body(self, speech: Speech) -> bytes:
        if not self._body:
            kept = await keep_speech(self._request, self._caller, speech, call_id=self._request.id)
            answer = GenerateAnswer(
                audio_url=kept.audio_url,
                duration=kept.duration,
                text=self._wanted.text,
                voice=self._voice.slug,
                precision=self._asked.precision,
            )
            self._body = msgspec.json.encode(answer)
        return self._body


def _again(request: Request, caller: Caller, stored: StoredAnswer) -> Answer:
    """Give a stored answer again, with an address that is good from now on."""
    answer = msgspec.json.decode(stored.body, type=GenerateAnswer)
    answer.audio_url = signed_again(request, caller, answer.audio_url)
    return msgspec.structs.replace(replayed(stored), body=msgspec.json.encode(answer))
