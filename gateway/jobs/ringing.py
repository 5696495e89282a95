"""Calling workers for runs that are due. The broker may lose, repeat and delay every call.

A message carries a run's id and nothing else; whether there is anything to do, the lease decides.
"""

import logging
from collections.abc import Iterable

from django.db import connection
from kombu.exceptions import OperationalError as BrokerDown

from gateway.statements import read_sql
from studio.celery import app

logger = logging.getLogger(__name__)

QUEUE = "media"
WORK_ON_RUN = "gateway.jobs.tasks.work_on_run"
_RING = read_sql("ring_job_runs")
_AT_ONCE = 500
_EXPIRES_S = 600


def ring(*, limit: int = _AT_ONCE) -> int:
    """Call workers for up to `limit` runs that are due and were not called for lately.

    Returns: how many; call again while it is `limit`.
    """
    with connection.cursor() as cursor:
        cursor.execute(_RING, [limit])
        due = [str(run_id) for (run_id,) in cursor.fetchall()]
    call_workers(due)
    return len(due)


def call_workers(run_ids: Iterable[str]) -> None:
    """Send one message per run. While the broker is away they are left to the ring."""
    ids = list(run_ids)
    if not ids:
        return
    try:
        with app.producer_or_acquire() as producer:
            for run_id in ids:
                app.send_task(
                    WORK_ON_RUN,
                    args=[run_id],
                    queue=QUEUE,
                    producer=producer,
                    expires=_EXPIRES_S,
                    retry=False,
                    ignore_result=True,
                )
    except (BrokerDown, OSError) as error:
        logger.warning("no worker was called for %d runs: %s", len(ids), type(error).__name__)
