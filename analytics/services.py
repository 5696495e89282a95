"""The one write of this app: partitions. Usage rows are the gateway's to write, with the settle."""

from django.db import connection, transaction

MONTHS_AHEAD = 3


def make_partitions(*, months_ahead: int = MONTHS_AHEAD) -> int:
    """Make the usage table's missing partitions, from last month to `months_ahead`. Returns: how
    many were made.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT public.usage_make_partitions(%s)", [months_ahead])
        (made,) = cursor.fetchone()
    return int(made)
