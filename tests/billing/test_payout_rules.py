"""What payouts, reinstatements and freezes do, case by case."""

import uuid

import pytest

from studio.core.ids import new_id
from tests.billing.ledger_client import Connection, LedgerClient, one, violations


@pytest.fixture(autouse=True)
def nothing_is_wrong_afterwards(owner: Connection) -> object:
    """Every case here must leave the ledger without a violation."""
    yield
    assert violations(owner) == []


def test_a_payout_takes_the_free_credit_of_its_own_top_up_alone(
    ledger: LedgerClient, wallet: int
) -> None:
    first, second = ledger.topped_up(wallet, 100), ledger.topped_up(wallet, 100)
    ledger.credit(wallet, 500)
    ledger.held(wallet, 530)
    assert ledger.lots(wallet) == [
        ("topup", True, 100, 100),
        ("topup", True, 100, 100),
        ("promo", False, 500, 330),
    ]
    assert ledger.pay_out(wallet, first, 1) == ("insufficient", 170)
    ledger.credit(wallet, 1000, kind="topup")
    before = ledger.everything(wallet)
    assert ledger.pay_out(wallet, second, 1) == ("insufficient", 1170)
    assert ledger.everything(wallet) == before


def test_payouts_of_a_top_up_never_exceed_it_and_happen_once_per_ref(
    ledger: LedgerClient, wallet: int
) -> None:
    top_up = ledger.topped_up(wallet, 100)
    assert ledger.pay_out(wallet, top_up, 101, "a") == ("too_much", 100)
    assert ledger.pay_out(wallet, top_up, 60, "a") == ("paid_out", 40)
    before = ledger.everything(wallet)
    assert ledger.pay_out(wallet, top_up, 60, "a") == ("replay", 40)
    assert ledger.pay_out(wallet, top_up, 59, "a") == ("mismatch", 40)
    assert ledger.pay_out(wallet, top_up, 41, "b", force=True) == ("too_much", 40)
    assert ledger.everything(wallet) == before
    assert ledger.pay_out(wallet, top_up, 40, "b") == ("paid_out", 0)
    assert ledger.journal(wallet, top_up) == [
        ("topup", "cash", "wallet", 100),
        ("payout", "wallet", "cash", 60),
        ("payout", "wallet", "cash", 40),
    ]


def test_only_top_ups_are_paid_out(ledger: LedgerClient, wallet: int) -> None:
    promo, grant = uuid.uuid4(), uuid.uuid4()
    ledger.credit(wallet, 100, id=promo)
    ledger.credit(wallet, 100, id=grant, kind="grant")
    call = ledger.charged(wallet, 10)
    before = ledger.everything(wallet)
    for subject in (promo, grant, call, uuid.uuid4()):
        for force in (False, True):
            assert ledger.pay_out(wallet, subject, 1, force=force)[0] == "unknown"
            assert ledger.reinstate(wallet, subject, 1)[0] == "unknown"
    assert ledger.pay_out(2**60, promo, 1, force=True) == ("unknown", None)
    assert ledger.everything(wallet) == before


def test_a_forced_payout_takes_its_own_then_paid_then_given_credit_then_owes(
    ledger: LedgerClient, wallet: int
) -> None:
    ledger.credit(wallet, 7, kind="promo", priority=1)
    other = ledger.topped_up(wallet, 20)
    top_up = ledger.topped_up(wallet, 100)
    ledger.settle(wallet, (ledger.held(wallet, 97), "usage", 97))
    assert ledger.lots(wallet) == [("topup", True, 30, 0)]
    ledger.credit(wallet, 5, kind="grant", priority=1)
    ledger.adjust(wallet, 4, paid=True)
    assert ledger.pay_out(wallet, top_up, 50, force=True) == ("paid_out", 0)
    assert ledger.balance(wallet) == (0, 0, 11)
    assert ledger.journal(wallet, top_up) == [
        ("topup", "cash", "wallet", 100),
        ("payout", "wallet", "cash", 30),
        ("payout", "wallet", "cash", 4),
        ("payout", "wallet", "cash", 5),
        ("payout", "receivable", "cash", 11),
    ]
    assert ledger.pay_out(wallet, other, 20, force=True) == ("paid_out", 0)
    assert ledger.balance(wallet) == (0, 0, 31)


def test_a_forced_payout_leaves_what_open_calls_hold(ledger: LedgerClient, wallet: int) -> None:
    top_up = ledger.topped_up(wallet, 100)
    call = ledger.held(wallet, 70)
    assert ledger.pay_out(wallet, top_up, 100, force=True) == ("paid_out", 0)
    assert ledger.balance(wallet) == (0, 70, 70)
    assert ledger.settle(wallet, (call, "usage", 70)) == [("usage", True, 70, 0)]
    assert ledger.balance(wallet) == (0, 0, 70)


def test_an_expired_top_up_is_not_paid_out_but_by_force(ledger: LedgerClient, wallet: int) -> None:
    top_up = uuid.uuid4()
    ledger.credit(wallet, 10, kind="topup", id=top_up, seconds=-1)
    assert ledger.pay_out(wallet, top_up, 10) == ("insufficient", 0)
    assert ledger.pay_out(wallet, top_up, 10, force=True) == ("paid_out", 0)
    assert ledger.balance(wallet) == (0, 0, 10)
    assert ledger.sweep_lots() == 1


def test_a_payout_that_came_back_is_credit_again_and_can_be_paid_out_again(
    ledger: LedgerClient, wallet: int
) -> None:
    top_up = ledger.topped_up(wallet, 100)
    assert ledger.reinstate(wallet, top_up, 1) == ("too_much", 100)
    ledger.pay_out(wallet, top_up, 80, force=True)
    assert ledger.reinstate(wallet, top_up, 81) == ("too_much", 20)
    assert ledger.reinstate(wallet, top_up, 80) == ("reinstated", 100)
    before = ledger.everything(wallet)
    assert ledger.reinstate(wallet, top_up, 80) == ("replay", 100)
    assert ledger.reinstate(wallet, top_up, 79) == ("mismatch", 100)
    assert ledger.reinstate(wallet, top_up, 1, "again") == ("too_much", 100)
    assert ledger.everything(wallet) == before
    assert ledger.lots(wallet) == [("topup", True, 20, 0), ("reinstatement", True, 80, 0)]
    assert ledger.pay_out(wallet, top_up, 100, "refund") == ("paid_out", 0)


def test_a_reinstatement_repays_what_is_owed(ledger: LedgerClient, wallet: int) -> None:
    top_up = ledger.topped_up(wallet, 100)
    ledger.charged(wallet, 100)
    ledger.pay_out(wallet, top_up, 100, force=True)
    assert ledger.balance(wallet) == (0, 0, 100)
    assert ledger.reinstate(wallet, top_up, 60) == ("reinstated", 0)
    assert ledger.balance(wallet) == (0, 0, 40)


def test_each_reason_to_freeze_is_lifted_for_itself(
    ledger: LedgerClient, owner: Connection, wallet: int
) -> None:
    ledger.credit(wallet, 100)
    dispute, abuse = uuid.uuid4(), uuid.uuid4()
    assert ledger.freeze(wallet, dispute) == "frozen"
    assert ledger.freeze(wallet, dispute) == "replay"
    assert ledger.freeze(wallet, abuse) == "frozen"
    assert ledger.hold(wallet, (new_id(), 1)) == [("frozen", 100)]
    assert ledger.unfreeze(wallet, dispute) == ("lifted", True)
    assert ledger.unfreeze(wallet, dispute) == ("replay", True)
    assert ledger.freeze(wallet, dispute) == "lifted"
    assert ledger.hold(wallet, (new_id(), 1)) == [("frozen", 100)]
    assert ledger.unfreeze(wallet, abuse) == ("lifted", False)
    assert ledger.hold(wallet, (new_id(), 1)) == [("held", 99)]
    assert ledger.unfreeze(wallet, uuid.uuid4()) == ("unknown", False)
    assert ledger.unfreeze(2**60, abuse) == ("unknown", None)
    assert ledger.freeze(2**60, abuse) == "no_wallet"


def test_making_a_workspace_active_lifts_no_freeze_and_lifting_one_activates_no_workspace(
    ledger: LedgerClient, owner: Connection, wallet: int
) -> None:
    def frozen() -> bool:
        return bool(one(owner, "SELECT frozen FROM ledger.wallet WHERE id = %s", wallet)[0])

    status = "UPDATE accounts_workspace SET status = %s WHERE id = %s"
    reason = uuid.uuid4()
    ledger.freeze(wallet, reason)
    owner.execute(status, ["active", wallet])
    assert frozen()
    owner.execute(status, ["closed", wallet])
    assert ledger.unfreeze(wallet, reason) == ("lifted", True)
    assert frozen()
    owner.execute(status, ["active", wallet])
    assert not frozen()


def test_a_frozen_wallet_settles_and_takes_credit(ledger: LedgerClient, wallet: int) -> None:
    top_up = ledger.topped_up(wallet, 100)
    call = ledger.held(wallet, 60)
    ledger.freeze(wallet, uuid.uuid4())
    assert ledger.settle(wallet, (call, "usage", 50)) == [("usage", True, 50, 50)]
    assert ledger.credit(wallet, 5) == ("credited", 55)
    assert ledger.refund(wallet, call, 10) == ("refunded", 65, 40)
    assert ledger.pay_out(wallet, top_up, 50) == ("paid_out", 15)
