"""Jobs of WaveSpeed and of Hugging Face's router: begun once, and asked for patiently."""

import uuid

import pytest

from gateway.models import Job
from tests.gateway.job_stage import GRANTED_UCR, JobStage

QWEN, KREA = "qwen-image", "FLUX.1-Krea-dev"
FREE = (GRANTED_UCR, 0)


def marked(fault: str) -> tuple[str, str]:
    """Write a prompt with a word of its own."""
    mark = f"mark-{uuid.uuid4().hex}"
    return f"[[sandbox {fault}]] {mark}", mark


@pytest.mark.parametrize("model", [QWEN, KREA])
@pytest.mark.parametrize("fault", ["drop", "status=502 code=begun", "wrong_json", "html", "empty"])
def test_what_may_have_begun_is_never_sent_again_and_costs_nothing(
    stage: JobStage, model: str, fault: str
) -> None:
    prompt, mark = marked(fault)
    job = stage.drive(stage.begin(prompt, model=model))
    assert job.state == Job.State.FAILED
    assert stage.posted(mark) == 1
    assert stage.balance() == FREE


@pytest.mark.parametrize("fault", ["status=429 retry_after=1", "status=503"])
def test_what_was_refused_for_now_is_sent_again(stage: JobStage, fault: str) -> None:
    prompt, mark = marked(f"{fault} times=1 tag={uuid.uuid4().hex}")
    job = stage.drive(stage.begin(prompt, model=QWEN))
    assert job.state == Job.State.SUCCEEDED
    assert stage.posted(mark) == 2


@pytest.mark.parametrize("place", ["poll", "file"])
@pytest.mark.parametrize("fault", ["status=503", "drop"])
def test_questions_and_files_are_asked_for_again(stage: JobStage, place: str, fault: str) -> None:
    prompt, mark = marked(f"at={place} {fault} times=1 tag={uuid.uuid4().hex}")
    job = stage.drive(stage.begin(prompt, model=QWEN))
    assert job.state == Job.State.SUCCEEDED
    assert stage.posted(mark) == 1


def test_files_that_are_gone_cost_nothing(stage: JobStage) -> None:
    prompt, _ = marked("expire_ms=1")
    job = stage.drive(stage.begin(prompt, model=QWEN))
    assert job.state == Job.State.FAILED
    assert stage.balance() == FREE


@pytest.mark.parametrize("end", ["cancelled", "timeout", "deleted"])
def test_other_ends_at_the_provider_cost_nothing(stage: JobStage, end: str) -> None:
    prompt, _ = marked(f"fail={end}")
    job = stage.drive(stage.begin(prompt, model=QWEN))
    assert (job.state, job.charge_ucr) == (Job.State.FAILED, 0)
    assert stage.balance() == FREE
