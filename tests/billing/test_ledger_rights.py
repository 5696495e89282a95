"""What the app's role is refused: every way to write and to change every object of the ledger.

The objects are found in the catalogue, so that a new one is covered when it is made.
"""

import uuid
from collections.abc import Iterator

import pytest
from psycopg import errors, sql

from tests.billing.conftest import Connect
from tests.billing.ledger_client import Connection, LedgerClient, one, violations

TABLES = (
    "SELECT relname FROM pg_class WHERE relnamespace = 'ledger'::regnamespace"
    " AND relkind IN ('r', 'p') ORDER BY 1"
)
VIEWS = (
    "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind = 'v' AND (n.nspname = 'ledger'"
    " OR n.nspname = 'public' AND c.relname LIKE 'billing%') ORDER BY 1, 2"
)
COLUMNS = (
    "SELECT a.attname FROM pg_attribute a"
    " WHERE a.attrelid = ('ledger.' || %s)::regclass AND a.attnum > 0 AND NOT a.attisdropped"
    " AND a.attidentity = ''"
)
FUNCTIONS = (
    "SELECT p.oid::regprocedure::text, p.proname, p.prorettype = 'trigger'::regtype,"
    " p.prosecdef, p.proconfig, has_function_privilege('studio_app', p.oid, 'EXECUTE')"
    " FROM pg_proc p WHERE p.pronamespace = 'ledger'::regnamespace ORDER BY 1"
)
CALLED = {
    "ledger_hold",
    "ledger_settle",
    "ledger_extend",
    "ledger_sweep_holds",
    "ledger_sweep_lots",
    "ledger_take_corrections",
    "ledger_credit",
    "ledger_refund",
    "ledger_payout",
    "ledger_reinstate",
    "ledger_adjust",
    "ledger_freeze",
    "ledger_unfreeze",
    "ledger_close_month",
}
"""What the app may call; docs/ledger.md says which code does."""
KNOWN_TABLES = {"wallet", "lot", "hold", "entry", "wallet_freeze", "closed_month", "correction"}


def dml(table: sql.Identifier, columns: list[str]) -> Iterator[sql.Composed]:
    """Give every statement that writes rows."""
    yield sql.SQL("INSERT INTO {} DEFAULT VALUES").format(table)
    yield sql.SQL("INSERT INTO {0} OVERRIDING SYSTEM VALUE SELECT * FROM {0}").format(table)
    yield sql.SQL("DELETE FROM {}").format(table)
    yield sql.SQL("TRUNCATE {}").format(table)
    yield sql.SQL("TRUNCATE {} CASCADE").format(table)
    yield sql.SQL("COPY {} FROM STDIN").format(table)
    yield sql.SQL("MERGE INTO {0} t USING {0} s ON false WHEN MATCHED THEN DELETE").format(table)
    yield sql.SQL("SELECT * FROM {} FOR UPDATE").format(table)
    yield sql.SQL("LOCK TABLE {} IN SHARE MODE").format(table)
    for column in columns:
        name = sql.Identifier(column)
        yield sql.SQL("UPDATE {} SET {} = {}").format(table, name, name)


def ddl(table: sql.Identifier, columns: list[str]) -> Iterator[sql.Composed]:
    """Give statements that change the table, its guards or its rights."""
    for text in (
        "DROP TABLE {}",
        "ALTER TABLE {} ADD COLUMN mine int",
        "ALTER TABLE {} RENAME TO mine",
        "ALTER TABLE {} SET SCHEMA public",
        "ALTER TABLE {} OWNER TO studio_app",
        "ALTER TABLE {} DISABLE TRIGGER ALL",
        "ALTER TABLE {} SET UNLOGGED",
        "ALTER TABLE {} ENABLE ROW LEVEL SECURITY",
        "CREATE TRIGGER mine BEFORE INSERT ON {} FOR EACH ROW"
        " EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "CREATE RULE mine AS ON INSERT TO {} DO INSTEAD NOTHING",
        "CREATE POLICY mine ON {}",
        "COMMENT ON TABLE {} IS 'mine'",
    ):
        yield sql.SQL(text).format(table)
    for column in columns:
        name = sql.Identifier(column)
        yield sql.SQL("ALTER TABLE {} DROP COLUMN {} CASCADE").format(table, name)
        yield sql.SQL("CREATE INDEX mine ON {} ({})").format(table, name)


@pytest.fixture
def full(ledger: LedgerClient, wallet: int) -> int:
    """A wallet with a row in every table but closed_month."""
    ledger.credit(wallet, 100)
    call = ledger.held(wallet, 10)
    ledger.settle(wallet, (call, "usage", 5))
    ledger.held(wallet, 60)
    ledger.refund(wallet, call, 1)
    ledger.freeze(wallet, uuid.uuid4())
    return wallet


def test_the_apps_role_neither_writes_nor_changes_any_table(
    ledger: LedgerClient, owner: Connection, full: int
) -> None:
    tables = [name for (name,) in owner.execute(TABLES)]
    assert set(tables) == KNOWN_TABLES
    before = ledger.everything(full)
    for name in tables:
        columns = [column for (column,) in owner.execute(COLUMNS, [name])]
        table = sql.Identifier("ledger", name)
        for statement in (*dml(table, columns), *ddl(table, columns)):
            refused = pytest.raises(errors.InsufficientPrivilege)
            with refused, ledger.connection.transaction():
                ledger.connection.execute(statement)
    assert ledger.everything(full) == before
    assert violations(owner) == []


def test_constraints_and_triggers_are_not_the_apps_to_drop(
    ledger: LedgerClient, owner: Connection
) -> None:
    found = owner.execute(
        "SELECT conrelid::regclass::text, conname, 'CONSTRAINT' FROM pg_constraint"
        " WHERE connamespace = 'ledger'::regnamespace UNION ALL"
        " SELECT tgrelid::regclass::text, tgname, 'TRIGGER' FROM pg_trigger"
        " WHERE NOT tgisinternal AND tgrelid::regclass::text LIKE 'ledger.%'"
    ).fetchall()
    assert len(found) > 40
    for relation, name, kind in found:
        table = sql.Identifier(*relation.split("."))
        text = "ALTER TABLE {table} DROP CONSTRAINT {name}"
        if kind == "TRIGGER":
            text = "DROP TRIGGER {name} ON {table}"
        with pytest.raises(errors.InsufficientPrivilege):
            ledger.connection.execute(sql.SQL(text).format(table=table, name=sql.Identifier(name)))


def test_the_apps_role_writes_through_no_view(ledger: LedgerClient, owner: Connection) -> None:
    views = owner.execute(VIEWS).fetchall()
    assert ("public", "billing_entry") in views
    query = "SELECT has_table_privilege(%s, 'INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER')"
    for schema, name in views:
        assert one(ledger.connection, query, f"{schema}.{name}") == (False,)


def test_the_app_calls_these_functions_and_no_others(
    ledger: LedgerClient, owner: Connection
) -> None:
    allowed = set()
    for signature, name, is_trigger, is_definer, config, may_call in owner.execute(FUNCTIONS):
        for statement in (
            f"DROP FUNCTION {signature}",
            f"ALTER FUNCTION {signature} SECURITY INVOKER",
            f"ALTER FUNCTION {signature} RESET ALL",
            f"ALTER FUNCTION {signature} OWNER TO studio_app",
        ):
            with pytest.raises(errors.InsufficientPrivilege):
                ledger.connection.execute(statement)
        if may_call:
            allowed.add(name)
            assert is_definer, signature
            assert "search_path=ledger, pg_temp" in config, signature
            assert not is_trigger
    assert allowed == CALLED


def test_the_apps_role_makes_nothing_in_the_ledgers_schema(ledger: LedgerClient) -> None:
    for statement in (
        "CREATE TABLE ledger.mine (id int)",
        "CREATE VIEW ledger.mine AS SELECT 1",
        "CREATE SEQUENCE ledger.mine",
        "CREATE TYPE ledger.mine AS ENUM ('a')",
        "CREATE FUNCTION ledger.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "DROP SCHEMA ledger CASCADE",
        "ALTER SCHEMA ledger OWNER TO studio_app",
        "SET ROLE studio_owner",
        "SET session_replication_role = replica",
        "ALTER ROLE studio_app SUPERUSER",
    ):
        with pytest.raises(errors.InsufficientPrivilege):
            ledger.connection.execute(statement)


def test_internal_functions_refuse_the_app(ledger: LedgerClient, full: int) -> None:
    before = ledger.everything(full)
    for statement in (
        "SELECT ledger.ledger_draw(1, gen_random_uuid(), 'usage', 'revenue', 1, NULL)",
        "SELECT ledger.ledger_set_frozen(1)",
        "SELECT ledger.ledger_add_lot(1, gen_random_uuid(), 0, 'topup', 'cash', true, 1,"
        " 1::smallint, 'infinity', 'x')",
        "SELECT ledger.refuse_snapshots()",
    ):
        with pytest.raises(errors.InsufficientPrivilege):
            ledger.connection.execute(statement)
    assert ledger.everything(full) == before


def test_money_requests_are_decided_once_even_for_the_app(
    ledger: LedgerClient, owner: Connection, wallet: int
) -> None:
    app = ledger.connection
    (person,) = one(
        owner,
        "INSERT INTO auth_user (username, password, is_superuser, first_name, last_name, email,"
        " is_staff, is_active, date_joined) VALUES ('rights', '', false, '', '', '', true, true,"
        " now()) RETURNING id",
    )
    insert = (
        "INSERT INTO billing_moneyrequest (id, kind, workspace_id, amount_ucr, reason,"
        " requested_by_id, needs_approval, state) VALUES (gen_random_uuid(), 'grant', %s, 5, 'x',"
        " %s, true, 'waiting')"
    )
    app.execute(insert, [wallet, person])
    for statement, refused in (
        ("UPDATE billing_moneyrequest SET amount_ucr = 6", errors.RestrictViolation),
        ("UPDATE billing_moneyrequest SET needs_approval = false", errors.RestrictViolation),
        (
            "UPDATE billing_moneyrequest SET state = 'executed', decided_at = now(),"
            " approved_by_id = requested_by_id",
            errors.CheckViolation,
        ),
        (
            "UPDATE billing_moneyrequest SET state = 'executed', decided_at = now()",
            errors.CheckViolation,
        ),
        ("DELETE FROM billing_moneyrequest", errors.RestrictViolation),
    ):
        with pytest.raises(refused):
            app.execute(statement)
    app.execute(
        "UPDATE billing_moneyrequest SET state = 'rejected', decided_at = now(),"
        " rejected_by_id = requested_by_id"
    )
    with pytest.raises(errors.RestrictViolation):
        app.execute("UPDATE billing_moneyrequest SET state = 'waiting', decided_at = NULL")


def test_the_guard_view_shows_what_was_taken_away(owner: Connection) -> None:
    def found(statement: str) -> list[tuple[str, str]]:
        with owner.transaction(force_rollback=True):
            owner.execute(statement)
            return owner.execute("SELECT * FROM ledger.ledger_guard_violations").fetchall()

    assert found("SELECT 1") == []
    cases = {
        "ALTER TABLE ledger.entry DISABLE TRIGGER entry_is_append_only": (
            "missing_trigger",
            "ledger.entry entry_is_append_only",
        ),
        "ALTER TABLE ledger.lot DROP CONSTRAINT lot_check1": (
            "missing_constraint",
            "ledger.lot lot_check1",
        ),
        "GRANT UPDATE ON ledger.lot TO studio_app": (
            "app_writes_table",
            "studio_app may write ledger.lot",
        ),
        "GRANT CREATE ON SCHEMA ledger TO studio_app": (
            "app_makes_objects",
            "studio_app may create in schema ledger",
        ),
        "GRANT EXECUTE ON FUNCTION ledger.ledger_draw TO studio_app": (
            "app_calls_function",
            "studio_app may call ledger.ledger_draw",
        ),
        "ALTER FUNCTION ledger.ledger_hold RESET search_path": (
            "app_calls_function",
            "studio_app may call ledger.ledger_hold",
        ),
    }
    for statement, row in cases.items():
        assert found(statement) == [row], statement
    assert found("SELECT 1") == []


def test_a_guard_for_every_table_is_looked_for(owner: Connection) -> None:
    (definition,) = one(owner, "SELECT pg_get_viewdef('ledger.ledger_guard_violations'::regclass)")
    triggers = owner.execute(
        "SELECT tgname FROM pg_trigger"
        " WHERE NOT tgisinternal AND tgrelid::regclass::text LIKE 'ledger.%'"
    )
    checks = owner.execute(
        "SELECT conname FROM pg_constraint WHERE contype IN ('p', 'c')"
        " AND conrelid = ANY ('{ledger.entry,ledger.lot,ledger.hold,ledger.wallet}'::regclass[])"
    )
    names = {name for (name,) in (*triggers, *checks)}
    assert {name for name in names if f"'{name}'" not in definition} == set()


def test_the_app_can_become_nobody_but_the_reader_of_reports(connect: Connect) -> None:
    connection = connect().connection
    roles = "SELECT rolsuper OR rolcreaterole OR rolbypassrls FROM pg_roles WHERE rolname = %s"
    assert one(connection, roles, "studio_app") == (False,)
    roles = (
        "SELECT string_agg(roleid::regrole::text, ',') FROM pg_auth_members"
        " WHERE member = 'studio_app'::regrole"
    )
    assert one(connection, roles) == ("analytics_ro",), "which may do less"
