"""GET /v1/analytics/usage, over HTTP: whose usage, in which words, and what is refused."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from analytics.query import Dimension, Metric
from studio.accounts.services import create_app_key
from studio.core.ids import new_id
from tests.analytics.usage_stage import insert
from tests.databases import Database
from tests.gateway.conftest import MakePayer, Payer

PATH = "/v1/analytics/usage"


@pytest.fixture
def used(payer: Payer, gateway_database: Database) -> Payer:
    """A workspace with four calls of two apps, and one the day before yesterday."""
    now = datetime.now(UTC)
    calls = [
        {"app_id": "my-legacy-app", "charge_ucr": 1_500_000, "latency_ms": 100},
        {"app_id": "my-legacy-app", "charge_ucr": 1, "latency_ms": 300, "input_tokens": 8},
        {"app_id": "web", "user_ref": "alice", "latency_ms": 10_000, "output_tokens": 5},
        {"app_id": "web", "status": "failed", "reason": "upstream_error", "http_status": 502},
        {"app_id": "old", "charge_ucr": 2_000_000, "at": now - timedelta(days=40)},
    ]
    write(payer, gateway_database, calls)
    return payer


def write(payer: Payer, database: Database, calls: list[dict[str, Any]]) -> None:
    """Write usage as the gateway does when it settles."""
    plain = {
        "workspace_id": payer.workspace_id,
        "app_key_id": payer.app_key_id,
        "surface": "core",
        "operation": "chat",
        "kind": "chat.default",
        "channel": "stable",
        "provider": "openai",
        "model": "gpt-5",
        "status": "succeeded",
        "billing": "credits",
    }
    with psycopg.connect(database.owner_url) as owner:
        first = (datetime.now(UTC) - timedelta(days=45)).date()
        owner.execute("SELECT analytics.make_partitions(%s, %s)", [first, datetime.now(UTC).date()])
        insert(owner, [plain | {"request_id": new_id()} | call for call in calls])


def test_usage_by_app_says_what_each_spent(used: Payer) -> None:
    answer = used.get(PATH, params={"group_by": "app"})
    assert answer.status_code == 200
    body = answer.json(parse_float=Decimal)
    assert body["rows"] == [
        {
            "app": "my-legacy-app",
            "requests": 2,
            "errors": 0,
            "tokens": 8,
            "charge": Decimal("1.500001"),
            "latency_avg": 200,
        },
        {
            "app": "web",
            "requests": 2,
            "errors": 1,
            "tokens": 5,
            "charge": Decimal("0.0"),
            "latency_avg": 10_000,
        },
    ]
    assert body["totals"]["charge"] == Decimal("1.500001")
    assert (body["range"]["name"], body["time_zone"]) == ("last_30_days", "UTC")
    assert (body["currency"], body["units"]["charge"]) == ("credits", "credits")


def test_cost_is_the_charge(used: Payer) -> None:
    body = used.get(PATH, params={"metrics": "cost", "sort": "-cost", "group_by": "app"}).json()
    assert body["metrics"] == ["charge"]
    assert [row["charge"] for row in body["rows"]] == [1.500001, 0]


def test_filters_are_words_of_the_query_and_may_exclude(used: Payer) -> None:
    def requests(**query: object) -> int:
        body = used.get(PATH, params={"metrics": "requests", **query}).json()
        return int(body["totals"]["requests"])

    assert requests() == 4
    assert requests(app="web") == 2
    assert requests(app=["web", "my-legacy-app"], status="succeeded") == 3
    assert requests(**{"app!": "web"}) == 2
    assert requests(user="alice") == 1
    assert requests(app="' OR true --") == 0
    assert requests(range="last_90_days") == 5


def test_a_key_is_known_by_its_public_id(used: Payer) -> None:
    body = used.get(PATH, params={"group_by": "key", "metrics": "requests"}).json()
    (row,) = body["rows"]
    assert row["requests"] == 4
    assert row["key"] in used.key
    query = {"key": row["key"], "metrics": "requests"}
    assert used.get(PATH, params=query).json()["totals"] == {"requests": 4}


def test_days_are_compared_with_the_days_before(used: Payer) -> None:
    today = datetime.now(UTC).date()
    query = {
        "start": (today - timedelta(days=1)).isoformat(),
        "end": (today + timedelta(days=1)).isoformat(),
        "bucket": "day",
        "compare": "previous",
        "metrics": "requests",
    }
    body = used.get(PATH, params=query).json()
    assert body["buckets"] == [str(today - timedelta(days=1)), str(today)]
    assert [row["requests"] for row in body["rows"]] == [0, 4]
    assert [row["previous"] for row in body["rows"]] == [{"requests": 0}] * 2
    assert body["compare"]["same_elapsed"] is True


def test_percentiles_say_how_wrong_they_may_be(used: Payer) -> None:
    body = used.get(PATH, params={"metrics": "latency_p50,latency_p99"}).json()
    assert body["percentile_error"] == 0.02
    assert body["totals"]["latency_p50"] == pytest.approx(300, rel=0.02)
    assert body["totals"]["latency_p99"] == pytest.approx(10_000, rel=0.02)


def test_single_requests_come_with_the_newest_first(used: Payer) -> None:
    body = used.get(PATH, params={"mode": "list", "status": "failed"}).json()
    (request,) = body["data"]
    assert (request["app"], request["reason"], request["http_status"]) == (
        "web",
        "upstream_error",
        502,
    )
    body = used.get(PATH, params={"mode": "list", "page_size": 3}).json()
    assert (len(body["data"]), body["has_more"]) == (3, True)
    query = {"mode": "list", "page_size": 3, "cursor": body["next_cursor"]}
    rest = used.get(PATH, params=query).json()
    assert (len(rest["data"]), rest["has_more"]) == (1, False)
    assert len({request["request_id"] for request in body["data"] + rest["data"]}) == 4


def test_pages_follow_their_cursor(used: Payer) -> None:
    query = {"group_by": "app,status", "metrics": "requests", "page_size": 2}
    first = used.get(PATH, params=query).json()
    second = used.get(PATH, params=query | {"cursor": first["next_cursor"]}).json()
    rows = [(row["app"], row["status"], row["requests"]) for row in first["rows"] + second["rows"]]
    assert rows == [
        ("my-legacy-app", "succeeded", 2),
        ("web", "failed", 1),
        ("web", "succeeded", 1),
    ]
    other = used.get(PATH, params=query | {"cursor": first["next_cursor"], "app": "web"})
    assert other.status_code == 400


def test_another_workspace_sees_nothing(used: Payer, make_payer: MakePayer) -> None:
    body = make_payer().get(PATH, params={"group_by": "app", "range": "last_90_days"}).json()
    assert (body["rows"], body["totals"]["requests"]) == ([], 0)


def test_a_key_without_the_scope_is_refused(used: Payer) -> None:
    issued = create_app_key(workspace_id=used.workspace_id, scopes=["credits:read"])
    answer = used.get(PATH, headers={"x-app-key": issued.token})
    assert answer.status_code == 403
    assert "analytics:read" in answer.json()["error"]


def test_only_reading_is_possible(used: Payer) -> None:
    assert used.post(PATH, json={}).status_code == 405


@pytest.mark.parametrize(
    "query",
    [
        "range=this_fortnight",
        "range=today&start=2026-11-01",
        "end=2026-11-01",
        "start=yesterday",
        "start=2026-11-01T00:00:00",
        "start=2026-11-02&end=2026-11-01",
        "start=0001-01-01",
        "start=9999-12-31&end=2026-11-01",
        "bucket=fortnight",
        "group_by=colour",
        "group_by=app,app",
        "group_by=app,model,user",
        "metrics=happiness",
        "metrics=cost,charge",
        "metrics=",
        "sort=-users&metrics=requests",
        "sort=--charge",
        "limit=0&group_by=app",
        "limit=1001&group_by=app",
        "limit=5",
        "other=maybe",
        "other=true&group_by=app",
        "status=good",
        "billing=cash",
        "app=a&app!=" + "b" * 1025,
        "compare=last_decade",
        "compare=2026-11-01..",
        "mode=pie",
        "mode=list&group_by=app",
        "mode=list&metrics=charge",
        "page_size=0",
        "cursor=x",
        "cursor=" + "A" * 2000,
        "colour=red",
        "bucket=day&bucket=hour",
        "range=last_90_days&group_by=key",
        "range=last_90_days&bucket=hour",
        "app=%00",
    ],
)
def test_what_makes_no_sense_is_refused_with_its_parameter(used: Payer, query: str) -> None:
    answer = used.get(f"{PATH}?{query}")
    if query == "metrics=":
        assert answer.status_code == 200
        return
    assert answer.status_code == 400, answer.text
    assert ":" in answer.json()["error"]


def test_every_metric_and_group_by_is_answered(used: Payer) -> None:
    metrics = ",".join(metric for metric in Metric if metric is not Metric.COST)
    for dimension in Dimension:
        query = {"metrics": metrics, "group_by": dimension.value}
        answer = used.get(PATH, params=query)
        assert answer.status_code == 200
        assert sum(row["requests"] for row in answer.json()["rows"]) == 4
