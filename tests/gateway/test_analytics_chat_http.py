"""POST /v1/analytics/chat, over HTTP: sentences, rows and pictures; refusals; help by a model."""

import json
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, ClassVar
from uuid import UUID

import psycopg
import pytest
import requests

from studio.accounts.services import create_app_key
from studio.core.ids import new_id
from tests.analytics.usage_stage import insert
from tests.conftest import StartGateway
from tests.databases import Database
from tests.gateway.conftest import MakePayer, Payer

PATH = "/v1/analytics/chat"


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


@pytest.fixture
def used(payer: Payer, gateway_database: Database) -> Payer:
    """A workspace with calls of four apps today."""
    calls: list[dict[str, Any]] = [
        {"app_id": "10202", "charge_ucr": 1_500_000, "latency_ms": 100, "user_ref": "alice"},
        {"app_id": "my-legacy-app", "charge_ucr": 250_000, "latency_ms": 300, "user_ref": "bob"},
        {"app_id": "my-legacy-app", "status": "failed", "reason": "upstream_error"},
        {"app_id": "mobile-ios", "charge_ucr": 3_000_000, "latency_ms": 2_000, "model": "gpt-4o"},
        {"app_id": "web-dashboard", "charge_ucr": 1_000_000, "latency_ms": 200},
        {"app_id": "background-worker", "charge_ucr": 7, "input_tokens": 5},
    ]
    write(payer, gateway_database, calls)
    return payer


def ask(payer: Payer, message: str, **options: Any) -> dict[str, Any]:
    """Ask a question; give the answer."""
    answer = payer.post(PATH, json={"message": message, **options})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_the_documented_question_is_answered_with_a_sentence_and_a_row(used: Payer) -> None:
    body = ask(used, "How much did app 10202 spend this week?")
    assert body["answered"] is True
    assert body["by"] == "grammar"
    assert body["rows"] == [{"charge": 1.5}]
    assert body["answer"].startswith("1.5 credits. (spend, app 10202, ")
    assert body["answer"].endswith(", UTC.)")
    assert body["query"]["filters"] == [{"dimension": "app", "values": ["10202"], "exclude": False}]
    assert body["chart"] is None


def test_two_named_apps_get_a_row_and_a_bar_each(used: Payer) -> None:
    body = ask(used, "How much did mobile-ios spend vs web-dashboard?")
    assert body["rows"] == [
        {"app": "mobile-ios", "charge": 3},
        {"app": "web-dashboard", "charge": 1},
    ]
    assert body["chart"] == {
        "type": "bar",
        "title": "spend",
        "unit": "credits",
        "labels": ["mobile-ios", "web-dashboard"],
        "series": [{"name": "spend", "values": [3.0, 1.0]}],
    }


def test_failed_requests_are_listed_one_by_one(used: Payer) -> None:
    body = ask(used, "Show me all failed requests for my-legacy-app")
    (request,) = body["rows"]
    assert (request["app"], request["status"]) == ("my-legacy-app", "failed")
    assert body["query"]["mode"] == "list"
    assert body["answer"].startswith("1 request, the newest first.")


def test_every_other_documented_question_is_answered(used: Payer) -> None:
    by_user = ask(used, "Which users generated the most requests yesterday?")
    assert (by_user["answered"], by_user["rows"]) == (True, [])
    by_model = ask(used, "What's the average response time by model?")
    assert [row["model"] for row in by_model["rows"]] == ["gpt-4o", "gpt-5"]
    assert by_model["rows"][1]["latency_avg"] == 200
    spent = ask(used, "How much did my-legacy-app spend this week?")
    assert spent["rows"] == [{"charge": 0.25}]
    usage = ask(used, "Show me background-worker usage this month")
    assert usage["rows"] == [{"requests": 1, "tokens": 5, "charge": 0.000007}]


def test_over_time_the_picture_is_a_line(used: Payer) -> None:
    body = ask(used, "requests per day for the last 7 days")
    assert body["chart"]["type"] == "line"
    assert len(body["chart"]["labels"]) == 7
    assert sum(body["chart"]["series"][0]["values"]) == 6


def test_what_is_not_understood_is_named_with_three_that_can_be_asked(used: Payer) -> None:
    body = ask(used, "How much did android-app spend this week?")
    assert (body["answered"], body["rows"], body["chart"]) == (False, [], None)
    assert body["not_understood"] == "android-app"
    assert len(body["offers"]) == 3
    assert all(ask(used, offer)["answered"] for offer in body["offers"])


def test_a_question_needs_the_scope_and_a_text(used: Payer) -> None:
    key = create_app_key(workspace_id=used.workspace_id, scopes=["chat"])
    headers = {"x-app-key": key.token}
    refused = used.post(PATH, json={"message": "total spend today"}, headers=headers)
    assert refused.status_code == 403
    assert "analytics:read" in refused.json()["error"]
    for body in ({}, {"message": ""}, {"message": "a" * 501}, {"message": 3}, {"other": "x"}):
        assert used.post(PATH, json=body).status_code == 400


def test_other_workspaces_are_neither_answered_about_nor_offered(
    make_payer: MakePayer, used: Payer, gateway_database: Database
) -> None:
    other = make_payer()
    write(other, gateway_database, [{"app_id": "secret-shop", "model": "secret-model"}])
    assert ask(other, "requests of secret-shop today")["rows"] == [{"requests": 1}]
    for question in (
        "requests of secret-shop today",
        'requests of "secret-shop" today',
        "requests of secret-sho today",
        "requests by model for secret-mode",
    ):
        body = ask(used, question)
        assert body["answered"] is False
        assert "secret-shop" not in body["answer"].replace(question.split()[2], "")
        assert not any("secret" in name for name in body["near"])


def test_a_model_that_gives_no_form_leaves_the_refusal_and_its_price(used: Payer) -> None:
    before_ucr, _ = used.balance()
    answer = used.post(PATH, json={"message": "gimme the pennies pls", "use_model": True})
    body = answer.json()
    assert (body["answered"], body["by"]) == (False, "grammar")
    assert body["notes"] == ["The model gave no question that can be asked."]
    charged_ucr = before_ucr - used.balance()[0]
    assert charged_ucr == round(float(answer.headers["X-Credits-Charged"]) * 1_000_000)
    assert charged_ucr > 0
    assert used.usage()[-1]["request_id"] == UUID(answer.headers["X-Request-Id"])


def test_a_model_is_not_asked_without_being_allowed(used: Payer) -> None:
    before = used.balance()
    plain = used.post(PATH, json={"message": "gimme the pennies pls"})
    assert "X-Credits-Charged" not in plain.headers
    key = create_app_key(workspace_id=used.workspace_id, scopes=["analytics:read"])
    asked = {"message": "gimme the pennies pls", "use_model": True}
    refused = used.post(PATH, json=asked, headers={"x-app-key": key.token})
    assert refused.status_code == 403
    assert '"chat"' in refused.json()["error"]
    assert used.balance() == before


class _Upstream(BaseHTTPRequestHandler):
    """A provider whose model fills every form alike."""

    form: ClassVar[dict[str, Any]] = {}
    seen: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        """Answer a chat."""
        self.seen.append(self.rfile.read(int(self.headers["content-length"])).decode())
        message = {"role": "assistant", "content": json.dumps(self.form)}
        body = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "gpt-5",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 900, "completion_tokens": 60, "total_tokens": 960},
        }
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def test_a_model_fills_the_form_and_the_same_service_answers(
    used: Payer, gateway_database: Database, start_gateway: StartGateway
) -> None:
    _Upstream.form = {
        "answerable": True,
        "mode": "table",
        "metrics": ["charge"],
        "group_by": [],
        "bucket": "none",
        "filters": [{"value": "app_1", "exclude": False}],
        "range": "last_7_days",
        "dates": None,
        "compare": "none",
        "order": "none",
        "limit": None,
    }
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Upstream)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        base_url = f"http://127.0.0.1:{server.server_port}/v1"
        gateway = start_gateway(gateway_database, OPENAI_BASE_URL=base_url)
        body = {"message": "how dear was mobile-ios to our purse", "use_model": True}
        headers = {"x-app-key": used.key}
        answer = requests.post(gateway.url + PATH, json=body, headers=headers, timeout=30)
    finally:
        server.shutdown()
        server.server_close()
    shown = answer.json()
    assert (shown["answered"], shown["by"], shown["rows"]) == (True, "model", [{"charge": 3}])
    assert shown["query"]["filters"][0]["values"] == ["mobile-ios"]
    assert float(answer.headers["X-Credits-Charged"]) > 0
    [seen] = _Upstream.seen
    assert "how dear was app_1 to our purse" in seen
    assert "mobile-ios" not in seen
