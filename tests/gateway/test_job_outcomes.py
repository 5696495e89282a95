"""A submission is sent once, whatever is lost on the way: its answer, its worker, a message."""

import json
from uuid import UUID

import pytest
from django.db import transaction
from pytest_django import Settings

from gateway.jobs.addresses import callback_url
from gateway.jobs.callbacks import ProviderMessage, take_message
from gateway.jobs.ending import RunEnd, finish_run
from gateway.jobs.invariants import find_job_violations
from gateway.jobs.leases import lease_run
from gateway.jobs.transitions import begin_submission
from gateway.jobs.working import work_on_run
from gateway.models import Job, JobRun
from gateway.reconcile import find_violations, reconcile_all, reconcile_since_last
from gateway.routing import Upstreams
from studio.core.errors import NotFound, Unauthenticated
from tests.gateway.job_stage import (
    GRANTED_UCR,
    JobStage,
    new_mark,
    set_rows,
)

PAID = (GRANTED_UCR - 4_000_000, 0)
SCHNELL_COST_UCR = 3_000_000


@pytest.mark.parametrize("fault", ["status=503", "status=429", "status=429 retry_after=1"])
def test_a_submission_that_was_certainly_refused_is_sent_again(stage: JobStage, fault: str) -> None:
    mark = new_mark()
    job_id = stage.begin(f"{mark} [[sandbox {fault} times=2 tag={mark}]]")
    job = stage.drive(job_id)
    assert (job.state, stage.posted(mark)) == ("succeeded", 3)
    assert stage.balance() == PAID
    [usage] = stage.usage()
    assert usage["attempts"] == 3
    assert len(json.loads(usage["attempt_log"])) == 2


def test_after_four_refusals_a_job_fails(stage: JobStage) -> None:
    mark = new_mark()
    job = stage.drive(stage.begin(f"{mark} [[sandbox status=503 times=9 tag={mark}]]"))
    assert (job.state, job.failure_code, stage.posted(mark)) == ("failed", "upstream_error", 4)
    assert stage.balance() == (GRANTED_UCR, 0)
    assert stage.usage()[0]["cost_ucr"] == 0


@pytest.mark.parametrize(
    "fault", ["drop", "cut_at=20", "html", "wrong_json", "empty", "status=500 code=begun"]
)
def test_a_submission_that_may_have_begun_is_never_sent_again(stage: JobStage, fault: str) -> None:
    mark = new_mark()
    job_id = stage.begin(f"{mark} [[sandbox {fault}]]")
    job = stage.drive(job_id)
    for run in JobRun.objects.filter(job=job_id):
        work_on_run(run.pk)
    assert (job.state, stage.posted(mark)) == ("failed", 1)
    assert stage.balance() == (GRANTED_UCR, 0)
    [usage] = stage.usage()
    unanswered = "status" not in fault
    assert usage["cost_ucr"] == SCHNELL_COST_UCR
    assert (job.failure_code == "outcome_unknown") == unanswered
    assert find_job_violations() == []


def message_for(job_id: UUID, body: bytes, *, signature: str | None = None) -> ProviderMessage:
    """Write what the provider would tell us of a job's one run."""
    run = JobRun.objects.get(job=job_id)
    address = callback_url(Upstreams().get("replicate"), run.pk)
    return ProviderMessage(
        provider="replicate",
        run_id=run.pk,
        signature=signature or address.rpartition(".")[2],
        headers={},
        body=body,
    )


def test_a_lost_answer_is_made_good_by_the_provider_s_word(
    stage: JobStage, settings: Settings
) -> None:
    settings.PUBLIC_URL = "http://127.0.0.1:9"
    mark = new_mark()
    job_id = stage.begin(f"{mark} [[sandbox drop webhooks=none]]")
    stage.step(job_id)
    assert stage.states(job_id) == ["unknown"]
    stage.step(job_id)
    assert stage.states(job_id) == ["unknown"]
    [prediction] = [entry for entry in stage.journal() if mark in str(entry)]
    assert prediction["path"].endswith("/predictions")
    known = stage.last_prediction(mark)
    take_message(message_for(job_id, known))
    assert JobRun.objects.get(job=job_id).upstream_id != ""
    job = stage.drive(job_id)
    assert (job.state, stage.posted(mark)) == ("succeeded", 1)
    assert stage.balance() == PAID


def test_what_the_provider_never_tells_ends_after_three_minutes_as_our_loss(
    stage: JobStage, settings: Settings
) -> None:
    settings.PUBLIC_URL = "http://127.0.0.1:9"
    mark = new_mark()
    job_id = stage.begin(f"{mark} [[sandbox drop webhooks=none]]")
    stage.step(job_id)
    set_rows(
        "UPDATE gateway_jobrun SET submitted_at = now() - interval '181 seconds' WHERE job_id = %s",
        job_id,
    )
    job = stage.drive(job_id)
    assert (job.state, job.failure_code, job.failure_status) == ("failed", "outcome_unknown", 502)
    assert stage.balance() == (GRANTED_UCR, 0)
    assert stage.usage()[0]["cost_ucr"] == SCHNELL_COST_UCR
    assert stage.posted(mark) == 1


def test_a_run_whose_worker_died_while_sending_is_not_sent_again(stage: JobStage) -> None:
    mark = new_mark()
    job_id = stage.begin(mark)
    set_rows(
        "UPDATE gateway_jobrun SET state = 'submitting', attempts = 1, fence = 1,"
        " submitted_at = now() - interval '1 minute' WHERE job_id = %s",
        job_id,
    )
    job = stage.drive(job_id)
    assert (job.state, job.failure_code, stage.posted(mark)) == ("failed", "outcome_unknown", 0)
    assert stage.balance() == (GRANTED_UCR, 0)


def test_messages_that_come_five_times_change_nothing(stage: JobStage) -> None:
    mark = new_mark()
    job_id = stage.begin(f"[[sandbox starting_ms=0 running_ms=0]] {mark}")
    for _ in range(20):
        runs = stage.make_due(job_id)
        for run_id in runs * 5:
            work_on_run(run_id)
        if Job.objects.get(pk=job_id).state == "succeeded":
            break
    for run in JobRun.objects.filter(job=job_id):
        for _ in range(5):
            work_on_run(run.pk)
    assert stage.posted(mark) == 1
    assert stage.balance() == PAID
    assert [entry["kind"] for entry in stage.entries()] == ["usage"]
    assert len(stage.usage()) == 1


def test_an_address_that_is_not_ours_is_not_found(stage: JobStage, settings: Settings) -> None:
    settings.PUBLIC_URL = "http://127.0.0.1:9"
    job_id = stage.begin("[[sandbox starting_ms=60000]]")
    stage.step(job_id)
    before = JobRun.objects.get(job=job_id)
    with pytest.raises(NotFound):
        take_message(message_for(job_id, b"{}", signature="0" * 40))
    assert JobRun.objects.get(job=job_id).next_at == before.next_at
    take_message(message_for(job_id, b"not json"))
    assert JobRun.objects.get(job=job_id).next_at < before.next_at


def test_where_we_know_the_provider_s_secret_its_signature_counts(
    stage: JobStage, settings: Settings
) -> None:
    settings.PUBLIC_URL = "http://127.0.0.1:9"
    settings.PROVIDER_WEBHOOK_SECRETS = {"replicate": "whsec_c29tZXRoaW5nIGVsc2U="}
    job_id = stage.begin("[[sandbox starting_ms=60000]]")
    stage.step(job_id)
    before = JobRun.objects.get(job=job_id)
    with pytest.raises(Unauthenticated):
        take_message(message_for(job_id, b"{}"))
    assert JobRun.objects.get(job=job_id).next_at == before.next_at


def test_a_worker_that_was_overtaken_cannot_write(stage: JobStage) -> None:
    job_id = stage.begin("[[sandbox latency_ms=0]]")
    [run_id] = stage.make_due(job_id)
    stale = lease_run(run_id)
    assert stale is not None
    stage.make_due(job_id)
    set_rows("UPDATE gateway_jobrun SET next_at = now(), lease_until = NULL WHERE id = %s", run_id)
    job = stage.drive(job_id)
    assert job.state == "succeeded"
    lost = RunEnd(state=JobRun.State.FAILED, cost_ucr=7)
    assert finish_run(stale.run_id, stale.job_id, stale.fence, lost) is False
    assert begin_submission(stale, calls_back=False) is False
    assert Job.objects.get(pk=job_id).state == "succeeded"
    assert stage.balance() == PAID


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (
            "UPDATE gateway_job SET charge_ucr = charge_ucr - 1 WHERE id = %s",
            "job and ledger differ",
        ),
        ("UPDATE gateway_jobrun SET state = 'running' WHERE job_id = %s", "ended with a run open"),
        ("UPDATE gateway_job SET made_count = 0 WHERE id = %s", "succeeded without a file"),
        ("DELETE FROM gateway_asset WHERE job_id = %s", "file is not ours"),
    ],
)
def test_a_job_that_was_bent_by_hand_is_found_by_both_checks(
    stage: JobStage, damage: str, found: str
) -> None:
    assert reconcile_all() == []
    job_id = stage.begin()
    stage.drive(job_id)
    assert reconcile_since_last() == []
    with transaction.atomic():
        assert set_rows(damage, job_id) == 1
        for check in (find_violations, reconcile_since_last):
            [violation] = [one for one in check() if one.source == "jobs"]
            assert found in violation.text
            assert str(job_id) in violation.text
        transaction.set_rollback(True)
    assert reconcile_since_last() == []
