"""Endpoints of webhooks over HTTP: who may have which, and what is told of their secrets."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from pytest_django import DjangoDbBlocker, Settings

from billing.outbox import send_due
from billing.tasks import send_messages
from studio.accounts.services import create_app_key, create_workspace
from tests.databases import WORKER, Facts, rows
from tests.gateway.job_stage import job_database, set_rows
from tests.gateway.webhook_stage import (
    Customer,
    Place,
    customer_of,
    fail_for_a_day,
    make_due,
    messages_of,
    webhook_place,
)

ALL = ["job.canceled", "job.expired", "job.failed", "job.succeeded"]


@pytest.fixture(scope="module")
def place(
    server_facts: Facts,
    gateway_environment: dict[str, str],
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Place]:
    """A database, a gateway and a sink for this module."""
    directory = tmp_path_factory.mktemp("webhooks")
    name = f"studio_test_{WORKER}_webhooks"
    with (
        django_db_blocker.unblock(),
        job_database(server_facts, name) as database,
        webhook_place(database, gateway_environment, directory) as made,
    ):
        yield made


@pytest.fixture
def customer(place: Place, sandbox_url: str, settings: Settings) -> Iterator[Customer]:
    """A customer; nobody else's messages wait."""
    settings.SANDBOX_URL = sandbox_url
    settings.PROVIDER_KEYS = {}
    settings.WEBHOOK_ALLOWED_ORIGINS = [place.sink.origin]
    with customer_of(place, sandbox_url) as made:
        yield made


def test_an_endpoint_is_added_changed_and_forgotten(customer: Customer) -> None:
    added = customer.add(description="shop")
    secret = added.pop("secret")
    assert secret.startswith("whsec_")
    assert added == {
        "id": added["id"],
        "object": "webhook",
        "url": customer.sink.origin + "/hook",
        "description": "shop",
        "events": ALL,
        "enabled": True,
        "off_because": None,
        "off_at": None,
        "old_secret_until": None,
        "created_at": added["created_at"],
    }
    own = f"/v1/webhooks/{added['id']}"
    assert customer.ask("GET", own).json() == added
    assert customer.ask("GET", "/v1/webhooks").json() == {"object": "list", "data": [added]}
    changed = customer.ask("PATCH", own, json={"events": ["job.failed"], "enabled": False}).json()
    assert (changed["events"], changed["enabled"], changed["off_because"]) == (
        ["job.failed"],
        False,
        "owner",
    )
    assert customer.ask("PATCH", own, json={"enabled": True}).json()["off_at"] is None
    assert customer.ask("DELETE", own).status_code == 204
    assert customer.ask("GET", own).status_code == 404
    assert customer.ask("GET", "/v1/webhooks").json()["data"] == []


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "https://example.com:8443/",
        "https://user@example.com/",
        "https://127.0.0.1/",
        "https://localhost/",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://2130706433/",
        "ftp://example.com/",
        "",
    ],
)
def test_an_address_that_is_not_public_is_refused_when_it_is_saved(
    customer: Customer, url: str
) -> None:
    added = customer.add()
    refused = customer.ask("POST", "/v1/webhooks", json={"url": url})
    assert (refused.status_code, refused.json()["error"][:4]) == (400, "url:")
    own = f"/v1/webhooks/{added['id']}"
    assert customer.ask("PATCH", own, json={"url": url}).status_code == 400
    assert [one["url"] for one in customer.ask("GET", "/v1/webhooks").json()["data"]] == [
        customer.sink.origin + "/hook"
    ]


def test_another_workspace_s_endpoint_does_not_exist(customer: Customer, sandbox_url: str) -> None:
    added = fail_for_a_day(customer)
    [delivery] = customer.deliveries(added["id"])
    before = rows("SELECT * FROM gateway_webhookendpoint ORDER BY id")
    other = create_workspace(name=f"other-{uuid4()}", tier="managed")
    stranger = replace(customer, key=create_app_key(workspace_id=other.pk).token)
    for webhook_id in (added["id"], str(uuid4())):
        own = f"/v1/webhooks/{webhook_id}"
        for method, path in (
            ("GET", own),
            ("PATCH", own),
            ("DELETE", own),
            ("POST", own + "/test"),
            ("POST", own + "/rotate"),
            ("GET", own + "/deliveries"),
            ("POST", f"/v1/webhooks/deliveries/{delivery['id']}/replay"),
        ):
            assert stranger.ask(method, path, json={}).status_code == 404, (method, path)
    assert stranger.ask("GET", "/v1/webhooks").json()["data"] == []
    assert rows("SELECT * FROM gateway_webhookendpoint ORDER BY id") == before
    assert [message.state for message in messages_of(customer)] == ["failed"]


def test_a_workspace_has_ten_endpoints_each_url_once(customer: Customer) -> None:
    for number in range(10):
        customer.add(f"/{number}")
    url = customer.sink.origin
    twice = customer.ask("POST", "/v1/webhooks", json={"url": f"{url}/3"})
    many = customer.ask("POST", "/v1/webhooks", json={"url": f"{url}/10"})
    assert (twice.status_code, many.status_code) == (409, 409)
    assert many.json() == {"error": "A workspace has at most 10 webhooks."}
    first, second, *_ = customer.ask("GET", "/v1/webhooks").json()["data"]
    moved = customer.ask("PATCH", f"/v1/webhooks/{first['id']}", json={"url": second["url"]})
    assert moved.status_code == 409
    assert len(customer.ask("GET", "/v1/webhooks").json()["data"]) == 10


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"url": 7},
        {"events": []},
        {"events": ["job.started"]},
        {"events": "job.failed"},
        {"description": "two\nlines"},
        {"description": "x" * 201},
        {"secret": "whsec_mine"},
    ],
)
def test_a_bad_wish_is_refused_and_nothing_written(
    customer: Customer, body: dict[str, Any]
) -> None:
    if body:
        body = {"url": customer.sink.origin, **body}
    assert customer.ask("POST", "/v1/webhooks", json=body).status_code == 400
    assert customer.ask("GET", "/v1/webhooks").json()["data"] == []


def test_a_key_without_the_scope_sees_no_webhooks(customer: Customer) -> None:
    added = customer.add()
    key = create_app_key(workspace_id=customer.stage.workspace_id, scopes=["chat"]).token
    chatter = replace(customer, key=key)
    assert chatter.ask("GET", "/v1/webhooks").status_code == 403
    assert chatter.ask("POST", "/v1/webhooks", json={"url": "https://a.com"}).status_code == 403
    assert chatter.ask("POST", f"/v1/webhooks/{added['id']}/rotate").status_code == 403
    stranger = replace(customer, key="gw_live_nothing")
    assert stranger.ask("GET", "/v1/webhooks").status_code == 401
    wrong = customer.ask("PUT", f"/v1/webhooks/{added['id']}")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET, HEAD, PATCH, DELETE")


def test_the_test_button_sends_one_message_once(customer: Customer) -> None:
    added = customer.add()
    customer.sink.status = 500
    sent = customer.ask("POST", f"/v1/webhooks/{added['id']}/test")
    assert (sent.status_code, sent.json()["event"], sent.json()["job"]) == (
        202,
        "webhook.test",
        None,
    )
    assert send_due() == 1
    [told] = customer.sink.got
    assert told.json()["data"] == {"webhook": added["id"]}
    assert told.is_signed_by(added["secret"])
    [delivery] = customer.deliveries(added["id"])
    assert (delivery["id"], delivery["state"]) == (sent.json()["id"], "failed")
    make_due()
    assert send_due() == 0


def test_a_new_secret_signs_at_once_and_the_old_one_along_for_a_day(customer: Customer) -> None:
    added = customer.add()
    customer.stage.drive(customer.stage.begin())
    rotated = customer.ask("POST", f"/v1/webhooks/{added['id']}/rotate").json()
    assert rotated["secret"] != added["secret"]
    until = datetime.fromisoformat(rotated["old_secret_until"])
    assert timedelta(hours=23) < until - datetime.now(UTC) <= timedelta(hours=24)
    customer.stage.drive(customer.stage.begin())
    assert send_messages() == 2
    for told in customer.sink.got:
        assert told.is_signed_by(rotated["secret"])
        assert told.is_signed_by(added["secret"])
    customer.sink.reset()
    set_rows(
        "UPDATE gateway_webhookendpoint SET old_secret_until = now() WHERE id = %s", added["id"]
    )
    customer.stage.drive(customer.stage.begin())
    send_messages()
    [told] = customer.sink.got
    assert (told.is_signed_by(rotated["secret"]), told.is_signed_by(added["secret"])) == (
        True,
        False,
    )
    shown = customer.ask("GET", f"/v1/webhooks/{added['id']}").json()
    assert shown["old_secret_until"] is None


def test_the_list_of_deliveries_is_cut_without_repetition(customer: Customer) -> None:
    added = customer.add()
    for _ in range(5):
        customer.ask("POST", f"/v1/webhooks/{added['id']}/test")
    seen: list[str] = []
    cursor = ""
    while True:
        path = f"/v1/webhooks/{added['id']}/deliveries?limit=2{cursor}"
        page = customer.ask("GET", path).json()
        seen += [one["id"] for one in page["data"]]
        if not page["has_more"]:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == [str(message.pk) for message in messages_of(customer)][::-1]
    for query in ("state=open", "limit=0", "limit=101", "cursor=x", "page=2"):
        path = f"/v1/webhooks/{added['id']}/deliveries?{query}"
        assert customer.ask("GET", path).status_code == 400


def test_the_secret_is_in_no_table_no_log_and_no_second_answer(
    customer: Customer, place: Place
) -> None:
    added = customer.add()
    own = f"/v1/webhooks/{added['id']}"
    rotated = customer.ask("POST", f"{own}/rotate").json()
    customer.stage.drive(customer.stage.begin())
    send_messages()
    answers = [
        customer.ask("GET", path).text for path in ("/v1/webhooks", own, f"{own}/deliveries")
    ]
    answers.append(customer.ask("PATCH", own, json={"description": "x"}).text)
    answers.append(customer.ask("POST", f"{own}/test").text)
    tables = [
        str(row)
        for table in ("gateway_webhookendpoint", "billing_outboxmessage")
        for row in rows(f"SELECT t::text FROM {table} t")  # noqa: S608  two words of ours
    ]
    logs = [path.read_text() for path in place.directory.rglob("*.log")]
    assert logs
    for secret in (added["secret"], rotated["secret"]):
        for form in (secret, secret.removeprefix("whsec_"), secret.encode().hex()):
            assert [text for text in (*answers, *tables, *logs) if form in text] == []
