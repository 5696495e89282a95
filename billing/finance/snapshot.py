"""Reading the books at one moment, however long it takes and whoever writes meanwhile."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from django.db import connection, transaction

Row = tuple[Any, ...]

_FETCHED_AT_ONCE = 2_000
_SETTINGS = """
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;
SET LOCAL statement_timeout = '10min';
SET LOCAL idle_in_transaction_session_timeout = '2min';
SET LOCAL jit = off;
"""


@contextlib.contextmanager
def books_snapshot() -> Iterator[None]:
    """Let every query inside the block see the books as they are now, and change nothing.

    It must be the outermost transaction. Writers do not wait for it; it holds old row versions, so
    nothing inside waits for a client.
    """
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute(_SETTINGS)
        yield


def read_rows(query: str, parameters: Mapping[str, Any]) -> list[Row]:
    """Read a result that is small."""
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        rows: list[Row] = cursor.fetchall()
    return rows


def stream_rows(query: str, parameters: Mapping[str, Any]) -> Iterator[Row]:
    """Read a result of any size, some thousand rows at a time, inside a transaction."""
    with connection.chunked_cursor() as cursor:
        cursor.execute(query, parameters)
        while rows := cursor.fetchmany(_FETCHED_AT_ONCE):
            yield from rows
