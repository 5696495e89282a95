"""What a payer reads of its money: balance, ledger, receipts; on both surfaces."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import requests

from billing import ledger as functions
from billing.services import grant_credits
from studio.accounts.scopes import ALL_SCOPES
from studio.accounts.services import create_app_key
from studio.core.ids import new_id
from studio.core.money import credits_text
from tests.databases import rows
from tests.gateway.conftest import CHAT, Payer

MakePayer = Callable[..., Payer]


def exact(response: requests.Response) -> Any:
    """Read a body with its numbers as they are written."""
    assert response.status_code == 200, response.text
    return json.loads(response.text, parse_float=Decimal)


def pages(payer: Payer, **query: Any) -> list[dict[str, Any]]:
    """Read the whole ledger, page by page."""
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        params = {**query, **({"cursor": cursor} if cursor else {})}
        page = exact(payer.get("/v1/credits/ledger", params=params))
        found += page["data"]
        cursor = page["next_cursor"]
        assert page["has_more"] == (cursor is not None)
        if cursor is None:
            return found


def charge(payer: Payer, amount_ucr: int, *, cost_ucr: int = 0) -> UUID:
    """Charge a call without making it."""
    call_id = new_id()
    functions.place_holds(
        [
            functions.HoldItem(
                workspace_id=payer.workspace_id,
                id=call_id,
                amount_ucr=max(1, amount_ucr),
                seconds=60,
                price_version=1,
                markup_bp=2000,
            )
        ]
    )
    functions.settle(
        [
            functions.SettleItem(
                workspace_id=payer.workspace_id,
                id=call_id,
                kind="usage",
                charge_ucr=amount_ucr,
                cost_ucr=cost_ucr,
            )
        ]
    )
    return call_id


def test_the_balance_is_the_same_on_both_surfaces(payer: Payer) -> None:
    expected = {
        "available": 1000.0,
        "held": 0.0,
        "expiring": 0.0,
        "tier": "managed",
        "currency": "credits",
    }
    assert payer.get("/v1/credits").json() == expected
    assert payer.get("/api/v1/llm/credits").json() == expected


def test_the_balance_tells_what_is_held_and_what_expires(payer: Payer) -> None:
    grant_credits(
        workspace_id=payer.workspace_id,
        amount_ucr=7_250_001,
        reason="spring",
        expires_at=datetime(2126, 1, 1, tzinfo=UTC),
    )
    functions.place_holds(
        [
            functions.HoldItem(
                workspace_id=payer.workspace_id,
                id=new_id(),
                amount_ucr=250_000,
                seconds=60,
                price_version=1,
                markup_bp=0,
            )
        ]
    )
    body = exact(payer.get("/v1/credits"))
    assert (body["available"], body["held"]) == (Decimal("1007.000001"), Decimal("0.25"))
    assert body["expiring"] == Decimal("0.0")


@pytest.mark.parametrize(
    ("path", "envelope"),
    [("/v1/credits", "error"), ("/v1/credits/ledger", "error"), ("/api/v1/llm/credits", "detail")],
)
def test_refusals_come_in_the_surface_s_envelope(
    make_payer: MakePayer, path: str, envelope: str
) -> None:
    payer = make_payer()
    assert list(requests.get(payer.url + path, timeout=10).json()) == [envelope]
    assert requests.get(payer.url + path, timeout=10).status_code == 401
    refused = payer.post(path)
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
    assert list(refused.json()) == [envelope]
    narrow = make_payer(scopes=["chat"])
    refused = narrow.get(path)
    assert (refused.status_code, list(refused.json())) == (403, [envelope])


def test_unknown_paths_under_llm_are_404_with_a_detail(payer: Payer) -> None:
    answer = payer.get("/api/v1/llm/nothing")
    assert (answer.status_code, list(answer.json())) == (404, ["detail"])


def test_a_paid_chat_stands_in_the_ledger_under_its_request_id(payer: Payer) -> None:
    answer = payer.post(json=CHAT)
    charged = Decimal(answer.headers["x-credits-charged"])
    [used, granted] = exact(payer.get("/v1/credits/ledger"))["data"]
    assert used["request_id"] == answer.headers["x-request-id"]
    assert (used["kind"], used["amount"]) == ("usage", -charged)
    assert used["balance"] == 1000 - charged == Decimal(answer.headers["x-credits-remaining"])
    assert (granted["kind"], granted["amount"], granted["balance"]) == ("promo", 1000, 1000)
    assert used["owed_change"] == granted["owed_change"] == 0
    assert used["reference"] is None


def test_the_running_balance_is_the_sum_up_to_each_entry_on_every_page(payer: Payer) -> None:
    for amount_ucr in (3, 0, 999_999, 1_000_000, 17):
        charge(payer, amount_ucr)
    grant_credits(workspace_id=payer.workspace_id, amount_ucr=5, reason="more")
    whole = pages(payer)
    assert [credits_text(int(entry["amount"] * 10**6)) for entry in whole] == [
        "0.000005",
        "-0.000017",
        "-1.0",
        "-0.999999",
        "0.0",
        "-0.000003",
        "1000.0",
    ]
    assert [str(entry["balance"]) for entry in whole] == [
        "997.999986",
        "997.999981",
        "997.999998",
        "998.999998",
        "999.999997",
        "999.999997",
        "1000.0",
    ]
    for limit in (1, 2, 3, 6, 7):
        assert pages(payer, limit=limit) == whole


def test_filters_choose_entries_and_leave_their_balances(payer: Payer) -> None:
    first = charge(payer, 10)
    charge(payer, 20)
    grant_credits(workspace_id=payer.workspace_id, amount_ucr=30, reason="more")
    last = charge(payer, 40)
    whole = {(entry["request_id"], entry["seq"]): entry for entry in pages(payer)}
    used = pages(payer, kind="usage", limit=1)
    assert [entry["amount"] * 10**6 for entry in used] == [-40, -20, -10]
    assert all(entry == whole[entry["request_id"], entry["seq"]] for entry in used)
    [one] = pages(payer, request_id=str(first))
    assert one == whole[str(first), 0]
    assert one["balance"] == Decimal("999.99999")
    since = whole[str(last), 0]["at"]
    assert [entry["request_id"] for entry in pages(payer, **{"from": since})] == [str(last)]
    before = pages(payer, to=since)
    assert len(before) == len(whole) - 1
    assert all(entry == whole[entry["request_id"], entry["seq"]] for entry in before)
    assert pages(payer, kind="payout,expiry") == []
    assert pages(payer, request_id=str(new_id())) == []


def test_a_page_adds_up_though_entries_come_between_pages(payer: Payer) -> None:
    for amount_ucr in (1, 2, 3, 4):
        charge(payer, amount_ucr)
    whole = pages(payer)
    first = exact(payer.get("/v1/credits/ledger", params={"limit": 2}))
    charge(payer, 1_000_000)
    params = {"limit": 2, "cursor": first["next_cursor"]}
    second = exact(payer.get("/v1/credits/ledger", params=params))
    assert first["data"] + second["data"] == whole[:4]


def test_old_pages_are_reckoned_from_the_cursor_alone(
    payer: Payer, gateway_owner: Callable[..., None]
) -> None:
    for amount_ucr in (1, 2, 3, 4):
        charge(payer, amount_ucr)
    gateway_owner("ALTER TABLE ledger.entry DISABLE TRIGGER USER")
    older = "UPDATE ledger.entry SET at = at - interval '1 day' WHERE wallet_id = "
    gateway_owner(older + str(payer.workspace_id))
    gateway_owner("ALTER TABLE ledger.entry ENABLE TRIGGER USER")
    assert [str(entry["balance"]) for entry in pages(payer, limit=1)] == [
        "999.99999",
        "999.999994",
        "999.999997",
        "999.999999",
        "1000.0",
    ]


def test_what_is_owed_moves_the_debt_and_not_the_balance(make_payer: MakePayer) -> None:
    payer = make_payer(credits=0)
    grant_credits(workspace_id=payer.workspace_id, amount_ucr=10, reason="small")
    call_id = new_id()
    item = functions.HoldItem(
        workspace_id=payer.workspace_id,
        id=call_id,
        amount_ucr=10,
        seconds=60,
        price_version=1,
        markup_bp=0,
    )
    functions.place_holds([item])
    functions.settle(
        [
            functions.SettleItem(
                workspace_id=payer.workspace_id, id=call_id, kind="usage", charge_ucr=15
            )
        ]
    )
    grant_credits(workspace_id=payer.workspace_id, amount_ucr=7, reason="paid", kind="topup")
    found = [
        (entry["kind"], entry["amount"], entry["owed_change"], entry["balance"])
        for entry in pages(payer)
    ]
    micro = Decimal("0.000001")
    assert found == [
        ("repay", -5 * micro, -5 * micro, 2 * micro),
        ("topup", 7 * micro, 0, 7 * micro),
        ("usage", 0, 5 * micro, 0),
        ("usage", -10 * micro, 0, 0),
        ("promo", 10 * micro, 0, 10 * micro),
    ]


def test_another_workspace_s_entries_and_receipts_are_invisible(make_payer: MakePayer) -> None:
    mine, other = make_payer(), make_payer()
    answer = mine.post(json=CHAT)
    request_id = answer.headers["x-request-id"]
    assert pages(other, request_id=request_id) == []
    assert other.get(f"/v1/credits/receipts/{request_id}").status_code == 404
    assert mine.get(f"/v1/credits/receipts/{request_id}").status_code == 200
    charge(mine, 1)
    cursor = exact(mine.get("/v1/credits/ledger", params={"limit": 1}))["next_cursor"]
    refused = other.get("/v1/credits/ledger", params={"cursor": cursor})
    assert refused.status_code == 400


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "201"},
        {"limit": "٣"},
        {"limit": "x"},
        {"kind": "money"},
        {"kind": "usage,"},
        {"from": "yesterday"},
        {"from": "2026-11-01T00:00:00"},
        {"to": "0001-01-01T00:00:00+00:00"},
        {"to": "9999-12-31T23:59:59-12:00"},
        {"request_id": "x"},
        {"cursor": "x"},
        {"cursor": "WzEsInt9Il0:1abcde:xxxx"},
        {"page": "2"},
        [("limit", "1"), ("limit", "2")],
    ],
)
def test_questions_that_mean_nothing_are_400(payer: Payer, query: Any) -> None:
    answer = payer.get("/v1/credits/ledger", params=query)
    assert answer.status_code == 400, answer.text
    assert list(answer.json()) == ["error"]


def test_the_window_of_time_takes_any_offset(payer: Payer) -> None:
    charge(payer, 1)
    assert (
        len(pages(payer, **{"from": "1970-01-01T00:00:00+05:30", "to": "2300-01-01T00:00Z"})) == 2
    )


def test_a_key_of_the_workspace_reads_what_another_spent(payer: Payer) -> None:
    call_id = charge(payer, 1)
    second = create_app_key(workspace_id=payer.workspace_id)
    answer = payer.get(
        "/v1/credits/ledger", params={"limit": 1}, headers={"x-app-key": second.token}
    )
    assert [entry["request_id"] for entry in answer.json()["data"]] == [str(call_id)]


def test_nothing_of_ours_shows(payer: Payer) -> None:
    charge(payer, 5, cost_ucr=3)
    [entry, _] = pages(payer)
    assert "cost" not in entry
    assert rows("SELECT cost FROM ledger.entry WHERE id = %s", entry["request_id"]) == [{"cost": 3}]


def put_alerts(payer: Payer, body: Any) -> requests.Response:
    return requests.put(
        f"{payer.url}/v1/credits/alerts", headers={"x-app-key": payer.key}, json=body, timeout=30
    )


def test_alerts_are_set_and_read_and_the_secret_is_shown_once(make_payer: MakePayer) -> None:
    payer = make_payer(scopes=ALL_SCOPES)
    nothing: dict[str, Any] = {"low_balance": None, "emails": [], "webhook_url": None}
    assert payer.get("/v1/credits/alerts").json() == nothing
    body = {
        "low_balance": 12.5,
        "emails": ["money@example.com"],
        "webhook_url": "https://example.com/hook",
    }
    answer = put_alerts(payer, body).json()
    assert answer.pop("webhook_secret").startswith("whsec_")
    assert answer == payer.get("/v1/credits/alerts").json() == body
    assert put_alerts(payer, body).json() == body
    assert "webhook_secret" in put_alerts(payer, {**body, "rotate_secret": True}).json()
    assert put_alerts(payer, {}).json() == nothing


@pytest.mark.parametrize(
    "body",
    [
        {"low_balance": 0},
        {"low_balance": "NaN"},
        {"emails": ["nobody"]},
        {"webhook_url": "http://169.254.169.254/latest"},
        {"webhook_url": "https://127.0.0.1:8443/"},
        {"threshold": 5},
        [],
    ],
)
def test_alerts_that_make_no_sense_are_400_and_change_nothing(
    make_payer: MakePayer, body: Any
) -> None:
    payer = make_payer(scopes=ALL_SCOPES)
    put_alerts(payer, {"low_balance": 5})
    before = payer.get("/v1/credits/alerts").json()
    answer = put_alerts(payer, body)
    assert (answer.status_code, list(answer.json())) == (400, ["error"])
    assert payer.get("/v1/credits/alerts").json() == before


def test_alerts_are_set_only_with_the_scope_for_it(make_payer: MakePayer) -> None:
    plain, owner = make_payer(), make_payer(scopes=ALL_SCOPES)
    put_alerts(owner, {"low_balance": 5})
    assert put_alerts(plain, {"low_balance": 5}).status_code == 403
    assert plain.get("/v1/credits/alerts").json()["low_balance"] is None
