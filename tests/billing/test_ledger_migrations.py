"""The ledger's migrations, backwards and forwards, as the owner's role runs them."""

import os
import subprocess
import sys

import psycopg

from tests.billing.ledger_client import LedgerClient, new_wallet, violations
from tests.databases import Database

OBJECTS = """
SELECT 'function', p.proname::text
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = 'ledger' OR p.proname LIKE 'usage%'
UNION
SELECT 'relation', c.oid::regclass::text
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'i')
  AND (n.nspname = 'ledger'
       OR n.nspname = 'public' AND c.relname ~ '^(usage|billing|analytics)')
UNION
SELECT 'trigger', tgname::text FROM pg_trigger WHERE NOT tgisinternal
UNION
SELECT 'right', relname || ' ' || relacl::text
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'ledger' AND relacl IS NOT NULL
"""


def migrate(database: Database, *targets: str) -> None:
    subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore",
            "-m",
            "django",
            "migrate",
            "-v",
            "0",
            "--skip-checks",
            *targets,
        ],
        env=os.environ | {"DATABASE_URL": database.owner_url},
        check=True,
    )


def test_migrations_go_back_to_nothing_and_forth_to_the_same(fresh_database: Database) -> None:
    with psycopg.connect(fresh_database.owner_url, autocommit=True) as owner:
        before = sorted(owner.execute(OBJECTS).fetchall())
        wallets = [new_wallet(owner), new_wallet(owner, status="frozen")]
        LedgerClient(owner).credit(wallets[0], 100)

        migrate(fresh_database, "billing", "zero")
        migrate(fresh_database, "analytics", "zero")
        left = {row for row in owner.execute(OBJECTS).fetchall() if row[0] != "trigger"}
        assert left == set()

        migrate(fresh_database)
        assert sorted(owner.execute(OBJECTS).fetchall()) == before
        query = "SELECT id, frozen, owed FROM ledger.wallet WHERE id = ANY(%s) ORDER BY id"
        found = owner.execute(query, [wallets]).fetchall()
        assert found == [(wallets[0], False, 0), (wallets[1], True, 0)]
        assert violations(owner) == []
