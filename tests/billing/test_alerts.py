"""Alerts of low balances and of spend caps: told once, by mail and by signed webhook, retried."""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.core import mail
from django.db import connection

from billing import ledger
from billing.alerts import (
    AlertChange,
    read_alerts,
    set_alerts,
    tell_budget_marks,
    tell_low_balances,
)
from billing.budgets import BudgetItem
from billing.errors import AlertRefused
from billing.models import AlertSettings, BudgetSpend, OutboxMessage
from billing.outbox import PAUSES, forget_sent, send_due
from billing.services import grant_credits
from billing.tasks import forget_old_messages, send_messages, tell_alerts
from gateway.budgets import set_budgets
from studio.accounts.models import Workspace
from studio.accounts.services import create_workspace
from studio.core.ids import new_id
from studio.core.money import UCR_PER_CREDIT
from tests.databases import Database, django_on


class Sink:
    """A receiver of webhooks: it answers with `status` and keeps what it got."""

    def __init__(self) -> None:
        self.status = 200
        self.got: list[tuple[dict[str, str], bytes]] = []
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                headers = {name.lower(): value for name, value in self.headers.items()}
                sink.got.append((headers, self.rfile.read(length)))
                self.send_response(sink.status)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def bodies(self) -> list[Any]:
        return [json.loads(body) for _, body in self.got]


@pytest.fixture
def sink(settings: Any) -> Iterator[Sink]:
    """A receiver that the operator allows."""
    made = Sink()
    settings.WEBHOOK_ALLOWED_ORIGINS = [made.origin]
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def workspace(fresh_database: Database) -> Iterator[Workspace]:
    """A workspace with 100 credits, on a database of its own."""
    with django_on(fresh_database):
        made = create_workspace(name="Alerts", tier="managed")
        grant_credits(workspace_id=made.pk, amount_ucr=100 * UCR_PER_CREDIT, reason="welcome")
        yield made


def wish(**changes: Any) -> AlertChange:
    fields = {"low_balance_ucr": None, "emails": (), "webhook_url": "", **changes}
    return AlertChange(**fields)


def hold(workspace: Workspace, credits: int) -> ledger.HoldItem:
    item = ledger.HoldItem(
        workspace_id=workspace.pk,
        id=new_id(),
        amount_ucr=credits * UCR_PER_CREDIT,
        seconds=60,
        price_version=1,
        markup_bp=0,
    )
    assert ledger.place_holds([item])[0].verdict == "held"
    return item


def spend(workspace: Workspace, credits: int) -> None:
    item = hold(workspace, credits)
    ledger.settle(
        [
            ledger.SettleItem(
                workspace_id=workspace.pk, id=item.id, kind="usage", charge_ucr=item.amount_ucr
            )
        ]
    )


def waiting() -> list[tuple[str, str, str]]:
    fields = ("channel", "target", "event")
    return list(OutboxMessage.objects.filter(state="pending").values_list(*fields))


def test_a_balance_below_its_threshold_is_told_once_until_it_has_risen(
    workspace: Workspace,
) -> None:
    change = wish(low_balance_ucr=50 * UCR_PER_CREDIT, emails=("a@example.com", "b@example.com"))
    set_alerts(workspace_id=workspace.pk, change=change)
    assert tell_low_balances() == 0
    spend(workspace, 50)
    assert tell_low_balances() == 0
    spend(workspace, 1)
    assert tell_low_balances() == 1
    assert sorted(waiting()) == [
        ("email", "a@example.com", "credits.low_balance"),
        ("email", "b@example.com", "credits.low_balance"),
    ]
    spend(workspace, 10)
    assert tell_low_balances() == 0
    grant_credits(workspace_id=workspace.pk, amount_ucr=60 * UCR_PER_CREDIT, reason="more")
    assert tell_low_balances() == 0
    assert len(waiting()) == 2
    spend(workspace, 90)
    assert tell_low_balances() == 1
    assert len(waiting()) == 4


def test_what_a_call_reserves_is_not_gone(workspace: Workspace) -> None:
    set_alerts(
        workspace_id=workspace.pk,
        change=wish(low_balance_ucr=50 * UCR_PER_CREDIT, emails=("a@example.com",)),
    )
    hold(workspace, 90)
    assert tell_low_balances() == 0
    assert waiting() == []


def test_a_webhook_arrives_signed_and_once(workspace: Workspace, sink: Sink) -> None:
    url = f"{sink.origin}/alerts"
    state = set_alerts(
        workspace_id=workspace.pk, change=wish(low_balance_ucr=10**9, webhook_url=url)
    )
    assert state.new_secret.startswith("whsec_")
    assert read_alerts(workspace.pk).new_secret == ""
    assert tell_alerts() == 1
    assert send_messages() == 1
    assert send_messages() == 0
    [(headers, body)] = sink.got
    told = json.loads(body, parse_float=str)
    assert told["type"] == "credits.low_balance"
    assert told["data"] == {"balance": "100.0", "threshold": "1000.0"}
    assert datetime.fromisoformat(told["timestamp"]).tzinfo is not None
    key = base64.b64decode(state.new_secret.removeprefix("whsec_"))
    text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    sent = OutboxMessage.objects.get()
    assert (str(sent.pk), sent.state, sent.attempts) == (headers["webhook-id"], "delivered", 1)


def test_a_mail_leaves_for_each_address(workspace: Workspace) -> None:
    set_alerts(
        workspace_id=workspace.pk,
        change=wish(low_balance_ucr=101 * UCR_PER_CREDIT, emails=("a@example.com",)),
    )
    assert (tell_low_balances(), send_due()) == (1, 1)
    [sent] = mail.outbox
    assert (sent.to, sent.subject) == (["a@example.com"], "Low balance: 100.0 credits")
    assert sent.body == "The balance is 100.0 credits, below your threshold of 101.0.\n"
    assert OutboxMessage.objects.get().state == "delivered"


def test_a_failed_message_is_tried_again_with_the_same_id_until_the_schedule_ends(
    workspace: Workspace, sink: Sink
) -> None:
    sink.status = 503
    set_alerts(
        workspace_id=workspace.pk,
        change=wish(low_balance_ucr=10**9, webhook_url=sink.origin + "/"),
    )
    tell_low_balances()
    for attempt, pause in enumerate(PAUSES, 1):
        assert send_due() == 1
        message = OutboxMessage.objects.get()
        assert (message.state, message.attempts) == ("pending", attempt)
        assert message.last_error == "The receiver answered 503."
        left = message.next_at - datetime.now(UTC)
        assert pause - timedelta(seconds=30) < left <= pause
        assert send_due() == 0
        OutboxMessage.objects.update(next_at=datetime.now(UTC))
    assert send_due() == 1
    assert OutboxMessage.objects.get().state == "failed"
    OutboxMessage.objects.update(next_at=datetime.now(UTC))
    assert send_due() == 0
    assert len({headers["webhook-id"] for headers, _ in sink.got}) == 1
    assert len(sink.got) == len(PAUSES) + 1


def test_a_message_whose_sender_died_is_sent_by_another(workspace: Workspace, sink: Sink) -> None:
    set_alerts(
        workspace_id=workspace.pk, change=wish(low_balance_ucr=10**9, webhook_url=sink.origin)
    )
    tell_low_balances()
    OutboxMessage.objects.update(attempts=1, next_at=datetime.now(UTC) + timedelta(seconds=60))
    assert send_due() == 0
    OutboxMessage.objects.update(next_at=datetime.now(UTC))
    assert send_due() == 1
    assert OutboxMessage.objects.get().state == "delivered"


def test_an_address_that_is_no_longer_allowed_is_given_up_at_once(
    workspace: Workspace, sink: Sink, settings: Any
) -> None:
    set_alerts(
        workspace_id=workspace.pk, change=wish(low_balance_ucr=10**9, webhook_url=sink.origin)
    )
    tell_low_balances()
    settings.WEBHOOK_ALLOWED_ORIGINS = []
    assert send_due() == 1
    message = OutboxMessage.objects.get()
    assert (message.state, message.attempts) == ("failed", 1)
    assert sink.got == []


def test_one_bad_message_keeps_no_other_from_leaving(workspace: Workspace, sink: Sink) -> None:
    set_alerts(
        workspace_id=workspace.pk,
        change=wish(low_balance_ucr=10**9, webhook_url=sink.origin, emails=("a@example.com",)),
    )
    tell_low_balances()
    OutboxMessage.objects.filter(channel="webhook").update(sealed_secret=b"\x01broken")
    assert send_due() == 2
    states = dict(OutboxMessage.objects.values_list("channel", "state"))
    assert states == {"webhook": "failed", "email": "delivered"}


def count(budget_id: int, starts_on: Any, credits: int) -> None:
    """Count what a settle would."""
    BudgetSpend.objects.update_or_create(
        budget_id=budget_id,
        starts_on=starts_on,
        defaults={"spent_ucr": credits * UCR_PER_CREDIT, "counted_at": datetime.now(UTC)},
    )


def test_a_cap_is_told_at_its_mark_and_at_its_end_once_per_window(
    workspace: Workspace, sink: Sink
) -> None:
    set_alerts(workspace_id=workspace.pk, change=wish(webhook_url=sink.origin))
    item = BudgetItem(period="day", cap_ucr=10 * UCR_PER_CREDIT, alert_percent=80, app_id="shop")
    [state] = set_budgets(workspace_id=workspace.pk, items=[item])
    told = []
    for credits in (7, 8, 9, 10, 11):
        count(state.id, state.window.starts_on, credits)
        told.append(tell_budget_marks())
    assert told == [0, 1, 0, 1, 0]
    count(state.id, state.window.starts_on - timedelta(days=1), 20)
    assert tell_budget_marks() == 1
    send_due()
    found = sorted((body["type"], body["data"]["percent"]) for body in sink.bodies())
    assert found == [
        ("credits.budget_alert", 80),
        ("credits.budget_spent", 100),
        ("credits.budget_spent", 100),
    ]
    data = next(body["data"] for body in sink.bodies() if body["data"]["percent"] == 80)
    assert data == {
        "scope": "app",
        "key_ends_in": None,
        "app": "shop",
        "period": "day",
        "window_start": str(state.window.starts_on),
        "spent": 8.0,
        "cap": 10.0,
        "percent": 80,
    }


def test_a_cap_that_was_changed_is_told_about_anew(workspace: Workspace) -> None:
    set_alerts(workspace_id=workspace.pk, change=wish(emails=("a@example.com",)))
    item = BudgetItem(period="month", cap_ucr=UCR_PER_CREDIT)
    [state] = set_budgets(workspace_id=workspace.pk, items=[item])
    count(state.id, state.window.starts_on, 2)
    assert tell_budget_marks() == 1
    set_budgets(workspace_id=workspace.pk, items=[item])
    assert tell_budget_marks() == 0
    for cap_ucr, told in ((3 * UCR_PER_CREDIT, 0), (2 * UCR_PER_CREDIT, 1)):
        changed = BudgetItem(period="month", cap_ucr=cap_ucr)
        set_budgets(workspace_id=workspace.pk, items=[changed])
        assert tell_budget_marks() == told


def test_a_cap_without_a_mark_is_told_at_its_end_alone(workspace: Workspace) -> None:
    set_alerts(workspace_id=workspace.pk, change=wish(emails=("a@example.com",)))
    [state] = set_budgets(
        workspace_id=workspace.pk, items=[BudgetItem(period="month", cap_ucr=10**6)]
    )
    count(state.id, state.window.starts_on, 0)
    assert tell_budget_marks() == 0
    count(state.id, state.window.starts_on, 1)
    assert tell_budget_marks() == 1
    assert waiting() == [("email", "a@example.com", "credits.budget_spent")]


def test_a_workspace_that_wants_no_alerts_gets_none(workspace: Workspace) -> None:
    [state] = set_budgets(workspace_id=workspace.pk, items=[BudgetItem(period="month", cap_ucr=1)])
    count(state.id, state.window.starts_on, 1)
    assert tell_alerts() == 1
    assert OutboxMessage.objects.count() == 0


REFUSED = [
    wish(low_balance_ucr=0),
    wish(low_balance_ucr=-1),
    wish(low_balance_ucr=10**17 + 1),
    wish(emails=("nobody",)),
    wish(emails=("a@example.com\nBcc: x@example.com",)),
    wish(emails=("a@example.com", "a@example.com")),
    wish(emails=tuple(f"a{number}@example.com" for number in range(6))),
    wish(webhook_url="http://example.com/"),
    wish(webhook_url="https://user@example.com/"),
    wish(webhook_url="https://example.com:22/"),
]


@pytest.mark.parametrize("change", REFUSED)
def test_wishes_that_make_no_sense_are_refused_and_change_nothing(
    workspace: Workspace, change: AlertChange
) -> None:
    set_alerts(workspace_id=workspace.pk, change=wish(low_balance_ucr=5))
    before = AlertSettings.objects.values().get()
    with pytest.raises(AlertRefused):
        set_alerts(workspace_id=workspace.pk, change=change)
    assert AlertSettings.objects.values().get() == before


def test_a_secret_lives_as_long_as_its_url_unless_it_is_rotated(workspace: Workspace) -> None:
    def put(url: str, *, rotate: bool = False) -> str:
        change = wish(webhook_url=url, rotate_secret=rotate)
        return set_alerts(workspace_id=workspace.pk, change=change).new_secret

    first = put("https://example.com/a")
    assert first
    assert put("https://example.com/a") == ""
    second = put("https://example.com/a", rotate=True)
    third = put("https://example.com/b")
    assert len({first, second, third}) == 3
    assert put("") == ""
    assert AlertSettings.objects.get().sealed_secret is None
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM billing_outboxmessage")
        assert cursor.fetchone() == (0,)


def test_messages_that_left_long_ago_are_forgotten(workspace: Workspace) -> None:
    set_alerts(
        workspace_id=workspace.pk,
        change=wish(low_balance_ucr=10**9, emails=("a@example.com", "b@example.com")),
    )
    tell_low_balances()
    old = datetime.now(UTC) - timedelta(days=31)
    first = OutboxMessage.objects.first()
    assert first is not None
    OutboxMessage.objects.filter(pk=first.pk).update(state="delivered", created_at=old)
    OutboxMessage.objects.exclude(pk=first.pk).update(created_at=old)
    assert forget_sent() == 1
    assert forget_old_messages() == 0
    assert [message.state for message in OutboxMessage.objects.all()] == ["pending"]
