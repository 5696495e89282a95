"""What Celery rings for in analytics."""

import logging

from celery import shared_task

from analytics import rolling, services, zones

logger = logging.getLogger(__name__)

_LAG_TO_TELL_S = 300


@shared_task
def make_partitions() -> int:
    """Keep the partitions of usage and cubes ahead of the clock. Safe twice. Returns: how many
    were made of usage.
    """
    return services.make_partitions()


# A backlog is rolled in several rings; each stops itself well before.
@shared_task(time_limit=400)
def roll() -> int:
    """Sum what is new into the cubes. Safe at once and twice. Returns: how many rows."""
    try:
        rolled = rolling.roll()
    except rolling.RollerBusy:
        return 0
    lag_s = rolling.rollup_lag_s()
    if lag_s > _LAG_TO_TELL_S:
        logger.warning("usage is summed up to %.0f s ago: some transaction is long", lag_s)
    return rolled.row_count


@shared_task(time_limit=3600)
def follow_zones() -> int:
    """Rebuild cubes whose workspace has moved to another zone. Safe twice. Returns: how many."""
    return sum(zones.follow_zone(workspace_id) for workspace_id in zones.workspaces_behind())
