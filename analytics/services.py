"""Writes of analytics that are neither sums nor the gateway's rows."""

from django.db import connection

MONTHS_AHEAD = 3
MONDAY, SUNDAY = 1, 7
_SET_WEEK = """
INSERT INTO analytics.calendar (workspace_id, time_zone, week_start)
SELECT id, analytics.zone_or_utc(time_zone), %s FROM public.accounts_workspace WHERE id = %s
ON CONFLICT (workspace_id) DO UPDATE SET week_start = excluded.week_start
"""


def make_partitions(*, months_ahead: int = MONTHS_AHEAD) -> int:
    """Make the monthly partitions that are missing, from last month on. Safe twice and at once.

    Returns: how many of usage were made. Those of the cubes are made along with them.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT analytics.make_partitions_ahead(%s)", [months_ahead])
        return int(cursor.fetchone()[0])


def set_week_start(*, workspace_id: int, week_start: int) -> None:
    """Let a workspace's weeks begin on this day (ISO: 1 is Monday). Raises: ValueError."""
    if not MONDAY <= week_start <= SUNDAY:
        raise ValueError("A week begins on a day from 1 (Monday) to 7 (Sunday).")
    with connection.cursor() as cursor:
        cursor.execute(_SET_WEEK, [week_start, workspace_id])
