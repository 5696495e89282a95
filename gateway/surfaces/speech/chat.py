"""POST /speech/chat: an answer to a message, spoken: a chat, and then speech of what it said.

Both are calls of their own, held, settled and charged apart, and so is what an Idempotency-Key
keeps of them: a repeated request pays for neither again, and one whose speech failed pays for its
chat once.
"""

import hashlib
import time

import msgspec

from gateway.chat import JSON_TYPE, ChatAnswer, complete
from gateway.idempotency import Claim, look_up, read_claim
from gateway.operations.json_body import read_body
from gateway.operations.speech import SpeechRequest
from gateway.quoting import ChatTask
from gateway.speech.answers import Speech
from gateway.speech.walk import synthesise
from gateway.surfaces.answers import Headers, paid_headers
from gateway.surfaces.chat import check_media_type
from gateway.surfaces.door import Answer, Request
from gateway.surfaces.entry import read_channel, read_labels
from gateway.surfaces.single import replayed
from gateway.surfaces.speech.bodies import (
    BODY_LIMIT_BYTES,
    CHAT,
    KINDS,
    ChatBody,
    speaker,
    spoken,
)
from gateway.surfaces.speech.entry import (
    SPEAKER,
    keep_speech,
    say_charged,
    service,
    signed_again,
    speech_entered,
    upstream_headers,
)
from gateway.surfaces.voice.asking import speech_task
from gateway.voices.queries import VoiceFacts
from studio.accounts.callers import Caller
from studio.core.errors import GatewayError
from studio.core.ids import new_id_text

_NOTHING = "I have nothing to say to that."
"""What is spoken where a model answered with no words."""


class SpokenAnswer(msgspec.Struct, kw_only=True):
    """What it answers."""

    response: str
    audio_url: str
    duration: float
    voice: str


class _Message(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    message: _Message


class _Completion(msgspec.Struct):
    choices: list[_Choice]


_COMPLETION = msgspec.json.Decoder(_Completion)


class _Said(msgspec.Struct, frozen=True, kw_only=True):
    """What the chat said; `answer` is None where it was said before and paid for then."""

    text: str
    answer: ChatAnswer | None

    @property
    def charged_ucr(self) -> int:
        """What this request pays for it."""
        return self.answer.charged_ucr if self.answer else 0


async def chat(request: Request) -> Answer:
    """Answer a message aloud."""
    async with speech_entered(request, "chat", "chat", "audio") as admitted:
        caller = admitted.caller
        check_media_type(request)
        body = await request.read_body(BODY_LIMIT_BYTES)
        asked = read_body(CHAT, body)
        voice = await speaker(request.runtime, asked.voice)
        spoken(_NOTHING, voice, emotion=asked.emotion)  # refused before anything is paid
        claim = read_claim(
            request.headers.get(b"idempotency-key"), caller=caller, route=request.path, body=body
        )
        again = await _aloud_before(request, caller, claim)
        if again is not None:
            return again
        said = await _answered(request, caller, asked, claim)
        aloud = _Aloud(request, caller, said, voice)
        wanted = spoken(said.text, voice, emotion=asked.emotion)
        speech = await aloud.speak(wanted, None if claim is None else _claim_of_speech(claim))
        return Answer(body=await aloud.body(speech), headers=aloud.headers(speech))


def _claim_of_speech(claim: Claim) -> Claim:
    """Give the second call its own place under the same Idempotency-Key."""
    digest = hashlib.sha256(b"speech\0" + claim.key_digest).digest()
    return Claim(key_digest=digest, request_digest=claim.request_digest)


async def _aloud_before(request: Request, caller: Caller, claim: Claim | None) -> Answer | None:
    """Give the answer that was given under this Idempotency-Key, if it was spoken too."""
    if claim is None:
        return None
    stored = await look_up(
        request.runtime.pool, _claim_of_speech(claim), workspace_id=caller.workspace_id
    )
    if stored is None:
        return None
    answer = msgspec.json.decode(stored.body, type=SpokenAnswer)
    answer.audio_url = signed_again(request, caller, answer.audio_url)
    return msgspec.structs.replace(replayed(stored), body=msgspec.json.encode(answer))


async def _answered(
    request: Request, caller: Caller, asked: ChatBody, claim: Claim | None
) -> _Said:
    """Ask the model, unless it was asked under this Idempotency-Key before."""
    runtime, chat_request = request.runtime, asked.chat()
    if claim is not None:
        stored = await look_up(runtime.pool, claim, workspace_id=caller.workspace_id)
        if stored is not None:
            return _Said(text=_text_of(stored.body), answer=None)
    labels = read_labels(request, caller)
    channel = read_channel(request, caller)
    task = ChatTask(
        id=request.id,
        caller=caller,
        surface=request.surface,
        channel=channel,
        app_id=labels.app_id,
        user_ref=labels.user_ref,
        request=chat_request,
        body_bytes=len(msgspec.json.encode(chat_request)),
        claim=claim,
        started_s=request.started,
        user_keys=request.user_keys,
        client_left=request.wait_for_disconnect,
    )
    resolution = runtime.catalogue.resolve(
        kind=chat_request.kind, model=None, channel=channel, operation="chat"
    )
    with service(resolution.routes[0].provider):
        answer = await complete(runtime, task)
    return _Said(text=_text_of(answer.body), answer=answer)


def _text_of(body: bytes) -> str:
    choices = _COMPLETION.decode(body).choices
    text = (choices[0].message.content or "").strip() if choices else ""
    return text or _NOTHING


class _Aloud:
    """The second half: what was said, spoken and stored, and the answer to the whole."""

    def __init__(self, request: Request, caller: Caller, said: _Said, voice: VoiceFacts) -> None:
        self.id = new_id_text()
        self._request = request
        self._caller = caller
        self._said = said
        self._voice = voice
        self._body = b""

    async def speak(self, wanted: SpeechRequest, claim: Claim | None) -> Speech:
        """Speak it. An error says what the chat was charged, and has what it said."""
        task = msgspec.structs.replace(
            speech_task(self._request, self._caller, wanted, kind=KINDS["FP8"], claim=claim),
            id=self.id,
            started_s=time.perf_counter(),
        )
        try:
            with service(SPEAKER):
                return await synthesise(self._request.runtime, task, written=self._written)
        except GatewayError as error:
            self._say(error, self._said.charged_ucr)
            raise

    async def body(self, speech: Speech) -> bytes:
        """Store the sound and write the answer, once. Raises: StorageUnavailable."""
        if not self._body:
            try:
                kept = await keep_speech(self._request, self._caller, speech, call_id=self.id)
            except GatewayError as error:
                self._say(error, self._said.charged_ucr + speech.charged_ucr)
                raise
            answer = SpokenAnswer(
                response=self._said.text,
                audio_url=kept.audio_url,
                duration=kept.duration,
                voice=self._voice.slug,
            )
            self._body = msgspec.json.encode(answer)
        return self._body

    def headers(self, speech: Speech) -> Headers:
        """Say what both calls cost together, and under which id the second one stands."""
        first = self._said.answer
        remaining_ucr = speech.remaining_ucr
        if remaining_ucr is None and first is not None:
            remaining_ucr = first.remaining_ucr
        headers = paid_headers(
            charged_ucr=self._said.charged_ucr + speech.charged_ucr,
            remaining_ucr=remaining_ucr,
            overhead_ms=speech.overhead_ms + (first.overhead_ms if first else 0),
        )
        headers.append((b"x-speech-request-id", self.id.encode()))
        return headers + upstream_headers(
            self._request,
            sandbox=speech.sandbox or (first is not None and first.sandbox),
            deprecation=first.deprecation if first is not None else "",
        )

    async def _written(self, speech: Speech) -> tuple[bytes, str]:
        return await self.body(speech), JSON_TYPE

    def _say(self, error: GatewayError, charged_ucr: int) -> None:
        say_charged(error, charged_ucr)
        error.details["response"] = self._said.text
