"""Keys that were made before there were realtime sessions, and before credit could be bought."""

import os
import subprocess
import sys

from django.db import connection

from studio.accounts.services import create_app_key, create_workspace
from tests.databases import Database, django_on

BEFORE = ["chat", "models", "images", "audio", "jobs"]
SCOPES = {
    "default": [*BEFORE, "credits:read", "analytics:read"],
    "client": BEFORE,
    "narrowed": ["chat", "models"],
    "new": [*BEFORE, "realtime"],
}


def migrate(database: Database, target: str) -> None:
    """Run the migrations of the accounts as the owner's role does."""
    command = ["-W", "ignore", "-m", "django", "migrate", "-v", "0", "--skip-checks"]
    subprocess.run(
        [sys.executable, *command, "accounts", target],
        env=os.environ | {"DATABASE_URL": database.owner_url},
        check=True,
    )


def test_a_key_that_does_all_that_clients_do_may_open_realtime_sessions_too(
    fresh_database: Database,
) -> None:
    with django_on(fresh_database):
        workspace = create_workspace(name="old")
        keys = {
            name: create_app_key(workspace_id=workspace.pk, scopes=scopes).app_key_id
            for name, scopes in SCOPES.items()
        }
    migrate(fresh_database, "0002")
    migrate(fresh_database, "0003")
    with django_on(fresh_database), connection.cursor() as cursor:
        cursor.execute("SELECT id, scopes FROM accounts_appkey")
        found = dict(cursor.fetchall())
    assert {name: found[key] for name, key in keys.items()} == {
        "default": [*SCOPES["default"], "realtime"],
        "client": [*BEFORE, "realtime"],
        "narrowed": ["chat", "models"],
        "new": [*BEFORE, "realtime"],
    }


def test_a_key_that_does_all_that_keys_did_may_buy_credit_too(fresh_database: Database) -> None:
    default = [*BEFORE, "realtime", "credits:read", "analytics:read"]
    scopes = {
        "default": default,
        "manager": [*default, "keys:manage"],
        "narrowed": [scope for scope in default if scope != "analytics:read"],
        "new": [*default, "billing"],
    }
    with django_on(fresh_database):
        workspace = create_workspace(name="old")
        keys = {
            name: create_app_key(workspace_id=workspace.pk, scopes=wanted).app_key_id
            for name, wanted in scopes.items()
        }
        client = create_app_key(workspace_id=workspace.pk, publishable=True).app_key_id
    migrate(fresh_database, "0003")
    migrate(fresh_database, "0004")
    with django_on(fresh_database), connection.cursor() as cursor:
        cursor.execute("SELECT id, scopes FROM accounts_appkey")
        found = dict(cursor.fetchall())
    assert {name: found[key] for name, key in keys.items()} == {
        "default": [*default, "billing"],
        "manager": [*default, "keys:manage", "billing"],
        "narrowed": scopes["narrowed"],
        "new": scopes["new"],
    }
    assert found[client] == [*BEFORE, "realtime"]
