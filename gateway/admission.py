"""Who calls, and may they call now: one round trip to Redis for a known credential, PostgreSQL for
a new one.

The same function serves both doors. Redis keeps a copy of a caller for four seconds, so a revoked
key stops everywhere within five; while Redis is away PostgreSQL is asked each time and each process
counts on its own.
"""

import asyncio
import hashlib
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import OperationalError, connection
from psycopg_pool import PoolTimeout

from gateway.limiter import Admission, Ask, Limiter
from studio.accounts import queries
from studio.accounts.callers import Caller
from studio.accounts.credentials import CREDENTIAL_LENGTHS, Credential, read_credential
from studio.accounts.errors import InvalidToken
from studio.core.errors import (
    Forbidden,
    GatewayError,
    InvalidRequest,
    RateLimited,
    Unauthenticated,
    Unavailable,
)

Headers = Sequence[tuple[bytes, bytes]]

_ANONYMOUS_LIMIT = 100
_ANONYMOUS_WINDOW_S = 900
_ANONYMOUS_CONCURRENCY = 50
_MOST_DIGESTS = 10_000

_THREADS = ThreadPoolExecutor(max_workers=4, thread_name_prefix="identify")
"""Threads of its own, so that slow questions of others never keep callers waiting at the door."""


class Admitted(msgspec.Struct, frozen=True, kw_only=True):
    """A caller whose request counts as one of its own, and where its limits stand."""

    caller: Caller
    admission: Admission


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A request that was counted and not let in: over its limits, or without a good credential."""

    error: GatewayError
    admission: Admission


class Gate:
    """The process's way in: the shared limiter, and identifications that are under way."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter
        self._identifying: dict[bytes, asyncio.Future[Caller]] = {}
        self._digests: dict[bytes, bytes] = {}

    async def admit(self, headers: Headers, *, request_id: str, address: str) -> Admitted | Refused:
        """Identify the caller and count the request; its concurrent place is taken until `leave`.

        A request without a valid credential is counted by its address: guessing is limited too.
        Raises: Unavailable (accounts cannot be read).
        """
        try:
            ask = Ask(request_id=request_id, digest=self._digest_of(headers), caller=None)
            admission = await self._limiter.ask(ask)
            if admission.state == "missing":
                caller = await self._identify(read_credential(headers))
                admission = await self._limiter.ask(msgspec.structs.replace(ask, caller=caller))
        except (Unauthenticated, InvalidRequest, Forbidden) as error:
            return await self._count_stranger(error, request_id, address)
        known = admission.caller
        assert known is not None, "an identified caller comes with its admission"
        if known.expires_at is not None and known.expires_at <= time.time():
            self.leave(known, request_id)
            return Refused(error=InvalidToken(), admission=admission)
        if admission.state == "ok":
            return Admitted(caller=known, admission=admission)
        return Refused(error=_limit_error(admission), admission=admission)

    def leave(self, caller: Caller, request_id: str) -> None:
        """Give back the caller's concurrent place."""
        self._limiter.release(caller, request_id)

    def _digest_of(self, headers: Headers) -> bytes:
        """Give the credential's digest, remembered by a digest of the headers: no key is kept.

        Raises: what `read_credential` raises.
        """
        shown = [part for pair in headers if len(pair[0]) in CREDENTIAL_LENGTHS for part in pair]
        known_as = hashlib.sha256(b"\n".join(shown)).digest()
        digest = self._digests.get(known_as)
        if digest is None:
            digest = read_credential(headers).digest
            if len(self._digests) >= _MOST_DIGESTS:
                self._digests.clear()
            self._digests[known_as] = digest
        return digest

    async def _identify(self, credential: Credential) -> Caller:
        """Ask PostgreSQL, once for all requests that wait for the same credential."""
        known = self._identifying.get(credential.digest)
        if known is None:
            identify = sync_to_async(_identify, thread_sensitive=False, executor=_THREADS)
            known = asyncio.ensure_future(identify(credential))
            self._identifying[credential.digest] = known
            known.add_done_callback(lambda _: self._identifying.pop(credential.digest, None))
        return await asyncio.shield(known)

    async def _count_stranger(self, error: GatewayError, request_id: str, address: str) -> Refused:
        """Count a request without a good credential: refused for that, or as one of too many."""
        stranger = Caller.stranger(
            "address:" + hashlib.sha256(address.encode()).hexdigest()[:32],
            request_limit=_ANONYMOUS_LIMIT,
            window_s=_ANONYMOUS_WINDOW_S,
            concurrency_limit=_ANONYMOUS_CONCURRENCY,
        )
        admission = await self._limiter.ask(
            Ask(request_id=request_id, digest=b"", caller=stranger, keep_copy=False)
        )
        self._limiter.release(stranger, request_id)
        if admission.state == "ok":
            return Refused(error=error, admission=admission)
        return Refused(error=_limit_error(admission), admission=admission)


def require_scope(caller: Caller, scope: str) -> None:
    """Refuse a caller whose key may not do this. Raises: Forbidden."""
    if caller.publishable:
        raise Forbidden("A publishable key may only open sessions (POST /v1/validate).")
    if scope not in caller.scopes:
        raise Forbidden(f'This key lacks the scope "{scope}".')


def check_origin(caller: Caller, origin: bytes | None) -> None:
    """Refuse a browser's request from an origin that the key does not list. Raises: Forbidden."""
    if origin is None or not (caller.allowed_origins or caller.needs_origin):
        return
    if origin.decode("latin-1") not in caller.allowed_origins:
        raise Forbidden("This key may not be used from this origin.")


def client_address(headers: Headers, peer: str) -> str:
    """Give the caller's address: the socket's peer, or what our own proxies say before it."""
    own_hops: int = settings.TRUSTED_PROXY_HOPS
    if not own_hops:
        return peer
    forwarded = [value.decode("latin-1") for name, value in headers if name == b"x-forwarded-for"]
    hops = [hop.strip() for hop in ",".join(forwarded).split(",") if hop.strip()]
    if len(hops) < own_hops:
        return peer
    return hops[-own_hops]


def _identify(credential: Credential) -> Caller:
    try:
        return queries.identify(credential)
    except (OperationalError, PoolTimeout) as error:
        raise Unavailable(
            "Accounts cannot be read right now.", headers={"Retry-After": "2"}
        ) from error
    finally:
        connection.close()  # back to the pool: nothing else returns it from this thread


def _limit_texts(admission: Admission) -> dict[str, str]:
    """Say where a stranger's address stands, on the refusal itself: it leaves by either door."""
    return {
        "X-RateLimit-Limit": str(admission.limit),
        "X-RateLimit-Remaining": str(admission.remaining),
        "X-RateLimit-Reset": str(admission.reset_at),
    }


def _limit_error(admission: Admission) -> RateLimited:
    retry = {"Retry-After": str(admission.retry_after_s)}
    details = {"retry_after": admission.retry_after_s}
    if admission.state == "concurrency":
        return RateLimited(
            "Too many requests at once: wait for one of yours to finish.",
            headers=retry,
            details=details,
        )
    return RateLimited(
        "You've exceeded your rate limit. Please wait before retrying.",
        headers=retry,
        details=details,
    )
