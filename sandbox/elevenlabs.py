"""ElevenLabs' music over HTTP: one request, one whole piece; keys, refusals and errors as there.

Source: ElevenLabs' OpenAPI (stored copy of 2026-08), /v1/music, /v1/music/stream and
/v1/user/subscription; elevenlabs.io docs, Errors (2026); model ids: `elevenlabs` SDK 2.78.0.
Left out: detailed answers, plans, uploads, stems, finetunes, video; Opus, the telephone formats and
mp3_48000_240.
"""

import hashlib
import os
from urllib.parse import parse_qsl

import msgspec

from sandbox.elevenlabs_checks import ElevenLabsError, check_format, check_music, invalid_field
from sandbox.faults import HEADER, NO_FAULTS, Faults, UnknownFault, faults_of
from sandbox.messages import Headers, Json, Reply, Request
from sandbox.sounds import mp3, pcm

_RUN = os.urandom(8)
_JSON = (b"content-type", b"application/json")
_MUSIC = ("/v1/music", "/v1/music/stream")
_WORK_MS, _WORK_MS_PER_S = 50, 2
_OWN_LENGTH_MS = 20_000
"""How long a piece is at least where the model may choose."""
_LEGACY = frozenset({"too_many_concurrent_requests", "system_busy", "max_character_limit_exceeded"})
_TYPES = {
    400: ("validation_error", "invalid_parameters"),
    401: ("authentication_error", "invalid_api_key"),
    402: ("payment_required", "insufficient_credits"),
    403: ("authorization_error", "insufficient_permissions"),
    404: ("not_found", "not_found"),
    409: ("conflict", "conflict"),
    429: ("rate_limit_error", "rate_limit_exceeded"),
    503: ("service_unavailable", "system_busy"),
}
_SUGGESTED = "An upbeat song with bright guitars and close harmonies"


def answer(request: Request) -> Reply:
    """Answer one request as api.elevenlabs.io would."""
    try:
        return _route(request)
    except ElevenLabsError as error:
        return _error(request, error, NO_FAULTS)


def _route(request: Request) -> Reply:
    known = {**dict.fromkeys(_MUSIC, "POST"), "/v1/user/subscription": "GET"}
    method = known.get(request.path)
    if method is None:
        raise ElevenLabsError({"detail": "Not Found"}, status=404)
    if method != request.method:
        raise ElevenLabsError({"detail": "Method Not Allowed"}, status=405)
    _check_key(request)
    if request.path in _MUSIC:
        return _music(request)
    return Reply(headers=[_JSON], body=msgspec.json.encode(_subscription()))


def _check_key(request: Request) -> None:
    """Refuse a key that is missing or names its error. Raises: ElevenLabsError."""
    key = request.header(b"xi-api-key")
    if not key.strip():
        raise _told(request, 401, "missing_api_key", "No API key was provided.")
    if "invalid" in key:
        raise _told(request, 401, "invalid_api_key", "Invalid API key")
    if request.method == "POST" and "quota" in key:
        text = (
            "This request exceeds your quota. You have 12 credits remaining, while 400 are needed."
        )
        raise _told(request, 401, "quota_exceeded", text)
    if "ratelimited" in key:
        raise _limited(request, "rate_limit_exceeded", "1")


def _music(request: Request) -> Reply:
    """Compose a piece. Raises: ElevenLabsError."""
    try:
        wanted = msgspec.json.decode(request.body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise invalid_field(["body"], "JSON decode error", "json_invalid") from None
    prompt = wanted.get("prompt") if isinstance(wanted, dict) else None
    try:
        asked, text = faults_of(
            request.headers.get(HEADER), prompt if isinstance(prompt, str) else ""
        )
    except UnknownFault as error:
        raise _told(request, 400, "invalid_parameters", str(error)) from None
    faults = request.due(asked) if asked.times else asked
    try:
        if faults.status:
            raise _asked_for(request, faults)
        codec, rate_hz, kbps = check_format(dict(parse_qsl(request.query)), wanted)
        check_music(wanted)
        _check_rest(request, wanted, faults)
    except ElevenLabsError as error:
        return _error(request, error, faults)
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
        raise _told(request, 400, "invalid_parameters", text, param=faults.reject)
    planned = wanted.get("composition_plan") is not None
    if planned == (wanted.get("prompt") is not None):
        text = "Provide either a prompt or a composition_plan, not both."
        raise _told(request, 400, "invalid_parameters", text, param="prompt")
    for field in ("music_length_ms", "force_instrumental") if planned else ("seed",):
        if wanted.get(field):
            text = f"The '{field}' parameter cannot be used here."
            raise _told(request, 400, "invalid_parameters", text, param=field)
    if faults.refusal:
        raise _refused("The prompt names an artist whose work is protected.", _SUGGESTED)
    if faults.content_filter:
        raise _refused("The prompt violates our terms: https://elevenlabs.io/music-terms", "")


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


def _told(
    request: Request, status: int, code: str, message: str, *, param: str = ""
) -> ElevenLabsError:
    """Make an error as the documentation has it."""
    detail: Json = {
        "type": _TYPES.get(status, ("internal_error", ""))[0],
        "code": code,
        "message": message,
        "status": code,
        "request_id": hashlib.sha256(request.number.to_bytes(8) + _RUN).hexdigest()[:32],
    }
    if param:
        detail["param"] = param
    return ElevenLabsError({"detail": detail}, status=status)


def _refused(message: str, suggestion: str) -> ElevenLabsError:
    """Refuse a prompt, with a better one where there is one: its error keeps the older form."""
    data = {"data": {"prompt_suggestion": suggestion}} if suggestion else {}
    detail = {"status": "bad_prompt", "message": message, **data}
    return ElevenLabsError({"detail": detail}, status=400)


def _limited(request: Request, code: str, retry_after: str) -> ElevenLabsError:
    error = _told(request, 429, code, "Too many requests. Please slow down.")
    if code in _LEGACY:
        error.body = {"detail": {"status": code, "message": "Please try again later."}}
    if retry_after:
        error.headers.append((b"retry-after", retry_after.encode()))
    return error


def _asked_for(request: Request, faults: Faults) -> ElevenLabsError:
    """Make the error a fault asks for; `code=text` is one without any form."""
    if faults.code == "text":
        return ElevenLabsError({"detail": "Internal Server Error"}, status=faults.status)
    code = faults.code or _TYPES.get(faults.status, ("", "internal_error"))[1]
    if faults.status == 429:
        return _limited(request, code, faults.retry_after)
    text = f"The sandbox was asked to answer {faults.status}."
    error = _told(request, faults.status, code, text)
    if faults.retry_after:
        error.headers.append((b"retry-after", faults.retry_after.encode()))
    return error


def _error(request: Request, error: ElevenLabsError, faults: Faults) -> Reply:
    return Reply(
        status=error.status,
        headers=[_JSON, *error.headers],
        body=msgspec.json.encode(error.body),
        faults=faults,
    )


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
