"""The format and the MAC of app keys. Pure.

`gw_live_` (secret) or `gw_pub_` (publishable), then in base62: 11 characters of key id, 43 of
secret (256 bits), 6 of CRC32 over everything before them. A typing error or a made-up key is told
from the text alone, without the database. Secret scanners may look for
`gw_(?:live|pub)_[0-9A-Za-z]{60}`.
"""

import hmac
import re
import secrets
import string
import zlib
from collections.abc import Mapping

import msgspec

_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_PAIRS = tuple(high + low for high in _DIGITS for low in _DIGITS)
_SHAPE = re.compile(r"gw_(?:live|pub)_([0-9A-Za-z]{11})[0-9A-Za-z]{49}")
_KEY_ID_LENGTH, _SECRET_LENGTH, _CRC_LENGTH = 11, 43, 6
SECRET_PREFIX, PUBLISHABLE_PREFIX = "gw_live_", "gw_pub_"


class MintedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A new key: the only place where its text exists, to be shown once."""

    token: str
    key_id: str
    last_four: str

    def __repr__(self) -> str:
        """Show the id alone, so that no log or traceback carries the key."""
        return f"MintedKey(key_id={self.key_id!r})"


def mint(*, publishable: bool) -> MintedKey:
    """Make a key from the system's random source."""
    key_id = _base62(secrets.randbelow(62**_KEY_ID_LENGTH), _KEY_ID_LENGTH)
    secret = _base62(secrets.randbelow(62**_SECRET_LENGTH), _SECRET_LENGTH)
    body = (PUBLISHABLE_PREFIX if publishable else SECRET_PREFIX) + key_id + secret
    token = body + _checksum(body)
    return MintedKey(token=token, key_id=key_id, last_four=token[-4:])


def has_prefix(token: str) -> bool:
    """Say whether a token claims to be an app key."""
    return token.startswith((SECRET_PREFIX, PUBLISHABLE_PREFIX))


def key_id_of(token: str) -> str | None:
    """Give the key id of a well-formed key whose checksum holds, else None."""
    match = _SHAPE.fullmatch(token)
    if match is None or token[-_CRC_LENGTH:] != _checksum(token[:-_CRC_LENGTH]):
        return None
    return match[1]


def mac(token: str, pepper: str) -> bytes:
    """Give the HMAC-SHA256 of a whole key: fast, since 256 random bits need no slow hash."""
    return hmac.digest(pepper.encode(), token.encode(), "sha256")


def macs(token: str, peppers: Mapping[int, str]) -> list[bytes]:
    """Give the MAC under every pepper, for the one key that has no key id."""
    return [mac(token, pepper) for pepper in peppers.values()]


def matches(token: str, *, stored: bytes | None, version: int, peppers: Mapping[int, str]) -> bool:
    """Compare a key with a stored MAC in constant time.

    With `stored` None (no such key id) or a pepper we no longer have, the same work ends in False.
    """
    pepper = peppers.get(version)
    known = stored is not None and pepper is not None
    computed = mac(token, pepper if pepper is not None else "")
    return hmac.compare_digest(computed, stored if stored is not None else bytes(32)) and known


def _checksum(body: str) -> str:
    """Write the CRC32 in six digits of base 62, two at a time: every request asks for one."""
    number, low = divmod(zlib.crc32(body.encode()), 3844)
    high, middle = divmod(number, 3844)
    return _PAIRS[high] + _PAIRS[middle] + _PAIRS[low]


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
