"""`kill -9` under load, a few times each: nothing acknowledged is lost or changed, no credit stays
held.

The long version is `manage.py torture`: 25 kills each, the real worker and beat, and repeats under
Idempotency-Keys. Here the leases of the dead are ended by the test and the resolver is run once,
because nobody wants to wait 30 s for it.
"""

from collections.abc import Iterator

import pytest

from bench.torture.rounds import Round, Target, run_round
from bench.torture.stage import Stage, running_stage

STRIKES: tuple[Target, ...] = ("web", "postgres", "redis", "web", "postgres", "redis")
SEED = 20
WEIGHTS = {"plain": 45, "stream": 40, "leaving": 8, "failing": 7}
RESOLVE = "from gateway.resolver import resolve_dead_calls as resolve; resolve()"


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """Servers and two gateways that may be killed."""
    with running_stage(gateways=2, celery=False) as running:
        with running.connect() as connection:
            # Within 15 s of its start the resolver takes nothing: here it was started an hour ago.
            connection.execute(
                "CREATE FUNCTION public.pg_postmaster_start_time() RETURNS timestamptz LANGUAGE sql"
                " AS $$ SELECT now() - interval '1 hour' $$"
            )
            connection.execute("ALTER DATABASE studio_torture SET search_path = public, pg_catalog")
        yield running


def test_nothing_acknowledged_is_lost_and_no_credit_stays_held(stage: Stage) -> None:
    def resolve() -> None:
        with stage.connect() as connection:
            connection.execute(
                "UPDATE gateway_call SET lease_until = now() - interval '11 seconds'"
                " WHERE state = 'open'"
            )
        done = stage.python("-m", "django", "shell", "--no-imports", "-c", RESOLVE)
        assert done.returncode == 0, done.stderr

    task = Round(
        name="short",
        strikes=STRIKES,
        seed=SEED,
        seconds_between=1.0,
        outage_s=0,
        callers=12,
        weights=WEIGHTS,
    )
    report = run_round(stage, task, resolve=resolve)
    assert report.findings.lost == []
    assert report.findings.changed == []
    assert report.findings.violations == []
    assert report.acknowledged > 20
    assert report.provider_calls >= report.acknowledged
