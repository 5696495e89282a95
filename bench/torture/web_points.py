"""Every point of the walk and every kind of call, again and again, under load, with the real worker
and beat: kills at exact places, seconds apart, and a look at the books when all is resolved.
"""

import random
import time
from collections import Counter
from collections.abc import Sequence

import msgspec

from bench.torture import checking
from bench.torture.aftermath import check_probe, check_retried, count_asked, full_charges
from bench.torture.gates import NotReached
from bench.torture.points import KINDS, POINTS, Kind, Point, Probe, make_probes
from bench.torture.records import ACKNOWLEDGED, LoadPlan, read_calls
from bench.torture.rounds import WEIGHTS, Watch, start_callers
from bench.torture.scene import Scene
from bench.torture.stage import Account, Stage, running_stage
from studio.supervisor.processes import stop

_GRANTED_UCR = 10**15
_AT_MOST_SHOWN = 40


class Struck(msgspec.Struct, frozen=True):
    """One kill: where, and the call that stood there."""

    point: Point
    probe: Probe


class Fates(msgspec.Struct, kw_only=True):
    """What came of it all. Holds' ages in seconds."""

    struck: list[Struck]
    violations: list[str]
    oldest_hold_s: float = 0.0
    freed_s: float = 0.0
    load_calls: int = 0
    load_acknowledged: int = 0
    asked: int = 0


def torture_web_points(*, kills: int, seed: int, callers: int) -> int:
    """Kill at each point `kills` times for each kind of call. Returns: an exit code."""
    plan: list[tuple[Point, Kind]] = [(p, k) for p in POINTS for k in KINDS] * kills
    random.Random(seed).shuffle(plan)
    print(
        f"torture: web-points; {len(POINTS)} points x {len(KINDS)} kinds of calls x {kills} kills, "
        f"{callers} callers, 2 gateways, Celery worker and beat; --seed {seed}",
        flush=True,
    )
    begun = time.monotonic()
    with running_stage(gateways=1) as stage:
        fates = _run(stage, plan, seed=seed, callers=callers)
    _print(fates, time.monotonic() - begun)
    held_s = max(fates.oldest_hold_s, fates.freed_s)
    return int(bool(fates.violations) or held_s > checking.FREED_WITHIN_S)


def _run(stage: Stage, plan: Sequence[tuple[Point, Kind]], *, seed: int, callers: int) -> Fates:
    scene = Scene(stage, stage.make_account(_GRANTED_UCR))
    full_ucr = full_charges(scene, KINDS, stage.ports[0])
    account, watch = stage.make_account(_GRANTED_UCR), Watch(stage)
    watch.read_journal()
    watch.journal.clear()
    load_plan = _load_plan(scene, account, seed=seed, callers=callers)
    load = start_callers(stage, load_plan)
    fates = Fates(struck=[], violations=[])
    try:
        for point, kind in plan:
            _strike(scene, point, kind, fates)
            watch.wait(0)
            watch.read_journal()
        load.process.terminate()
        fates.freed_s, oldest_s = checking.wait_until_free(stage, lambda: not load.alive)
    finally:
        stop([load])
        scene.close()
    watch.read_journal()
    fates.oldest_hold_s = max(watch.oldest_hold_s, oldest_s)
    _look(scene, fates, asked=count_asked(watch.journal), full_ucr=full_ucr)
    calls = read_calls(stage.log_dir / f"{load_plan.name}.calls")
    findings = checking.check(stage, account, calls, watch.journal)
    fates.violations += [*findings.lost, *findings.changed, *findings.violations]
    fates.load_calls = len(calls)
    fates.load_acknowledged = sum(call.end == ACKNOWLEDGED for call in calls)
    fates.asked = len(watch.journal)
    return fates


def _load_plan(scene: Scene, account: Account, *, seed: int, callers: int) -> LoadPlan:
    """Half of the load goes to the gateway that is killed."""
    name = f"web-points-{seed}"
    return LoadPlan(
        ports=[*scene.stage.ports, scene.port],
        app_key=account.app_key,
        callers=callers,
        seed=seed,
        name=name,
        weights=dict(WEIGHTS),
        calls_file=str(scene.stage.log_dir / f"{name}.calls"),
    )


def _strike(scene: Scene, point: Point, kind: Kind, fates: Fates) -> None:
    [probe] = make_probes((kind,))
    try:
        scene.strike(point, [probe])
    except NotReached as error:
        scene.kill_victim()
        fates.violations.append(f"{point}, {kind}: not reached: {error}")
        return
    fates.struck.append(Struck(point, probe))


def _look(scene: Scene, fates: Fates, *, asked: Counter[str], full_ucr: dict[Kind, int]) -> None:
    """Hold each call that was struck against what must have become of it."""
    for struck in fates.struck:
        point, probe = struck.point, struck.probe
        charge = full_ucr[probe.kind]
        fates.violations += check_probe(
            scene, point, probe, asked=asked[probe.tag], full_ucr=charge
        )
        if probe.kind == "keyed":
            probe.ask(scene.stage.ports[0], scene.account.app_key)
            fates.violations += check_retried(scene, point, probe, full_ucr=charge)


def _print(fates: Fates, took_s: float) -> None:
    kills = Counter(struck.point for struck in fates.struck)
    for point in POINTS:
        print(f"  {point:<18} {kills[point]:>5} kills")
    for line in fates.violations[:_AT_MOST_SHOWN]:
        print(f"  VIOLATION {line}")
    print(
        f"{len(fates.struck)} kills in {took_s:.0f} s under {fates.load_calls} calls "
        f"({fates.load_acknowledged} acknowledged), {fates.asked} provider calls; oldest hold "
        f"{fates.oldest_hold_s:.1f} s, freed {fates.freed_s:.1f} s after the load; "
        f"{len(fates.violations)} violations",
        flush=True,
    )
