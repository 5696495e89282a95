"""What a provider tells us over HTTP: believed only as far as asking it goes."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
import requests
from django.db import connection
from pytest_django import Settings

from gateway.jobs.addresses import callback_url
from gateway.models import JobRun
from gateway.routing import Upstreams
from tests.conftest import StartGateway
from tests.databases import Database, django_on
from tests.gateway.job_stage import JobStage, make_stage, new_mark

SECRET = "whsec_dGhlIHNhbmRib3ggc2lnbnMgaXRzIG1lc3NhZ2Vz"
"""What the sandbox signs its messages with."""


@pytest.fixture
def stage(
    fresh_database: Database,
    start_gateway: StartGateway,
    sandbox_url: str,
    settings: Settings,
) -> Iterator[JobStage]:
    """A workspace whose provider reaches a gateway of ours."""
    gateway = start_gateway(fresh_database, REPLICATE_WEBHOOK_SECRET=SECRET)
    settings.SANDBOX_URL = sandbox_url
    settings.PROVIDER_KEYS = {}
    settings.PUBLIC_URL = gateway.url
    with django_on(fresh_database):
        yield make_stage(sandbox_url)


def until(stage: JobStage, job_id: UUID, reached: Callable[[JobRun], Any]) -> JobRun:
    """Read a job's one run until it is as it should be."""
    for _ in range(3000):
        run = JobRun.objects.get(job=job_id)
        if reached(run):
            return run
        connection.close()
    raise AssertionError(f"never reached: {run.state} {run.next_at} {run.upstream_id}")


def test_a_message_makes_us_ask_at_once_and_a_lost_answer_is_found_by_it(stage: JobStage) -> None:
    mark, lost = new_mark(), new_mark()
    told = stage.begin(f"{mark} [[sandbox starting_ms=0 running_ms=800]]")
    stage.step(told)
    expected_at = JobRun.objects.get(job=told).next_at
    until(stage, told, lambda run: run.next_at < expected_at)
    assert stage.drive(told).state == "succeeded"

    unanswered = stage.begin(f"{lost} [[sandbox drop starting_ms=0 running_ms=300]]")
    stage.step(unanswered)
    assert stage.states(unanswered) == ["unknown"]
    until(stage, unanswered, lambda run: run.upstream_id)
    assert stage.drive(unanswered).state == "succeeded"
    assert (stage.posted(mark), stage.posted(lost)) == (1, 1)

    forged = stage.begin("[[sandbox webhooks=forged starting_ms=0 running_ms=200]]")
    stage.step(forged)
    before = JobRun.objects.get(job=forged)
    address = callback_url(Upstreams().get("replicate"), before.pk)
    path, _, signature = address.rpartition(".")
    answers = {
        "unsigned": requests.post(address, data=b"{}", timeout=10).status_code,
        "another address": requests.post(f"{path}.{'0' * 40}", data=b"{}", timeout=10).status_code,
        "another provider": requests.post(
            address.replace("/replicate/", "/openai/"), data=b"{}", timeout=10
        ).status_code,
        "too large": requests.post(address, data=b"x" * 300_000, timeout=10).status_code,
        "a question": requests.get(address, timeout=10).status_code,
    }
    assert answers == {
        "unsigned": 401,
        "another address": 404,
        "another provider": 404,
        "too large": 413,
        "a question": 405,
    }
    assert JobRun.objects.get(job=forged).next_at == before.next_at
    assert len(signature) == 40
