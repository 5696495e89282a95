"""What `reconcile` finds between usage, calls and the ledger: each promise, broken by hand."""

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
from tests.billing.broken_books import USAGE
from tests.billing.ledger_client import Connection
from tests.billing.people import Customer, make_customer, make_staff
from tests.databases import WORKER, Database, Facts, cloned, django_on

FOUND = "SELECT DISTINCT violation FROM usage_violations"


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
    assert tasks.reconcile() == tasks.reconcile_recent() == 0
    call_command("reconcile")
    call_command("reconcile", "--since-last")


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


@pytest.mark.parametrize(("statement", "found"), USAGE)
def test_each_broken_promise_is_found(
    owner: Connection, statement: LiteralString, found: str
) -> None:
    with owner.transaction(force_rollback=True):
        owner.execute(statement)
        assert (found,) in owner.execute(FOUND).fetchall()
    assert owner.execute(FOUND).fetchall() == []
