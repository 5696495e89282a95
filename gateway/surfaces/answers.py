"""Headers that every answer carries, whichever door it leaves by."""

from gateway.admission import Admitted
from gateway.limiter import Admission
from gateway.user_keys import known_providers
from studio.core.money import credits_text

SECURITY = ((b"x-content-type-options", b"nosniff"),)
EXPOSED = ", ".join(
    (
        "X-Request-Id",
        "Request-Id",
        "X-RateLimit-Limit",
        "X-RateLimit-Remaining",
        "X-RateLimit-Reset",
        "Retry-After",
        "X-Credits-Held",
        "X-Credits-Charged",
        "X-Credits-Remaining",
        "X-Gateway-Overhead-Ms",
        "X-Cache",
        "X-Studio-Upstream",
        "X-Studio-Attempts",
        "X-Speech-Request-Id",
        "Deprecation",
        "Idempotent-Replayed",
        "Preference-Applied",
        "Content-Range",
        "ETag",
    )
)
_STAINLESS = (
    *("arch", "async", "helper", "helper-method", "lang", "os", "package-version"),
    *("retry-count", "runtime", "runtime-version", "stream-helper", "timeout"),
)
_ALLOWED_HEADERS = (
    "anthropic-beta",
    "anthropic-dangerous-direct-browser-access",
    "anthropic-version",
    "authorization",
    "cache-control",
    "content-type",
    "idempotency-key",
    "prefer",
    "x-api-key",
    "x-app-id",
    "x-app-key",
    "x-baseten-key",
    "x-model-channel",
    "x-openai-key",
    "x-session-token",
    "x-user-id",
    *(f"x-user-{provider}-key" for provider in known_providers()),
    *(f"x-stainless-{word}" for word in _STAINLESS),
)
"""What browsers may send us; the rows of `anthropic-` and the last are what the JavaScript SDKs of
Anthropic and OpenAI add of their own.
"""
PREFLIGHT = (
    (b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE, OPTIONS"),
    (b"access-control-allow-headers", ", ".join(_ALLOWED_HEADERS).encode()),
    (b"access-control-max-age", b"86400"),
)

Headers = list[tuple[bytes, bytes]]


def id_headers(request_id: str, surface: str | None) -> Headers:
    """Name the request; Anthropic's clients look for its id under a name of their own."""
    headers = [(b"x-request-id", request_id.encode())]
    if surface == "messages":
        headers.append((b"request-id", request_id.encode()))
    return headers


def limit_headers(admission: Admission) -> Headers:
    """Say where the caller stands: `X-RateLimit-*`, the reset in Unix seconds."""
    return [
        (b"x-ratelimit-limit", b"%d" % admission.limit),
        (b"x-ratelimit-remaining", b"%d" % admission.remaining),
        (b"x-ratelimit-reset", b"%d" % admission.reset_at),
    ]


def origin_headers(origin: bytes | None, admitted: Admitted | None) -> Headers:
    """Let the browser read the answer if the key allows its origin; any origin for bearer-only keys
    without a list.
    """
    if origin is None:
        return []
    allowed = admitted.caller.allowed_origins if admitted else ()
    listed_only = bool(allowed) or (admitted is not None and admitted.caller.needs_origin)
    if listed_only and origin.decode("latin-1") not in allowed:
        return [(b"vary", b"origin")]
    return [
        (b"access-control-allow-origin", origin if listed_only else b"*"),
        (b"access-control-expose-headers", EXPOSED.encode()),
        (b"vary", b"origin"),
    ]


def paid_headers(
    *, charged_ucr: int | None, remaining_ucr: int | None, overhead_ms: float
) -> Headers:
    """Say what a paid call cost and what is left, in credits."""
    headers = [(b"x-gateway-overhead-ms", b"%.2f" % overhead_ms)]
    if charged_ucr is not None:
        headers.append((b"x-credits-charged", credits_text(charged_ucr).encode()))
    if remaining_ucr is not None:
        headers.append((b"x-credits-remaining", credits_text(remaining_ucr).encode()))
    return headers
