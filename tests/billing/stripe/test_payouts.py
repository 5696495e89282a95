"""A payment's credit goes back once: by payouts of staff or by refunds at Stripe, in any order."""

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from billing import money_requests
from billing.errors import MoreThanThereIs, RefundedAtStripe, SecondPersonNeeded
from billing.models import Dispute, MoneyRequest, Payment, Quarantine, Reversal
from billing.money_requests import Outcome
from gateway.reconcile import find_violations
from studio.core.ids import new_id
from tests.billing.people import LIMIT_UCR, Customer, make_customer, make_staff
from tests.billing.stripe.double import Double
from tests.billing.stripe.shopping import PACK_CENTS, PACK_UCR, order, pay, state, take, take_all
from tests.databases import Database, django_on

TENTH_UCR = PACK_UCR // 10
TENTH_CENTS = PACK_CENTS // 10


@pytest.fixture
def ann(db: None) -> User:
    """A person of ours."""
    return make_staff("ann")


def bought(double: Double, customer: Customer, *, pack: str = "starter") -> Payment:
    """Buy a pack, and credit it."""
    intent_id = pay(double, order(customer, pack=pack))
    take_all(double.events())
    return Payment.objects.get(pk=intent_id)


def pay_out(payment: Payment, tenths: int, staff: User) -> Outcome:
    """Pay out so many tenths of a starter pack."""
    assert payment.workspace_id is not None and payment.top_up_id is not None
    return money_requests.pay_out_top_up(
        workspace_id=payment.workspace_id,
        top_up_id=payment.top_up_id,
        amount_ucr=tenths * TENTH_UCR,
        reason="the payer wants it back",
        staff=staff,
        key=str(new_id()),
    )


def refunded(double: Double, payment: Payment, tenths: int) -> dict[str, Any]:
    """Refund at Stripe. Returns: the event, which nobody has taken in."""
    fields: Any = {"payment_intent": payment.pk, "amount": tenths * TENTH_CENTS}
    double.client.v1.refunds.create(fields)
    return double.events("refund.created")[-1]


def took() -> list[tuple[str, int, int]]:
    """Give each reversal's state, and the tenths that it took and found taken."""
    rows = Reversal.objects.order_by("seen_at").values_list("state", "taken_ucr", "covered_ucr")
    return [(state, taken // TENTH_UCR, covered // TENTH_UCR) for state, taken, covered in rows]


def test_a_refund_of_what_was_paid_out_takes_nothing_more(
    double: Double, customer: Customer, ann: User
) -> None:
    payment = bought(double, customer)
    assert pay_out(payment, 4, ann).available_ucr == 6 * TENTH_UCR
    take(refunded(double, payment, 4))
    assert (state(customer), took()) == ((6 * TENTH_UCR, 0, 1, 0), [("taken", 0, 4)])
    take(refunded(double, payment, 6))
    assert (state(customer), took()) == (
        (0, 0, 1, 0),
        [("taken", 0, 4), ("taken", 6, 0)],
    )
    assert find_violations() == []


def test_a_refund_above_the_payout_takes_what_is_beyond(
    double: Double, customer: Customer, ann: User
) -> None:
    payment = bought(double, customer)
    pay_out(payment, 4, ann)
    take(refunded(double, payment, 10))
    assert (state(customer), took()) == ((0, 0, 1, 0), [("taken", 6, 4)])


def test_after_a_refund_at_stripe_there_is_no_payout(
    double: Double, customer: Customer, ann: User
) -> None:
    payment = bought(double, customer)
    take(refunded(double, payment, 4))
    before = customer.journal()
    with pytest.raises(RefundedAtStripe, match="4000.0 credits went with it"):
        pay_out(payment, 4, ann)
    assert (customer.journal(), MoneyRequest.objects.count()) == (before, 0)
    assert state(customer) == (6 * TENTH_UCR, 0, 1, 0)


def test_a_refund_that_fails_gives_back_what_it_took_itself(
    double: Double, customer: Customer, ann: User
) -> None:
    payment = bought(double, customer)
    pay_out(payment, 4, ann)
    event = refunded(double, payment, 6)
    take(event)
    assert (state(customer), took()) == ((4 * TENTH_UCR, 0, 1, 0), [("taken", 2, 4)])
    double.control("status", id=event["data"]["object"]["id"], status="failed")
    take_all(double.events("refund.failed"))
    assert (state(customer), took()) == ((6 * TENTH_UCR, 0, 1, 0), [("returned", 0, 0)])
    take(refunded(double, payment, 5))
    assert (state(customer), took()[1]) == ((5 * TENTH_UCR, 0, 1, 0), ("taken", 1, 4))
    assert find_violations() == []


def test_a_waiting_payout_is_done_only_if_stripe_has_not_begun(
    double: Double, customer: Customer, ann: User
) -> None:
    payment = bought(double, customer, pack="large")
    waiting = pay_out(payment, LIMIT_UCR // TENTH_UCR + 1, ann)
    assert waiting.state == "waiting"
    with pytest.raises(SecondPersonNeeded):
        money_requests.approve(request_id=waiting.request_id, staff=ann)
    take(refunded(double, payment, 1))
    before = customer.journal()
    with pytest.raises(RefundedAtStripe):
        money_requests.approve(request_id=waiting.request_id, staff=make_staff("bob"))
    assert customer.journal() == before
    assert MoneyRequest.objects.get().state == "waiting"


def test_a_payout_takes_only_what_is_free_and_left(
    double: Double, customer: Customer, ann: User
) -> None:
    payment = bought(double, customer)
    customer.call(7 * TENTH_UCR)
    before = customer.journal()
    with pytest.raises(MoreThanThereIs):
        pay_out(payment, 4, ann)
    assert customer.journal() == before
    assert pay_out(payment, 3, ann).available_ucr == 0


def test_a_dispute_after_a_payout_takes_what_is_left_and_freezes(
    double: Double, customer: Customer, ann: User
) -> None:
    payment = bought(double, customer)
    pay_out(payment, 4, ann)
    dispute_id = double.control("dispute", payment_intent=payment.pk)["id"]
    take_all(double.events())
    assert (state(customer), customer.can_call()) == ((0, 0, 1, 1), False)
    assert Quarantine.objects.get().detail == (
        f"{dispute_id}: 6000.0 credits were taken; 4000.0 more had gone back before"
    )
    double.control("status", id=dispute_id, status="won")
    take_all(double.events())
    assert (state(customer), customer.can_call()) == ((6 * TENTH_UCR, 0, 1, 1), True)
    assert Dispute.objects.get().amount_ucr == 6 * TENTH_UCR
    assert find_violations() == []


def test_a_payout_and_a_refund_at_once_take_it_once(
    double: Double, fresh_database: Database
) -> None:
    """Whoever comes first: the payout is counted, or it is refused."""
    with django_on(fresh_database):
        customer, staff = make_customer("Race"), make_staff("racer")
        outcomes = set()
        for number in range(1, 10):
            payment = bought(double, customer)
            event = refunded(double, payment, 1)
            outcomes.add(_race(payment, event, staff))
            assert state(customer) == (number * 9 * TENTH_UCR, 0, number, 0)
        assert outcomes and outcomes <= {"executed", "refused"}
        assert find_violations() == []


def _race(payment: Payment, event: dict[str, Any], staff: User) -> str:
    barrier = Barrier(2)

    def pay() -> str:
        try:
            barrier.wait()
            return str(pay_out(payment, 1, staff).state)
        except RefundedAtStripe:
            return "refused"
        finally:
            connection.close()

    def refund() -> str:
        try:
            barrier.wait()
            return take(json.loads(json.dumps(event)))
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        paid, taken = threads.submit(pay), threads.submit(refund)
        assert taken.result() == "done"
        return paid.result()
