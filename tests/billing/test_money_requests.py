"""Refunds, grants, adjustments and payouts by people: once per key, by two people above a limit."""

from collections.abc import Callable
from functools import partial

import pytest
from django.contrib.auth.models import User
from django.test import override_settings

from billing import money_requests
from billing.errors import (
    AlreadyDecided,
    CallNotCharged,
    CreditRefused,
    KeyUsedBefore,
    MoneyRequestNotFound,
    MoreThanThereIs,
    SecondPersonNeeded,
    TopUpNotFound,
    WalletNotFound,
)
from billing.models import MoneyRequest
from billing.money_requests import Outcome, approve, reject
from gateway.reconcile import find_violations
from studio.core.ids import new_id
from tests.billing.people import LIMIT_UCR, Customer, make_customer, make_staff

Ask = Callable[..., Outcome]


@pytest.fixture
def customer(db: None) -> Customer:
    """A workspace without credit."""
    return make_customer("Money requests")


@pytest.fixture
def ann(db: None) -> User:
    """Who asks."""
    return make_staff("ann")


@pytest.fixture
def bob(db: None) -> User:
    """Who approves."""
    return make_staff("bob")


def ask_for(customer: Customer, staff: User) -> Ask:
    """Refund calls of this customer, for this person."""
    return partial(
        money_requests.refund_call, workspace_id=customer.id, staff=staff, reason="a bad answer"
    )


def test_a_small_refund_is_done_at_once_and_says_why_and_by_whom(
    customer: Customer, ann: User
) -> None:
    customer.top_up(100)
    call = customer.call(60)
    done = ask_for(customer, ann)(call_id=call, amount_ucr=25, key="ticket 7")
    assert (done.state, done.repeated, done.available_ucr) == ("executed", False, 65)
    ref = f"a bad answer [{done.request_id}]"
    assert customer.journal("refund") == [("refund", "revenue", "wallet", 25, ref)]
    kept = MoneyRequest.objects.get(pk=done.request_id)
    assert (kept.kind, kept.subject_id, kept.amount_ucr) == ("refund", call, 25)
    assert (kept.requested_by, kept.approved_by, kept.needs_approval) == (ann, None, False)


def test_the_same_key_is_the_same_refund(customer: Customer, ann: User, bob: User) -> None:
    customer.top_up(100)
    call = customer.call(60)
    ask = partial(ask_for(customer, ann), call_id=call, key="ticket 7")
    first = ask(amount_ucr=25)
    again = ask(amount_ucr=25)
    assert (again.request_id, again.repeated) == (first.request_id, True)
    for changed in ({"amount_ucr": 26}, {"amount_ucr": 25, "reason": "x"}):
        with pytest.raises(KeyUsedBefore):
            ask(**changed)
    with pytest.raises(KeyUsedBefore):
        ask(amount_ucr=25, staff=bob)
    assert (customer.available_ucr, MoneyRequest.objects.count()) == (65, 1)
    other = make_customer("Money requests, other")
    other.top_up(10)
    done = ask_for(other, ann)(call_id=other.call(5), amount_ucr=5, key="ticket 7")
    assert done.repeated is False


def test_never_more_than_the_charge(customer: Customer, ann: User) -> None:
    customer.top_up(100)
    call = customer.call(60)
    ask = partial(ask_for(customer, ann), call_id=call)
    ask(amount_ucr=40, key="a")
    with pytest.raises(MoreThanThereIs):
        ask(amount_ucr=21, key="b")
    assert (customer.available_ucr, MoneyRequest.objects.count()) == (80, 1)
    ask(amount_ucr=20, key="b")
    assert customer.available_ucr == 100


def test_what_makes_no_sense_is_refused_and_nothing_is_kept(customer: Customer, ann: User) -> None:
    customer.top_up(100)
    call = customer.call(60)
    good = {"call_id": call, "amount_ucr": 1, "key": "k"}
    for wrong, error in (
        ({"amount_ucr": 0}, CreditRefused),
        ({"amount_ucr": -1}, CreditRefused),
        ({"amount_ucr": 10**17 + 1}, CreditRefused),
        ({"reason": " "}, CreditRefused),
        ({"reason": "a\nb"}, CreditRefused),
        ({"reason": "x" * 501}, CreditRefused),
        ({"key": ""}, CreditRefused),
        ({"call_id": new_id()}, CallNotCharged),
        ({"workspace_id": 2**60}, WalletNotFound),
    ):
        with pytest.raises(error):
            ask_for(customer, ann)(**{**good, **wrong})
    assert (customer.available_ucr, MoneyRequest.objects.count()) == (40, 0)


def test_above_the_limit_another_person_approves(customer: Customer, ann: User, bob: User) -> None:
    customer.top_up(3 * LIMIT_UCR)
    call = customer.call(2 * LIMIT_UCR)
    ask = partial(ask_for(customer, ann), call_id=call, amount_ucr=LIMIT_UCR + 1, key="k")
    waiting = ask()
    assert (waiting.state, waiting.available_ucr) == ("waiting", None)
    assert ask().repeated is True
    assert customer.available_ucr == LIMIT_UCR
    with pytest.raises(SecondPersonNeeded):
        approve(request_id=waiting.request_id, staff=ann)
    assert customer.available_ucr == LIMIT_UCR
    done = approve(request_id=waiting.request_id, staff=bob)
    assert (done.state, done.available_ucr) == ("executed", 2 * LIMIT_UCR + 1)
    kept = MoneyRequest.objects.get(pk=waiting.request_id)
    assert (kept.requested_by, kept.approved_by, kept.state) == (ann, bob, "executed")
    assert ask() == Outcome(request_id=kept.pk, state="executed", repeated=True)
    for decide in (approve, reject):
        with pytest.raises(AlreadyDecided):
            decide(request_id=waiting.request_id, staff=bob)
    assert customer.available_ucr == 2 * LIMIT_UCR + 1


def test_the_limit_is_what_one_person_moves_alone_in_a_workspace_within_a_day(
    customer: Customer, ann: User, bob: User
) -> None:
    grant = partial(money_requests.grant_credit, workspace_id=customer.id, reason="goodwill")
    assert grant(amount_ucr=LIMIT_UCR, staff=ann, key="a").state == "executed"
    assert grant(amount_ucr=1, staff=ann, key="b").state == "waiting"
    assert grant(amount_ucr=LIMIT_UCR, staff=bob, key="c").state == "executed"
    other = make_customer("Money requests, other")
    assert grant(workspace_id=other.id, amount_ucr=1, staff=ann, key="d").state == "executed"
    adjust = partial(money_requests.adjust_credit, workspace_id=other.id, reason="x", staff=ann)
    done = adjust(amount_ucr=-1, paid=False, key="e")
    assert done.state == "executed"
    assert adjust(amount_ucr=LIMIT_UCR - 2, paid=True, key="f").state == "executed"
    assert adjust(amount_ucr=-1, paid=True, key="g").state == "waiting"
    assert customer.available_ucr == 2 * LIMIT_UCR


@override_settings(TWO_PEOPLE_ABOVE_CREDITS=0)
def test_the_limit_is_an_operators_to_set(customer: Customer, ann: User) -> None:
    grant = partial(money_requests.grant_credit, workspace_id=customer.id, reason="goodwill")
    assert grant(amount_ucr=1, staff=ann, key="a").state == "waiting"


def test_a_rejected_request_moves_nothing_for_ever(
    customer: Customer, ann: User, bob: User
) -> None:
    waiting = money_requests.grant_credit(
        workspace_id=customer.id, amount_ucr=LIMIT_UCR + 1, reason="x", staff=ann, key="k"
    )
    assert reject(request_id=waiting.request_id, staff=ann).state == "rejected"
    with pytest.raises(AlreadyDecided):
        approve(request_id=waiting.request_id, staff=bob)
    assert customer.journal() == []
    with pytest.raises(MoneyRequestNotFound):
        approve(request_id=new_id(), staff=bob)


def test_an_approval_of_what_is_no_longer_possible_moves_nothing_and_waits_on(
    customer: Customer, ann: User, bob: User
) -> None:
    customer.top_up(3 * LIMIT_UCR)
    call = customer.call(2 * LIMIT_UCR)
    ask = partial(ask_for(customer, ann), call_id=call)
    with pytest.raises(MoreThanThereIs):
        ask(amount_ucr=2 * LIMIT_UCR + 1, key="too much")
    with pytest.raises(CallNotCharged):
        ask(call_id=new_id(), amount_ucr=2 * LIMIT_UCR, key="nothing")
    first = ask(amount_ucr=LIMIT_UCR + 1, key="a")
    second = ask(amount_ucr=LIMIT_UCR + 1, key="b")
    approve(request_id=first.request_id, staff=bob)
    with pytest.raises(MoreThanThereIs):
        approve(request_id=second.request_id, staff=bob)
    kept = MoneyRequest.objects.get(pk=second.request_id)
    assert (kept.state, kept.approved_by) == ("waiting", None)
    assert customer.available_ucr == 2 * LIMIT_UCR + 1


def test_a_grant_and_adjustments_of_paid_and_given_credit(customer: Customer, ann: User) -> None:
    done = money_requests.grant_credit(
        workspace_id=customer.id, amount_ucr=10, reason="goodwill", staff=ann, key="a"
    )
    adjust = partial(money_requests.adjust_credit, workspace_id=customer.id, staff=ann)
    up = adjust(amount_ucr=7, paid=True, reason="bank transfer", key="b")
    down = adjust(amount_ucr=-4, paid=False, reason="granted twice", key="c")
    assert down.available_ucr == 13
    with pytest.raises(MoreThanThereIs):
        adjust(amount_ucr=-7, paid=False, reason="more than that", key="d")
    with pytest.raises(WalletNotFound):
        adjust(workspace_id=2**60, amount_ucr=1, paid=True, reason="x", key="e")
    assert sorted(customer.journal()) == [
        ("adjustment", "adjustments", "wallet", 7, f"bank transfer [{up.request_id}]"),
        ("adjustment", "wallet", "adjustments", 4, f"granted twice [{down.request_id}]"),
        ("grant", "granted", "wallet", 10, f"goodwill [{done.request_id}]"),
    ]


def test_a_payout_takes_what_is_free_of_the_top_up(customer: Customer, ann: User) -> None:
    top_up = customer.top_up(100)
    customer.call(30)
    pay_out = partial(
        money_requests.pay_out_top_up, workspace_id=customer.id, staff=ann, reason="card refund"
    )
    with pytest.raises(MoreThanThereIs):
        pay_out(top_up_id=top_up, amount_ucr=71, key="a")
    with pytest.raises(TopUpNotFound):
        pay_out(top_up_id=new_id(), amount_ucr=1, key="b")
    assert pay_out(top_up_id=top_up, amount_ucr=70, key="c").available_ucr == 0
    assert pay_out(top_up_id=top_up, amount_ucr=70, key="c").repeated is True
    assert (customer.available_ucr, MoneyRequest.objects.count()) == (0, 1)


def test_everything_adds_up_afterwards(customer: Customer, ann: User) -> None:
    customer.top_up(100)
    call = customer.call(60)
    ask_for(customer, ann)(call_id=call, amount_ucr=25, key="k")
    assert find_violations() == []
