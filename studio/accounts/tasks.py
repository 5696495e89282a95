"""Periodic work of accounts. Running it twice, or late, is harmless."""

import logging

from celery import shared_task

from studio.accounts import services

logger = logging.getLogger(__name__)


@shared_task(name="studio.accounts.tasks.purge_sessions")
def purge_sessions() -> None:
    """Delete sessions that are over."""
    deleted = services.purge_sessions()
    if deleted:
        logger.info("deleted %s sessions that are over", deleted)
