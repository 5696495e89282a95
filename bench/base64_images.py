"""What pictures of 10 MB in base64, in and out, do to everybody else's requests.
`manage.py bench base64 [--seconds N]`, alone.

Small requests (a read of the list of jobs) leave at fixed times, by turns: alone; beside processes
that only use the processors, as the children that work on pixels do; and beside callers that send
a picture of 10 MB and get pictures of about as much. These send the same Idempotency-Key each time,
so that the pictures are read, checked, written anew and given out, and no worker does anything. A
latency counts from the time its request was due.
"""

import asyncio
import contextlib
import http.client
import io
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing import Queue, get_context
from multiprocessing.synchronize import Event

import aiohttp
from PIL import Image

from bench.cost import rss_bytes
from bench.torture.stage import Account, Stage, running_stage
from studio.supervisor.plan import Plan
from studio.supervisor.processes import start, stop

_PATH = "/api/image-studio/social/optimize"
_SIDES_PX = (1850, 1880)
_PLATFORMS = ("instagram", "facebook", "linkedin", "pinterest")
_RATE = 100
_ROUNDS = 5
_SENDERS = 2
_MOST_GROWTH = 1.2
_READ_BYTES = 256 * 1024
_MB = 1024 * 1024
_PATIENCE_S = 60
_NICENESS = 10
"""As the children have it (gateway/media/image_child.py)."""
_LAST_NICENESS = 19


@dataclass(slots=True, kw_only=True)
class Traffic:
    """What the senders moved, in bytes, and the highest memory that was seen."""

    sent: int = 0
    received: int = 0
    times: int = 0
    highest_rss: int = 0
    faults: list[str] = field(default_factory=list)

    def note(self, moved: tuple[int, int], sent: int) -> None:
        """Count one answer: its status and its bytes."""
        status, received = moved
        self.times += 1
        self.sent += sent
        self.received += received
        if status != http.client.OK:
            self.faults.append(f"a picture was answered {status}")


def bench_base64(*, seconds: float) -> bool:
    """Measure and print; `seconds` of each turn. Returns: whether nothing went wrong."""
    with running_stage(gateways=1) as stage:
        account = stage.make_account(10**12)
        body = _body()
        _make_once(stage, account, body)
        traffic = Traffic()
        _measure(stage, account, 1.0)  # its connections are made now
        resting_rss = rss_bytes(stage.gateways[0].process.pid)
        alone, burning, beside = [], [], []
        for _ in range(_ROUNDS):
            alone.append(_measure(stage, account, seconds))
            with _burning():
                burning.append(_measure(stage, account, seconds))
            with _sending(stage, account, body, traffic):
                beside.append(_measure(stage, account, seconds))
    _print(alone, burning, beside)
    print(
        f"{traffic.times} times {traffic.sent / max(1, traffic.times) / _MB:.1f} MB in and "
        f"{traffic.received / max(1, traffic.times) / _MB:.1f} MB out, {_SENDERS} at once; the web "
        f"process had {resting_rss / _MB:.0f} MB before, {traffic.highest_rss / _MB:.0f} at most"
    )
    print(*traffic.faults[:3], sep="\n")
    return not traffic.faults


def _body() -> bytes:
    """Write a request with a picture of 10 MB that nothing makes smaller."""
    width, height = _SIDES_PX
    file = io.BytesIO()
    noise = Image.frombytes("RGB", _SIDES_PX, os.urandom(width * height * 3))
    noise.save(file, "PNG", compress_level=0)
    text = b64encode(file.getvalue()).decode()
    return json.dumps({"image_base64": text, "platforms": _PLATFORMS}).encode()


def _make_once(stage: Stage, account: Account, body: bytes) -> None:
    """Have the pictures made that every later request gets again."""
    plan = Plan(
        data_dir=stage.servers.directory,
        host="127.0.0.1",
        port=1,
        environment=stage.environment,
    )
    worker = start(plan.media_worker())
    try:
        status, _ = _send(stage.ports[0], account.app_key, body)
    finally:
        stop([worker])
    if status != http.client.OK:
        raise RuntimeError(f"the pictures were not made: {status}")


def _send(port: int, app_key: str, body: bytes) -> tuple[int, int]:
    """Send the pictures. Returns: the status and how many bytes came back."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    headers = {
        "x-app-key": app_key,
        "content-type": "application/json",
        "idempotency-key": "bench-base64",
    }
    with contextlib.closing(connection):
        connection.request("POST", _PATH, body=body, headers=headers)
        answer = connection.getresponse()
        received = 0
        while part := answer.read(_READ_BYTES):
            received += len(part)
        return answer.status, received


def _keep_sending(
    port: int, app_key: str, body: bytes, over: Event, moved: "Queue[tuple[int, int]]"
) -> None:
    """Send pictures without a pause, from a process of its own that comes last at the processor:
    callers are elsewhere in life, and must not disturb the clock.
    """
    os.nice(_LAST_NICENESS)
    while not over.is_set():
        moved.put(_send(port, app_key, body))


@contextlib.contextmanager
def _burning() -> Iterator[None]:
    """Use the processors as the children that work on pixels do, for the time of the block."""
    burn = f"import os; os.nice({_NICENESS})\nwhile True: pass"
    burners = [subprocess.Popen([sys.executable, "-c", burn]) for _ in range(_SENDERS)]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


@contextlib.contextmanager
def _sending(stage: Stage, account: Account, body: bytes, traffic: Traffic) -> Iterator[None]:
    """Have pictures sent for the time of the block."""
    spawning = get_context("spawn")
    over, moved = spawning.Event(), spawning.Queue()
    asked = (stage.ports[0], account.app_key, body, over, moved)
    senders = [spawning.Process(target=_keep_sending, args=asked) for _ in range(_SENDERS)]
    pid = stage.gateways[0].process.pid
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            traffic.highest_rss = max(traffic.highest_rss, rss_bytes(pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    for sender in senders:
        sender.start()
    traffic.note(moved.get(timeout=_PATIENCE_S), len(body))  # both are under way by then
    try:
        yield
    finally:
        over.set()
        for sender in senders:
            sender.join()
        done.set()
        watcher.join()
        while not moved.empty():
            traffic.note(moved.get(), len(body))


def _measure(stage: Stage, account: Account, seconds: float) -> list[float]:
    return asyncio.run(_paced(stage, account, round(seconds * _RATE)))


async def _paced(stage: Stage, account: Account, count: int) -> list[float]:
    """Ask so many times at the rate. Returns: milliseconds from when each was due, sorted."""
    url = f"http://127.0.0.1:{stage.ports[0]}/v1/jobs?limit=1"
    headers = {"x-app-key": account.app_key}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        begins_s = time.perf_counter() + 0.2

        async def one(number: int) -> float:
            due_s = begins_s + number / _RATE
            await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
            async with session.get(url, headers=headers) as answer:
                await answer.read()
                if answer.status != http.client.OK:
                    raise RuntimeError(f"a small request was answered {answer.status}")
            return (time.perf_counter() - due_s) * 1000

        return sorted(await asyncio.gather(*[one(number) for number in range(count)]))


def _print(*kinds: Sequence[Sequence[float]]) -> None:
    for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        alone, burning, beside = (
            statistics.median(_at(one, share) for one in turns) for turns in kinds
        )
        goal = f" (goal {_MOST_GROWTH} and less)" if name == "p99" else ""
        print(
            f"{name} of small requests: {alone:.2f} ms alone, {burning:.2f} ms beside busy "
            f"processors, {beside:.2f} ms beside pictures: ratios {burning / alone:.2f}, "
            f"{beside / alone:.2f}{goal}"
        )


def _at(sorted_ms: Sequence[float], share: float) -> float:
    return sorted_ms[min(len(sorted_ms) - 1, int(len(sorted_ms) * share))]
