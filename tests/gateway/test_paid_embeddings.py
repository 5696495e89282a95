"""Embeddings are paid for by what they used, once, and by whoever may."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from tests.databases import Database, rows
from tests.gateway.conftest import Payer, own_violations
from tests.gateway.embedding_calls import GRANTED_UCR, SMALL, charge_of, embed, nothing_moved


@pytest.mark.parametrize("words", ["missing_usage", "usage=-5", "usage=0", "usage=many"])
def test_without_a_count_that_can_be_believed_ours_is_charged(payer: Payer, words: str) -> None:
    text = f"[[sandbox {words}]]"
    answer = embed(payer, text)
    counted = -(-len(text) // 4)
    assert answer.json()["usage"]["prompt_tokens"] == counted
    [usage] = payer.usage()
    assert (usage["usage_source"], usage["input_tokens"]) == ("counted", counted)
    assert usage["charge_ucr"] == charge_of(counted)


def test_a_count_beyond_the_hold_never_overdraws(make_payer: Callable[..., Payer]) -> None:
    payer = make_payer(credits=1)
    assert embed(payer, "[[sandbox usage=1000000]]").status_code == 200
    available_ucr, held_ucr = payer.balance()
    assert (available_ucr, held_ucr) == (0, 0)
    charged_ucr = charge_of(1_000_000)
    [owed] = rows("SELECT owed FROM ledger.wallet WHERE id = %s", payer.workspace_id)
    assert owed["owed"] == charged_ucr - 1_000_000
    assert payer.usage()[0]["charge_ucr"] == charged_ucr


def test_the_same_idempotency_key_is_answered_and_charged_once(payer: Payer) -> None:
    headers = {"idempotency-key": uuid.uuid4().hex}
    first, second = (embed(payer, headers=headers) for _ in range(2))
    assert first.content == second.content
    assert second.headers["idempotent-replayed"] == "true"
    assert embed(payer, "other", headers=headers).status_code == 422
    assert len(payer.usage()) == 1
    assert [entry["kind"] for entry in payer.entries()] == ["usage"]


def test_a_failure_frees_the_idempotency_key(payer: Payer) -> None:
    headers = {"idempotency-key": uuid.uuid4().hex}
    text = f"[[sandbox status=500 times=1 tag={uuid.uuid4()}]]"
    assert embed(payer, text, headers=headers).status_code == 502
    assert embed(payer, text, headers=headers).status_code == 200
    assert len([usage for usage in payer.usage() if usage["charge_ucr"]]) == 1


def test_a_wallet_that_cannot_pay_is_402(make_payer: Callable[..., Payer]) -> None:
    payer = make_payer(credits=0.001)
    answer = embed(payer, "x" * 1000)
    assert answer.status_code == 402
    held_ucr = charge_of(1002)
    assert answer.json()["error"]["message"] == (
        f"Insufficient credits. Balance: 0.001, Estimated cost: {held_ucr / 1_000_000} credits"
    )
    assert payer.usage() == []
    assert payer.balance() == (1000, 0)


def test_a_frozen_wallet_is_402(payer: Payer, gateway_database: Database) -> None:
    with psycopg.connect(gateway_database.owner_url) as owner:
        owner.execute("UPDATE ledger.wallet SET frozen = true WHERE id = %s", [payer.workspace_id])
    assert embed(payer).json()["error"]["type"] == "wallet_frozen"
    assert nothing_moved(payer)


@pytest.mark.parametrize(
    ("key", "status"),
    [
        ({"scopes": ["models"]}, 403),
        ({"scopes": ["chat"]}, 200),
        ({"allowed_models": ["chat.default"]}, 403),
        ({"allowed_models": ["embedding.default"]}, 200),
    ],
)
def test_keys_do_what_they_may(
    make_payer: Callable[..., Payer], key: dict[str, Any], status: int
) -> None:
    assert embed(make_payer(**key)).status_code == status


def test_a_capped_key_s_spend_is_counted(make_payer: Callable[..., Payer]) -> None:
    payer = make_payer(spend_cap_ucr=1)
    assert [embed(payer).status_code for _ in range(2)] == [200, 402]
    [key] = rows("SELECT spent_ucr FROM accounts_appkey WHERE id = %s", payer.app_key_id)
    assert key["spent_ucr"] == charge_of(2)


def test_a_user_s_own_key_costs_no_credits(make_payer: Callable[..., Payer]) -> None:
    payer = make_payer(tier="byok", credits=0)
    refused = embed(payer)
    assert refused.json()["error"]["type"] == "user_key_needed"
    headers = {"x-user-openai-key": f"sk-{uuid.uuid4().hex}"}
    answer = embed(payer, headers=headers)
    assert answer.status_code == 200
    assert "x-credits-remaining" not in answer.headers
    [usage] = payer.usage()
    assert (usage["billing"], usage["status"], usage["input_tokens"]) == ("byok", "succeeded", 2)
    assert (usage["charge_ucr"], usage["cost_ucr"], usage["markup_bp"]) == (0, 0, 0)
    assert payer.entries() == []


@pytest.mark.parametrize(
    ("word", "status", "code"),
    [
        ("invalid", 401, "user_key_refused"),
        ("quota", 429, "user_quota_exceeded"),
        ("ratelimited", 429, "user_rate_limited"),
    ],
)
def test_a_failing_key_of_the_user_s_is_said_to_be_theirs(
    payer: Payer, word: str, status: int, code: str
) -> None:
    answer = embed(payer, headers={"x-user-openai-key": f"sk-{uuid.uuid4().hex}-{word}"})
    assert (answer.status_code, answer.json()["error"]["type"]) == (status, code)
    assert "x-user-openai-key" in answer.json()["error"]["message"]
    assert [row["billing"] for row in payer.usage()] == ["byok"]
    assert (payer.balance(), payer.entries()) == ((GRANTED_UCR, 0), [])


def test_parallel_calls_never_overdraw(make_payer: Callable[..., Payer]) -> None:
    payer = make_payer(credits=0.05)
    text = "x" * 998  # holds 24 000 µcr, costs 6 000
    with ThreadPoolExecutor(12) as pool:
        answers = [*pool.map(lambda _: embed(payer, text), range(24))]
    assert {answer.status_code for answer in answers} <= {200, 402}
    served = [answer for answer in answers if answer.status_code == 200]
    cost_ucr = charge_of(250)
    assert 2 <= len(served) <= 50_000 // cost_ucr
    assert payer.balance() == (50_000 - len(served) * cost_ucr, 0)
    assert len(payer.usage()) == len(served)


def test_what_was_used_is_what_was_taken_and_nothing_is_violated(payer: Payer) -> None:
    for text in ("a", ["b", "c"], "[[sandbox status=500]]", "[[sandbox missing_usage]] d"):
        embed(payer, text)
    recorded = {row["request_id"]: row["charge_ucr"] for row in payer.usage() if row["charge_ucr"]}
    taken = {row["id"]: row["amount"] for row in payer.entries() if row["kind"] == "usage"}
    assert recorded == taken
    assert len(taken) == 3
    assert rows("SELECT * FROM ledger.hold WHERE wallet_id = %s", payer.workspace_id) == []
    assert own_violations(payer) == []


def test_openrouter_s_embeddings_cost_us_what_it_says(payer: Payer) -> None:
    answer = embed(payer, "one two three", body={"kind": None, "model": f"openai/{SMALL}"})
    assert (answer.status_code, answer.json()["model"]) == (200, f"openai/{SMALL}")
    (usage,) = payer.usage()
    assert usage["provider"] == "openrouter"
    assert usage["cost_ucr"] == 20 * usage["input_tokens"]
    assert usage["charge_ucr"] == charge_of(usage["input_tokens"])
    assert payer.balance() == (GRANTED_UCR - usage["charge_ucr"], 0)
