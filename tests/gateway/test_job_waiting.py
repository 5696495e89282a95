"""Waiting for a job: told by the database, over one connection, and not lost with it."""

import asyncio
from uuid import UUID

import pytest
from asgiref.sync import sync_to_async
from django.db import connection

from gateway.jobs.queries import list_events, wait_for_change, wait_for_end
from gateway.models import Job
from gateway.runtime import Runtime
from studio.core.errors import NotFound
from tests.gateway.job_stage import JobStage, set_rows

DROP_LISTENERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'studio-job-waits'
  AND datname = current_database()
"""


async def drive(stage: JobStage, job_id: UUID) -> Job:
    """Let the job be made in a thread, as workers would."""

    def work() -> Job:
        try:
            return stage.drive(job_id)
        finally:
            connection.close()

    return await sync_to_async(work, thread_sensitive=False)()


def test_who_waits_hears_of_the_end(stage: JobStage) -> None:
    job_id = stage.begin()

    async def walk(runtime: Runtime) -> None:
        waits = [
            wait_for_end(runtime, job_id, workspace_id=stage.workspace_id, timeout_s=30)
            for _ in range(20)
        ]
        making = asyncio.create_task(drive(stage, job_id))
        ended = await asyncio.gather(*waits)
        await making
        assert {job.state for job in ended} == {"succeeded"}
        assert len(ended[0].files) == 1
        happened = await list_events(runtime, job_id, workspace_id=stage.workspace_id)
        assert [event.what for event in happened if event.what != "progress"] == [
            "created",
            "started",
            "succeeded",
        ]
        rest = await list_events(
            runtime, job_id, workspace_id=stage.workspace_id, after=happened[-1].id
        )
        assert rest == []

    stage.run(walk)


def test_who_waits_for_a_change_hears_of_the_next_version(stage: JobStage) -> None:
    job_id = stage.begin("[[sandbox starting_ms=60000]]")

    async def walk(runtime: Runtime) -> None:
        wait = asyncio.create_task(
            wait_for_change(
                runtime, job_id, workspace_id=stage.workspace_id, version=1, timeout_s=30
            )
        )
        await sync_to_async(step, thread_sensitive=False)()
        job = await wait
        assert (job.state, job.version) == ("running", 2)

    def step() -> None:
        try:
            stage.step(job_id)
        finally:
            connection.close()

    stage.run(walk)


def test_a_wait_that_is_over_gives_the_job_as_it_is(stage: JobStage) -> None:
    job_id = stage.begin()

    async def walk(runtime: Runtime) -> None:
        job = await wait_for_end(runtime, job_id, workspace_id=stage.workspace_id, timeout_s=0.05)
        assert job.state == "queued"
        stranger = stage.workspace_id + 1
        with pytest.raises(NotFound):
            await wait_for_end(runtime, job_id, workspace_id=stranger, timeout_s=5)

    stage.run(walk)


def test_a_lost_connection_loses_nobody_s_wait(stage: JobStage) -> None:
    job_id = stage.begin()

    async def walk(runtime: Runtime) -> None:
        wait = asyncio.create_task(
            wait_for_end(runtime, job_id, workspace_id=stage.workspace_id, timeout_s=30)
        )
        while not await sync_to_async(drop_listeners, thread_sensitive=False)():
            await asyncio.sleep(0)
        await drive(stage, job_id)
        assert (await wait).state == "succeeded"

    stage.run(walk)


def drop_listeners() -> int:
    """End the connections that listen. Returns: how many."""
    try:
        return set_rows(DROP_LISTENERS)
    finally:
        connection.close()
