"""Cases: plain chats, streamed chats, many wallets against one, beside the baselines."""

from collections.abc import Iterable, Sequence

import msgspec

from bench.behaviour import Behaviour
from bench.books import Books
from bench.load import LoadPlan
from bench.measure import (
    Options,
    Row,
    Sample,
    chat_body,
    faults_of,
    interleaved,
    median,
    notes_of,
    per_request_ms,
    run_load,
)
from bench.stack import Server, Stack, Wallets

_CHUNKS = 64
_MODELS = {
    "openai": "gpt-5.6-sol",
    "anthropic": "claude-sonnet-5-5",
    "gemini": "gemini-3.8-flash",
    "xai": "grok-4.3",
    "openrouter": "openai/gpt-5.6-sol",
}
"""A model of each provider, to be called by its own name."""


def chat_plain(stack: Stack, options: Options) -> Iterable[Row]:
    """Time plain chats, with an upstream that answers at once and one that thinks for 50 ms."""
    for latency_ms in (0, 50):
        behaviour = Behaviour(latency_ms=latency_ms)
        for clients in options.clients or (1, 16, 64, 128):
            setting = f"{clients} clients, upstream {latency_ms} ms"
            plan = _plan(stack.hot, chat_body(behaviour, stream=False), clients, options)
            yield from _compare(stack, "chat plain", setting, plan, options)


def chat_stream(stack: Stack, options: Options) -> Iterable[Row]:
    """Time streams of 64 chunks that come as fast as they can."""
    body = chat_body(Behaviour(chunks=_CHUNKS), stream=True)
    for clients in options.clients or (16, 64):
        plan = _plan(stack.hot, body, clients, options, chunks=_CHUNKS)
        yield from _compare(stack, "chat stream", f"{clients} clients, 64 chunks", plan, options)


def adapters(stack: Stack, options: Options) -> Iterable[Row]:
    """Time every provider's form, plain and streamed, by turns: what translating it costs."""
    for clients in options.clients or (64,):
        yield from _compare_adapters(stack, options, clients, chunks=0)
        yield from _compare_adapters(stack, options, clients, chunks=_CHUNKS)


def _compare_adapters(
    stack: Stack, options: Options, clients: int, *, chunks: int
) -> Iterable[Row]:
    samples: dict[str, list[Sample]] = {provider: [] for provider in _MODELS}
    with Books(stack) as books:
        for provider, model in list(_MODELS.items()) * options.rounds:
            body = chat_body(Behaviour(chunks=_CHUNKS), stream=bool(chunks), model=model)
            plan = _plan(stack.hot, body, clients, options, chunks=chunks)
            samples[provider].append(run_load(stack, stack.gateway, plan_for(plan, stack.gateway)))
        books.expect(sum(s.result.good for group in samples.values() for s in group))
    figures = {provider: _figures(group) for provider, group in samples.items()}
    for provider, own in figures.items():
        own["of openai's"] = own["per s"] / figures["openai"]["per s"]
        own["of its CPU"] = figures["openai"]["CPU ms"] / own["CPU ms"]
        yield _row(
            "adapters",
            f"{clients} clients, {'stream' if chunks else 'plain'}, {provider}",
            stack.gateway,
            samples=samples[provider],
            figures=own,
            books=books,
        )


def wallets(stack: Stack, options: Options) -> Iterable[Row]:
    """Time plain chats of many wallets and of a single one, by turns."""
    body = chat_body(Behaviour(), stream=False)
    for clients in options.clients or (64,):
        with Books(stack) as books:
            samples: dict[str, list[Sample]] = {}
            owners = {"one wallet": stack.hot, f"{len(stack.many.keys)} wallets": stack.many}
            for _ in range(options.rounds):
                for name, owner in owners.items():
                    plan = _plan(owner, body, clients, options)
                    sample = run_load(stack, stack.gateway, plan_for(plan, stack.gateway))
                    samples.setdefault(name, []).append(sample)
            books.expect(sum(s.result.good for group in samples.values() for s in group))
        for name, group in samples.items():
            figures = _figures(group)
            yield _row(
                "wallets",
                f"{clients} clients, {name}",
                stack.gateway,
                samples=group,
                figures=figures,
                books=books,
            )


def _plan(
    owner: Wallets, body: str, clients: int, options: Options, *, chunks: int = 0
) -> LoadPlan:
    return LoadPlan(
        ports=[0],
        path="/v1/chat",
        keys=owner.keys,
        body=body,
        clients=clients,
        seconds=options.seconds,
        chunks=chunks,
    )


def _compare(
    stack: Stack, case: str, setting: str, plan: LoadPlan, options: Options
) -> Iterable[Row]:
    """Measure bare upstream, pass-throughs and gateway, and set the gateway beside the others."""
    targets = [stack.upstream, stack.passthrough, stack.own_passthrough, stack.gateway]
    with Books(stack) as books:
        samples = interleaved(stack, targets, lambda target: plan_for(plan, target), options.rounds)
        books.expect(sum(sample.result.good for sample in samples[stack.gateway.name]))
    figures = {target.name: _figures(samples[target.name]) for target in targets}
    direct, bare = figures[stack.upstream.name], figures[stack.passthrough.name]
    same_client = figures[stack.own_passthrough.name]
    for target in targets:
        own = figures[target.name]
        believable = not faults_of([s for group in samples.values() for s in group])
        if target is not stack.upstream and believable:
            own["added p50 ms"] = own["p50 ms"] - direct["p50 ms"]
            own["added p99 ms"] = own["p99 ms"] - direct["p99 ms"]
        if target is stack.gateway and believable and not books.faults:
            own["of pass-through"] = own["per s"] / bare["per s"]
            own["of its CPU"] = bare["CPU ms"] / own["CPU ms"] if own["CPU ms"] else 0.0
            own["of one on our client"] = own["per s"] / same_client["per s"]
        yield _row(case, setting, target, samples=samples[target.name], figures=own, books=books)


def plan_for(plan: LoadPlan, target: Server) -> LoadPlan:
    """Point a plan at a target."""
    return msgspec.structs.replace(plan, ports=[target.port], path=target.path)


def _figures(samples: Sequence[Sample]) -> dict[str, float]:
    return {
        "per s": median([sample.result.rps for sample in samples]),
        "p50 ms": median([sample.result.p50_ms for sample in samples]),
        "p99 ms": median([sample.result.p99_ms for sample in samples]),
        "core busy": median([s.used.target_s / s.result.wall_s for s in samples]),
        "CPU ms": per_request_ms(samples, lambda used: used.target_s),
        "PostgreSQL ms": per_request_ms(samples, lambda used: used.postgres_s),
        "Redis ms": per_request_ms(samples, lambda used: used.valkey_s),
    }


def _row(  # noqa: PLR0913  a line of the table is made of this much
    case: str,
    setting: str,
    target: Server,
    *,
    samples: Sequence[Sample],
    figures: dict[str, float],
    books: Books,
) -> Row:
    wrong = books.faults if target.name == "gateway" else []
    return Row(
        case=case,
        setting=setting,
        target=target.name,
        figures=figures,
        faults=[*faults_of(samples), *wrong],
        notes=notes_of(samples),
    )
