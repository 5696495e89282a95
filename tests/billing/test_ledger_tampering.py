"""Nobody changes the past: the app's role not at all, the owner not by mistake.

What is possible all the same shows in the view.
"""

from typing import LiteralString

import pytest
from psycopg import errors

from tests.billing.broken_books import ENTRY, LEDGER
from tests.billing.conftest import Connect
from tests.billing.ledger_client import Connection, LedgerClient, new_wallet, one, violations

CHANGED = {
    "ledger.wallet": "frozen",
    "ledger.lot": "held",
    "ledger.hold": "amount",
    "ledger.entry": "amount",
}
VIEWS = ("billing_wallet", "billing_lot", "billing_hold", "billing_entry")


@pytest.fixture
def busy_wallet(ledger: LedgerClient, owner: Connection) -> int:
    """A wallet with a lot of 100, an open hold of 60 and a settled call of 5."""
    wallet = new_wallet(owner)
    ledger.credit(wallet, 100)
    ledger.settle(wallet, (ledger.held(wallet, 10), "usage", 5))
    ledger.held(wallet, 60)
    return wallet


@pytest.mark.parametrize("table", CHANGED)
def test_the_apps_role_writes_no_table_of_the_ledger(
    ledger: LedgerClient, busy_wallet: int, table: str
) -> None:
    before = ledger.everything(busy_wallet)
    for statement in (
        f"INSERT INTO {table} DEFAULT VALUES",
        f"UPDATE {table} SET {CHANGED[table]} = NULL",  # noqa: S608  our own names
        f"DELETE FROM {table}",  # noqa: S608
        f"TRUNCATE {table}",
    ):
        with pytest.raises(errors.InsufficientPrivilege):
            ledger.connection.execute(statement)
    assert ledger.everything(busy_wallet) == before


@pytest.mark.parametrize("view", VIEWS)
def test_the_apps_role_writes_through_no_view(ledger: LedgerClient, view: str) -> None:
    query = "SELECT has_table_privilege(%s, 'INSERT, UPDATE, DELETE, TRUNCATE')"
    assert one(ledger.connection, query, view) == (False,)


def test_the_apps_role_may_not_draw_or_change_the_functions(
    ledger: LedgerClient, busy_wallet: int
) -> None:
    for statement in (
        "SELECT ledger.ledger_draw(1, gen_random_uuid(), 'usage', 'revenue', 1, NULL)",
        "CREATE FUNCTION ledger.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE TABLE ledger.mine (id int)",
        "DROP FUNCTION ledger.ledger_hold",
        "ALTER TABLE ledger.entry DISABLE TRIGGER ALL",
        "DROP TRIGGER entry_is_append_only ON ledger.entry",
    ):
        with pytest.raises(errors.InsufficientPrivilege):
            ledger.connection.execute(statement)


def test_a_hostile_search_path_changes_nothing(ledger: LedgerClient, wallet: int) -> None:
    ledger.connection.execute("CREATE TEMP TABLE lot (LIKE ledger.lot)")
    ledger.connection.execute("CREATE TEMP TABLE wallet AS SELECT %s::bigint AS id", [wallet])
    ledger.connection.execute("SET search_path = pg_temp, public")
    assert ledger.credit(wallet, 7) == ("credited", 7)
    assert one(ledger.connection, "SELECT count(*) FROM lot") == (0,)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger.entry SET amount = amount + 1 WHERE wallet_id = %(wallet)s",
        "DELETE FROM ledger.entry WHERE wallet_id = %(wallet)s",
        "TRUNCATE ledger.entry",
        "TRUNCATE ledger.hold",
        "TRUNCATE ledger.lot",
        "TRUNCATE ledger.wallet CASCADE",
        "DELETE FROM ledger.lot WHERE wallet_id = %(wallet)s",
        "DELETE FROM ledger.wallet WHERE id = %(wallet)s",
    ],
)
def test_even_the_owner_does_not_rewrite_by_mistake(
    owner: Connection, busy_wallet: int, statement: LiteralString
) -> None:
    before = LedgerClient(owner).everything(busy_wallet)
    with pytest.raises(errors.RestrictViolation):
        owner.execute(statement, {"wallet": busy_wallet})
    assert LedgerClient(owner).everything(busy_wallet) == before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger.lot SET held = remaining + 1 WHERE wallet_id = %(wallet)s",
        "UPDATE ledger.lot SET held = -1 WHERE wallet_id = %(wallet)s",
        "UPDATE ledger.lot SET remaining = granted + 1 WHERE wallet_id = %(wallet)s",
        "UPDATE ledger.lot SET live = NOT live WHERE wallet_id = %(wallet)s",
        "UPDATE ledger.lot SET kind = 'gift' WHERE wallet_id = %(wallet)s",
        "UPDATE ledger.wallet SET owed = -1 WHERE id = %(wallet)s",
        "UPDATE ledger.hold SET amount = 0 WHERE wallet_id = %(wallet)s",
        "UPDATE ledger.hold SET markup_bp = -1 WHERE wallet_id = %(wallet)s",
        "UPDATE ledger.lot SET paid = true WHERE wallet_id = %(wallet)s",
        "INSERT INTO ledger.lot (wallet_id, kind, paid, granted, remaining, live)"
        " VALUES (-1, 'promo', false, 1, 1, true)",
        "INSERT INTO ledger.lot (wallet_id, kind, paid, granted, remaining, live)"
        " VALUES (%(wallet)s, 'topup', false, 1, 1, true)",
        "INSERT INTO ledger.lot (wallet_id, kind, paid, granted, remaining, live)"
        " VALUES (%(wallet)s, 'grant', true, 1, 1, true)",
        ENTRY + "(%(wallet)s, uuidv7(), 0, 'usage', 'wallet', 'revenue', 1, -1)",
        ENTRY + "(%(wallet)s, uuidv7(), 0, 'usage', 'revenue', 'wallet', 1, 1)",
        ENTRY + "(%(wallet)s, uuidv7(), 0, 'gift', 'wallet', 'revenue', 1, 1)",
        ENTRY + "(%(wallet)s, uuidv7(), 0, 'topup', 'cash', 'wallet', 1, 0)",
        ENTRY + "(%(wallet)s, uuidv7(), 0, 'void', 'wallet', 'wallet', 1, 1)",
        ENTRY + "(%(wallet)s, uuidv7(), 0, 'usage', 'wallet', 'revenue', NULL, 1)",
        ENTRY + "(%(wallet)s, uuidv7(), 0, 'usage', 'receivable', 'revenue', 1, 1)",
        ENTRY + "(%(wallet)s, uuidv7(), -1, 'usage', 'wallet', 'revenue', NULL, 0)",
    ],
)
def test_a_row_that_makes_no_sense_is_refused(
    owner: Connection, busy_wallet: int, statement: LiteralString
) -> None:
    with pytest.raises((errors.CheckViolation, errors.ForeignKeyViolation)):
        owner.execute(statement, {"wallet": busy_wallet})


def test_an_entry_cannot_be_repeated(owner: Connection, busy_wallet: int) -> None:
    copy = "INSERT INTO ledger.entry SELECT * FROM ledger.entry WHERE wallet_id = %s"
    with pytest.raises(errors.UniqueViolation):
        owner.execute(copy, [busy_wallet])


@pytest.mark.parametrize(("statement", "found"), LEDGER)
def test_the_view_shows_what_no_constraint_can_refuse(
    owner: Connection, busy_wallet: int, statement: LiteralString, found: set[str]
) -> None:
    with owner.transaction(force_rollback=True):
        owner.execute(statement, {"wallet": busy_wallet})
        assert {violation for violation, *_ in violations(owner)} == found
    assert violations(owner) == []


def test_a_single_role_works_too(connect: Connect, owner: Connection, wallet: int) -> None:
    client = LedgerClient(owner)
    client.credit(wallet, 10)
    assert client.settle(wallet, (client.held(wallet, 5), "usage", 5)) == [("usage", True, 5, 5)]


def test_nobody_else_reaches_the_ledger(owner: Connection, server_facts: object) -> None:
    for relation in ("ledger.entry", "billing_entry", "ledger.ledger_violations"):
        query = "SELECT has_table_privilege('analytics_ro', %s, 'SELECT')"
        assert one(owner, query, relation) == (False,)
    assert one(owner, "SELECT has_schema_privilege('analytics_ro', 'ledger', 'USAGE')") == (False,)
