"""By whose clock a workspace's days begin, and what happens to its cubes when that changes.

The zone is the workspace's own (studio.accounts); the cubes follow it. All arithmetic of borders is
PostgreSQL's: two copies of the zones' rules would not always agree.
"""

from datetime import date, timedelta

from django.db import connection, transaction

from analytics.rebuilding import OF_WORKSPACE_DAYS, clear
from analytics.rolling import Parameters, add_to, collect, hold_watermark

_PATIENCE = "SET LOCAL statement_timeout = '30min'; SET LOCAL lock_timeout = '2min'"
_BEHIND = """
SELECT c.workspace_id FROM analytics.calendar c
JOIN public.accounts_workspace w ON w.id = c.workspace_id
WHERE w.time_zone <> c.time_zone AND analytics.zone_or_utc(w.time_zone) <> c.time_zone
ORDER BY c.workspace_id
"""
_OF = """
SELECT c.time_zone, analytics.zone_or_utc(w.time_zone), c.own_days_from,
       (SELECT month FROM analytics.kept_from WHERE table_name = 'usage')
FROM analytics.calendar c JOIN public.accounts_workspace w ON w.id = c.workspace_id
WHERE c.workspace_id = %s
"""
# Whose day by the old clock is rebuilt, whatever day it is by the new one: no row is counted twice.
_MOVED = """
workspace_id = %(workspace_id)s AND transaction_id < %(watermark)s
AND (at AT TIME ZONE %(before)s)::date >= %(first)s
"""
_SET = """
UPDATE analytics.calendar SET time_zone = %(zone)s, own_days_from = %(own_days_from)s
WHERE workspace_id = %(workspace_id)s
"""


def workspaces_behind() -> list[int]:
    """List the workspaces whose cubes are in another zone than they are themselves."""
    with connection.cursor() as cursor:
        cursor.execute(_BEHIND)
        return [workspace_id for (workspace_id,) in cursor.fetchall()]


def follow_zone(workspace_id: int) -> bool:
    """Rebuild a workspace's cubes by its clock of now. Safe twice. Returns: whether it was needed.

    Months whose raw rows are gone keep their borders, which the calendar says from then on.
    Raises: RollerBusy.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_PATIENCE)
        watermark = hold_watermark(cursor, wait=True)
        cursor.execute(_OF, [workspace_id])
        found = cursor.fetchone()
        if found is None or found[0] == found[1]:
            return False
        before, zone, own_days_from, raw_from = found
        first = _first_whole_month(raw_from)
        parameters: Parameters = {
            "workspace_id": workspace_id,
            "watermark": watermark,
            "before": before,
            "first": first,
            "beyond": date.max - timedelta(days=31),
        }
        clear(cursor, OF_WORKSPACE_DAYS, parameters)
        if first > date.min:
            own_days_from = first + timedelta(days=1)
        cursor.execute(
            _SET, {"zone": zone, "own_days_from": own_days_from, "workspace_id": workspace_id}
        )
        collect(cursor, _MOVED, parameters)
        add_to(cursor, OF_WORKSPACE_DAYS)
    return True


def _first_whole_month(raw_from: date) -> date:
    """Give the first month of which, by whatever clock, all raw rows are there."""
    if raw_from == date.min:
        return raw_from
    return (raw_from + timedelta(days=32)).replace(day=1)
