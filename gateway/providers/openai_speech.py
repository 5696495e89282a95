"""OpenAI's speech: all six formats and any speed from one request, as bytes or as events.

Source: `openai` Python SDK 3.52.0, `types/audio/speech_create_params.py`; github
openai/openai-openapi v2.3.0 (2026-08-21), CreateSpeechRequest; `pcm` is 24 kHz, 16-bit, little-
endian, one channel: OpenAI's guide text-to-speech, at second hand.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.operations.speech import SpeechFormat, SpeechRequest
from gateway.providers.base import Provider, Target, UpstreamFailure, UpstreamRequest
from gateway.providers.openai_form import failure_meant, read_error
from gateway.providers.speech import SpeechStream
from gateway.providers.speech_streams import EventSoundStream, Mp3Stream, PcmStream, SoundStream
from studio.core.errors import InvalidRequest

DEFAULT_VOICE = "alloy"
VOICES = frozenset(
    (
        *("alloy", "ash", "ballad", "coral", "echo", "fable", "onyx"),
        *("nova", "sage", "shimmer", "verse", "marin", "cedar"),
    )
)
_OLDER_VOICES = VOICES - {"ballad", "verse", "marin", "cedar"}
"""Of tts-1 and tts-1-hd. Source: OpenAI's guide text-to-speech, at second hand."""
CUSTOM_VOICE = re.compile(r"voice_[A-Za-z0-9_-]{1,128}")
MOST_CHARACTERS = 4096
_FORMATS: frozenset[SpeechFormat] = frozenset(("mp3", "opus", "aac", "flac", "wav", "pcm"))
_OWN_SCALES = ("stability", "similarity", "style", "speaker_boost", "seed")
_NEVER_DROPPED = ("model", "input", "voice", "response_format", "speed", "stream_format")
_HEADERS = {"content-type": "application/json", "accept": "*/*"}
_RATE_WORDS = frozenset({"rate_limit_exceeded", "overloaded_error", "server_overloaded"})
_REFUSAL_WORDS = frozenset({"invalid_request_error", "content_policy_violation"})
_encode = msgspec.json.Encoder().encode


class OpenAISpeech:
    """Mix-in of OpenAI's provider."""

    needs_deployment = False

    def unsupported_speech(self, request: SpeechRequest, target: Target) -> str | None:
        """Name what it lacks: seeds and scales, text left unread, voices of others; of the older
        models, instructions.

        A language is heard in the text itself, and numbers are read out by themselves.
        """
        for name in _OWN_SCALES:
            if getattr(request, name) is not None:
                return name
        if request.text_normalization == "off":
            return "text_normalization"
        if request.instructions and _is_older(target.model):
            return "instructions"
        known = _OLDER_VOICES if _is_older(target.model) else VOICES
        voice = self.voice_of(request, target)
        if voice not in known and (_is_older(target.model) or not CUSTOM_VOICE.fullmatch(voice)):
            return "voice"
        return None

    def voice_of(self, request: SpeechRequest, target: Target) -> str:
        """Give the voice's name, or the id of one that the account made."""
        lowered = request.voice.lower()
        return lowered if lowered in VOICES else request.voice or DEFAULT_VOICE

    def most_characters(self, target: Target) -> int:
        """Give how many characters one request takes."""
        return MOST_CHARACTERS

    def native_formats(self, target: Target) -> frozenset[SpeechFormat]:
        """Give every format there is."""
        return _FORMATS

    def keeps_speed(self, request: SpeechRequest, target: Target) -> bool:
        """Say that it speaks at any speed."""
        return True

    def build_speech(self, request: SpeechRequest, target: Target) -> UpstreamRequest:
        """Write the request; by events where only they tell the tokens that are billed.

        Raises: InvalidRequest for what it cannot do.
        """
        field = self.unsupported_speech(request, target)
        if field is not None:
            raise InvalidRequest("This model cannot speak like that.", details={"param": field})
        voice = self.voice_of(request, target)
        body: dict[str, Any] = {
            "model": target.model,
            "input": request.text,
            "voice": voice if voice in VOICES else {"id": voice},
            "response_format": request.format,
        }
        if request.speed != 1.0:
            body["speed"] = request.speed
        if request.instructions:
            body["instructions"] = request.instructions
        if not _is_older(target.model):
            body["stream_format"] = "sse"
        for name in target.drop_parameters:
            if name not in _NEVER_DROPPED:
                body.pop(name, None)
        return UpstreamRequest(path="/audio/speech", body=_encode(body), headers=_HEADERS)

    def open_speech(
        self: Provider, request: SpeechRequest, target: Target, headers: Mapping[str, str]
    ) -> SpeechStream:
        """Begin to read the answer: events where they were asked for and came."""
        media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != "text/event-stream":
            return _sound(request.format, headers)
        hosts = self.hosts
        return EventSoundStream(
            _sound(request.format, {}), failure_of=lambda data: _failure_inside(data, hosts)
        )


def _sound(form: SpeechFormat, headers: Mapping[str, str]) -> SoundStream:
    if form == "mp3":
        return Mp3Stream(headers)
    return PcmStream(headers) if form == "pcm" else SoundStream(headers)


def _is_older(model: str) -> bool:
    """Tell whether a model is of the first generation, without instructions and events."""
    return model.startswith("tts-1")


def _failure_inside(data: bytes, hosts: tuple[str, ...]) -> UpstreamFailure:
    """Read an error from inside the events; its words tell the status it would have had."""
    words = read_error(data)
    meant = 502
    if words.quota or words.kind in _RATE_WORDS:
        meant = 429
    elif words.kind in _REFUSAL_WORDS:
        meant = 400
    return failure_meant(meant, 200, {}, words, hosts=hosts)
