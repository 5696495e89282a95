"""The state machine of bench/torture/machine.py, shortly: the real services on a real PostgreSQL
beside an oracle, every invariant after each step. `manage.py torture ledger` runs it for hours.
"""

import os
import random

from django.test import override_settings

from bench.torture.machine import run
from bench.torture.plans import MachinePlan
from tests.databases import Database, django_on

HISTORIES = 10
STEPS = 40


@override_settings(TWO_PEOPLE_ABOVE_CREDITS=1)
def test_every_history_of_a_wallet_is_what_the_oracle_says(fresh_database: Database) -> None:
    seed = int(os.environ.get("STUDIO_MACHINE_SEED", random.randrange(2**32)))  # noqa: S311
    plan = MachinePlan(
        seed=seed, histories=HISTORIES, steps=STEPS, owner_url=fresh_database.owner_url
    )
    with django_on(fresh_database):
        try:
            tally = run(plan)
        except BaseException as error:
            error.add_note(f"STUDIO_MACHINE_SEED={seed} repeats it")
            raise
    assert tally.histories >= HISTORIES
    assert sum(tally.steps.values()) > HISTORIES * 10
    assert sum(tally.crashes.values()) > 10
