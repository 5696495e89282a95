"""Pictures that come with a request: kept for their job, read by who works on it, gone with it."""

import dataclasses
import io

import msgspec
import pytest
from PIL import Image
from pytest_django import Settings

from gateway.errors import InsufficientCredits
from gateway.idempotency import Claim
from gateway.jobs.forgetting import forget_requests
from gateway.jobs.invariants import find_job_violations
from gateway.jobs.leases import lease_run
from gateway.jobs.repeating import NotRepeatable, repeat_job
from gateway.media.inputs import inputs_of, take_input, with_data
from gateway.media.queries import read_asset, read_bytes
from gateway.media.services import drop
from gateway.media.works import ImageWork
from gateway.models import Asset, Job
from gateway.operations.image_edit import ImageEditRequest
from gateway.operations.image_fit import FitTarget, ImageFitRequest
from gateway.operations.image_input import ImageInput
from studio.core.errors import Forbidden
from tests.gateway.hostile_images import noise
from tests.gateway.job_pictures import fit_request, inpaint, kept_inputs
from tests.gateway.job_stage import (
    GRANTED_UCR,
    PRO,
    JobStage,
    make_stage,
    new_mark,
    set_rows,
)

INPAINT = "edit.inpaint"
HOUR_S = 3600


def test_work_of_our_own_needs_no_provider_and_costs_nothing(
    stage: JobStage, settings: Settings
) -> None:
    settings.SANDBOX_URL = ""
    job_id = stage.submit(fit_request(targets=3), kind="fit.social").job.id
    job = stage.drive(job_id)
    assert (job.state, job.made_count, job.charge_ucr) == ("succeeded", 3, 0)
    sizes = [(file["width"], file["height"], file["media_type"]) for file in job.result]
    assert sizes == [(100, 100, "image/png"), (101, 100, "image/png"), (102, 100, "image/png")]
    for file in job.result:
        with Image.open(io.BytesIO(read_bytes(Asset.objects.get(pk=file["asset_id"])))) as made:
            assert made.size == (file["width"], file["height"])
    assert stage.balance() == (GRANTED_UCR, 0)
    [usage] = stage.usage()
    assert (usage["status"], usage["charge_ucr"], usage["item_count"]) == ("succeeded", 0, 3)
    assert (usage["provider"], usage["operation"]) == ("studio", "image_fit")
    told = [what for what in stage.timeline(job_id, public=True) if what != "progress"]
    assert told == ["created", "started", "succeeded"]
    assert find_job_violations() == []


def test_of_work_that_cannot_be_done_nothing_is_kept_or_charged(stage: JobStage) -> None:
    request = ImageFitRequest(
        image=take_input(noise((400, 300)), ImageWork()),
        targets=(FitTarget(width=400, height=300, most_bytes=50),),
    )
    job = stage.drive(stage.submit(request, kind="fit.social").job.id)
    assert (job.state, job.failure_code, job.failure_status) == (
        "failed",
        "invalid_request_error",
        400,
    )
    assert not Asset.objects.filter(job_id=job.pk, is_input=False).exists()
    assert stage.balance() == (GRANTED_UCR, 0)


def test_inputs_are_kept_with_their_job_shown_to_nobody_and_gone_with_its_success(
    stage: JobStage,
) -> None:
    request = inpaint()
    job_id = stage.submit(request, kind=INPAINT).job.id
    first, second = kept_inputs(job_id)
    assert {first.pk, second.pk} == {one.asset_id for one in inputs_of(request)}
    assert (first.media_type, first.width, first.height) == ("image/jpeg", 256, 192)
    life_s = (first.keep_until - first.created_at).total_seconds()
    assert life_s == 300 + 25 * HOUR_S
    for one in (first, second):
        assert read_asset(one.pk) is None
        assert not drop(one.pk, workspace_id=stage.workspace_id)
    job = stage.drive(job_id)
    assert (job.state, job.made_count, job.request) == ("succeeded", 1, None)
    assert kept_inputs(job_id) == []
    assert find_job_violations() == []
    sealed = Asset.objects.filter(job_id=job_id, is_input=True)
    assert all(one.deleted_at is not None for one in sealed)


def test_a_submitted_request_and_its_sealed_row_hold_no_bytes(stage: JobStage) -> None:
    request = inpaint()
    sizes = sum(len(one.data) for one in inputs_of(request))
    job_id = stage.submit(request, kind=INPAINT).job.id
    assert [one.data for one in inputs_of(request)] == [b"", b""]
    sealed = Job.objects.get(pk=job_id).request
    assert sealed is not None
    assert len(bytes(sealed)) < min(sizes, 1000)
    [back] = [
        one.data for one in inputs_of(with_data(request, workspace_id=stage.workspace_id))[:1]
    ]
    assert back == read_bytes(kept_inputs(job_id)[0])


def test_a_failed_job_keeps_its_inputs_for_as_long_as_its_request(stage: JobStage) -> None:
    job = stage.drive(stage.submit(inpaint("[[sandbox status=400 times=9]]"), kind=INPAINT).job.id)
    assert job.state == "failed"
    forget_requests()
    assert len(kept_inputs(job.pk)) == 2
    set_rows(
        "UPDATE gateway_job SET finished_at = now() - interval '25 hours' WHERE id = %s", job.pk
    )
    assert forget_requests() == 1
    assert kept_inputs(job.pk) == []
    assert find_job_violations() == []


def test_a_failed_job_is_repeated_with_pictures_of_its_own(stage: JobStage) -> None:
    mark = new_mark()
    failed = stage.drive(
        stage.submit(inpaint(f"[[sandbox status=400 times=1 tag={mark}]]"), kind=INPAINT).job.id
    )
    again_id = repeat_job(failed.pk, by="somebody")
    before = {one.pk for one in kept_inputs(failed.pk)}
    after = kept_inputs(again_id)
    assert len(after) == len(before) == 2
    assert before.isdisjoint({one.pk for one in after})
    set_rows(
        "UPDATE gateway_job SET finished_at = now() - interval '25 hours' WHERE id = %s", failed.pk
    )
    forget_requests()
    assert stage.drive(again_id).state == "succeeded"


def test_a_failed_job_whose_pictures_are_gone_is_not_repeated(stage: JobStage) -> None:
    failed = stage.drive(
        stage.submit(inpaint("[[sandbox status=400 times=9]]"), kind=INPAINT).job.id
    )
    set_rows("UPDATE gateway_asset SET deleted_at = now() WHERE job_id = %s", failed.pk)
    with pytest.raises(NotRepeatable):
        repeat_job(failed.pk, by="somebody")
    assert stage.balance() == (GRANTED_UCR, 0)


def test_a_job_whose_pictures_are_gone_fails_and_costs_nothing(stage: JobStage) -> None:
    mark = new_mark()
    job_id = stage.submit(inpaint(mark), kind=INPAINT).job.id
    set_rows("UPDATE gateway_asset SET deleted_at = now() WHERE job_id = %s", job_id)
    job = stage.drive(job_id)
    assert (job.state, job.failure_text) == (
        "failed",
        "The pictures of this job are not kept any more.",
    )
    assert stage.posted(mark) == 0
    assert stage.balance() == (GRANTED_UCR, 0)


def test_of_a_refused_submission_nothing_is_kept(stage: JobStage, sandbox_url: str) -> None:
    poor = make_stage(sandbox_url, credits=0)
    with pytest.raises(InsufficientCredits):
        poor.submit(inpaint(), kind=INPAINT)
    kept = Asset.objects.filter(workspace_id=poor.workspace_id)
    assert [one.deleted_at is not None for one in kept] == [True, True]


def test_a_repeated_key_keeps_the_pictures_of_the_first_submission_alone(
    stage: JobStage,
) -> None:
    claim = Claim(key_digest=b"k" * 32, request_digest=b"r" * 32)
    first = stage.submit(inpaint(), kind=INPAINT, claim=claim)
    again = stage.submit(inpaint(), kind=INPAINT, claim=claim)
    assert (again.job.id, again.replayed) == (first.job.id, True)
    assert Asset.objects.filter(workspace_id=stage.workspace_id).count() == 2


def test_another_workspace_s_picture_is_not_read(stage: JobStage, sandbox_url: str) -> None:
    job_id = stage.submit(inpaint(), kind=INPAINT).job.id
    [theirs, _] = kept_inputs(job_id)
    mine = make_stage(sandbox_url)
    request = ImageEditRequest(
        edit="remove_background",
        image=ImageInput(
            asset_id=theirs.pk, media_type="image/jpeg", width=256, height=192, data=b"x"
        ),
    )
    with pytest.raises(Exception, match="not kept any more"):
        with_data(request, workspace_id=mine.workspace_id)


def test_models_of_several_providers_are_candidates_in_the_order_of_their_names(
    stage: JobStage,
) -> None:
    job_id = stage.begin(
        models=(
            "nobody:nothing",
            "stability:stable-image-core",
            "black-forest-labs/flux-schnell",
        ),
        kind="image.studio",
    )
    job = Job.objects.get(pk=job_id)
    assert [route["provider"] for route in job.routes] == ["stability", "replicate"]
    assert (job.kind, job.hold_ucr) == ("image.studio", 36_000_000)


def test_the_next_model_makes_what_the_first_refuses_to(stage: JobStage) -> None:
    mark = new_mark()
    job_id = stage.begin(
        f"A cat [[sandbox status=503 times=1 tag={mark}]]",
        models=("stability:stable-image-core", "black-forest-labs/flux-schnell"),
    )
    job = stage.drive(job_id)
    assert (job.state, job.made_count, job.hold_ucr) == ("succeeded", 1, 36_000_000)
    assert job.charge_ucr == 4_000_000
    [usage] = stage.usage()
    assert (usage["provider"], usage["attempts"]) == ("replicate", 2)


def test_a_key_for_some_models_is_given_none_but_those(stage: JobStage) -> None:
    caller = msgspec.structs.replace(stage.caller, models=("black-forest-labs/flux-schnell",))
    asked = ("stability:stable-image-core", "black-forest-labs/flux-schnell")
    limited = dataclasses.replace(stage, caller=caller)
    job = Job.objects.get(pk=limited.begin(models=asked))
    assert [route["provider"] for route in job.routes] == ["replicate"]
    with pytest.raises(Forbidden):
        limited.begin(models=asked[:1])


def test_each_run_knows_how_many_pictures_come_before_it(stage: JobStage) -> None:
    job_id = stage.begin(count=3, model=PRO)
    leased = [lease_run(run_id) for run_id in stage.make_due(job_id)]
    assert [one.first for one in leased if one is not None] == [0, 1, 2]
