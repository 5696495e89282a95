"""Disputes take the money and freeze the wallet; freezes are lifted one by one."""

from functools import partial

import pytest
from django.contrib.auth.models import User

from billing import disputes, freezing
from billing.errors import (
    AlreadyDecided,
    CreditRefused,
    DisputeNotFound,
    FreezeNotFound,
    KeyUsedBefore,
    MoreThanThereIs,
    TopUpNotFound,
    WalletNotFound,
)
from billing.models import Dispute, Freeze
from studio.accounts.services import set_workspace_status
from studio.core.ids import new_id
from tests.billing.people import Customer, make_customer, make_staff


@pytest.fixture
def customer(db: None) -> Customer:
    """A workspace without credit."""
    return make_customer("Disputes")


@pytest.fixture
def ann(db: None) -> User:
    """A person of ours."""
    return make_staff("ann")


def open_one(customer: Customer, reference: str = "dp_1") -> partial[disputes.DisputeOutcome]:
    return partial(
        disputes.open_dispute, workspace_id=customer.id, reference=reference, reason="fraudulent"
    )


def test_a_dispute_takes_what_there_is_owes_the_rest_and_freezes(customer: Customer) -> None:
    top_up = customer.top_up(100)
    customer.call(60)
    outcome = open_one(customer)(top_up_id=top_up, amount_ucr=100)
    assert (outcome.state, outcome.repeated) == ("open", False)
    assert (customer.available_ucr, customer.owed_ucr, customer.can_call()) == (0, 60, False)
    assert customer.journal("payout") == [
        ("payout", "wallet", "cash", 40, "dispute dp_1"),
        ("payout", "receivable", "cash", 60, "dispute dp_1"),
    ]
    again = open_one(customer)(top_up_id=top_up, amount_ucr=100)
    assert (again.dispute_id, again.repeated) == (outcome.dispute_id, True)
    with pytest.raises(KeyUsedBefore):
        open_one(customer)(top_up_id=top_up, amount_ucr=99)
    assert customer.owed_ucr == 60


def test_a_dispute_that_is_won_gives_all_back_and_lifts_its_freeze(customer: Customer) -> None:
    top_up = customer.top_up(100)
    customer.call(60)
    open_one(customer)(top_up_id=top_up, amount_ucr=100)
    assert disputes.win_dispute(reference="dp_1").state == "won"
    assert (customer.available_ucr, customer.owed_ucr, customer.can_call()) == (40, 0, True)
    assert disputes.win_dispute(reference="dp_1").repeated is True
    with pytest.raises(AlreadyDecided):
        disputes.lose_dispute(reference="dp_1")
    assert open_one(customer)(top_up_id=top_up, amount_ucr=100).state == "won"
    assert (customer.available_ucr, customer.owed_ucr) == (40, 0)


def test_a_dispute_that_is_lost_stays_taken_and_frozen_until_a_person_lifts_it(
    customer: Customer, ann: User
) -> None:
    top_up = customer.top_up(100)
    outcome = open_one(customer)(top_up_id=top_up, amount_ucr=30)
    assert disputes.lose_dispute(reference="dp_1").state == "lost"
    assert disputes.lose_dispute(reference="dp_1").repeated is True
    with pytest.raises(AlreadyDecided):
        disputes.win_dispute(reference="dp_1")
    assert (customer.available_ucr, customer.can_call()) == (70, False)
    lifted = freezing.unfreeze_wallet(
        workspace_id=customer.id, freeze_id=outcome.dispute_id, reason="paid by invoice", staff=ann
    )
    assert (lifted.still_frozen, customer.can_call()) == (False, True)


def test_two_disputes_are_two_freezes(customer: Customer) -> None:
    first, second = customer.top_up(100), customer.top_up(100)
    open_one(customer, "dp_1")(top_up_id=first, amount_ucr=100)
    open_one(customer, "dp_2")(top_up_id=second, amount_ucr=100)
    disputes.win_dispute(reference="dp_1")
    assert (customer.available_ucr, customer.can_call()) == (100, False)
    disputes.win_dispute(reference="dp_2")
    assert (customer.available_ucr, customer.can_call()) == (200, True)


def test_a_dispute_that_makes_no_sense_changes_nothing(customer: Customer) -> None:
    top_up = customer.top_up(100)
    good = {"top_up_id": top_up, "amount_ucr": 10}
    for wrong, error in (
        ({"amount_ucr": 0}, CreditRefused),
        ({"amount_ucr": 101}, MoreThanThereIs),
        ({"top_up_id": new_id()}, TopUpNotFound),
        ({"workspace_id": 2**60}, WalletNotFound),
        ({"reference": ""}, CreditRefused),
        ({"reason": ""}, CreditRefused),
    ):
        with pytest.raises(error):
            open_one(customer)(**{**good, **wrong})
    for close in (disputes.win_dispute, disputes.lose_dispute):
        with pytest.raises(DisputeNotFound):
            close(reference="dp_1")
    assert not Dispute.objects.exists()
    assert not Freeze.objects.exists()
    assert (customer.available_ucr, customer.can_call()) == (100, True)


def test_a_freeze_by_staff_happens_once_per_key_and_says_who(customer: Customer, ann: User) -> None:
    customer.top_up(100)
    freeze = partial(
        freezing.freeze_wallet, workspace_id=customer.id, reason="abuse", staff=ann, key="case 9"
    )
    first = freeze()
    assert (first.repeated, freeze().repeated, customer.can_call()) == (False, True, False)
    [kept] = Freeze.objects.filter(wallet_id=customer.id)
    assert (kept.ref, kept.lifted_at) == ("abuse (ann)", None)
    lift = partial(
        freezing.unfreeze_wallet,
        workspace_id=customer.id,
        freeze_id=first.freeze_id,
        reason="resolved",
        staff=ann,
    )
    assert lift() == freezing.Lifted(still_frozen=False, repeated=False)
    assert lift() == freezing.Lifted(still_frozen=False, repeated=True)
    with pytest.raises(AlreadyDecided):
        freeze()
    assert customer.can_call()
    [kept] = Freeze.objects.filter(wallet_id=customer.id)
    assert kept.lifted_ref == "resolved (ann)"


def test_freezes_that_make_no_sense_are_refused(customer: Customer, ann: User) -> None:
    customer.top_up(100)
    freeze = partial(freezing.freeze_wallet, workspace_id=customer.id, staff=ann)
    with pytest.raises(CreditRefused):
        freeze(reason=" ", key="k")
    with pytest.raises(CreditRefused):
        freeze(reason="x", key="")
    with pytest.raises(WalletNotFound):
        freeze(workspace_id=2**60, reason="x", key="k")
    with pytest.raises(FreezeNotFound):
        freezing.unfreeze_wallet(
            workspace_id=customer.id, freeze_id=new_id(), reason="x", staff=ann
        )
    assert customer.can_call()


def test_a_frozen_workspace_stays_frozen_when_a_freeze_is_lifted(
    customer: Customer, ann: User
) -> None:
    customer.top_up(100)
    freeze = freezing.freeze_wallet(
        workspace_id=customer.id, reason="abuse", staff=ann, key="case 9"
    )
    set_workspace_status(workspace_id=customer.id, status=customer.workspace.Status.FROZEN)
    lifted = freezing.unfreeze_wallet(
        workspace_id=customer.id, freeze_id=freeze.freeze_id, reason="resolved", staff=ann
    )
    assert (lifted.still_frozen, customer.can_call()) == (True, False)
    set_workspace_status(workspace_id=customer.id, status=customer.workspace.Status.ACTIVE)
    assert customer.can_call()
