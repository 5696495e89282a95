"""Jobs past their deadline are ended, whoever was working on them: nothing stays open or held.

It needs PostgreSQL alone: not the broker's messages, no worker for media, not the provider. A run
whose files are being fetched has another minute.
"""

import logging
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from gateway.jobs.ending import DEADLINE, end_if_done
from gateway.jobs.pricing import loss_ucr
from gateway.models import Job, JobRun

logger = logging.getLogger(__name__)

AT_ONCE = 200
_OVERDUE = """
SELECT j.id FROM gateway_job j
WHERE j.state IN ('queued', 'running') AND j.deadline_at <= now()
  AND (j.deadline_at <= now() - interval '60 seconds' OR NOT EXISTS (
    SELECT FROM gateway_jobrun r WHERE r.job_id = j.id AND r.state = 'storing'))
ORDER BY j.deadline_at LIMIT %s
"""


def expire_overdue_jobs(*, limit: int = AT_ONCE) -> int:
    """End up to `limit` jobs past their deadline. Returns: how many; call again until 0."""
    with connection.cursor() as cursor:
        cursor.execute(_OVERDUE, [limit])
        overdue = [job_id for (job_id,) in cursor.fetchall()]
    ended = sum(expire_job(job_id) for job_id in overdue)
    if ended:
        logger.warning("gave up %d jobs at their deadline", ended)
    return ended


def expire_job(job_id: UUID) -> bool:
    """End one job that is past its deadline; what it made until then counts. Returns: whether it
    did.
    """
    with transaction.atomic(durable=True):
        job = (
            Job.objects.select_for_update()
            .filter(pk=job_id, deadline_at__lte=Now())
            .exclude(state__in=Job.FINAL)
            .first()
        )
        if job is None:
            return False
        for run in JobRun.objects.filter(job=job, state__in=JobRun.OPEN):
            JobRun.objects.filter(pk=run.pk).update(
                state=JobRun.State.FAILED,
                fence=F("fence") + 1,
                lease_until=None,
                answer=None,
                progress=1.0,
                cost_ucr=loss_ucr(job, run),
                failure_code=DEADLINE,
                failure_text="This took too long and was given up.",
                failure_status=504,
                finished_at=Now(),
            )
        return end_if_done(job)
