"""ElevenLabs: its errors, and its music: one request that is answered with the whole piece, minutes
later. Speech and transcriptions are mixed in.

Source: ElevenLabs' OpenAPI (stored copy of 2026-08), POST /v1/music; `elevenlabs` Python SDK 2.78.0
(model ids, 2026-11); elevenlabs.io docs, Errors (2026): the form of errors and their codes;
help.elevenlabs.io article 19572237925521: a spent quota is a 401.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from gateway.operations.media import MadeFile, MediaUse
from gateway.operations.music import MusicRequest
from gateway.providers.base import (
    UpstreamAnswer,
    UpstreamFailure,
    UpstreamInvalid,
    UpstreamRequest,
)
from gateway.providers.elevenlabs_speech import ElevenLabsSpeech
from gateway.providers.elevenlabs_transcripts import ElevenLabsTranscripts
from gateway.providers.failures import ErrorWords
from gateway.providers.media import Made, MediaRequest, MediaTarget, Progress
from gateway.providers.openai_form import failure_meant
from studio.core.errors import InvalidRequest

LEAST_MS, MOST_MS = 3_000, 600_000
MOST_PROMPT_CHARACTERS = 4_100
_FORMAT = "mp3_44100_128"
_KBPS = 128
_HEADERS = {"content-type": "application/json", "accept": "audio/mpeg, application/json"}
_PATIENCE_S, _MOST_PATIENCE_S = 60.0, 300.0
_SPENT = frozenset({"quota_exceeded", "insufficient_credits", "payment_required"})
_REFUSED = frozenset(
    (
        *("bad_prompt", "bad_composition_plan", "voice_not_found", "invalid_model_id"),
        *("max_character_limit_exceeded", "unsupported_model", "unsupported_language"),
    )
)
"""What is the request's fault, with whatever status it comes."""
_PARAMS = {
    "bad_prompt": "prompt",
    "voice_not_found": "voice",
    "max_character_limit_exceeded": "text",
}
_KEYLESS = frozenset({"invalid_api_key", "missing_api_key", "needs_authorization"})
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_encode = msgspec.json.Encoder().encode


class _Answer(Struct):
    detail: Any = None


_ANSWER = msgspec.json.Decoder(_Answer)


class ElevenLabs(ElevenLabsSpeech, ElevenLabsTranscripts):
    """ElevenLabs' music, speech and transcriptions."""

    slug = "elevenlabs"
    default_base_url = "https://api.elevenlabs.io/v1"
    hosts = ("api.elevenlabs.io",)
    file_hosts: tuple[str, ...] = ()
    operations = frozenset({"music", "speech", "transcription"})

    def auth(self, key: str) -> dict[str, str]:
        """Give the header that carries the key."""
        return {"xi-api-key": key}

    def file_headers(self, key: str) -> dict[str, str]:
        """Give nothing: answers hold the bytes themselves."""
        return {}

    def unsupported_media(self, request: MediaRequest, target: MediaTarget) -> str | None:
        """Name what it cannot do: images, and what is longer than it takes."""
        if not isinstance(request, MusicRequest):
            return "operation"
        if len(request.prompt) > MOST_PROMPT_CHARACTERS:
            return "prompt"
        return "duration_ms" if request.duration_ms > MOST_MS else None

    def most_per_run(self, request: MediaRequest, target: MediaTarget) -> int:
        """Say that one request makes one piece."""
        return 1

    def patience_s(self, request: MediaRequest, target: MediaTarget) -> float:
        """Give how long the piece may take to be made: longer for a longer one."""
        length_ms = request.duration_ms if isinstance(request, MusicRequest) else 0
        return min(_PATIENCE_S + length_ms / 1000, _MOST_PATIENCE_S)

    def build_submission(self, request: MediaRequest, target: MediaTarget) -> UpstreamRequest:
        """Write the request; a piece shorter than it makes is made longer, and cut by us.

        Raises: InvalidRequest for what it cannot do.
        """
        field = self.unsupported_media(request, target)
        if field is not None or not isinstance(request, MusicRequest):
            raise InvalidRequest("This provider cannot make that.", details={"param": field})
        body: dict[str, Any] = {
            "prompt": request.prompt,
            "music_length_ms": max(request.duration_ms, LEAST_MS),
            "model_id": target.model,
        }
        if request.instrumental:
            body["force_instrumental"] = True
        for name in target.drop_parameters:
            if name != "prompt":
                body.pop(name, None)
        path = f"/music?output_format={_FORMAT}"
        return UpstreamRequest(path=path, body=_encode(body), headers=_HEADERS)

    def parse_submission(
        self, request: MediaRequest, target: MediaTarget, answer: UpstreamAnswer
    ) -> Progress:
        """Read the piece; what it used is what was asked for.

        Raises: UpstreamFailure, also if it is not a sound or more than a quarter of it is missing.
        """
        if answer.status != 200:
            raise self.parse_error(answer.status, answer.headers, answer.body)
        if not isinstance(request, MusicRequest):
            raise InvalidRequest("This provider cannot make that.")
        body = answer.body
        if not _is_mp3(body):
            raise UpstreamInvalid("The provider's answer is not a piece of music.")
        if len(body) * 8 // _KBPS < max(request.duration_ms, LEAST_MS) * 3 // 4:
            raise UpstreamInvalid("The provider's answer ends too early.")
        return Made(
            files=(MadeFile(data=body, media_type="audio/mpeg"),),
            use=MediaUse(item_count=1, media_ms=request.duration_ms),
        )

    def build_poll(self, target: MediaTarget, upstream_id: str) -> UpstreamRequest:
        """Refuse: nothing is under way here once it has answered."""
        raise AssertionError("ElevenLabs answers with the piece; there is nothing to ask for")

    def parse_poll(
        self, request: MediaRequest, target: MediaTarget, answer: UpstreamAnswer
    ) -> Progress:
        """Refuse: nothing is under way here once it has answered."""
        raise AssertionError("ElevenLabs answers with the piece; there is nothing to ask for")

    def build_cancel(self, target: MediaTarget, upstream_id: str) -> UpstreamRequest | None:
        """Give nothing: a piece cannot be stopped."""
        return None

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFailure:
        """Read an answer that is no success: its code says more than its status."""
        words = _words(body)
        meant = status
        if words.quota or status == 402:
            meant, words = 429, msgspec.structs.replace(words, quota=True)
        elif words.kind in _REFUSED:
            meant = 400
        elif words.kind in _KEYLESS:
            meant = 401
        return failure_meant(meant, status, headers, words, hosts=self.hosts)


def _is_mp3(body: bytes) -> bool:
    """Tell whether bytes begin as an MP3 does: with a tag or a frame."""
    return body[:3] == b"ID3" or (len(body) > 1 and body[0] == 0xFF and body[1] & 0xE0 == 0xE0)


def _words(body: bytes) -> ErrorWords:
    """Read an error: a list of fields, an object with a code, or a text; empty if it is none."""
    try:
        detail = _ANSWER.decode(body).detail
    except _UNREADABLE:
        return ErrorWords()
    if isinstance(detail, list):
        return _field_words(detail[0] if detail else None)
    if not isinstance(detail, dict):
        return ErrorWords(message=_text(detail))
    code = _text(detail.get("code")) or _text(detail.get("status"))
    return ErrorWords(
        message=_with_suggestion(_text(detail.get("message")), detail),
        param=_PARAMS.get(code) or _text(detail.get("param")),
        kind=code,
        quota=not _SPENT.isdisjoint({code, _text(detail.get("status")), _text(detail.get("type"))}),
    )


def _field_words(first: object) -> ErrorWords:
    """Read the first refused field of a list."""
    if not isinstance(first, dict):
        return ErrorWords()
    place = first.get("loc")
    field = _text(place[-1]) if isinstance(place, list) and place else ""
    message = _text(first.get("msg"))
    return ErrorWords(message=f"{field}: {message}" if field else message, param=field)


def _with_suggestion(message: str, detail: dict[str, Any]) -> str:
    """Add the prompt that is suggested instead of a refused one, where there is one.

    Source: elevenlabs.io docs, Music quickstart, Copyrighted material: it lies in `data`; at second
    hand beside it.
    """
    data = detail.get("data")
    inner = data.get("prompt_suggestion") if isinstance(data, dict) else None
    suggestion = _text(inner) or _text(detail.get("prompt_suggestion"))
    if not suggestion:
        return message
    said = message or "The provider refused the prompt."
    return f"{said} Suggested instead: {suggestion}"


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


PROVIDER = ElevenLabs()
