"""Refunds as the usage records know them: a row that counts no request and charges less than
nothing.

Billing leaves a note of each refund in its transaction; here the note becomes the row, in one
transaction, so a refund reaches usage exactly once however often this is rung for.
"""

from django.db import connection, transaction

from gateway.statements import read_sql

_WRITE = read_sql("write_corrections")
CORRECTIONS_AT_ONCE = 500


def write_corrections(*, limit: int = CORRECTIONS_AT_ONCE) -> int:
    """Write up to `limit` corrections. Returns: how many; call again until 0."""
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(_WRITE, [limit])
        (written,) = cursor.fetchone()
    return int(written)
