"""Webhooks out as staff see them: endpoints, what was sent, switching, testing, sending again."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoDbBlocker, Settings

from billing.alerts import AlertChange, set_alerts, tell_low_balances
from billing.models import OutboxMessage
from billing.outbox import send_due
from gateway.models import WebhookEndpoint
from gateway.webhooks.endpoints import NewSecret, add_endpoint, send_test
from studio.accounts.models import Workspace
from studio.accounts.services import create_workspace
from tests.databases import WORKER, Facts
from tests.gateway.job_stage import job_database
from tests.gateway.webhook_stage import Sink

ENDPOINTS = "/admin/gateway/webhookendpoint/"
DELIVERIES = "/admin/gateway/webhookdelivery/"


@pytest.fixture(scope="module")
def open_database(
    server_facts: Facts, django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[None]:
    """A database for this module."""
    name = f"studio_test_{WORKER}_webhooks_admin"
    with django_db_blocker.unblock(), job_database(server_facts, name):
        yield


@pytest.fixture
def sink(settings: Settings) -> Iterator[Sink]:
    """A receiver that the operator allows."""
    made = Sink()
    settings.WEBHOOK_ALLOWED_ORIGINS = [made.origin]
    yield made
    made.close()


@pytest.fixture
def workspace(open_database: None) -> Workspace:
    """A workspace without anything."""
    return create_workspace(name=f"hooked-{uuid4()}", tier="managed")


@pytest.fixture
def endpoint(workspace: Workspace, sink: Sink) -> NewSecret:
    """An endpoint at the sink."""
    return add_endpoint(workspace_id=workspace.pk, url=sink.origin + "/hook", description="shop")


@pytest.fixture
def staff(open_database: None) -> Client:
    """Somebody who may do everything."""
    client = Client()
    client.force_login(User.objects.create_superuser(f"staff-{uuid4()}"))
    return client


def sent_to(endpoint: NewSecret) -> OutboxMessage:
    sent = send_test(endpoint.endpoint.pk, workspace_id=None)
    send_due()
    return OutboxMessage.objects.get(pk=sent.pk)


def test_endpoints_are_found_and_show_no_secret(
    staff: Client, endpoint: NewSecret, workspace: Workspace
) -> None:
    url = endpoint.endpoint.url
    for term in (str(workspace.pk), workspace.name, str(endpoint.endpoint.pk), url):
        page = staff.get(ENDPOINTS, {"q": term})
        assert [row.url for row in page.context["cl"].result_list] == [url]
    text = staff.get(f"{ENDPOINTS}{endpoint.endpoint.pk}/change/").content.decode()
    assert "every end of a job" in text
    assert f"{DELIVERIES}?source_id={endpoint.endpoint.pk}" in text
    sealed = bytes(endpoint.endpoint.sealed_secret).hex()
    for secret in (endpoint.secret, endpoint.secret.removeprefix("whsec_"), sealed):
        assert secret not in text


def test_the_lists_need_no_more_queries_for_more_rows(
    staff: Client, endpoint: NewSecret, workspace: Workspace
) -> None:
    def counts() -> list[int]:
        found = []
        for address in (ENDPOINTS, DELIVERIES):
            with CaptureQueriesContext(connection) as queries:
                staff.get(address, {"q": str(workspace.pk)})
            found.append(len(queries))
        return found

    sent_to(endpoint)
    before = counts()
    for number in range(4):
        more = add_endpoint(workspace_id=workspace.pk, url=f"{endpoint.endpoint.url}/{number}")
        sent_to(more)
    assert counts() == before
    assert max(before) <= 8


def test_a_delivery_shows_what_was_sent_and_nothing_that_signs(
    staff: Client, endpoint: NewSecret
) -> None:
    sent = sent_to(endpoint)
    page = staff.get(DELIVERIES, {"source_id": str(endpoint.endpoint.pk)})
    assert [row.pk for row in page.context["cl"].result_list] == [sent.pk]
    text = staff.get(f"{DELIVERIES}{sent.pk}/change/").content.decode()
    assert "webhook.test" in text
    assert f"&quot;webhook&quot;: &quot;{endpoint.endpoint.pk}&quot;" in text
    assert f"{ENDPOINTS}{endpoint.endpoint.pk}/change/" in text
    assert sent.sealed_secret is not None
    for secret in (endpoint.secret, bytes(sent.sealed_secret).hex()):
        assert secret not in text


def test_staff_switch_an_endpoint_off_and_on(staff: Client, endpoint: NewSecret) -> None:
    own = f"{ENDPOINTS}{endpoint.endpoint.pk}/"
    waiting = send_test(endpoint.endpoint.pk, workspace_id=None)
    given = {"key": str(uuid4())}
    assert staff.post(own + "on/", given).status_code == 404
    assert staff.get(own + "off/").status_code == 200
    assert WebhookEndpoint.objects.get(pk=endpoint.endpoint.pk).is_on
    assert staff.post(own + "off/", given).status_code == 302
    assert WebhookEndpoint.objects.get(pk=endpoint.endpoint.pk).off == "staff"
    assert OutboxMessage.objects.get(pk=waiting.pk).state == "failed"
    assert staff.post(own + "on/", given).status_code == 302
    assert WebhookEndpoint.objects.get(pk=endpoint.endpoint.pk).is_on


def test_staff_send_a_test(staff: Client, endpoint: NewSecret, sink: Sink) -> None:
    own = f"{ENDPOINTS}{endpoint.endpoint.pk}/"
    assert staff.post(own + "test/", {"key": str(uuid4())}).status_code == 302
    assert send_due() == 1
    [told] = sink.got
    assert (told.event, told.is_signed_by(endpoint.secret)) == ("webhook.test", True)


def test_staff_send_a_message_again_under_its_id(
    staff: Client, endpoint: NewSecret, sink: Sink
) -> None:
    sink.status = 500
    sent = sent_to(endpoint)
    assert sent.state == "failed"
    sink.status = 200
    replay = f"{DELIVERIES}{sent.pk}/replay/"
    assert staff.post(replay, {"key": str(uuid4())}).status_code == 302
    assert staff.post(replay, {"key": str(uuid4())}).status_code == 404  # it waits
    assert send_due() == 1
    assert [told.id for told in sink.got] == [str(sent.pk)] * 2
    assert OutboxMessage.objects.get(pk=sent.pk).state == "delivered"


def test_an_alert_is_sent_again_too(staff: Client, workspace: Workspace, sink: Sink) -> None:
    wish = AlertChange(low_balance_ucr=1, emails=(), webhook_url=sink.origin + "/alerts")
    set_alerts(workspace_id=workspace.pk, change=wish)
    tell_low_balances()
    sink.status = 410
    send_due()
    sent = OutboxMessage.objects.get(workspace_id=workspace.pk)
    OutboxMessage.objects.filter(pk=sent.pk).update(state="failed")
    sink.status = 200
    replay = f"{DELIVERIES}{sent.pk}/replay/"
    assert staff.post(replay, {"key": str(uuid4())}).status_code == 302
    assert send_due() == 1
    again = OutboxMessage.objects.get(pk=sent.pk)
    assert (again.state, again.attempts, again.give_up_at) == ("delivered", 1, None)


def test_nothing_is_sent_again_to_an_endpoint_that_is_off(
    staff: Client, endpoint: NewSecret, sink: Sink
) -> None:
    sent = sent_to(endpoint)
    staff.post(f"{ENDPOINTS}{endpoint.endpoint.pk}/off/", {"key": str(uuid4())})
    page = staff.post(f"{DELIVERIES}{sent.pk}/replay/", {"key": str(uuid4())})
    assert page.status_code == 200
    assert "switched off" in page.content.decode()
    assert OutboxMessage.objects.get(pk=sent.pk).state == "delivered"
    assert len(sink.got) == 1


def test_who_may_only_look_can_do_nothing(endpoint: NewSecret) -> None:
    sent = sent_to(endpoint)
    user = User.objects.create_user(f"reader-{uuid4()}", is_staff=True)
    for codename in ("view_webhookendpoint", "view_webhookdelivery"):
        user.user_permissions.add(Permission.objects.get(codename=codename))
    reader = Client()
    reader.force_login(user)
    own = f"{ENDPOINTS}{endpoint.endpoint.pk}/"
    assert reader.get(own + "change/").status_code == 200
    assert reader.get(f"{DELIVERIES}{sent.pk}/change/").status_code == 200
    for address in (own + "off/", own + "test/", f"{DELIVERIES}{sent.pk}/replay/"):
        assert reader.post(address, {"key": str(uuid4())}).status_code == 403
    for address in (own + "delete/", f"{DELIVERIES}{sent.pk}/delete/"):
        assert reader.post(address, {"post": "yes"}).status_code == 403
    assert WebhookEndpoint.objects.get(pk=endpoint.endpoint.pk).is_on
    assert OutboxMessage.objects.filter(source_id=endpoint.endpoint.pk).count() == 1
