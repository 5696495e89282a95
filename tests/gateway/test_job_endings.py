"""How jobs end that do not just succeed: cancelled, late, their files gone; and each only once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import psycopg
import pytest
from django.db import connection

from billing.services import lapse_overdue_holds
from gateway.jobs.cancelling import cancel_job
from gateway.jobs.invariants import find_job_violations
from gateway.jobs.sweeping import expire_overdue_jobs
from gateway.jobs.working import work_on_run
from gateway.models import Asset, Job, JobRun
from gateway.resolver import resolve_dead_calls
from studio.core.errors import NotFound
from tests.databases import Database, rows
from tests.gateway.job_stage import (
    GRANTED_UCR,
    PRO,
    JobStage,
    make_stage,
    new_mark,
    set_rows,
)

SCHNELL_UCR = 4_000_000
PRO_UCR = 48_000_000
UNTOUCHED = (GRANTED_UCR, 0)
OVERDUE = "UPDATE gateway_job SET deadline_at = now() - interval '1 second' WHERE id = %s"
LONG = "[[sandbox starting_ms=60000]]"


def test_a_job_that_nobody_began_is_cancelled_at_once(stage: JobStage) -> None:
    mark = new_mark()
    job_id = stage.begin(mark)
    cancel_job(job_id, workspace_id=stage.workspace_id)
    job = Job.objects.get(pk=job_id)
    assert (job.state, job.charge_ucr, job.user_keys, job.request) == ("canceled", 0, None, None)
    assert stage.balance() == UNTOUCHED
    assert stage.posted(mark) == 0
    assert stage.usage()[0]["status"] == "cancelled"
    assert find_job_violations() == []


def test_cancelling_twice_or_after_the_end_changes_nothing(stage: JobStage) -> None:
    job_id = stage.begin()
    cancel_job(job_id, workspace_id=stage.workspace_id)
    before = rows("SELECT * FROM gateway_job WHERE id = %s", job_id)
    cancel_job(job_id, workspace_id=stage.workspace_id)
    assert rows("SELECT * FROM gateway_job WHERE id = %s", job_id) == before
    done = stage.drive(stage.begin())
    cancel_job(done.pk, workspace_id=stage.workspace_id)
    assert Job.objects.get(pk=done.pk).cancel_requested_at is None
    assert stage.balance() == (GRANTED_UCR - SCHNELL_UCR, 0)


def test_another_workspace_s_job_is_not_found_and_goes_on(
    stage: JobStage, sandbox_url: str
) -> None:
    job_id = stage.begin()
    with pytest.raises(NotFound):
        cancel_job(job_id, workspace_id=make_stage(sandbox_url).workspace_id)
    assert Job.objects.get(pk=job_id).cancel_requested_at is None
    assert stage.drive(job_id).state == "succeeded"


def test_a_job_that_the_provider_ended_before_it_began_is_cancelled_free(stage: JobStage) -> None:
    mark = new_mark()
    job_id = stage.begin(f"{mark} [[sandbox fail=aborted starting_ms=300 running_ms=0]]")
    stage.step(job_id)
    stage.wait_for_prediction(mark, "aborted")
    cancel_job(job_id, workspace_id=stage.workspace_id)
    assert Job.objects.get(pk=job_id).state == "running"
    job = stage.drive(job_id)
    assert (job.state, job.charge_ucr, job.made_count) == ("canceled", 0, 0)
    assert stage.balance() == UNTOUCHED


def test_a_job_that_the_provider_bills_though_cancelled_is_charged_within_its_hold(
    stage: JobStage,
) -> None:
    job_id = stage.begin("[[sandbox starting_ms=0 running_ms=60000]]", count=2)
    stage.step(job_id)
    cancel_job(job_id, workspace_id=stage.workspace_id)
    job = stage.drive(job_id)
    assert (job.state, job.charge_ucr, job.hold_ucr) == ("canceled", 8_000_000, 8_000_000)
    assert stage.balance() == (GRANTED_UCR - 8_000_000, 0)
    assert stage.usage()[0]["status"] == "cancelled"
    assert find_job_violations() == []


def test_what_is_done_before_the_cancel_arrives_is_delivered(stage: JobStage) -> None:
    job_id = stage.begin("[[sandbox starting_ms=0 running_ms=0]]")
    stage.step(job_id)
    cancel_job(job_id, workspace_id=stage.workspace_id)
    job = stage.drive(job_id)
    assert (job.state, job.made_count, job.charge_ucr) == ("succeeded", 1, SCHNELL_UCR)


def test_of_a_cancelled_job_the_runs_that_were_done_are_kept_and_charged(stage: JobStage) -> None:
    job_id = stage.begin("[[sandbox starting_ms=0 running_ms=0]]", count=2, model=PRO)
    [first, _] = stage.make_due(job_id)
    work_on_run(first)
    set_rows("UPDATE gateway_jobrun SET next_at = now() WHERE id = %s", first)
    work_on_run(first)
    assert stage.states(job_id) == ["succeeded", "queued"]
    cancel_job(job_id, workspace_id=stage.workspace_id)
    job = Job.objects.get(pk=job_id)
    assert (job.state, job.made_count, job.charge_ucr) == ("canceled", 1, PRO_UCR)
    assert stage.balance() == (GRANTED_UCR - PRO_UCR, 0)


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_a_job_past_its_deadline_is_ended_by_the_sweep_alone(stage: JobStage, steps: int) -> None:
    job_id = stage.begin(LONG)
    for _ in range(steps):
        stage.step(job_id)
    set_rows(OVERDUE, job_id)
    assert expire_overdue_jobs() == 1
    assert expire_overdue_jobs() == 0
    job = Job.objects.get(pk=job_id)
    assert (job.state, job.failure_code, job.failure_status) == (
        "expired",
        "deadline_exceeded",
        504,
    )
    assert stage.balance() == UNTOUCHED
    assert stage.usage()[0]["cost_ucr"] == (3_000_000 if steps else 0)
    stage.step(job_id)
    assert find_job_violations() == []


@pytest.mark.parametrize("state", ["submitting", "unknown", "running", "storing"])
def test_whatever_a_run_was_at_it_ends_with_its_job(stage: JobStage, state: str) -> None:
    job_id = stage.begin(LONG)
    set_rows(
        "UPDATE gateway_jobrun SET state = %s, fence = 3, lease_until = now() + interval '1 hour',"
        " next_at = now() + interval '1 hour', submitted_at = now() WHERE job_id = %s",
        state,
        job_id,
    )
    set_rows(
        "UPDATE gateway_job SET state = 'running', deadline_at = now() - interval '61 seconds'"
        " WHERE id = %s",
        job_id,
    )
    expire_overdue_jobs()
    assert Job.objects.get(pk=job_id).state == "expired"
    assert stage.states(job_id) == ["failed"]
    assert stage.balance() == UNTOUCHED


def test_files_that_are_being_fetched_have_a_minute_beyond_the_deadline(stage: JobStage) -> None:
    job_id = stage.begin(LONG)
    set_rows("UPDATE gateway_jobrun SET state = 'storing' WHERE job_id = %s", job_id)
    set_rows("UPDATE gateway_job SET state = 'running' WHERE id = %s", job_id)
    set_rows(OVERDUE, job_id)
    assert expire_overdue_jobs() == 0


def test_what_was_made_by_the_deadline_is_delivered_and_charged(stage: JobStage) -> None:
    job_id = stage.begin("[[sandbox starting_ms=0 running_ms=0]]", count=2, model=PRO)
    [first, _] = stage.make_due(job_id)
    for _ in range(2):
        set_rows("UPDATE gateway_jobrun SET next_at = now() WHERE id = %s", first)
        work_on_run(first)
    set_rows(OVERDUE, job_id)
    expire_overdue_jobs()
    job = Job.objects.get(pk=job_id)
    assert (job.state, job.made_count, job.charge_ucr) == ("succeeded", 1, PRO_UCR)


def test_a_job_whose_file_is_gone_costs_nothing_and_its_cost_is_ours(stage: JobStage) -> None:
    job = stage.drive(stage.begin("[[sandbox status=404 at=file]]"))
    assert (job.state, job.failure_code) == ("failed", "upstream_error")
    assert stage.balance() == UNTOUCHED
    assert stage.usage()[0]["cost_ucr"] == 3_000_000


def test_a_file_that_does_not_come_at_once_is_fetched_again(stage: JobStage) -> None:
    mark = new_mark()
    job_id = stage.begin(f"[[sandbox status=500 at=file times=2 tag={mark}]]")
    job = stage.drive(job_id)
    assert (job.state, job.charge_ucr) == ("succeeded", SCHNELL_UCR)
    assert Asset.objects.filter(job_id=job_id).count() == 1


def test_a_worker_that_dies_with_an_answer_in_hand_leaves_the_rest_to_the_next(
    stage: JobStage,
) -> None:
    mark = new_mark()
    prompt = f"{mark} [[sandbox starting_ms=0 running_ms=0 status=500 at=file times=3 tag={mark}]]"
    job_id = stage.begin(prompt)
    stage.step(job_id)
    assert stage.states(job_id) == ["storing"]
    run = JobRun.objects.get(job=job_id)
    assert run.answer is not None
    assert b"http" not in bytes(run.answer)
    set_rows(
        "UPDATE gateway_jobrun SET fence = fence + 1, lease_until = now() - interval '1 second'"
        " WHERE job_id = %s",
        job_id,
    )
    set_rows("UPDATE gateway_jobrun SET lease_until = NULL WHERE job_id = %s", job_id)
    assert stage.drive(job_id).state == "succeeded"
    assert stage.posted(mark) == 1


def test_many_who_end_a_job_at_once_end_it_once(stage: JobStage) -> None:
    job_id = stage.begin(count=4, model=PRO)
    set_rows(OVERDUE, job_id)
    start = Barrier(8)

    def end(number: int) -> None:
        start.wait()
        try:
            if number % 2:
                expire_overdue_jobs()
            else:
                cancel_job(job_id, workspace_id=None)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(end, range(8)))
    assert Job.objects.get(pk=job_id).state in ("expired", "canceled")
    assert [entry["kind"] for entry in stage.entries()] == ["void"]
    assert len(stage.usage()) == 1
    assert stage.balance() == UNTOUCHED
    assert find_job_violations() == []


def test_the_resolver_of_dead_calls_leaves_jobs_alone(stage: JobStage) -> None:
    job_id = stage.begin()
    assert resolve_dead_calls() == 0
    assert Job.objects.get(pk=job_id).state == "queued"
    assert stage.drive(job_id).state == "succeeded"


def test_after_the_ledger_let_go_of_a_hold_a_late_end_charges_nothing(
    stage: JobStage, job_server: Database
) -> None:
    job_id = stage.begin()
    with psycopg.connect(job_server.owner_url, autocommit=True) as owner:
        owner.execute(
            "UPDATE ledger.hold SET expires_at = now() - interval '1 minute' WHERE id = %s",
            (job_id,),
        )
    lapse_overdue_holds()
    job = stage.drive(job_id)
    assert (job.state, job.charge_ucr) == ("succeeded", 0)
    assert stage.balance() == UNTOUCHED
    assert [entry["kind"] for entry in stage.entries()] == ["lapse"]
