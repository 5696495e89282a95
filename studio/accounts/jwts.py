"""Verification of JWTs. Pure: keys, configuration and the time are passed in.

A token is refused unless everything about it is expected. Its header chooses nothing but the row of
ours whose one key and one algorithm then verify it; addresses and keys inside a token are never
looked at. HS256 and the public-key algorithms have verifiers of their own, so that a public key is
never used as a shared secret.

Source: RFC 7515, RFC 7519, RFC 8725 (JSON Web Token Best Current Practices, February 2020).
"""

import base64
import re
from typing import Annotated

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from studio.accounts.errors import InvalidToken
from studio.accounts.scopes import ALL_SCOPES

SHARED_SECRET_ALGORITHM = "HS256"  # noqa: S105 - a name
PUBLIC_KEY_ALGORITHMS = ("RS256", "ES256")
SHORTEST_SECRET_BYTES = 32
LEEWAY_S = 30
LONGEST_LIFE_S = 3600
_SHORTEST_RSA_BITS = 2048
_LONGEST_TOKEN = 8192
_LONGEST_HEADER_BYTES = 1024

_REFUSED_HEADERS = frozenset(("jku", "x5u", "jwk", "x5c", "crit", "b64", "zip", "enc", "cty"))
_TYPES = ("jwt", "at+jwt", "application/at+jwt")
_SEGMENTS = re.compile(r"[0-9A-Za-z_-]+\.[0-9A-Za-z_-]+\.[0-9A-Za-z_-]+")
_NAME = re.compile(r"[\x21-\x7e]{1,255}")
_CHANNEL = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_LONGEST_APP_ID = 200

Moment = (
    Annotated[int, msgspec.Meta(ge=0, le=2**40)] | Annotated[float, msgspec.Meta(ge=0, le=2**40)]
)


Header = dict[str, str | int | float | bool | None]
"""Scalars only: a list or an object in a header is something that we do not do."""


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """The claims that we read; others may be there. Times are Unix seconds."""

    sub: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    exp: Moment
    iat: Moment | None = None
    nbf: Moment | None = None
    iss: str | None = None
    aud: str | list[str] | None = None
    scope: str | None = None
    channel: str | None = None
    app_id: str | None = None

    @property
    def scopes(self) -> tuple[str, ...]:
        """The words of `scope` that we know, in our order."""
        words = (self.scope or "").split()
        return tuple(scope for scope in ALL_SCOPES if scope in words)


class Unverified(msgspec.Struct, frozen=True, kw_only=True):
    """What a token says of itself: good for finding the key that must have signed it."""

    algorithm: str
    kid: str
    issuer: str


class Expectation(msgspec.Struct, frozen=True, kw_only=True):
    """What claims must say; an empty issuer or audience is not compared. `now`: Unix seconds."""

    now: float
    issuer: str
    audience: str


_claims = msgspec.json.Decoder(Claims)
_header = msgspec.json.Decoder(Header)
_shared_secret_verifier = jwt.PyJWS(algorithms=[SHARED_SECRET_ALGORITHM])
_public_key_verifiers = {name: jwt.PyJWS(algorithms=[name]) for name in PUBLIC_KEY_ALGORITHMS}


def peek(token: str) -> Unverified:
    """Read what chooses the key. Raises: InvalidToken unless it is a plain, canonical JWT."""
    if len(token) > _LONGEST_TOKEN or not _SEGMENTS.fullmatch(token):
        raise InvalidToken
    head, body, signature = token.split(".")
    _segment(signature)
    algorithm, kid = _read_header(_segment(head))
    claims = _read_claims(_segment(body))
    issuer = claims.iss or ""
    if not all(_NAME.fullmatch(name) for name in (kid, issuer) if name):
        raise InvalidToken
    return Unverified(algorithm=algorithm, kid=kid, issuer=issuer)


def verify_shared_secret(token: str, *, secret: str) -> Claims:
    """Verify a token signed with HS256. Raises: InvalidToken."""
    return _verify(_shared_secret_verifier, token, secret, SHARED_SECRET_ALGORITHM)


def verify_public_key(token: str, *, algorithm: str, public_key_pem: str) -> Claims:
    """Verify a token signed with the one algorithm of its issuer's key. Raises: InvalidToken."""
    return _verify(_public_key_verifiers[algorithm], token, public_key_pem, algorithm)


def check_claims(claims: Claims, expected: Expectation) -> None:
    """Hold verified claims against time, issuer and audience. Raises: InvalidToken."""
    if not (_is_current(claims, expected.now) and _is_meant_for_us(claims, expected)):
        raise InvalidToken
    if not (claims.sub.isprintable() and claims.sub.strip()):
        raise InvalidToken
    if claims.channel is not None and not _CHANNEL.fullmatch(claims.channel):
        raise InvalidToken
    if claims.app_id is not None and not is_app_id(claims.app_id):
        raise InvalidToken


def is_app_id(text: str) -> bool:
    """Say whether a text may label an app: 1 to 200 printable characters."""
    return 1 <= len(text) <= _LONGEST_APP_ID and text.isprintable()


def public_key_fault(algorithm: str, public_key_pem: str) -> str:
    """Say in a sentence why a key cannot verify an algorithm's tokens, or nothing if it can."""
    try:
        key = load_pem_public_key(public_key_pem.encode())
    except ValueError:
        return "This is not a public key in PEM."
    if algorithm == "RS256":
        fits = isinstance(key, RSAPublicKey) and key.key_size >= _SHORTEST_RSA_BITS
        return "" if fits else "RS256 needs an RSA key of at least 2048 bits."
    fits = isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1)
    return "" if fits else "ES256 needs an elliptic-curve key on P-256."


def _is_current(claims: Claims, now: float) -> bool:
    if claims.exp + LEEWAY_S <= now:
        return False
    if claims.nbf is not None and claims.nbf - LEEWAY_S > now:
        return False
    if claims.iat is None:
        return True
    return claims.iat - LEEWAY_S <= now and 0 < claims.exp - claims.iat <= LONGEST_LIFE_S


def _is_meant_for_us(claims: Claims, expected: Expectation) -> bool:
    if expected.issuer and claims.iss != expected.issuer:
        return False
    audiences = claims.aud if isinstance(claims.aud, list) else [claims.aud]
    return not expected.audience or expected.audience in audiences


def _verify(verifier: jwt.PyJWS, token: str, key: str, algorithm: str) -> Claims:
    try:
        payload = verifier.decode(token, key=key, algorithms=[algorithm])
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
        raise InvalidToken from error
    return _read_claims(payload)


def _read_header(raw: bytes) -> tuple[str, str]:
    """Give algorithm and kid. Raises: InvalidToken."""
    if len(raw) > _LONGEST_HEADER_BYTES:
        raise InvalidToken
    try:
        header = _header.decode(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise InvalidToken from error
    algorithm, kid, kind = header.get("alg"), header.get("kid", ""), header.get("typ", "JWT")
    if not (isinstance(algorithm, str) and isinstance(kid, str) and isinstance(kind, str)):
        raise InvalidToken
    if not _REFUSED_HEADERS.isdisjoint(header) or kind.lower() not in _TYPES:
        raise InvalidToken
    return algorithm, kid


def _read_claims(raw: bytes) -> Claims:
    try:
        return _claims.decode(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise InvalidToken from error


def _segment(text: str) -> bytes:
    """Decode base64url and insist on its one canonical spelling."""
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError as error:
        raise InvalidToken from error
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != text:
        raise InvalidToken
    return raw
