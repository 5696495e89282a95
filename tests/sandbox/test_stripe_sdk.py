"""The real `stripe` library against the double: what it sends is read, what it gets is typed."""

import time

import pytest
import stripe

from sandbox.stripe_webhooks import signature
from tests.billing.stripe.double import WEBHOOK_SECRET, Double, new_double

ITEM: stripe.params.checkout.SessionCreateParamsLineItem = {
    "quantity": 2,
    "price_data": {"currency": "usd", "unit_amount": 700, "product_data": {"name": "Credits"}},
}


@pytest.fixture
def double(sandbox_url: str) -> Double:
    """An account of one's own."""
    return new_double(sandbox_url)


def session_of(double: Double) -> stripe.checkout.Session:
    """Open a checkout session."""
    return double.client.v1.checkout.sessions.create(
        {"mode": "payment", "line_items": [ITEM], "success_url": "https://a.test/"}
    )


def test_a_session_is_opened_paid_and_read_with_its_intent(double: Double) -> None:
    opened = session_of(double)
    assert (opened.amount_total, opened.status, opened.livemode) == (1400, "open", False)
    intent_id = double.control("pay", session=opened.id)["payment_intent"]
    read = double.client.v1.checkout.sessions.retrieve(opened.id, {"expand": ["payment_intent"]})
    assert isinstance(read.payment_intent, stripe.PaymentIntent)
    assert (read.payment_intent.id, read.payment_intent.status) == (intent_id, "succeeded")
    with pytest.raises(stripe.InvalidRequestError, match="status of open"):
        double.client.v1.checkout.sessions.expire(opened.id)


def test_the_same_idempotency_key_is_the_same_answer_and_another_wish_an_error(
    double: Double,
) -> None:
    create = double.client.v1.customers.create
    first = create({"email": "a@a.test"}, {"idempotency_key": "k"})
    assert create({"email": "a@a.test"}, {"idempotency_key": "k"}).id == first.id
    with pytest.raises(stripe.IdempotencyError):
        create({"email": "b@a.test"}, {"idempotency_key": "k"})
    assert create({"email": "a@a.test"}).id != first.id


@pytest.mark.parametrize(
    ("card", "code"),
    [
        ("pm_card_chargeDeclined", "card_declined"),
        ("pm_card_authenticationRequired", "authentication_required"),
    ],
)
def test_a_refused_card_is_the_library_s_card_error(double: Double, card: str, code: str) -> None:
    customer = double.client.v1.customers.create({})
    with pytest.raises(stripe.CardError) as refused:
        double.client.v1.payment_intents.create(
            {
                "amount": 1000,
                "currency": "usd",
                "customer": customer.id,
                "payment_method": card,
                "off_session": True,
                "confirm": True,
            }
        )
    assert (refused.value.code, refused.value.http_status) == (code, 402)


def test_errors_are_the_library_s(double: Double) -> None:
    client = double.client
    with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
        client.v1.customers.retrieve("cus_nobody")
    with pytest.raises(stripe.InvalidRequestError, match="Missing required param: line_items"):
        client.v1.checkout.sessions.create({"mode": "payment", "success_url": "https://a.test/"})
    wrong = Double(sandbox_url=double.sandbox_url, secret_key="sk_test_invalid")
    with pytest.raises(stripe.AuthenticationError):
        wrong.client.v1.customers.create({})
    double.control("outage", statuses=[500])
    with pytest.raises(stripe.APIError):
        client.v1.customers.create({}, {"max_network_retries": 0})


def test_events_are_listed_by_pages_types_and_time(double: Double) -> None:
    for _ in range(3):
        double.control("pay", session=session_of(double).id)
    client = double.client
    listed = client.v1.events.list({"limit": 2, "types": ["payment_intent.succeeded"]})
    assert (len(listed.data), listed.has_more) == (2, True)
    assert len(list(listed.auto_paging_iter())) == 3
    later = max(event.created for event in listed.data) + 60
    assert client.v1.events.list({"created": {"gte": later}}).data == []
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.events.list({"limit": 101})


def test_the_double_signs_as_the_library_expects() -> None:
    body, now = b'{"id": "evt_1"}', int(time.time())
    verify = stripe.WebhookSignature.verify_header
    good = signature(body, secret=WEBHOOK_SECRET, at=now)
    assert verify(body, good, WEBHOOK_SECRET, 300) is True
    for other, header in (
        (body, signature(body, secret="whsec_other", at=now)),
        (body, signature(body, secret=WEBHOOK_SECRET, at=now - 301)),
        (body + b" ", good),
    ):
        with pytest.raises(stripe.SignatureVerificationError):
            verify(other, header, WEBHOOK_SECRET, 300)
