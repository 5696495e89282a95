"""Case: speech relayed as it comes: how much later its first sound is, and how late the rest."""

from collections.abc import Iterable, Sequence

import msgspec

from bench.behaviour import Behaviour
from bench.books import Books
from bench.load import LoadPlan
from bench.measure import Options, Row, Sample, faults_of, interleaved, median, notes_of
from bench.stack import Server, Stack

_STREAMS = 300
_CHUNKS_PER_S = 20
"""Of 52 ms each: as fast as it is heard."""
_RAMP_S = 3.0
_CALM_S = 1.0
_FIRST_LATENCY_MS = 80
"""What a provider takes to its first sound, about."""
_DIRECT = "/elevenlabs/v1/text-to-speech/21m00Tcm4TlvDq8ikWAM/stream?output_format=mp3_44100_128"
_OURS = "/v1/voice?stream=true"
_NO_CACHE = {"cache-control": "no-store"}


def voice(stack: Stack, options: Options) -> Iterable[Row]:
    """Measure speech beside the same sound straight from the provider, in the same run."""
    for clients in options.clients or (1, 16):
        yield from _first_sound(stack, options, clients)
    yield from _slow_sounds(stack, options)


def _first_sound(stack: Stack, options: Options, clients: int) -> Iterable[Row]:
    behaviour = Behaviour(latency_ms=_FIRST_LATENCY_MS, chunks=8)
    plan = LoadPlan(
        ports=[0],
        path="",
        keys=stack.hot.keys,
        body=_body(behaviour),
        clients=clients,
        seconds=options.seconds,
        chunks=behaviour.chunks,
        headers=_NO_CACHE,
    )
    yield from _compared(
        stack, plan, options, f"first sound, {clients} clients, provider {_FIRST_LATENCY_MS} ms"
    )


def _slow_sounds(stack: Stack, options: Options) -> Iterable[Row]:
    whole_s = _RAMP_S + _CALM_S + options.seconds + _CALM_S
    chunks = round(whole_s * _CHUNKS_PER_S)
    plan = LoadPlan(
        ports=[0],
        path="",
        keys=stack.hot.keys,
        body=_body(Behaviour(chunks=chunks, per_s=_CHUNKS_PER_S)),
        clients=_STREAMS,
        requests=_STREAMS,
        seconds=options.seconds,
        warm_s=_RAMP_S + _CALM_S,
        ramp_s=_RAMP_S,
        chunks=chunks,
        stamps=True,
        headers=_NO_CACHE,
    )
    yield from _compared(stack, plan, options, f"{_STREAMS} voices, {_CHUNKS_PER_S} chunks/s each")


def _compared(stack: Stack, plan: LoadPlan, options: Options, setting: str) -> Iterable[Row]:
    targets = [stack.upstream, stack.gateway]
    with Books(stack) as books:
        samples = interleaved(
            stack, targets, lambda target: _plan_for(stack, plan, target), options.rounds
        )
        books.expect(sum(sample.result.good for sample in samples[stack.gateway.name]))
    direct = _figures(samples[stack.upstream.name])
    for target in targets:
        own = _figures(samples[target.name])
        own["added p50 ms"] = own["p50 ms"] - direct["p50 ms"]
        own["added p99 ms"] = own["p99 ms"] - direct["p99 ms"]
        own["CPU µs per chunk"] = median(
            [
                sample.used.target_s * 1e6 / max(1, sample.result.good * plan.chunks)
                for sample in samples[target.name]
            ]
        )
        yield Row(
            case="voice",
            setting=setting,
            target=target.name,
            figures=own,
            faults=[
                *faults_of(samples[target.name]),
                *(books.faults if target is stack.gateway else []),
            ],
            notes=notes_of(samples[target.name]),
        )


def _plan_for(stack: Stack, plan: LoadPlan, target: Server) -> LoadPlan:
    path = _OURS if target is stack.gateway else _DIRECT
    return msgspec.structs.replace(plan, ports=[target.port], path=path)


def _figures(samples: Sequence[Sample]) -> dict[str, float]:
    """Times to the first sound, or, of many voices at once, the ages of chunks as they arrive."""
    aged = samples[0].result.chunks > 0
    return {
        "p50 ms": median([s.result.age_p50_ms if aged else s.result.begun_p50_ms for s in samples]),
        "p99 ms": median([s.result.age_p99_ms if aged else s.result.begun_p99_ms for s in samples]),
        "core busy": median([s.used.target_s / s.result.wall_s for s in samples]),
    }


def _body(behaviour: Behaviour) -> str:
    return msgspec.json.encode({"text": f"Welcome aboard. {behaviour.prompt()}"}).decode()
