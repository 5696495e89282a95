"""The error envelopes of the public APIs, one renderer each (docs/api/errors.md has the table)."""

from collections.abc import Callable

import msgspec

from studio.core.errors import GatewayError

Renderer = Callable[[GatewayError], bytes]


def _studio(error: GatewayError) -> bytes:
    return msgspec.json.encode({"error": error.message})


def _core(error: GatewayError) -> bytes:
    body = {"type": error.code, "message": error.message, "code": error.status, "param": None}
    if "param" in error.details:
        body["param"] = error.details["param"]
    return msgspec.json.encode({"error": body})


def _detail(error: GatewayError) -> bytes:
    return msgspec.json.encode({"detail": error.message})


_SPEECH_CODES = {401: "AUTH_ERROR", 403: "FORBIDDEN", 404: "NOT_FOUND", 429: "RATE_LIMIT"}


def _speech(error: GatewayError) -> bytes:
    fallback = "INTERNAL_ERROR" if error.status >= 500 else "BAD_REQUEST"
    code = _SPEECH_CODES.get(error.status, fallback)
    return msgspec.json.encode(
        {"error": {"code": code, "message": error.message, "details": error.details}}
    )


_BY_NAME: dict[str, Renderer] = {
    "studio": _studio,
    "core": _core,
    "llm": _detail,
    "image-studio": _detail,
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


def surface_of(path: str) -> str | None:
    """Name the surface that owns a path, or None where no API of ours is mounted.

    `/v1/chat` is studio's until its body has been read (decided in api.md 1).
    """
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
    OpenAI's clients.
    """
    if surface == "core" and error.code == "model_not_found":
        return 404
    return error.status


def render(error: GatewayError, surface: str) -> bytes:
    """Write the error as this surface's clients expect it."""
    if surface == "core" and status_of(error, surface) != error.status:
        shown = GatewayError(error.message, details=error.details)
        shown.code, shown.status = error.code, status_of(error, surface)
        return _core(shown)
    return _BY_NAME[surface](error)
