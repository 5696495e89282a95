"""The attempts of one held chat: the next route where one fails before its first byte.

docs/decisions/007 tells what is tried again, where, how often, and who pays for what was lost.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import msgspec
import psycopg

from gateway.errors import UserKeyRefused, UserQuotaExceeded, UserRateLimited
from gateway.operations.chat import ChatUsage
from gateway.pool import borrowed
from gateway.providers.base import (
    UpstreamError,
    UpstreamFailure,
    UpstreamInvalid,
    UpstreamOverloaded,
    UpstreamQuota,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from gateway.providers.failures import read_retry_after
from gateway.quoting import Candidate, HeldChat
from gateway.routing import RESTING, shortest_wait_s
from gateway.runtime import Runtime
from gateway.telling import as_told
from gateway.transport import NotConnected
from studio.core.errors import InvalidRequest, Unavailable

_DEADLINE_S = 600.0
"""From the request's start. After this no other attempt begins, and none but the first lasts."""
_STREAM_PATIENCE_S = 60.0
"""For a stream's first byte while another route is left; a plain answer may take as long as the
transport waits, since models think for minutes.
"""
_LONGEST_WAIT_S = 2
"""A route that is the only one is waited for no longer."""
_PAUSE_S = (0.05, 0.5)
_GUESSED_RETRY_S = 5
"""What `failures.failure_for` tells callers where an overloaded provider told nothing."""
_MOVED = """
UPDATE gateway_call SET provider = %s, model = %s, attempts = %s
WHERE id = %s AND state = 'open' AND fence = 0
"""

Answered = TypeVar("Answered")


class FailedAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt after which another was made, as the usage record keeps it.

    `status` is the provider's, None if it gave none; `after_ms` is counted from the first attempt's
    beginning.
    """

    provider: str
    model: str
    code: str
    status: int | None
    after_ms: int


class Attempts:
    """What was tried for one held chat so far: where it is now, and what failed before.

    `number` counts the attempts that were sent, `lost_ucr` is what failed ones likely cost us,
    `client_left` whether it ended because nobody waits any more.
    """

    __slots__ = (
        "_began_s",
        "_headers",
        "_last",
        "candidate",
        "client_left",
        "failed",
        "held",
        "lost_ucr",
        "number",
        "runtime",
        "sent_s",
    )

    def __init__(self, runtime: Runtime, held: HeldChat) -> None:
        self.candidate = held.candidates[0]
        self.sent_s = self._began_s = time.perf_counter()
        self.number = 0
        self.failed: tuple[FailedAttempt, ...] = ()
        self.lost_ucr = 0
        self.client_left = False
        self.runtime = runtime
        self.held = held
        self._headers: Mapping[str, str] | None = None
        self._last: tuple[Candidate, UpstreamFailure] | None = None

    @property
    def log(self) -> str | None:
        """The failed attempts as JSON; None if none was followed by another."""
        return msgspec.json.encode(self.failed).decode() if self.failed else None

    def refused_with(self, headers: Mapping[str, str]) -> None:
        """Keep the headers of an answer that is no success, until its failure is judged."""
        self._headers = headers

    async def run(self, send: Callable[["Attempts"], Awaitable[Answered]]) -> Answered:
        """Send to one candidate after the other until one answers; `send` takes the present one.

        Raises: UpstreamFailure, the last one's.
        """
        self.runtime.retry_budget.count_call()
        self._begin(self._first())
        while True:
            try:
                limit_s = self._limit_s()
                if limit_s is None:
                    answered = await send(self)
                else:
                    answered = await self._within(limit_s, send)
            except InvalidRequest as error:
                raise self._unfit(error) from error
            except UpstreamFailure as failure:
                await self._move_on(failure)
            else:
                self._note_success()
                return answered

    def _first(self) -> Candidate:
        for candidate in self.held.candidates:
            if _enters(candidate):
                return candidate
        routes = [candidate.priced for candidate in self.held.candidates]
        raise UpstreamOverloaded(RESTING, retry_after_s=shortest_wait_s(routes))

    def _begin(self, candidate: Candidate) -> None:
        self.candidate = candidate
        self.number += 1
        self._headers = None
        self._began_s = time.perf_counter()

    async def _within(
        self, limit_s: float, send: Callable[["Attempts"], Awaitable[Answered]]
    ) -> Answered:
        try:
            async with asyncio.timeout(limit_s):
                return await send(self)
        except TimeoutError as error:
            raise UpstreamTimeout("The provider did not answer in time.") from error

    def _limit_s(self) -> float | None:
        """Give how long this attempt may take to its first byte; None for the transport's bound."""
        held = self.held
        if self.number == 1 and len(held.candidates) == 1:
            return None
        limits = [] if self.number == 1 else [self._left_s()]
        patience_s = held.resolution.patience_ms / 1000
        if not patience_s and held.task.request.stream:
            patience_s = _STREAM_PATIENCE_S
        if patience_s and any(map(_is_awake, self._others())):
            limits.append(patience_s)
        return max(0.0, min(limits)) if limits else None

    def _others(self) -> tuple[Candidate, ...]:
        """Give the candidates that come after this one."""
        candidates = self.held.candidates
        return candidates[candidates.index(self.candidate) + 1 :] if len(candidates) > 1 else ()

    def _left_s(self) -> float:
        return self.held.task.started_s + _DEADLINE_S - time.perf_counter()

    def _note_success(self) -> None:
        self.candidate.priced.circuit.succeeded()
        if self.held.resolution.order == "fastest":
            self.runtime.route_order.note_first_byte(
                self.candidate.priced.route,
                time.perf_counter() - self._began_s,
                streamed=bool(self.held.task.request.stream),
            )

    async def _move_on(self, failure: UpstreamFailure) -> None:
        """Judge a failure and begin the next attempt. Raises: the failure, where there is none."""
        told_s = self._told_s(failure)
        self._tell_circuit(failure, told_s)
        self._count_loss(failure)
        failure = as_told(self.candidate.priced.upstream, failure)
        following, pause_s = self._following(failure, told_s)
        if following is None or self._left_s() <= pause_s:
            raise failure
        if not self.runtime.retry_budget.spend():
            raise failure
        if await self._left_within(pause_s):
            self.client_left = True
            raise failure
        if following is not self.candidate and not _enters(following):
            raise failure
        await self._note_in_row(following, failure)
        self._log(failure)
        self._begin(following)

    def _following(
        self, failure: UpstreamFailure, told_s: int | None
    ) -> tuple[Candidate | None, float]:
        """Choose where to try next, and after how many seconds."""
        if isinstance(failure, UpstreamRefused | UserKeyRefused | UserQuotaExceeded):
            return None, 0
        if len(self.held.candidates) == 1:
            return self._again(failure, told_s)
        return next(filter(_is_awake, self._others()), None), 0

    def _again(
        self, failure: UpstreamFailure, told_s: int | None
    ) -> tuple[Candidate | None, float]:
        """Try the only route once more if the first attempt cannot have been billed."""
        if self.number > 1 or not _may_repeat(failure) or self.candidate.priced.circuit.is_open:
            return None, 0
        if told_s is None:
            return self.candidate, random.uniform(*_PAUSE_S)  # noqa: S311  it spreads load
        return (self.candidate, told_s) if told_s <= _LONGEST_WAIT_S else (None, 0)

    def _told_s(self, failure: UpstreamFailure) -> int | None:
        """Give the provider's own `Retry-After`, not our guess where it said nothing."""
        if self._headers is not None:
            told_s = read_retry_after(self._headers)
            if told_s is not None:
                return told_s
        if isinstance(failure, UpstreamOverloaded) and failure.retry_after_s == _GUESSED_RETRY_S:
            return None
        return failure.retry_after_s

    def _tell_circuit(self, failure: UpstreamFailure, told_s: int | None) -> None:
        priced = self.candidate.priced
        circuit = priced.circuit
        if isinstance(failure, UpstreamQuota) or failure.provider_status == 401:
            if not priced.upstream.user_key:
                circuit.open_for(told_s)
            return
        if told_s is not None and not priced.upstream.user_key:
            circuit.rest(priced.route.model, told_s)
        if _is_ill(failure, told_s):
            circuit.failed(connecting=isinstance(failure, NotConnected))
        else:
            circuit.succeeded()

    def _count_loss(self, failure: UpstreamFailure) -> None:
        """Count what an attempt that broke off after it was sent likely costs us: its input."""
        price = self.candidate.priced.price
        if not _may_be_billed(failure) or price is None or not self.held.paid:
            return
        lost = ChatUsage(input_tokens=self.held.input_estimate, output_tokens=0)
        self.lost_ucr += price.cost_ucr(lost)

    def _log(self, failure: UpstreamFailure) -> None:
        route = self.candidate.priced.route
        done = FailedAttempt(
            provider=route.provider,
            model=route.model,
            code=failure.code,
            status=failure.provider_status,
            after_ms=round((time.perf_counter() - self.sent_s) * 1000),
        )
        self.failed = (*self.failed, done)
        self._last = (self.candidate, failure)

    async def _left_within(self, pause_s: float) -> bool:
        """Pause, and tell whether the client left by the end of it."""
        client_left = self.held.task.client_left
        if client_left is None:
            await asyncio.sleep(pause_s)
            return False
        watcher = asyncio.ensure_future(client_left())
        try:
            await asyncio.wait({watcher}, timeout=pause_s)
            return watcher.done()
        finally:
            watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watcher

    async def _note_in_row(self, following: Candidate, failure: UpstreamFailure) -> None:
        """Write where the call goes next, so that the resolver prices it right if we die.

        Raises: `failure`, if the database does not answer, or another process took the call for
        dead: nothing is sent that is not on record.
        """
        route = following.priced.route
        values = (route.provider, route.model, self.number + 1, self.held.task.id)
        try:
            async with borrowed(self.runtime.pool) as connection:
                cursor = await connection.execute(_MOVED, values)
        except (Unavailable, psycopg.Error) as error:
            raise failure from error
        if cursor.rowcount != 1:
            raise failure

    def _unfit(self, error: InvalidRequest) -> UpstreamFailure:
        """Give what the caller is told of a request that this provider's form cannot hold.

        Nothing was sent here. After a failure elsewhere that one is told: it may pass.
        """
        if self._last is None:
            return UpstreamRefused(error.message, details=error.details)
        self.candidate, failure = self._last
        self.number -= 1
        self.failed = self.failed[:-1]
        return failure


def _enters(candidate: Candidate) -> bool:
    return candidate.priced.circuit.enter(candidate.priced.route.model)


def _is_awake(candidate: Candidate) -> bool:
    return not candidate.priced.circuit.wait_s(candidate.priced.route.model)


def _may_repeat(failure: UpstreamFailure) -> bool:
    """Tell whether the same route may be asked again: it did nothing, and may do better now."""
    if isinstance(failure, NotConnected | UpstreamOverloaded | UserRateLimited):
        return True
    failed = isinstance(failure, UpstreamError) and (failure.provider_status or 0) >= 500
    return failed and failure.retryable


def _may_be_billed(failure: UpstreamFailure) -> bool:
    """Tell whether the provider may have worked: it was sent, and no refusal came back."""
    if isinstance(failure, NotConnected):
        return False
    broken = isinstance(failure, UpstreamUnreachable | UpstreamTimeout | UpstreamInvalid)
    return broken and failure.provider_status is None


def _is_ill(failure: UpstreamFailure, told_s: int | None) -> bool:
    """Tell whether a failure speaks against the provider as a whole.

    A rate limit that says when to come back does not, nor does an unknown model or a refusal.
    """
    status = failure.provider_status
    if isinstance(failure, UpstreamRefused):
        return False
    if status == 429:
        return told_s is None
    return status is None or status >= 500 or status == 408
