"""Submitting a job writes hold, call, job and runs together, or nothing; its keys decide who gets
which.
"""

import asyncio
from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings

from billing.freezing import freeze_wallet
from gateway.errors import (
    IdempotencyMismatch,
    InsufficientCredits,
    NoPrice,
    UserKeyNeeded,
    WalletFrozen,
)
from gateway.idempotency import Claim
from gateway.jobs.queries import JobFilter, list_jobs, read_job
from gateway.jobs.ringing import ring
from gateway.jobs.submitting import submit
from gateway.models import Call, Job, JobRun
from gateway.operations.image import ImageRequest
from gateway.runtime import Runtime
from studio.core.errors import GatewayError, InvalidRequest, NotFound
from tests.databases import Database, rows
from tests.gateway.job_stage import (
    GRANTED_UCR,
    PRO,
    SCHNELL,
    JobStage,
    make_stage,
    new_mark,
    own_keys,
    set_rows,
)

REQUEST = ImageRequest(prompt="A cat")
CLAIM = Claim(key_digest=b"k" * 32, request_digest=b"r" * 32)


def test_hold_call_job_and_runs_are_written_together(stage: JobStage) -> None:
    job = stage.submit(ImageRequest(prompt="A cat", count=6)).job
    call = Call.objects.get(pk=job.id)
    runs = list(JobRun.objects.filter(job=job.id).order_by("number"))
    [hold] = rows("SELECT * FROM ledger.hold WHERE id = %s", job.id)
    assert (job.state, job.hold_ucr, job.item_count) == ("queued", 24_000_000, 6)
    assert (call.state, call.hold_ucr, hold["amount"]) == ("open", 24_000_000, 24_000_000)
    assert [(run.number, run.item_count, run.state) for run in runs] == [
        (1, 4, "queued"),
        (2, 2, "queued"),
    ]
    assert job.deadline_at < call.lease_until < hold["expires_at"]
    assert (job.deadline_at - job.created_at).total_seconds() == 600


REFUSED: list[tuple[dict[str, Any], ImageRequest, dict[str, str], type[GatewayError]]] = [
    ({"credits": 0}, REQUEST, {}, InsufficientCredits),
    ({"tier": "byok"}, REQUEST, {}, UserKeyNeeded),
    ({}, ImageRequest(prompt="x", background="transparent"), {}, InvalidRequest),
    ({}, ImageRequest(prompt="x", negative_prompt="y"), {}, InvalidRequest),
    ({}, REQUEST, {"channel": "nowhere"}, GatewayError),
    ({}, REQUEST, {"model": "gpt-5"}, GatewayError),
    ({}, REQUEST, {"model": "no-such-model"}, GatewayError),
]


@pytest.mark.parametrize("case", REFUSED)
def test_after_a_refusal_nothing_moved(
    job_server: Database,
    sandbox_url: str,
    settings: Settings,
    case: tuple[dict[str, Any], ImageRequest, dict[str, str], type[GatewayError]],
) -> None:
    made, request, options, refusal = case
    settings.SANDBOX_URL = sandbox_url
    stage = make_stage(sandbox_url, **made)
    before = stage.balance()
    with pytest.raises(refusal):
        stage.submit(request, **options)
    assert stage.balance() == before == (made.get("credits", 1000) * 1_000_000, 0)
    assert not Job.objects.filter(workspace_id=stage.workspace_id).exists()
    assert not Call.objects.filter(workspace_id=stage.workspace_id).exists()


def test_who_cannot_pay_is_told_so_in_the_seed_s_words(
    job_server: Database, sandbox_url: str, settings: Settings
) -> None:
    settings.SANDBOX_URL = sandbox_url
    stage = make_stage(sandbox_url, credits=10)
    with pytest.raises(InsufficientCredits) as refusal:
        stage.submit(REQUEST, model=PRO)
    expected = "Insufficient credits. Balance: 10.0, Estimated cost: 48.0 credits"
    assert refusal.value.message == expected


def test_a_frozen_wallet_holds_nothing(stage: JobStage) -> None:
    staff = User.objects.create(username="freezer")
    freeze_wallet(workspace_id=stage.workspace_id, reason="a test", staff=staff, key="1")
    with pytest.raises(WalletFrozen):
        stage.submit(REQUEST)
    assert not Job.objects.filter(workspace_id=stage.workspace_id).exists()


def test_a_model_without_a_price_cannot_be_called(stage: JobStage) -> None:
    set_rows(
        "INSERT INTO gateway_cataloguemodel (provider, name, operation, upstream_model,"
        " context_tokens, max_output_tokens, image_tokens, capabilities, drop_parameters, enabled,"
        " edited_by_staff, source, added_at) SELECT provider, 'unpriced', operation, name,"
        " 0, 0, 0, capabilities, drop_parameters, true, true, 'test', now()"
        " FROM gateway_cataloguemodel WHERE name = %s",
        SCHNELL,
    )
    set_rows("UPDATE gateway_cataloguerevision SET revision = revision + 1")
    with pytest.raises(NoPrice):
        stage.submit(REQUEST, model="unpriced")
    assert stage.balance() == (GRANTED_UCR, 0)


def test_the_same_key_and_body_give_the_same_job_before_and_after_its_end(
    stage: JobStage,
) -> None:
    mark = new_mark()
    request = ImageRequest(prompt=mark)
    first = stage.submit(request, claim=CLAIM)
    again = stage.submit(request, claim=CLAIM)
    assert (first.replayed, again.replayed, again.job.id) == (False, True, first.job.id)
    stage.drive(first.job.id)
    later = stage.submit(request, claim=CLAIM)
    assert (later.replayed, later.job.id, later.job.state) == (True, first.job.id, "succeeded")
    assert stage.posted(mark) == 1
    assert len(stage.entries()) == 1


def test_the_same_key_gives_the_same_job_also_after_it_failed(stage: JobStage) -> None:
    request = ImageRequest(prompt="[[sandbox fail=nsfw]]")
    first = stage.submit(request, claim=CLAIM)
    stage.drive(first.job.id)
    assert stage.submit(request, claim=CLAIM).job.id == first.job.id


def test_the_same_key_with_another_body_is_refused(stage: JobStage) -> None:
    stage.submit(REQUEST, claim=CLAIM)
    other = Claim(key_digest=CLAIM.key_digest, request_digest=b"x" * 32)
    with pytest.raises(IdempotencyMismatch):
        stage.submit(REQUEST, claim=other)
    assert Job.objects.filter(workspace_id=stage.workspace_id).count() == 1


def test_another_workspace_s_key_is_another_key(stage: JobStage, sandbox_url: str) -> None:
    first = stage.submit(REQUEST, claim=CLAIM)
    assert make_stage(sandbox_url).submit(REQUEST, claim=CLAIM).job.id != first.job.id


def test_of_many_at_once_under_one_key_one_is_written(stage: JobStage) -> None:
    async def race(runtime: Runtime) -> list[str]:
        tasks = [stage.task(claim=CLAIM) for _ in range(12)]
        found = await asyncio.gather(*[submit(runtime, task, REQUEST) for task in tasks])
        return [str(one.job.id) for one in found]

    assert len(set(stage.run(race))) == 1
    assert Job.objects.filter(workspace_id=stage.workspace_id).count() == 1
    assert stage.balance() == (GRANTED_UCR - 4_000_000, 4_000_000)


def test_neither_prompt_nor_key_is_in_any_row(stage: JobStage) -> None:
    mark = new_mark()
    own = own_keys(replicate=f"r8_{mark}")
    queries = (
        "SELECT t::text AS row FROM gateway_job t WHERE id = %s",
        "SELECT t::text AS row FROM gateway_call t WHERE id = %s",
        "SELECT t::text AS row FROM gateway_jobrun t WHERE job_id = %s",
        "SELECT t::text AS row FROM gateway_jobevent t WHERE job_id = %s",
    )
    for keys in (None, own):
        job_id = stage.begin(mark, user_keys=keys)
        stage.step(job_id)
        for query in queries:
            found = rows(query, job_id)
            assert found
            for row in found:
                assert mark not in row["row"]
                assert mark.encode().hex() not in row["row"]
        stage.drive(job_id)


def test_jobs_are_read_and_listed_by_their_owner_alone(stage: JobStage, sandbox_url: str) -> None:
    first, second = stage.begin(), stage.begin(model=PRO, app_id="other")
    stranger = make_stage(sandbox_url)

    async def listed(runtime: Runtime, stage: JobStage, **wanted: object) -> list[object]:
        found = await list_jobs(
            runtime,
            workspace_id=stage.workspace_id,
            wanted=JobFilter(**wanted),  # type: ignore[arg-type]
        )
        return [job.id for job in found]

    async def look(runtime: Runtime) -> None:
        assert await listed(runtime, stage) == [second, first]
        assert await listed(runtime, stage, limit=1) == [second]
        assert await listed(runtime, stage, before=second) == [first]
        assert await listed(runtime, stage, app_id="other") == [second]
        assert await listed(runtime, stage, states=["succeeded"]) == []
        assert await listed(runtime, stage, operation="image", states=["queued"]) == [second, first]
        assert await listed(runtime, stranger) == []
        with pytest.raises(NotFound):
            await read_job(runtime, first, workspace_id=stranger.workspace_id)

    stage.run(look)


def test_what_is_due_is_rung_for_once_and_again_if_nobody_comes(stage: JobStage) -> None:
    set_rows("UPDATE gateway_jobrun SET state = 'failed'")
    job_id = stage.begin()
    assert ring() == 0
    set_rows("UPDATE gateway_jobrun SET rung_until = now() WHERE job_id = %s", job_id)
    assert ring() == 1
    assert ring() == 0
    set_rows("UPDATE gateway_jobrun SET rung_until = now() WHERE job_id = %s", job_id)
    assert ring() == 1
    stage.drive(job_id)
    assert ring() == 0
