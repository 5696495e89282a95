"""A storm of Stripe's events over HTTP: repeated, shuffled, late, forged, refunds before payments.

The double says what is true at Stripe; whatever order the events come in, by however many
deliveries at once, each wallet must end with exactly that.
"""

import json
import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import msgspec
import requests
import stripe

from bench.torture.stage import Account, Stage, running_stage
from studio.core.ids import new_id_text

WEBHOOK_SECRET = "whsec_of_the_torture_0123456789"  # noqa: S105  of throw-away servers
_CREDITS_PER_CENT = 10
_SENDERS = 12
_FATES = ("kept", "kept", "part", "whole", "failed", "disputed", "won", "lost")
_TOLERATED_AGE_S = 300


class Storm(msgspec.Struct, frozen=True, kw_only=True):
    """How much of it: `payments` in all, `deliveries` of good events, as many forged as a tenth."""

    payments: int
    deliveries: int
    seed: int


class Shop(msgspec.Struct, frozen=True, kw_only=True):
    """Where the gateways and the double are, and who buys. `keys` has a key per workspace."""

    gateway_urls: Sequence[str]
    stripe_url: str
    secret_key: str
    webhook_secret: str
    keys: Sequence[str]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What was sent, how it was answered, and what each wallet has against what it should."""

    delivered: int
    forged: int
    forged_accepted: int
    refused: dict[int, int]
    available: list[float]
    expected: list[float]
    took_s: float

    @property
    def exact(self) -> bool:
        """Whether all is as it must be."""
        return self.available == self.expected and not self.forged_accepted and not self.refused


class _Delivery(msgspec.Struct, frozen=True, kw_only=True):
    url: str
    body: bytes
    headers: dict[str, str]
    forged: bool


def environment(secret_key: str, sandbox_port: int) -> dict[str, str]:
    """Give the settings of gateways that take part."""
    return {
        "STRIPE_SECRET_KEY": secret_key,
        "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "STRIPE_API_BASE": f"http://127.0.0.1:{sandbox_port}/stripe",
    }


def torture_payments(storm: Storm) -> int:
    """Run a storm on throw-away servers. Returns: an exit code."""
    secret_key = f"sk_test_{new_id_text().replace('-', '')}"
    with running_stage(gateways=2, celery=False, more=partial(environment, secret_key)) as stage:
        accounts = [stage.make_account(10**6) for _ in range(8)]
        shop = _shop(stage, accounts, secret_key)
        outcome = raise_storm(shop, storm, granted=10**6 / 10**6)
        done = stage.python("-m", "django", "reconcile")
    print(
        f"{outcome.delivered} deliveries of {storm.payments} payments and {outcome.forged} forged "
        f"ones to 2 gateways in {outcome.took_s:.1f} s; --seed {storm.seed}"
    )
    print(f"  forged and accepted: {outcome.forged_accepted}; refused: {outcome.refused or 'none'}")
    for has, should in zip(outcome.available, outcome.expected, strict=True):
        if has != should:
            print(f"  VIOLATION a wallet has {has} credits and should have {should}")
    if done.returncode:
        print(done.stdout[-2000:])
    return 0 if outcome.exact and not done.returncode else 1


def raise_storm(shop: Shop, storm: Storm, *, granted: float = 0.0) -> Outcome:
    """Buy, refund and dispute at the double, then deliver its events in every wrong way.

    `granted` is what each wallet has before, in credits.
    """
    choose = random.Random(storm.seed)
    expected = [granted] * len(shop.keys)
    for number in range(storm.payments):
        place = number % len(shop.keys)
        fate = choose.choice(_FATES)
        expected[place] += _buy(shop, shop.keys[place], fate, choose) * _CREDITS_PER_CENT
    events = _events(shop)
    deliveries = _deliveries(shop, events, storm, choose)
    begun = time.monotonic()
    with ThreadPoolExecutor(_SENDERS) as senders:
        shares = [deliveries[start::_SENDERS] for start in range(_SENDERS)]
        statuses = [status for share in senders.map(_send_all, shares) for status in share]
    refused: dict[int, int] = {}
    for forged, status in statuses:
        if not forged and status != 200:
            refused[status] = refused.get(status, 0) + 1
    return Outcome(
        delivered=sum(not forged for forged, _ in statuses),
        forged=sum(forged for forged, _ in statuses),
        forged_accepted=sum(forged and status != 400 for forged, status in statuses),
        refused=refused,
        available=[_available(shop, key) for key in shop.keys],
        expected=expected,
        took_s=time.monotonic() - begun,
    )


def _shop(stage: Stage, accounts: list[Account], secret_key: str) -> Shop:
    return Shop(
        gateway_urls=[f"http://127.0.0.1:{port}" for port in stage.ports],
        stripe_url=f"http://127.0.0.1:{stage.sandbox_port}/stripe",
        secret_key=secret_key,
        webhook_secret=WEBHOOK_SECRET,
        keys=[account.app_key for account in accounts],
    )


def _buy(shop: Shop, key: str, fate: str, choose: random.Random) -> int:
    """Order over HTTP, pay at the double, and let its fate happen. Returns: the cents we keep."""
    cents = choose.randrange(500, 50_000)
    body = {
        "amount": f"{cents // 100}.{cents % 100:02d}",
        "success_url": "https://shop.test/done",
        "cancel_url": "https://shop.test/no",
    }
    response = requests.post(
        f"{shop.gateway_urls[0]}/v1/credits/checkout",
        json=body,
        headers={"x-app-key": key},
        timeout=30,
    )
    response.raise_for_status()
    session_id = response.json()["url"].rsplit("/", 1)[1]
    intent_id = _control(shop, "pay", session=session_id)["payment_intent"]
    if fate in ("part", "whole", "failed"):
        return cents - _refund(shop, intent_id, cents, fate)
    if fate in ("disputed", "won", "lost"):
        dispute = _control(shop, "dispute", payment_intent=intent_id)
        if fate != "disputed":
            _control(shop, "status", id=dispute["id"], status=fate)
        return cents if fate == "won" else 0
    return cents


def _refund(shop: Shop, intent_id: str, cents: int, fate: str) -> int:
    """Refund a payment. Returns: the cents that went back in the end."""
    amount = cents if fate == "whole" else cents // 3
    made = _client(shop).v1.refunds.create({"payment_intent": intent_id, "amount": amount})
    if fate != "failed":
        return amount
    _control(shop, "status", id=made.id, status="failed")
    return 0


def _events(shop: Shop) -> list[dict[str, Any]]:
    listed = _client(shop).v1.events.list({"limit": 100})
    return [event.to_dict() for event in listed.auto_paging_iter()]


def _deliveries(
    shop: Shop, events: list[dict[str, Any]], storm: Storm, choose: random.Random
) -> list[_Delivery]:
    """Repeat some events a hundred times and all at least once, forge a tenth, and shuffle."""
    often = choose.sample(events, min(len(events), max(1, storm.deliveries // 400))) * 100
    good = events + often
    good += choose.choices(events, k=max(0, storm.deliveries - len(good)))
    found = [_delivery(shop, event, choose) for event in good]
    found += [_forged(shop, choose.choice(events), choose) for _ in range(storm.deliveries // 10)]
    choose.shuffle(found)
    return found


def _delivery(shop: Shop, event: dict[str, Any], choose: random.Random) -> _Delivery:
    body = json.dumps(event).encode()
    return _Delivery(
        url=choose.choice(shop.gateway_urls),
        body=body,
        headers={"stripe-signature": _signature(body, shop.webhook_secret, 0)},
        forged=False,
    )


def _forged(shop: Shop, event: dict[str, Any], choose: random.Random) -> _Delivery:
    """Make a delivery that must not be believed: another secret, an empty one, too old, changed."""
    good = json.dumps(event).encode()
    body = json.dumps({**event, "id": f"evt_forged_{choose.randrange(10**9)}"}).encode()
    signatures = (
        _signature(body, "whsec_of_somebody_else", 0),
        _signature(body, "", 0),
        _signature(body, shop.webhook_secret, _TOLERATED_AGE_S + 10),
        _signature(good, shop.webhook_secret, 0),
        "",
        "t=1,v1=",
    )
    return _Delivery(
        url=choose.choice(shop.gateway_urls),
        body=body,
        headers={"stripe-signature": choose.choice(signatures)},
        forged=True,
    )


def _signature(body: bytes, secret: str, age_s: int) -> str:
    made: str = stripe.WebhookSignature.generate_signature_header(
        body.decode(), secret, timestamp=int(time.time()) - age_s
    )
    return made


def _send_all(share: list[_Delivery]) -> list[tuple[bool, int]]:
    """Send a share one after the other, over one connection per gateway."""
    connections: dict[str, HTTPConnection] = {}
    statuses = []
    for delivery in share:
        netloc = urlsplit(delivery.url).netloc
        connection = connections.setdefault(netloc, HTTPConnection(netloc, timeout=60))
        headers = {"content-type": "application/json", **delivery.headers}
        connection.request("POST", "/v1/stripe/webhook", body=delivery.body, headers=headers)
        response = connection.getresponse()
        response.read()
        statuses.append((delivery.forged, response.status))
    for connection in connections.values():
        connection.close()
    return statuses


def _available(shop: Shop, key: str) -> float:
    response = requests.get(
        f"{shop.gateway_urls[0]}/v1/credits", headers={"x-app-key": key}, timeout=30
    )
    response.raise_for_status()
    return float(response.json()["available"])


def _client(shop: Shop) -> stripe.StripeClient:
    return stripe.StripeClient(shop.secret_key, base_addresses={"api": shop.stripe_url})


def _control(shop: Shop, name: str, **fields: object) -> dict[str, Any]:
    headers = {"authorization": f"Bearer {shop.secret_key}"}
    url = f"{shop.stripe_url}/_control/{name}"
    response = requests.post(url, json=fields, headers=headers, timeout=30)
    response.raise_for_status()
    found: dict[str, Any] = response.json()
    return found
