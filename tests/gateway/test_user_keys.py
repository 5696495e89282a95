"""A user's own provider key pays for its call: nothing is held, charged, or sent elsewhere."""

import hashlib
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import redis
import requests
from django.db import connection

from tests.databases import Facts, rows
from tests.gateway.conftest import CHAT, Payer

OPENAI = "x-user-openai-key"
Sent = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def key() -> str:
    """Make a key that nobody has seen before."""
    return f"sk-canary-{uuid.uuid4().hex}"


@pytest.fixture
def sent(sandbox_url: str) -> Sent:
    """Read what reached the sandbox with a text in it."""

    def find(text: str) -> list[dict[str, Any]]:
        query = {"contains": text, "settled": "1"}
        answer = requests.get(f"{sandbox_url}/_sandbox/requests", params=query, timeout=30)
        listed: list[dict[str, Any]] = answer.json()["requests"]
        return listed

    return find


def digest(key: str) -> str:
    """Give what the sandbox's journal keeps of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


def nothing_moved(payer: Payer, credits: int = 1000) -> bool:
    """Tell whether the wallet is as it was."""
    return payer.balance() == (credits * 1_000_000, 0) and payer.entries() == []


def test_a_call_by_the_users_own_key_costs_no_credits(payer: Payer, key: str, sent: Sent) -> None:
    text = uuid.uuid4().hex
    answer = payer.say(text, headers={OPENAI: key})
    assert answer.status_code == 200
    assert float(answer.headers["x-credits-charged"]) == 0
    assert nothing_moved(payer)
    (usage,) = payer.usage()
    assert (usage["billing"], usage["status"]) == ("byok", "succeeded")
    assert (usage["charge_ucr"], usage["cost_ucr"], usage["markup_bp"]) == (0, 0, 0)
    assert usage["output_tokens"] > 0
    (request,) = sent(text)
    assert digest(key) in json.dumps(request)


def test_a_stream_by_the_users_own_key_costs_no_credits(payer: Payer, key: str) -> None:
    answer = payer.say("Hello", body={"stream": True}, headers={OPENAI: key})
    assert answer.text.endswith("data: [DONE]\n\n")
    assert float(answer.headers["x-credits-held"]) == 0
    assert nothing_moved(payer)
    assert [row["billing"] for row in payer.usage()] == ["byok"]


def test_a_failing_key_of_the_users_never_falls_back_to_ours(payer: Payer, sent: Sent) -> None:
    text = uuid.uuid4().hex
    answer = payer.say(text, headers={OPENAI: "sk-invalid"})
    assert answer.status_code == 401
    assert OPENAI in answer.json()["error"]
    assert len(sent(text)) == 1
    assert nothing_moved(payer)
    assert [(row["billing"], row["status"]) for row in payer.usage()] == [("byok", "failed")]


@pytest.mark.parametrize(
    ("key", "code"),
    [("sk-quota", "user_quota_exceeded"), ("sk-ratelimited", "upstream_overloaded")],
)
def test_limits_of_the_users_own_account_are_said_so(payer: Payer, key: str, code: str) -> None:
    answer = payer.say("Hello", headers={OPENAI: key})
    assert answer.status_code == 429
    assert nothing_moved(payer)
    assert [row["reason"] for row in payer.usage()] in ([code], ["user_rate_limited"])


def test_another_providers_key_pays_for_nothing(payer: Payer, key: str, sent: Sent) -> None:
    text = uuid.uuid4().hex
    answer = payer.say(text, headers={"x-user-replicate-key": key})
    assert answer.status_code == 200
    assert float(answer.headers["x-credits-charged"]) > 0
    assert [row["billing"] for row in payer.usage()] == ["credits"]
    assert digest(key) not in json.dumps(sent(text))


def test_the_key_stays_good_for_a_whole_session(payer: Payer, key: str, sent: Sent) -> None:
    opened = payer.post("/v1/validate", headers={OPENAI: key}).json()
    refreshed = requests.post(
        f"{payer.url}/v1/validate/refresh",
        headers={"x-session-token": opened["sessionToken"]},
        timeout=30,
    ).json()
    for token in (opened["sessionToken"], refreshed["sessionToken"]):
        text = uuid.uuid4().hex
        body = {**CHAT, "messages": [{"role": "user", "content": text}]}
        answer = requests.post(
            f"{payer.url}/v1/chat", json=body, headers={"x-session-token": token}, timeout=30
        )
        assert answer.status_code == 200
        assert digest(key) in json.dumps(sent(text))
    assert nothing_moved(payer)
    assert [row["billing"] for row in payer.usage()] == ["byok", "byok"]


def test_a_key_of_the_request_wins_over_the_sessions(payer: Payer, key: str, sent: Sent) -> None:
    session = payer.post("/v1/validate", headers={OPENAI: "sk-invalid"}).json()["sessionToken"]
    text = uuid.uuid4().hex
    answer = requests.post(
        f"{payer.url}/v1/chat",
        json={**CHAT, "messages": [{"role": "user", "content": text}]},
        headers={"x-session-token": session, OPENAI: key},
        timeout=30,
    )
    assert answer.status_code == 200
    assert digest(key) in json.dumps(sent(text))


def test_a_workspace_of_the_tier_byok_calls_by_its_own_key_alone(
    make_payer: Callable[..., Payer], key: str
) -> None:
    payer = make_payer(tier="byok", credits=0)
    assert payer.say("Hello").status_code == 402
    assert payer.say("Hello", headers={OPENAI: key}).status_code == 200
    assert payer.balance() == (0, 0)


def test_calls_by_own_keys_are_limited_like_any(make_payer: Callable[..., Payer], key: str) -> None:
    payer = make_payer(tier="byok", credits=0)
    first = payer.say("Hello", headers={OPENAI: key}).headers
    second = payer.say("Hello", headers={OPENAI: key}).headers
    remaining = [int(headers["x-ratelimit-remaining"]) for headers in (first, second)]
    assert remaining[0] - remaining[1] == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"x-user-opneai-key": "sk-1"},
        {OPENAI: "two words"},
        {OPENAI: "ü"},
        {OPENAI: "x" * 513},
        {"x-user-xai-key": "one", "x-user-grok-key": "other"},
    ],
)
def test_a_header_that_is_no_key_of_a_provider_is_refused(
    payer: Payer, headers: dict[str, str]
) -> None:
    encoded = {name: value.encode("latin-1") for name, value in headers.items()}
    answer = payer.say("Hello", headers=encoded)
    assert answer.status_code == 400
    assert nothing_moved(payer)
    assert rows("SELECT 1 FROM gateway_call WHERE workspace_id = %s", payer.workspace_id) == []


def test_the_same_idempotency_key_is_answered_once_with_an_own_key(payer: Payer, key: str) -> None:
    headers = {OPENAI: key, "idempotency-key": uuid.uuid4().hex}
    first, second = (payer.say("Hello", headers=headers) for _ in range(2))
    assert first.content == second.content
    assert second.headers["idempotent-replayed"] == "true"
    assert len(payer.usage()) == 1


def test_the_key_is_nowhere_in_the_clear(payer: Payer, key: str, server_facts: Facts) -> None:
    payer.post("/v1/validate", headers={OPENAI: key})
    payer.say("Hello", headers={OPENAI: key})
    payer.say("Hello", headers={OPENAI: key + "-invalid"})
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_schema, table_name FROM information_schema.tables"
            " WHERE table_schema IN ('public', 'ledger') AND table_type = 'BASE TABLE'"
        )
        for schema, table in cursor.fetchall():
            cursor.execute(
                f"SELECT count(*) FROM {schema}.{table} t WHERE t::text LIKE %s",  # noqa: S608
                [f"%{key[10:]}%"],
            )
            assert cursor.fetchone() == (0,), table
    store = redis.Redis.from_url(server_facts.redis_url)
    for name in store.scan_iter(count=1000):
        if store.type(name) == b"string":
            assert key.encode() not in (store.get(name) or b"")
