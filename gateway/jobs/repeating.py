"""Doing a job again that failed: a new one of the same request, at today's price and with its own
hold.

The first one charged nothing, so nobody pays twice. By a user's own key there is no second time:
the key is gone.
"""

from uuid import UUID

import msgspec
from django.db import connection, transaction

from billing.pricing import latest_price_book
from billing.pricing_items import ItemNotPriced
from gateway.errors import NoPrice
from gateway.jobs.asked import asked_use, seal_request, unseal_request
from gateway.jobs.ending import tell
from gateway.jobs.quoting import deadline_s, inputs_kept_s
from gateway.jobs.ringing import call_workers
from gateway.jobs.statements import (
    HOLD_JOBS,
    JobRoute,
    NewJob,
    NewRun,
    hold_jobs_parameters,
)
from gateway.media.errors import InputGone
from gateway.media.inputs import keep_inputs, renamed, with_data
from gateway.models import Job, JobRun
from gateway.providers.media import MediaRequest
from gateway.single_quotes import check_held
from studio.accounts.models import Workspace
from studio.core.errors import Conflict, NotFound
from studio.core.ids import new_id


class NotRepeatable(Conflict):
    """The job did not fail, or what it takes to do it again is not kept any more."""

    code = "job_not_repeatable"


def repeat_job(job_id: UUID, *, by: str) -> UUID:
    """Submit a failed job again, on behalf of its workspace. Returns: the new job's id.

    Raises: NotFound, NotRepeatable, NoPrice, InsufficientCredits, WalletFrozen, LedgerUnavailable,
    StorageUnavailable.
    """
    job = Job.objects.filter(pk=job_id).first()
    if job is None:
        raise NotFound("There is no such job.")
    if job.state not in (Job.State.FAILED, Job.State.EXPIRED) or job.billing != "credits":
        raise NotRepeatable("Only jobs for credits that failed or expired are repeated.")
    if job.request is None:
        raise NotRepeatable("What this job was asked for is not kept any more.")
    request = _own_copy(job, unseal_request(bytes(job.request), job.operation, job.pk))
    new = _new_job(job, request)
    keep_inputs(
        request,
        workspace_id=job.workspace_id,
        job_id=new.id,
        kept_s=inputs_kept_s(job.operation),
    )
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute(HOLD_JOBS, hold_jobs_parameters([new]))
            verdict, available_ucr, *_ = cursor.fetchone()
        check_held(verdict, available_ucr=available_ucr, hold_ucr=new.hold_ucr)
        tell(job.pk, "repeated", detail={"by": by, "job": str(new.id)})
        tell(new.id, "repeats", detail={"by": by, "job": str(job.pk)})
    call_workers([str(run.id) for run in new.runs])
    return new.id


def _own_copy(job: Job, request: MediaRequest) -> MediaRequest:
    """Give the request with its pictures under new names, since the first job's go with it."""
    try:
        return renamed(with_data(request, workspace_id=job.workspace_id))
    except InputGone as error:
        raise NotRepeatable("The pictures of this job are not kept any more.") from error


def _new_job(job: Job, request: MediaRequest) -> NewJob:
    new_job_id = new_id()
    workspace = Workspace.objects.select_related("tier").get(pk=job.workspace_id)
    routes = msgspec.convert(job.routes, tuple[JobRoute, ...])
    book = latest_price_book()
    markup_bp = workspace.tier.markup_bp
    use = asked_use(request, job.item_count)
    counts = JobRun.objects.filter(job=job).order_by("number").values_list("item_count", flat=True)
    try:
        prices = [book.media(job.operation, route.provider, route.model) for route in routes]
        most_ucr = max(price.most_ucr(use, markup_bp) for price in prices if price is not None)
    except (ItemNotPriced, ValueError) as error:
        raise NoPrice("What this job makes has no price any more.") from error
    return NewJob(
        id=new_job_id,
        workspace_id=job.workspace_id,
        app_key_id=job.app_key_id,
        app_id=job.app_id,
        user_ref=job.user_ref,
        surface=job.surface,
        operation=job.operation,
        kind=job.kind,
        channel=job.channel,
        billing=job.billing,
        sandbox=job.sandbox,
        hold_ucr=max(1, most_ucr),
        price_version=book.version,
        markup_bp=markup_bp,
        idempotency_digest=None,
        request_digest=None,
        item_count=job.item_count,
        parameters=job.parameters,
        routes=tuple(
            route for route, price in zip(routes, prices, strict=True) if price is not None
        ),
        request=seal_request(request, new_job_id),
        user_keys=None,
        deadline_s=deadline_s(job.operation),
        runs=tuple(
            NewRun(id=new_id(), number=number, item_count=count)
            for number, count in enumerate(counts, 1)
        ),
    )
