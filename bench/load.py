"""The load generator, a process of its own: callers with one connection and one request at a time.

`python -m bench.load` reads a `LoadPlan` as JSON on standard input and writes a `LoadResult`. Every
answer is checked: its status, its whole length as framed, and the upstream's marks in its body.
Callers stop asking when the time is over and finish what is under way, so that every answered
request is counted.
"""

import asyncio
import gc
import resource
import sys
import time
from collections import Counter
from typing import cast

import msgspec
import uvloop

from bench.behaviour import ANSWER_MARK, CHUNK_MARK, DONE_MARK, STAMP_DIGITS

_STREAM_END = b"0\r\n\r\n"
_MOST_SAMPLES = 400_000
_HUNG_AFTER_S = 45


class LoadPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What to do. Ports are used round robin by callers, keys round robin by requests.

    `chunks` is the number of text chunks a stream must have, 0 for plain answers. With `requests`
    the run ends after so many instead of after `seconds`. What is measured lies between `warm_s`
    and `warm_s + seconds`; callers begin evenly spread over `ramp_s`. `stamps`: measure the age of
    each chunk when it arrives.
    """

    ports: list[int]
    path: str
    keys: list[str]
    body: str
    clients: int
    seconds: float
    warm_s: float = 0.5
    ramp_s: float = 0.0
    requests: int | None = None
    chunks: int = 0
    stamps: bool = False
    statuses: tuple[int, ...] = (200,)
    headers: dict[str, str] = {}


class LoadResult(msgspec.Struct, kw_only=True):
    """What came back. Latencies of answers and ages of chunks are of the measured window.

    `answered` counts every complete answer by status, `good` those with status 200 and the right
    body. `begun_…` are the times to the first byte of an answer's body.
    """

    rps: float
    good: int
    answered: dict[str, int]
    errors: dict[str, int]
    p50_ms: float
    p99_ms: float
    max_ms: float
    age_p50_ms: float
    age_p99_ms: float
    chunks: int
    first_good_s: float
    last_refusal_s: float
    cpu_s: float
    wall_s: float
    begun_p50_ms: float = 0.0
    begun_p99_ms: float = 0.0


class Tally:
    """What all callers of one run have seen."""

    def __init__(self, plan: LoadPlan) -> None:
        self.plan = plan
        self.begun = time.perf_counter()
        self.warm_until = self.begun + plan.warm_s
        self.end = self.warm_until + plan.seconds
        self.left = plan.requests
        self.good = 0
        self.measured = 0
        self.chunks = 0
        self.answered: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.latencies: list[float] = []
        self.ages_ns: list[int] = []
        self.begun_s: list[float] = []
        self.first_good_s = 0.0
        self.last_refusal_s = 0.0
        self._next_key = 0
        self._requests = [_request(plan, key) for key in plan.keys]

    def take(self, now: float) -> bytes | None:
        """Give the next request to send, or None when it is over."""
        if self.left is None:
            if now >= self.end:
                return None
        elif self.left == 0:
            return None
        else:
            self.left -= 1
        self._next_key = (self._next_key + 1) % len(self._requests)
        return self._requests[self._next_key]

    def note_begun(self, started: float) -> None:
        """Note that the first byte of an answer's body is here."""
        now = time.perf_counter()
        if self.warm_until <= now < self.end and len(self.begun_s) < _MOST_SAMPLES:
            self.begun_s.append(now - started)

    def note(self, started: float, status: int, fault: str) -> None:
        """Count one complete answer."""
        now = time.perf_counter()
        self.answered[str(status)] += 1
        if fault:
            self.errors[fault] += 1
            return
        if status != 200:
            self.last_refusal_s = now - self.begun
            return
        self.good += 1
        if not self.first_good_s:
            self.first_good_s = now - self.begun
        if self.plan.requests is not None or self.warm_until <= now < self.end:
            self.measured += 1
            if len(self.latencies) < _MOST_SAMPLES:
                self.latencies.append(now - started)


class Caller(asyncio.Protocol):
    """One connection that asks, checks the answer, and asks again."""

    def __init__(self, tally: Tally) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tally = tally
        self._transport: asyncio.Transport | None = None
        self._asked = 0.0
        self._status = 0
        self._length = -1
        self._parts: list[bytes] = []
        self._size = 0
        self._tail = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask the first time."""
        # uvloop has transports of its own, which are no subclass of asyncio.Transport.
        self._transport = cast(asyncio.Transport, transport)
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count an answer that never came."""
        if not self.done.done():
            self._tally.errors["connection lost"] += 1
            self.done.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Collect the answer until it is whole, as its own framing says."""
        if not self._status:
            data = self._read_head(data)
            if not self._status:
                return
        if data and not self._size:
            self._tally.note_begun(self._asked)
        if self._tally.plan.stamps:
            self._read_stamps(data)
        self._parts.append(data)
        self._size += len(data)
        if self._is_whole(data):
            self._finish()

    def _is_whole(self, data: bytes) -> bool:
        if self._length >= 0:
            return self._size >= self._length
        self._tail = data[-5:] if len(data) >= 5 else (self._tail + data)[-5:]
        return self._tail == _STREAM_END

    def _read_head(self, data: bytes) -> bytes:
        """Read status and headers, once they are whole. Returns: what follows them."""
        data = self._tail + data
        head_end = data.find(b"\r\n\r\n")
        if head_end < 0:
            self._tail = data
            return b""
        self._tail = b""
        self._status = int(data[9:12])
        head = data[:head_end].lower()
        at = head.find(b"\r\ncontent-length:")
        self._length = int(head[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else -1
        return data[head_end + 4 :]

    def _read_stamps(self, data: bytes) -> None:
        """Note the age of each chunk, except the rare one that is torn across two reads."""
        tally = self._tally
        now_ns = time.monotonic_ns()
        if not tally.warm_until <= time.perf_counter() < tally.end:
            return
        at = data.find(CHUNK_MARK)
        while at >= 0:
            at += len(CHUNK_MARK)
            stamp = data[at : at + STAMP_DIGITS]
            if len(stamp) == STAMP_DIGITS:
                tally.chunks += 1
                tally.ages_ns.append(now_ns - int(stamp))
            at = data.find(CHUNK_MARK, at)

    def _finish(self) -> None:
        body = b"".join(self._parts)
        self._tally.note(self._asked, self._status, self._fault(body))
        self._parts.clear()
        self._status = self._size = 0
        self._tail = b""
        self._ask()

    def _fault(self, body: bytes) -> str:
        """Say what is wrong with the answer; empty when nothing is."""
        plan = self._tally.plan
        if self._status not in plan.statuses:
            return f"status {self._status}: {body[:120].decode(errors='replace')}"
        if self._status != 200:
            return ""
        if self._length >= 0 and len(body) != self._length:
            return "wrong length"
        if not plan.chunks:
            return "" if body.count(ANSWER_MARK) == 1 else "wrong body"
        if self._length >= 0 or body.count(DONE_MARK) != 1:
            return "stream without its end"
        return "" if body.count(CHUNK_MARK) == plan.chunks else "chunks lost"

    def _ask(self) -> None:
        assert self._transport is not None, "connected"
        self._asked = time.perf_counter()
        request = self._tally.take(self._asked)
        if request is not None:
            self._transport.write(request)
            return
        if not self.done.done():
            self.done.set_result(None)
        self._transport.close()


def _request(plan: LoadPlan, key: str) -> bytes:
    body = plan.body.encode()
    more = "".join(f"{name}: {value}\r\n" for name, value in plan.headers.items())
    return (
        f"POST {plan.path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {key}\r\n"
        f"content-type: application/json\r\n{more}content-length: {len(body)}\r\n\r\n"
    ).encode() + body


async def _call(tally: Tally, number: int) -> None:
    plan = tally.plan
    if plan.ramp_s:
        await asyncio.sleep(plan.ramp_s * number / plan.clients)
    port = plan.ports[number % len(plan.ports)]
    loop = asyncio.get_running_loop()
    try:
        _, caller = await loop.create_connection(lambda: Caller(tally), "127.0.0.1", port)
    except OSError as error:
        tally.errors[f"connect: {type(error).__name__}"] += 1
        return
    await caller.done


async def _run(plan: LoadPlan) -> LoadResult:
    tally = Tally(plan)
    calls = [asyncio.ensure_future(_call(tally, number)) for number in range(plan.clients)]
    _, hung = await asyncio.wait(calls, timeout=plan.warm_s + plan.seconds + _HUNG_AFTER_S)
    if hung:
        tally.errors["hung"] += len(hung)
    wall_s = time.perf_counter() - tally.begun
    used = resource.getrusage(resource.RUSAGE_SELF)
    latencies = sorted(tally.latencies)
    ages = sorted(tally.ages_ns)
    begun = sorted(tally.begun_s)
    return LoadResult(
        rps=tally.measured / (wall_s if plan.requests is not None else plan.seconds),
        good=tally.good,
        answered=dict(tally.answered),
        errors=dict(tally.errors),
        p50_ms=_quantile(latencies, 0.5) * 1000,
        p99_ms=_quantile(latencies, 0.99) * 1000,
        max_ms=_quantile(latencies, 1.0) * 1000,
        age_p50_ms=_quantile(ages, 0.5) / 1e6,
        age_p99_ms=_quantile(ages, 0.99) / 1e6,
        chunks=tally.chunks,
        first_good_s=tally.first_good_s,
        last_refusal_s=tally.last_refusal_s,
        cpu_s=used.ru_utime + used.ru_stime,
        wall_s=wall_s,
        begun_p50_ms=_quantile(begun, 0.5) * 1000,
        begun_p99_ms=_quantile(begun, 0.99) * 1000,
    )


def _quantile(values: list[float] | list[int], share: float) -> float:
    """Give the value below which `share` of the sorted values lie; 0 for none."""
    return values[min(len(values) - 1, int(share * len(values)))] if values else 0.0


def main() -> None:
    """Run one plan."""
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=LoadPlan)
    gc.disable()
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(_run(plan))))


if __name__ == "__main__":
    main()
