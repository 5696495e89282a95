"""Spend caps per window at the door: they stop what they cap, and nothing else."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import requests

from billing.budgets import window_at
from gateway.budgets import recount_budgets
from studio.accounts.models import AppKey, Workspace
from studio.accounts.scopes import ALL_SCOPES
from studio.accounts.services import create_app_key
from studio.core.ids import new_id
from tests.databases import rows
from tests.gateway.conftest import CHAT, Payer

MakePayer = Callable[..., Payer]


@pytest.fixture
def owner(make_payer: MakePayer) -> Payer:
    """A payer whose key may set caps."""
    return make_payer(scopes=ALL_SCOPES)


def put(payer: Payer, *budgets: dict[str, Any]) -> requests.Response:
    """Set a workspace's caps."""
    return requests.put(
        f"{payer.url}/v1/credits/budgets",
        headers={"x-app-key": payer.key},
        json={"budgets": list(budgets)},
        timeout=30,
    )


def read(payer: Payer) -> Any:
    """Read a workspace's caps with their numbers as they are written."""
    answer = payer.get("/v1/credits/budgets")
    assert answer.status_code == 200, answer.text
    return json.loads(answer.text, parse_float=Decimal)


def spent_ucr(payer: Payer) -> int:
    """Give what the workspace's calls were charged."""
    return sum(usage["charge_ucr"] for usage in payer.usage())


@pytest.mark.parametrize("period", ["day", "week", "month"])
def test_a_workspace_s_cap_stops_all_of_it_until_the_window_ends(owner: Payer, period: str) -> None:
    Workspace.objects.filter(pk=owner.workspace_id).update(time_zone="America/New_York")
    assert put(owner, {"scope": "workspace", "period": period, "cap": 0.000001}).status_code == 200
    assert owner.post(json=CHAT).status_code == 200
    before = (owner.balance(), len(owner.usage()))
    second = create_app_key(workspace_id=owner.workspace_id)
    for key in (owner.key, second.token):
        refused = owner.post(json=CHAT, headers={"x-app-key": key})
        assert refused.status_code == 402
        assert f"cap for this {period} is used up" in refused.json()["error"]
    assert owner.post("/v1/embeddings", json={"input": "x"}).status_code == 402
    assert (owner.balance(), len(owner.usage())) == before
    [budget] = read(owner)["budgets"]
    window = window_at(period, ZoneInfo("America/New_York"), datetime.now(UTC))  # type: ignore[arg-type]
    assert budget["spent"] * 10**6 == spent_ucr(owner)
    assert budget["window_start"] == window.starts_at.isoformat()
    assert budget["resets_at"] == window.ends_at.isoformat()


def test_a_window_that_is_over_counts_no_more(owner: Payer) -> None:
    put(owner, {"scope": "workspace", "period": "day", "cap": 0.000001})
    assert owner.post(json=CHAT).status_code == 200
    assert owner.post(json=CHAT).status_code == 402
    # The day becomes yesterday's, as it does at midnight.
    rows(
        "UPDATE billing_budgetspend SET starts_on = starts_on - 1 WHERE budget_id IN"
        " (SELECT id FROM billing_budget WHERE workspace_id = %s) RETURNING id",
        owner.workspace_id,
    )
    assert owner.post(json=CHAT).status_code == 200
    counted = rows(
        "SELECT s.starts_on, s.spent_ucr FROM billing_budgetspend s JOIN billing_budget g"
        " ON g.id = s.budget_id WHERE g.workspace_id = %s ORDER BY 1",
        owner.workspace_id,
    )
    assert [row["spent_ucr"] for row in counted] == [usage["charge_ucr"] for usage in owner.usage()]


def test_a_key_s_cap_stops_that_key_alone(owner: Payer) -> None:
    second = create_app_key(workspace_id=owner.workspace_id)
    key_id = AppKey.objects.get(pk=second.app_key_id).key_id
    answer = put(owner, {"scope": "key", "key": key_id, "period": "month", "cap": 0.001})
    assert answer.status_code == 200, answer.text
    mine = {"x-app-key": second.token}
    assert owner.post(json=CHAT).status_code == 200
    assert owner.post(json=CHAT, headers=mine).status_code == 200
    assert owner.post(json=CHAT, headers=mine).status_code == 402
    assert owner.post(json=CHAT).status_code == 200
    [budget] = read(owner)["budgets"]
    charges = [u["charge_ucr"] for u in owner.usage() if u["app_key_id"] == second.app_key_id]
    assert budget["spent"] * 10**6 == sum(charges)
    assert (budget["scope"], budget["key"], budget["app"]) == ("key", key_id, None)


def test_an_app_s_cap_stops_calls_with_that_label_alone(owner: Payer) -> None:
    put(owner, {"scope": "app", "app": "shop", "period": "week", "cap": 0.001})
    shop = {"x-app-id": "shop"}
    assert owner.post(json=CHAT, headers=shop).status_code == 200
    assert owner.post(json=CHAT, headers=shop).status_code == 402
    assert owner.post(json=CHAT, headers={"x-app-id": "blog"}).status_code == 200
    assert owner.post(json=CHAT).status_code == 200


def test_a_new_cap_knows_what_its_window_has_spent(owner: Payer) -> None:
    assert owner.post(json=CHAT, headers={"x-app-id": "shop"}).status_code == 200
    assert owner.post(json=CHAT).status_code == 200
    answer = put(
        owner,
        {"scope": "workspace", "period": "month", "cap": 500, "alert_percent": 80},
        {"scope": "app", "app": "shop", "period": "day", "cap": 500},
        {"scope": "app", "app": "blog", "period": "day", "cap": 500},
    )
    budgets = json.loads(answer.text, parse_float=Decimal)["budgets"]
    first, second = (usage["charge_ucr"] for usage in owner.usage())
    assert [budget["spent"] * 10**6 for budget in budgets] == [first + second, first, 0]
    assert [budget["alert_percent"] for budget in budgets] == [80, None, None]


def test_a_raised_cap_opens_again_and_keeps_its_count(owner: Payer) -> None:
    cap = {"scope": "workspace", "period": "day"}
    put(owner, {**cap, "cap": 0.001})
    assert owner.post(json=CHAT).status_code == 200
    assert owner.post(json=CHAT).status_code == 402
    put(owner, {**cap, "cap": 500})
    assert owner.post(json=CHAT).status_code == 200
    [budget] = read(owner)["budgets"]
    assert budget["spent"] * 10**6 == spent_ucr(owner)
    assert put(owner).json()["budgets"] == []
    assert owner.post(json=CHAT).status_code == 200


def test_every_call_is_counted_however_many_settle_at_once(make_payer: MakePayer) -> None:
    owner = make_payer(scopes=ALL_SCOPES, credits=100_000)
    put(
        owner,
        {"scope": "workspace", "period": "month", "cap": 900},
        {"scope": "workspace", "period": "day", "cap": 900},
        {"scope": "app", "app": "shop", "period": "day", "cap": 900},
    )
    with ThreadPoolExecutor(16) as pool:
        asked = [
            pool.submit(owner.say, "[[sandbox latency_ms=50]] hi", headers={"x-app-id": "shop"})
            for _ in range(48)
        ]
        assert {each.result().status_code for each in asked} == {200}
    assert len(owner.usage()) == 48
    assert [budget["spent"] * 10**6 for budget in read(owner)["budgets"]] == [spent_ucr(owner)] * 3


def test_what_settled_before_a_process_knew_of_a_cap_is_counted_afterwards(owner: Payer) -> None:
    put(
        owner,
        {"scope": "workspace", "period": "month", "cap": 900},
        {"scope": "app", "app": "shop", "period": "day", "cap": 900},
    )
    assert owner.post(json=CHAT, headers={"x-app-id": "shop"}).status_code == 200
    assert owner.post(json=CHAT).status_code == 200
    exact = read(owner)["budgets"]
    behind = (
        "UPDATE billing_budgetspend SET spent_ucr = 1 WHERE budget_id IN"
        " (SELECT id FROM billing_budget WHERE workspace_id = %s) RETURNING id"
    )
    recount_budgets()
    assert read(owner)["budgets"] == exact
    rows(behind, owner.workspace_id)
    assert recount_budgets() >= 2
    assert read(owner)["budgets"] == exact
    rows(
        "DELETE FROM billing_budgetspend WHERE budget_id IN"
        " (SELECT id FROM billing_budget WHERE workspace_id = %s) RETURNING id",
        owner.workspace_id,
    )
    assert recount_budgets() >= 2
    assert read(owner)["budgets"] == exact
    assert recount_budgets() == 0
    rows(behind, owner.workspace_id)
    rows(
        "UPDATE billing_budget SET created_at = now() - interval '4 minutes'"
        " WHERE workspace_id = %s RETURNING id",
        owner.workspace_id,
    )
    assert recount_budgets() == 0


def test_a_cap_is_soft_by_what_is_in_flight_and_no_more(owner: Payer, sandbox_url: str) -> None:
    put(owner, {"scope": "workspace", "period": "day", "cap": 0.000001})
    mark = str(new_id())
    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(owner.say, f"[[sandbox latency_ms=1500]] {mark}") for _ in range(3)]
        query = {"contains": mark, "at_least": "3"}
        requests.get(f"{sandbox_url}/_sandbox/requests", params=query, timeout=30)
        assert [each.result().status_code for each in asked] == [200] * 3
    assert owner.post(json=CHAT).status_code == 402
    assert len(owner.usage()) == 3


def test_a_call_by_a_user_s_own_key_is_not_capped(owner: Payer) -> None:
    put(owner, {"scope": "workspace", "period": "day", "cap": 0.000001})
    assert owner.post(json=CHAT).status_code == 200
    assert owner.post(json=CHAT).status_code == 402
    own = {"x-user-openai-key": "sk-user-own-0123456789abcdef"}
    assert owner.post(json=CHAT, headers=own).status_code == 200
    [budget] = read(owner)["budgets"]
    assert budget["spent"] * 10**6 == spent_ucr(owner)


def test_an_estimate_says_that_a_used_up_cap_affords_nothing(owner: Payer) -> None:
    assert owner.post("/v1/estimate", json=CHAT).json()["affordable"] is True
    put(owner, {"scope": "workspace", "period": "day", "cap": 0.000001})
    assert owner.post(json=CHAT).status_code == 200
    assert owner.post("/v1/estimate", json=CHAT).json()["affordable"] is False


@pytest.mark.parametrize(
    "budget",
    [
        {"scope": "workspace", "period": "year", "cap": 1},
        {"scope": "team", "period": "day", "cap": 1},
        {"scope": "workspace", "period": "day"},
        {"scope": "workspace", "period": "day", "cap": "NaN"},
        {"scope": "workspace", "period": "day", "cap": 0},
        {"scope": "workspace", "period": "day", "cap": -1},
        {"scope": "workspace", "period": "day", "cap": 0.0000001},
        {"scope": "workspace", "period": "day", "cap": 1e300},
        {"scope": "workspace", "period": "day", "cap": "1e999999999"},
        {"scope": "workspace", "period": "day", "cap": 1, "app": "shop"},
        {"scope": "app", "period": "day", "cap": 1},
        {"scope": "key", "key": "x", "period": "day", "cap": 1},
        {"scope": "workspace", "period": "day", "cap": 1, "alert_percent": 100},
        {"scope": "workspace", "period": "day", "cap": 1, "color": "red"},
    ],
)
def test_caps_that_make_no_sense_are_400_and_change_nothing(
    owner: Payer, budget: dict[str, Any]
) -> None:
    put(owner, {"scope": "workspace", "period": "week", "cap": 5})
    before = read(owner)
    answer = put(owner, budget)
    assert answer.status_code == 400, answer.text
    assert read(owner) == before


def test_caps_are_set_only_with_the_scope_for_it(make_payer: MakePayer) -> None:
    plain, stranger = make_payer(), make_payer(scopes=["chat"])
    cap = {"scope": "workspace", "period": "day", "cap": 1}
    assert put(plain, cap).status_code == 403
    assert read(plain)["budgets"] == []
    assert stranger.get("/v1/credits/budgets").status_code == 403
    refused = plain.post("/v1/credits/budgets", json={"budgets": []})
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD, PUT")


def test_another_workspace_s_caps_are_invisible_and_bind_nobody_else(
    make_payer: MakePayer, owner: Payer
) -> None:
    other = make_payer(scopes=ALL_SCOPES)
    put(owner, {"scope": "workspace", "period": "day", "cap": 0.000001})
    assert read(other)["budgets"] == []
    assert owner.post(json=CHAT).status_code == 200
    assert owner.post(json=CHAT).status_code == 402
    assert other.post(json=CHAT).status_code == 200
