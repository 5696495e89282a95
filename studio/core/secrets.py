"""Sealing what we must read again, and digests of what we must only recognise.

Sealed text is AES-256-GCM under a key derived per purpose from one master secret; the purpose and
the caller's context are authenticated, so that a sealed value moved to another row does not open.
"""

import hashlib
import os
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE_BYTES = 12
_VERSION = b"\x01"


class SealBroken(Exception):
    """A sealed value was changed, moved, or sealed under another secret."""


@lru_cache(maxsize=16)
def _cipher(master_secret: str, purpose: str) -> AESGCM:
    key = HKDF(SHA256(), length=32, salt=None, info=purpose.encode()).derive(master_secret.encode())
    return AESGCM(key)


def seal(plaintext: bytes, *, master_secret: str, purpose: str, context: bytes) -> bytes:
    """Encrypt `plaintext` for one purpose and one context (a row's identity).

    Returns: version byte, 12-byte random nonce, ciphertext with tag.
    """
    nonce = os.urandom(_NONCE_BYTES)
    return _VERSION + nonce + _cipher(master_secret, purpose).encrypt(nonce, plaintext, context)


def unseal(sealed: bytes, *, master_secret: str, purpose: str, context: bytes) -> bytes:
    """Decrypt what `seal` made. Raises: SealBroken."""
    if sealed[:1] != _VERSION:
        raise SealBroken("unknown version of sealed value")
    nonce, ciphertext = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
    try:
        return _cipher(master_secret, purpose).decrypt(nonce, ciphertext, context)
    except (InvalidTag, ValueError) as error:  # ValueError: cut off within the nonce
        raise SealBroken("sealed value does not open here") from error


def digest(token: str) -> bytes:
    """Digest a high-entropy token (SHA-256, 32 bytes). Not for passwords."""
    return hashlib.sha256(token.encode()).digest()
