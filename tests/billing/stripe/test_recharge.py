"""A saved card is charged below the threshold, never twice for one need, and never past the cap."""

import datetime as dt
from functools import partial

import pytest

from billing.errors import CreditRefused
from billing.freezing import freeze_wallet
from billing.models import AutoRecharge, PaymentOrder, StripeCustomer
from billing.stripe.errors import NoSavedCard, OrderRefused
from billing.stripe.packs import UCR_PER_CENT
from billing.stripe.recharge import RechargeSettings, read_recharge, recharge_due, set_recharge
from tests.billing.people import Customer, make_staff
from tests.billing.stripe.double import Double
from tests.billing.stripe.shopping import PACK_UCR, order, pay, state, take, take_all

AMOUNT = 2_000
WISH = RechargeSettings(
    enabled=True, threshold_ucr=PACK_UCR, amount_cents=AMOUNT, monthly_cap_cents=2 * AMOUNT
)


@pytest.fixture
def saved(double: Double, customer: Customer) -> Customer:
    """A customer who saved a card, has spent all and wants recharges."""
    pay(double, order(customer, save_card=True))
    take_all(double.events())
    customer.call(PACK_UCR)
    set_recharge(workspace_id=customer.id, wanted=WISH)
    return customer


def recharges() -> list[str]:
    """Give the states of all recharges, the oldest first."""
    found = PaymentOrder.objects.filter(source="recharge").order_by("created_at")
    return list(found.values_list("state", flat=True))


def stopped(customer: Customer) -> str:
    """Say why it stopped."""
    return AutoRecharge.objects.get(pk=customer.id).stopped_because


def test_a_low_wallet_is_recharged_once_and_its_event_finds_it_done(
    double: Double, saved: Customer
) -> None:
    assert recharge_due() == 1
    assert (saved.available_ucr, recharges()) == (AMOUNT * UCR_PER_CENT, ["paid"])
    assert recharge_due() == 0
    take_all(double.events())
    assert (saved.available_ucr, recharges(), stopped(saved)) == (
        AMOUNT * UCR_PER_CENT,
        ["paid"],
        "",
    )
    assert read_recharge(saved.id).spent_this_month_cents == AMOUNT


def test_the_cap_of_the_month_holds(saved: Customer) -> None:
    for expected in (1, 1, 0):
        assert recharge_due() == expected
        saved.call(saved.available_ucr) if saved.available_ucr else None
    assert (recharges(), stopped(saved)) == (["paid", "paid"], "")
    PaymentOrder.objects.filter(source="recharge").update(
        created_at=dt.datetime.now(dt.UTC) - dt.timedelta(days=40)
    )
    assert recharge_due() == 1


@pytest.mark.parametrize("code", ["card_declined", "authentication_required"])
def test_a_card_that_is_refused_stops_it_until_it_is_set_again(
    double: Double, saved: Customer, code: str
) -> None:
    card = StripeCustomer.objects.get().payment_method_id
    double.control("card", payment_method=card, fails=code)
    assert (recharge_due(), recharge_due()) == (0, 0)
    assert (saved.available_ucr, recharges(), stopped(saved)) == (0, ["failed"], code)
    take_all(double.events())
    assert (saved.available_ucr, recharges()) == (0, ["failed"])
    set_recharge(workspace_id=saved.id, wanted=WISH)
    assert stopped(saved) == ""


def test_an_unknown_outcome_is_asked_for_again_under_the_same_key(
    double: Double, saved: Customer
) -> None:
    double.control("outage", statuses=[500, 500, 500])
    assert (recharge_due(), recharges()) == (0, ["open"])
    assert recharge_due() == 1
    assert (saved.available_ucr, recharges()) == (AMOUNT * UCR_PER_CENT, ["paid"])


def test_a_charge_whose_answer_was_lost_is_credited_by_its_event(
    double: Double, saved: Customer
) -> None:
    double.control("outage", statuses=[500, 500, 500])
    recharge_due()
    wanted = PaymentOrder.objects.get(source="recharge")
    charge_by_hand(double, wanted)
    take(double.events("payment_intent.succeeded")[-1])
    assert (recharge_due(), saved.available_ucr, recharges()) == (
        0,
        AMOUNT * UCR_PER_CENT,
        ["paid"],
    )


@pytest.mark.parametrize("made", [True, False])
def test_after_a_day_stripe_is_asked_what_became_of_an_unknown_outcome(
    double: Double, saved: Customer, made: bool
) -> None:
    double.control("outage", statuses=[500, 500, 500])
    recharge_due()
    wanted = PaymentOrder.objects.get(source="recharge")
    if made:
        charge_by_hand(double, wanted)
    PaymentOrder.objects.filter(pk=wanted.pk).update(
        created_at=dt.datetime.now(dt.UTC) - dt.timedelta(hours=24)
    )
    before = len(double.events("payment_intent.succeeded"))
    assert recharge_due() == made
    assert len(double.events("payment_intent.succeeded")) == before
    expected = (AMOUNT * UCR_PER_CENT, ["paid"], "") if made else (0, ["failed"], "not_charged")
    assert (saved.available_ucr, recharges(), stopped(saved)) == expected


def charge_by_hand(double: Double, wanted: PaymentOrder) -> None:
    """Charge a recharge's card as a request does whose answer is lost."""
    double.client.v1.payment_intents.create(
        {
            "amount": wanted.amount_cents,
            "currency": "usd",
            "customer": wanted.customer_id,
            "payment_method": wanted.payment_method_id,
            "confirm": True,
            "metadata": {"studio_order": str(wanted.pk)},
        }
    )


def test_a_frozen_wallet_is_not_recharged(saved: Customer) -> None:
    staff = make_staff("ann")
    freeze_wallet(workspace_id=saved.id, reason="abuse", staff=staff, key="k")
    assert (recharge_due(), recharges()) == (0, [])


def test_a_card_that_is_gone_stops_it(double: Double, saved: Customer) -> None:
    card = StripeCustomer.objects.get().payment_method_id
    double.control("detach", payment_method=card)
    take_all(double.events())
    assert (recharge_due(), recharges(), stopped(saved)) == (0, [], "no_card")


def test_what_makes_no_sense_is_refused(double: Double, customer: Customer) -> None:
    ask = partial(set_recharge, workspace_id=customer.id)
    with pytest.raises(NoSavedCard):
        ask(wanted=WISH)
    with pytest.raises(CreditRefused):
        ask(
            wanted=RechargeSettings(
                enabled=True, threshold_ucr=0, amount_cents=AMOUNT, monthly_cap_cents=AMOUNT - 1
            )
        )
    with pytest.raises(OrderRefused):
        ask(
            wanted=RechargeSettings(
                enabled=True, threshold_ucr=0, amount_cents=1, monthly_cap_cents=AMOUNT
            )
        )
    assert not AutoRecharge.objects.exists()
    assert state(customer) == (0, 0, 0, 0)
