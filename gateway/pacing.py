"""Asking providers no faster than they allow: calls that come too fast wait for their turn.

A limit holds for any window, over all processes, and per provider and key; one Lua call in Redis
books a call's moment behind those who came before it. While Redis is away each process counts on
its own. Nothing is held while a call waits, and who leaves gives its moment back if nobody booked
behind it. A moment is when we send; what lies between us and the provider may push two together.
"""

import asyncio
import contextlib
import logging
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import redis.asyncio
from redis.exceptions import NoScriptError, RedisError, ResponseError

from gateway.breaker import circuit_name
from gateway.paces import Pace
from gateway.transport import Upstream
from studio.core.errors import GatewayError, RateLimited

logger = logging.getLogger(__name__)

_SCRIPT = Path(__file__).with_name("pacing.lua").read_text()
_PATIENCE_S = 10.0
_MICROSECONDS = 1_000_000
_RETRY_REDIS_AFTER_S = 3.0
_MERGED = 3600
_encode = msgspec.msgpack.Encoder().encode

ClientLeft = Callable[[], Awaitable[None]]


class TooManyWaiting(RateLimited):
    """Calls to this provider wait so long already that this one is better tried again later."""


class CallerLeft(GatewayError):
    """Nobody waits for the answer any more. Nothing was held or sent."""

    code = "client_left"
    status = 499


class Booking(msgspec.Struct, frozen=True, array_like=True):
    """When a call may be sent: a moment of whoever counts, 0 for never, and how far away it is."""

    at_us: int
    wait_us: int
    is_local: bool = False


_decode = msgspec.msgpack.Decoder(Booking).decode


class Pacer:
    """The process's view of the paces that all processes keep together.

    `paces` are those of surfaces and those of all of them (""), each by provider.
    """

    def __init__(
        self,
        client: redis.asyncio.Redis,
        paces: Mapping[str, Mapping[str, Pace]],
        *,
        patience_s: float = _PATIENCE_S,
    ) -> None:
        self._client = client
        self._paces = paces
        self._patience_us = round(patience_s * _MICROSECONDS)
        self._sha = ""
        self._down_until = 0.0
        self._local = LocalPaces()

    async def keep(
        self,
        surface: str,
        upstream: Upstream,
        *,
        tokens: int,
        client_left: ClientLeft | None,
        patience_s: float | None = None,
    ) -> None:
        """Wait until a call of about so many tokens may go to a provider.

        A further request of a call whose tokens are counted already has none. Raises:
        TooManyWaiting, if that is further away than `patience_s` (ten seconds); CallerLeft.
        """
        pace = self.pace_of(surface, upstream.provider.slug)
        if pace is None or not pace.limits:
            return
        name = f"{pace.scope}:{circuit_name(upstream)}"
        booking = await self.book(name, pace, tokens, patience_s=patience_s)
        if not booking.at_us:
            raise _too_many(upstream.provider.slug, booking.wait_us / _MICROSECONDS)
        if not booking.wait_us:
            return
        try:
            await _pause(booking.wait_us / _MICROSECONDS, client_left)
        except BaseException:
            # Also for a cancelled task: the moment is somebody else's then.
            await asyncio.shield(self.give_back(name, pace, tokens, booking))
            raise

    def pace_of(self, surface: str, provider: str) -> Pace | None:
        """Give the pace for a provider: the operator's for all, else the surface's, if any."""
        for scope in ("", surface):
            pace = self._paces.get(scope, {}).get(provider)
            if pace is not None:
                return pace
        return None

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()

    async def book(
        self, name: str, pace: Pace, tokens: int, *, patience_s: float | None = None
    ) -> Booking:
        """Book the first moment at which every limit has room, behind all bookings before."""
        patience_us = self._patience_us
        if patience_s is not None:
            patience_us = round(patience_s * _MICROSECONDS)
        if time.monotonic() >= self._down_until:
            try:
                return await self._evaluate(name, pace, tokens, patience_us=patience_us)
            except (RedisError, OSError, TimeoutError) as error:
                self._note_loss(error)
        return self._local.book(name, pace, tokens, patience_us=patience_us)

    async def give_back(self, name: str, pace: Pace, tokens: int, booking: Booking) -> None:
        """Give a moment back to who comes next, unless somebody booked behind it already.

        It is lost where Redis does not answer.
        """
        if booking.is_local:
            self._local.give_back(name, pace, tokens, booking)
            return
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            await self._evaluate(name, pace, tokens, given_back_us=booking.at_us)

    async def _evaluate(
        self, name: str, pace: Pace, tokens: int, *, patience_us: int = 0, given_back_us: int = 0
    ) -> Booking:
        limits = [
            (limit.label, limit.most, limit.window_s * _MICROSECONDS, limit.cost(tokens))
            for limit in pace.limits
        ]
        words = _encode((name, patience_us, given_back_us, limits))
        try:
            if not self._sha:
                raise NoScriptError
            answer = await self._command("EVALSHA", self._sha, 0, words)
        except NoScriptError:
            self._sha = await self._client.script_load(_SCRIPT)
            answer = await self._command("EVALSHA", self._sha, 0, words)
        return _decode(answer)

    def _note_loss(self, error: Exception) -> None:
        """Count locally for a while; said once."""
        if time.monotonic() >= self._down_until:
            level = logging.ERROR if isinstance(error, ResponseError) else logging.WARNING
            logger.log(level, "pacing without Redis for a while: %r", error)
        self._down_until = time.monotonic() + _RETRY_REDIS_AFTER_S

    async def _command(self, *words: Any) -> Any:  # noqa: ANN401  whatever Redis answers
        return await self._client.execute_command(*words)  # type: ignore[no-untyped-call]


class LocalPaces:
    """The same bookings by this process alone, as pacing.lua makes them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._booked: dict[tuple[str, str], deque[tuple[int, int]]] = {}

    def book(self, name: str, pace: Pace, tokens: int, *, patience_us: int) -> Booking:
        """Book the first moment at which every limit has room."""
        now = at = int(self._clock() * _MICROSECONDS)
        for limit in pace.limits:
            window = limit.window_s * _MICROSECONDS
            entries = self._booked.setdefault((name, limit.label), deque())
            while entries and entries[0][0] <= now - window:
                entries.popleft()
            if entries:
                at = max(at, entries[-1][0])
            at = max(at, _first_fit(entries, limit.most, window, limit.cost(tokens)))
        if at - now > patience_us:
            return Booking(0, at - now, True)
        for limit in pace.limits:
            entries = self._booked[name, limit.label]
            grain = limit.window_s * _MICROSECONDS / _MERGED
            cost = limit.cost(tokens)
            if entries and limit.most > _MERGED and at - entries[-1][0] < grain:
                entries[-1] = (at, entries[-1][1] + cost)
            else:
                entries.append((at, cost))
        return Booking(at, at - now, True)

    def give_back(self, name: str, pace: Pace, tokens: int, booking: Booking) -> None:
        """Give a moment back to who comes next, if nobody booked behind it."""
        for limit in pace.limits:
            entries = self._booked[name, limit.label]
            if entries and entries[-1][0] == booking.at_us:
                at, used = entries.pop()
                if used > limit.cost(tokens):
                    entries.append((at, used - limit.cost(tokens)))


def _first_fit(entries: deque[tuple[int, int]], most: int, window: int, cost: int) -> int:
    over, at = sum(used for _, used in entries) + cost - most, 0
    for began, used in entries:
        if over <= 0:
            break
        over, at = over - used, began + window
    return at


async def _pause(wait_s: float, client_left: ClientLeft | None) -> None:
    """Wait for one's turn. Raises: CallerLeft, as soon as the client has gone."""
    if client_left is None:
        await asyncio.sleep(wait_s)
        return
    watcher = asyncio.ensure_future(client_left())
    try:
        await asyncio.wait({watcher}, timeout=wait_s)
        if watcher.done():
            raise CallerLeft("The client closed the connection.")
    finally:
        watcher.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watcher


def _too_many(provider: str, wait_s: float) -> TooManyWaiting:
    seconds = math.ceil(wait_s)
    return TooManyWaiting(
        f"Too many requests for {provider} are waiting. Please try again in {seconds} seconds.",
        headers={"Retry-After": str(seconds)},
        details={"retry_after": seconds},
    )
