"""One measurement: targets in turn, round after round, so that a noisy minute hits all of them."""

import statistics
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from bench.behaviour import Behaviour
from bench.cost import Meter, Reading, rss_bytes
from bench.load import LoadPlan, LoadResult
from bench.stack import Server, Stack

_SAMPLE_EVERY_S = 0.25
_FULL = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How long and how often; `clients` overrides a case's own list."""

    seconds: float
    rounds: int
    clients: tuple[int, ...]
    streams: int


class Row(msgspec.Struct, kw_only=True):
    """One line of a table: figures by heading, in order. With `faults` none is to be believed."""

    case: str
    setting: str
    target: str
    figures: dict[str, float]
    faults: list[str]
    notes: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one run of the load generator on one target gave."""

    result: LoadResult
    used: Reading
    grown_bytes: int


Finish = Callable[[Server, Sample], dict[str, float]]


def chat_body(behaviour: Behaviour, *, stream: bool, model: str = "chat.default") -> str:
    """Write the request that everybody gets."""
    message = {"role": "user", "content": behaviour.prompt()}
    body: dict[str, object] = {"model": model, "messages": [message], "max_tokens": 256}
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return msgspec.json.encode(body).decode()


def run_load(stack: Stack, target: Server, plan: LoadPlan) -> Sample:
    """Load one target, and watch what it costs. The memory is the most it grew by meanwhile."""
    meter = Meter(
        target=target.pid,
        upstream=stack.upstream.pid,
        postgres=stack.postgres_pid,
        valkey=stack.valkey_pid,
    )
    before, rss_before = meter.read(), rss_bytes(target.pid)
    most = rss_before
    process = stack.popen("-m", "bench.load")
    given: bytes | None = msgspec.json.encode(plan)
    while True:
        try:
            printed, _ = process.communicate(given, timeout=_SAMPLE_EVERY_S)
            break
        except subprocess.TimeoutExpired:
            given = None
            most = max(most, rss_bytes(target.pid))
    result = msgspec.json.decode(printed, type=LoadResult)
    return Sample(result=result, used=meter.read().since(before), grown_bytes=most - rss_before)


def interleaved(
    stack: Stack,
    targets: Sequence[Server],
    plan: Callable[[Server], LoadPlan],
    rounds: int,
) -> dict[str, list[Sample]]:
    """Run every target once per round. Returns: the samples by target."""
    samples: dict[str, list[Sample]] = {target.name: [] for target in targets}
    for _ in range(rounds):
        for target in targets:
            samples[target.name].append(run_load(stack, target, plan(target)))
    return samples


def median(values: Sequence[float]) -> float:
    """Give the median."""
    return statistics.median(values)


def faults_of(samples: Sequence[Sample]) -> list[str]:
    """Collect what went wrong, with how often."""
    found: dict[str, int] = {}
    for sample in samples:
        for fault, count in sample.result.errors.items():
            found[fault] = found.get(fault, 0) + count
    return [f"{count} × {fault}" for fault, count in found.items()]


def notes_of(samples: Sequence[Sample]) -> list[str]:
    """Say so when the core of everything else was full: then the target could have done more."""
    busy = median([_other_core_share(sample) for sample in samples])
    return [f"the other core was {busy:.0%} busy: a lower bound"] if busy > _FULL else []


def per_request_ms(samples: Sequence[Sample], seconds_of: Callable[[Reading], float]) -> float:
    """Give processor time per good answer."""
    return median(
        [seconds_of(sample.used) * 1000 / max(1, sample.result.good) for sample in samples]
    )


def _other_core_share(sample: Sample) -> float:
    used, result = sample.used, sample.result
    busy_s = used.upstream_s + used.postgres_s + used.valkey_s + result.cpu_s
    return busy_s / result.wall_s
