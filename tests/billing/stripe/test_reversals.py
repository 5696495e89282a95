"""Refunds and disputes: in whatever order their events come, the end is the same."""

import itertools
from typing import Any
from uuid import uuid4

import pytest

from billing.models import Dispute, Quarantine, Reversal
from tests.billing.people import Customer
from tests.billing.stripe.double import Double
from tests.billing.stripe.shopping import (
    PACK_CENTS,
    PACK_UCR,
    order,
    pay,
    reversals,
    state,
    take,
    take_all,
)


def told(double: Double, *types: str) -> list[dict[str, Any]]:
    """Give the events of the payment itself and of these types."""
    return double.events("payment_intent.succeeded", *types)


def refund(double: Double, intent_id: str, cents: int) -> str:
    """Refund at Stripe, by the real library."""
    made = double.client.v1.refunds.create({"payment_intent": intent_id, "amount": cents})
    return made.id


def test_a_refund_takes_its_credit(double: Double, customer: Customer) -> None:
    intent_id = pay(double, order(customer))
    refund_id = refund(double, intent_id, 400)
    take_all(double.events())
    assert state(customer) == (PACK_UCR * 6 // 10, 0, 1, 0)
    assert customer.journal("payout") == [
        ("payout", "wallet", "cash", PACK_UCR * 4 // 10, f"refund {refund_id}")
    ]
    assert reversals() == {refund_id: "taken"}


def test_a_refund_of_spent_credit_is_owed(double: Double, customer: Customer) -> None:
    intent_id = pay(double, order(customer))
    take_all(double.events())
    customer.call(PACK_UCR)
    refund(double, intent_id, PACK_CENTS)
    take_all(double.events())
    assert state(customer) == (0, PACK_UCR, 1, 0)
    pay(double, order(customer, pack="standard"))
    take_all(double.events())
    assert state(customer) == (4 * PACK_UCR, 0, 2, 0)


def test_a_refund_before_its_payment_comes_to_the_same(double: Double, customer: Customer) -> None:
    refund_id = refund(double, pay(double, order(customer)), 400)
    events = told(double, "refund.created")
    assert len(events) == 2
    take(events[1])
    assert (state(customer), reversals()) == ((0, 0, 0, 0), {refund_id: "waiting"})
    take(events[0])
    assert (state(customer), reversals()) == (
        (PACK_UCR * 6 // 10, 0, 1, 0),
        {refund_id: "taken"},
    )


def test_a_refund_that_fails_comes_back_in_whatever_order_it_is_told(
    double: Double, customer: Customer
) -> None:
    orders = list(itertools.permutations(range(3)))
    for number, arrangement in enumerate(orders):
        seen = {event["id"] for event in double.events()}
        refund_id = refund(double, pay(double, order(customer)), 400)
        double.control("status", id=refund_id, status="failed")
        types = ("refund.created", "refund.failed")
        events = [event for event in told(double, *types) if event["id"] not in seen]
        assert len(events) == 3
        take_all([events[place] for place in arrangement])
        assert state(customer) == ((number + 1) * PACK_UCR, 0, number + 1, 0), arrangement
        assert reversals()[refund_id] == "returned"


@pytest.mark.parametrize(("end", "left", "can_call"), [("won", 1, True), ("lost", 0, False)])
def test_a_dispute_ends_the_same_in_whatever_order_it_is_told(
    double: Double, customer: Customer, end: str, left: int, can_call: bool
) -> None:
    intent_id = pay(double, order(customer))
    dispute_id = double.control("dispute", payment_intent=intent_id)["id"]
    double.control("status", id=dispute_id, status="under_review")
    double.control("status", id=dispute_id, status=end)
    types = ("charge.dispute.created", "charge.dispute.updated", "charge.dispute.closed")
    events = told(double, *types)
    assert len(events) == 4
    for arrangement in list(itertools.permutations(events))[::5]:
        take_all([{**event, "id": f"evt_{uuid4().hex}"} for event in arrangement])
        assert state(customer) == (left * PACK_UCR, 0, 1, 0)
        assert customer.can_call() is can_call
        assert Dispute.objects.get().state == end
    assert reversals() == {dispute_id: "returned" if end == "won" else "taken"}


def test_an_open_dispute_takes_the_credit_and_freezes(double: Double, customer: Customer) -> None:
    intent_id = pay(double, order(customer))
    take_all(double.events())
    customer.call(PACK_UCR // 2)
    double.control("dispute", payment_intent=intent_id)
    take_all(double.events())
    assert state(customer) == (0, PACK_UCR // 2, 1, 0)
    assert customer.can_call() is False


def test_an_inquiry_takes_nothing(double: Double, customer: Customer) -> None:
    intent_id = pay(double, order(customer))
    made = double.control("dispute", payment_intent=intent_id, status="warning_needs_response")
    take_all(double.events())
    assert (state(customer), customer.can_call()) == ((PACK_UCR, 0, 1, 0), True)
    double.control("status", id=made["id"], status="needs_response")
    take_all(double.events())
    assert (state(customer), customer.can_call()) == ((0, 0, 1, 0), False)


def test_a_dispute_before_its_payment_waits_for_it(double: Double, customer: Customer) -> None:
    intent_id = pay(double, order(customer))
    double.control("dispute", payment_intent=intent_id)
    paid, disputed = told(double, "charge.dispute.created")
    assert take(disputed) == "done"
    assert (state(customer), Dispute.objects.count()) == ((0, 0, 0, 0), 0)
    assert take(paid) == "done"
    assert (state(customer), Dispute.objects.count()) == ((0, 0, 1, 0), 1)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"amount": PACK_CENTS + 1}, "the ledger says too_much"),
        ({"currency": "eur"}, "the payment was in usd, this is in eur"),
        ({"status": "odd"}, "the status 'odd' is unknown"),
        ({"amount": 0}, "it has no amount"),
    ],
)
def test_a_refund_that_cannot_be_is_shown_to_staff(
    double: Double, customer: Customer, fields: dict[str, Any], why: str
) -> None:
    refund(double, pay(double, order(customer)), PACK_CENTS)
    paid, refunded = told(double, "refund.created")
    take(paid)
    refunded["data"]["object"].update(fields)
    take(refunded)
    assert state(customer) == (PACK_UCR, 0, 1, 1)
    assert Quarantine.objects.get().detail.endswith(why)


def test_a_dispute_above_what_is_left_takes_that_and_is_shown_to_staff(
    double: Double, customer: Customer
) -> None:
    intent_id = pay(double, order(customer))
    refund(double, intent_id, 400)
    double.control("dispute", payment_intent=intent_id)
    take_all(double.events())
    assert (state(customer), customer.can_call()) == ((0, 0, 1, 1), False)
    assert Quarantine.objects.get().why == "dispute"
    dispute = Reversal.objects.get(kind="dispute")
    assert (dispute.state, dispute.taken_ucr) == ("taken", PACK_UCR * 6 // 10)


def test_a_dispute_of_what_all_went_back_before_is_shown_to_staff(
    double: Double, customer: Customer
) -> None:
    intent_id = pay(double, order(customer))
    refund(double, intent_id, PACK_CENTS)
    double.control("dispute", payment_intent=intent_id)
    take_all(double.events())
    assert (state(customer), Dispute.objects.count()) == ((0, 0, 1, 1), 0)
    assert Reversal.objects.get(kind="dispute").state == "quarantined"


def test_a_refund_above_what_is_left_takes_that_and_is_shown_to_staff(
    double: Double, customer: Customer
) -> None:
    intent_id = pay(double, order(customer))
    double.control("dispute", payment_intent=intent_id, amount=400)
    take_all(double.events())
    refund_id = refund(double, intent_id, PACK_CENTS)
    take_all(double.events())
    assert state(customer) == (0, 0, 1, 1)
    assert Quarantine.objects.get().detail.startswith(f"{refund_id}: 6000.0 credits were taken")
    double.control("status", id=refund_id, status="failed")
    take_all(double.events())
    assert state(customer) == (PACK_UCR * 6 // 10, 0, 1, 1)


def test_a_refund_of_somebody_else_s_payment_waits_for_ever(
    double: Double, customer: Customer
) -> None:
    refund(double, pay(double, order(customer)), 400)
    [refunded] = double.events("refund.created")
    refunded["data"]["object"]["payment_intent"] = "pi_of_another_shop"
    take(refunded)
    assert state(customer) == (0, 0, 0, 0)
