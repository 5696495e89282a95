"""`torture ledger` and `torture ledger-kills`: the money of many workspaces beside an oracle, in
every order, with connections that drop, and with PostgreSQL killed again and again.
"""

import contextlib
import random
import subprocess
import time
from collections.abc import Iterator

import msgspec

from bench.torture.plans import MachinePlan, MixPlan, MixTally, Tally, add_counts
from bench.torture.stage import Stage, kill, running_stage, start_again
from studio.supervisor.processes import Child, start, stop

_CHAPTER = "studio_torture"
_HISTORIES = 25
_STEPS = 50
_MIXERS = 4
_FINISH_S = 120.0
_SET_UP = "import django; django.setup(); from bench.torture.{0} import main; main()"
_ENVIRONMENT = {"TWO_PEOPLE_ABOVE_CREDITS": "1", "LOG_LEVEL": "error"}
_NO_PROCESS_LEFT_S = 0.2


def torture_ledger(*, hours: float, seed: int) -> int:
    """Run chapters of the state machine, each on a fresh database, until the time is over.

    Returns: 0 if the oracle was right about everything.
    """
    print(f"torture ledger: {hours:g} hours; --seed {seed}", flush=True)
    begun = time.monotonic()
    total = Tally()
    failures: list[str] = []
    with _stage() as stage:
        chapter = 0
        while not failures and (chapter == 0 or time.monotonic() - begun < hours * 3600):
            failures += _chapter(stage, seed + chapter, total)
            chapter += 1
    for text in failures:
        print(text, flush=True)
    print(
        f"seed {seed}, {chapter} chapters, {time.monotonic() - begun:.0f} s: "
        f"{total.histories} histories, {_counted(total.steps, total.crashes, len(failures))}",
        flush=True,
    )
    return 1 if failures else 0


def torture_ledger_kills(*, kills: int, seed: int, seconds_between: float) -> int:
    """Kill PostgreSQL under four processes that move money. Returns: 0 if nothing was lost."""
    print(
        f"torture ledger-kills: {kills} kills, about {seconds_between:g} s apart, "
        f"{_MIXERS} processes; --seed {seed}",
        flush=True,
    )
    choose = random.Random(seed)
    begun = time.monotonic()
    recovery_s = 0.0
    with _stage() as stage:
        mixers = [_start_mixer(stage, seed, number) for number in range(_MIXERS)]
        try:
            for _ in range(kills):
                time.sleep(choose.uniform(0.5, 1.5) * seconds_between)
                recovery_s = max(recovery_s, _kill_postgres(stage))
            time.sleep(seconds_between)
            complaints = _finish(mixers)
        finally:
            stop(mixers)
        total = _read_tallies(stage, mixers, complaints)
        complaints += _reconcile(stage)
    for line in complaints:
        print(f"  VIOLATION {line}", flush=True)
    print(
        f"seed {seed}, {time.monotonic() - begun:.0f} s, {kills} kills (recovery up to "
        f"{recovery_s:.1f} s): {_counted(total.steps, total.crashes, len(complaints))}",
        flush=True,
    )
    return 1 if complaints else 0


@contextlib.contextmanager
def _stage() -> Iterator[Stage]:
    """PostgreSQL alone, durable; the load's processes get the environment of the product."""
    with running_stage(gateways=0, celery=False) as stage:
        stage.environment = {**stage.environment, **_ENVIRONMENT}
        yield stage


def _chapter(stage: Stage, seed: int, total: Tally) -> list[str]:
    """Run the state machine on a fresh clone, in a process of its own. Returns: what was wrong."""
    stage.servers.clone(_CHAPTER)
    plan = MachinePlan(seed=seed, histories=_HISTORIES, steps=_STEPS, owner_url=_owner_url(stage))
    path = stage.log_dir / "machine.plan"
    path.write_bytes(msgspec.json.encode(plan))
    done = stage.python("-c", _SET_UP.format("machine"), str(path))
    if done.returncode:
        return [f"seed {seed}:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"]
    tally = msgspec.json.decode(done.stdout.splitlines()[-1], type=Tally)
    total.histories += tally.histories
    add_counts(total.steps, tally.steps)
    add_counts(total.crashes, tally.crashes)
    reconciled = _reconcile(stage)
    print(
        f"chapter {seed}: {tally.histories} histories, {sum(tally.steps.values())} operations",
        flush=True,
    )
    return reconciled


def _start_mixer(stage: Stage, seed: int, number: int) -> Child:
    name = f"mixer-{number}"
    path = stage.log_dir / f"{name}.plan"
    plan = MixPlan(seed=f"{seed}/{number}", owner_url=_owner_url(stage))
    path.write_bytes(msgspec.json.encode(plan))
    return start(stage.spec(name, "-c", _SET_UP.format("mixing"), str(path)))


def _kill_postgres(stage: Stage) -> float:
    """Kill the server with all its processes and start it again. Returns: seconds to readiness."""
    server = stage.servers.postgres.child
    kill(server)
    time.sleep(_NO_PROCESS_LEFT_S)
    return start_again(server, stage.answers_postgres, "PostgreSQL")


def _finish(mixers: list[Child]) -> list[str]:
    """Ask all to finish and wait for them. Returns: complaints about those that did not."""
    for mixer in mixers:
        mixer.process.terminate()
    complaints = []
    for mixer in mixers:
        try:
            mixer.process.wait(_FINISH_S)
        except subprocess.TimeoutExpired:
            complaints.append(f"{mixer.spec.name} does not end")
    return complaints


def _read_tallies(stage: Stage, mixers: list[Child], complaints: list[str]) -> MixTally:
    total = MixTally()
    for mixer in mixers:
        lines = (stage.log_dir / f"{mixer.spec.name}.log").read_text().splitlines()
        try:
            tally = msgspec.json.decode(lines[-1] if lines else "", type=MixTally)
        except msgspec.DecodeError:
            complaints.append(f"{mixer.spec.name} ended badly: {' / '.join(lines[-12:])}")
            continue
        complaints += tally.different
        add_counts(total.steps, tally.steps)
        add_counts(total.crashes, tally.crashes)
    return total


def _owner_url(stage: Stage) -> str:
    return stage.servers.postgres.url("studio_owner", _CHAPTER)


def _reconcile(stage: Stage) -> list[str]:
    done = stage.python("-m", "django", "reconcile")
    return [] if done.returncode == 0 else [(done.stdout + done.stderr)[-2000:]]


def _counted(steps: dict[str, int], crashes: dict[str, int], violations: int) -> str:
    return (
        f"{sum(steps.values())} operations, {sum(crashes.values())} crashes ({_words(crashes)}), "
        f"{violations} violations\noperations: {_words(steps)}"
    )


def _words(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
