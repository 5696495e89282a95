"""Jobs as staff see them: the list, one job's page, cancelling, repeating, what providers told."""

from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import Settings

from billing.models import Entry
from gateway.jobs.callbacks import ProviderMessage, take_message
from gateway.jobs.inbox import MOST_KEPT
from gateway.jobs.sweeping import expire_job
from gateway.models import Job, JobEvent, JobRun
from studio.core.errors import Unauthenticated
from tests.databases import Database
from tests.gateway.job_stage import (
    PRO,
    JobStage,
    new_mark,
    own_keys,
    set_rows,
)
from tests.gateway.test_job_outcomes import message_for

LIST = "/admin/gateway/job/"
SLOW = "[[sandbox starting_ms=60000]]"


@pytest.fixture
def staff(job_server: Database) -> Client:
    """Somebody who may do everything."""
    client = Client()
    client.force_login(User.objects.create_superuser(f"staff-{uuid4()}"))
    return client


def page_of(staff: Client, job_id: UUID) -> str:
    page = staff.get(f"{LIST}{job_id}/change/")
    assert page.status_code == 200
    return page.content.decode()


def listed(staff: Client, **query: str) -> list[UUID]:
    page = staff.get(LIST, query)
    assert page.status_code == 200
    return [job.pk for job in page.context["cl"].result_list]


def test_the_list_is_searched_by_id_and_workspace_and_filtered(
    stage: JobStage, staff: Client
) -> None:
    done = stage.drive(stage.begin()).pk
    failed = stage.drive(stage.begin("[[sandbox fail=nsfw]]")).pk
    waiting = stage.begin()
    ours = str(stage.workspace_id)
    assert listed(staff, q=ours) == [waiting, failed, done]
    assert listed(staff, q=str(done)) == [done]
    assert listed(staff, q=str(uuid4())) == []
    assert listed(staff, q=ours, state__exact="failed") == [failed]
    assert listed(staff, q=ours, operation="music") == []
    assert listed(staff, q=ours, operation="image", age="hour") == [waiting, failed, done]
    assert listed(staff, q=ours, age="slow") == []
    text = staff.get(LIST, {"q": ours}).content.decode()
    assert "failed: invalid_request_error" in text
    assert "replicate flux-schnell" in text


def test_the_list_needs_no_more_queries_for_more_jobs(stage: JobStage, staff: Client) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            staff.get(LIST, {"q": str(stage.workspace_id)})
        return len(queries)

    stage.drive(stage.begin())
    before = count()
    for _ in range(4):
        stage.drive(stage.begin(count=2, model=PRO))
    assert count() == before <= 8


def test_a_job_s_page_tells_all_but_the_request(stage: JobStage, staff: Client) -> None:
    mark = new_mark()
    job_id = stage.begin(f"A secret cat {mark} [[sandbox status=503 code=x times=1 tag={mark}]]")
    job = stage.drive(job_id)
    assert job.state == "succeeded"
    run = JobRun.objects.get(job=job_id)
    with CaptureQueriesContext(connection) as queries:
        text = page_of(staff, job_id)
    assert len(queries) <= 12
    assert mark not in text
    assert run.upstream_id in text
    assert run.attempt_log[0]["code"] in text
    assert f"/v1/assets/{job.result[0]['asset_id']}?expires=" in text
    assert reverse("admin:gateway_receipt", args=[job_id]) in text
    for event in JobEvent.objects.filter(job=job_id):
        assert f"<td>{event.what}</td>" in text
    entry = Entry.objects.get(wallet_id=stage.workspace_id, call_id=job_id, kind="usage")
    refund = reverse("admin:billing_entry_refund", args=[entry.pk])
    assert refund in text
    form = staff.get(refund).content.decode()
    assert 'value="4.0"' in form


def test_a_job_that_cost_nothing_offers_no_refund(stage: JobStage, staff: Client) -> None:
    job = stage.drive(stage.begin("[[sandbox fail=nsfw]]"))
    text = page_of(staff, job.pk)
    assert "refund…" not in text
    assert "invalid_request_error (400)" in text


def test_staff_cancel_a_job_for_a_reason_that_its_owner_does_not_see(
    stage: JobStage, staff: Client
) -> None:
    job_id = stage.begin()
    address = f"{LIST}{job_id}/cancel/"
    asked = staff.get(address).content.decode()
    assert "What happens" in asked
    assert Job.objects.get(pk=job_id).state == "queued"
    assert staff.post(address, {"key": str(uuid4())}).status_code == 200
    assert Job.objects.get(pk=job_id).state == "queued"
    done = staff.post(address, {"key": str(uuid4()), "reason": "asked by phone"})
    assert (done.status_code, done["location"]) == (302, f"{LIST}{job_id}/change/")
    job = Job.objects.get(pk=job_id)
    assert (job.state, job.charge_ucr) == ("canceled", 0)
    assert stage.balance()[1] == 0
    event = JobEvent.objects.get(job=job_id, what="canceled_by_staff")
    assert (event.public, event.detail["reason"]) == (False, "asked by phone")
    assert "asked by phone" in page_of(staff, job_id)
    assert "asked by phone" not in str(stage.timeline(job_id, public=True))
    assert staff.post(address, {"key": str(uuid4()), "reason": "again"}).status_code == 404


def test_staff_do_a_failed_job_again_as_a_new_one(stage: JobStage, staff: Client) -> None:
    mark = new_mark()
    job_id = stage.begin(f"{mark} [[sandbox status=422 times=1 tag={mark}]]")
    assert stage.drive(job_id).state == "failed"
    address = f"{LIST}{job_id}/repeat/"
    assert "own hold" in staff.get(address).content.decode()
    given = {"key": str(uuid4()), "reason": "the provider was ill"}
    assert staff.post(address, given).status_code == 302
    new = Job.objects.filter(workspace_id=stage.workspace_id).latest("id")
    assert new.pk != job_id
    assert stage.drive(new.pk).state == "succeeded"
    assert Job.objects.get(pk=job_id).charge_ucr == 0
    event = JobEvent.objects.get(job=job_id, what="repeated_by_staff")
    assert event.detail["reason"] == "the provider was ill"
    assert str(new.pk) in page_of(staff, job_id)


def test_what_is_not_safe_is_not_offered(stage: JobStage, staff: Client) -> None:
    done = stage.drive(stage.begin()).pk
    by_user = stage.begin("[[sandbox fail=nsfw]]", user_keys=own_keys(replicate="r8_of_the_user"))
    stage.drive(by_user)
    forgotten = stage.begin()
    set_rows("UPDATE gateway_job SET deadline_at = now() WHERE id = %s", forgotten)
    assert expire_job(forgotten)
    Job.objects.filter(pk=forgotten).update(request=None)
    before = Job.objects.filter(workspace_id=stage.workspace_id).count()
    for job_id in (done, by_user, forgotten):
        for name in ("cancel", "repeat"):
            address = f"{LIST}{job_id}/{name}/"
            given = {"key": str(uuid4()), "reason": "x"}
            assert staff.post(address, given).status_code == 404, (name, job_id)
    assert Job.objects.filter(workspace_id=stage.workspace_id).count() == before


def test_who_may_only_look_can_do_nothing(stage: JobStage) -> None:
    job_id = stage.begin()
    user = User.objects.create_user(f"reader-{uuid4()}", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_job"))
    reader = Client()
    reader.force_login(user)
    assert reader.get(f"{LIST}{job_id}/change/").status_code == 200
    given = {"key": str(uuid4()), "reason": "x"}
    assert reader.post(f"{LIST}{job_id}/cancel/", given).status_code == 403
    assert reader.post(f"{LIST}{job_id}/change/", {"state": "failed"}).status_code == 403
    assert reader.post(f"{LIST}{job_id}/delete/", {"post": "yes"}).status_code == 403
    assert Job.objects.get(pk=job_id).state == "queued"
    assert reader.get(f"{LIST}add/").status_code == 403


def told(job_id: UUID) -> list[tuple[str, str]]:
    found = JobEvent.objects.filter(job=job_id, what="provider_message").order_by("id")
    assert not found.filter(public=True).exists()
    return [(event.detail["genuine"], event.detail["effect"]) for event in found]


def message(job_id: UUID, body: bytes = b"{}") -> ProviderMessage:
    return message_for(job_id, body)


def test_what_providers_told_stands_in_the_timeline(
    stage: JobStage, staff: Client, settings: Settings
) -> None:
    settings.PUBLIC_URL = "http://127.0.0.1:9"
    job_id = stage.begin(SLOW)
    stage.step(job_id)
    take_message(message(job_id))
    settings.PROVIDER_WEBHOOK_SECRETS = {"replicate": "whsec_c29tZXRoaW5nIGVsc2U="}
    with pytest.raises(Unauthenticated):
        take_message(message(job_id))
    settings.PROVIDER_WEBHOOK_SECRETS = {}
    Job.objects.filter(pk=job_id).update(deadline_at="2026-01-01T00:00:00Z")
    assert expire_job(job_id)
    take_message(message(job_id))
    assert told(job_id) == [("not checked", "asked"), ("no", "refused"), ("not checked", "none")]
    assert "effect refused, genuine no" in page_of(staff, job_id)


def test_an_id_that_only_the_provider_told_is_marked(stage: JobStage, settings: Settings) -> None:
    settings.PUBLIC_URL = "http://127.0.0.1:9"
    mark = new_mark()
    job_id = stage.begin(f"{mark} [[sandbox drop webhooks=none]]")
    stage.step(job_id)
    take_message(message(job_id, stage.last_prediction(mark)))
    assert told(job_id) == [("not checked", "named and asked")]


def test_a_flood_of_messages_leaves_so_many_lines_and_no_more(
    stage: JobStage, settings: Settings
) -> None:
    settings.PUBLIC_URL = "http://127.0.0.1:9"
    job_id = stage.begin(SLOW)
    stage.step(job_id)
    for _ in range(MOST_KEPT + 3):
        take_message(message(job_id))
    assert len(told(job_id)) == MOST_KEPT
