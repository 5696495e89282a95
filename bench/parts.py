"""Cases: the ledger alone and admission alone, through the gateway's own batchers, without HTTP.

The measured side is a process of its own on the gateway's core: `python -m bench.parts` reads a
`PartPlan` as JSON and writes a `PartResult`.
"""

import asyncio
import resource
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import django
import msgspec
import uvloop

from bench.cost import GATEWAY_CORE, Meter, Reading
from bench.measure import Options, Row, median
from bench.stack import Stack, Wallets

if TYPE_CHECKING:
    from gateway.statements import NewCall, Outcome

_CALLERS = 128
_HELD_UCR = 5_000
_CHARGED_UCR = 3_000
_OK = {"held", "usage", "ok"}

Once = Callable[[int], Awaitable[str]]


class PartPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Which part (`ledger` or `admission`), for whom, how long."""

    part: str
    workspace_ids: list[int]
    keys: list[str]
    callers: int
    seconds: float


class PartResult(msgspec.Struct, kw_only=True):
    """How often it was done, at what processor time; `wrong` counts unexpected verdicts."""

    done: int
    wrong: dict[str, int]
    wall_s: float
    cpu_s: float


def ledger_alone(stack: Stack, options: Options) -> Iterable[Row]:
    """Hold and settle (with call row and usage row), batched, by 128 callers."""
    for clients in options.clients or (_CALLERS,):
        for name, owner in _owners(stack).items():
            yield _row(
                stack, options, "ledger", f"{clients} callers, {name}", owner=owner, callers=clients
            )


def admission_alone(stack: Stack, options: Options) -> Iterable[Row]:
    """Identify, count and release a known caller, batched, by 128 callers."""
    for clients in options.clients or (_CALLERS,):
        for name, owner in _owners(stack).items():
            setting = f"{clients} callers, {name.replace('wallet', 'key')}"
            yield _row(stack, options, "admission", setting, owner=owner, callers=clients)


def _owners(stack: Stack) -> dict[str, Wallets]:
    return {"one wallet": stack.hot, f"{len(stack.many.keys)} wallets": stack.many}


def _row(
    stack: Stack, options: Options, part: str, setting: str, *, owner: Wallets, callers: int
) -> Row:
    plan = PartPlan(
        part=part,
        workspace_ids=owner.workspace_ids,
        keys=owner.keys,
        callers=callers,
        seconds=options.seconds,
    )
    found = [_measured(stack, plan) for _ in range(options.rounds)]
    results = [result for result, _ in found]
    wrong = [f"{n} × {word}" for result in results for word, n in result.wrong.items()]
    return Row(
        case=f"{part} alone",
        setting=setting,
        target="pairs" if part == "ledger" else "round trips",
        figures={
            "per s": median([result.done / result.wall_s for result in results]),
            "CPU ms": _each_ms(results, [result.cpu_s for result in results]),
            "PostgreSQL ms": _each_ms(results, [used.postgres_s for _, used in found]),
            "Redis ms": _each_ms(results, [used.valkey_s for _, used in found]),
        },
        faults=wrong,
        notes=[],
    )


def _measured(stack: Stack, plan: PartPlan) -> tuple[PartResult, Reading]:
    meter = Meter(target=None, upstream=None, postgres=stack.postgres_pid, valkey=stack.valkey_pid)
    before = meter.read()
    given = msgspec.json.encode(plan)
    printed = stack.python("-m", "bench.parts", given=given, core=GATEWAY_CORE)
    return msgspec.json.decode(printed, type=PartResult), meter.read().since(before)


def _each_ms(results: Sequence[PartResult], seconds: Sequence[float]) -> float:
    each = [s * 1000 / max(1, r.done) for r, s in zip(results, seconds, strict=True)]
    return median(each)


async def _run(plan: PartPlan) -> PartResult:
    once, close = _ledger(plan) if plan.part == "ledger" else _admission(plan)
    wrong: dict[str, int] = {}
    done = 0
    cpu_before = _own_cpu_s()
    begun = time.perf_counter()
    end = begun + plan.seconds

    async def caller(number: int) -> None:
        nonlocal done
        while time.perf_counter() < end:
            verdict = await once(number)
            number += plan.callers
            if verdict in _OK:
                done += 1
            else:
                wrong[verdict] = wrong.get(verdict, 0) + 1

    await asyncio.gather(*[caller(number) for number in range(plan.callers)])
    wall_s = time.perf_counter() - begun
    cpu_s = _own_cpu_s() - cpu_before
    await close()
    return PartResult(done=done, wrong=wrong, wall_s=wall_s, cpu_s=cpu_s)


def _ledger(plan: PartPlan) -> tuple[Once, Callable[[], Awaitable[None]]]:
    # These need Django set up, which is so in this process alone.
    from gateway.calls import CallDesk
    from gateway.runtime import conninfo
    from gateway.statements import NewCall
    from studio.core.ids import new_id_text

    desk = CallDesk(conninfo())

    async def once(number: int) -> str:
        workspace_id = plan.workspace_ids[number % len(plan.workspace_ids)]
        call = NewCall(
            id=new_id_text(),
            workspace_id=workspace_id,
            hold_ucr=_HELD_UCR,
            price_version=1,
            markup_bp=2000,
            app_key_id=None,
            input_estimate=20,
            app_id="bench",
            user_ref="app",
            surface="core",
            operation="chat",
            kind="chat.default",
            channel="stable",
            provider="openai",
            model="gpt-5",
        )
        held = await desk.hold(call)
        if held.verdict != "held":
            return held.verdict
        settled = await desk.settle(_outcome(call))
        return "usage" if settled.verdict == "usage" and settled.fresh else f"{settled.verdict}"

    return once, desk.close


def _outcome(call: "NewCall") -> "Outcome":
    # This needs Django set up, which is so in this process alone.
    from gateway.statements import Outcome

    return Outcome(
        id=call.id,
        workspace_id=call.workspace_id,
        ledger_kind="usage",
        charge_ucr=_CHARGED_UCR,
        cost_ucr=2_500,
        provider=call.provider,
        model=call.model,
        state="succeeded",
        reason="",
        http_status=200,
        input_tokens=19,
        cached_input_tokens=0,
        cache_write_tokens=0,
        output_tokens=90,
        reasoning_tokens=0,
        usage_source="provider",
        latency_ms=1,
        first_byte_ms=1,
    )


def _admission(plan: PartPlan) -> tuple[Once, Callable[[], Awaitable[None]]]:
    # These need Django set up, which is so in this process alone.
    import redis.asyncio
    from django.conf import settings

    from gateway.admission import Admitted, Gate
    from gateway.limiter import Limiter
    from studio.core.ids import new_id_text

    limiter = Limiter(redis.asyncio.Redis.from_url(settings.REDIS_URL))
    gate = Gate(limiter)

    async def once(number: int) -> str:
        key = plan.keys[number % len(plan.keys)]
        headers = [(b"host", b"127.0.0.1"), (b"authorization", b"Bearer " + key.encode())]
        request_id = new_id_text()
        found = await gate.admit(headers, request_id=request_id, address="127.0.0.1")
        if not isinstance(found, Admitted):
            return "refused"
        gate.leave(found.caller, request_id)
        return "ok"

    return once, limiter.close


def _own_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Measure one part."""
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=PartPlan)
    django.setup()
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(_run(plan))))


if __name__ == "__main__":
    main()
