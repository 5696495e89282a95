"""Calls whose process died: settled once, from the last checkpoint, whoever else tries at the same
time.

The statements are the product's own; only time is the test's: leases are moved into the past, and
the database's own start is what `server_started` says.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier
from typing import Any

import msgspec
import psycopg
import pytest
from django.db import IntegrityError, connection

from billing.price_books import change_price
from billing.pricing import latest_price_book, read_rows
from billing.queries import read_balance
from billing.services import grant_credits, lapse_overdue_holds
from gateway.reconcile import find_violations
from gateway.resolver import resolve_dead_calls, resolve_orphan_calls
from gateway.statements import (
    HEARTBEAT,
    HOLD,
    OPEN,
    SETTLE,
    NewCall,
    Outcome,
    heartbeat_parameters,
    hold_parameters,
    open_parameters,
    settle_parameters,
)
from studio.accounts.services import create_app_key, create_workspace
from studio.core.ids import new_id
from tests.databases import Database, Facts, django_on, rows

GRANTED_UCR = 1_000_000_000
HOLD_UCR = 5_000_000
INPUT_TOKENS = 100
# gpt-5 costs 1 250 µcr per input token and 10 000 per output token; the markup is 20 %.
COST_OF_40_TOKENS_UCR = 100 * 1_250 + 40 * 10_000
CHARGE_FOR_40_TOKENS_UCR = 630_000

_CLOCK = """
CREATE FUNCTION public.pg_postmaster_start_time() RETURNS timestamptz LANGUAGE sql STABLE
AS $$ SELECT now() - current_setting('test.server_age')::interval $$;
GRANT EXECUTE ON FUNCTION public.pg_postmaster_start_time TO PUBLIC;
"""


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """A workspace on a database of its own, and the owner's way in to move time."""

    workspace_id: int
    app_key_id: int
    price_version: int
    database: Database

    def hold(self, *, checkpoint: int = 0, lease: str = "-11 seconds", **call: Any) -> str:
        """Hold a call as the gateway does, `checkpoint` tokens delivered, its lease so far from
        now.
        """
        new = NewCall(
            id=str(new_id()),
            workspace_id=self.workspace_id,
            hold_ucr=HOLD_UCR,
            price_version=self.price_version,
            markup_bp=2000,
            app_key_id=self.app_key_id,
            input_estimate=INPUT_TOKENS,
            app_id="app",
            user_ref="user",
            surface="studio",
            operation="chat",
            kind="chat.gpt5",
            channel="stable",
            provider="openai",
            model="gpt-5",
            **call,
        )
        with connection.cursor() as cursor:
            if new.billing == "byok":
                cursor.execute(OPEN, open_parameters([new]))
                assert cursor.fetchone() == ("held", 0)
            else:
                cursor.execute(HOLD, hold_parameters([new]))
                assert cursor.fetchone() == ("held", read_balance(self.workspace_id).available_ucr)
            cursor.execute(
                HEARTBEAT, heartbeat_parameters([(new.id, self.workspace_id, checkpoint)])
            )
        self.as_owner(
            "UPDATE gateway_call SET lease_until = now() + %s::interval WHERE id = %s",
            lease,
            new.id,
        )
        return new.id

    def settle(self, call_id: str, *, charge_ucr: int) -> bool:
        """Settle a call as its living process does. Returns: whether this one counted."""
        outcome = Outcome(
            id=call_id,
            workspace_id=self.workspace_id,
            ledger_kind="usage",
            charge_ucr=charge_ucr,
            cost_ucr=charge_ucr,
            provider="openai",
            model="gpt-5",
            state="succeeded",
            reason="",
            http_status=200,
            input_tokens=INPUT_TOKENS,
            cached_input_tokens=0,
            cache_write_tokens=0,
            output_tokens=50,
            reasoning_tokens=0,
            usage_source="provider",
            latency_ms=1,
            first_byte_ms=1,
        )
        with connection.cursor() as cursor:
            cursor.execute(SETTLE, settle_parameters([outcome]))
            row = cursor.fetchone()
        assert row is not None
        return bool(row[1])

    def as_owner(self, query: str, *parameters: Any) -> None:
        """Change what no role of the product may."""
        with psycopg.connect(self.database.owner_url, autocommit=True) as owner:
            owner.execute(query, parameters)

    def usage(self) -> list[tuple[Any, ...]]:
        """Give (status, reason, charge, cost, output tokens) of every usage row."""
        names = ("status", "reason", "charge_ucr", "cost_ucr", "output_tokens")
        found = rows("SELECT * FROM usage WHERE workspace_id = %s ORDER BY at", self.workspace_id)
        return [tuple(row[name] for name in names) for row in found]

    def entries(self) -> list[tuple[str, int]]:
        """Give (kind, amount) of the journal without the grant."""
        query = "SELECT kind, amount FROM ledger.entry WHERE wallet_id = %s AND kind <> 'promo'"
        return [(row["kind"], row["amount"]) for row in rows(query, self.workspace_id)]

    def balance(self) -> tuple[int, int]:
        """Give (available, held) in µcr."""
        found = read_balance(self.workspace_id)
        return found.available_ucr, found.held_ucr


@pytest.fixture
def server_started(
    fresh_database: Database, server_facts: Facts
) -> Iterator[Callable[[str], None]]:
    """Set how long ago the database says it was started: an hour, unless the test says otherwise.

    A function of that name before pg_catalog in the search path answers for the server's own.
    """
    with psycopg.connect(fresh_database.owner_url, autocommit=True) as owner:
        owner.execute(_CLOCK)
    name = fresh_database.name
    with psycopg.connect(server_facts.admin_url, autocommit=True) as admin:
        admin.execute(f'ALTER DATABASE "{name}" SET search_path = public, pg_catalog')
        admin.execute(f"ALTER DATABASE \"{name}\" SET test.server_age = '1 hour'")

    def say(ago: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('test.server_age', %s, false)", [ago])

    with django_on(fresh_database):
        yield say


@pytest.fixture
def ledger(fresh_database: Database, server_started: Callable[[str], None]) -> Ledger:
    """A workspace with 1 000 credits on a database of its own."""
    workspace = create_workspace(name="payer", tier="managed")
    grant_credits(workspace_id=workspace.pk, amount_ucr=GRANTED_UCR, reason="test")
    return Ledger(
        workspace_id=workspace.pk,
        app_key_id=create_app_key(workspace_id=workspace.pk).app_key_id,
        price_version=latest_price_book().version,
        database=fresh_database,
    )


def test_a_dead_call_pays_for_what_was_delivered_until_its_checkpoint(ledger: Ledger) -> None:
    ledger.hold(checkpoint=40)
    assert resolve_dead_calls() == 1
    assert ledger.usage() == [
        ("interrupted", "process_lost", CHARGE_FOR_40_TOKENS_UCR, COST_OF_40_TOKENS_UCR, 40)
    ]
    assert ledger.entries() == [("usage", CHARGE_FOR_40_TOKENS_UCR)]
    assert ledger.balance() == (GRANTED_UCR - CHARGE_FOR_40_TOKENS_UCR, 0)
    assert find_violations() == []


def test_a_dead_call_that_had_delivered_nothing_costs_nothing(ledger: Ledger) -> None:
    ledger.hold()
    assert resolve_dead_calls() == 1
    assert ledger.usage() == [("interrupted", "process_lost", 0, 0, 0)]
    assert ledger.entries() == [("void", 0)]
    assert ledger.balance() == (GRANTED_UCR, 0)
    assert find_violations() == []


def test_a_call_is_resolved_once(ledger: Ledger) -> None:
    ledger.hold(checkpoint=40)
    assert [resolve_dead_calls(), resolve_dead_calls()] == [1, 0]
    assert len(ledger.usage()) == len(ledger.entries()) == 1


@pytest.mark.parametrize("lease", ["20 seconds", "0 seconds", "-9 seconds"])
def test_a_call_whose_lease_ended_less_than_ten_seconds_ago_is_left_alone(
    ledger: Ledger, lease: str
) -> None:
    ledger.hold(checkpoint=40, lease=lease)
    assert resolve_dead_calls() == 0
    assert ledger.usage() == []
    assert ledger.balance() == (GRANTED_UCR - HOLD_UCR, HOLD_UCR)


def test_nothing_is_taken_right_after_a_restart_of_the_database(
    ledger: Ledger, server_started: Callable[[str], None]
) -> None:
    ledger.hold(checkpoint=40, lease="-1 hour")
    server_started("14 seconds")
    assert resolve_dead_calls() == 0
    assert ledger.balance() == (GRANTED_UCR - HOLD_UCR, HOLD_UCR)
    server_started("16 seconds")
    assert resolve_dead_calls() == 1


def test_the_clock_of_these_tests_stands_in_for_the_servers_own(ledger: Ledger) -> None:
    [both] = rows(
        "SELECT pg_postmaster_start_time() AS said, pg_catalog.pg_postmaster_start_time() AS own"
    )
    assert both["said"] != both["own"]


def test_racing_resolvers_settle_each_dead_call_once(ledger: Ledger) -> None:
    for _ in range(20):
        ledger.hold(checkpoint=40)
    start = Barrier(4)

    def resolve() -> int:
        start.wait()
        try:
            return sum(resolve_dead_calls(limit=2) for _ in range(20))
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        settled = [pool.submit(resolve) for _ in range(4)]
        assert sum(future.result() for future in settled) == 20
    assert len(ledger.usage()) == len(ledger.entries()) == 20
    assert ledger.balance() == (GRANTED_UCR - 20 * CHARGE_FOR_40_TOKENS_UCR, 0)
    assert find_violations() == []


def test_a_process_that_settles_late_learns_that_its_call_was_resolved(ledger: Ledger) -> None:
    call = ledger.hold(checkpoint=40)
    assert resolve_dead_calls() == 1
    assert ledger.settle(call, charge_ucr=700_000) is False
    assert ledger.entries() == [("usage", CHARGE_FOR_40_TOKENS_UCR)]
    assert [row[0] for row in ledger.usage()] == ["interrupted"]
    assert find_violations() == []


def test_a_call_that_its_process_settled_is_not_resolved(ledger: Ledger) -> None:
    call = ledger.hold(checkpoint=40)
    assert ledger.settle(call, charge_ucr=700_000) is True
    assert resolve_dead_calls() == 0
    assert [row[0] for row in ledger.usage()] == ["succeeded"]
    assert ledger.balance() == (GRANTED_UCR - 700_000, 0)


def test_a_resolver_and_the_living_process_at_once_settle_each_call_once(ledger: Ledger) -> None:
    calls = [ledger.hold(checkpoint=40) for _ in range(20)]
    start = Barrier(2)

    def resolve() -> int:
        start.wait()
        try:
            return sum(resolve_dead_calls(limit=1) for _ in range(20))
        finally:
            connection.close()

    def settle() -> int:
        start.wait()
        try:
            return sum(ledger.settle(call, charge_ucr=700_000) for call in reversed(calls))
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        resolving, settling = pool.submit(resolve), pool.submit(settle)
        resolved, settled = resolving.result(), settling.result()
    # What the resolver had claimed and the process settled first counts for the process.
    assert resolved + settled == 20
    assert (
        sorted(row[0] for row in ledger.usage())
        == ["interrupted"] * resolved + ["succeeded"] * settled
    )
    charged_ucr = resolved * CHARGE_FOR_40_TOKENS_UCR + settled * 700_000
    assert ledger.balance() == (GRANTED_UCR - charged_ucr, 0)
    assert find_violations() == []


def test_what_a_resolver_took_and_did_not_settle_is_taken_again_when_its_lease_ends(
    ledger: Ledger,
) -> None:
    call = ledger.hold(checkpoint=40)
    ledger.as_owner(
        "UPDATE gateway_call SET fence = fence + 1, lease_until = now() + interval '20 seconds'"
    )
    assert resolve_dead_calls() == 0
    ledger.as_owner("UPDATE gateway_call SET lease_until = now() - interval '11 seconds'")
    assert resolve_dead_calls() == 1
    assert [row["fence"] for row in rows("SELECT fence FROM gateway_call WHERE id = %s", call)] == [
        2
    ]


def test_a_heartbeat_cannot_take_back_a_call_that_a_resolver_has_taken(ledger: Ledger) -> None:
    call = ledger.hold(checkpoint=40)
    ledger.as_owner("UPDATE gateway_call SET fence = 1")
    with connection.cursor() as cursor:
        cursor.execute(HEARTBEAT, heartbeat_parameters([(call, ledger.workspace_id, 90)]))
        assert cursor.fetchone() == (0,)
    assert resolve_dead_calls() == 1
    assert ledger.usage()[0][4] == 40


def test_the_idempotency_key_of_a_dead_call_is_free_again(ledger: Ledger) -> None:
    digests: dict[str, Any] = {"idempotency_digest": b"k" * 32, "request_digest": b"r" * 32}
    ledger.hold(**digests)
    with pytest.raises(IntegrityError):
        ledger.hold(**digests)
    assert resolve_dead_calls() == 1
    ledger.hold(**digests)
    assert len(rows("SELECT id FROM gateway_call WHERE idempotency_digest IS NOT NULL")) == 1


def test_a_dead_call_that_was_paid_to_its_checkpoint_keeps_its_idempotency_key(
    ledger: Ledger,
) -> None:
    digests: dict[str, Any] = {"idempotency_digest": b"k" * 32, "request_digest": b"r" * 32}
    ledger.hold(checkpoint=40, **digests)
    assert resolve_dead_calls() == 1
    with pytest.raises(IntegrityError):
        ledger.hold(**digests)


def test_a_hold_that_was_swept_first_charges_nothing_and_keeps_the_cost(ledger: Ledger) -> None:
    ledger.hold(checkpoint=40)
    ledger.as_owner("UPDATE ledger.hold SET expires_at = now() - interval '1 second'")
    assert lapse_overdue_holds() == 1
    assert ledger.balance() == (GRANTED_UCR, 0)
    ledger.as_owner("UPDATE gateway_call SET lease_until = now() - interval '6 minutes'")
    assert resolve_dead_calls() == 0
    resolve_orphan_calls()
    assert ledger.usage() == [("interrupted", "process_lost", 0, COST_OF_40_TOKENS_UCR, 40)]
    assert ledger.entries() == [("lapse", 0)]
    assert ledger.balance() == (GRANTED_UCR, 0)
    assert find_violations() == []


def test_a_price_change_does_not_change_what_a_dead_call_pays(ledger: Ledger) -> None:
    ledger.hold(checkpoint=40)
    [row] = [
        row
        for row in read_rows(ledger.price_version)
        if (row.model, row.meter) == ("gpt-5", "output")
    ]
    change_price(msgspec.structs.replace(row, list_ucr=2 * row.list_ucr), actor="test")
    assert latest_price_book().version == ledger.price_version + 1
    assert resolve_dead_calls() == 1
    assert ledger.usage()[0][2] == CHARGE_FOR_40_TOKENS_UCR


def test_a_dead_call_by_a_users_own_key_is_recorded_once_and_costs_nothing(ledger: Ledger) -> None:
    ledger.hold(billing="byok", checkpoint=40)
    ledger.hold(billing="byok", checkpoint=40, lease="-9 seconds")
    assert resolve_dead_calls() == 1
    assert resolve_dead_calls() == 0
    assert ledger.usage() == [("interrupted", "process_lost", 0, 0, 40)]
    assert ledger.entries() == []
    assert ledger.balance() == (GRANTED_UCR, 0)
    query = "SELECT billing FROM usage WHERE workspace_id = %s"
    assert rows(query, ledger.workspace_id) == [{"billing": "byok"}]
