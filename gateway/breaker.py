"""Providers that fail are left alone for a while, by all processes together.

A circuit stands for one provider by one key. This process counts what it meets there and decides
at once; twice a second it tells Redis and hears what the others met. No call waits for Redis, and
while it is away each process decides for itself.

A circuit opens when half of at least 20 calls within 10 s failed, or 10 calls in a row, or 5
connections in a row; after 5 s one call of one process may try. A spent quota and refused
credentials open it for a minute, or for as long as the provider said. `Retry-After` lets one model
rest.
"""

import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import msgspec
import redis.asyncio
from redis.exceptions import NoScriptError, RedisError

from gateway.retry_budget import RecentCounts
from gateway.transport import Upstream

logger = logging.getLogger(__name__)

_SCRIPT = Path(__file__).with_name("breaker.lua").read_text()
_FEWEST_CALLS = 20
_FAILURES_IN_A_ROW = 10
_CONNECTIONS_IN_A_ROW = 5
_OPEN_S = 5.0
_PROBE_S = 5.0
"""After this a probe that nobody heard of again is given to another."""
_USED_UP_S = 60.0
_LONGEST_OPEN_S = 3600.0
_LONGEST_REST_S = 60.0
_SOON_S = 1.0
"""What is left to wait while another process tries."""
_MOST_USER_CIRCUITS = 1000
_encode = msgspec.msgpack.Encoder().encode

_Verdict = Literal["", "open", "close"]


class _News(msgspec.Struct, frozen=True, array_like=True):
    """What one circuit has to tell."""

    name: str
    calls: int
    failures: int
    verdict: _Verdict
    for_ms: int
    wants_probe: bool
    rests: list[str | int]


class _Known(msgspec.Struct, frozen=True, array_like=True):
    """What all processes together know of one circuit."""

    state: Literal["closed", "open", "probe"]
    remaining_ms: int
    rests: list[str | int]


_decode = msgspec.msgpack.Decoder(list[_Known]).decode


class Circuit:
    """One provider by one key, as this process sees it. It decides nothing about money.

    `trips` False never opens. `alone` means that nobody else has a say in who tries an open one.
    """

    __slots__ = (
        "_calls",
        "_clock",
        "_failures",
        "_granted_until",
        "_in_a_row",
        "_open_until",
        "_probing",
        "_recent",
        "_rests",
        "_told",
        "_turned_away",
        "_unconnected_in_a_row",
        "_verdict",
        "alone",
        "name",
        "trips",
    )

    def __init__(
        self, name: str, *, trips: bool, alone: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = name
        self.trips = trips
        self.alone = alone
        self._clock = clock
        self._recent = RecentCounts(clock)
        self._in_a_row = self._unconnected_in_a_row = 0
        self._open_until = 0.0
        self._granted_until = 0.0
        self._probing = False
        self._rests: dict[str, float] = {}
        self._calls = self._failures = 0
        self._verdict: _Verdict = ""
        self._turned_away = False
        self._told: dict[str, float] = {}

    @property
    def is_open(self) -> bool:
        """Whether the provider as a whole is left alone."""
        return self._open_until > 0

    @property
    def is_quiet(self) -> bool:
        """Whether there is nothing to wait for: it is not open, and no model of it rests."""
        return not self._open_until and not self._rests

    def wait_s(self, model: str) -> float:
        """Give how long this model is not to be called; 0 if it may be."""
        if not self._open_until and not self._rests:
            return 0.0
        now_s = self._clock()
        rest_s = self._rests.get(model, 0.0) - now_s
        if rest_s <= 0:
            self._rests.pop(model, None)
        if self._open_until and not self._may_probe(now_s):
            self._turned_away = True
            return max(rest_s, self._open_until - now_s, _SOON_S)
        return max(rest_s, 0.0)

    def enter(self, model: str) -> bool:
        """Say whether a call may go out now; of an open circuit it is then the one that tries."""
        if not self._open_until and not self._rests:
            return True
        if self.wait_s(model) > 0:
            return False
        if self._open_until:
            self._probing = True
            self._granted_until = 0.0
            self._open_until = self._clock() + _PROBE_S
        return True

    def succeeded(self) -> None:
        """Note that the provider did its part."""
        self._in_a_row = self._unconnected_in_a_row = 0
        if self.trips:
            self._recent.count_call()
            self._calls += 1
        if self._probing:
            self._close()
            self._verdict = "close"

    def failed(self, *, connecting: bool = False) -> None:
        """Note that it did not; `connecting` if not even a connection came about."""
        if not self.trips:
            return
        self._recent.count_call()
        self._recent.count_mark()
        self._calls += 1
        self._failures += 1
        self._in_a_row += 1
        self._unconnected_in_a_row = self._unconnected_in_a_row + 1 if connecting else 0
        if self._probing or (not self._open_until and self._is_bad()):
            self._open(_OPEN_S)

    def open_for(self, seconds: float | None = None) -> None:
        """Leave it alone for a minute, or as long as was said: no call can succeed before."""
        if self.trips:
            self._open(min(max(seconds or 0.0, _USED_UP_S), _LONGEST_OPEN_S))

    def rest(self, model: str, seconds: float) -> None:
        """Leave one model alone for as long as the provider asked, at most a minute."""
        if self.trips and seconds > 0:
            bounded_s = min(seconds, _LONGEST_REST_S)
            self._rests[model] = max(self._rests.get(model, 0.0), self._clock() + bounded_s)
            self._told[model] = self._rests[model]

    def news(self) -> _News:
        """Give what happened since the last time, and begin anew."""
        now_s = self._clock()
        told = _News(
            name=self.name,
            calls=self._calls,
            failures=self._failures,
            verdict=self._verdict,
            for_ms=max(1, round((self._open_until - now_s) * 1000)),
            wants_probe=self._turned_away,
            rests=[
                word
                for model, until_s in self._told.items()
                for word in (model, max(1, round((until_s - now_s) * 1000)))
            ],
        )
        self._calls = self._failures = 0
        self._verdict = ""
        self._turned_away = False
        self._told = {}
        return told

    def take_back(self, news: _News) -> None:
        """Keep what could not be told. Counts are not: they are too old by then."""
        self._verdict = self._verdict or news.verdict
        self._turned_away = self._turned_away or news.wants_probe

    def adopt(self, known: _Known) -> None:
        """Take over what all processes know, unless something happened here meanwhile."""
        now_s = self._clock()
        self.alone = False
        for model, remaining_ms in zip(known.rests[::2], known.rests[1::2], strict=True):
            until_s = now_s + int(remaining_ms) / 1000
            self._rests[str(model)] = max(self._rests.get(str(model), 0.0), until_s)
        trying = self._probing and now_s < self._open_until
        if self._verdict or (trying and known.state != "closed"):
            return
        if known.state == "closed":
            if self._open_until:
                self._close()
            return
        self._open_until = now_s + known.remaining_ms / 1000
        if known.state == "probe":
            self._granted_until = now_s + _PROBE_S

    def _may_probe(self, now_s: float) -> bool:
        return now_s < self._granted_until or (self.alone and now_s >= self._open_until)

    def _is_bad(self) -> bool:
        if self._in_a_row >= _FAILURES_IN_A_ROW:
            return True
        if self._unconnected_in_a_row >= _CONNECTIONS_IN_A_ROW:
            return True
        calls, failures = self._recent.sums()
        return calls >= _FEWEST_CALLS and failures * 2 >= calls

    def _open(self, seconds: float) -> None:
        self._open_until = max(self._open_until, self._clock() + seconds)
        self._granted_until = 0.0
        self._probing = False
        self._in_a_row = self._unconnected_in_a_row = 0
        self._verdict = "open"

    def _close(self) -> None:
        """Let calls pass again."""
        self._open_until = self._granted_until = 0.0
        self._probing = False
        self._in_a_row = self._unconnected_in_a_row = 0
        self._recent.clear()


class Breaker:
    """The circuits of this process, and the background word with Redis about them."""

    def __init__(
        self, client: redis.asyncio.Redis, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._clock = clock
        self._sha = ""
        self._ours: dict[str, Circuit] = {}
        self._of_users: OrderedDict[tuple[str, bytes], Circuit] = OrderedDict()
        self._redis_is_away = False

    def circuit(self, upstream: Upstream) -> Circuit:
        """Give the circuit of a provider by the key it is reached with.

        A user's key has one of its own, in this process only. The sandbox's never opens: what fails
        there was asked for by the caller's own words, and must not hit anybody else.
        """
        if upstream.user_key:
            return self._of_user(upstream)
        circuit = self._ours.get(upstream.provider.slug)
        if circuit is None:
            circuit = Circuit(
                circuit_name(upstream),
                trips=not upstream.sandbox,
                alone=self._redis_is_away,
                clock=self._clock,
            )
            self._ours[upstream.provider.slug] = circuit
        return circuit

    async def sync(self) -> None:
        """Tell Redis what happened here and hear what happened elsewhere."""
        circuits = [circuit for circuit in self._ours.values() if circuit.trips]
        if not circuits:
            return
        told = [circuit.news() for circuit in circuits]
        try:
            known = await self._evaluate(_encode(told))
        except (RedisError, OSError, TimeoutError) as error:
            self._note_loss(error)
            for circuit, news in zip(circuits, told, strict=True):
                circuit.alone = True
                circuit.take_back(news)
            return
        self._redis_is_away = False
        for circuit, heard in zip(circuits, known, strict=True):
            circuit.adopt(heard)

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()

    def _of_user(self, upstream: Upstream) -> Circuit:
        key = (upstream.provider.slug, _digest(upstream.key))
        circuit = self._of_users.get(key)
        if circuit is None:
            circuit = Circuit(
                upstream.provider.slug,
                trips=not upstream.sandbox,
                alone=True,
                clock=self._clock,
            )
            self._of_users[key] = circuit
            if len(self._of_users) > _MOST_USER_CIRCUITS:
                self._of_users.popitem(last=False)
        else:
            self._of_users.move_to_end(key)
        return circuit

    def _note_loss(self, error: Exception) -> None:
        if not self._redis_is_away:
            logger.warning("circuit breakers without Redis for a while: %r", error)
        self._redis_is_away = True

    async def _evaluate(self, told: bytes) -> list[_Known]:
        try:
            if not self._sha:
                raise NoScriptError
            answer = await self._command("EVALSHA", self._sha, 0, told)
        except NoScriptError:
            self._sha = await self._client.script_load(_SCRIPT)
            answer = await self._command("EVALSHA", self._sha, 0, told)
        return _decode(answer)

    async def _command(self, *words: Any) -> Any:  # noqa: ANN401  whatever Redis answers
        return await self._client.execute_command(*words)  # type: ignore[no-untyped-call]


def circuit_name(upstream: Upstream) -> str:
    """Name a provider by the key it is reached with, as breaker.lua's keys end."""
    return f"{upstream.provider.slug}:{_digest(upstream.key).hex()[:16]}"


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
