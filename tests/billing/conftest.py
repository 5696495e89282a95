"""Databases for the ledger's tests: everything commits, wallets keep a module's tests apart."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import psycopg
import pytest

from tests.billing.ledger_client import Connection, LedgerClient, new_wallet
from tests.databases import WORKER, Database, Facts, cloned

Connect = Callable[[], LedgerClient]


@pytest.fixture(scope="module")
def ledger_database(server_facts: Facts) -> Iterator[Database]:
    """One clone for the tests of a module."""
    with cloned(server_facts, f"studio_test_{WORKER}_ledger") as database:
        yield database


@pytest.fixture
def connect(ledger_database: Database) -> Iterator[Connect]:
    """Open connections as the app's role: `connect()` for each thread."""
    with ExitStack() as undo:

        def open_one() -> LedgerClient:
            connection = psycopg.connect(ledger_database.app_url, autocommit=True)
            return LedgerClient(undo.enter_context(connection))

        yield open_one


@pytest.fixture
def ledger(connect: Connect) -> LedgerClient:
    """A connection as the app's role."""
    return connect()


@pytest.fixture
def owner(ledger_database: Database) -> Iterator[Connection]:
    """A connection as the owner of the tables, in autocommit."""
    with psycopg.connect(ledger_database.owner_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def wallet(owner: Connection) -> int:
    """An empty wallet."""
    return new_wallet(owner)
