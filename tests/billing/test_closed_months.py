"""A closed month takes no entry any more, whatever the clock says; an open one is not held up."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import psycopg
import pytest

from tests.billing.ledger_client import Connection, LedgerClient, new_wallet, one
from tests.databases import Database

CLOSE = "SELECT ledger.ledger_close_month(%s, 'ann', 'bob')"
IMPORT = (
    "INSERT INTO ledger.entry (wallet_id, id, seq, kind, debit, credit, amount, at)"
    " VALUES (%s, uuidv7(), 0, 'void', 'wallet', 'wallet', 0, %s)"
)
MARCH = date(2026, 3, 1)


@pytest.fixture
def books(fresh_database: Database) -> Iterator[tuple[LedgerClient, Connection]]:
    """The app and the owner on a database of their own: what is closed stays closed."""
    with (
        psycopg.connect(fresh_database.app_url, autocommit=True) as app,
        psycopg.connect(fresh_database.owner_url, autocommit=True) as owner,
    ):
        yield LedgerClient(app), owner


Books = tuple[LedgerClient, Connection]


def entries(owner: Connection) -> int:
    return int(one(owner, "SELECT count(*) FROM ledger.entry")[0])


def test_no_entry_gets_a_time_in_a_closed_month(books: Books) -> None:
    ledger, owner = books
    wallet = new_wallet(owner)
    assert one(ledger.connection, CLOSE, MARCH) == ("closed",)
    assert one(ledger.connection, CLOSE, MARCH) == ("replay",)
    inside = ["2026-03-01 00:00+00", "2026-03-31 23:59:59.999999+00", "2026-03-01 01:00+01"]
    for at in inside:
        with pytest.raises(psycopg.errors.RestrictViolation):
            owner.execute(IMPORT, [wallet, at])
    assert entries(owner) == 0
    for at in ("2026-02-28 23:59:59.999999+00", "2026-04-01 00:00+00", "2026-03-01 00:30+01"):
        owner.execute(IMPORT, [wallet, at])
    assert ledger.credit(wallet, 5) == ("credited", 5)
    assert entries(owner) == 4


def test_a_batch_with_one_row_of_a_closed_month_is_refused_whole(books: Books) -> None:
    ledger, owner = books
    wallet = new_wallet(owner)
    one(ledger.connection, CLOSE, MARCH)
    batch = (
        "INSERT INTO ledger.entry (wallet_id, id, seq, kind, debit, credit, amount, at)"
        " SELECT %s, uuidv7(), 0, 'void', 'wallet', 'wallet', 0, at"
        " FROM unnest(ARRAY[now(), now(), '2026-03-15'::timestamptz]) at"
    )
    with pytest.raises(psycopg.errors.RestrictViolation):
        owner.execute(batch, [wallet])
    assert entries(owner) == 0


def test_a_clock_that_was_set_back_into_a_closed_month_moves_nothing(books: Books) -> None:
    ledger, owner = books
    wallet = new_wallet(owner)
    ledger.credit(wallet, 100, kind="topup")
    call = ledger.held(wallet, 60)
    # The same as setting the clock back: the month that now() is in is closed.
    owner.execute(
        "INSERT INTO ledger.closed_month (month, closed_by, confirmed_by)"
        " VALUES (date_trunc('month', now() AT TIME ZONE 'UTC')::date, 'ann', 'bob')"
    )
    before = ledger.everything(wallet)
    for action in (
        lambda: ledger.settle(wallet, (call, "usage", 5)),
        lambda: ledger.settle(wallet, (call, "void", 0)),
        lambda: ledger.credit(wallet, 5),
        lambda: ledger.adjust(wallet, -5, paid=True),
    ):
        with pytest.raises(psycopg.errors.RestrictViolation):
            action()
    assert ledger.everything(wallet) == before


def test_a_month_is_closed_when_it_is_over(books: Books) -> None:
    ledger, owner = books
    month = "SELECT date_trunc('month', now() AT TIME ZONE 'UTC')::date"
    (this,) = one(owner, month)
    (last,) = one(owner, "SELECT (%s - interval '1 month')::date", this)
    (next_one,) = one(owner, "SELECT (%s + interval '1 month')::date", this)
    assert one(ledger.connection, CLOSE, this) == ("too_early",)
    assert one(ledger.connection, CLOSE, next_one) == ("too_early",)
    assert one(ledger.connection, CLOSE, last) == ("closed",)
    found = owner.execute("SELECT month, closed_by, confirmed_by FROM ledger.closed_month")
    assert found.fetchall() == [(last, "ann", "bob")]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM ledger.closed_month",
        "UPDATE ledger.closed_month SET month = '2020-01-01'",
        "TRUNCATE ledger.closed_month",
    ],
)
def test_not_even_the_owner_opens_a_month_by_mistake(books: Books, statement: str) -> None:
    ledger, owner = books
    one(ledger.connection, CLOSE, MARCH)
    with pytest.raises(psycopg.errors.RestrictViolation):
        owner.execute(statement)


def test_closing_waits_for_whoever_is_writing(books: Books) -> None:
    ledger, owner = books
    wallet = new_wallet(owner)
    with ThreadPoolExecutor(1) as pool:
        with owner.transaction():
            owner.execute(IMPORT, [wallet, "2026-03-05"])
            closing = pool.submit(one, ledger.connection, CLOSE, MARCH)
            pid = ledger.connection.info.backend_pid
            while one(owner, "SELECT cardinality(pg_blocking_pids(%s))", pid) == (0,):
                assert not closing.done()
        assert closing.result() == ("closed",)
    with pytest.raises(psycopg.errors.RestrictViolation):
        owner.execute(IMPORT, [wallet, "2026-03-05"])
    assert entries(owner) == 1
