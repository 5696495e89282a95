"""Rate and concurrency of callers, exact across processes: one Lua call in Redis for a batch of
requests.

The rate is GCRA (a leaky bucket as meter): `limit` requests may come at once, one more every
window/limit. When Redis does not answer, each process counts on its own: neither open nor closed,
and money is never decided here.
"""

import asyncio
import functools
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import redis.asyncio
from redis.exceptions import NoScriptError, RedisError, ResponseError

from gateway.batch import Batcher
from studio.accounts.callers import Caller

logger = logging.getLogger(__name__)

_SCRIPT = Path(__file__).with_name("limiter.lua").read_text()
_MICROSECONDS = 1_000_000
_RETRY_REDIS_AFTER_S = 3.0
_RELEASE_WITHIN_S = 0.02
_encode = msgspec.msgpack.Encoder().encode
_encode_caller = msgspec.json.Encoder().encode
_decode_record = msgspec.json.Decoder(Caller).decode


@functools.lru_cache(maxsize=1024)
def _decode_caller(record: str) -> Caller:
    """Read a copy that Redis gave; the same text is the same caller, and Redis is asked anyway."""
    return _decode_record(record)


class _Row(msgspec.Struct, frozen=True, array_like=True):
    """One answer of the script."""

    state: str
    record: str
    remaining: int
    full_at_us: int
    retry_us: int


_decode_rows = msgspec.msgpack.Decoder(list[_Row]).decode


class Admission(msgspec.Struct, frozen=True, kw_only=True):
    """What the limiter says of one request.

    `reset_at` is Unix seconds, `retry_after_s` whole seconds.

    `state`: ok, rate, concurrency, or missing (no copy of this credential: identify it and ask
    again).
    """

    state: str
    caller: Caller | None
    limit: int
    remaining: int
    reset_at: int
    retry_after_s: int


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One request to count. With `caller` None the copy under `digest` is used."""

    request_id: str
    digest: bytes
    caller: Caller | None
    keep_copy: bool = True


class Limiter:
    """The process's view of the shared limiter."""

    def __init__(self, client: redis.asyncio.Redis) -> None:
        self._client = client
        self._sha = ""
        self._batcher: Batcher[Ask, Admission] = Batcher(self._flush, limit=128)
        self._releases: list[str] = []
        self._extensions: list[str] = []
        self._releaser: asyncio.TimerHandle | None = None
        self._background: set[asyncio.Task[Any]] = set()
        self._down_until = 0.0
        self._local = LocalLimiter()

    async def ask(self, ask: Ask) -> Admission:
        """Count one request.

        Without Redis the local count answers, or `missing` if the caller is not known yet.
        """
        if time.monotonic() >= self._down_until:
            try:
                return await self._batcher.submit(ask)
            except (RedisError, OSError, TimeoutError) as error:
                self._note_loss(error)
        return self._local.ask(ask)

    def release(self, caller: Caller, request_id: str) -> None:
        """Give back the request's concurrent place; it travels with the next batch, or alone within
        20 ms.
        """
        self._local.release(caller.limiter_key, request_id)
        self._releases += (caller.limiter_key, request_id)
        if self._releaser is None:
            loop = asyncio.get_running_loop()
            self._releaser = loop.call_later(_RELEASE_WITHIN_S, self._release_alone)

    async def extend(self, places: Sequence[tuple[str, str]]) -> None:
        """Keep the places of long calls, as (limiter key, request id)."""
        for place in places:
            self._extensions += place
        await self._release_now()

    async def ping(self) -> None:
        """Ask Redis for a sign of life. Raises: RedisError, OSError."""
        await self._command("PING")

    async def close(self) -> None:
        """Send what is left and close the connection."""
        if self._releaser is not None:
            self._releaser.cancel()
        await self._batcher.close()
        await self._release_now()
        await self._client.aclose()

    def _note_loss(self, error: Exception) -> None:
        """Count locally for a while; said once, by the first of those who waited."""
        if time.monotonic() >= self._down_until:
            answered = isinstance(error, ResponseError)  # it is there: look at the script
            level = logging.ERROR if answered else logging.WARNING
            logger.log(level, "limiter without Redis for a while: %r", error)
        self._down_until = time.monotonic() + _RETRY_REDIS_AFTER_S

    def _release_alone(self) -> None:
        self._releaser = None
        if self._releases:
            task = asyncio.get_running_loop().create_task(self._release_now())
            self._background.add(task)
            task.add_done_callback(self._background.discard)

    async def _release_now(self) -> None:
        if time.monotonic() < self._down_until:
            self._releases.clear()
            self._extensions.clear()
            return
        try:
            await self._flush([])
        except (RedisError, OSError, TimeoutError) as error:
            logger.warning("limiter could not release: %s", type(error).__name__)

    async def _flush(self, asks: list[Ask]) -> list[Admission]:
        releases, self._releases = self._releases, []
        extensions, self._extensions = self._extensions, []
        batch = _encode((releases, extensions, [_ask_words(ask) for ask in asks]))
        try:
            rows = await self._evaluate(batch)
        except (RedisError, OSError, TimeoutError):
            self._releases[:0] = releases
            raise
        return [_admission(row, ask) for row, ask in zip(rows, asks, strict=True)]

    async def _evaluate(self, batch: bytes) -> list[_Row]:
        try:
            if not self._sha:
                raise NoScriptError
            answer = await self._command("EVALSHA", self._sha, 0, batch)
        except NoScriptError:
            self._sha = await self._client.script_load(_SCRIPT)
            answer = await self._command("EVALSHA", self._sha, 0, batch)
        return _decode_rows(answer)

    async def _command(self, *words: Any) -> Any:  # noqa: ANN401  whatever Redis answers
        return await self._client.execute_command(*words)  # type: ignore[no-untyped-call]


_MISSING = Admission(
    state="missing", caller=None, limit=0, remaining=0, reset_at=0, retry_after_s=1
)


def _ask_words(ask: Ask) -> tuple[str | int, ...]:
    """Lay out one ask; all texts, because the script's msgpack knows no binary type."""
    caller = ask.caller
    if caller is None:
        return (ask.request_id, ask.digest.hex(), "cached", "", 0, 0, 0)
    return (
        ask.request_id,
        ask.digest.hex(),
        _encode_caller(caller).decode() if ask.keep_copy else "",
        caller.limiter_key,
        caller.request_limit,
        caller.window_s * _MICROSECONDS,
        caller.concurrency_limit,
    )


def _admission(row: _Row, ask: Ask) -> Admission:
    caller = ask.caller
    if caller is None and row.state != "missing":
        try:
            caller = _decode_caller(row.record)
        except msgspec.MsgspecError:  # written by another version of this program
            return _MISSING
    return Admission(
        state=row.state,
        caller=caller,
        limit=caller.request_limit if caller else 0,
        remaining=max(0, row.remaining),
        reset_at=-(-row.full_at_us // _MICROSECONDS),
        retry_after_s=max(1, -(-row.retry_us // _MICROSECONDS)),
    )


class LocalLimiter:
    """The same two limits counted by this process alone, for as long as Redis is away."""

    _MOST_KEYS = 10_000

    def __init__(self) -> None:
        self._due: dict[str, float] = {}
        self._open: dict[str, set[str]] = {}

    def ask(self, ask: Ask) -> Admission:
        """Count one request; `missing` if the caller must be identified first."""
        caller = ask.caller
        if caller is None:
            return Admission(
                state="missing", caller=None, limit=0, remaining=0, reset_at=0, retry_after_s=1
            )
        if len(self._due) > self._MOST_KEYS:
            self._due.clear()
        now = time.time()
        interval = caller.window_s / caller.request_limit
        due = max(self._due.get(caller.limiter_key, 0.0), now)
        spent = due - now + interval
        places = self._open.setdefault(caller.limiter_key, set())
        state = "ok"
        if spent > caller.window_s:
            state = "rate"
        elif len(places) >= caller.concurrency_limit:
            state = "concurrency"
        else:
            places.add(ask.request_id)
            due += interval
            self._due[caller.limiter_key] = due
        return Admission(
            state=state,
            caller=caller,
            limit=caller.request_limit,
            remaining=max(0, int((caller.window_s - (due - now)) / interval)),
            reset_at=int(due) + 1,
            retry_after_s=max(1, int(spent - caller.window_s) + 1),
        )

    def release(self, limiter_key: str, request_id: str) -> None:
        """Give back a place."""
        places = self._open.get(limiter_key)
        if places is not None:
            places.discard(request_id)
            if not places:
                del self._open[limiter_key]
