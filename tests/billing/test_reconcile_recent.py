"""`reconcile --since-last` finds of what was written since what the check of everything finds."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, LiteralString
from urllib.parse import urlsplit

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from pytest_django import DjangoDbBlocker

from billing import money_requests, services
from gateway import tasks
from gateway.reconcile import Violation, find_violations, reconcile_all, reconcile_since_last
from studio.accounts.models import Workspace
from studio.core.ids import event_id, new_id
from tests.billing.broken_books import ENTRY, LEDGER, USAGE
from tests.billing.people import Customer, make_customer, make_staff
from tests.databases import WORKER, Database, Facts, cloned, django_on, forget_connections

GIVEN = "Given"
LAST = "SELECT transaction_id, at FROM reconciled_to"
PASSED = "SELECT max(e.transaction_id) < min(r.transaction_id) FROM ledger.entry e, reconciled_to r"
SUMS = "SELECT l::text FROM reconciled_lot l UNION ALL SELECT w::text FROM reconciled_wallet w"
OWE = "UPDATE ledger.wallet SET owed = %s WHERE id = %s RETURNING id"
WRITTEN_OF_OLD = ("UPDATE usage", "DELETE FROM usage", "DELETE FROM ledger.correction")
"""What is done to rows that a check has been past: only the check of everything sees it."""


@pytest.fixture(scope="module")
def new_books(server_facts: Facts, django_db_blocker: DjangoDbBlocker) -> Iterator[Database]:
    """Books of which the beginning was checked, and nothing since."""
    with (
        cloned(server_facts, f"studio_test_{WORKER}_new_books") as database,
        django_db_blocker.unblock(),
    ):
        with as_owner(database):
            assert reconcile_since_last() == []
            make_books("New")
        yield database


@pytest.fixture(scope="module")
def old_books(server_facts: Facts, django_db_blocker: DjangoDbBlocker) -> Iterator[Database]:
    """The same books, all of which were checked."""
    with (
        cloned(server_facts, f"studio_test_{WORKER}_old_books") as database,
        django_db_blocker.unblock(),
    ):
        with as_owner(database):
            assert reconcile_since_last() == []
            make_books("Old")
            check_until_passed()
        yield database


@pytest.fixture
def customer(fresh_database: Database) -> Iterator[Customer]:
    """The same books, to write to."""
    with as_owner(fresh_database):
        assert reconcile_all() == []
        yield make_books("Own")


@contextmanager
def as_owner(database: Database) -> Iterator[None]:
    """Point Django at a database as its owner."""
    settings, owner = connection.settings_dict, urlsplit(database.owner_url)
    before = (settings["USER"], settings["PASSWORD"])
    settings["USER"], settings["PASSWORD"] = owner.username, owner.password
    try:
        with django_on(database):
            yield
    finally:
        settings["USER"], settings["PASSWORD"] = before
        forget_connections()


def make_books(name: str) -> Customer:
    """Have a lot of 100 given, an open hold of 60 and a call of 5; in another workspace, which is
    returned, calls of 60 and 50, of which 20 are refunded, a failed call and an open one.
    """
    given = make_customer(GIVEN)
    services.grant_credits(
        workspace_id=given.id,
        amount_ucr=100,
        reason="welcome",
        kind="promo",
        credit_id=event_id(name),
    )
    given.call(5)
    given.hold(60)
    customer = make_customer(name)
    customer.top_up(1000)
    customer.call(60)
    money_requests.refund_call(
        workspace_id=customer.id,
        call_id=customer.call(50),
        amount_ucr=20,
        reason="a bad answer",
        staff=make_staff(name),
        key="k",
    )
    customer.settle(customer.hold(10), 0)
    customer.hold(70)
    return customer


def found_by_both(database: Database, statement: str) -> tuple[set[str], set[str]]:
    """Do something to books as their owner, look both ways, and undo it. Returns: the findings."""
    with as_owner(database), transaction.atomic():
        given = Workspace.objects.get(name=GIVEN)
        with connection.cursor() as cursor:
            cursor.execute(statement.replace("%(wallet)s", str(given.pk)))
        everything, recent = words(find_violations()), words(reconcile_since_last())
        transaction.set_rollback(True)
    return everything, recent


def check_until_passed() -> None:
    """Check until all entries were: a transaction of another test may still be under way."""
    while rows(PASSED) == [(False,)]:
        assert reconcile_since_last() == []


def words(violations: list[Violation]) -> set[str]:
    return {f"{violation.source}: {violation.text}" for violation in violations}


def rows(query: str, *parameters: int) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return list(cursor.fetchall())


@pytest.mark.parametrize("statement", ["SELECT", *(case[0] for case in LEDGER + USAGE)])
def test_what_was_done_to_new_rows_is_found_as_by_the_check_of_everything(
    new_books: Database, statement: LiteralString
) -> None:
    everything, recent = found_by_both(new_books, statement)
    assert (everything == set()) == (statement == "SELECT")
    assert recent == everything


@pytest.mark.parametrize(
    "statement",
    [case[0] for case in LEDGER + USAGE if not case[0].startswith(WRITTEN_OF_OLD)],
)
def test_lots_wallets_holds_and_calls_are_looked_at_however_old_they_are(
    old_books: Database, statement: LiteralString
) -> None:
    everything, recent = found_by_both(old_books, statement)
    assert everything != set()
    assert recent == everything


def test_sums_that_are_kept_go_on_to_be_those_of_all_entries(customer: Customer) -> None:
    for charge_ucr in (7, 9, 5000):
        customer.settle(customer.hold(3), charge_ucr)
        assert reconcile_since_last() == []
    customer.top_up(30)
    check_until_passed()
    kept = sorted(rows(SUMS))
    assert len(kept) == len(rows("SELECT FROM ledger.lot")) + 1
    assert reconcile_all() == []
    assert sorted(rows(SUMS)) == kept


def test_what_commits_late_is_not_missed(customer: Customer, fresh_database: Database) -> None:
    stray = f"{ENTRY}({customer.id}, '{new_id()}', 0, 'usage', 'receivable', 'revenue', NULL, 3)"
    with psycopg.connect(fresh_database.owner_url) as late:
        late.execute(stray.encode())
        customer.call(5)
        assert reconcile_since_last() == []
        customer.call(5)
        assert reconcile_since_last() == []
        late.commit()
    assert words(reconcile_since_last()) == words(find_violations()) != set()


def test_what_is_found_is_found_again_until_it_is_mended(customer: Customer) -> None:
    assert reconcile_since_last() == []
    last = rows(LAST)
    rows(OWE, 1, customer.id)
    for _ in range(2):
        customer.call(1)
        assert tasks.reconcile_recent() == 1
        with pytest.raises(SystemExit):
            call_command("reconcile", "--since-last")
    assert rows(LAST) == last
    rows(OWE, 0, customer.id)
    call_command("reconcile", "--since-last")
    assert rows(LAST) != last


def test_a_check_of_everything_with_findings_is_no_beginning(customer: Customer) -> None:
    last = rows(LAST)
    rows(OWE, 1, customer.id)
    assert tasks.reconcile() == 1
    assert rows(LAST) == last


def test_one_check_at_a_time_goes_on_from_the_last(
    customer: Customer, fresh_database: Database
) -> None:
    last = rows(LAST)
    customer.call(1)
    with psycopg.connect(fresh_database.owner_url) as other:
        other.execute("SELECT FROM reconciled_to FOR UPDATE")
        assert tasks.reconcile_recent() == 0
        with pytest.raises(CommandError, match="under way"):
            call_command("reconcile", "--since-last")
    assert rows(LAST) == last
    assert tasks.reconcile_recent() == 0
    assert rows(LAST) != last


def test_what_was_changed_before_is_seen_by_the_check_of_everything_alone(
    customer: Customer,
) -> None:
    check_until_passed()
    rows("UPDATE usage SET charge_ucr = 61 WHERE charge_ucr = 60 RETURNING at")
    assert reconcile_since_last() == []
    assert len(find_violations()) == 1
