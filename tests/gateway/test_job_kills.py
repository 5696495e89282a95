"""Workers killed in the middle of a run, and a broker that forgets everything: every job ends, sent
once and charged at most once.

The long version is `manage.py torture jobs`. Here the lease of the dead is ended by the test,
because nobody wants to wait a minute for it.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest
import redis
from django.db import connection

from gateway.jobs.invariants import find_job_violations
from gateway.jobs.repeating import repeat_job
from gateway.jobs.ringing import ring
from gateway.models import Asset, Job, JobRun
from studio.supervisor.processes import Child
from tests.databases import Database, Facts
from tests.gateway.job_pictures import fit_request, inpaint, kept_inputs
from tests.gateway.job_stage import (
    GRANTED_UCR,
    JobStage,
    new_mark,
    run_media_worker,
    set_rows,
)

PAID = (GRANTED_UCR - 4_000_000, 0)
MOST_LOOKS = 20_000


@pytest.fixture
def start_worker(
    job_server: Database, sandbox_url: str, server_facts: Facts, tmp_path: Path
) -> Iterator[Callable[[], Child]]:
    """Start workers for media, and end what is left of them."""
    started: list[Child] = []

    def start() -> Child:
        worker = run_media_worker(
            tmp_path,
            {
                "DATABASE_URL": job_server.app_url,
                "REDIS_URL": server_facts.redis_url,
                "SANDBOX_URL": sandbox_url,
            },
        )
        started.append(worker)
        return worker

    yield start
    for worker in started:
        kill(worker)


def kill(worker: Child) -> None:
    """End a worker as a crash would."""
    worker.process.kill()
    worker.process.wait()


def look_until(reached: Callable[[], object]) -> None:
    """Look, and ring for what is due, until it is so."""
    for _ in range(MOST_LOOKS):
        if reached():
            return
        ring()
        connection.close()
    raise AssertionError("never reached")


def end_leases(job_id: UUID) -> None:
    """Let a minute pass for whoever died."""
    set_rows(
        "UPDATE gateway_jobrun SET lease_until = now(), next_at = now(), rung_until = NULL"
        " WHERE job_id = %s AND lease_until IS NOT NULL",
        job_id,
    )


@pytest.mark.parametrize(
    "case",
    [
        ("submitting", "latency_ms=4000", "failed", (GRANTED_UCR, 0)),
        ("running", "starting_ms=1500", "succeeded", PAID),
        ("storing", "at=file latency_ms=4000", "succeeded", PAID),
    ],
    ids=lambda case: case[0],
)
def test_a_killed_worker_leaves_a_job_that_ends(
    stage: JobStage,
    start_worker: Callable[[], Child],
    case: tuple[str, str, str, tuple[int, int]],
) -> None:
    state, fault, end, balance = case
    mark = new_mark()
    worker = start_worker()
    job_id = stage.begin(f"{mark} [[sandbox {fault}]]")
    look_until(lambda: stage.states(job_id) == [state])
    kill(worker)
    end_leases(job_id)
    start_worker()
    look_until(lambda: Job.objects.get(pk=job_id).state in Job.FINAL)
    assert Job.objects.get(pk=job_id).state == end
    assert stage.balance() == balance
    assert stage.posted(mark) <= 1
    assert len(stage.usage()) == 1
    assert find_job_violations() == []


def test_a_broker_that_forgets_everything_loses_no_job(
    stage: JobStage, start_worker: Callable[[], Child], server_facts: Facts
) -> None:
    job_ids = [stage.begin() for _ in range(4)]
    with redis.Redis.from_url(server_facts.redis_url) as client:
        client.flushdb()
    set_rows("UPDATE gateway_jobrun SET rung_until = NULL WHERE state = 'queued'")
    start_worker()
    look_until(lambda: not Job.objects.filter(pk__in=job_ids).exclude(state="succeeded").exists())
    assert stage.balance() == (GRANTED_UCR - 4 * 4_000_000, 0)
    assert find_job_violations() == []


def test_a_worker_killed_with_pictures_in_hand_loses_none_of_them(
    stage: JobStage, start_worker: Callable[[], Child]
) -> None:
    mark = new_mark()
    worker = start_worker()
    request = inpaint(f"{mark} [[sandbox latency_ms=4000]]")
    job_id = stage.submit(request, kind="edit.inpaint").job.id
    look_until(lambda: stage.states(job_id) == ["submitting"])
    kill(worker)
    assert len(kept_inputs(job_id)) == 2
    end_leases(job_id)
    start_worker()
    look_until(lambda: Job.objects.get(pk=job_id).state in Job.FINAL)
    job = Job.objects.get(pk=job_id)
    assert (job.state, job.failure_code, stage.balance()) == (
        "failed",
        "outcome_unknown",
        (GRANTED_UCR, 0),
    )
    assert stage.posted(mark) <= 1
    assert len(kept_inputs(job_id)) == 2
    again_id = repeat_job(job_id, by="somebody")
    look_until(lambda: Job.objects.get(pk=again_id).state in Job.FINAL)
    assert Job.objects.get(pk=again_id).state == "succeeded"
    assert kept_inputs(again_id) == []
    assert find_job_violations() == []


def test_work_of_our_own_is_done_again_after_a_killed_worker(
    stage: JobStage, start_worker: Callable[[], Child]
) -> None:
    worker = start_worker()
    job_id = stage.submit(fit_request(targets=20), kind="fit.social").job.id
    look_until(lambda: JobRun.objects.get(job=job_id).attempts == 1)
    kill(worker)
    end_leases(job_id)
    start_worker()
    look_until(lambda: Job.objects.get(pk=job_id).state in Job.FINAL)
    job = Job.objects.get(pk=job_id)
    assert (job.state, job.made_count, stage.balance()) == ("succeeded", 20, (GRANTED_UCR, 0))
    assert Asset.objects.filter(job_id=job_id, is_input=False).count() == 20
    assert kept_inputs(job_id) == []
    assert find_job_violations() == []
