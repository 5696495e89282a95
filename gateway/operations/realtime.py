"""A realtime session: the short-lived secret by which a client opens it with the provider itself.

What happens in the session passes us by: neither its words nor its tokens are seen here.
"""

from collections.abc import Sequence
from urllib.parse import parse_qsl

from msgspec import Struct

from studio.core.errors import InvalidRequest

SECRET_LIFE_S = 60
"""How long a secret opens sessions. The API allows 10 s to 2 h; what came before it gave a minute,
and less would pass while a user is asked for the microphone. Source: github openai/openai-openapi
v2.3.0 (2026-08-21), RealtimeCreateClientSecretRequest and RealtimeSessionCreateResponse.
"""
_FIELDS = ("kind", "model", "voice")
_LONGEST_VALUE = 128
_LONGEST_QUERY_BYTES = 2048


class RealtimeRequest(Struct, frozen=True, kw_only=True):
    """One realtime session to be. Without a voice the provider's default speaks."""

    model: str | None = None
    kind: str | None = None
    voice: str | None = None


class RealtimeSecret(Struct, frozen=True, kw_only=True):
    """What opens a session, until `expires_at` (Unix seconds). It prints as nothing."""

    value: str
    expires_at: int

    def __repr__(self) -> str:
        return f"RealtimeSecret(expires_at={self.expires_at})"


def read_realtime(query: bytes) -> RealtimeRequest:
    """Read a request from a query string.

    Raises: InvalidRequest for every parameter that is unknown, repeated, empty or unprintable.
    """
    try:
        pairs = _pairs(query)
    except ValueError as error:
        raise InvalidRequest("The query string cannot be read.") from error
    found: dict[str, str] = {}
    for name, value in pairs:
        if name not in _FIELDS:
            raise _refused(name, f"there is no such parameter; there are {', '.join(_FIELDS)}")
        if name in found:
            raise _refused(name, "send it once")
        if not value or len(value) > _LONGEST_VALUE or not value.isprintable():
            raise _refused(name, f"1 to {_LONGEST_VALUE} printable characters")
        found[name] = value
    return RealtimeRequest(**found)


def _pairs(query: bytes) -> Sequence[tuple[str, str]]:
    """Split a query strictly. Raises: ValueError, UnicodeDecodeError among them."""
    if len(query) > _LONGEST_QUERY_BYTES:
        raise ValueError("too long")
    text = query.decode("ascii")
    return parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), errors="strict")


def _refused(name: str, reason: str) -> InvalidRequest:
    param = name[:_LONGEST_VALUE]
    return InvalidRequest(f"{param}: {reason}.", details={"param": param})
