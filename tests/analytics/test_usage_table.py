"""The usage table: its columns are a contract with the gateway, its partitions keep themselves."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg import errors
from pytest_django import DjangoDbBlocker

from analytics import services, tasks
from studio.core.ids import new_id
from tests.databases import WORKER, Database, Facts, cloned, django_on

Connection = psycopg.Connection[tuple[Any, ...]]

COLUMNS = (
    "at request_id transaction_id started_at workspace_id app_key_id app_id user_ref surface "
    "operation kind channel provider model status reason billing request_count attempts "
    "http_status price_version markup_bp cost_ucr charge_ucr input_tokens cached_input_tokens "
    "cache_write_tokens output_tokens reasoning_tokens item_count character_count media_ms "
    "usage_source latency_ms first_byte_ms attempt_log counted_input_tokens counted_output_tokens"
)
PARTITIONS = (
    """SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'usage'::regclass"""
)
MONTHS = """
SELECT to_char(now() AT TIME ZONE 'UTC' + n * interval '1 month', '"usage_"YYYY_MM')
FROM generate_series(%s::int, %s) n
"""


@pytest.fixture(scope="module")
def usage_database(server_facts: Facts) -> Iterator[Database]:
    """A clone for the tests of this module."""
    with cloned(server_facts, f"studio_test_{WORKER}_usage") as database:
        yield database


@pytest.fixture
def app(usage_database: Database) -> Iterator[Connection]:
    """A connection as the app's role."""
    with psycopg.connect(usage_database.app_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def owner(usage_database: Database) -> Iterator[Connection]:
    """A connection as the owner."""
    with psycopg.connect(usage_database.owner_url, autocommit=True) as connection:
        yield connection


def insert(connection: Connection, **columns: object) -> tuple[Any, ...]:
    """Write one row. Returns: request_id, transaction_id, and the partition it went to."""
    row = {
        "request_id": new_id(),
        "workspace_id": 1,
        "surface": "core",
        "operation": "chat",
        "kind": "chat.default",
        "channel": "stable",
        "status": "succeeded",
        "billing": "credits",
        **columns,
    }
    found = connection.execute(
        f"INSERT INTO usage ({', '.join(row)}) VALUES ({', '.join(['%s'] * len(row))})"  # noqa: S608  our own names
        " RETURNING request_id, transaction_id, tableoid::regclass::text",
        list(row.values()),
    ).fetchone()
    assert found is not None
    return found


def names(connection: Connection, query: str, *parameters: object) -> list[str]:
    """Read a column of words, sorted."""
    return sorted(row[0] for row in connection.execute(query, parameters))


def test_columns_and_their_order_are_as_the_gateway_writes_them(app: Connection) -> None:
    cursor = app.execute("SELECT * FROM usage LIMIT 0")
    assert " ".join(column.name for column in cursor.description or ()) == COLUMNS


def test_partitions_run_from_last_month_to_three_months_ahead(app: Connection) -> None:
    assert names(app, PARTITIONS) == names(app, MONTHS, -1, 3)


def test_a_row_lands_in_the_partition_of_its_month(app: Connection) -> None:
    assert [insert(app)[2]] == names(app, MONTHS, 0, 0)
    query = "SELECT date_trunc('month', now()) - interval '1 second'"
    (last_month,) = app.execute(query).fetchone() or ()
    assert [insert(app, at=last_month)[2]] == names(app, MONTHS, -1, -1)


def test_a_month_without_a_partition_fails_loudly(app: Connection) -> None:
    with pytest.raises(errors.CheckViolation):
        insert(app, at="1999-12-31T23:59:59Z")


def test_partitions_have_every_index_of_the_table(owner: Connection) -> None:
    (month,) = names(owner, MONTHS, 2, 2)
    query = "SELECT regexp_replace(indexdef, '^.*USING ', '') FROM pg_indexes WHERE tablename = %s"
    assert names(owner, query, month) == names(owner, query, "usage")
    assert len(names(owner, query, month)) == 5


def test_the_app_makes_missing_partitions_once_and_makes_no_table_itself(
    usage_database: Database,
    app: Connection,
    owner: Connection,
    django_db_blocker: DjangoDbBlocker,
) -> None:
    (month,) = names(owner, MONTHS, 3, 3)
    owner.execute(f"DROP TABLE {month}")
    with django_db_blocker.unblock(), django_on(usage_database):
        assert tasks.make_partitions() == 1
        assert tasks.make_partitions() == 0
        assert services.make_partitions(months_ahead=5) == 2
    assert names(app, PARTITIONS) == names(app, MONTHS, -1, 5)
    with pytest.raises(errors.InsufficientPrivilege):
        app.execute("CREATE TABLE usage_1999_12 (LIKE usage)")
    for months in (None, -1, 25):
        with pytest.raises(errors.CheckViolation):
            app.execute("SELECT analytics.make_partitions_ahead(%s)", [months])


def test_the_app_adds_rows_and_changes_none(app: Connection, owner: Connection) -> None:
    request_id = insert(app)[0]
    for statement in ("UPDATE usage SET charge_ucr = 0", "DELETE FROM usage", "TRUNCATE usage"):
        with pytest.raises(errors.InsufficientPrivilege):
            app.execute(statement)
    count = "SELECT count(*) FROM usage WHERE request_id = %s"
    assert app.execute(count, [request_id]).fetchone() == (1,)


def test_the_app_reaches_partitions_through_the_table_only(
    app: Connection, owner: Connection
) -> None:
    (month,) = names(owner, MONTHS, 3, 3)
    owner.execute(f"DROP TABLE {month}")
    app.execute("SELECT analytics.make_partitions_ahead(3)")
    rights = (
        "SELECT relname FROM pg_class WHERE relname = ANY(%s) AND has_table_privilege(%s, oid, %s)"
    )
    partitions = names(owner, PARTITIONS)
    assert month in partitions
    for right in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE"):
        assert names(owner, rights, partitions, "studio_app", right) == []


def test_reports_read_the_rows_of_the_workspace_that_is_set_and_of_no_other(
    server_facts: Facts, usage_database: Database, app: Connection, owner: Connection
) -> None:
    for workspace_id in (71, 72, 72):
        insert(app, workspace_id=workspace_id)
    with psycopg.connect(server_facts.admin_url, dbname=usage_database.name) as reports:
        reports.autocommit = True
        reports.execute("SET ROLE analytics_ro")
        query = "SELECT DISTINCT workspace_id, count(*) FROM usage GROUP BY 1"
        for setting, seen in (("72", [(72, 2)]), ("71", [(71, 1)]), ("73", [])):
            reports.execute("SELECT set_config('app.workspace', %s, false)", [setting])
            assert reports.execute(query).fetchall() == seen
        reports.execute("RESET app.workspace")
        with pytest.raises(errors.InvalidTextRepresentation):
            reports.execute(query)
        with pytest.raises(errors.InsufficientPrivilege):
            insert(reports)
    for everyone in (app, owner):
        counted = everyone.execute("SELECT count(*) FROM usage WHERE workspace_id IN (71, 72)")
        assert counted.fetchone() == (3,)


def test_racing_makers_of_partitions_take_turns(
    usage_database: Database, owner: Connection
) -> None:
    for month in names(owner, MONTHS, 2, 3):
        owner.execute(f"DROP TABLE IF EXISTS {month}")

    def make(_: int) -> int:
        with psycopg.connect(usage_database.app_url, autocommit=True) as connection:
            row = connection.execute("SELECT analytics.make_partitions_ahead(3)").fetchone()
            assert row is not None
            return int(row[0])

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(make, range(6))) == 2


def test_a_month_is_a_month_of_utc_whatever_the_session_says(owner: Connection) -> None:
    with owner.transaction(force_rollback=True):
        owner.execute("SET TIME ZONE 'Pacific/Kiritimati'")
        for month in names(owner, PARTITIONS):
            owner.execute(f"DROP TABLE {month}")
        owner.execute("SELECT analytics.make_partitions_ahead(3)")
        owner.execute("SET TIME ZONE 'UTC'")
        query = "SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = ANY(%s)"
        for bound in names(owner, query, names(owner, MONTHS, -1, 3)):
            assert bound.count("-01 00:00:00+00") == 2


@pytest.mark.parametrize(("offset", "added"), [(None, 0), ("", 0), ("5000000000", 5_000_000_000)])
def test_the_transaction_id_is_the_top_level_one_plus_the_offset(
    app: Connection, offset: str | None, added: int
) -> None:
    with app.transaction():
        if offset is not None:
            app.execute("SELECT set_config('studio.transaction_id_offset', %s, true)", [offset])
        row = app.execute("SELECT pg_current_xact_id()::text::bigint").fetchone()
        assert row is not None
        with app.transaction():  # a savepoint has an id of its own
            assert insert(app)[1] == row[0] + added
    assert insert(app)[1] > row[0]  # after the transaction the setting is '', not unset


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": "ok"},
        {"billing": "free"},
        {"usage_source": "guess"},
        {"charge_ucr": -1},
        {"cost_ucr": -1},
        {"charge_ucr": 5, "billing": "byok"},
        {"charge_ucr": 5, "billing": "none"},
        {"charge_ucr": 5, "status": "refused"},
        {"cost_ucr": 5, "status": "refused"},
        {"request_count": -1},
        {"attempts": -1},
    ],
)
def test_a_row_that_makes_no_sense_is_refused(app: Connection, wrong: dict[str, object]) -> None:
    with pytest.raises(errors.CheckViolation):
        insert(app, **wrong)


def test_a_correction_may_be_negative_and_counts_no_request(app: Connection) -> None:
    insert(app, charge_ucr=-7, cost_ucr=-3, request_count=0)
    insert(app, charge_ucr=9, billing="imported", cost_ucr=4)
    insert(app, status="refused", billing="none", attempts=0, request_count=12, http_status=429)


def test_a_request_is_recorded_once_at_a_time(app: Connection) -> None:
    with app.transaction(force_rollback=True):
        request_id = insert(app)[0]
        with pytest.raises(errors.UniqueViolation), app.transaction():
            insert(app, request_id=request_id)
