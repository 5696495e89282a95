"""Proofs: of 10 000 concurrent holds on credit for 5 000 exactly 5 000 are admitted."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from uuid import UUID

import psycopg

from bench.behaviour import Behaviour
from bench.books import Books
from bench.chat import plan_for
from bench.cost import GATEWAY_CORE, OTHER_CORE
from bench.load import LoadPlan
from bench.measure import Options, Row, Sample, chat_body, run_load
from bench.stack import Stack
from studio.core.ids import new_id

_ASKED = 10_000
_AFFORDED = 5_000
_PROCESSES = 4
_CONNECTIONS = 64
_THINKING_MS = 25_000
"""So long that every hold is decided before the first call is settled and gives credit back."""
_RAMP_S = 4.0

_HOLD = """
SELECT verdict
FROM ledger.ledger_hold(
  %s::bigint[], %s::uuid[], %s::bigint[], %s::int[], %s::int[], %s::int[])
"""
_VOID_ALL = """
SELECT count(*)
FROM (
  SELECT array_agg(wallet_id) AS wallets, array_agg(id) AS ids, ARRAY[count(*)::int] AS n
  FROM ledger.hold WHERE wallet_id = %s
) h, ledger.ledger_settle(
  h.wallets, h.ids, array_fill('void'::text, h.n), array_fill(0::bigint, h.n),
  array_fill(0::bigint, h.n)) s
WHERE s.fresh
"""


def exact_http(stack: Stack, options: Options) -> Iterable[Row]:
    """Ask over HTTP, of four gateway processes at once."""
    body = chat_body(Behaviour(latency_ms=_THINKING_MS), stream=False)
    with Books(stack) as books:
        hold_ucr = _probe_hold(stack, body)
        books.expect(1)
        owner = stack.make_wallets(1, hold_ucr * _AFFORDED)
        cores = [OTHER_CORE if number % 2 else GATEWAY_CORE for number in range(1, _PROCESSES)]
        more = [stack.start_gateway(f"gateway-{n}", core) for n, core in enumerate(cores, 2)]
        plan = LoadPlan(
            ports=[server.port for server in (stack.gateway, *more)],
            path="/v1/chat",
            keys=owner.keys,
            body=body,
            clients=_ASKED,
            requests=_ASKED,
            seconds=_RAMP_S + _THINKING_MS / 1000,
            ramp_s=_RAMP_S,
            statuses=(200, 402),
        )
        sample = run_load(stack, stack.gateway, plan)
        books.expect(sample.result.good)
        stack.stop_last(len(more))
    answered = sample.result.answered
    setting = f"{_ASKED} calls, {_PROCESSES} processes, credit for {_AFFORDED}"
    figures = {
        "admitted": float(answered.get("200", 0)),
        "refused": float(answered.get("402", 0)),
        "last refusal s": sample.result.last_refusal_s,
        "first answer s": sample.result.first_good_s,
    }
    faults = [*books.faults, *_faults(sample), *_inexact(figures)]
    yield Row(
        case="exact over HTTP",
        setting=setting,
        target="gateway",
        figures=figures,
        faults=faults,
        notes=[],
    )


def exact_sql(stack: Stack, options: Options) -> Iterable[Row]:
    """Ask in SQL, one hold per statement, on many connections at once."""
    owner = stack.make_wallets(1, _AFFORDED)
    workspace_id = owner.workspace_ids[0]
    ids = [new_id() for _ in range(_ASKED)]
    verdicts = asyncio.run(_hold_all(stack.environment["DATABASE_URL"], workspace_id, ids))
    with stack.connect() as connection:
        row = connection.execute(_VOID_ALL, (workspace_id,)).fetchone()
    figures = {
        "admitted": float(verdicts["held"]),
        "refused": float(verdicts["insufficient"]),
    }
    faults = _inexact(figures)
    if row is None or row[0] != _AFFORDED:
        faults.append(f"{row} holds were there to release")
    yield Row(
        case="exact in SQL",
        setting=f"{_ASKED} holds, {_CONNECTIONS} connections, credit for {_AFFORDED}",
        target="ledger_hold",
        figures=figures,
        faults=faults,
        notes=[],
    )


def _probe_hold(stack: Stack, body: str) -> int:
    """Make one call like the others, but without the thinking, and see how much it held."""
    thinking, at_once = f"latency_ms={_THINKING_MS}", "latency_ms=" + "0" * len(str(_THINKING_MS))
    plan = LoadPlan(
        ports=[0],
        path="",
        keys=stack.hot.keys,
        body=body.replace(thinking, at_once),
        clients=1,
        requests=1,
        seconds=1,
    )
    run_load(stack, stack.gateway, plan_for(plan, stack.gateway))
    with stack.connect() as connection:
        row = connection.execute(
            "SELECT hold_ucr FROM gateway_call WHERE workspace_id = %s ORDER BY started_at DESC",
            (stack.hot.workspace_ids[0],),
        ).fetchone()
    assert row is not None, "the probe has left its call"
    return int(str(row[0]))


async def _hold_all(url: str, workspace_id: int, ids: list[UUID]) -> Counter[str]:
    verdicts: Counter[str] = Counter()

    async def work() -> None:
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            while ids:
                parameters = ([workspace_id], [ids.pop()], [1], [60], [1], [0])
                cursor = await connection.execute(_HOLD, parameters, prepare=True)
                row = await cursor.fetchone()
                verdicts[row[0] if row else "nothing"] += 1

    await asyncio.gather(*[work() for _ in range(_CONNECTIONS)])
    return verdicts


def _faults(sample: Sample) -> list[str]:
    found = [f"{count} × {fault}" for fault, count in sample.result.errors.items()]
    if sample.result.first_good_s <= sample.result.last_refusal_s:
        found.append("credit came back before the last hold was decided: the proof says nothing")
    return found


def _inexact(figures: dict[str, float]) -> list[str]:
    expected = {"admitted": _AFFORDED, "refused": _ASKED - _AFFORDED}
    return [
        f"{name}: {figures[name]:.0f} instead of {count}"
        for name, count in expected.items()
        if figures[name] != count
    ]
