"""What a customer's server is told of its jobs: once each, signed, for a day, and nobody else."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import User
from pytest_django import DjangoDbBlocker, Settings

from billing.alerts import AlertChange, set_alerts
from billing.models import OutboxMessage
from billing.outbox import Event, Source, enqueue_webhook, send_due
from billing.tasks import send_messages
from gateway.jobs.cancelling import cancel_job
from gateway.jobs.sweeping import expire_job
from gateway.webhooks.tasks import switch_off_failing
from studio.accounts.models import Member
from studio.accounts.services import create_workspace
from studio.core.webhooks import new_webhook_secret
from tests.databases import WORKER, Facts
from tests.gateway.job_stage import job_database, set_rows
from tests.gateway.webhook_stage import (
    Customer,
    Place,
    customer_of,
    fail_for_a_day,
    messages_of,
    webhook_place,
)


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
    name = f"studio_test_{WORKER}_messages"
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


def test_a_job_s_end_is_told_once_signed_and_as_the_api_shows_it(customer: Customer) -> None:
    added = customer.add()
    job_id = customer.stage.begin("A cat", count=2)
    assert messages_of(customer) == []
    customer.stage.drive(job_id)
    assert send_messages() == 1
    assert send_messages() == 0
    [told] = customer.sink.got
    assert told.is_signed_by(added["secret"])
    assert not told.is_signed_by(new_webhook_secret())
    assert told.headers["content-type"] == "application/json"
    assert told.event == "job.succeeded"
    shown = customer.ask("GET", f"/v1/jobs/{job_id}").json()
    for file in shown["files"]:
        del file["url"]
    data = told.json()["data"]
    assert len(data["files"]) == 2
    assert data.pop("urls") == {
        "get": f"/v1/jobs/{job_id}",
        "events": f"/v1/jobs/{job_id}/events",
        "cancel": f"/v1/jobs/{job_id}/cancel",
    }
    assert shown.pop("urls")["get"] == f"{customer.url}/v1/jobs/{job_id}"
    assert data == shown
    assert "A cat" not in told.body.decode()
    assert "signature=" not in told.body.decode()
    [delivery] = customer.deliveries(added["id"])
    assert delivery == {
        "id": told.id,
        "object": "webhook.delivery",
        "webhook": added["id"],
        "event": "job.succeeded",
        "job": str(job_id),
        "state": "delivered",
        "attempts": 1,
        "last_error": None,
        "next_attempt_at": None,
        "created_at": delivery["created_at"],
        "delivered_at": delivery["delivered_at"],
    }


def test_addresses_begin_as_the_operator_says(customer: Customer, settings: Settings) -> None:
    settings.PUBLIC_URL = "https://api.example.com/"
    customer.add()
    job_id = customer.stage.begin("[[sandbox fail=nsfw]]")
    customer.stage.drive(job_id)
    send_messages()
    urls = customer.sink.got[0].json()["data"]["urls"]
    assert urls["get"] == f"https://api.example.com/v1/jobs/{job_id}"


def test_every_end_has_its_event_and_only_what_is_wanted_is_told(customer: Customer) -> None:
    customer.add("/all")
    customer.add("/failures", events=["job.failed", "job.expired"])
    stage = customer.stage
    stage.drive(stage.begin("[[sandbox fail=nsfw]]"))
    cancel_job(stage.begin(), workspace_id=stage.workspace_id)
    late = stage.begin()
    set_rows("UPDATE gateway_job SET deadline_at = now() WHERE id = %s", late)
    assert expire_job(late)
    assert send_messages() == 5
    told = sorted((one.path, one.event) for one in customer.sink.got)
    assert told == [
        ("/all", "job.canceled"),
        ("/all", "job.expired"),
        ("/all", "job.failed"),
        ("/failures", "job.expired"),
        ("/failures", "job.failed"),
    ]
    [failed] = [
        one for one in customer.sink.got if one.path == "/all" and one.event == "job.failed"
    ]
    assert failed.json()["data"]["error"]["code"] == "invalid_request_error"
    assert failed.json()["data"]["credits"]["charged"] == 0.0


def test_what_ends_again_is_not_told_again(customer: Customer) -> None:
    customer.add()
    job_id = customer.stage.begin()
    customer.stage.drive(job_id)
    cancel_job(job_id, workspace_id=customer.stage.workspace_id)
    assert expire_job(job_id) is False
    assert len(messages_of(customer)) == 1


def test_without_an_endpoint_nothing_is_written(customer: Customer) -> None:
    added = customer.add()
    customer.ask("PATCH", f"/v1/webhooks/{added['id']}", json={"enabled": False})
    customer.stage.drive(customer.stage.begin())
    assert messages_of(customer) == []


def test_a_message_is_tried_for_24_hours_under_one_id_and_then_kept_as_failed(
    customer: Customer,
) -> None:
    added = customer.add()
    customer.sink.status = 500
    customer.stage.drive(customer.stage.begin())
    pauses_s = []
    while (message := messages_of(customer)[0]).state == "pending":
        assert send_due() == 1
        tried = messages_of(customer)[0]
        if tried.state == "pending":
            pauses_s.append(round((tried.next_at - datetime.now(UTC)).total_seconds(), -1))
            # Time passes: everything of this message moves into the past by the pause.
            gone = tried.next_at - datetime.now(UTC)
            OutboxMessage.objects.filter(pk=tried.pk).update(
                next_at=tried.next_at - gone,
                give_up_at=tried.give_up_at - gone if tried.give_up_at else None,
                created_at=tried.created_at - gone,
            )
    # 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, and what is left of 24 h.
    assert pauses_s[1:6] == [300, 1800, 7200, 18_000, 36_000]
    assert len(pauses_s) == 7
    assert abs(sum(pauses_s) - 86_400) < 60
    assert (message.state, message.attempts) == ("failed", 8)
    assert len(customer.sink.got) == 8
    assert len({one.id for one in customer.sink.got}) == 1
    [delivery] = customer.deliveries(added["id"], "?state=failed")
    assert (delivery["attempts"], delivery["last_error"]) == (8, "The receiver answered 500.")
    assert customer.deliveries(added["id"], "?state=pending") == []


def test_a_redirect_is_not_followed(customer: Customer) -> None:
    added = customer.add()
    customer.sink.status = 302
    customer.sink.location = customer.sink.origin + "/elsewhere"
    customer.stage.drive(customer.stage.begin())
    send_messages()
    assert [one.path for one in customer.sink.got] == ["/hook"]
    [delivery] = customer.deliveries(added["id"])
    assert (delivery["state"], delivery["last_error"]) == ("pending", "The receiver answered 302.")


def test_an_address_that_is_not_public_is_refused_when_it_is_sent_to(
    customer: Customer, settings: Settings
) -> None:
    added = customer.add()
    set_rows(
        "UPDATE gateway_webhookendpoint SET url = 'https://localhost/' WHERE id = %s", added["id"]
    )
    customer.stage.drive(customer.stage.begin())
    settings.WEBHOOK_ALLOWED_ORIGINS = []
    assert send_due() == 1
    [message] = messages_of(customer)
    assert (message.state, message.attempts) == ("failed", 1)
    assert "public addresses" in message.last_error
    assert customer.sink.got == []


def test_an_endpoint_that_failed_for_a_day_is_switched_off_and_its_owner_told(
    customer: Customer,
) -> None:
    added = fail_for_a_day(customer)
    workspace_id = customer.stage.workspace_id
    wish = AlertChange(low_balance_ucr=None, emails=("ops@example.com",), webhook_url="")
    set_alerts(workspace_id=workspace_id, change=wish)
    boss = User.objects.create_user(f"boss-{uuid4()}", email="boss@example.com")
    Member.objects.create(workspace_id=workspace_id, user=boss, role="owner")
    customer.stage.drive(customer.stage.begin())
    assert switch_off_failing() == 1
    assert switch_off_failing() == 0
    shown = customer.ask("GET", f"/v1/webhooks/{added['id']}").json()
    assert (shown["enabled"], shown["off_because"]) == (False, "failing")
    mails = OutboxMessage.objects.filter(workspace_id=workspace_id, channel="email")
    assert sorted(mails.values_list("target", "event")) == [
        ("boss@example.com", "webhook.switched_off"),
        ("ops@example.com", "webhook.switched_off"),
    ]
    assert added["id"] in mails[0].body
    assert [message.state for message in messages_of(customer)] == ["failed", "failed"]
    customer.stage.drive(customer.stage.begin())
    assert len(messages_of(customer)) == 2


def test_an_endpoint_that_was_switched_on_again_has_a_new_day(customer: Customer) -> None:
    added = fail_for_a_day(customer)
    assert switch_off_failing() == 1
    own = f"/v1/webhooks/{added['id']}"
    assert customer.ask("PATCH", own, json={"enabled": True}).json()["enabled"] is True
    assert switch_off_failing() == 0


def test_an_endpoint_that_took_something_meanwhile_stays_on(customer: Customer) -> None:
    added = fail_for_a_day(customer)
    customer.sink.status = 204
    customer.ask("POST", f"/v1/webhooks/{added['id']}/test")
    assert send_due() == 1
    assert switch_off_failing() == 0
    assert customer.ask("GET", f"/v1/webhooks/{added['id']}").json()["enabled"] is True


def test_a_failed_message_is_sent_again_under_its_id(customer: Customer) -> None:
    added = fail_for_a_day(customer)
    [delivery] = customer.deliveries(added["id"])
    first = customer.sink.got[0]
    customer.sink.reset()
    again = customer.ask("POST", f"/v1/webhooks/deliveries/{delivery['id']}/replay")
    assert (again.status_code, again.json()["state"], again.json()["attempts"]) == (
        202,
        "pending",
        0,
    )
    assert send_due() == 1
    [told] = customer.sink.got
    assert (told.id, told.body) == (first.id, first.body)
    assert told.is_signed_by(added["secret"])
    assert customer.deliveries(added["id"])[0]["state"] == "delivered"


def test_nothing_is_replayed_to_an_endpoint_that_is_off(customer: Customer) -> None:
    added = fail_for_a_day(customer)
    [delivery] = customer.deliveries(added["id"])
    own = f"/v1/webhooks/{added['id']}"
    replay = f"/v1/webhooks/deliveries/{delivery['id']}/replay"
    customer.ask("PATCH", own, json={"enabled": False})
    assert customer.ask("POST", replay).status_code == 409
    customer.ask("DELETE", own)
    assert customer.ask("POST", replay).status_code == 404
    assert messages_of(customer)[0].state == "failed"


def test_what_waits_for_an_endpoint_that_is_gone_is_not_sent(customer: Customer) -> None:
    added = customer.add()
    customer.stage.drive(customer.stage.begin())
    customer.ask("DELETE", f"/v1/webhooks/{added['id']}")
    assert send_due() == 0
    assert messages_of(customer)[0].last_error == "The endpoint was deleted."
    assert customer.sink.got == []


def test_what_waits_goes_to_the_new_address(customer: Customer) -> None:
    added = customer.add("/old")
    customer.stage.drive(customer.stage.begin())
    url = customer.sink.origin + "/new"
    customer.ask("PATCH", f"/v1/webhooks/{added['id']}", json={"url": url})
    assert send_due() == 1
    [told] = customer.sink.got
    assert (told.path, told.is_signed_by(added["secret"])) == ("/new", True)


def test_workspaces_take_turns(customer: Customer) -> None:
    other = create_workspace(name=f"quiet-{uuid4()}", tier="managed")

    def enqueue(workspace_id: int, path: str) -> UUID:
        return enqueue_webhook(
            workspace_id=workspace_id,
            url=customer.sink.origin + path,
            secret=new_webhook_secret(),
            event=Event(type="webhook.test"),
            source=Source(id=uuid4(), tried_for=timedelta()),
        )

    for _ in range(5):
        enqueue(customer.stage.workspace_id, "/loud")
    enqueue(other.pk, "/quiet")
    assert send_due(limit=2) == 2
    assert sorted(told.path for told in customer.sink.got) == ["/loud", "/quiet"]
