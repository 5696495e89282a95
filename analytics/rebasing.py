"""A database that was restored into a new cluster, whose transactions are numbered from the start.

There the watermark is far above every new row, and no new row would ever be summed. So nothing
starts until `manage.py analytics_rebase` has lifted the numbers above those that exist (a setting
of the database, which `usage_transaction_id()` adds). pg_upgrade, point-in-time recovery and
failover keep the numbers and need nothing.
"""

from django.db import connection, transaction

from analytics.rolling import roll_everything

_OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend'
  AND pid <> pg_backend_pid() AND pid <> ALL(%s)
"""
_HIGHEST = """
SELECT greatest((SELECT max(transaction_id) FROM public.usage),
                (SELECT transaction_id FROM analytics.watermark WHERE name = 'usage'), %s)
"""
_SPARE = 1_000


class NotAlone(Exception):
    """Somebody else is connected to the database; nothing has changed."""


def prepare_rebase(*, at_least: int, own_sessions: list[int]) -> int:
    """Sum all rows there are, and find by what new numbers have to be lifted.

    `at_least` is a number that others have seen; `own_sessions` are backends of the caller's.
    Returns: the value for `studio.transaction_id_offset`. Raises: NotAlone.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_OTHERS, [own_sessions])
        others = cursor.fetchone()[0]
        if others:
            raise NotAlone(f"{others} other connections; stop web processes, workers and beat.")
        cursor.execute(_HIGHEST, [at_least])
        beyond = int(cursor.fetchone()[0]) + 1
        roll_everything(cursor, beyond=beyond)
        cursor.execute("SELECT pg_current_xact_id()::text::bigint")
        return max(0, beyond - int(cursor.fetchone()[0]) + _SPARE)
