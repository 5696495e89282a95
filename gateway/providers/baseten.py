"""Baseten: Orpheus speech on deployments of the operator's own, each at an address of its own.

Its precision (FP8, FP16) is how a deployment was built, so that each is a model here. Whatever the
answer calls itself, it is samples without a header.
Source: github basetenlabs/truss-examples, orpheus-best-performance @dc9c166 (2026-04): request,
samples, errors in plain text; docs.baseten.co, Calling your model (2026): address, `Api-Key`;
github canopyai/Orpheus-TTS @835ac7c: voices and the tags of emotions.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from gateway.operations.speech import SpeechFormat, SpeechRequest
from gateway.providers.base import Target, UpstreamFailure, UpstreamRequest
from gateway.providers.failures import ErrorWords, failure_for
from gateway.providers.speech import SpeechStream
from gateway.providers.speech_streams import PcmStream, is_wordy
from studio.core.errors import InvalidRequest

DEFAULT_VOICE = "tara"
VOICES = ("tara", "leah", "jess", "leo", "dan", "mia", "zac", "zoe")
TAGS = ("laugh", "chuckle", "sigh", "cough", "sniffle", "groan", "yawn", "gasp")
"""What may stand in a text between angle brackets, and is not said but done."""
MOST_CHARACTERS = 2_000
"""Ours: the server cuts a text itself, and its answer may take two minutes for each part."""
_ANSWERED_TOKENS = 6_144
_OWN_SCALES = ("stability", "similarity", "style", "speaker_boost", "seed")
_FORMATS: frozenset[SpeechFormat] = frozenset({"pcm"})
_HEADERS = {"content-type": "application/json", "accept": "*/*"}
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_encode = msgspec.json.Encoder().encode


class _ErrorBody(Struct):
    error: Any = None
    detail: Any = None
    message: Any = None


_ERROR = msgspec.json.Decoder(_ErrorBody)


class Baseten:
    """Orpheus on Baseten."""

    slug = "baseten"
    default_base_url = "https://inference.baseten.co"
    """Nothing is asked there: each deployment has a host, which the operator names."""
    hosts = ("inference.baseten.co", "api.baseten.co")
    operations = frozenset({"speech"})
    needs_deployment = True

    def auth(self, key: str) -> dict[str, str]:
        """Give the header that carries the key."""
        return {"authorization": f"Api-Key {key}"}

    def unsupported_speech(self, request: SpeechRequest, target: Target) -> str | None:
        """Name what it lacks: instructions, seeds and scales, languages, other voices."""
        for name in _OWN_SCALES:
            if getattr(request, name) is not None:
                return name
        if request.instructions:
            return "instructions"
        if request.language not in ("", "en"):
            return "language"
        if request.text_normalization in ("on", "off"):
            return "text_normalization"
        return None if self.voice_of(request, target) in VOICES else "voice"

    def voice_of(self, request: SpeechRequest, target: Target) -> str:
        """Give the voice's name."""
        return request.voice.lower() or DEFAULT_VOICE

    def most_characters(self, target: Target) -> int:
        """Give how many characters one request takes."""
        return MOST_CHARACTERS

    def native_formats(self, target: Target) -> frozenset[SpeechFormat]:
        """Give samples alone."""
        return _FORMATS

    def keeps_speed(self, request: SpeechRequest, target: Target) -> bool:
        """Tell whether the speed is the only one it has."""
        return request.speed == 1.0

    def build_speech(self, request: SpeechRequest, target: Target) -> UpstreamRequest:
        """Write the request. Raises: InvalidRequest for what it cannot do."""
        field = self.unsupported_speech(request, target)
        if field is not None:
            raise InvalidRequest("This model cannot speak like that.", details={"param": field})
        body = {
            "prompt": request.text,
            "voice": self.voice_of(request, target),
            "max_tokens": _ANSWERED_TOKENS,
        }
        return UpstreamRequest(path="/predict", body=_encode(body), headers=_HEADERS)

    def open_speech(
        self, request: SpeechRequest, target: Target, headers: Mapping[str, str]
    ) -> SpeechStream:
        """Begin to read the answer."""
        return PcmStream(headers)

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFailure:
        """Read an answer that is no success: JSON with an error, or plain text, which is nobody
        else's business.
        """
        return failure_for(status, headers, _words(headers, body), hosts=self.hosts)


def _words(headers: Mapping[str, str], body: bytes) -> ErrorWords:
    if is_wordy(headers) and not body.lstrip().startswith(b"{"):
        return ErrorWords()
    try:
        given = _ERROR.decode(body)
    except _UNREADABLE:
        return ErrorWords()
    found = [part for part in (given.error, given.detail, given.message) if isinstance(part, str)]
    return ErrorWords(message=found[0] if found else "")


PROVIDER = Baseten()
