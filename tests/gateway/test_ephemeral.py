"""Secrets for realtime sessions: the seed's shape, paid for by the session, kept nowhere."""

import hashlib
import json
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import redis
import requests
from django.db import connection

from studio.core.money import credits_to_ucr
from tests.conftest import StartGateway
from tests.databases import Database, Facts, rows
from tests.gateway.conftest import Payer

GRANTED = 20_000
PRICE_UCR = 6_912_000_000
"""$5.76 for a session of the longest, and a fifth on top."""
COST_UCR = 5_760_000_000


@pytest.fixture
def rich(make_payer: Callable[..., Payer]) -> Payer:
    """One workspace that can pay for two sessions."""
    return make_payer(credits=GRANTED)


def ask(payer: Payer, query: str = "", **options: Any) -> requests.Response:
    """Ask for a secret."""
    return payer.get(f"/v1/ephemeral{query}", **options)


def nothing_moved(payer: Payer) -> bool:
    """Tell whether the wallet is as it was."""
    return (
        payer.balance() == (GRANTED * 1_000_000, 0)
        and [entry for entry in payer.entries() if entry["kind"] == "usage"] == []
    )


def sent(sandbox_url: str, text: str) -> list[dict[str, Any]]:
    """Read what reached the sandbox with a text in it."""
    query = {"contains": text, "settled": "1"}
    answer = requests.get(f"{sandbox_url}/_sandbox/requests", params=query, timeout=30)
    found: list[dict[str, Any]] = answer.json()["requests"]
    return found


def test_a_secret_comes_in_the_seed_s_shape_and_costs_one_session(rich: Payer) -> None:
    before = int(time.time())
    answer = ask(rich)
    assert answer.status_code == 200
    assert set(answer.json()) == {"client_secret"}
    secret = answer.json()["client_secret"]
    assert set(secret) == {"value", "expires_at"}
    assert secret["value"].startswith("ek_")
    assert before + 60 <= secret["expires_at"] <= int(time.time()) + 60
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-studio-upstream"] == "sandbox"
    assert credits_to_ucr(answer.headers["x-credits-charged"]) == PRICE_UCR
    [usage] = rich.usage()
    assert (usage["operation"], usage["kind"], usage["model"]) == (
        "realtime",
        "realtime.default",
        "gpt-realtime-2.1",
    )
    assert (usage["surface"], usage["status"], usage["usage_source"]) == (
        "studio",
        "succeeded",
        "none",
    )
    assert (usage["charge_ucr"], usage["cost_ucr"]) == (PRICE_UCR, COST_UCR)
    [entry] = rich.entries()
    assert (entry["kind"], entry["amount"]) == ("usage", PRICE_UCR)
    assert rich.balance() == (GRANTED * 1_000_000 - PRICE_UCR, 0)


def test_two_secrets_are_two(rich: Payer) -> None:
    values = {ask(rich).json()["client_secret"]["value"] for _ in range(2)}
    assert len(values) == 2
    assert len(rich.usage()) == 2


def test_model_kind_channel_and_voice_are_the_query_s(rich: Payer, sandbox_url: str) -> None:
    voice = f"voice-{uuid.uuid4().hex[:12]}"
    query = f"?model=gpt-realtime-2.1-mini&voice={voice}"
    assert ask(rich, query).status_code == 200
    [request] = sent(sandbox_url, voice)
    assert request["path"] == "/openai/v1/realtime/client_secrets"
    assert json.loads(request["body"]) == {
        "expires_after": {"anchor": "created_at", "seconds": 60},
        "session": {
            "type": "realtime",
            "model": "gpt-realtime-2.1-mini",
            "audio": {"output": {"voice": voice}},
        },
    }
    ask(rich, "?kind=realtime.default", headers={"x-model-channel": "fast"})
    ask(rich, "?model=gpt-4o-realtime-preview-2024-10-01")
    assert [(row["model"], row["charge_ucr"]) for row in rich.usage()] == [
        ("gpt-realtime-2.1-mini", 2_160_000_000),
        ("gpt-realtime-2.1-mini", 2_160_000_000),
        ("gpt-realtime-2.1", PRICE_UCR),
    ]


@pytest.mark.parametrize(
    "query",
    [
        "?colour=red",
        "?voice=",
        "?voice=a&voice=b",
        "?voice=%00",
        "?voice=%ff",
        "?voice",
        "?&&",
        f"?voice={'v' * 129}",
        f"?{'a' * 3000}",
        "?kind=chat.default",
        "?model=gpt-5",
    ],
)
def test_a_query_that_means_nothing_is_refused(rich: Payer, query: str) -> None:
    answer = ask(rich, query)
    assert answer.status_code == 400
    assert set(answer.json()) == {"error"}
    assert nothing_moved(rich)
    assert rich.usage() == []


def test_an_unknown_kind_is_the_studio_surface_s_error(rich: Payer) -> None:
    answer = ask(rich, "?kind=realtime.nothing")
    assert (answer.status_code, set(answer.json())) == (500, {"error"})
    assert nothing_moved(rich)


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("status=500", 502),
        ("status=429", 503),
        ("status=400", 400),
        ("drop", 502),
        ("cut_at=20", 502),
        ("html", 502),
        ("empty", 502),
        ("wrong_json", 502),
    ],
)
def test_a_failure_of_the_provider_s_costs_nothing(rich: Payer, words: str, status: int) -> None:
    answer = ask(rich, f"?voice=[[sandbox {words}]]")
    assert answer.status_code == status
    assert "ek_" not in answer.text
    assert nothing_moved(rich)
    assert [(row["status"], row["cost_ucr"]) for row in rich.usage()] == [("failed", 0)]


def test_a_wallet_that_cannot_pay_for_a_session_gets_no_secret(
    make_payer: Callable[..., Payer], sandbox_url: str
) -> None:
    payer = make_payer(credits=6911)
    voice = uuid.uuid4().hex
    answer = ask(payer, f"?voice={voice}")
    assert answer.status_code == 402
    assert answer.json() == {
        "error": "Insufficient credits. Balance: 6911.0, Estimated cost: 6912.0 credits"
    }
    assert sent(sandbox_url, voice) == []
    assert payer.balance() == (6911_000_000, 0)
    assert payer.usage() == []


def test_parallel_requests_never_overdraw(rich: Payer) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = [*pool.map(lambda _: ask(rich), range(8))]
    assert sorted(answer.status_code for answer in answers) == [200] * 2 + [402] * 6
    assert rich.balance() == (GRANTED * 1_000_000 - 2 * PRICE_UCR, 0)


@pytest.mark.parametrize(
    ("key", "status"),
    [
        ({"scopes": ["chat"]}, 403),
        ({"scopes": ["realtime"]}, 200),
        ({"allowed_models": ["chat.default"]}, 403),
        ({"allowed_models": ["gpt-realtime-2.1"]}, 200),
    ],
)
def test_keys_do_what_they_may(
    make_payer: Callable[..., Payer], key: dict[str, Any], status: int
) -> None:
    payer = make_payer(credits=GRANTED, **key)
    assert ask(payer).status_code == status


def test_a_session_of_a_publishable_key_gets_a_secret(make_payer: Callable[..., Payer]) -> None:
    payer = make_payer(credits=GRANTED, publishable=True, allowed_origins=["https://app.example"])
    origin = {"origin": "https://app.example"}
    assert ask(payer, headers=origin).status_code == 403
    session = payer.post("/v1/validate", headers=origin).json()["sessionToken"]
    headers = {"x-session-token": session, **origin}
    answer = requests.get(f"{payer.url}/v1/ephemeral", headers=headers, timeout=30)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "https://app.example"


def test_a_user_s_own_key_opens_the_session_and_costs_no_credits(
    make_payer: Callable[..., Payer], sandbox_url: str
) -> None:
    payer = make_payer(tier="byok", credits=0)
    assert ask(payer).status_code == 402
    key, voice = f"sk-{uuid.uuid4().hex}", uuid.uuid4().hex
    answer = ask(payer, f"?voice={voice}", headers={"x-user-openai-key": key})
    assert answer.json()["client_secret"]["value"].startswith("ek_")
    [request] = sent(sandbox_url, voice)
    assert hashlib.sha256(key.encode()).hexdigest() in json.dumps(request)
    [usage] = payer.usage()
    assert (usage["billing"], usage["charge_ucr"], usage["cost_ucr"]) == ("byok", 0, 0)
    assert payer.entries() == []


def test_an_idempotency_key_keeps_a_secret_from_being_paid_twice_and_keeps_no_secret(
    rich: Payer,
) -> None:
    headers = {"idempotency-key": uuid.uuid4().hex}
    first = ask(rich, headers=headers)
    assert first.status_code == 200
    second = ask(rich, headers=headers)
    assert second.status_code == 409
    assert "never kept" in second.json()["error"]
    assert ask(rich, "?voice=marin", headers=headers).status_code == 422
    assert len(rich.usage()) == 1
    [call] = rows("SELECT answer FROM gateway_call WHERE workspace_id = %s", rich.workspace_id)
    assert call["answer"] is None


def test_a_failure_frees_the_idempotency_key(rich: Payer) -> None:
    headers = {"idempotency-key": uuid.uuid4().hex}
    query = f"?voice=[[sandbox status=500 times=1 tag={uuid.uuid4()}]]"
    assert ask(rich, query, headers=headers).status_code == 502
    assert ask(rich, query, headers=headers).status_code == 200
    assert [row["status"] for row in rich.usage()] == ["failed", "succeeded"]


def test_only_get_is_served(rich: Payer) -> None:
    assert rich.post("/v1/ephemeral").status_code == 405
    assert requests.get(f"{rich.url}/v1/ephemeral", timeout=30).status_code == 401


def test_the_secret_is_nowhere_of_ours(
    gateway_database: Database,
    start_gateway: StartGateway,
    make_payer: Callable[..., Payer],
    server_facts: Facts,
    tmp_path: Path,
) -> None:
    gateway = start_gateway(gateway_database)
    payer = make_payer(credits=GRANTED, url=gateway.url)
    headers = {"idempotency-key": uuid.uuid4().hex}
    secret = ask(payer, headers=headers).json()["client_secret"]["value"]
    gateway.stop()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_schema, table_name FROM information_schema.tables"
            " WHERE table_schema IN ('public', 'ledger') AND table_type = 'BASE TABLE'"
        )
        for schema, table in cursor.fetchall():
            cursor.execute(
                f"SELECT count(*) FROM {schema}.{table} t WHERE t::text LIKE %s",  # noqa: S608
                [f"%{secret[3:]}%"],
            )
            assert cursor.fetchone() == (0,), table
    store = redis.Redis.from_url(server_facts.redis_url)
    for name in store.scan_iter(count=1000):
        if store.type(name) == b"string":
            assert secret.encode() not in (store.get(name) or b"")
    logs = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert logs != []
    assert all(secret.encode() not in path.read_bytes() for path in logs)
