"""The error envelopes of the public APIs, one renderer each (docs/api/errors.md has the table)."""

from collections.abc import Callable
from typing import Any

import msgspec

from studio.core.errors import GatewayError, Unauthenticated

Renderer = Callable[[GatewayError, str], bytes]
"""Writes an error; takes the request's id as well."""


def _studio(error: GatewayError, _: str) -> bytes:
    return msgspec.json.encode({"error": error.message})


def _core(error: GatewayError, _: str) -> bytes:
    body = {"type": error.code, "message": error.message, "code": error.status, "param": None}
    if "param" in error.details:
        body["param"] = error.details["param"]
    return msgspec.json.encode({"error": body})


def _detail(error: GatewayError, _: str) -> bytes:
    return msgspec.json.encode({"detail": error.message})


def _image_studio(error: GatewayError, request_id: str) -> bytes:
    if isinstance(error, Unauthenticated):
        error = Unauthenticated("Authenticated user required for image operations.")
    return _detail(error, request_id)


_SPEECH_CODES = {401: "AUTH_ERROR", 403: "FORBIDDEN", 404: "NOT_FOUND", 429: "RATE_LIMIT"}


def _speech(error: GatewayError, _: str) -> bytes:
    fallback = "INTERNAL_ERROR" if error.status >= 500 else "BAD_REQUEST"
    code = _SPEECH_CODES.get(error.status, fallback)
    details = dict(error.details)
    if code == "RATE_LIMIT" and error.headers.get("Retry-After", "").isdigit():
        details["retry_after"] = int(error.headers["Retry-After"])
    if code == "AUTH_ERROR":
        details.setdefault("service", "studio")
    return msgspec.json.encode(
        {"error": {"code": code, "message": error.message, "details": details}}
    )


_ANTHROPIC_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
}
_OVERLOADED = "upstream_overloaded"


def anthropic_error(*, code: str, status: int, message: str, request_id: str) -> dict[str, Any]:
    """Write an error as Anthropic's clients expect it, our own code in its details.

    Source: `anthropic` Python SDK 2.12.0 (`_exceptions.py`, `types/shared/error_type.py`).
    """
    fallback = "invalid_request_error" if status < 500 else "api_error"
    kind = "overloaded_error" if code == _OVERLOADED else _ANTHROPIC_TYPES.get(status, fallback)
    error = {"type": kind, "message": message, "details": {"error_code": code}}
    return {"type": "error", "error": error, "request_id": request_id}


def _messages(error: GatewayError, request_id: str) -> bytes:
    return msgspec.json.encode(
        anthropic_error(
            code=error.code, status=error.status, message=error.message, request_id=request_id
        )
    )


_BY_NAME: dict[str, Renderer] = {
    "studio": _studio,
    "core": _core,
    "messages": _messages,
    "llm": _detail,
    "image-studio": _image_studio,
    "speech": _speech,
}
_CORE_PATHS = (
    "/v1/chat/completions",
    "/v1/responses",
    "/v1/embeddings",
    "/v1/images/generations",
    "/v1/audio/",
    "/v1/models/",
)
_STUDIO_PATHS = ("/v1/", "/health/")
_NOT_FOUND_SURFACES = ("core", "messages")


def surface_of(path: str) -> str | None:
    """Name the surface that owns a path, or None where no API of ours is mounted.

    `/v1/chat` is studio's until its body has been read (decided in api.md 1).
    """
    if path == "/v1/messages" or path.startswith("/v1/messages/"):
        return "messages"
    if path.startswith(_CORE_PATHS):
        return "core"
    if path.startswith("/api/v1/llm/"):
        return "llm"
    if path.startswith("/api/image-studio/"):
        return "image-studio"
    if path.startswith("/speech/"):
        return "speech"
    if path == "/health" or path.startswith(_STUDIO_PATHS):
        return "studio"
    return None


def status_of(error: GatewayError, surface: str) -> int:
    """Give the status this surface shows: an unknown kind is 500 where the seed says so, 404 for
    clients of OpenAI's and Anthropic's.
    """
    if surface == "speech" and error.status > 500:
        return 500  # all that its own reference lists
    if surface in _NOT_FOUND_SURFACES and error.code == "model_not_found":
        return 404
    return error.status


def render(error: GatewayError, surface: str, request_id: str) -> bytes:
    """Write the error as this surface's clients expect it."""
    status = status_of(error, surface)
    if status != error.status:
        shown = GatewayError(error.message, headers=error.headers, details=error.details)
        shown.code, shown.status = error.code, status
        error = shown
    return _BY_NAME[surface](error, request_id)
