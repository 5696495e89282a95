"""Submitting a job: quoted, held and written in one statement, then workers are called.

Whatever happens to this process afterwards, the job is made, or given up at its deadline.
"""

from collections.abc import Mapping
from uuid import UUID

import msgspec
import psycopg

from gateway.budgets import check_budgets
from gateway.errors import IdempotencyConflict, IdempotencyMismatch
from gateway.jobs.asked import seal_keys, seal_request
from gateway.jobs.desk import desk_of
from gateway.jobs.queries import read_job
from gateway.jobs.quoting import JobQuote, JobTask, deadline_s, inputs_kept_s, quote_job
from gateway.jobs.statements import NewJob, NewRun
from gateway.jobs.views import JobView
from gateway.media.inputs import drop_inputs, inputs_of, keep_inputs, let_go_of_data
from gateway.pool import borrowed
from gateway.providers.media import MediaRequest
from gateway.runtime import Runtime
from gateway.single_quotes import check_held
from gateway.surfaces.asking import in_thread
from gateway.user_keys import NO_KEYS
from studio.core.ids import new_id

_CLAIMED = """
SELECT id, request_digest FROM gateway_call WHERE workspace_id = %s AND idempotency_digest = %s
"""


class SubmittedJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job that was written now, or under the same Idempotency-Key before (`replayed`).

    `available_ucr` is what the hold left in the wallet, None where no wallet was asked.
    """

    job: JobView
    replayed: bool
    available_ucr: int | None
    deprecation: str = ""


async def submit(runtime: Runtime, task: JobTask, request: MediaRequest) -> SubmittedJob:
    """Submit one job; when this returns it is written, and its hold is in place. Pictures of the
    request are kept with it and gone from memory.

    Raises: what `quote_job` raises, KeyBudgetSpent, BudgetSpent, InsufficientCredits, WalletFrozen,
    IdempotencyMismatch, LedgerUnavailable, StorageUnavailable; in each case nothing is held.
    """
    known = await find_submitted(runtime, task)
    if known is not None:
        return known
    quote = quote_job(runtime, task, request)
    if quote.billing == "credits":
        await check_budgets(runtime, task.caller, task.app_id)
    new = _new_job(task, request, quote)
    await _keep_inputs(task, request, new.id)
    desk = desk_of(runtime)
    try:
        verdict = await desk.hold(new)
    except psycopg.errors.UniqueViolation as error:
        await _drop_inputs(request, new.id)
        known = await find_submitted(runtime, task)
        if known is None:
            raise IdempotencyConflict(
                "A request with this Idempotency-Key is still being served."
            ) from error
        return known
    if verdict.verdict != "held":
        await _drop_inputs(request, new.id)
    check_held(verdict.verdict, available_ucr=verdict.available_ucr, hold_ucr=quote.hold_ucr)
    desk.ring([str(run.id) for run in new.runs])
    job = verdict.job or await read_job(runtime, new.id, workspace_id=new.workspace_id)
    return SubmittedJob(
        job=job,
        replayed=False,
        available_ucr=verdict.available_ucr if quote.billing == "credits" else None,
        deprecation=quote.resolution.deprecation_header(),
    )


async def find_submitted(runtime: Runtime, task: JobTask) -> SubmittedJob | None:
    """Find the job that was submitted under this Idempotency-Key, whatever became of it.

    Raises: IdempotencyMismatch, if the key was used with another body or path.
    """
    claim = task.claim
    if claim is None:
        return None
    async with borrowed(runtime.pool) as connection:
        cursor = await connection.execute(_CLAIMED, (task.caller.workspace_id, claim.key_digest))
        row = await cursor.fetchone()
    if row is None:
        return None
    if bytes(row[1]) != claim.request_digest:
        raise IdempotencyMismatch("This Idempotency-Key was used with another request.")
    job = await read_job(runtime, row[0], workspace_id=task.caller.workspace_id)
    return SubmittedJob(job=job, replayed=True, available_ucr=None)


async def _keep_inputs(task: JobTask, request: MediaRequest, job_id: UUID) -> None:
    """Keep the pictures that came with the request before anything is held: a job has what it
    works on.

    If this process dies before the job is written, they end by their own time.
    """
    if inputs_of(request):
        await in_thread(
            keep_inputs,
            request,
            workspace_id=task.caller.workspace_id,
            job_id=job_id,
            kept_s=inputs_kept_s(request.operation),
        )
        let_go_of_data(request)


async def _drop_inputs(request: MediaRequest, job_id: UUID) -> None:
    """Drop them where certainly no job was written."""
    if inputs_of(request):
        await in_thread(drop_inputs, job_id)


def _new_job(task: JobTask, request: MediaRequest, quote: JobQuote) -> NewJob:
    caller, job_id = task.caller, UUID(task.id)
    keys = _own_keys(task, quote)
    return NewJob(
        id=job_id,
        workspace_id=caller.workspace_id,
        app_key_id=caller.app_key_id,
        app_id=task.app_id,
        user_ref=task.user_ref,
        surface=task.surface,
        operation=request.operation,
        kind=quote.resolution.kind,
        channel=quote.resolution.channel,
        billing=quote.billing,
        sandbox=quote.sandbox,
        hold_ucr=quote.hold_ucr,
        price_version=quote.price_version,
        markup_bp=quote.markup_bp,
        idempotency_digest=task.claim.key_digest if task.claim else None,
        request_digest=task.claim.request_digest if task.claim else None,
        item_count=quote.item_count,
        parameters=dict(task.parameters),
        routes=quote.routes,
        request=seal_request(request, job_id),
        user_keys=seal_keys(keys, job_id) if keys else None,
        deadline_s=deadline_s(request.operation),
        runs=tuple(
            NewRun(id=new_id(), number=number, item_count=item_count)
            for number, item_count in enumerate(quote.runs, 1)
        ),
    )


def _own_keys(task: JobTask, quote: JobQuote) -> Mapping[str, str]:
    """Give the user's keys that this job may need, and no others."""
    if quote.billing != "byok":
        return {}
    given = task.user_keys or NO_KEYS
    found = {route.provider: given.get(route.provider) for route in quote.routes}
    return {provider: key for provider, key in found.items() if key}
