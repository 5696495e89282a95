"""What the double answers is what Stripe's own document allows.

The document is not part of this repository: it is looked for beside the checkout. It is of August
2023; what the API has had since then, and webhooks of ours read, is named here.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.billing.stripe.double import Double, new_double
from tests.sandbox.openapi import violations

SPEC = Path(__file__).resolve().parents[3] / "shared/wire/specs/stripe.openapi.2023-08-16.trim.json"
KINDS = {
    "customer": "customer",
    "checkout.session": "checkout.session",
    "payment_intent": "payment_intent",
    "charge": "charge",
    "refund": "refund",
    "dispute": "dispute",
}


@pytest.fixture(scope="session")
def spec() -> Any:  # noqa: ANN401 - a JSON document
    """Load Stripe's document, or say plainly that these claims go unchecked."""
    if not SPEC.exists():
        pytest.skip(f"NOT CHECKED AGAINST STRIPE'S SPEC: there is no {SPEC}")
    return json.loads(SPEC.read_bytes())


@pytest.fixture
def double(sandbox_url: str) -> Double:
    """An account where everything has happened once."""
    found = new_double(sandbox_url)
    client = found.client
    customer = client.v1.customers.create({"metadata": {"a": "b"}})
    session = client.v1.checkout.sessions.create(
        {
            "mode": "payment",
            "customer": customer.id,
            "line_items": [
                {
                    "quantity": 1,
                    "price_data": {
                        "currency": "usd",
                        "unit_amount": 1000,
                        "product_data": {"name": "Credits"},
                    },
                }
            ],
            "success_url": "https://a.test/",
        }
    )
    intent = found.control("pay", session=session.id)["payment_intent"]
    client.v1.refunds.create({"payment_intent": intent, "amount": 100})
    made = found.control("dispute", payment_intent=intent, amount=900)
    found.control("status", id=made["id"], status="lost")
    return found


def test_every_event_and_its_object_is_documented(spec: dict[str, Any], double: Double) -> None:
    events = double.events()
    assert {event["type"] for event in events} == {
        "payment_intent.created",
        "payment_intent.succeeded",
        "charge.succeeded",
        "charge.refunded",
        "checkout.session.completed",
        "refund.created",
        "charge.dispute.created",
        "charge.dispute.closed",
    }
    for event in events:
        assert violations(spec, "event", event) == []
        about = event["data"]["object"]
        assert violations(spec, KINDS[about["object"]], about) == [], event["type"]


def test_errors_are_documented(spec: dict[str, Any], double: Double) -> None:
    card = double.control("pay", session=_open_session(double), card="pm_card_chargeDeclined")
    assert violations(spec, "error", card) == []
    assert (card["error"]["type"], card["error"]["code"]) == ("card_error", "card_declined")


def test_checker_finds_what_is_wrong(spec: dict[str, Any]) -> None:
    assert violations(spec, "refund", {"id": 1, "object": "refund"}) == [
        "$: amount is missing",
        "$: created is missing",
        "$: currency is missing",
        "$.id: 1 is no string",
    ]


def _open_session(double: Double) -> str:
    made = double.client.v1.checkout.sessions.create(
        {
            "mode": "payment",
            "line_items": [
                {
                    "quantity": 1,
                    "price_data": {
                        "currency": "usd",
                        "unit_amount": 1000,
                        "product_data": {"name": "Credits"},
                    },
                }
            ],
            "success_url": "https://a.test/",
        }
    )
    return made.id
