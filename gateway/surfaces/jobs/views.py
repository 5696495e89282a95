"""/v1/jobs: the list, one job, its events as they happen, and its cancelling.

No read asks a provider, and another workspace's job is not found.
"""

import asyncio
import time
from uuid import UUID

import msgspec
from django.http import QueryDict

from gateway.admission import require_scope
from gateway.jobs.cancelling import cancel_job
from gateway.jobs.queries import (
    MOST_LISTED,
    JobFilter,
    JobHappening,
    list_events,
    list_jobs,
    read_job,
    wait_for_change,
    wait_for_end,
)
from gateway.jobs.views import JobView
from gateway.media.addresses import base_url
from gateway.surfaces.answers import Headers
from gateway.surfaces.asking import check_query, in_thread, read_count, read_id, read_moment
from gateway.surfaces.door import Answer, Request
from gateway.surfaces.entry import entered
from gateway.surfaces.jobs.files import file_urls
from gateway.surfaces.jobs.wire import job_body
from studio.accounts.callers import Caller
from studio.core.errors import InvalidRequest, NotFound

_LIST_QUERY = ("status", "operation", "kind", "app", "from", "to", "cursor", "limit")
_STATES = ("queued", "running", "succeeded", "failed", "canceled", "expired")
_LONGEST_POLL_S = 25
_LONGEST_WATCH_S = 1800
_SIGN_OF_LIFE_S = 14
_ID_AT = 3


def path_id(request: Request) -> UUID:
    """Read the id in a path such as `/v1/jobs/<id>/cancel`. Raises: NotFound."""
    try:
        return UUID(request.path.split("/")[_ID_AT])
    except ValueError as error:
        raise NotFound("There is no such job.") from error


async def jobs(request: Request) -> Answer:
    """List the workspace's jobs, newest first."""
    async with entered(request, "jobs") as admitted:
        caller = admitted.caller
        require_scope(caller, "jobs")
        wanted = _filter(QueryDict(request.query))
        found = await list_jobs(request.runtime, workspace_id=caller.workspace_id, wanted=wanted)
        more = len(found) > wanted.limit - 1
        shown = found[: wanted.limit - 1]
        body = {
            "object": "list",
            "data": [_body(request, caller, job) for job in shown],
            "has_more": more,
            "next_cursor": str(shown[-1].id) if more else None,
        }
        return Answer(body=msgspec.json.encode(body), headers=[(b"cache-control", b"no-store")])


async def job(request: Request) -> Answer:
    """Show one job; with `?wait=25` as soon as it changed, or ended."""
    async with entered(request, "jobs") as admitted:
        caller, job_id = admitted.caller, path_id(request)
        require_scope(caller, "jobs")
        query = QueryDict(request.query)
        check_query(query, ("wait",))
        wait_s = read_count(query, "wait", default=0, most=_LONGEST_POLL_S)
        found = await _read(request, caller, job_id, wait_s)
        headers = state_headers(request, caller, found)
        if request.headers.get(b"if-none-match") == _tag(caller, found):
            return Answer(status=304, headers=headers)
        return Answer(body=msgspec.json.encode(_body(request, caller, found)), headers=headers)


async def cancel(request: Request) -> Answer:
    """Ask for a job's end. What is done stays done; doing it twice changes nothing."""
    async with entered(request, "jobs") as admitted:
        caller = admitted.caller
        require_scope(caller, "jobs")
        found = await canceled(request, caller, operation=None)
        return Answer(
            status=200 if found.is_final else 202,
            body=msgspec.json.encode(_body(request, caller, found)),
            headers=state_headers(request, caller, found),
        )


async def canceled(request: Request, caller: Caller, *, operation: str | None) -> JobView:
    """Cancel the job of the path, of this operation if one is named. Raises: NotFound."""
    job_id = path_id(request)
    found = await read_job(request.runtime, job_id, workspace_id=caller.workspace_id)
    if operation not in (None, found.operation):
        raise NotFound("There is no such job.")
    await in_thread(cancel_job, job_id, workspace_id=caller.workspace_id)
    return await read_job(request.runtime, job_id, workspace_id=caller.workspace_id)


async def events(request: Request) -> None:
    """Tell what happens to a job as it happens, as server-sent events, until it ends.

    `Last-Event-ID` goes on after an event that was seen.
    """
    async with entered(request, "jobs") as admitted:
        caller, job_id = admitted.caller, path_id(request)
        require_scope(caller, "jobs")
        after = _last_event(request)
        found = await read_job(request.runtime, job_id, workspace_id=caller.workspace_id)
        await request.read_body(0)
        headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]
        await request.start(200, headers)
        telling = asyncio.create_task(_tell(request, caller, found, after))
        leaving = asyncio.create_task(request.wait_for_disconnect())
        try:
            await asyncio.wait({telling, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if telling.done():
                await telling
        finally:
            for task in (telling, leaving):
                task.cancel()


def state_headers(request: Request, caller: Caller, found: JobView) -> Headers:
    """Say which state of the job this is, and when to look again."""
    headers: Headers = [(b"etag", _tag(caller, found)), (b"cache-control", b"private, no-cache")]
    if not found.is_final:
        headers.append((b"retry-after", b"2"))
    if found.sandbox:
        request.upstream = "sandbox"
        headers.append((b"x-studio-upstream", b"sandbox"))
    return headers


async def _read(request: Request, caller: Caller, job_id: UUID, wait_s: int) -> JobView:
    """Read a job; with a wait and `If-None-Match`, once it is another than that, else at its
    end.
    """
    runtime, workspace_id = request.runtime, caller.workspace_id
    found = await read_job(runtime, job_id, workspace_id=workspace_id)
    if not wait_s or found.is_final:
        return found
    seen = request.headers.get(b"if-none-match")
    if seen is None:
        return await wait_for_end(runtime, job_id, workspace_id=workspace_id, timeout_s=wait_s)
    if seen != _tag(caller, found):
        return found
    return await wait_for_change(
        runtime, job_id, workspace_id=workspace_id, version=found.version, timeout_s=wait_s
    )


async def _tell(request: Request, caller: Caller, found: JobView, after: int) -> None:
    runtime, workspace_id = request.runtime, caller.workspace_id
    ends_s = time.monotonic() + _LONGEST_WATCH_S
    while True:
        for event in await list_events(runtime, found.id, workspace_id=workspace_id, after=after):
            after = event.id
            await request.send(_event(event))
        if found.is_final or time.monotonic() > ends_s:
            break
        newer = await wait_for_change(
            runtime,
            found.id,
            workspace_id=workspace_id,
            version=found.version,
            timeout_s=_SIGN_OF_LIFE_S,
        )
        if newer.version == found.version:
            await request.send(b": still here\n\n")
        found = newer
    ended = msgspec.json.encode(_body(request, caller, found))
    await request.send(b"event: job\ndata: " + ended + b"\n\n")
    await request.send(b"", more=False)


def _event(event: JobHappening) -> bytes:
    data = msgspec.json.encode({"at": event.at, "what": event.what, **event.detail})
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event.id, event.what.encode(), data)


def _body(request: Request, caller: Caller, found: JobView) -> dict[str, object]:
    urls = file_urls(request, caller, found)
    return job_body(found, urls, base_url=base_url(request.raw_headers))


def _tag(caller: Caller, found: JobView) -> bytes:
    """Name a state of a job. The addresses in it are new at half their life, so is the name."""
    period_s = max(1, caller.asset_url_life_s // 2)
    return b'"%d-%d"' % (found.version, int(time.time()) // period_s if found.files else 0)


def _last_event(request: Request) -> int:
    header = request.headers.get(b"last-event-id", b"0").strip()
    if not header.isdigit() or len(header) > 18:  # noqa: PLR2004  a bigint's digits
        raise InvalidRequest("Last-Event-ID must be the id of an event of this job.")
    return int(header)


def _filter(query: QueryDict) -> JobFilter:
    """Read what to list, and one more than is shown, which tells whether more follow.

    Raises: InvalidRequest.
    """
    check_query(query, _LIST_QUERY)
    named = query.get("status")
    states = None if named is None else named.split(",")
    if states is not None and not set(states) <= set(_STATES):
        raise InvalidRequest(
            f"status: one or more of {', '.join(_STATES)}.", details={"param": "status"}
        )
    return JobFilter(
        states=states,
        operation=query.get("operation"),
        kind=query.get("kind"),
        app_id=query.get("app"),
        created_from=read_moment(query, "from"),
        created_before=read_moment(query, "to"),
        before=read_id(query.get("cursor"), "cursor"),
        limit=read_count(query, "limit", default=20, most=MOST_LISTED - 1) + 1,
    )
