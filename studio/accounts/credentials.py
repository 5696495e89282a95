"""What a request presents as its credential, read from the raw header pairs of ASGI. Pure: no
database, no Redis.

Everything that two servers might read differently is refused: a header given twice, a twin with
underscores, control characters. Everything that has not the shape of a credential is refused too,
before it costs a round trip.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable
from typing import Literal

import msgspec
from django.conf import settings

from studio.accounts import keys
from studio.accounts.errors import (
    CredentialRequired,
    InvalidAppKey,
    InvalidSession,
    InvalidToken,
    MalformedCredential,
)

Kind = Literal["session", "app_key", "static_key", "jwt"]

SESSION_PREFIX = "gws_"
LONGEST_CREDENTIAL_BYTES = 8192

_KEY_HEADERS = (b"x-app-key", b"x-api-key")
"""The second is what Anthropic's clients call it."""
_HEADERS = frozenset((b"x-session-token", *_KEY_HEADERS, b"authorization"))
CREDENTIAL_LENGTHS = frozenset(len(name) for name in _HEADERS)
"""No header whose name has another length is looked at."""
_PRINTABLE = re.compile(rb"[\x20-\x7e\t]*")
_SESSION = re.compile(SESSION_PREFIX + r"[0-9A-Za-z_-]{43}")
_JWT = re.compile(r"[0-9A-Za-z_-]+\.[0-9A-Za-z_-]+\.[0-9A-Za-z_-]+")


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """One credential, and others that the same request presents beside it.

    `digest` is the full SHA-256 over all of them with their kinds: the key of any copy of the
    caller.
    """

    kind: Kind
    token: str
    digest: bytes
    others: "tuple[Credential, ...]" = ()

    def __repr__(self) -> str:
        """Show no token, so that no log or traceback carries it."""
        return f"Credential(kind={self.kind!r})"


def read_credential(headers: Iterable[tuple[bytes, bytes]]) -> Credential:
    """Read `x-session-token`, `x-app-key`, `x-api-key`, `Authorization: Bearer`, in this order of
    precedence.

    Raises: CredentialRequired, InvalidAppKey, InvalidSession, InvalidToken (401),
    MalformedCredential (400).
    """
    values = _auth_headers(headers)
    found: list[Credential] = []
    if value := values.get(b"x-session-token"):
        found.append(_session(value))
    for header in _KEY_HEADERS:
        if value := values.get(header):
            _add(found, _app_key(value))
    if value := values.get(b"authorization"):
        _add(found, _bearer(value))
    if not found:
        raise CredentialRequired
    return found[0] if len(found) == 1 else _together(found)


def credential_digest(kind: Kind, token: str) -> bytes:
    """Give the digest under which a copy of this one credential's caller is kept."""
    return hashlib.sha256(f"{kind}\0{token}".encode()).digest()


def _auth_headers(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, str]:
    """Collect our headers. Raises: MalformedCredential."""
    found: dict[bytes, str] = {}
    for name, value in headers:
        if len(name) not in CREDENTIAL_LENGTHS:
            continue
        written = name.lower()
        header = written.replace(b"_", b"-")
        if header not in _HEADERS:
            continue
        text = header.decode()
        if header != written:
            raise MalformedCredential(f"Write the header as {text}, with hyphens.")
        if header in found:
            raise MalformedCredential(f"Send the header {text} once.")
        if len(value) > LONGEST_CREDENTIAL_BYTES:
            raise MalformedCredential(f"The header {text} is longer than 8 KB.")
        if not _PRINTABLE.fullmatch(value):
            raise MalformedCredential(f"The header {text} must be printable ASCII.")
        found[header] = value.decode("ascii").strip(" \t")
    return found


def _add(found: list[Credential], credential: Credential) -> None:
    """Keep a credential unless the same one was shown under another name."""
    if all(credential.digest != other.digest for other in found):
        found.append(credential)


def _session(token: str) -> Credential:
    if not _SESSION.fullmatch(token):
        raise InvalidSession
    return _credential("session", token)


def _app_key(token: str) -> Credential:
    if _is_static_key(token):
        return _credential("static_key", token)
    if keys.key_id_of(token) is None:
        raise InvalidAppKey
    return _credential("app_key", token)


def _bearer(value: str) -> Credential:
    scheme, _, rest = value.partition(" ")
    token = rest.strip(" \t")
    if scheme.lower() != "bearer" or not token:
        raise CredentialRequired
    if keys.has_prefix(token) or _is_static_key(token):
        return _app_key(token)
    if token.startswith(SESSION_PREFIX):
        return _session(token)
    if not _JWT.fullmatch(token):
        raise InvalidToken
    return _credential("jwt", token)


def _is_static_key(token: str) -> bool:
    static: str = settings.APP_KEY
    return bool(static) and hmac.compare_digest(token.encode(), static.encode())


def _credential(kind: Kind, token: str) -> Credential:
    return Credential(kind=kind, token=token, digest=credential_digest(kind, token))


def _together(found: list[Credential]) -> Credential:
    first, *others = found
    digest = hashlib.sha256(b"".join(credential.digest for credential in found)).digest()
    return Credential(kind=first.kind, token=first.token, digest=digest, others=tuple(others))
