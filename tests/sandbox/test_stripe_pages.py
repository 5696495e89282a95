"""The double's own pages: a payer pays, is refused, goes back, and sees what was paid."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
import requests
import stripe

from tests.billing.stripe.double import WEBHOOK_SECRET, Double, new_double
from tests.sandbox.caller import CHECKOUT

NOTE = "The sandbox, not Stripe: no money moves."


@pytest.fixture
def double(sandbox_url: str) -> Double:
    """An account of one's own."""
    return new_double(sandbox_url)


def session_of(double: Double, **fields: Any) -> stripe.checkout.Session:
    """Open a checkout session of a customer."""
    customer = fields.pop("customer", None) or double.client.v1.customers.create({}).id
    item: Any = {
        "quantity": 1,
        "price_data": {"currency": "usd", "unit_amount": 1250, "product_data": {"name": "x"}},
    }
    wanted: Any = {
        "mode": "payment",
        "customer": customer,
        "line_items": [item],
        "success_url": "https://a.test/done?session={CHECKOUT_SESSION_ID}",
        "cancel_url": 'https://a.test/no?"><script>',
        **fields,
    }
    return double.client.v1.checkout.sessions.create(wanted)


def test_a_payer_pays_once_and_is_sent_back(double: Double) -> None:
    session = session_of(double)
    assert session.url is not None
    page = requests.get(session.url)
    assert "Pay 12.50 USD" in page.text
    assert NOTE in page.text
    assert "<script>" not in page.text
    paid = requests.post(session.url, data={"card": ""}, allow_redirects=False)
    where = f"https://a.test/done?session={session.id}"
    assert (paid.status_code, paid.headers["location"]) == (303, where)
    again = requests.post(session.url, data={"card": ""}, allow_redirects=False)
    assert "This is paid." in again.text
    assert len(double.events("payment_intent.succeeded")) == 1


def test_a_refused_card_leaves_the_order_open(double: Double) -> None:
    session = session_of(double)
    assert session.url is not None
    refused = requests.post(session.url, data={"card": "pm_card_chargeDeclined"})
    assert (refused.status_code, "Your card was declined." in refused.text) == (402, True)
    assert double.events("payment_intent.succeeded") == []
    paid = requests.post(session.url, data={"card": ""}, allow_redirects=False)
    assert paid.status_code == 303


def test_the_portal_shows_receipts_and_forgets_cards(double: Double) -> None:
    session = session_of(double)
    double.control("pay", session=session.id)
    assert isinstance(session.customer, str)
    portal = double.client.v1.billing_portal.sessions.create(
        {"customer": session.customer, "return_url": "https://a.test/"}
    )
    page = requests.get(portal.url)
    [receipt] = re.findall(r'href="(http[^"]+/receipts/[^"]+)"', page.text)
    assert "12.50 USD" in requests.get(receipt).text
    requests.post(portal.url)
    [gone] = double.events("payment_method.detached")
    [paid] = double.events("payment_intent.succeeded")
    assert gone["data"]["object"]["id"] == paid["data"]["object"]["payment_method"]


@pytest.mark.parametrize("page", ["pay/cs_test_x", "portal/bps_x", "receipts/ch_x", "invoices/"])
def test_what_is_not_known_is_not_there(double: Double, page: str) -> None:
    assert requests.get(f"{double.api_base}/{page}").status_code == 404


@dataclass(frozen=True, kw_only=True)
class Demo:
    """A sandbox of a demo: its account, and what was delivered to its webhook."""

    double: Double
    delivered: list[tuple[str, bytes]]


@pytest.fixture
def demo() -> Iterator[Demo]:
    """Start a sandbox that sends its account's events from the start."""
    delivered: list[tuple[str, bytes]] = []

    class Sink(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # noqa: N802  the library's name
            body = self.rfile.read(int(self.headers["content-length"]))
            delivered.append((self.headers["stripe-signature"], body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    sink = HTTPServer(("127.0.0.1", 0), Sink)
    Thread(target=sink.serve_forever, daemon=True).start()
    secret_key = "sk_test_of_a_demo"
    url = f"http://127.0.0.1:{sink.server_port}/hook"
    command = [sys.executable, "-m", "sandbox", "--port", "0", "--stripe-webhooks", url]
    secrets = {"STRIPE_SECRET_KEY": secret_key, "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET}
    with subprocess.Popen(
        command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True, env=secrets
    ) as process:
        assert process.stdout is not None
        sandbox_url = process.stdout.readline().split()[-1]
        yield Demo(
            double=Double(sandbox_url=sandbox_url, secret_key=secret_key), delivered=delivered
        )
        process.terminate()
    sink.shutdown()
    sink.server_close()


def test_a_demo_s_account_sends_signed_events_and_knows_customers_of_before(demo: Demo) -> None:
    session = session_of(demo.double, customer="cus_of_before")
    assert session.url is not None
    requests.post(session.url, data={"card": ""}, allow_redirects=False)
    demo.double.settled()
    types = set()
    for signature, body in demo.delivered:
        event = stripe.Webhook.construct_event(body, signature, WEBHOOK_SECRET)
        types.add(event.type)
        assert abs(event.created - time.time()) < 300
    assert {"payment_intent.succeeded", "checkout.session.completed"} <= types
