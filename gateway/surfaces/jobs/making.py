"""From a surface's body to a job: submit it, and wait for its end as long as the caller likes.

A synchronous endpoint is a job plus a wait of at most a minute; past it the job goes on.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from billing.queries import read_balance
from gateway.admission import require_scope
from gateway.errors import UpstreamFailure
from gateway.idempotency import read_claim
from gateway.jobs.asked import JobRequest
from gateway.jobs.queries import wait_for_end
from gateway.jobs.quoting import JobTask
from gateway.jobs.submitting import SubmittedJob, submit
from gateway.jobs.views import JobView
from gateway.surfaces.answers import Headers
from gateway.surfaces.asking import in_thread
from gateway.surfaces.door import Request
from gateway.surfaces.entry import read_channel, read_labels
from studio.accounts.callers import Caller
from studio.core.errors import Conflict, InvalidRequest
from studio.core.money import credits_text

LONGEST_WAIT_S = 60
SCOPES = {
    "image": "images",
    "image_edit": "images",
    "image_upscale": "images",
    "image_control": "images",
    "image_fit": "images",
    "music": "audio",
}
_PREFERRED_WAIT = re.compile(r"\bwait\s*=\s*\"?(\d{1,9})\"?", re.ASCII)
_ASYNC = re.compile(r"(?:^|[,;])\s*respond-async\s*(?:$|[,;=])", re.ASCII | re.IGNORECASE)


class JobFailed(UpstreamFailure):
    """The job made nothing. Code and status are those of what went wrong; nothing was charged."""


class JobCanceled(Conflict):
    """The job was cancelled while this request waited for it."""

    code = "job_canceled"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a surface read from a body.

    `parameters` is what may be shown of the request afterwards; `wait` whether the caller wants to
    wait for the end. `models` are candidates, the first preferred (`JobTask.models`).
    """

    request: JobRequest
    kind: str | None
    model: str | None
    parameters: Mapping[str, Any]
    wait: bool = True
    models: tuple[str, ...] = ()


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """A job as it stands when the wait is over, and what its submission told.

    `responds_async` is whether the caller preferred an answer before the end.
    """

    job: JobView
    submitted: SubmittedJob
    remaining_ucr: int | None
    responds_async: bool = False

    def checked(self) -> JobView:
        """Give the job unless it ended without a file. Raises: JobFailed, JobCanceled."""
        failure = self.job.failure()
        if failure is not None:
            failed = JobFailed(failure.message)
            failed.code, failed.status = failure.code, failure.status
            raise failed
        if self.job.state == "canceled":
            raise JobCanceled("The job was cancelled.")
        return self.job


async def make(
    request: Request,
    caller: Caller,
    wanted: Wanted,
    body: bytes,
    *,
    longest_wait_s: int = LONGEST_WAIT_S,
) -> Outcome:
    """Submit a job and wait for its end, if that is wanted.

    Raises: what `submit` raises; nothing is held then. InvalidRequest for a bad `Prefer`.
    """
    prefers = _read_prefer(request)
    wait_s = min(prefers.wait_s, longest_wait_s) if wanted.wait else 0
    submitted = await submit(
        request.runtime, job_task(request, caller, wanted, body), wanted.request
    )
    job = submitted.job
    if wait_s and not job.is_final:
        job = await wait_for_end(
            request.runtime, job.id, workspace_id=caller.workspace_id, timeout_s=wait_s
        )
    remaining_ucr = submitted.available_ucr
    if job.billing == "credits" and (job.is_final or remaining_ucr is None):
        balance = await in_thread(read_balance, caller.workspace_id)
        remaining_ucr = balance.available_ucr
    return Outcome(
        job=job,
        submitted=submitted,
        remaining_ucr=remaining_ucr,
        responds_async=prefers.responds_async,
    )


def job_task(request: Request, caller: Caller, wanted: Wanted, body: bytes) -> JobTask:
    """Give the job that a request asks for. Raises: Forbidden, InvalidRequest."""
    require_scope(caller, SCOPES[wanted.request.operation])
    labels = read_labels(request, caller)
    return JobTask(
        id=request.id,
        caller=caller,
        surface=request.surface,
        channel=read_channel(request, caller),
        app_id=labels.app_id,
        user_ref=labels.user_ref,
        kind=wanted.kind,
        model=wanted.model,
        models=wanted.models,
        parameters=wanted.parameters,
        claim=read_claim(
            request.headers.get(b"idempotency-key"), caller=caller, route=request.path, body=body
        ),
        user_keys=request.user_keys,
        started_s=request.started,
    )


def made_headers(request: Request, outcome: Outcome) -> Headers:
    """Say what the job costs, what is left, and what made it."""
    job = outcome.job
    headers: Headers = []
    if job.is_final:
        headers.append((b"x-credits-charged", credits_text(job.charge_ucr).encode()))
    elif job.billing == "credits":
        headers.append((b"x-credits-held", credits_text(job.hold_ucr).encode()))
    if outcome.remaining_ucr is not None:
        headers.append((b"x-credits-remaining", credits_text(outcome.remaining_ucr).encode()))
    if job.sandbox:
        request.upstream = "sandbox"
        headers.append((b"x-studio-upstream", b"sandbox"))
    if outcome.submitted.deprecation:
        headers.append((b"deprecation", outcome.submitted.deprecation.encode()))
    if outcome.submitted.replayed:
        headers.append((b"idempotent-replayed", b"true"))
    return headers if job.is_final else [*headers, *_unfinished_headers(outcome)]


def _unfinished_headers(outcome: Outcome) -> Headers:
    again = (b"retry-after", b"2")
    if not outcome.responds_async:
        return [again]
    return [again, (b"preference-applied", b"respond-async")]


class _Preferences(msgspec.Struct, frozen=True, kw_only=True):
    wait_s: int = LONGEST_WAIT_S
    responds_async: bool = False


def _read_prefer(request: Request) -> _Preferences:
    """Read `Prefer`: `wait=N` may shorten the wait, `respond-async` alone asks for none, and with
    `wait=N` for that one. Other words mean nothing.

    Source: RFC 7240 (June 2014), 4.1 and 4.3. Raises: InvalidRequest, if it is not UTF-8.
    """
    lines = [value for name, value in request.raw_headers if name == b"prefer"]
    if not lines:
        return _Preferences()
    try:
        header = b", ".join(lines).decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest("Prefer must be UTF-8 text.") from error
    responds_async = _ASYNC.search(header) is not None
    found = _PREFERRED_WAIT.search(header)
    usual_s = 0 if responds_async else LONGEST_WAIT_S
    return _Preferences(
        wait_s=usual_s if found is None else min(LONGEST_WAIT_S, int(found[1])),
        responds_async=responds_async,
    )
