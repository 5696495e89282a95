"""Our URLs of files: signed when they are read, good for a while, and for one file each.

Whoever has such a URL may read the file until it expires; nothing else of ours opens with it.
"""

import base64
import hashlib
import hmac
import math
import time
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import parse_qs
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

PATH = "/v1/assets/"
_MOST_DIGITS = 12


def base_url(headers: Sequence[tuple[bytes, bytes]]) -> str:
    """Give what our URLs begin with: PUBLIC_URL, else the host this request was sent to.

    Its scheme is what our own proxy says, http where there is none. The door has checked the host.
    """
    if settings.PUBLIC_URL:
        return str(settings.PUBLIC_URL).rstrip("/")
    found = {name: value.decode("latin-1") for name, value in headers}
    forwarded = found.get(b"x-forwarded-proto", "") if settings.TRUSTED_PROXY_HOPS else ""
    scheme = "https" if forwarded.strip().lower() == "https" else "http"
    return f"{scheme}://{found.get(b'host', 'localhost')}"


def asset_url(id: UUID, *, base_url: str, life_s: int, now_s: float | None = None) -> str:
    """Write the URL of a file that is good for `life_s` seconds from now."""
    expires_s = int(time.time() if now_s is None else now_s) + life_s
    return f"{base_url}{PATH}{id}?expires={expires_s}&signature={_signature(id, expires_s)}"


def is_signed(query: bytes) -> bool:
    """Say whether a request shows a signature at all, good or not."""
    return "signature" in _fields(query)


def expires_in(id: UUID, query: bytes, *, now_s: float) -> int:
    """Say for how many seconds more the query of a request opens this file; 0 if it does not."""
    given = _fields(query)
    expires, signatures = given.get("expires", []), given.get("signature", [])
    if len(expires) != 1 or len(signatures) != 1:
        return 0
    text = expires[0]
    if not text.isascii() or not text.isdigit() or len(text) > _MOST_DIGITS:
        return 0
    expires_s = int(text)
    if not hmac.compare_digest(_signature(id, expires_s).encode(), signatures[0].encode()):
        return 0
    return max(0, math.ceil(expires_s - now_s))


def _fields(query: bytes) -> dict[str, list[str]]:
    """Read a query, whatever its bytes are: what is no text becomes other text."""
    return parse_qs(query.decode("latin-1"), keep_blank_values=True)


def _signature(id: UUID, expires_s: int) -> str:
    """HMAC-SHA256 over the id's 16 bytes and the moment's 8, in base64 for URLs."""
    signed = id.bytes + expires_s.to_bytes(8, "big")
    found = hmac.new(_key(settings.VAULT_SECRET), signed, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(found).rstrip(b"=").decode()


@lru_cache(maxsize=2)
def _key(master_secret: str) -> bytes:
    """Derive the key of these signatures, which opens nothing that is sealed by the same secret."""
    return HKDF(SHA256(), length=32, salt=None, info=b"asset-urls").derive(master_secret.encode())
