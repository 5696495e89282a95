"""The order of a run: a stage, a round for each target, a table. Returns an exit code, prints as it
goes.
"""

import asyncio
import random
import time
from collections.abc import Callable

import msgspec

from bench.torture.checking import FREED_WITHIN_S
from bench.torture.holds import allow_files, crowd
from bench.torture.jobs import torture_jobs
from bench.torture.money import torture_ledger, torture_ledger_kills
from bench.torture.payments import Storm, torture_payments
from bench.torture.rollups import torture_rollups
from bench.torture.rounds import Report, Round, Target, run_round
from bench.torture.stage import Account, Stage, running_stage
from bench.torture.web_points import torture_web_points

MIXED = "mixed"
MONEY = ("ledger", "ledger-kills")
WEB_POINTS = "web-points"
JOBS = "jobs"
ANALYTICS = "analytics"
TARGETS: tuple[Target, ...] = ("web", "postgres", "redis", "deploy")
_HOLD_GATEWAYS = 4
_PAYMENTS = 400
_DELIVERIES = 10_000
_OUTAGE_S = 8.0
"""Longer than a hold waits for the database, and than a Redis call for Redis."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for on the command line."""

    what: str
    kills: int
    seed: int
    seconds_between: float
    callers: int
    affordable: int
    asking: int
    hours: float


_ALONE: dict[str, Callable[[Options], int]] = {
    "holds": lambda options: _holds(options),
    WEB_POINTS: lambda options: torture_web_points(
        kills=options.kills, seed=options.seed, callers=options.callers
    ),
    JOBS: lambda options: torture_jobs(kills=options.kills, seed=options.seed),
    ANALYTICS: lambda options: torture_rollups(kills=options.kills, seed=options.seed),
    "stripe": lambda options: torture_payments(
        Storm(payments=_PAYMENTS, deliveries=_DELIVERIES, seed=options.seed)
    ),
    "ledger": lambda options: torture_ledger(hours=options.hours, seed=options.seed),
    "ledger-kills": lambda options: torture_ledger_kills(
        kills=options.kills, seed=options.seed, seconds_between=options.seconds_between
    ),
}
"""What is not a round of kills like the others, each with a table of its own."""


def torture(options: Options) -> int:
    """Run what `options.what` names. Returns: 0 if nothing was lost, changed, violated or held too
    long.
    """
    alone = _ALONE.get(options.what)
    if alone is not None:
        return alone(options)
    targets = TARGETS if options.what == "all" else (options.what,)
    print(
        f"torture: {', '.join(targets)}; {options.kills} kills each, "
        f"about {options.seconds_between:g} s apart, "
        f"{options.callers} callers, 2 gateways, Celery worker and beat; --seed {options.seed}",
        flush=True,
    )
    reports = []
    with running_stage() as stage:
        for target in targets:
            task = Round(
                name=target,
                strikes=_strikes(target, options),
                seed=options.seed,
                seconds_between=options.seconds_between,
                outage_s=_OUTAGE_S,
                callers=options.callers,
            )
            begun = time.monotonic()
            reports.append(run_round(stage, task))
            _say_findings(reports[-1], time.monotonic() - begun)
    _print_table(reports)
    return 0 if all(report.clean for report in reports) else 1


def _strikes(target: str, options: Options) -> tuple[Target, ...]:
    """Name what is killed each time: always the same, or for `mixed` whatever the seed says."""
    choose = random.Random(options.seed)
    same = [known for known in TARGETS if known == target]
    return tuple(choose.choice(same or TARGETS) for _ in range(options.kills))


def _say_findings(report: Report, took_s: float) -> None:
    refusals = ", ".join(f"{count} x {name}" for name, count in sorted(report.refusals.items()))
    print(f"{report.name}: {took_s:.0f} s; refused: {refusals or 'none'}", flush=True)
    findings = report.findings
    for word, lines in (
        ("LOST", findings.lost),
        ("CHANGED", findings.changed),
        ("VIOLATION", findings.violations),
    ):
        for line in lines[:20]:
            print(f"  {word} {line}", flush=True)


def _print_table(reports: list[Report]) -> None:
    heads: tuple[str, ...] = ("target", "kills", "sent", "acknowledged", "refused", "broken")
    heads += ("recovery s", "oldest hold s", "freed s", "provider calls")
    heads += ("violations", "lost", "changed")
    rows = [heads]
    for report in reports:
        findings = report.findings
        rows.append(
            (
                report.name,
                str(len(report.strikes)),
                str(report.sent),
                str(report.acknowledged),
                str(report.refused),
                str(report.broken),
                f"{report.recovery_s:.1f}",
                f"{report.oldest_hold_s:.1f}",
                f"{report.freed_s:.1f}",
                str(report.provider_calls),
                str(len(findings.violations)),
                str(len(findings.lost)),
                str(len(findings.changed)),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads))]
    for row in rows:
        print("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))
    print(f"(holds must be free within {FREED_WITHIN_S:g} s)", flush=True)


def _holds(options: Options) -> int:
    """Prove that exactly as many calls are admitted as the wallet affords, over HTTP."""
    allow_files(2 * options.asking)
    with running_stage(gateways=_HOLD_GATEWAYS, celery=False) as stage:
        probe = asyncio.run(crowd(stage.ports, stage.make_account(10**15).app_key, 1))
        account = stage.make_account(probe.held_ucr * options.affordable)
        begun = time.monotonic()
        seen = asyncio.run(crowd(stage.ports, account.app_key, options.asking))
        took_s = time.monotonic() - begun
        complaints = _hold_complaints(stage, account, options)
    print(
        f"{options.asking} callers at once on a wallet that affords {options.affordable}, "
        f"{_HOLD_GATEWAYS} gateways: {seen.admitted} admitted, {seen.refused} refused with 402, "
        f"others {seen.others}, {took_s:.1f} s"
    )
    for complaint in complaints:
        print(f"  VIOLATION {complaint}")
    expected = (options.affordable, options.asking - options.affordable)
    exact = (seen.admitted, seen.refused) == expected
    return 0 if exact and not complaints else 1


def _hold_complaints(stage: Stage, account: Account, options: Options) -> list[str]:
    """Wait until everybody has left, then look whether the wallet has its credit back."""
    deadline = time.monotonic() + FREED_WITHIN_S
    query = "SELECT sum(remaining)::bigint, sum(held)::bigint FROM ledger.lot WHERE wallet_id = %s"
    with stage.connect() as connection:
        while True:
            money = connection.execute(query, (account.workspace_id,)).fetchone()
            if money == (account.granted_ucr, 0):
                break
            if time.monotonic() > deadline:
                return [f"wallet (remaining, held) is {money}, granted were {account.granted_ucr}"]
            time.sleep(0.1)
    done = stage.python("-m", "django", "reconcile")
    return [] if done.returncode == 0 else done.stdout.splitlines()[-5:]
