"""What a call would cost, against what it then holds and costs."""

import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import psycopg
import pytest
import requests

from studio.core.money import credits_to_ucr
from tests.databases import Database, rows
from tests.gateway.conftest import CHAT, Payer

GRANTED_UCR = 1_000_000_000
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
TOOL = {"type": "function", "function": {"name": "time", "parameters": {"type": "object"}}}
CHATS: dict[str, dict[str, Any]] = {
    "hello": {},
    "maximum": {"max_completion_tokens": 100},
    "old maximum": {"max_tokens": 7},
    "short": {"messages": [{"role": "user", "content": "x"}], "max_tokens": 1},
    "japanese": {"messages": [{"role": "user", "content": "こんにちは" * 40}]},
    "choices": {"n": 3, "max_completion_tokens": 50},
    "tools": {"tools": [TOOL]},
    "picture": {
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Look"}, PICTURE]}],
        "max_tokens": 500,
    },
    "model": {"kind": None, "model": "gpt-6-luna"},
    "reasoning": {"reasoning_effort": "low", "max_completion_tokens": 4000},
}


def estimate(payer: Payer, body: dict[str, Any], **options: Any) -> requests.Response:
    """Ask what a call would cost."""
    return payer.post("/v1/estimate", json=body, **options)


def held_by_stream(payer: Payer, body: dict[str, Any], **options: Any) -> int:
    """Make the call itself as a stream, to its end. Returns: what it held, in µcr."""
    answer = payer.post("/v1/chat", json={**body, "stream": True}, **options)
    assert answer.status_code == 200
    return credits_to_ucr(answer.headers["x-credits-held"])


def nothing_moved(payer: Payer, granted_ucr: int = GRANTED_UCR) -> bool:
    """Tell whether the wallet is as it was and no call was made."""
    calls = rows("SELECT 1 FROM gateway_call WHERE workspace_id = %s", payer.workspace_id)
    return payer.balance() == (granted_ucr, 0) and payer.entries() == [] and calls == []


def credits_of(answer: requests.Response, name: str) -> int:
    """Read an amount of the answer exactly, in µcr."""
    found: dict[str, Any] = answer.json(parse_float=Decimal)
    return credits_to_ucr(found[name])


@pytest.mark.parametrize("name", CHATS)
@pytest.mark.parametrize("channel", ["stable", "fast"])
def test_the_ceiling_is_what_the_stream_then_holds(payer: Payer, name: str, channel: str) -> None:
    body = {**CHAT, **CHATS[name]}
    headers = {"x-model-channel": channel}
    # The stream's own body says that it is one, and every byte of it counts.
    answer = estimate(payer, {**body, "stream": True}, headers=headers)
    assert answer.status_code == 200
    assert nothing_moved(payer)
    ceiling_ucr = credits_of(answer, "ceiling")
    assert ceiling_ucr == held_by_stream(payer, body, headers=headers)
    [usage] = payer.usage()
    assert usage["charge_ucr"] <= ceiling_ucr
    assert (answer.json()["model"], answer.json()["provider"]) == (
        usage["model"],
        usage["provider"],
    )
    [call] = rows("SELECT * FROM gateway_call WHERE workspace_id = %s", payer.workspace_id)
    assert call["price_version"] == answer.json()["price"]["price_version"]


def test_a_chat_s_estimate_to_the_digit(payer: Payer) -> None:
    body = {**CHAT, "max_completion_tokens": 1000}
    answer = estimate(payer, body)
    found = answer.json(parse_float=Decimal)
    version = found["price"].pop("price_version")
    assert version >= 1
    # "Hello!" is 6 bytes; 8 tokens around a message and 32 around all bound it.
    assert found == {
        "model": "gpt-5.6-sol",
        "provider": "openai",
        "kind": "chat.default",
        "channel": "stable",
        "tier": "managed",
        "billing": "credits",
        "markup_percent": Decimal("20.0"),
        "currency": "credits",
        "ceiling": Decimal("24.276"),  # (46 x 5000 cache write + 1000 x 20000) x 1.2 µcr
        "likely": Decimal("6.1728"),  # (6 x 4000 + 256 x 20000) x 1.2 µcr
        "input_tokens": {"ceiling": 46, "likely": 6},
        "output_tokens": {"ceiling": 1000, "likely": 256},
        "price": {
            "input": Decimal("4000.0"),
            "cached_input": Decimal("400.0"),
            "cache_write": Decimal("5000.0"),
            "output": Decimal("20000.0"),
        },
        "affordable": True,
        "available": Decimal("1000.0"),
    }
    assert answer.headers["cache-control"] == "no-store"
    assert nothing_moved(payer)


def test_likely_is_never_more_than_the_ceiling_and_follows_a_small_maximum(payer: Payer) -> None:
    found = estimate(payer, {**CHAT, "max_tokens": 5, "n": 2}).json()
    assert found["output_tokens"] == {"ceiling": 10, "likely": 10}
    assert found["likely"] <= found["ceiling"]


@pytest.mark.parametrize(
    "given", ["Hello", ["a", "bc"], [1, 2, 3], [[1], [2, 3]], "こんにちは", ["x"] * 500]
)
@pytest.mark.parametrize("channel", ["stable", "quality"])
def test_the_ceiling_of_embeddings_is_what_they_then_hold(
    payer: Payer, given: Any, channel: str
) -> None:
    body = {"kind": "embedding.default", "input": given}
    headers = {"x-model-channel": channel}
    answer = estimate(payer, body, headers=headers)
    assert answer.status_code == 200
    assert nothing_moved(payer)
    assert payer.post("/v1/embeddings", json=body, headers=headers).status_code == 200
    [call] = rows("SELECT * FROM gateway_call WHERE workspace_id = %s", payer.workspace_id)
    assert credits_of(answer, "ceiling") == call["hold_ucr"]
    assert (answer.json()["model"], answer.json()["kind"]) == (call["model"], call["kind"])
    assert payer.usage()[0]["charge_ucr"] <= call["hold_ucr"]


def test_an_estimate_of_embeddings_to_the_digit(payer: Payer) -> None:
    found = estimate(payer, {"input": ["Hello there", "x"]}).json(parse_float=Decimal)
    found["price"].pop("price_version")
    assert found == {
        "model": "text-embedding-3-small",
        "provider": "openai",
        "kind": "embedding.default",
        "channel": "stable",
        "tier": "managed",
        "billing": "credits",
        "markup_percent": Decimal("20.0"),
        "currency": "credits",
        "ceiling": Decimal("0.000384"),  # (11 + 2 + 1 + 2) x 20 x 1.2 µcr
        "likely": Decimal("0.000096"),  # (3 + 1) x 20 x 1.2 µcr
        "input_tokens": {"ceiling": 16, "likely": 4},
        "output_tokens": {"ceiling": 0, "likely": 0},
        "price": {"input": Decimal("20.0")},
        "affordable": True,
        "available": Decimal("1000.0"),
    }


def test_a_thin_wallet_s_ceiling_is_the_shortened_one(make_payer: Callable[..., Payer]) -> None:
    payer = make_payer(credits=20)
    body = {**CHAT, "stream": True}
    answer = estimate(payer, body)
    assert answer.json()["affordable"] is True
    assert credits_of(answer, "ceiling") <= 20_000_000
    assert answer.json()["output_tokens"]["ceiling"] < 8192
    assert credits_of(answer, "ceiling") == held_by_stream(payer, CHAT)


def test_what_a_wallet_cannot_pay_is_said_and_not_refused(
    make_payer: Callable[..., Payer],
) -> None:
    payer = make_payer(credits=20)
    body = {**CHAT, "kind": None, "model": "gpt-5.6-sol", "max_completion_tokens": 100_000}
    answer = estimate(payer, body)
    assert answer.status_code == 200
    assert (answer.json()["affordable"], answer.json()["available"]) == (False, 20.0)
    refused = payer.post("/v1/chat", json=body)
    assert refused.status_code == 402
    # The estimate's figure is the refusal's.
    amount = refused.json()["error"]["message"].split("Estimated cost: ")[1].split()[0]
    assert credits_of(answer, "ceiling") == credits_to_ucr(amount)
    assert nothing_moved(payer, 20_000_000)


def test_an_empty_wallet_affords_nothing(make_payer: Callable[..., Payer]) -> None:
    payer = make_payer(credits=0)
    for body in (CHAT, {"input": "x"}):
        found = estimate(payer, body).json()
        assert (found["affordable"], found["available"]) == (False, 0.0)


def test_a_frozen_wallet_or_a_spent_key_affords_nothing(
    make_payer: Callable[..., Payer], gateway_database: Database
) -> None:
    capped = make_payer(spend_cap_ucr=1)
    assert estimate(capped, CHAT).json()["affordable"] is True
    assert capped.post("/v1/chat", json=CHAT).status_code == 200
    assert estimate(capped, CHAT).json()["affordable"] is False
    frozen = make_payer()
    with psycopg.connect(gateway_database.owner_url) as owner:
        owner.execute("UPDATE ledger.wallet SET frozen = true WHERE id = %s", [frozen.workspace_id])
    assert estimate(frozen, CHAT).json()["affordable"] is False
    assert estimate(frozen, {"input": "x"}).json()["affordable"] is False


@pytest.mark.parametrize("body", [CHAT, {"input": "x"}])
def test_by_a_user_s_own_key_nothing_is_held(
    make_payer: Callable[..., Payer], body: dict[str, Any]
) -> None:
    payer = make_payer(tier="byok", credits=0)
    refused = estimate(payer, body)
    assert (refused.status_code, payer.usage()) == (402, [])
    found = estimate(payer, body, headers={"x-user-openai-key": f"sk-{uuid.uuid4().hex}"}).json()
    assert (found["billing"], found["affordable"]) == ("byok", True)
    assert (found["ceiling"], found["likely"], found["markup_percent"]) == (0.0, 0.0, 0.0)


def test_tiers_differ_by_their_markup(make_payer: Callable[..., Payer]) -> None:
    body = {**CHAT, "max_tokens": 1000}
    found = {
        tier: credits_of(estimate(make_payer(tier=tier), body), "ceiling")
        for tier in ("free", "managed", "vip_founder")
    }
    base_ucr = 46 * 5000 + 1000 * 20_000
    assert found == {
        "free": base_ucr * 3 // 2,
        "managed": base_ucr * 6 // 5,
        "vip_founder": base_ucr,
    }


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"messages": []},
        {"input": ""},
        {"messages": [{"role": "user", "content": "x"}], "input": "x"},
        {"kind": "chat.default"},
        {**CHAT, "temperature": 3},
        {**CHAT, "colour": "red"},
        {"input": "x", "colour": "red"},
        {**CHAT, "web_search_options": {}},
        {"input": "x", "kind": "chat.default"},
        {**CHAT, "kind": "embedding.default"},
    ],
)
def test_what_the_call_would_refuse_is_refused_in_the_studio_envelope(
    payer: Payer, body: dict[str, Any]
) -> None:
    answer = estimate(payer, body)
    assert answer.status_code == 400
    assert set(answer.json()) == {"error"}
    assert nothing_moved(payer)


def test_no_provider_is_called(payer: Payer, sandbox_url: str) -> None:
    mark = uuid.uuid4().hex
    estimate(payer, {**CHAT, "messages": [{"role": "user", "content": mark}]})
    estimate(payer, {"input": mark})
    query = {"contains": mark, "settled": "1"}
    found = requests.get(f"{sandbox_url}/_sandbox/requests", params=query, timeout=30).json()
    assert found["requests"] == []


def test_an_estimate_counts_as_a_request_and_needs_the_scope(
    make_payer: Callable[..., Payer],
) -> None:
    payer = make_payer()
    remaining = [int(estimate(payer, CHAT).headers["x-ratelimit-remaining"]) for _ in range(2)]
    assert remaining[0] - remaining[1] == 1
    assert estimate(make_payer(scopes=["models"]), CHAT).status_code == 403
    assert estimate(make_payer(allowed_models=["chat.grok"]), CHAT).status_code == 403
    assert requests.post(f"{payer.url}/v1/estimate", json=CHAT, timeout=30).status_code == 401
    assert payer.get("/v1/estimate").status_code == 405
