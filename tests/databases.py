"""Databases cloned from the migrated template, and Django pointed at one of them.

No test flushes anything: what a test of one transaction writes is rolled back; what needs real
commits gets a clone of its own (`fresh_database`).
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from django.db import connection, connections
from django.db.backends.postgresql.base import DatabaseWrapper
from psycopg import sql

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")
MISSING = "No servers for tests: run them by `python3 manage.py test`, which starts servers."
_TEMPLATE = "studio_template"


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A clone of the template, by its name and as the app and the owner reach it."""

    name: str
    app_url: str
    owner_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Where the throw-away servers are."""

    admin_url: str
    app_url: str
    owner_url: str
    redis_url: str

    def database(self, name: str) -> Database:
        """Name a database, whether it exists or not."""
        return Database(
            name=name, app_url=_named(self.app_url, name), owner_url=_named(self.owner_url, name)
        )


def facts() -> Facts | None:
    """Read what `manage.py test` says about its servers; None without it."""
    admin_url = os.environ.get("STUDIO_TEST_PG_ADMIN_URL")
    if not admin_url:
        return None
    number = int(WORKER.removeprefix("gw")) + 1 if WORKER.startswith("gw") else 0
    return Facts(
        admin_url=admin_url,
        app_url=os.environ.get("STUDIO_TEST_PG_APP_URL", admin_url),
        owner_url=os.environ.get("STUDIO_TEST_PG_OWNER_URL", admin_url),
        redis_url=_named(os.environ["STUDIO_TEST_REDIS_URL"], str(number)),
    )


@contextlib.contextmanager
def cloned(facts: Facts, name: str) -> Iterator[Database]:
    """Have a clone of the template for as long as the block lasts."""
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    make = sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER studio_owner")
    with psycopg.connect(facts.admin_url, autocommit=True) as admin:
        admin.execute(drop)
        admin.execute(make.format(sql.Identifier(name), sql.Identifier(_TEMPLATE)))
        yield facts.database(name)
        admin.execute(drop)


@contextlib.contextmanager
def django_on(database: Database) -> Iterator[None]:
    """Point Django's default connection, in every thread, at this database for a while."""
    settings = connection.settings_dict
    before = settings["NAME"]
    forget_connections()
    settings["NAME"] = database.name
    try:
        yield
    finally:
        forget_connections()
        settings["NAME"] = before


def forget_connections() -> None:
    """Close Django's connection of this thread and the pool behind it."""
    wrapper = connections["default"]
    assert isinstance(wrapper, DatabaseWrapper)
    wrapper.close()
    wrapper.close_pool()


def _named(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def rows(query: str, *parameters: Any) -> list[dict[str, Any]]:
    """Run a query and give its rows by name."""
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
