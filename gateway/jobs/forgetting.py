"""What is dropped in time: requests a day after a job failed, jobs after 90 days.

The usage row stays for ever, the files for as long as their own rules say.
"""

from datetime import timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now

from gateway.media.inputs import drop_inputs
from gateway.models import Job

_AT_ONCE = 1000
_FORGET = """
WITH old AS (
  SELECT id FROM gateway_job WHERE id < (SELECT uuidv7(-%s * interval '1 day'))
    AND state IN ('succeeded', 'failed', 'canceled', 'expired') ORDER BY id LIMIT %s
), e AS (DELETE FROM gateway_jobevent WHERE job_id IN (SELECT id FROM old)
), r AS (DELETE FROM gateway_jobrun WHERE job_id IN (SELECT id FROM old)
)
DELETE FROM gateway_job WHERE id IN (SELECT id FROM old)
"""


def forget_requests() -> int:
    """Drop what failed jobs were asked for, and the pictures that came with it, when nobody repeats
    them. Returns: how many.
    """
    limit = Now() - timedelta(hours=settings.JOB_REQUESTS_KEPT_HOURS)
    total, dropped = 0, _AT_ONCE
    while dropped == _AT_ONCE:
        with transaction.atomic(durable=True):
            old = Job.objects.filter(finished_at__lt=limit, request__isnull=False)
            ids = list(old.select_for_update().values_list("pk", flat=True)[:_AT_ONCE])
            Job.objects.filter(pk__in=ids).update(request=None)
            drop_inputs(*ids)
        dropped = len(ids)
        total += dropped
    return total


def forget_jobs() -> int:
    """Drop jobs with their runs and events, by age; ids sort by time. Returns: how many."""
    total, dropped = 0, _AT_ONCE
    while dropped == _AT_ONCE:
        with connection.cursor() as cursor:
            cursor.execute(_FORGET, [settings.JOBS_KEPT_DAYS, _AT_ONCE])
            dropped = cursor.rowcount
        total += dropped
    return total
