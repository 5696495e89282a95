"""Checks of what credentials and every process stand on: warnings while DEBUG is on, else errors.

The database's own check runs where a database is named: in `migrate`, `check --database default`
and at the start of the web process.
"""

from collections.abc import Iterator, Sequence

import psycopg
from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.db.backends.postgresql.base import DatabaseWrapper

from studio.accounts.credentials import LONGEST_CREDENTIAL_BYTES
from studio.accounts.jwts import SHORTEST_SECRET_BYTES

SHORTEST_PEPPER_BYTES = 32
SHORTEST_STATIC_KEY_BYTES = 16
SHORTEST_SECRET_CHARACTERS = 32
OLDEST_POSTGRES = 180_000
_EXAMPLE_KEY = "django-insecure-"
"""What Django puts before the key that `startproject` writes into a file for all to read."""
_PATIENCE_S = 5
_POSTGRES_FACTS = """
SELECT coalesce((SELECT nspowner::regrole = current_user::regrole
                   FROM pg_namespace WHERE nspname = 'ledger'), false)
"""


def check_credentials(app_configs: Sequence[AppConfig] | None, **_: object) -> list[CheckMessage]:
    """Check peppers, the JWT secret and the static key."""
    severity = Warning if settings.DEBUG else Error
    return [
        severity(fault, hint=hint, id=f"accounts.E{number:03d}")
        for number, fault, hint in _credential_faults()
    ]


@register(Tags.security)
def check_process(app_configs: Sequence[AppConfig] | None, **_: object) -> list[CheckMessage]:
    """Check what the process cannot be without: two secrets and the names it answers to."""
    severity = Warning if settings.DEBUG else Error
    return [
        severity(fault, hint=hint, id=f"studio.E{number:03d}")
        for number, fault, hint in _process_faults()
    ]


@register(Tags.database)
def check_database(
    app_configs: Sequence[AppConfig] | None,
    *,
    databases: Sequence[str] | None = None,
    **_: object,
) -> list[CheckMessage]:
    """Check the server's version, and that the role which runs does not own the ledger.

    A server that does not answer is no fault: it may come back, and readiness tells of it.
    """
    found: list[CheckMessage] = []
    for alias in databases or ():
        try:
            version, owns_ledger = _ask_postgres(alias)
        except psycopg.OperationalError:
            continue
        if version < OLDEST_POSTGRES:
            severity = Warning if settings.DEBUG else Error
            fault = f"PostgreSQL {version // 10_000} is too old."
            found.append(severity(fault, hint="Use 18 or newer.", id="studio.E004"))
        if owns_ledger and settings.DATABASE_URL != settings.DATABASE_OWNER_URL:
            found.append(
                Warning(
                    "The role of DATABASE_URL owns the schema ledger, so it can write its tables.",
                    hint="Run as studio_app (deploy/sql/roles.sql); migrate by DATABASE_OWNER_URL.",
                    id="studio.W001",
                )
            )
    return found


def _ask_postgres(alias: str) -> tuple[int, bool]:
    """Return the server's version, and whether our role owns the ledger.

    By a connection of its own: the web process starts inside a running loop, where Django's refuse.
    """
    database = connections[alias]
    assert isinstance(database, DatabaseWrapper)
    options = {"connect_timeout": _PATIENCE_S} | database.get_connection_params()
    with psycopg.connect(**options) as connection:
        row = connection.execute(_POSTGRES_FACTS).fetchone()
        assert row is not None
        return connection.info.server_version, bool(row[0])


def _process_faults() -> Iterator[tuple[int, str, str]]:
    for number, name in ((1, "SECRET_KEY"), (2, "VAULT_SECRET")):
        try:
            secret: str = getattr(settings, name)
        except ImproperlyConfigured:  # how Django says that SECRET_KEY is empty
            secret = ""
        if len(secret) < SHORTEST_SECRET_CHARACTERS or secret.startswith(_EXAMPLE_KEY):
            fault = f"{name} is empty, has less than 32 characters or is an example."
            yield number, fault, "Set 64 random hexadecimal digits."
    if not settings.ALLOWED_HOSTS:
        yield 3, "ALLOWED_HOSTS is empty, so every request is refused.", "Set our own names."


def _credential_faults() -> Iterator[tuple[int, str, str]]:
    peppers: dict[int, str] = settings.APP_KEY_PEPPERS
    if not peppers:
        yield 1, "APP_KEY_PEPPERS is empty.", "Set 1=<64 random hexadecimal digits>."
    if any(len(pepper.encode()) < SHORTEST_PEPPER_BYTES for pepper in peppers.values()):
        yield 2, "A pepper of APP_KEY_PEPPERS has less than 32 bytes.", "Use 64 hexadecimal digits."
    secret: str = settings.APP_JWT_SECRET
    if secret and len(secret.encode()) < SHORTEST_SECRET_BYTES:
        yield (
            3,
            "APP_JWT_SECRET has less than 32 bytes, so tokens signed with it are refused.",
            "Use 64 hexadecimal digits, or leave it empty.",
        )
    static: str = settings.APP_KEY
    if static and not _can_be_sent(static):
        yield (
            4,
            "APP_KEY cannot be sent in a header, or has less than 16 characters.",
            "Use 16 or more printable ASCII characters without spaces around them.",
        )


def _can_be_sent(static: str) -> bool:
    return (
        SHORTEST_STATIC_KEY_BYTES <= len(static) <= LONGEST_CREDENTIAL_BYTES
        and static.isascii()
        and static.isprintable()
        and static == static.strip()
    )
