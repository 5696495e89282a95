"""The walk of one question and one answer, when its process dies or its client leaves."""

import contextlib
import socket
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote, urlsplit

import psycopg
import pytest
import requests

from billing.services import grant_credits
from gateway.reconcile import find_violations
from gateway.resolver import resolve_dead_calls
from studio.accounts.services import create_app_key, create_workspace
from tests.conftest import StartGateway
from tests.databases import Database, Facts, django_on
from tests.gateway.conftest import Payer
from tests.running import Gateway

GRANTED_UCR = 20_000_000_000
_LONG_AGO = """
CREATE FUNCTION public.pg_postmaster_start_time() RETURNS timestamptz LANGUAGE sql STABLE
AS $$ SELECT now() - interval '1 hour' $$;
GRANT EXECUTE ON FUNCTION public.pg_postmaster_start_time TO PUBLIC;
"""


def embed(payer: Payer, words: str, mark: str) -> requests.Response:
    """Ask for embeddings with a fault."""
    return payer.post("/v1/embeddings", json={"input": f"[[sandbox {words}]] {mark}"})


def open_session(payer: Payer, words: str, mark: str) -> requests.Response:
    """Ask for a realtime secret with a fault."""
    return payer.get(f"/v1/ephemeral?voice={quote(f'[[sandbox {words}]] {mark}')}")


each_operation = pytest.mark.parametrize("ask", [embed, open_session])
Ask = Callable[[Payer, str, str], requests.Response]


def arrived(sandbox_url: str, mark: str) -> list[dict[str, Any]]:
    """Wait until a request with this mark reached the sandbox."""
    query = {"contains": mark, "at_least": "1"}
    answer = requests.get(f"{sandbox_url}/_sandbox/requests", params=query, timeout=30)
    found: list[dict[str, Any]] = answer.json()["requests"]
    return found


@pytest.fixture
def own_database(fresh_database: Database, server_facts: Facts) -> Iterator[Database]:
    """A database of one's own whose server started long ago, as the resolver wants it."""
    with psycopg.connect(fresh_database.owner_url, autocommit=True) as owner:
        owner.execute(_LONG_AGO)
    with psycopg.connect(server_facts.admin_url, autocommit=True) as admin:
        admin.execute(
            f'ALTER DATABASE "{fresh_database.name}" SET search_path = public, pg_catalog'
        )
    with django_on(fresh_database):
        yield fresh_database


def payer_of(gateway: Gateway) -> Payer:
    """Make a workspace with credits on the database that Django is on."""
    workspace = create_workspace(name="payer", tier="managed")
    grant_credits(workspace_id=workspace.pk, amount_ucr=GRANTED_UCR, reason="test")
    issued = create_app_key(workspace_id=workspace.pk)
    return Payer(
        workspace_id=workspace.pk,
        app_key_id=issued.app_key_id,
        key=issued.token,
        url=gateway.url,
    )


@each_operation
def test_a_call_whose_process_died_is_released_and_costs_nothing(
    own_database: Database,
    start_gateway: StartGateway,
    sandbox_url: str,
    ask: Ask,
) -> None:
    gateway = start_gateway(own_database)
    payer = payer_of(gateway)
    mark = uuid.uuid4().hex
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask, payer, "hang", mark)
        assert len(arrived(sandbox_url, mark)) == 1
        assert payer.balance()[1] > 0
        gateway.kill()
        with pytest.raises(requests.ConnectionError):
            asked.result()
    with psycopg.connect(own_database.owner_url) as owner:
        owner.execute("UPDATE gateway_call SET lease_until = now() - interval '11 seconds'")
    assert resolve_dead_calls() == 1
    assert payer.balance() == (GRANTED_UCR, 0)
    [usage] = payer.usage()
    assert (usage["status"], usage["reason"]) == ("interrupted", "process_lost")
    assert (usage["charge_ucr"], usage["cost_ucr"]) == (0, 0)
    assert [entry["kind"] for entry in payer.entries()] == ["void"]
    assert find_violations() == []


@each_operation
def test_a_gateway_that_is_stopped_settles_what_is_under_way(
    own_database: Database,
    start_gateway: StartGateway,
    sandbox_url: str,
    ask: Ask,
) -> None:
    gateway = start_gateway(own_database)
    payer = payer_of(gateway)
    mark = uuid.uuid4().hex
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask, payer, "latency_ms=1500", mark)
        assert len(arrived(sandbox_url, mark)) == 1
        gateway.stop()
        with contextlib.suppress(requests.ConnectionError):
            assert asked.result().status_code == 200
    [usage] = payer.usage()
    taken_ucr = usage["charge_ucr"]
    assert payer.balance() == (GRANTED_UCR - taken_ucr, 0)
    assert find_violations() == []


@each_operation
def test_a_provider_that_cannot_serve_us_is_left_alone_for_a_while(
    gateway_database: Database,
    start_gateway: StartGateway,
    make_payer: Callable[..., Payer],
    ask: Ask,
) -> None:
    key = f"sk-quota-{uuid.uuid4().hex}"
    gateway = start_gateway(gateway_database, SANDBOX_URL="", OPENAI_API_KEY=key)
    payer = make_payer(credits=20_000, url=gateway.url)
    first, second = (ask(payer, "", uuid.uuid4().hex) for _ in range(2))
    assert (first.status_code, second.status_code) == (503, 503)
    assert int(second.headers["retry-after"]) > 1
    assert [usage["reason"] for usage in payer.usage()] == ["upstream_quota"]
    assert payer.balance() == (20_000_000_000, 0)


def test_a_client_that_left_pays_for_the_answer_it_asked_for(
    payer: Payer, sandbox_url: str
) -> None:
    mark = uuid.uuid4().hex
    body = f'{{"input":"[[sandbox latency_ms=300]] {mark}"}}'.encode()
    parts = urlsplit(payer.url)
    with socket.create_connection((parts.hostname, parts.port)) as client:
        client.sendall(
            b"POST /v1/embeddings HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
            b"x-app-key: %s\r\ncontent-length: %d\r\n\r\n%s" % (payer.key.encode(), len(body), body)
        )
        assert len(arrived(sandbox_url, mark)) == 1
    settled = {"contains": mark, "settled": "1"}
    requests.get(f"{sandbox_url}/_sandbox/requests", params=settled, timeout=30)
    # The next call of the same wallet is settled after it.
    assert payer.post("/v1/embeddings", json={"input": "after"}).status_code == 200
    assert [usage["status"] for usage in payer.usage()] == ["succeeded", "succeeded"]
    assert payer.balance()[1] == 0
