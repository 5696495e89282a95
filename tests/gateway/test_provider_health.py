"""The page of providers: exact counts of a period, times, failures by code, circuits."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
import redis
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoDbBlocker, Settings

from gateway.breaker import circuit_name
from gateway.health import CircuitState, ProviderState, read_circuits, read_health
from gateway.models import JobRun
from gateway.routing import Upstreams
from studio.core.ids import new_id
from tests.databases import WORKER, Database, Facts
from tests.gateway.job_stage import JobStage, job_database, make_stage, set_rows

PAGE = "/admin/gateway/providerhealth/"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture(scope="module")
def database(
    server_facts: Facts, django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[Database]:
    """A database for this module."""
    name = f"studio_test_{WORKER}_health"
    with django_db_blocker.unblock(), job_database(server_facts, name) as made:
        yield made


@pytest.fixture
def nothing_yet(database: Database, sandbox_url: str, settings: Settings) -> None:
    """No usage, no runs; the sandbox stands in for everybody."""
    settings.SANDBOX_URL = sandbox_url
    settings.PROVIDER_KEYS = {}
    JobRun.objects.all().delete()
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        owner.execute("DELETE FROM usage")


def leave_call(model: str = "gpt-5", **changes: Any) -> None:
    """Write the usage row of one call, `minutes` ago."""
    minutes = changes.pop("minutes", 1)
    log = changes.pop("attempt_log", None)
    fields = {
        "workspace_id": 1,
        "surface": "studio",
        "operation": "chat",
        "kind": "chat.default",
        "channel": "stable",
        "provider": "openai",
        "model": model,
        "status": "succeeded",
        "billing": "credits",
        "latency_ms": 100,
        "first_byte_ms": 10,
        "attempt_log": json.dumps(log) if log else None,
        **changes,
    }
    age = timedelta(minutes=minutes)
    made = UUID(int=new_id().int - (int(age.total_seconds() * 1000) << 80))
    names = ", ".join(fields)
    marks = ", ".join(["%s"] * len(fields))
    set_rows(
        f"INSERT INTO usage (request_id, at, {names})"  # noqa: S608  names of ours
        f" VALUES (%s, now() - %s::interval, {marks})",
        made,
        f"{minutes} minutes",
        *fields.values(),
    )


def state_of(provider: str, period: timedelta = HOUR) -> ProviderState:
    [found] = [state for state in read_health(period) if state.provider == provider]
    return found


def test_calls_are_counted_with_their_times_and_failures(nothing_yet: None) -> None:
    for latency_ms in (100, 200, 300, 400, 500):
        leave_call(latency_ms=latency_ms, first_byte_ms=latency_ms // 10)
    leave_call(status="failed", reason="upstream_timeout", latency_ms=9000)
    leave_call(status="interrupted", reason="upstream_error", latency_ms=9000)
    leave_call(status="cancelled", latency_ms=9000)
    [calls] = state_of("openai").calls
    assert (calls.model, calls.operation, calls.calls, calls.succeeded) == ("gpt-5", "chat", 8, 5)
    assert (calls.p50_ms, calls.p95_ms, calls.first_byte_p50_ms) == (300, 480, 30)
    assert calls.codes == {"upstream_timeout": 1, "upstream_error": 1}
    assert calls.failed == 2


def test_an_attempt_after_which_another_route_answered_is_a_failure(nothing_yet: None) -> None:
    log = [
        {"provider": "openai", "model": "gpt-5", "code": "upstream_error", "status": 500},
        {"provider": "xai", "model": "grok-5", "code": "upstream_overloaded", "status": 429},
    ]
    leave_call("claude", provider="anthropic", attempt_log=log)
    [answered] = state_of("anthropic").calls
    assert (answered.calls, answered.succeeded, answered.failed) == (1, 1, 0)
    for provider, code in (("openai", "upstream_error"), ("xai", "upstream_overloaded")):
        [passed] = state_of(provider).calls
        assert (passed.calls, passed.failed, passed.codes) == (0, 1, {code: 1})


def test_the_period_bounds_what_is_counted(nothing_yet: None) -> None:
    for minutes in (1, 59, 61, 23 * 60, 25 * 60):
        leave_call(minutes=minutes)
    assert state_of("openai", HOUR).calls[0].calls == 2
    assert state_of("openai", DAY).calls[0].calls == 4


def test_refusals_and_corrections_are_no_calls(nothing_yet: None) -> None:
    leave_call(status="refused", billing="none", provider="")
    leave_call(request_count=0, charge_ucr=-5)
    assert state_of("openai").calls == ()


def test_runs_of_jobs_are_counted_by_their_route(nothing_yet: None, sandbox_url: str) -> None:
    stage: JobStage = make_stage(sandbox_url)
    stage.drive(stage.begin())
    stage.drive(stage.begin("[[sandbox fail=nsfw]]"))
    stage.begin()
    lost = stage.begin("[[sandbox drop webhooks=none]]")
    set_rows("UPDATE gateway_jobrun SET state = 'unknown' WHERE job_id = %s", lost)
    old = stage.begin()
    early = UUID(int=new_id().int - (7_200_000 << 80))
    set_rows("UPDATE gateway_jobrun SET id = %s WHERE job_id = %s", early, old)
    [runs] = state_of("replicate").runs
    assert (runs.model, runs.runs, runs.succeeded, runs.failed) == (
        "black-forest-labs/flux-schnell",
        4,
        1,
        1,
    )
    assert (runs.open, runs.unknown, runs.codes) == (2, 1, {"invalid_request_error": 1})
    assert runs.p50_ms == runs.p95_ms
    assert (runs.p50_ms or 0) > 0
    assert state_of("replicate", DAY).runs[0].runs == 5


def test_circuits_are_read_as_the_web_processes_told_them(
    nothing_yet: None, settings: Settings, server_facts: Facts
) -> None:
    settings.REDIS_URL = server_facts.redis_url
    settings.PROVIDER_KEYS = {"openai": f"sk-{uuid4()}", "xai": f"xai-{uuid4()}"}
    settings.PROVIDER_BASE_URLS = {}
    settings.SANDBOX_URL = ""
    client: Any = redis.Redis.from_url(server_facts.redis_url)
    seconds, _ = client.time()
    name = circuit_name(Upstreams().get("openai"))
    client.set(f"breaker:open:{name}", (seconds + 30) * 1000, px=60_000)
    client.zadd(f"breaker:rests:{name}", {"gpt-5": (seconds + 20) * 1000, "old": 1})
    client.pexpire(f"breaker:rests:{name}", 60_000)
    found = read_circuits(["openai", "xai", "gemini"])
    openai = found["openai"]
    assert (openai.reach, openai.state) == ("our key", "open")
    assert 20 <= openai.open_s <= 30
    assert list(openai.resting) == ["gpt-5"]
    assert found["xai"] == CircuitState(reach="our key", state="closed")
    assert found["gemini"] == CircuitState(reach="no key", state="closed")
    client.set(f"breaker:open:{name}", (seconds - 1) * 1000, px=60_000)
    assert read_circuits(["openai"])["openai"].state == "probing"
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert read_circuits(["openai"])["openai"].state == "unknown"


def test_the_page_shows_it_in_few_queries_to_who_may_look(nothing_yet: None) -> None:
    leave_call(status="failed", reason="upstream_timeout")
    leave_call(minutes=300, model="gpt-of-the-morning")
    user = User.objects.create_user(f"reader-{uuid4()}", is_staff=True)
    client = Client()
    client.force_login(user)
    assert client.get(PAGE).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="view_providerhealth"))
    with CaptureQueriesContext(connection) as queries:
        page = client.get(PAGE)
    text = page.content.decode()
    assert (page.status_code, len(queries) <= 6) == (200, True)
    assert "upstream_timeout 1" in text
    assert "gpt-of-the-morning" not in text
    assert "gpt-of-the-morning" in client.get(PAGE, {"period": "day"}).content.decode()
    assert client.get(PAGE, {"period": "year"}).status_code == 200
