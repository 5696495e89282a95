"""Case: many slow streams held by one process at once: how late chunks come, what each costs."""

from collections.abc import Iterable, Sequence

from bench.behaviour import Behaviour
from bench.books import Books
from bench.chat import plan_for
from bench.load import LoadPlan
from bench.measure import Options, Row, Sample, chat_body, faults_of, interleaved, median, notes_of
from bench.stack import Stack

_CHUNKS_PER_S = 20
_RAMP_S = 3.0
_CALM_S = 1.0


def slow_streams(stack: Stack, options: Options) -> Iterable[Row]:
    """Measure how old chunks are when the caller reads them, while all streams are open."""
    whole_s = _RAMP_S + _CALM_S + options.seconds + _CALM_S
    chunks = round(whole_s * _CHUNKS_PER_S)
    behaviour = Behaviour(chunks=chunks, per_s=_CHUNKS_PER_S)
    plan = LoadPlan(
        ports=[0],
        path="",
        keys=stack.hot.keys,
        body=chat_body(behaviour, stream=True),
        clients=options.streams,
        requests=options.streams,
        seconds=options.seconds,
        warm_s=_RAMP_S + _CALM_S,
        ramp_s=_RAMP_S,
        chunks=chunks,
        stamps=True,
    )
    targets = [stack.upstream, stack.passthrough, stack.gateway]
    with Books(stack) as books:
        samples = interleaved(stack, targets, lambda target: plan_for(plan, target), options.rounds)
        books.expect(sum(sample.result.good for sample in samples[stack.gateway.name]))
    direct = _figures(samples[stack.upstream.name], options, chunks)
    for target in targets:
        own = _figures(samples[target.name], options, chunks)
        own["added p99 ms"] = own["age p99 ms"] - direct["age p99 ms"]
        wrong = books.faults if target is stack.gateway else []
        yield Row(
            case="slow streams",
            setting=f"{options.streams} streams, {_CHUNKS_PER_S} chunks/s each",
            target=target.name,
            figures=own,
            faults=[*faults_of(samples[target.name]), *wrong],
            notes=notes_of(samples[target.name]),
        )


def _figures(samples: Sequence[Sample], options: Options, chunks: int) -> dict[str, float]:
    """Memory is the first round's growth at most: later rounds use again what the process kept."""
    streams = options.streams
    microseconds = [s.used.target_s * 1e6 / max(1, s.result.good * chunks) for s in samples]
    return {
        "chunks per s": median([s.result.chunks / options.seconds for s in samples]),
        "age p50 ms": median([s.result.age_p50_ms for s in samples]),
        "age p99 ms": median([s.result.age_p99_ms for s in samples]),
        "core busy": median([s.used.target_s / s.result.wall_s for s in samples]),
        "CPU µs per chunk": median(microseconds),
        "KB per stream": max(s.grown_bytes for s in samples) / 1024 / streams,
    }
