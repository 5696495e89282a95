"""Any request id answers: hold, attempts, charge, refund, by which prices, caused by whom."""

import json
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import requests
from django.db import transaction

from billing import ledger
from billing.models.prices import Price, PriceBook
from billing.price_books import change_price, hand_back
from billing.pricing import PriceRow
from studio.accounts.models import AppKey
from studio.accounts.services import set_tier
from studio.core.ids import new_id
from tests.databases import rows
from tests.gateway.conftest import CHAT, Payer

MakePayer = Callable[..., Payer]


def receipt(payer: Payer, request_id: str) -> Any:
    """Read a receipt with its numbers as they are written."""
    answer = payer.get(f"/v1/credits/receipts/{request_id}")
    assert answer.status_code == 200, answer.text
    return json.loads(answer.text, parse_float=Decimal)


def test_a_chat_s_receipt_tells_who_what_and_how_much(payer: Payer) -> None:
    answer = payer.post(json=CHAT, headers={"x-app-id": "shop", "x-user-id": "user-7"})
    found = receipt(payer, answer.headers["x-request-id"])
    [call] = rows("SELECT * FROM gateway_call WHERE workspace_id = %s", payer.workspace_id)
    key = AppKey.objects.get(pk=payer.app_key_id)
    charged = Decimal(answer.headers["x-credits-charged"])
    usage = answer.json()["usage"]
    assert found["request_id"] == answer.headers["x-request-id"]
    assert (found["state"], found["operation"], found["kind"]) == (
        "succeeded",
        "chat",
        "chat.default",
    )
    assert found["caused_by"] == {
        "key": key.key_id,
        "key_ends_in": key.last_four,
        "app": "shop",
        "user": "user-7",
    }
    assert found["hold"] == {"amount": Decimal(call["hold_ucr"]) / 10**6, "state": "settled"}
    [attempt] = found["attempts"]
    assert (attempt["number"], attempt["provider"], attempt["code"], attempt["status"]) == (
        1,
        "openai",
        "",
        200,
    )
    assert found["price"] == {"version": call["price_version"], "markup_percent": Decimal(20)}
    assert found["usage"]["source"] == "provider"
    assert found["usage"]["input_tokens"] == usage["prompt_tokens"]
    assert found["usage"]["output_tokens"] == usage["completion_tokens"]
    assert found["charge"]["amount"] == charged == found["net"]
    assert found["charge"]["of_it_owed"] == 0
    assert found["refunds"] == []
    exact = sum(line["amount"] for line in found["usage"]["lines"])
    assert math.ceil(exact * 10**6 * Decimal("1.2")) == charged * 10**6
    for line in found["usage"]["lines"]:
        assert line["amount"] == line["quantity"] * line["unit_price"] / line["per"]


def test_a_failed_call_s_receipt_shows_the_attempt_and_no_charge(payer: Payer) -> None:
    answer = payer.say("[[sandbox status=500]] hello")
    assert answer.status_code == 502
    found = receipt(payer, answer.headers["x-request-id"])
    assert (found["state"], found["reason"]) == ("failed", "upstream_error")
    assert found["hold"]["state"] == "released"
    assert found["charge"]["amount"] == found["net"] == 0
    assert found["usage"]["lines"] == []
    assert found["attempts"][-1]["code"] == "upstream_error"
    assert [attempt["number"] for attempt in found["attempts"]] == [
        *range(1, len(found["attempts"]) + 1)
    ]
    [usage] = payer.usage()
    assert usage["attempts"] == len(found["attempts"])


def test_a_refund_stands_on_the_receipt_and_lowers_the_net(payer: Payer) -> None:
    answer = payer.post(json=CHAT)
    request_id = answer.headers["x-request-id"]
    charged = Decimal(answer.headers["x-credits-charged"])
    with transaction.atomic():
        moved = ledger.refund(
            workspace_id=payer.workspace_id,
            call_id=UUID(request_id),
            amount_ucr=1_000,
            ref="broken answer (alice)",
        )
    assert moved.verdict == "refunded"
    found = receipt(payer, request_id)
    assert [refund["amount"] for refund in found["refunds"]] == [Decimal("0.001")]
    assert found["charge"]["amount"] == charged
    assert found["net"] == charged - Decimal("0.001")
    assert "alice" not in json.dumps(found, default=str)


def test_an_open_call_s_receipt_says_what_is_held(payer: Payer, sandbox_url: str) -> None:
    mark = str(new_id())
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(payer.say, f"[[sandbox latency_ms=1500]] {mark}")
        arrived(sandbox_url, mark)
        [call] = rows("SELECT * FROM gateway_call WHERE workspace_id = %s", payer.workspace_id)
        found = receipt(payer, str(call["id"]))
        assert asked.result().status_code == 200
    assert found["state"] == "open"
    assert found["hold"] == {"amount": Decimal(call["hold_ucr"]) / 10**6, "state": "open"}
    assert found["usage"] is None
    assert found["charge"]["amount"] == 0


def test_there_is_no_receipt_for_what_was_no_call(payer: Payer) -> None:
    refused = payer.post(json={**CHAT, "messages": []})
    for request_id in (refused.headers["x-request-id"], str(new_id())):
        assert payer.get(f"/v1/credits/receipts/{request_id}").status_code == 404
    assert payer.get("/v1/credits/receipts/x").status_code == 400
    granted = rows("SELECT id FROM ledger.entry WHERE wallet_id = %s", payer.workspace_id)
    assert payer.get(f"/v1/credits/receipts/{granted[0]['id']}").status_code == 404


def test_a_call_by_a_user_s_own_key_has_a_receipt_without_money(payer: Payer) -> None:
    answer = payer.post(json=CHAT, headers={"x-user-openai-key": "sk-user-own-0123456789abcdef"})
    assert answer.status_code == 200, answer.text
    found = receipt(payer, answer.headers["x-request-id"])
    assert (found["billing"], found["price"]) == ("byok", None)
    assert (found["hold"]["state"], found["charge"]["amount"]) == ("none", 0)


def test_a_change_of_tier_or_price_never_moves_a_call_in_flight(
    make_payer: MakePayer, sandbox_url: str
) -> None:
    payer = make_payer(tier="managed")
    plain = payer.say("[[sandbox chunks=4]] hello there")
    before = receipt(payer, plain.headers["x-request-id"])
    newest = PriceBook.objects.order_by("-version").first()
    assert newest is not None
    fields = PriceRow.__struct_fields__
    found = Price.objects.filter(
        book=newest, provider="openai", model=before["model"], operation="chat", options={}
    )
    prices = [PriceRow(**row) for row in found.values(*fields)]
    mark = str(new_id())
    try:
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(
                payer.say, f"[[sandbox chunks=4 latency_ms=1500]] hello there {mark}"
            )
            arrived(sandbox_url, mark)
            set_tier(workspace_id=payer.workspace_id, tier="free")
            for price in prices:
                dear = PriceRow(
                    **{name: getattr(price, name) for name in fields if name != "list_ucr"},
                    list_ucr=price.list_ucr * 3,
                )
                change_price(dear, actor="test")
            answer = asked.result()
    finally:
        for price in prices:
            change_price(price, actor="test")
        hand_back([price.key for price in prices], actor="test")
    assert answer.status_code == 200
    after = receipt(payer, answer.headers["x-request-id"])
    assert (
        after["price"]
        == before["price"]
        == {
            "version": newest.version,
            "markup_percent": Decimal(20),
        }
    )
    units = [
        {line["class"]: line["unit_price"] for line in r["usage"]["lines"]} for r in (before, after)
    ]
    assert units[0] == units[1]
    exact = sum(line["amount"] for line in after["usage"]["lines"])
    assert math.ceil(exact * 10**6 * Decimal("1.2")) == after["charge"]["amount"] * 10**6
    assert after["charge"]["amount"] <= after["hold"]["amount"]


def arrived(sandbox_url: str, mark: str) -> None:
    """Wait until the request with this mark is at the provider."""
    query = {"contains": mark, "at_least": "1"}
    answer = requests.get(f"{sandbox_url}/_sandbox/requests", params=query, timeout=30)
    assert len(answer.json()["requests"]) >= 1


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_a_receipt_is_only_read(payer: Payer, method: str) -> None:
    answer = requests.request(
        method,
        f"{payer.url}/v1/credits/receipts/{new_id()}",
        headers={"x-app-key": payer.key},
        timeout=10,
    )
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
