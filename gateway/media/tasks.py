"""What Celery rings for in storage. Each task calls one service and is safe twice."""

from celery import shared_task

from gateway.media import services


@shared_task
def release_expired_assets() -> int:
    """End assets past their time and delete bytes that nobody needs."""
    return services.release_expired()


# Shorter than the broker waits before it rings again for a task that nobody finished.
@shared_task(time_limit=590)
def remove_stray_files() -> int:
    """Delete files that no row tells of."""
    return services.remove_strays()
