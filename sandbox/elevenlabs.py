"""ElevenLabs over HTTP: its routes, keys, and music: one request, one whole piece.

Source: ElevenLabs' OpenAPI (stored copy of 2026-08), /v1/music, /v1/music/stream and
/v1/user/subscription; elevenlabs.io docs, Errors (2026); model ids: `elevenlabs` SDK 2.78.0.
Left out: detailed answers, plans, uploads, stems, finetunes, video; Opus, the telephone formats and
mp3_48000_240.
"""

import hashlib
import os
from collections.abc import Callable

import msgspec

from sandbox import elevenlabs_speech, elevenlabs_transcripts, elevenlabs_voices
from sandbox.elevenlabs_checks import ElevenLabsError, check_format, check_music
from sandbox.elevenlabs_errors import (
    asked_for,
    error_reply,
    limited,
    query_of,
    read_body,
    read_faults,
    refused,
    told,
)
from sandbox.faults import NO_FAULTS, Faults
from sandbox.messages import Headers, Json, Reply, Request
from sandbox.sounds import mp3, pcm

_RUN = os.urandom(8)
_JSON = (b"content-type", b"application/json")
_MUSIC = ("/v1/music", "/v1/music/stream")
_WORK_MS, _WORK_MS_PER_S = 50, 2
_OWN_LENGTH_MS = 20_000
"""How long a piece is at least where the model may choose."""
_SUGGESTED = "An upbeat song with bright guitars and close harmonies"


def answer(request: Request) -> Reply:
    """Answer one request as api.elevenlabs.io would."""
    try:
        return _route(request)
    except ElevenLabsError as error:
        return error_reply(request, error, NO_FAULTS)


def _route(request: Request) -> Reply:
    method, made = _found(request.path)
    if method != request.method:
        raise ElevenLabsError({"detail": "Method Not Allowed"}, status=405)
    _check_key(request)
    return made(request)


def _found(path: str) -> tuple[str, Callable[[Request], Reply]]:
    """Tell who answers a path, and by which method. Raises: ElevenLabsError."""
    if path in _MUSIC:
        return "POST", _music
    if path == "/v1/speech-to-text":
        return "POST", elevenlabs_transcripts.hear
    if path.startswith("/v1/text-to-speech/"):
        return "POST", elevenlabs_speech.speak
    if path == "/v1/user/subscription":
        return "GET", lambda _: Reply(headers=[_JSON], body=msgspec.json.encode(_subscription()))
    if path in ("/v1/voices", "/v2/voices", "/v1/models") or path.startswith("/v1/voices/"):
        return "GET", elevenlabs_voices.show
    raise ElevenLabsError({"detail": "Not Found"}, status=404)


def _check_key(request: Request) -> None:
    """Refuse a key that is missing or names its error. Raises: ElevenLabsError."""
    key = request.header(b"xi-api-key")
    if not key.strip():
        raise told(request, 401, "missing_api_key", "No API key was provided.")
    if "invalid" in key:
        raise told(request, 401, "invalid_api_key", "Invalid API key")
    if request.method == "POST" and "quota" in key:
        text = (
            "This request exceeds your quota. You have 12 credits remaining, while 400 are needed."
        )
        raise told(request, 401, "quota_exceeded", text)
    if "ratelimited" in key:
        raise limited(request, "rate_limit_exceeded", "1")


def _music(request: Request) -> Reply:
    """Compose a piece. Raises: ElevenLabsError."""
    wanted = read_body(request)
    faults, text = read_faults(request, wanted.get("prompt"))
    try:
        if faults.status:
            raise asked_for(request, faults)
        codec, rate_hz, kbps = check_format(query_of(request), wanted)
        check_music(wanted)
        _check_rest(request, wanted, faults)
    except ElevenLabsError as error:
        return error_reply(request, error, faults)
    length_ms = _length_ms(wanted, request)
    seed = f"{text}|{wanted.get('model_id')}|{wanted.get('seed')}"
    if codec == "mp3":
        body, kind = mp3(seed, length_ms, rate_hz=rate_hz, kbps=kbps), b"audio/mpeg"
    else:
        body, kind = pcm(length_ms, rate_hz=rate_hz), b"audio/pcm"
    work_ms = _WORK_MS + _WORK_MS_PER_S * length_ms // 1000
    if faults.running_ms is not None:
        work_ms = faults.running_ms
    delayed = msgspec.structs.replace(faults, latency_ms=faults.latency_ms + work_ms)
    headers = [(b"content-type", kind), *_headers(request, length_ms)]
    return Reply(headers=headers, body=body, faults=delayed)


def _check_rest(request: Request, wanted: Json, faults: Faults) -> None:
    """Refuse what cannot go together, and what a fault says to refuse. Raises: ElevenLabsError."""
    if faults.reject and faults.reject in wanted:
        text = f"The '{faults.reject}' parameter is not supported."
        raise told(request, 400, "invalid_parameters", text, param=faults.reject)
    planned = wanted.get("composition_plan") is not None
    if planned == (wanted.get("prompt") is not None):
        text = "Provide either a prompt or a composition_plan, not both."
        raise told(request, 400, "invalid_parameters", text, param="prompt")
    for field in ("music_length_ms", "force_instrumental") if planned else ("seed",):
        if wanted.get(field):
            text = f"The '{field}' parameter cannot be used here."
            raise told(request, 400, "invalid_parameters", text, param=field)
    if faults.refusal:
        raise refused("The prompt names an artist whose work is protected.", _SUGGESTED)
    if faults.content_filter:
        raise refused("The prompt violates our terms: https://elevenlabs.io/music-terms", "")


def _length_ms(wanted: Json, request: Request) -> int:
    """Tell how long the piece is: as asked, as planned, or as the model likes."""
    plan = wanted.get("composition_plan")
    if plan is not None:
        return sum(part["duration_ms"] for part in plan.get("sections") or plan["chunks"])
    given: int | None = wanted.get("music_length_ms")
    return _OWN_LENGTH_MS + 100 * request.digest[0] if given is None else given


def _headers(request: Request, length_ms: int) -> Headers:
    unique = hashlib.sha256(request.digest + request.number.to_bytes(8) + _RUN).hexdigest()
    return [
        (b"song-id", unique[:20].encode()),
        (b"request-id", unique[20:40].encode()),
        (b"character-cost", b"%d" % (length_ms // 100)),
        (b"current-concurrent-requests", b"1"),
        (b"maximum-concurrent-requests", b"3"),
    ]


def _subscription() -> Json:
    """Show a subscription, as far as a key can be checked by it."""
    return {
        "tier": "creator",
        "character_count": 1_000,
        "character_limit": 100_000,
        "max_character_limit_extension": None,
        "max_credit_limit_extension": 0,
        "can_extend_character_limit": False,
        "allowed_to_extend_character_limit": False,
        "next_character_count_reset_unix": 1_790_000_000,
        "voice_slots_used": 0,
        "professional_voice_slots_used": 0,
        "professional_voice_slots_used_in_workspace": 0,
        "voice_limit": 30,
        "voice_add_edit_counter": 0,
        "professional_voice_limit": 1,
        "can_extend_voice_limit": False,
        "can_use_instant_voice_cloning": True,
        "can_use_professional_voice_cloning": True,
        "currency": "usd",
        "current_overage": {"amount": "0", "currency": "usd"},
        "status": "active",
        "billing_period": "monthly_period",
        "character_refresh_period": "monthly_period",
        "next_invoice": None,
        "open_invoices": [],
        "has_open_invoices": False,
    }
