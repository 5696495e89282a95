"""A job from its hold to its files and its charge, by the sandbox's Replicate and ElevenLabs."""

import pytest
from pytest_django import Settings

from gateway.jobs.forgetting import forget_jobs, forget_requests
from gateway.jobs.invariants import find_job_violations
from gateway.jobs.repeating import NotRepeatable, repeat_job
from gateway.models import Asset, Job, JobRun
from gateway.operations.music import MusicRequest
from tests.gateway.job_stage import (
    GRANTED_UCR,
    PRO,
    JobStage,
    new_mark,
    own_keys,
    set_rows,
)

SCHNELL_CHARGE_UCR = 4_000_000
"""3 credits and 20 %, up to a whole credit."""
PRO_CHARGE_UCR = 48_000_000


def test_a_job_is_held_made_kept_and_charged_once(stage: JobStage) -> None:
    mark = new_mark()
    job_id = stage.begin(f"A cat {mark}")
    assert stage.balance() == (GRANTED_UCR - SCHNELL_CHARGE_UCR, SCHNELL_CHARGE_UCR)
    job = stage.drive(job_id)
    assert (job.state, job.made_count, job.progress) == ("succeeded", 1, 1.0)
    assert (job.charge_ucr, job.hold_ucr) == (SCHNELL_CHARGE_UCR, SCHNELL_CHARGE_UCR)
    assert stage.balance() == (GRANTED_UCR - SCHNELL_CHARGE_UCR, 0)
    asset = Asset.objects.get(job_id=job_id)
    assert str(asset.pk) == job.result[0]["asset_id"]
    assert (asset.width, asset.height) == (1024, 1024)
    assert stage.posted(mark) == 1
    [usage] = stage.usage()
    assert usage["request_id"] == job_id
    assert (usage["item_count"], usage["charge_ucr"]) == (1, SCHNELL_CHARGE_UCR)
    assert (usage["status"], usage["operation"], usage["provider"]) == (
        "succeeded",
        "image",
        "replicate",
    )
    told = [what for what in stage.timeline(job_id, public=True) if what != "progress"]
    assert told == ["created", "started", "succeeded"]


def test_what_a_model_makes_one_by_one_is_made_in_several_runs(stage: JobStage) -> None:
    job_id = stage.begin("A cat", count=3, model=PRO)
    assert list(JobRun.objects.filter(job=job_id).values_list("item_count", flat=True)) == [1, 1, 1]
    job = stage.drive(job_id)
    assert (job.state, job.made_count) == ("succeeded", 3)
    assert job.charge_ucr == job.hold_ucr == 3 * PRO_CHARGE_UCR
    assert [entry["kind"] for entry in stage.entries()] == ["usage"]


def test_music_is_made_by_one_long_call(stage: JobStage) -> None:
    job_id = stage.submit(
        MusicRequest(prompt="A waltz", duration_ms=5000), kind="music.default"
    ).job.id
    job = stage.drive(job_id)
    assert (job.state, job.made_count) == ("succeeded", 1)
    asset = Asset.objects.get(job_id=job_id)
    assert asset.media_type == "audio/mpeg"
    assert 5000 <= asset.media_ms <= 5027
    [usage] = stage.usage()
    assert (usage["media_ms"], usage["item_count"]) == (5000, 1)
    assert job.charge_ucr == usage["charge_ucr"] > 0


def test_a_refused_job_costs_nothing(stage: JobStage) -> None:
    job = stage.drive(stage.begin("[[sandbox fail=nsfw]]"))
    assert (job.state, job.failure_code, job.charge_ucr) == ("failed", "invalid_request_error", 0)
    assert stage.balance() == (GRANTED_UCR, 0)
    [usage] = stage.usage()
    assert (usage["status"], usage["charge_ucr"], usage["item_count"]) == ("failed", 0, 0)
    assert find_job_violations() == []


def test_of_a_partial_success_what_was_made_is_charged(stage: JobStage) -> None:
    job = stage.drive(stage.begin("A cat [[sandbox blocked=1]]", count=3))
    assert (job.state, job.item_count, job.made_count) == ("succeeded", 3, 2)
    assert (job.hold_ucr, job.charge_ucr) == (3 * SCHNELL_CHARGE_UCR, 2 * SCHNELL_CHARGE_UCR)
    assert stage.balance() == (GRANTED_UCR - 2 * SCHNELL_CHARGE_UCR, 0)


def test_of_several_runs_those_that_made_something_are_charged(stage: JobStage) -> None:
    mark = new_mark()
    job_id = stage.begin(f"[[sandbox status=422 times=1 tag={mark}]]", count=3, model=PRO)
    job = stage.drive(job_id)
    assert (job.state, job.made_count, job.charge_ucr) == ("succeeded", 2, 2 * PRO_CHARGE_UCR)
    assert stage.states(job_id) == ["failed", "succeeded", "succeeded"]
    assert find_job_violations() == []


def test_files_have_the_size_and_the_form_that_were_asked_for(stage: JobStage) -> None:
    job_id = stage.begin(width=300, height=200, exact_size=True, output_format="webp")
    [file] = stage.drive(job_id).result
    assert (file["width"], file["height"], file["media_type"]) == (300, 200, "image/webp")


def test_a_job_by_a_key_of_the_user_holds_and_costs_nothing(stage: JobStage) -> None:
    job_id = stage.begin(user_keys=own_keys(replicate="r8_of_the_user"))
    job = Job.objects.get(pk=job_id)
    assert (job.billing, job.hold_ucr) == ("byok", 0)
    assert job.user_keys is not None
    assert b"r8_of_the_user" not in bytes(job.user_keys)
    assert stage.balance() == (GRANTED_UCR, 0)
    job = stage.drive(job_id)
    assert (job.state, job.made_count, job.charge_ucr, job.user_keys) == ("succeeded", 1, 0, None)
    assert stage.entries() == []
    [usage] = stage.usage()
    assert (usage["billing"], usage["charge_ucr"], usage["cost_ucr"]) == ("byok", 0, 0)
    assert find_job_violations() == []


def test_a_user_s_key_that_is_refused_is_not_replaced_by_ours(stage: JobStage) -> None:
    mark = new_mark()
    job = stage.drive(stage.begin(mark, user_keys=own_keys(replicate="invalid")))
    assert (job.state, job.failure_code, job.failure_status) == ("failed", "user_key_refused", 401)
    assert stage.posted(mark) == 1
    assert stage.entries() == []


def test_a_request_is_gone_when_its_job_succeeded_and_a_day_after_it_failed(
    stage: JobStage,
) -> None:
    done = stage.drive(stage.begin())
    failed = stage.drive(stage.begin("[[sandbox fail=memory]]"))
    assert (done.request, failed.failure_code) == (None, "upstream_error")
    assert failed.request is not None
    forget_requests()
    assert Job.objects.get(pk=failed.pk).request is not None
    set_rows(
        "UPDATE gateway_job SET finished_at = now() - interval '25 hours' WHERE id = %s", failed.pk
    )
    forget_requests()
    assert Job.objects.get(pk=failed.pk).request is None


def test_jobs_are_forgotten_after_their_days_with_all_that_belongs_to_them(
    stage: JobStage, settings: Settings
) -> None:
    job = stage.drive(stage.begin())
    waiting = stage.begin()
    forget_jobs()
    assert Job.objects.filter(pk=job.pk).exists()
    settings.JOBS_KEPT_DAYS = -1
    forget_jobs()
    assert not Job.objects.filter(pk=job.pk).exists()
    assert not JobRun.objects.filter(job=job.pk).exists()
    assert Job.objects.filter(pk=waiting).exists()
    assert len(stage.usage()) == 1
    stage.drive(waiting)


def test_a_failed_job_is_repeated_as_a_new_one_with_its_own_hold(stage: JobStage) -> None:
    mark = new_mark()
    prompt = f"[[sandbox fail=memory times=1 tag={mark}]] {mark}"
    failed = stage.drive(stage.begin(prompt))
    again = repeat_job(failed.pk, by="staff")
    assert stage.balance() == (GRANTED_UCR - SCHNELL_CHARGE_UCR, SCHNELL_CHARGE_UCR)
    assert stage.drive(again).charge_ucr == SCHNELL_CHARGE_UCR
    assert Job.objects.get(pk=failed.pk).state == "failed"
    assert [entry["kind"] for entry in stage.entries()] == ["void", "usage"]
    with pytest.raises(NotRepeatable):
        repeat_job(again, by="staff")
