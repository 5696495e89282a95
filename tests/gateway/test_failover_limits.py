"""Where trying again ends: the client left, the process died, the time or the budget is over."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from urllib.parse import urlsplit

import psycopg
import pytest
from pytest_django import DjangoDbBlocker, Settings

from gateway.chat import complete
from gateway.errors import UpstreamFailure
from gateway.operations.chat import decode_chat
from gateway.quoting import ChatTask
from gateway.reconcile import find_violations
from gateway.resolver import resolve_dead_calls
from gateway.retry_budget import RetryBudget
from gateway.runtime import Runtime
from studio.accounts.credentials import read_credential
from studio.accounts.queries import identify
from studio.core.ids import new_id_text
from tests.conftest import StartGateway
from tests.databases import WORKER, Facts, rows
from tests.gateway.conftest import Payer
from tests.gateway.route_stage import (
    GRANTED_UCR,
    Stage,
    charge_of,
    new_mark,
    only_usage,
    staged,
    strike,
)

PAIR = {"kind": "chat.pair"}
STREAM = {"stream": True, "stream_options": {"include_usage": True}}


@pytest.fixture(scope="module")
def stage(
    server_facts: Facts,
    gateway_environment: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Stage]:
    """One gateway whose providers are all the sandbox's."""
    directory = tmp_path_factory.mktemp("limits")
    name = f"studio_test_{WORKER}_limits"
    with (
        django_db_blocker.unblock(),
        staged(server_facts, name, directory, gateway_environment) as made,
    ):
        yield made


@pytest.fixture
def payer(stage: Stage) -> Payer:
    """A payer with 1 000 credits, and room in the budget for trying again."""
    stage.fill()
    return stage.payer()


def test_a_client_that_leaves_before_the_next_try_stops_it(stage: Stage, payer: Payer) -> None:
    mark = new_mark()
    text = strike("status=500 latency_ms=700", mark, times=9)
    body = json.dumps({**PAIR, "messages": [{"role": "user", "content": text}]}).encode()
    address = urlsplit(payer.url)
    head = (
        f"POST /v1/chat HTTP/1.1\r\nHost: {address.netloc}\r\nx-app-key: {payer.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    assert address.hostname is not None
    with socket.create_connection((address.hostname, address.port or 80), timeout=10) as client:
        client.sendall(head.encode() + body)
        for _ in range(100):
            if rows("SELECT 1 FROM gateway_call WHERE workspace_id = %s", payer.workspace_id):
                break
            rows("SELECT pg_sleep(0.02)::text")
    for _ in range(100):
        if payer.usage():
            break
        rows("SELECT pg_sleep(0.05)::text")
    usage = only_usage(payer)
    assert (usage["status"], usage["reason"]) == ("cancelled", "client_left")
    assert (usage["attempts"], usage["charge_ucr"], usage["cost_ucr"]) == (1, 0, 0)
    assert stage.sent(mark) == ["openai"]
    assert payer.balance() == (GRANTED_UCR, 0)


def test_parallel_failovers_leave_no_hold_and_agree_with_the_ledger(stage: Stage) -> None:
    for _ in range(8):
        stage.fill()
    payer = stage.payer(credits=50_000)
    marks = [new_mark() for _ in range(16)]
    with ThreadPoolExecutor(8) as pool:
        faults = [strike("status=500", mark) for mark in marks]
        answers = list(pool.map(lambda text: payer.say(text, body=PAIR), faults))
    assert {answer.status_code for answer in answers} <= {200, 502}
    succeeded = [row for row in payer.usage() if row["status"] == "succeeded"]
    assert len(succeeded) == [answer.status_code for answer in answers].count(200) > 0
    assert {row["model"] for row in succeeded} == {"grok-4.3"}
    spent_ucr = sum(charge_of(row) for row in succeeded)
    assert payer.balance() == (50 * GRANTED_UCR - spent_ucr, 0)
    assert find_violations() == []


def test_a_process_that_dies_after_failing_over_is_settled_by_the_winner_s_price(
    stage: Stage, start_gateway: StartGateway
) -> None:
    doomed = start_gateway(stage.database, OPENAI_API_KEY="sk-invalid")
    payer = Payer(**{**vars(stage.payer()), "url": doomed.url})
    text = "[[sandbox chunks=300 chunk_delay_ms=20]] Hello!"
    with payer.say(text, body=PAIR | STREAM, stream=True) as response:
        assert response.status_code == 200
        _read_until_checkpoint(payer, response.iter_lines())
        doomed.kill()
    with psycopg.connect(stage.database.owner_url) as owner:
        owner.execute(
            "UPDATE gateway_call SET lease_until = now() - interval '11 seconds'"
            " WHERE workspace_id = %s",
            [payer.workspace_id],
        )
    resolve_dead_calls()
    usage = only_usage(payer)
    assert (usage["status"], usage["reason"]) == ("interrupted", "process_lost")
    assert (usage["provider"], usage["model"]) == ("xai", "grok-4.3")
    assert usage["charge_ucr"] == charge_of(usage) > 0
    assert payer.balance() == (GRANTED_UCR - usage["charge_ucr"], 0)


def _read_until_checkpoint(payer: Payer, lines: Iterator[bytes]) -> None:
    """Read a stream until the call's row tells what was delivered."""
    query = "SELECT checkpoint_tokens FROM gateway_call WHERE workspace_id = %s"
    for number, _ in enumerate(lines):
        if number % 20 == 0 and rows(query, payer.workspace_id)[0]["checkpoint_tokens"]:
            return
    raise AssertionError("the stream ended before its checkpoint")


def test_a_failing_provider_is_not_met_with_twice_the_load(
    stage: Stage, start_gateway: StartGateway
) -> None:
    fresh = start_gateway(stage.database)
    payer = Payer(**{**vars(stage.payer(tier="vip_founder", credits=50_000)), "url": fresh.url})
    mark = new_mark()
    start = threading.Barrier(40)

    def fail(number: int) -> int:
        start.wait()
        return payer.say(strike("status=500", f"{mark}-{number}", times=9), body=PAIR).status_code

    with ThreadPoolExecutor(40) as pool:
        statuses = list(pool.map(fail, range(40)))
    assert set(statuses) == {502}
    retried = [row["attempts"] for row in payer.usage()].count(2)
    assert 10 <= retried <= 10 + 40 // 5
    assert payer.balance() == (50 * GRANTED_UCR, 0)


@pytest.mark.parametrize(("age_s", "attempts"), [(0, 2), (601, 1)])
def test_after_ten_minutes_nothing_is_tried_again(
    stage: Stage, settings: Settings, age_s: int, attempts: int
) -> None:
    settings.SANDBOX_URL = stage.sandbox_url
    settings.PROVIDER_KEYS = {}
    payer = stage.payer()
    caller = identify(read_credential([(b"x-app-key", payer.key.encode())]))
    text = strike("status=500", new_mark())
    body = json.dumps({**PAIR, "messages": [{"role": "user", "content": text}]}).encode()
    task = ChatTask(
        id=new_id_text(),
        caller=caller,
        surface="studio",
        channel="stable",
        app_id="app",
        user_ref="user",
        request=decode_chat(body),
        body_bytes=len(body),
        claim=None,
        started_s=time.perf_counter() - age_s,
    )

    async def walk() -> None:
        runtime = Runtime()
        await runtime.open()
        try:
            await complete(runtime, task)
        finally:
            await runtime.close()

    with nullcontext() if attempts == 2 else pytest.raises(UpstreamFailure):
        asyncio.run(walk())
    assert only_usage(payer)["attempts"] == attempts


def test_a_fifth_of_the_last_ten_seconds_calls_may_be_tried_again_and_ten_beside() -> None:
    now_s = 1000.0
    budget = RetryBudget(clock=lambda: now_s)
    assert [budget.spend() for _ in range(11)] == [True] * 10 + [False]
    for _ in range(14):
        budget.count_call()
    assert [budget.spend() for _ in range(3)] == [True, True, False]
    now_s = 1009.9
    assert not budget.spend()
    now_s = 1010.0
    assert [budget.spend() for _ in range(11)] == [True] * 10 + [False]
    now_s = 2000.0
    assert budget.spend()
