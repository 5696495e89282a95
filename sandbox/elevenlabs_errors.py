"""The errors of ElevenLabs' double: their two forms, and those that faults ask for.

Source: elevenlabs.io docs, Errors (2026); which ones keep the older form: github issues of its
users, at second hand.
"""

import hashlib
import os
from urllib.parse import parse_qsl

import msgspec

from sandbox.elevenlabs_checks import ElevenLabsError, invalid_field
from sandbox.faults import HEADER, Faults, UnknownFault, faults_of
from sandbox.messages import Json, Reply, Request

_RUN = os.urandom(8)
_JSON = (b"content-type", b"application/json")
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


def read_body(request: Request) -> Json:
    """Read a JSON object. Raises: ElevenLabsError."""
    try:
        wanted = msgspec.json.decode(request.body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise invalid_field(["body"], "JSON decode error", "json_invalid") from None
    if not isinstance(wanted, dict):
        text = "Input should be a valid dictionary or object to extract fields from"
        raise invalid_field(["body"], text, "model_attributes_type")
    return wanted


def read_faults(request: Request, text: object) -> tuple[Faults, str]:
    """Read the faults that a request asks for, as far as they are due, and the text without them.

    Raises: ElevenLabsError.
    """
    given = text if isinstance(text, str) else ""
    try:
        asked, rest = faults_of(request.headers.get(HEADER), given)
    except UnknownFault as error:
        raise told(request, 400, "invalid_parameters", str(error)) from None
    return (request.due(asked) if asked.times else asked), rest


def query_of(request: Request) -> dict[str, str]:
    """Read what follows the path."""
    return dict(parse_qsl(request.query))


def told(
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


def refused(message: str, suggestion: str) -> ElevenLabsError:
    """Refuse a prompt, with a better one where there is one: its error keeps the older form."""
    data = {"data": {"prompt_suggestion": suggestion}} if suggestion else {}
    detail = {"status": "bad_prompt", "message": message, **data}
    return ElevenLabsError({"detail": detail}, status=400)


def limited(request: Request, code: str, retry_after: str) -> ElevenLabsError:
    """Limit a caller."""
    error = told(request, 429, code, "Too many requests. Please slow down.")
    if code in _LEGACY:
        error.body = {"detail": {"status": code, "message": "Please try again later."}}
    if retry_after:
        error.headers.append((b"retry-after", retry_after.encode()))
    return error


def asked_for(request: Request, faults: Faults) -> ElevenLabsError:
    """Make the error a fault asks for; `code=text` is one without any form."""
    if faults.code == "text":
        return ElevenLabsError({"detail": "Internal Server Error"}, status=faults.status)
    code = faults.code or _TYPES.get(faults.status, ("", "internal_error"))[1]
    if faults.status == 429:
        return limited(request, code, faults.retry_after)
    text = f"The sandbox was asked to answer {faults.status}."
    error = told(request, faults.status, code, text)
    if faults.retry_after:
        error.headers.append((b"retry-after", faults.retry_after.encode()))
    return error


def error_reply(request: Request, error: ElevenLabsError, faults: Faults) -> Reply:
    return Reply(
        status=error.status,
        headers=[_JSON, *error.headers],
        body=msgspec.json.encode(error.body),
        faults=faults,
    )
