"""ElevenLabs' speech: a voice in the path, the format in the query, bytes that come as they are
made.

Source: ElevenLabs' OpenAPI (stored copy of 2026-08), Body_text_to_speech_stream; `elevenlabs`
Python SDK 2.78.0, `text_to_speech`; elevenlabs.io docs, Models (limits, 2025-08). Models of the
third generation ignore `speed` (github elevenlabs/elevenlabs-mcp #96, by a maintainer) and refuse
what stands before and after a text (github home-assistant/core #182944); of the fourth nothing is
known, so it is treated likewise. That speeds end at 0.7 and 1.2: elevenlabs.io docs, Text to
Speech, at second hand.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from gateway.operations.speech import SpeechFormat, SpeechRequest
from gateway.providers.base import Target, UpstreamRequest
from gateway.providers.speech import SpeechStream
from gateway.providers.speech_streams import Mp3Stream, PcmStream
from studio.core.errors import InvalidRequest

VOICES: Mapping[str, str] = MappingProxyType(
    {
        "rachel": "21m00Tcm4TlvDq8ikWAM",
        "domi": "AZnzlk1XvdvUeBnXmlld",
        "bella": "EXAVITQu4vr4xnSDxMaL",
        "antoni": "ErXwobaYiN019PkySvjV",
        "elli": "MF3mGyEYCl7XYWbV9V6O",
        "josh": "TxGEqnHWrfWFTfGW9XjX",
        "arnold": "VR6AewLTigWG4xSOukaG",
        "adam": "pNInz6obpgDQGcFmaJgB",
        "sam": "yoZ06aMxZJJ28mfd3POQ",
    }
)
"""Name → id of the voices that every account has."""
DEFAULT_VOICE = VOICES["rachel"]
_LIKE: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("alloy", "coral", "sage", "marin"), "rachel"),
        **dict.fromkeys(("nova", "ballad"), "bella"),
        **dict.fromkeys(("shimmer",), "elli"),
        **dict.fromkeys(("echo", "verse"), "antoni"),
        **dict.fromkeys(("onyx", "cedar"), "adam"),
        **dict.fromkeys(("fable", "ash"), "josh"),
    }
)
"""Which of these voices speaks for one of OpenAI's, whose models end and are followed by these."""
_VOICE_ID = re.compile(r"[A-Za-z0-9]{20}")
_MOST_CHARACTERS: Mapping[str, int] = MappingProxyType(
    {
        "eleven_v3": 3_000,
        "eleven_multilingual_v2": 10_000,
        "eleven_turbo_v2": 30_000,
        "eleven_flash_v2": 30_000,
        "eleven_turbo_v2_5": 40_000,
        "eleven_flash_v2_5": 40_000,
    }
)
_FEW_CHARACTERS = 3_000
"""Of a model whose limit is not known: the least of the others."""
_OUTPUTS: Mapping[str, str] = MappingProxyType({"mp3": "mp3_44100_128", "pcm": "pcm_24000"})
"""Its Opus may lie in any container, as far as its documents go, so it is made here."""
_FORMATS: frozenset[SpeechFormat] = frozenset(("mp3", "pcm"))
_LEAST_SPEED, _MOST_SPEED = 0.7, 1.2
_GENERATIONS_APART = ("eleven_v3", "eleven_v4")
_NO_LANGUAGE = ("eleven_multilingual_v2",)
"""They hear the language in the text and refuse its code."""
_NEVER_DROPPED = ("text", "model_id")
_HEADERS = {"content-type": "application/json", "accept": "*/*"}
_encode = msgspec.json.Encoder().encode


class ElevenLabsSpeech:
    """Mix-in of ElevenLabs' provider."""

    needs_deployment = False

    def unsupported_speech(self, request: SpeechRequest, target: Target) -> str | None:
        """Name what it lacks: instructions in words, and voices whose id is not known."""
        if request.instructions:
            return "instructions"
        return None if _VOICE_ID.fullmatch(self.voice_of(request, target)) else "voice"

    def voice_of(self, request: SpeechRequest, target: Target) -> str:
        """Give the voice's id: its own, or that of a name, or of the one most like it."""
        name = request.voice.lower()
        return VOICES.get(_LIKE.get(name, name), request.voice) or DEFAULT_VOICE

    def most_characters(self, target: Target) -> int:
        """Give how many characters one request takes."""
        return _MOST_CHARACTERS.get(target.model, _FEW_CHARACTERS)

    def native_formats(self, target: Target) -> frozenset[SpeechFormat]:
        """Give MP3 and samples; WAV is not made by the streaming route."""
        return _FORMATS

    def keeps_speed(self, request: SpeechRequest, target: Target) -> bool:
        """Tell whether the speed is one that this model can speak at."""
        if request.speed == 1.0:
            return True
        own = not target.model.startswith(_GENERATIONS_APART)
        return own and _LEAST_SPEED <= request.speed <= _MOST_SPEED

    def build_speech(self, request: SpeechRequest, target: Target) -> UpstreamRequest:
        """Write the request. Raises: InvalidRequest for what it cannot do."""
        field = self.unsupported_speech(request, target)
        if field is not None:
            raise InvalidRequest("This model cannot speak like that.", details={"param": field})
        body = _body(request, target)
        for name in target.drop_parameters:
            if name not in _NEVER_DROPPED:
                body.pop(name, None)
        voice, output = self.voice_of(request, target), _OUTPUTS[request.format]
        path = f"/text-to-speech/{voice}/stream?output_format={output}"
        return UpstreamRequest(path=path, body=_encode(body), headers=_HEADERS)

    def open_speech(
        self, request: SpeechRequest, target: Target, headers: Mapping[str, str]
    ) -> SpeechStream:
        """Begin to read the answer."""
        return PcmStream(headers) if request.format == "pcm" else Mp3Stream(headers)


def _body(request: SpeechRequest, target: Target) -> dict[str, Any]:
    body: dict[str, Any] = {"text": request.text, "model_id": target.model}
    settings = _settings(request)
    if settings:
        body["voice_settings"] = settings
    if request.language and target.model not in _NO_LANGUAGE:
        body["language_code"] = request.language
    if request.text_normalization is not None:
        body["apply_text_normalization"] = request.text_normalization
    if request.seed is not None:
        body["seed"] = request.seed
    if not target.model.startswith(_GENERATIONS_APART):
        body |= _neighbours(request)
    return body


def _settings(request: SpeechRequest) -> dict[str, Any]:
    """Give the settings that were asked for; what is left out is the model's default."""
    given = {
        "stability": request.stability,
        "similarity_boost": request.similarity,
        "style": request.style,
        "use_speaker_boost": request.speaker_boost,
        "speed": None if request.speed == 1.0 else request.speed,
    }
    return {name: value for name, value in given.items() if value is not None}


def _neighbours(request: SpeechRequest) -> dict[str, str]:
    given = {"previous_text": request.text_before, "next_text": request.text_after}
    return {name: text for name, text in given.items() if text}
