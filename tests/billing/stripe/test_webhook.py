"""The webhook and the payment paths over HTTP: real processes, real signatures, real PostgreSQL."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import pytest
import requests

from bench.torture.payments import Shop, Storm, raise_storm
from billing.models import Payment, PaymentOrder, Quarantine, StripeEvent
from studio.accounts.models import Workspace
from studio.accounts.scopes import BILLING, DEFAULT_SCOPES, KEY_SCOPES
from studio.accounts.services import create_app_key, create_workspace
from tests.billing.stripe.double import WEBHOOK_SECRET, Double, new_double, signed
from tests.conftest import StartGateway
from tests.databases import Database, django_on
from tests.running import Gateway

PAGES = {"success_url": "https://a.test/done", "cancel_url": "https://a.test/no"}


@dataclass(frozen=True, kw_only=True)
class Shopping:
    """A gateway with payments, and a workspace that buys."""

    gateway: Gateway
    double: Double
    database: Database
    key: str
    settings: dict[str, str]

    def send(self, event: dict[str, Any] | bytes, **options: Any) -> int:
        """Deliver one event, signed. Returns: the status."""
        body, headers = signed(event, **options)
        return self.deliver(body, headers)

    def deliver(self, body: bytes, headers: dict[str, str]) -> int:
        """Deliver a body as it is. Returns: the status."""
        url = f"{self.gateway.url}/v1/stripe/webhook"
        return requests.post(url, data=body, headers=headers, timeout=60).status_code

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        """Call a path of ours with the key."""
        headers = {"x-app-key": self.key, **options.pop("headers", {})}
        url = f"{self.gateway.url}{path}"
        return requests.request(method, url, headers=headers, timeout=60, **options)

    def buy(self, **fields: Any) -> str:
        """Order and pay. Returns: the payment intent's id."""
        body = {"pack": "starter", **PAGES, **fields}
        response = self.ask("POST", "/v1/credits/checkout", json=body)
        assert response.status_code == 200, response.text
        session_id = response.json()["url"].rsplit("/", 1)[1]
        return str(self.double.control("pay", session=session_id)["payment_intent"])

    def available(self) -> float:
        """Give the credits there are."""
        return float(self.ask("GET", "/v1/credits").json()["available"])


Open = Callable[..., Shopping]


@pytest.fixture
def open_shop(fresh_database: Database, start_gateway: StartGateway, sandbox_url: str) -> Open:
    """Start a gateway with payments; settings by name."""

    def start(**settings: str) -> Shopping:
        double = new_double(sandbox_url)
        with django_on(fresh_database):
            workspace = create_workspace(name="Shop")
            key = create_app_key(workspace_id=workspace.pk).token
        environment = {
            "STRIPE_SECRET_KEY": double.secret_key,
            "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "STRIPE_API_BASE": double.api_base,
            **settings,
        }
        gateway = start_gateway(fresh_database, **environment)
        return Shopping(
            gateway=gateway,
            double=double,
            database=fresh_database,
            key=key,
            settings=environment,
        )

    return start


def test_bought_paid_told_and_credited(open_shop: Open) -> None:
    shop = open_shop()
    url = f"{shop.gateway.url}/v1/stripe/webhook"
    shop.double.control("webhooks", url=url, secret=WEBHOOK_SECRET)
    shop.buy()
    assert {sent["status"] for sent in shop.double.settled()} == {200}
    assert shop.available() == 10_000.0
    shop.double.control("webhooks", url=url, secret=WEBHOOK_SECRET, hold=True, repeat=20, shuffle=3)
    shop.buy(amount="25.50", pack="")
    shop.double.control("flush")
    shop.double.settled()
    assert shop.available() == 35_500.0
    shop.double.control("webhooks", url=url, secret=WEBHOOK_SECRET, forge=True)
    shop.buy()
    assert {sent["status"] for sent in shop.double.settled()[-5:]} == {400}
    assert shop.available() == 35_500.0
    log = shop.gateway.child.spec.log.read_text()
    assert "/v1/stripe/webhook" in log
    for secret in (shop.double.secret_key, WEBHOOK_SECRET, "_secret_", "v1="):
        assert secret not in log


def test_a_hundred_deliveries_at_once_are_one_credit(open_shop: Open) -> None:
    shop = open_shop()
    shop.buy()
    events = shop.double.events("payment_intent.succeeded", "checkout.session.completed")
    with ThreadPoolExecutor(16) as threads:
        statuses = list(threads.map(shop.send, events * 50))
    assert set(statuses) == {200}
    assert shop.available() == 10_000.0
    with django_on(shop.database):
        assert (Payment.objects.count(), Quarantine.objects.count()) == (1, 0)


def test_a_gateway_killed_under_deliveries_loses_and_doubles_nothing(
    open_shop: Open, start_gateway: StartGateway
) -> None:
    shop = open_shop()
    for number in range(12):
        intent_id = shop.buy()
        if number % 3 == 0:
            shop.double.control("dispute", payment_intent=intent_id)
    events = shop.double.events()
    with ThreadPoolExecutor(8) as threads:
        sent = [threads.submit(shop.send, event) for event in events]
        assert sent[5].result() == 200
        shop.gateway.kill()
    answered = [done.result() for done in sent if done.exception() is None]
    assert 0 < len(answered) < len(events)
    again = replace(shop, gateway=start_gateway(shop.database, **shop.settings))
    assert {again.send(event) for event in events} == {200}
    assert again.available() == 80_000.0
    with django_on(shop.database):
        assert not StripeEvent.objects.filter(done=False).exists()
        assert (Payment.objects.count(), Quarantine.objects.count()) == (12, 0)


def test_what_stripe_did_not_sign_is_refused_and_moves_nothing(open_shop: Open) -> None:
    shop = open_shop()
    shop.buy()
    [event] = shop.double.events("payment_intent.succeeded")
    good, headers = signed(event)
    body = json.dumps({**event, "id": "evt_mine"}).encode()
    for wrong in (
        {},
        {"stripe-signature": ""},
        {"stripe-signature": "t=1,v1=x"},
        {"stripe-signature": "t=1,v1=\xe9"},
        {"stripe-signature": "t=now,v1="},
        headers,
        signed(body, secret="whsec_other")[1],
        signed(body, secret="")[1],
        signed(body, age_s=301)[1],
    ):
        assert shop.deliver(body, wrong) == 400, wrong
    for odd in (b"\xff", b"[]", b"{}", b"null", b'{"id": 1}'):
        if odd != b"\xff":
            assert shop.send(odd) == 400
        assert shop.deliver(odd, headers) == 400
    assert shop.deliver(good + b" ", headers) == 400
    assert shop.send({**event, "livemode": True}) == 400
    assert shop.available() == 0.0
    with django_on(shop.database):
        assert (Payment.objects.count(), StripeEvent.objects.count()) == (0, 1)
        assert Quarantine.objects.get().why == "mode"


def test_an_empty_webhook_secret_believes_nothing(open_shop: Open) -> None:
    shop = open_shop(STRIPE_WEBHOOK_SECRET="")
    shop.buy()
    [event] = shop.double.events("payment_intent.succeeded")
    assert (shop.send(event, secret=""), shop.send(event)) == (400, 400)
    assert shop.available() == 0.0


def test_the_bearer_of_a_jwt_needs_the_scope_by_a_claim() -> None:
    assert BILLING not in DEFAULT_SCOPES
    assert BILLING in KEY_SCOPES


def test_without_a_secret_key_every_path_says_that_payments_are_off(open_shop: Open) -> None:
    shop = open_shop(STRIPE_SECRET_KEY="")
    body = {"pack": "starter", **PAGES}
    wish = {"enabled": True, "threshold": 1, "amount": "5", "monthly_cap": "5"}
    for answer in (
        shop.ask("POST", "/v1/credits/checkout", json=body),
        shop.ask("POST", "/v1/credits/portal", json={"return_url": "https://a.test/"}),
        shop.ask("GET", "/v1/credits/auto-recharge"),
        shop.ask("PUT", "/v1/credits/auto-recharge", json=wish),
        shop.ask("POST", "/v1/stripe/webhook", data=b"{}"),
    ):
        assert answer.status_code == 503
        assert answer.json() == {
            "error": "Payments are off: this installation has no Stripe secret key."
        }
    with django_on(shop.database):
        assert not PaymentOrder.objects.exists()


def test_the_paths_of_payments(open_shop: Open) -> None:
    shop = open_shop()
    offer = shop.ask("GET", "/v1/credits/checkout").json()
    assert offer["packs"][0] == {
        "slug": "starter",
        "name": "10 000 credits",
        "amount": "10.00",
        "credits": 10_000,
    }
    portal = shop.ask("POST", "/v1/credits/portal", json={"return_url": "https://a.test/"})
    assert portal.json()["url"].startswith(f"{shop.double.api_base}/portal/bps_")
    wish = {"enabled": True, "threshold": 1000.5, "amount": "20", "monthly_cap": "100.00"}
    refused = shop.ask("PUT", "/v1/credits/auto-recharge", json=wish)
    assert (refused.status_code, "save_card" in refused.json()["error"]) == (409, True)
    shop.buy(save_card=True)
    for event in shop.double.events():
        assert shop.send(event) == 200
    assert shop.ask("PUT", "/v1/credits/auto-recharge", json=wish).json() == {
        "enabled": True,
        "threshold": 1000.5,
        "amount": "20.00",
        "monthly_cap": "100.00",
        "spent_this_month": "0.00",
        "has_card": True,
        "stopped_because": None,
    }
    first, again = (
        shop.ask(
            "POST",
            "/v1/credits/checkout",
            json={"pack": "large", **PAGES},
            headers={"idempotency-key": "k"},
        ).json()
        for _ in range(2)
    )
    assert first == again
    assert (first["amount"], first["credits"]) == ("250.00", 250_000)


def test_orders_that_make_no_sense_are_refused_and_written_nowhere(open_shop: Open) -> None:
    shop = open_shop()
    good = {"pack": "starter", **PAGES}
    wrong: list[dict[str, Any]] = [
        {},
        {"pack": "starter"},
        {**good, "amount": "5"},
        {**PAGES},
        *({**PAGES, "amount": amount} for amount in ("5.001", "NaN", "-5", "1e9", "x", None)),
        {**good, "price": 1},
        {**good, "success_url": "javascript:alert(1)"},
        {**good, "cancel_url": "http://a.test/"},
    ]
    for body in wrong:
        answer = shop.ask("POST", "/v1/credits/checkout", json=body)
        assert (answer.status_code, set(answer.json())) == (400, {"error"}), body
    assert shop.ask("DELETE", "/v1/credits/checkout").status_code == 405
    with django_on(shop.database):
        narrow = create_app_key(
            workspace_id=Workspace.objects.get(name="Shop").pk,
            scopes=["chat"],
        ).token
    refused = shop.ask("POST", "/v1/credits/checkout", json=good, headers={"x-app-key": narrow})
    assert refused.status_code == 403
    with django_on(shop.database):
        assert not PaymentOrder.objects.exists()


def test_a_storm_of_events_ends_as_stripe_says(open_shop: Open) -> None:
    shop = open_shop()
    with django_on(shop.database):
        workspace = create_workspace(name="Another")
        other = create_app_key(workspace_id=workspace.pk).token
    outcome = raise_storm(
        Shop(
            gateway_urls=[shop.gateway.url],
            stripe_url=shop.double.api_base,
            secret_key=shop.double.secret_key,
            webhook_secret=WEBHOOK_SECRET,
            keys=[shop.key, other],
        ),
        Storm(payments=24, deliveries=800, seed=14),
    )
    assert (outcome.available, outcome.forged_accepted) == (outcome.expected, 0)
    assert (outcome.refused, outcome.delivered, outcome.forged) == ({}, 800, 80)
    with django_on(shop.database):
        assert (Payment.objects.count(), Quarantine.objects.count()) == (24, 0)
