"""Processes killed again and again under load: what it did to callers, holds and books."""

import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from bench.torture import checking
from bench.torture.records import (
    ACKNOWLEDGED,
    BROKEN,
    HUNG,
    REFUSED,
    UNSENT,
    LoadPlan,
    read_calls,
)
from bench.torture.stage import Account, Stage, kill, start_again
from studio.supervisor.processes import Child, start, stop

Target = Literal["web", "postgres", "redis", "deploy"]
"""What is killed; `deploy` is the orderly restart of one gateway by SIGTERM."""
WEIGHTS = {"plain": 40, "stream": 30, "leaving": 6, "failing": 6, "long": 8, "keyed": 10}
_OUTAGES = 1 / 3
_ALL_AT_ONCE = 0.2
"""So often every gateway is killed at once, not one of them."""


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """What to do: kill one of `strikes` after another, about so many seconds apart, while `callers`
    ask.

    PostgreSQL and Redis are started again at once or, one time in three, after up to `outage_s`.
    """

    name: str
    strikes: tuple[Target, ...]
    seed: int
    seconds_between: float
    outage_s: float
    callers: int = 24
    weights: dict[str, int] = msgspec.field(default_factory=lambda: dict(WEIGHTS))


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a round. Times in seconds: recovery from the kill to readiness; `freed_s` from
    the end of the load until the last stranded hold was gone.
    """

    name: str
    strikes: tuple[Target, ...]
    sent: int
    acknowledged: int
    refused: int
    broken: int
    recovery_s: float
    oldest_hold_s: float
    freed_s: float
    provider_calls: int
    findings: checking.Findings
    refusals: dict[str, int]

    @property
    def clean(self) -> bool:
        """Nothing lost, changed or violated, and no credit held too long.

        While the database itself is killed again and again its clock of leases stands still, so
        there the time counts from the end.
        """
        held_s = self.freed_s if "postgres" in self.strikes else self.oldest_hold_s
        return self.findings.clean and max(held_s, self.freed_s) <= checking.FREED_WITHIN_S


class Watch:
    """Looks at open holds and the provider's journal while time passes."""

    def __init__(self, stage: Stage) -> None:
        self.oldest_hold_s = 0.0
        self.journal: list[dict[str, Any]] = []
        self._stage = stage

    def wait(self, seconds: float) -> None:
        """Let so much time pass."""
        end = time.monotonic() + seconds
        while (left_s := end - time.monotonic()) > 0:
            time.sleep(min(0.5, left_s))
            self.oldest_hold_s = max(self.oldest_hold_s, checking.oldest_hold_s(self._stage) or 0)

    def read_journal(self) -> None:
        """Take over what the sandbox wrote down, before it forgets."""
        self.journal += self._stage.read_journal()


def run_round(stage: Stage, task: Round, *, resolve: Callable[[], None] | None = None) -> Report:
    """Kill under load, let the load end, wait for holds to be freed, check.

    Who frees them is the stage's Celery; where there is none, `resolve` is called when the load has
    ended.
    """
    account = stage.make_account(10**15)
    choose = random.Random(f"{task.seed}/{task.name}")
    plan = _load_plan(stage, task, account)
    callers = start_callers(stage, plan)
    watch = Watch(stage)
    recovery_s = 0.0
    try:
        watch.wait(1.0)
        for target in task.strikes:
            watch.wait(choose.uniform(0.5, 1.5) * task.seconds_between)
            recovery_s = max(recovery_s, _strike(stage, target, task, choose))
            watch.read_journal()
        watch.wait(1.0)
        callers.process.terminate()
        if resolve is not None:
            callers.process.wait()
            resolve()
        freed_s, oldest_s = checking.wait_until_free(stage, lambda: not callers.alive)
    finally:
        stop([callers])
    watch.read_journal()
    calls = read_calls(stage.log_dir / f"{plan.name}.calls")
    ends = Counter(call.end for call in calls)
    findings = checking.check(stage, account, calls, watch.journal)
    if set(task.strikes) == {"deploy"}:
        findings.violations += checking.broken_calls(calls)
    return Report(
        name=task.name,
        strikes=task.strikes,
        sent=len(calls) - ends[UNSENT],
        acknowledged=ends[ACKNOWLEDGED],
        refused=ends[REFUSED],
        broken=ends[BROKEN] + ends[HUNG],
        recovery_s=recovery_s,
        oldest_hold_s=max(watch.oldest_hold_s, oldest_s),
        freed_s=freed_s,
        provider_calls=len(watch.journal),
        findings=findings,
        refusals=dict(Counter(f"{c.status} {c.code}" for c in calls if c.end == REFUSED)),
    )


def _strike(stage: Stage, target: Target, task: Round, choose: random.Random) -> float:
    """Kill once and start again. Returns: seconds until ready."""
    if target in ("web", "deploy"):
        return _strike_gateways(stage, choose, orderly=target == "deploy")
    server, ready = stage.servers.valkey.child, stage.answers_valkey
    if target == "postgres":
        server, ready = stage.servers.postgres.child, stage.answers_postgres
    kill(server)
    if choose.random() < _OUTAGES:
        time.sleep(choose.uniform(0, task.outage_s))
    return start_again(server, ready, target)


def _strike_gateways(stage: Stage, choose: random.Random, *, orderly: bool) -> float:
    """End one gateway, or now and then all of them."""
    victims = list(range(len(stage.gateways)))
    if orderly or choose.random() > _ALL_AT_ONCE:
        victims = [choose.choice(victims)]
    for victim in victims:
        if orderly:
            stop([stage.gateways[victim]])
        else:
            kill(stage.gateways[victim])
    return max(_start_gateway(stage, victim) for victim in victims)


def _start_gateway(stage: Stage, number: int) -> float:
    port = stage.ports[number]
    return start_again(stage.gateways[number], lambda: stage.answers_gateway(port), "A gateway")


def _load_plan(stage: Stage, task: Round, account: Account) -> LoadPlan:
    name = f"{task.name}-{task.seed}"
    return LoadPlan(
        ports=stage.ports,
        app_key=account.app_key,
        callers=task.callers,
        seed=task.seed,
        name=name,
        weights=task.weights,
        calls_file=str(stage.log_dir / f"{name}.calls"),
    )


def start_callers(stage: Stage, plan: LoadPlan) -> Child:
    """Begin a load."""
    path = stage.log_dir / f"{plan.name}.plan"
    path.write_bytes(msgspec.json.encode(plan))
    return start(stage.spec("callers", "-m", "bench.torture.callers", str(path)))
