"""Read usage and cubes as analytics_ro: row-level security stands behind what the code asks for.

The role may be taken by the app for one transaction (deploy/sql/roles.sql); it sees the rows of one
workspace, by a setting that ends with the transaction.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

LONGEST_S = 3.0
"""What one question may take."""


@contextmanager
def reading_as(workspace_id: int, *, timeout_s: float = LONGEST_S) -> Iterator[CursorWrapper]:
    """Open a read-only transaction as analytics_ro on one snapshot, for one workspace.

    Raises: django.db.OperationalError (a statement that took longer), and whatever the block does.
    """
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        cursor.execute(
            "SELECT set_config('app.workspace', %s, true),"
            " set_config('statement_timeout', %s, true)",
            [str(workspace_id), f"{round(timeout_s * 1000)}ms"],
        )
        cursor.execute("SET LOCAL ROLE analytics_ro")
        yield cursor
