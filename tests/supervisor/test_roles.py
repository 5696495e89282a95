"""What the three roles of deploy/sql/roles.sql may do in a migrated database."""

import psycopg
import pytest
from psycopg import errors, sql

from tests.databases import Database


def _tables(owner: psycopg.Connection[tuple[str]], schema: str) -> list[str]:
    found = owner.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [schema])
    return sorted(name for (name,) in found)


def test_the_app_writes_no_table_of_the_ledger(fresh_database: Database) -> None:
    with (
        psycopg.connect(fresh_database.owner_url) as owner,
        psycopg.connect(fresh_database.app_url, autocommit=True) as app,
    ):
        tables = _tables(owner, "ledger")
        assert tables
        for table in tables:
            name = sql.Identifier("ledger", table)
            app.execute(sql.SQL("SELECT count(*) FROM {}").format(name))
            for statement in ("DELETE FROM {}", "TRUNCATE {}", "INSERT INTO {} DEFAULT VALUES"):
                with pytest.raises(errors.InsufficientPrivilege):
                    app.execute(sql.SQL(statement).format(name))


def test_the_app_changes_no_structure(fresh_database: Database) -> None:
    with psycopg.connect(fresh_database.app_url, autocommit=True) as app:
        for statement in ("CREATE TABLE mine ()", "DROP TABLE accounts_workspace"):
            with pytest.raises(errors.InsufficientPrivilege):
                app.execute(statement)


def test_analytics_reads_usage_and_no_other_table_of_public_or_the_ledger(
    fresh_database: Database,
) -> None:
    with psycopg.connect(fresh_database.owner_url) as owner:
        readable = owner.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('public', 'ledger')"
            " AND has_table_privilege('analytics_ro', format('%I.%I', schemaname, tablename),"
            " 'SELECT')"
        ).fetchall()
    assert readable == [("public", "usage")]
