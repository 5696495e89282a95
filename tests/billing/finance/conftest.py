"""A database of its own for each test of finance, and Django pointed at it."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.billing.finance.history import History
from tests.billing.ledger_client import LedgerClient
from tests.databases import Database, django_on


@pytest.fixture
def history(fresh_database: Database) -> Iterator[History]:
    """Write the books' past through the ledger's own functions."""
    with (
        psycopg.connect(fresh_database.app_url, autocommit=True) as app,
        psycopg.connect(fresh_database.owner_url, autocommit=True) as owner,
        django_on(fresh_database),
    ):
        yield History(ledger=LedgerClient(app), owner=owner)
