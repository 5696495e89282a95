"""What Celery rings for in voices. Safe twice: a preview that is there is not made again."""

from celery import shared_task
from django.conf import settings

from gateway.voices import previews
from studio.accounts.queries import workspace_by_name


@shared_task(time_limit=120)
def make_preview(slug: str) -> int:
    """Make one voice's preview, paid by the workspace PREVIEWS_WORKSPACE. Returns: µcr."""
    wanted = previews.previews_wanted([slug])
    if not wanted:
        return 0
    workspace = workspace_by_name(settings.PREVIEWS_WORKSPACE)
    return previews.make_previews(wanted, workspace=workspace)
