"""The end of a job becomes one message for each address that wants to know, in the transaction that
ends it.

Whatever is wrong with an address must not keep a job from its end.
"""

import logging
from typing import Any
from uuid import UUID

from django.conf import settings

from billing.outbox import Event, Source, enqueue_webhook
from gateway.jobs.views import COLUMNS, view_of
from gateway.models import Job, WebhookEndpoint
from gateway.surfaces.jobs.wire import job_body
from gateway.webhooks.endpoints import TRIED_FOR, secrets_of
from studio.core.secrets import SealBroken

logger = logging.getLogger(__name__)


def announce_end(job_id: UUID, workspace_id: int, state: str) -> None:
    """Write what a job that has just ended is to tell to its workspace's addresses."""
    event = f"job.{state}"
    wanted = WebhookEndpoint.objects.filter(
        workspace_id=workspace_id, off=WebhookEndpoint.Off.ON, events__contains=[event]
    )
    endpoints = list(wanted)
    if not endpoints:
        return
    told = Event(type=event, data=_job(job_id))
    for endpoint in endpoints:
        try:
            secret = secrets_of(endpoint)
        except SealBroken:
            logger.exception("webhook %s: its secret does not open", endpoint.pk)
            continue
        enqueue_webhook(
            workspace_id=workspace_id,
            url=endpoint.url,
            secret=secret,
            event=told,
            source=Source(id=endpoint.pk, tried_for=TRIED_FOR),
        )


def _job(job_id: UUID) -> dict[str, Any]:
    """Write the job as `/v1/jobs/{id}` shows it, without addresses of files: those end."""
    row = Job.objects.filter(pk=job_id).values_list(*COLUMNS).get()
    job = view_of(row)
    body = job_body(job, [""] * len(job.files), base_url=settings.PUBLIC_URL.rstrip("/"))
    for file in body["files"]:
        del file["url"]
    return body
