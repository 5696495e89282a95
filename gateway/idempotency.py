"""Idempotency-Key: the same key and body get the stored answer, byte for byte, from one provider
call.

The key lives in the call row, which the hold statement writes; a unique index decides races. It is
scoped by workspace and caller, so that nobody meets another's key. Failures that delivered nothing
release the key: a retry then really retries. Where something was delivered, and paid, it stays.
"""

import hashlib

import msgspec
from django.conf import settings

from gateway.errors import AnswerNotKept, IdempotencyConflict, IdempotencyMismatch
from gateway.pool import Pool, borrowed
from studio.accounts.callers import Caller
from studio.core import secrets
from studio.core.errors import InvalidRequest

LONGEST_ANSWER_BYTES = 1_000_000
_LONGEST_KEY = 255
_PURPOSE = "stored-answer"

_LOOK_UP = """
SELECT id, state, request_digest, answer, answer_status, answer_media_type,
       started_at < now() - interval '24 hours' AS expired
FROM gateway_call WHERE workspace_id = %s AND idempotency_digest = %s
"""
_RELEASE = """
UPDATE gateway_call SET idempotency_digest = NULL, answer = NULL WHERE id = %s AND state <> 'open'
"""


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """An Idempotency-Key as the call row keeps it.

    Digests of scope and key, and of route and body.
    """

    key_digest: bytes
    request_digest: bytes


class StoredAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer given before, to be given again."""

    status: int
    media_type: str
    body: bytes


def read_claim(header: bytes | None, *, caller: Caller, route: str, body: bytes) -> Claim | None:
    """Read the header. Raises: InvalidRequest if it is not 1 to 255 printable ASCII characters."""
    if header is None:
        return None
    key = header.decode("latin-1")
    if not 1 <= len(key) <= _LONGEST_KEY or not key.isascii() or not key.isprintable():
        raise InvalidRequest("Idempotency-Key must be 1 to 255 printable ASCII characters.")
    scope = f"{caller.workspace_id}\0{caller.limiter_key}\0{key}"
    return Claim(
        key_digest=hashlib.sha256(scope.encode()).digest(),
        request_digest=hashlib.sha256(route.encode() + b"\0" + body).digest(),
    )


async def look_up(pool: Pool, claim: Claim, *, workspace_id: int) -> StoredAnswer | None:
    """Find the answer that was given under this key, if any.

    Raises: IdempotencyMismatch (used with another body or path), IdempotencyConflict (still being
    served).
    """
    async with borrowed(pool) as connection:
        cursor = await connection.execute(_LOOK_UP, (workspace_id, claim.key_digest))
        row = await cursor.fetchone()
        if row is None:
            return None
        call_id, state, request_digest, answer, status, media_type, expired = row
        if expired and state != "open":
            await connection.execute(_RELEASE, (call_id,))
            return None
    if bytes(request_digest) != claim.request_digest:
        raise IdempotencyMismatch("This Idempotency-Key was used with another request.")
    if state == "open":
        raise IdempotencyConflict("A request with this Idempotency-Key is still being served.")
    if answer is None:
        raise AnswerNotKept(
            "The answer under this Idempotency-Key was not kept: it was too large, or broke off."
        )
    try:
        body = secrets.unseal(
            bytes(answer),
            master_secret=settings.VAULT_SECRET,
            purpose=_PURPOSE,
            context=str(call_id).encode(),
        )
    except secrets.SealBroken as error:
        raise AnswerNotKept("The answer under this Idempotency-Key cannot be read.") from error
    return StoredAnswer(status=status, media_type=media_type, body=body)


def seal_answer(body: bytes, *, call_id: str) -> bytes | None:
    """Seal an answer for its call row; None if it is over 1 MB and is not kept."""
    if len(body) > LONGEST_ANSWER_BYTES:
        return None
    return secrets.seal(
        body, master_secret=settings.VAULT_SECRET, purpose=_PURPOSE, context=call_id.encode()
    )
