"""A database with usage and cubes: rows written, cubes read with their words, in full."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from django.db import connection as django_connection

from analytics.rolling import CUBES, roll
from studio.core.ids import new_id

Connection = psycopg.Connection[tuple[Any, ...]]
Cubes = dict[str, list[tuple[Any, ...]]]

_HISTOGRAMS = ["latency_histogram", "first_byte_histogram"]
_WORDS = {
    "app_number": "(SELECT app_id FROM analytics.dimension_app WHERE number = c.app_number)",
    "user_number": "(SELECT user_ref FROM analytics.dimension_user WHERE number = c.user_number)",
    "route_number": "(SELECT (operation, kind, provider, model)::text"
    " FROM analytics.dimension_route WHERE number = c.route_number)",
}
_NEXT = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
_ROUTES = [
    ("chat", "chat.default", "openai", "gpt-4o"),
    ("chat", "chat.claude", "anthropic", "claude"),
    ("image", "image.default", "replicate", "flux"),
]


def write(connection: Connection, **columns: Any) -> None:
    """Write one row of usage, as the gateway would."""
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
    connection.execute(
        f"INSERT INTO usage ({', '.join(row)}) VALUES ({', '.join(['%s'] * len(row))})",  # noqa: S608  our own names
        list(row.values()),
    )


def some_row(chance: random.Random, *, near: datetime | None = None) -> dict[str, Any]:
    """Make up the columns of one row: a call, a minute of refusals, or a correction."""
    at = (near or datetime.now(UTC)) - timedelta(seconds=chance.randrange(40 * 86_400))
    row: dict[str, Any] = {
        "at": at,
        "workspace_id": chance.randrange(1, 4),
        "app_id": f"app-{chance.randrange(3)}",
    }
    kind = chance.random()
    if kind < 0.1:
        refusals = {"request_count": chance.randrange(1, 9), "kind": "", "attempts": 0}
        return row | refusals | {"status": "refused", "billing": "none"}
    names = ("operation", "kind", "provider", "model")
    row |= dict(zip(names, chance.choice(_ROUTES), strict=True))
    row["user_ref"] = chance.choice(["", "ann", "bob", "eve"])
    if kind < 0.2:
        return row | {"request_count": 0, "attempts": 0, "charge_ucr": -chance.randrange(900)}
    row["status"] = chance.choice(["succeeded"] * 5 + ["failed", "cancelled", "interrupted"])
    row["billing"] = chance.choice(["credits", "credits", "byok", "house"])
    if row["billing"] == "credits" and row["status"] != "failed":
        row["charge_ucr"] = chance.randrange(10_000)
    row["cost_ucr"] = chance.randrange(9_000)
    row["latency_ms"] = chance.choice([0, 1, 24, 25, 800, 801, 60_000, 4_000_000])
    return row | {"first_byte_ms": chance.choice([None, 3, 700]), "input_tokens": 10}


def roll_all() -> None:
    """Roll all that is committed now, on Django's database.

    Other tests' transactions, in databases of theirs, hold the horizon for a moment.
    """
    with django_connection.cursor() as cursor:
        cursor.execute(_NEXT)
        (following,) = cursor.fetchone()
    for _ in range(10_000):
        if roll().watermark >= following:
            return
    raise AssertionError("Some transaction does not end.")


def read_cubes() -> Cubes:
    """Read every cell of every cube, with words for numbers and each histogram merged."""
    found: Cubes = {}
    with django_connection.cursor() as cursor:
        for cube in CUBES:
            cursor.execute(f"SELECT * FROM analytics.{cube} LIMIT 0")  # noqa: S608  our own name
            columns = [_shown(column.name) for column in cursor.description or ()]
            cursor.execute(f"SELECT {', '.join(columns)} FROM analytics.{cube} c")  # noqa: S608
            found[cube] = sorted(cursor.fetchall(), key=repr)
    return found


def violations() -> list[tuple[Any, ...]]:
    """List where the cubes say something else than the rows."""
    with django_connection.cursor() as cursor:
        cursor.execute("SELECT * FROM analytics.cube_violations")
        return list(cursor.fetchall())


def forget_cubes(owner: Connection) -> None:
    """Empty every cube and begin anew, as if nothing had ever been rolled."""
    for cube in CUBES:
        owner.execute(f"TRUNCATE analytics.{cube}")
    owner.execute("UPDATE analytics.watermark SET transaction_id = 0")


def _shown(column: str) -> str:
    if column in _HISTOGRAMS:
        return f"analytics.merge_histogram({column})"
    return _WORDS.get(column, column)
