"""What `reconcile` finds between usage, calls and the ledger: each promise, broken by hand."""

# ruff: noqa: S608  our own words

import logging
from collections.abc import Iterator
from typing import LiteralString

import psycopg
import pytest
from django.core.management import call_command
from pytest_django import DjangoDbBlocker

from billing import money_requests
from gateway import tasks
from gateway.reconcile import find_violations
from tests.billing.ledger_client import Connection
from tests.billing.people import Customer, make_customer, make_staff
from tests.databases import WORKER, Database, Facts, cloned, django_on

FOUND = "SELECT DISTINCT violation FROM usage_violations"
OF_CALL = "request_id = (SELECT max(request_id::text)::uuid FROM usage WHERE charge_ucr = 60)"


@pytest.fixture(scope="module")
def books(server_facts: Facts, django_db_blocker: DjangoDbBlocker) -> Iterator[Database]:
    """A customer with a charge of 60, one of 50 partly refunded, a failed call and an open one."""
    name = f"studio_test_{WORKER}_reconcile"
    with (
        cloned(server_facts, name) as database,
        django_db_blocker.unblock(),
        django_on(database),
    ):
        customer = make_customer("Reconcile")
        customer.top_up(1000)
        customer.call(60)
        refund(customer, 20)
        customer.settle(customer.hold(10), 0)
        customer.hold(70)
        yield database


def refund(customer: Customer, amount_ucr: int) -> None:
    money_requests.refund_call(
        workspace_id=customer.id,
        call_id=customer.call(50),
        amount_ucr=amount_ucr,
        reason="a bad answer",
        staff=make_staff("ann"),
        key="k",
    )


@pytest.fixture
def owner(books: Database) -> Iterator[Connection]:
    """The owner, whose tampering is undone."""
    with psycopg.connect(books.owner_url, autocommit=True) as connection:
        yield connection


def test_books_in_order_show_nothing(books: Database) -> None:
    assert find_violations() == []
    assert tasks.reconcile() == 0
    call_command("reconcile")


def test_a_hit_is_an_error_in_the_log_with_its_row(
    books: Database, owner: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    owner.execute("ALTER TABLE ledger.lot DISABLE TRIGGER lot_is_kept")
    with caplog.at_level(logging.ERROR, logger="gateway.tasks"):
        assert tasks.reconcile() == 1
    owner.execute("ALTER TABLE ledger.lot ENABLE TRIGGER lot_is_kept")
    assert [record.getMessage() for record in caplog.records] == [
        "reconcile: guards: violation=missing_trigger, subject=ledger.lot lot_is_kept",
        "reconcile: 1 violations in all",
    ]


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        (f"DELETE FROM usage WHERE {OF_CALL}", "usage entry without a usage row"),
        (f"UPDATE usage SET charge_ucr = 61 WHERE {OF_CALL}", "usage row and ledger differ"),
        (
            f"UPDATE usage SET request_id = uuidv7() WHERE {OF_CALL}",
            "usage row with a charge the ledger does not know",
        ),
        ("DELETE FROM ledger.correction", "usage row and ledger differ"),
        ("UPDATE ledger.correction SET amount = 19", "usage row and ledger differ"),
        (
            "UPDATE ledger.correction SET at = now() - interval '11 minutes'",
            "refund that usage does not know",
        ),
        ("DELETE FROM gateway_call WHERE state = 'open'", "hold without a call"),
        (
            "UPDATE ledger.hold SET expires_at = now() - interval '91 seconds'",
            "hold that nobody released",
        ),
        (
            "WITH h AS (DELETE FROM ledger.hold) UPDATE gateway_call"
            " SET lease_until = now() - interval '91 seconds' WHERE state = 'open'",
            "open call without a hold",
        ),
        (
            "UPDATE gateway_call SET state = 'succeeded' WHERE state = 'open'",
            "settled call whose hold is still open",
        ),
        (
            "UPDATE gateway_call SET workspace_id = -1 WHERE state = 'failed'",
            "settled call that the ledger does not know",
        ),
        (
            "DELETE FROM usage WHERE status = 'failed'",
            "finished call without exactly one usage row",
        ),
        (
            f"UPDATE usage SET markup_bp = 0 WHERE {OF_CALL}",
            "call charged by another price than it was held by",
        ),
        (
            f"UPDATE usage SET price_version = 2 WHERE {OF_CALL}",
            "call charged by another price than it was held by",
        ),
        (f"UPDATE usage SET status = 'failed' WHERE {OF_CALL}", "failed call that was charged"),
        (
            f"UPDATE usage SET billing = 'byok', charge_ucr = 0 WHERE {OF_CALL}",
            "call by a key of the user in the ledger",
        ),
        (f"UPDATE usage SET output_tokens = -1 WHERE {OF_CALL}", "usage below zero"),
    ],
)
def test_each_broken_promise_is_found(
    owner: Connection, statement: LiteralString, found: str
) -> None:
    with owner.transaction(force_rollback=True):
        owner.execute(statement)
        assert (found,) in owner.execute(FOUND).fetchall()
    assert owner.execute(FOUND).fetchall() == []
