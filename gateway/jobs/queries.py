"""What owners read of their jobs. No read asks a provider; another workspace's job is not found."""

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from gateway.jobs.desk import desk_of
from gateway.jobs.views import SELECT, JobView, view_of
from gateway.pool import borrowed
from gateway.runtime import Runtime
from studio.core.errors import NotFound

MOST_LISTED = 100
_READ = f"SELECT {SELECT} FROM gateway_job WHERE id = %s AND workspace_id = %s"  # noqa: S608  our words
_WANTED = {
    "states": "state = ANY (%(states)s)",
    "operation": "operation = %(operation)s",
    "kind": "kind = %(kind)s",
    "app_id": "app_id = %(app_id)s",
    "created_from": "created_at >= %(created_from)s",
    "created_before": "created_at < %(created_before)s",
    "before": "id < %(before)s",
}
_EVENTS = """
SELECT e.id, e.at, e.what, e.detail FROM gateway_jobevent e JOIN gateway_job j ON j.id = e.job_id
WHERE e.job_id = %s AND j.workspace_id = %s AND e.public AND e.id > %s ORDER BY e.id LIMIT %s
"""
_PROVIDER = "SELECT provider FROM gateway_call WHERE id = %s AND workspace_id = %s"
_MOST_EVENTS = 200


class JobFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which jobs to list; None leaves a field open. `before` is the cursor: the last id seen."""

    states: Sequence[str] | None = None
    operation: str | None = None
    kind: str | None = None
    app_id: str | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None
    before: UUID | None = None
    limit: int = 20


class JobHappening(msgspec.Struct, frozen=True):
    """One event of a job's public timeline; `id` grows."""

    id: int
    at: datetime
    what: str
    detail: dict[str, Any]


async def read_job(runtime: Runtime, job_id: UUID, *, workspace_id: int) -> JobView:
    """Read one job. Raises: NotFound, Unavailable."""
    async with borrowed(runtime.pool) as connection:
        cursor = await connection.execute(_READ, (job_id, workspace_id), prepare=True)
        row = await cursor.fetchone()
    if row is None:
        raise NotFound("There is no such job.")
    return view_of(row)


async def read_provider(runtime: Runtime, job_id: UUID, *, workspace_id: int) -> str:
    """Name the provider that made a job, for as long as its call is kept; else empty.

    Raises: Unavailable.
    """
    async with borrowed(runtime.pool) as connection:
        cursor = await connection.execute(_PROVIDER, (job_id, workspace_id))
        row = await cursor.fetchone()
    return row[0] if row is not None else ""


async def list_jobs(runtime: Runtime, *, workspace_id: int, wanted: JobFilter) -> list[JobView]:
    """List jobs, newest first; ids sort by time. Raises: Unavailable."""
    values = {
        name: list(value) if name == "states" else value
        for name, value in msgspec.structs.asdict(wanted).items()
        if value is not None
    }
    clauses = [
        "workspace_id = %(workspace_id)s",
        *(_WANTED[name] for name in values if name in _WANTED),
    ]
    query = f"SELECT {SELECT} FROM gateway_job WHERE {' AND '.join(clauses)}"  # noqa: S608  our words
    values |= {"workspace_id": workspace_id, "limit": min(wanted.limit, MOST_LISTED)}
    async with borrowed(runtime.pool) as connection:
        cursor = await connection.execute(f"{query} ORDER BY id DESC LIMIT %(limit)s", values)
        return [view_of(row) for row in await cursor.fetchall()]


async def list_events(
    runtime: Runtime, job_id: UUID, *, workspace_id: int, after: int = 0
) -> list[JobHappening]:
    """List what happened to a job after an event, oldest first. Raises: Unavailable."""
    async with borrowed(runtime.pool) as connection:
        cursor = await connection.execute(_EVENTS, (job_id, workspace_id, after, _MOST_EVENTS))
        return [JobHappening(*row) for row in await cursor.fetchall()]


async def wait_for_end(
    runtime: Runtime, job_id: UUID, *, workspace_id: int, timeout_s: float
) -> JobView:
    """Wait until a job has ended, or the time is over: look at `is_final`.

    Raises: NotFound, Unavailable.
    """
    job = await read_job(runtime, job_id, workspace_id=workspace_id)
    ends_s = time.monotonic() + timeout_s
    while not job.is_final and (left_s := ends_s - time.monotonic()) > 0:
        job = await wait_for_change(
            runtime, job_id, workspace_id=workspace_id, version=job.version, timeout_s=left_s
        )
    return job


async def wait_for_change(
    runtime: Runtime, job_id: UUID, *, workspace_id: int, version: int, timeout_s: float
) -> JobView:
    """Wait until a job is newer than `version`, or the time is over. Raises: NotFound,
    Unavailable.
    """
    ends_s = time.monotonic() + timeout_s
    async with desk_of(runtime).listener.watching(str(job_id)) as changed:
        while True:
            changed.clear()
            job = await read_job(runtime, job_id, workspace_id=workspace_id)
            left_s = ends_s - time.monotonic()
            if job.version > version or job.is_final or left_s <= 0:
                return job
            try:
                await asyncio.wait_for(changed.wait(), left_s)
            except TimeoutError:
                return job
