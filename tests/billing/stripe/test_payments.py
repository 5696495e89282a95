"""A payment is credited once, if it is what was ordered; else it waits for staff."""

import copy
import itertools
import random
from typing import Any
from uuid import uuid4

import pytest

from billing.models import Payment, PaymentInvoice, PaymentOrder, Quarantine, StripeEvent
from billing.stripe.errors import OrderDiffers, OrderRefused
from tests.billing.people import Customer, make_customer
from tests.billing.stripe.double import Double
from tests.billing.stripe.shopping import PACK_UCR, order, pay, state, take, take_all

PAID = ("payment_intent.succeeded", "checkout.session.completed")


def test_a_paid_pack_is_credited_once_with_its_receipt_and_invoice(
    double: Double, customer: Customer
) -> None:
    page = order(customer)
    assert (page.amount_cents, page.currency) == (1_000, "usd")
    assert page.url.startswith(f"{double.api_base}/pay/cs_test_")
    assert state(customer) == (0, 0, 0, 0)
    intent_id = pay(double, page)
    take_all(double.events())
    assert state(customer) == (PACK_UCR, 0, 1, 0)
    assert customer.journal() == [
        ("topup", "cash", "wallet", PACK_UCR, f"stripe {intent_id}"),
    ]
    payment = Payment.objects.get()
    assert (payment.order_id, payment.workspace_id) == (page.order_id, customer.id)
    assert payment.receipt_url.startswith(f"{double.api_base}/receipts/ch_")
    invoice = PaymentInvoice.objects.get()
    assert invoice.order_id == page.order_id
    assert invoice.pdf_url.endswith("/pdf")
    assert PaymentOrder.objects.get().state == "paid"


@pytest.mark.parametrize("alone", PAID)
def test_either_event_alone_is_enough(double: Double, customer: Customer, alone: str) -> None:
    pay(double, order(customer))
    [event] = double.events(alone)
    assert take(event) == "done"
    assert state(customer) == (PACK_UCR, 0, 1, 0)


def test_every_order_of_events_and_any_repetition_comes_to_the_same(
    double: Double, customer: Customer
) -> None:
    pages = [order(customer) for _ in range(3)]
    for page in pages:
        pay(double, page)
    events = double.events(*PAID)
    assert len(events) == 6
    for number, arrangement in enumerate(itertools.permutations(events[:2] + events[4:])):
        take_all(list(arrangement))
        assert state(customer)[0] == 2 * PACK_UCR, number
    take_all(random.Random(7).sample(events * 100, 600))  # noqa: S311
    assert state(customer) == (3 * PACK_UCR, 0, 3, 0)
    assert len(customer.journal("topup")) == 3


def test_an_event_that_is_done_does_nothing_a_year_later(
    double: Double, customer: Customer
) -> None:
    pay(double, order(customer))
    [event] = double.events(PAID[0])
    assert (take(event), take(event)) == ("done", "repeated")
    again = {**event, "created": event["created"] - 365 * 86_400, "id": f"evt_{uuid4().hex}"}
    assert take(again) == "done"
    assert state(customer) == (PACK_UCR, 0, 1, 0)


def changed(event: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Give another event that says something else."""
    other = copy.deepcopy(event)
    other["id"] = f"evt_{uuid4().hex}"
    other["data"]["object"].update(fields)
    return other


@pytest.mark.parametrize(
    ("type_", "fields", "why"),
    [
        (PAID[0], {"amount_received": 999}, "amount"),
        (PAID[0], {"amount_received": 100_000}, "amount"),
        (PAID[0], {"currency": "jpy"}, "currency"),
        (PAID[0], {"customer": "cus_somebody"}, "customer"),
        (PAID[0], {"customer": None}, "customer"),
        (PAID[0], {"metadata": {}}, "order"),
        (PAID[0], {"metadata": {"studio_order": "x"}}, "order"),
        (PAID[0], {"metadata": {"studio_order": str(uuid4())}}, "order"),
        (PAID[1], {"id": "cs_test_other"}, "session"),
        (PAID[1], {"amount_total": 1}, "amount"),
        (PAID[0], {"amount_received": "x"}, "unreadable"),
    ],
)
def test_what_differs_from_the_order_is_quarantined_and_credited_to_nobody(
    double: Double, customer: Customer, type_: str, fields: dict[str, Any], why: str
) -> None:
    pay(double, order(customer))
    [event] = double.events(type_)
    assert take(changed(event, **fields)) == "done"
    assert state(customer) == (0, 0, 0, 1)
    assert Quarantine.objects.get().why == why
    assert take(event) == "done"
    assert state(customer) == (PACK_UCR, 0, 1, 1)


def test_an_event_of_live_mode_moves_nothing_in_test_mode(
    double: Double, customer: Customer
) -> None:
    pay(double, order(customer))
    [event] = double.events(PAID[0])
    live = {**event, "livemode": True}
    assert (take(live), take(live)) == ("wrong_mode", "wrong_mode")
    assert state(customer) == (0, 0, 0, 1)
    assert Quarantine.objects.get().why == "mode"


def test_a_second_payment_of_one_order_waits_for_staff(double: Double, customer: Customer) -> None:
    pay(double, order(customer))
    [event] = double.events(PAID[0])
    assert take(event) == "done"
    assert take(changed(event, id="pi_another")) == "done"
    assert state(customer) == (PACK_UCR, 0, 1, 1)
    assert Quarantine.objects.get().why == "payment"


def test_a_payment_is_never_credited_to_two_workspaces(double: Double, customer: Customer) -> None:
    other = make_customer("Other")
    mine, theirs = order(customer), order(other)
    pay(double, mine)
    [event] = double.events(PAID[0])
    take(event)
    theirs_order = PaymentOrder.objects.get(pk=theirs.order_id)
    stolen = changed(
        event,
        metadata={"studio_order": str(theirs.order_id)},
        customer=theirs_order.customer_id,
    )
    take(stolen)
    assert (customer.available_ucr, other.available_ucr) == (PACK_UCR, 0)
    assert Quarantine.objects.get().why == "order"


def test_events_of_no_interest_leave_no_trace(double: Double, customer: Customer) -> None:
    pay(double, order(customer))
    [event] = double.events("payment_intent.created")
    assert take(event) == "ignored"
    assert not StripeEvent.objects.exists()


def test_rows_keep_no_secret_and_no_address(double: Double, customer: Customer) -> None:
    pay(double, order(customer))
    take_all(double.events())
    kept = str(list(StripeEvent.objects.values()))
    assert "_secret_" not in kept
    assert "billing_details" not in kept


def test_the_same_key_is_the_same_order_and_another_wish_is_refused(
    double: Double, customer: Customer
) -> None:
    first = order(customer, key="k1")
    assert order(customer, key="k1") == first
    with pytest.raises(OrderDiffers):
        order(customer, key="k1", pack="large")
    assert PaymentOrder.objects.count() == 1
    assert len(double.events("checkout.session.completed")) == 0


def test_a_free_amount_has_bounds_and_a_pack_a_name(double: Double, customer: Customer) -> None:
    assert order(customer, pack="", amount_cents=500).amount_cents == 500
    for wrong in ({"pack": "huge"}, {"pack": "", "amount_cents": 499}):
        with pytest.raises(OrderRefused):
            order(customer, **wrong)
    with pytest.raises(OrderRefused):
        order(customer, pack="", amount_cents=1_000_001)
    assert PaymentOrder.objects.count() == 1


def test_an_expired_order_is_noted_and_paid_all_the_same_if_the_money_comes(
    double: Double, customer: Customer
) -> None:
    page = order(customer)
    pay(double, page)
    [event] = double.events(PAID[1])
    take({**changed(event, payment_status="unpaid"), "type": "checkout.session.expired"})
    assert PaymentOrder.objects.get().state == "expired"
    take(event)
    assert (PaymentOrder.objects.get().state, customer.available_ucr) == ("paid", PACK_UCR)
