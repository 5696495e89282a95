"""A paid chat through the public door: what it answers, what it costs, what is left behind."""

import json
from collections.abc import Callable
from uuid import UUID

import psycopg
import pytest
import requests

from billing.pricing import latest_price_book
from gateway.operations.chat import ChatUsage
from studio.core.money import ucr_to_credits
from tests.databases import Database, rows
from tests.gateway.conftest import CHAT, Payer

GRANTED_UCR = 1_000_000_000


def expected_charge(answer: dict[str, object], *, markup_bp: int, model: str) -> int:
    """Price the usage an answer reports by the newest book."""
    usage = answer["usage"]
    assert isinstance(usage, dict)
    price = latest_price_book().chat("openai", model)
    assert price is not None
    counted = ChatUsage(
        input_tokens=usage["prompt_tokens"],
        cached_input_tokens=usage["prompt_tokens_details"]["cached_tokens"],
        output_tokens=usage["completion_tokens"],
    )
    return price.charge_ucr(counted, markup_bp)


def test_a_chat_is_answered_charged_and_recorded_to_the_micro_credit(payer: Payer) -> None:
    response = payer.post(json=CHAT, headers={"x-app-id": "shop", "x-user-id": "user-7"})
    assert response.status_code == 200, response.text
    answer = response.json()
    assert answer["object"] == "chat.completion"
    assert answer["choices"][0]["message"]["role"] == "assistant"

    [usage] = payer.usage()
    charge_ucr = expected_charge(answer, markup_bp=2000, model=usage["model"])
    assert charge_ucr > 0
    assert payer.balance() == (GRANTED_UCR - charge_ucr, 0)
    assert response.headers["x-credits-charged"] == f"{ucr_to_credits(charge_ucr):f}"
    left = ucr_to_credits(GRANTED_UCR - charge_ucr)
    assert response.headers["x-credits-remaining"] == f"{left:f}"

    assert usage["request_id"] == UUID(response.headers["x-request-id"])
    assert usage["charge_ucr"] == charge_ucr
    assert usage["input_tokens"] == answer["usage"]["prompt_tokens"]
    assert usage["output_tokens"] == answer["usage"]["completion_tokens"]
    words = (
        "app_id",
        "user_ref",
        "surface",
        "operation",
        "kind",
        "channel",
        "provider",
        "status",
        "billing",
    )
    assert [usage[word] for word in words] == [
        "shop",
        "user-7",
        "studio",
        "chat",
        "chat.default",
        "stable",
        "openai",
        "succeeded",
        "credits",
    ]
    assert usage["app_key_id"] == payer.app_key_id
    assert usage["usage_source"] == "provider"
    [entry] = payer.entries()
    assert (entry["id"], entry["kind"], entry["amount"]) == (
        usage["request_id"],
        "usage",
        charge_ucr,
    )
    assert entry["markup_bp"] == 2000


def test_the_answer_carries_the_promised_headers_and_says_that_the_sandbox_answered(
    payer: Payer,
) -> None:
    response = payer.post(json=CHAT)
    assert response.headers["x-ratelimit-limit"] == "600"
    assert response.headers["x-ratelimit-remaining"] == "599"
    assert int(response.headers["x-ratelimit-reset"]) > 1_700_000_000
    assert float(response.headers["x-gateway-overhead-ms"]) > 0
    assert response.headers["x-studio-upstream"] == "sandbox"
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("tier", "markup_bp"), [("free", 5000), ("managed", 2000), ("vip_founder", 0)]
)
def test_the_tier_s_markup_applies(
    make_payer: Callable[..., Payer], tier: str, markup_bp: int
) -> None:
    payer = make_payer(tier=tier)
    answer = payer.post(json=CHAT).json()
    [usage] = payer.usage()
    assert usage["charge_ucr"] == expected_charge(answer, markup_bp=markup_bp, model=usage["model"])
    assert usage["markup_bp"] == markup_bp


def test_the_tier_byok_without_a_user_key_is_refused_with_402(
    make_payer: Callable[..., Payer],
) -> None:
    payer = make_payer(tier="byok")
    response = payer.post(json=CHAT)
    assert response.status_code == 402
    assert "byok" in response.json()["error"]
    assert payer.balance() == (GRANTED_UCR, 0)


def test_an_empty_wallet_is_402_with_balance_and_estimate(make_payer: Callable[..., Payer]) -> None:
    payer = make_payer(credits=0)
    response = payer.post(json=CHAT)
    assert response.status_code == 402
    text = response.json()["error"]
    assert text.startswith("Insufficient credits. Balance: 0.0, Estimated cost: ")
    assert text.endswith(" credits")
    assert payer.usage() == []
    assert payer.entries() == []


def test_a_thin_wallet_gets_a_shorter_answer_unless_the_caller_named_a_maximum(
    make_payer: Callable[..., Payer],
) -> None:
    payer = make_payer(credits=20)
    assert payer.say("[[sandbox chunks=20]] hello").status_code == 200
    refused = payer.say("hello", body={"max_completion_tokens": 100_000})
    assert refused.status_code == 402
    available_ucr, held_ucr = payer.balance()
    assert held_ucr == 0
    assert 0 <= available_ucr < 20_000_000


def test_credits_tells_what_is_left(payer: Payer) -> None:
    response = payer.get("/v1/credits")
    assert response.json() == {
        "available": 1000.0,
        "held": 0.0,
        "expiring": 0.0,
        "tier": "managed",
        "currency": "credits",
    }


def test_a_streamed_chat_settles_before_done_and_charges_the_reported_usage(payer: Payer) -> None:
    body = {**CHAT, "stream": True, "stream_options": {"include_usage": True}}
    with payer.post(json=body, stream=True) as response:
        assert response.headers["content-type"] == "text/event-stream"
        assert float(response.headers["x-credits-held"]) > 0
        lines = [line for line in response.iter_lines() if line.startswith(b"data: ")]
        [usage] = payer.usage()
    assert lines[-1] == b"data: [DONE]"
    chunks = [json.loads(line[6:]) for line in lines[:-1]]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert chunks[-1]["choices"] == []
    charge_ucr = expected_charge(chunks[-1], markup_bp=2000, model=usage["model"])
    assert usage["charge_ucr"] == charge_ucr
    assert usage["status"] == "succeeded"
    assert payer.balance() == (GRANTED_UCR - charge_ucr, 0)


def test_a_stream_that_did_not_ask_for_usage_gets_no_chunk_without_choices(payer: Payer) -> None:
    with payer.post(json={**CHAT, "stream": True}, stream=True) as response:
        lines = [line for line in response.iter_lines() if line.startswith(b"data: ")]
    chunks = [json.loads(line[6:]) for line in lines[:-1]]
    assert all(chunk["choices"] for chunk in chunks)
    [usage] = payer.usage()
    assert usage["charge_ucr"] > 0


def test_a_key_s_spend_cap_stops_it(make_payer: Callable[..., Payer]) -> None:
    payer = make_payer(spend_cap_ucr=1)
    assert payer.post(json=CHAT).status_code == 200
    response = payer.post(json=CHAT)
    assert response.status_code == 402
    assert "spend cap" in response.json()["error"]
    [key] = rows("SELECT spent_ucr FROM accounts_appkey WHERE id = %s", payer.app_key_id)
    assert key["spent_ucr"] == payer.usage()[0]["charge_ucr"]


def test_a_key_with_a_model_list_may_use_no_other(make_payer: Callable[..., Payer]) -> None:
    payer = make_payer(allowed_models=["chat.o4mini"])
    assert payer.post(json=CHAT).status_code == 403
    assert payer.post(json={**CHAT, "kind": "chat.o4mini"}).status_code == 200


def test_a_frozen_wallet_is_402(payer: Payer, gateway_database: Database) -> None:
    with psycopg.connect(gateway_database.owner_url) as owner:
        owner.execute("UPDATE ledger.wallet SET frozen = true WHERE id = %s", [payer.workspace_id])
    response = payer.post(json=CHAT)
    assert response.status_code == 402
    assert "frozen" in response.json()["error"]
    assert payer.balance() == (GRANTED_UCR, 0)


def test_two_calls_are_two_charges(payer: Payer) -> None:
    for _ in range(2):
        assert payer.post(json=CHAT).status_code == 200
    charges = [usage["charge_ucr"] for usage in payer.usage()]
    assert len(charges) == 2
    assert payer.balance() == (GRANTED_UCR - sum(charges), 0)


def test_nothing_is_left_open(payer: Payer) -> None:
    payer.post(json=CHAT)
    assert rows("SELECT * FROM ledger.hold WHERE wallet_id = %s", payer.workspace_id) == []
    [call] = rows("SELECT * FROM gateway_call WHERE workspace_id = %s", payer.workspace_id)
    assert call["state"] == "succeeded"


def test_health_needs_no_credential(gateway_url: str) -> None:
    body = requests.get(gateway_url + "/health", timeout=10).json()
    assert body["status"] == "ok"
    assert set(body) == {"status", "timestamp", "version", "uptime"}
    ready = requests.get(gateway_url + "/health/ready", timeout=10).json()
    assert (ready["parts"]["database"], ready["parts"]["cache"]) == ("ok", "ok")
