"""Plans are made once and kept: one made on empty tables must still be right when they are full."""

from collections.abc import Iterator

import psycopg
import pytest

from studio.core.ids import new_id
from tests.billing.ledger_client import (
    ADJUST,
    HOLD,
    PAYOUT,
    REFUND,
    REINSTATE,
    SETTLE,
    Connection,
    LedgerClient,
    new_wallet,
)
from tests.databases import Database

SCANS = """SELECT relname, seq_scan FROM pg_stat_xact_user_tables
           WHERE schemaname = 'ledger' ORDER BY relname"""


@pytest.fixture
def full_ledger(fresh_database: Database) -> Iterator[LedgerClient]:
    """A session with plans from empty tables; since then 5 000 calls are open and 5 000 over."""
    connection = psycopg.connect(
        fresh_database.app_url, autocommit=True, options="-c plan_cache_mode=force_generic_plan"
    )
    with psycopg.connect(fresh_database.owner_url, autocommit=True) as owner:
        wallet = new_wallet(owner)
    client = LedgerClient(connection)
    pair = [[wallet], [new_id()]]
    connection.execute(HOLD, [*pair, [1], [60], [1], [0]], prepare=True)
    connection.execute(SETTLE, [*pair, ["void"], [0], [0]], prepare=True)
    client.refund(wallet, new_id(), 1)
    client.pay_out(wallet, new_id(), 1, force=True)
    client.reinstate(wallet, new_id(), 1)
    client.adjust(wallet, -1, paid=True)
    client.credit(wallet, 10**9)
    for _ in range(10):
        batch = [(wallet, new_id(), 10) for _ in range(1000)]
        client.hold_many(batch)
        client.settle_many([(wallet, call, "usage", 5) for _, call, _ in batch[:500]])
    yield client
    connection.close()


def scans(connection: Connection, query: str, parameters: list[object]) -> dict[str, int]:
    """Run a statement and say which tables it read from end to end, and how often."""
    with connection.transaction(force_rollback=True):
        before: dict[str, int] = dict(connection.execute(SCANS).fetchall())
        connection.execute(query, parameters, prepare=True)
        after: dict[str, int] = dict(connection.execute(SCANS).fetchall())
    return {name: after[name] - before[name] for name in after if after[name] != before[name]}


def test_plans_made_on_empty_tables_scan_nothing_when_they_are_full(
    full_ledger: LedgerClient,
) -> None:
    connection = full_ledger.connection
    rows = connection.execute("SELECT wallet_id, id FROM ledger.hold LIMIT 50").fetchall()
    wallets, calls = [row[0] for row in rows], [row[1] for row in rows]
    fresh = [new_id() for _ in rows]
    size = len(rows)
    hold: list[object] = [wallets, fresh, [1] * size, [60] * size, [1] * size, [0] * size]
    ends = ["usage"] * size
    assert scans(connection, "SELECT %s::int FROM ledger.hold", [1]) == {"hold": 1}
    assert scans(connection, HOLD, hold) == {}
    assert scans(connection, SETTLE, [wallets, calls, ends, [5] * size, [0] * size]) == {}
    assert scans(connection, SETTLE, [wallets, calls, ends, [500] * size, [0] * size]) == {}
    (wallet,) = set(wallets)
    over, top_up = full_ledger.charged(wallet, 5), full_ledger.topped_up(wallet, 100)
    full_ledger.pay_out(wallet, top_up, 1, "a")
    assert scans(connection, REFUND, [wallet, over, 1, "a"]) == {}
    assert scans(connection, PAYOUT, [wallet, top_up, 1, "b", True]) == {}
    assert scans(connection, REINSTATE, [wallet, top_up, 1, "c"]) == {}
    assert scans(connection, ADJUST, [wallet, new_id(), -1, True, 100]) == {}
    extend = "SELECT * FROM ledger.ledger_extend(%s::bigint[], %s::uuid[], 75)"
    assert scans(connection, extend, [wallets, calls]) == {}
