"""What staff decide about quarantined payments, and the back-fill."""

import datetime as dt
from functools import partial

import pytest
from pytest_django import Settings

from billing.errors import AlreadyDecided
from billing.models import BackFill, Quarantine, StripeEvent
from billing.stripe.errors import (
    AnotherPersonNeeded,
    NotCreditable,
    PaymentProviderAway,
    PaymentsOff,
    QuarantineNotFound,
)
from billing.stripe.intake import finish_open_events
from billing.stripe.reconciliation import back_fill
from billing.stripe.resolving import credit_quarantined, dismiss_quarantined
from billing.stripe.tasks import back_fill_payments, recharge_cards
from tests.billing.people import Customer, make_staff
from tests.billing.stripe.double import Double
from tests.billing.stripe.shopping import PACK_UCR, order, pay, state, take, take_all


def quarantined(double: Double, customer: Customer, *, pack: str = "starter") -> Quarantine:
    """Have a payment without an order of ours."""
    pay(double, order(customer, pack=pack))
    [event] = double.events("payment_intent.succeeded")
    event["data"]["object"]["metadata"] = {}
    take(event)
    return Quarantine.objects.get()


def test_a_person_credits_a_small_one_once(double: Double, customer: Customer) -> None:
    row = quarantined(double, customer)
    ann = make_staff("ann")
    done = credit_quarantined(
        quarantine_id=row.pk, workspace_id=customer.id, reason="paid by link", staff=ann
    )
    assert (done.state, state(customer)) == ("credited", (PACK_UCR, 0, 1, 1))
    with pytest.raises(AlreadyDecided):
        credit_quarantined(quarantine_id=row.pk, workspace_id=customer.id, reason="x", staff=ann)
    with pytest.raises(AlreadyDecided):
        dismiss_quarantined(quarantine_id=row.pk, reason="x", staff=ann)
    take_all(double.events())
    assert state(customer)[0] == PACK_UCR


def test_a_large_one_needs_two(double: Double, customer: Customer) -> None:
    row = quarantined(double, customer, pack="large")
    ann, bob = make_staff("ann"), make_staff("bob")
    ask = partial(
        credit_quarantined, quarantine_id=row.pk, workspace_id=customer.id, reason="by link"
    )
    assert ask(staff=ann).state == "proposed"
    with pytest.raises(AnotherPersonNeeded):
        ask(staff=ann)
    assert state(customer) == (0, 0, 0, 1)
    assert ask(staff=bob).state == "credited"
    assert state(customer) == (25 * PACK_UCR, 0, 1, 1)
    row.refresh_from_db()
    assert (row.proposed_by, row.resolved_by) == (ann, bob)


def test_a_dismissed_one_moves_nothing(double: Double, customer: Customer) -> None:
    row = quarantined(double, customer)
    done = dismiss_quarantined(quarantine_id=row.pk, reason="refunded", staff=make_staff("ann"))
    assert (done.state, state(customer)) == ("dismissed", (0, 0, 0, 1))
    with pytest.raises(QuarantineNotFound):
        dismiss_quarantined(quarantine_id=row.pk + 1, reason="x", staff=make_staff("bob"))


def test_test_money_is_never_credited_by_hand(double: Double, customer: Customer) -> None:
    pay(double, order(customer))
    [event] = double.events("payment_intent.succeeded")
    take({**event, "livemode": True})
    with pytest.raises(NotCreditable):
        credit_quarantined(
            quarantine_id=Quarantine.objects.get().pk,
            workspace_id=customer.id,
            reason="x",
            staff=make_staff("ann"),
        )
    assert state(customer) == (0, 0, 0, 1)


def test_what_waited_is_taken_when_a_person_credits(double: Double, customer: Customer) -> None:
    row = quarantined(double, customer)
    [paid] = double.events("payment_intent.succeeded")
    intent_id = paid["data"]["object"]["id"]
    double.client.v1.refunds.create({"payment_intent": intent_id, "amount": 400})
    double.control("dispute", payment_intent=intent_id, amount=600)
    take_all(double.events("refund.created", "charge.dispute.created"))
    credit_quarantined(
        quarantine_id=row.pk, workspace_id=customer.id, reason="x", staff=make_staff("ann")
    )
    assert (state(customer), customer.can_call()) == ((0, 0, 1, 1), False)


def test_what_no_webhook_brought_is_credited_by_the_back_fill(
    double: Double, customer: Customer
) -> None:
    for _ in range(30):
        pay(double, order(customer))
    [first, *_] = double.events("payment_intent.succeeded")
    take(first)
    run = back_fill()
    assert (run.event_count, run.missed_count) == (120, 119)
    assert state(customer) == (30 * PACK_UCR, 0, 30, 0)
    again = back_fill()
    assert (again.event_count, again.missed_count) == (120, 0)
    assert state(customer) == (30 * PACK_UCR, 0, 30, 0)


def test_a_back_fill_that_failed_is_made_up_for(double: Double, customer: Customer) -> None:
    pay(double, order(customer))
    double.control("outage", statuses=[500, 500, 500])
    with pytest.raises(PaymentProviderAway):
        back_fill()
    assert (state(customer), BackFill.objects.get().finished_at) == ((0, 0, 0, 0), None)
    back_fill()
    assert state(customer) == (PACK_UCR, 0, 1, 0)


def test_an_event_that_a_process_left_is_finished(double: Double, customer: Customer) -> None:
    intent_id = pay(double, order(customer))
    take_all(double.events())
    double.control("dispute", payment_intent=intent_id)
    take_all(double.events())
    [left] = double.events("charge.dispute.created")
    long_ago = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
    StripeEvent.objects.filter(pk=left["id"]).update(done=False, received_at=long_ago)
    assert finish_open_events(older_than_s=60) == 1
    assert (state(customer), customer.can_call()) == ((0, 0, 1, 0), False)
    assert not StripeEvent.objects.filter(done=False).exists()


def test_without_a_secret_nothing_is_asked(customer: Customer, settings: Settings) -> None:
    settings.STRIPE_SECRET_KEY = ""
    assert (recharge_cards(), back_fill_payments()) == (0, 0)
    with pytest.raises(PaymentsOff):
        back_fill()
    with pytest.raises(PaymentsOff):
        order(customer)
