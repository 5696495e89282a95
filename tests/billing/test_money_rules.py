"""What refunds, grants and adjustments do, case by case."""

import uuid

import pytest

from studio.core.ids import new_id
from tests.billing.ledger_client import Connection, LedgerClient, one, violations

DAY_S = 86_400


@pytest.fixture(autouse=True)
def nothing_is_wrong_afterwards(owner: Connection) -> object:
    """Every case here must leave the ledger without a violation."""
    yield
    assert violations(owner) == []


def test_a_refund_is_a_new_lot_and_joins_the_calls_group(ledger: LedgerClient, wallet: int) -> None:
    ledger.credit(wallet, 100, kind="topup")
    call = ledger.charged(wallet, 60)
    assert ledger.refund(wallet, call, 25) == ("refunded", 65, 35)
    assert ledger.journal(wallet, call) == [
        ("usage", "wallet", "revenue", 60),
        ("refund", "revenue", "wallet", 25),
    ]
    assert ledger.lots(wallet) == [("topup", True, 40, 0), ("refund", True, 25, 0)]


def test_refunds_of_a_call_never_exceed_its_charge(ledger: LedgerClient, wallet: int) -> None:
    ledger.credit(wallet, 100)
    call = ledger.charged(wallet, 60)
    assert ledger.refund(wallet, call, 61, "a") == ("too_much", 40, 60)
    assert ledger.refund(wallet, call, 40, "a") == ("refunded", 80, 20)
    before = ledger.everything(wallet)
    assert ledger.refund(wallet, call, 21, "b") == ("too_much", 80, 20)
    assert ledger.everything(wallet) == before
    assert ledger.refund(wallet, call, 20, "b") == ("refunded", 100, 0)
    assert ledger.refund(wallet, call, 1, "c") == ("too_much", 100, 0)


def test_a_refund_happens_once_per_ref_of_its_call(ledger: LedgerClient, wallet: int) -> None:
    ledger.credit(wallet, 100)
    first, second = ledger.charged(wallet, 30), ledger.charged(wallet, 30)
    assert ledger.refund(wallet, first, 10, "ticket 7")[0] == "refunded"
    before = ledger.everything(wallet)
    assert ledger.refund(wallet, first, 10, "ticket 7") == ("replay", 50, 20)
    assert ledger.refund(wallet, first, 11, "ticket 7") == ("mismatch", 50, 20)
    assert ledger.everything(wallet) == before
    assert ledger.refund(wallet, second, 11, "ticket 7")[0] == "refunded"


def test_what_was_not_charged_is_not_refunded(ledger: LedgerClient, wallet: int) -> None:
    top_up = ledger.topped_up(wallet, 100)
    free, voided = ledger.held(wallet, 10), ledger.held(wallet, 10)
    ledger.settle(wallet, (free, "usage", 0), (voided, "void", 0))
    still_open = ledger.held(wallet, 10)
    before = ledger.everything(wallet)
    for call in (new_id(), voided, still_open, top_up):
        assert ledger.refund(wallet, call, 1)[0] == "unknown"
    assert ledger.refund(wallet, free, 1) == ("too_much", 90, 0)
    assert ledger.refund(2**60, free, 1) == ("unknown", None, None)
    assert ledger.everything(wallet) == before


def test_a_call_of_another_wallet_is_not_refunded(
    ledger: LedgerClient, owner: Connection, wallet: int
) -> None:
    ledger.credit(wallet, 100)
    call = ledger.charged(wallet, 30)
    other = one(owner, "SELECT min(id) FROM ledger.wallet WHERE id <> %s", wallet)[0]
    if other is not None:
        assert ledger.refund(other, call, 1)[0] == "unknown"


def test_a_refund_undoes_the_end_of_the_charge_first(ledger: LedgerClient, wallet: int) -> None:
    ledger.credit(wallet, 10, kind="promo", priority=50)
    ledger.credit(wallet, 10, kind="grant", priority=60)
    ledger.credit(wallet, 100, kind="topup")
    call = ledger.charged(wallet, 35)
    assert [amount for *_, amount in ledger.journal(wallet, call)] == [10, 10, 15]
    ledger.refund(wallet, call, 5, "a")
    ledger.refund(wallet, call, 12, "b")
    ledger.refund(wallet, call, 18, "c")
    query = """SELECT l.paid, l.priority, e.amount FROM ledger.entry e
               JOIN ledger.lot l ON l.id = e.lot_id
               WHERE e.wallet_id = %s AND e.id = %s AND e.kind = 'refund' ORDER BY e.seq"""
    back = ledger.connection.execute(query, [wallet, call]).fetchall()
    assert back == [
        (True, 100, 5),
        (True, 100, 10),
        (False, 60, 2),
        (False, 60, 8),
        (False, 50, 10),
    ]


def test_given_credit_comes_back_as_given_credit_and_cannot_be_paid_out(
    ledger: LedgerClient, wallet: int
) -> None:
    ledger.credit(wallet, 50, kind="promo", priority=50)
    top_up = ledger.topped_up(wallet, 10)
    call = ledger.charged(wallet, 55)
    assert ledger.refund(wallet, call, 55) == ("refunded", 60, 0)
    assert ledger.lots(wallet) == [
        ("refund", False, 50, 0),
        ("topup", True, 5, 0),
        ("refund", True, 5, 0),
    ]
    assert ledger.pay_out(wallet, top_up, 6) == ("insufficient", 60)
    assert ledger.pay_out(wallet, top_up, 5) == ("paid_out", 55)


def test_a_refund_is_good_for_30_days_at_least(
    ledger: LedgerClient, owner: Connection, wallet: int
) -> None:
    for seconds in (40 * DAY_S, 2 * DAY_S):
        ledger.credit(wallet, 10, priority=50, seconds=seconds)
    call = ledger.charged(wallet, 20)
    ledger.refund(wallet, call, 20)
    query = """SELECT round(extract(epoch FROM expires_at - now()) / 86400)::int FROM ledger.lot
               WHERE wallet_id = %s AND kind = 'refund' ORDER BY id"""
    assert owner.execute(query, [wallet]).fetchall() == [(40,), (30,)]


def test_what_was_charged_as_owed_comes_back_by_owing_less(
    ledger: LedgerClient, wallet: int
) -> None:
    ledger.credit(wallet, 100)
    call = ledger.charged(wallet, 130, held=60)
    assert ledger.balance(wallet) == (0, 0, 30)
    assert ledger.refund(wallet, call, 20, "a") == ("refunded", 0, 110)
    assert ledger.balance(wallet) == (0, 0, 10)
    assert ledger.refund(wallet, call, 110, "b") == ("refunded", 100, 0)
    assert ledger.balance(wallet) == (100, 0, 0)
    assert ledger.journal(wallet, call)[3:] == [
        ("refund", "revenue", "wallet", 20),
        ("repay", "wallet", "receivable", 20),
        ("refund", "revenue", "wallet", 10),
        ("repay", "wallet", "receivable", 10),
        ("refund", "revenue", "wallet", 40),
        ("refund", "revenue", "wallet", 60),
    ]


def test_what_was_owed_and_repaid_comes_back_as_paid_credit(
    ledger: LedgerClient, wallet: int
) -> None:
    call = new_id()
    ledger.credit(wallet, 1)
    ledger.hold(wallet, (call, 1))
    ledger.settle(wallet, (call, "usage", 31))
    ledger.topped_up(wallet, 30)
    assert ledger.balance(wallet) == (0, 0, 0)
    assert ledger.refund(wallet, call, 30) == ("refunded", 30, 1)
    assert ledger.lots(wallet) == [("refund", True, 30, 0)]


def test_paid_credit_that_comes_back_repays_what_another_call_owes(
    ledger: LedgerClient, wallet: int
) -> None:
    ledger.credit(wallet, 50, kind="topup")
    first = ledger.charged(wallet, 40)
    ledger.charged(wallet, 25, held=10)
    assert ledger.balance(wallet) == (0, 0, 15)
    assert ledger.refund(wallet, first, 40) == ("refunded", 25, 0)
    assert ledger.balance(wallet) == (25, 0, 0)


def test_given_credit_that_comes_back_repays_nothing(ledger: LedgerClient, wallet: int) -> None:
    ledger.credit(wallet, 40)
    first = ledger.charged(wallet, 30)
    ledger.charged(wallet, 25, held=10)
    assert ledger.balance(wallet) == (0, 0, 15)
    assert ledger.refund(wallet, first, 30) == ("refunded", 30, 0)
    assert ledger.balance(wallet) == (30, 0, 15)


def test_a_refund_leaves_a_note_for_usage_in_its_transaction(
    ledger: LedgerClient, wallet: int
) -> None:
    ledger.credit(wallet, 100)
    call = ledger.charged(wallet, 60)
    ledger.refund(wallet, call, 10, "a")
    ledger.refund(wallet, call, 10, "a")
    ledger.refund(wallet, call, 99, "b")
    with ledger.connection.transaction(force_rollback=True):
        ledger.refund(wallet, call, 5, "c")
    with ledger.connection.transaction():  # one now(), one note
        ledger.refund(wallet, call, 3, "d")
        ledger.refund(wallet, call, 4, "e")
    notes = [note for note in ledger.take_corrections() if note[0] == wallet]
    assert notes == [(wallet, call, 10), (wallet, call, 7)]
    assert [note for note in ledger.take_corrections() if note[0] == wallet] == []


@pytest.mark.parametrize("paid", [True, False])
def test_an_adjustment_up_is_a_lot_and_happens_once(
    ledger: LedgerClient, wallet: int, paid: bool
) -> None:
    event = uuid.uuid4()
    assert ledger.adjust(wallet, 30, paid=paid, id=event) == ("adjusted", 30)
    before = ledger.everything(wallet)
    assert ledger.adjust(wallet, 30, paid=paid, id=event) == ("replay", 30)
    assert ledger.adjust(wallet, 31, paid=paid, id=event) == ("mismatch", 30)
    assert ledger.adjust(wallet, -30, paid=paid, id=event) == ("mismatch", 30)
    assert ledger.adjust(wallet, 30, paid=not paid, id=event) == ("mismatch", 30)
    assert ledger.credit(wallet, 30, id=event) == ("mismatch", 30)
    assert ledger.everything(wallet) == before
    assert ledger.lots(wallet) == [("adjustment", paid, 30, 0)]
    assert ledger.journal(wallet, event) == [("adjustment", "adjustments", "wallet", 30)]


def test_an_adjustment_down_takes_free_credit_of_its_kind_in_burn_order_or_nothing(
    ledger: LedgerClient, wallet: int
) -> None:
    ledger.credit(wallet, 10, kind="promo", priority=60)
    ledger.credit(wallet, 10, kind="grant", priority=50)
    ledger.topped_up(wallet, 100)
    ledger.held(wallet, 3)
    before = ledger.everything(wallet)
    assert ledger.adjust(wallet, -18, paid=False) == ("insufficient", 117)
    assert ledger.adjust(wallet, -101, paid=True) == ("insufficient", 117)
    assert ledger.everything(wallet) == before
    event = uuid.uuid4()
    assert ledger.adjust(wallet, -17, paid=False, id=event) == ("adjusted", 100)
    assert ledger.adjust(wallet, -17, paid=False, id=event) == ("replay", 100)
    assert ledger.journal(wallet, event) == [
        ("adjustment", "wallet", "adjustments", 7),
        ("adjustment", "wallet", "adjustments", 10),
    ]
    assert ledger.balance(wallet) == (100, 3, 0)


def test_paid_adjustments_forgive_debts_and_given_ones_do_not(
    ledger: LedgerClient, wallet: int
) -> None:
    ledger.credit(wallet, 1)
    ledger.charged(wallet, 51, held=1)
    assert ledger.adjust(wallet, 20, paid=False) == ("adjusted", 20)
    assert ledger.balance(wallet) == (20, 0, 50)
    assert ledger.adjust(wallet, 20, paid=True) == ("adjusted", 20)
    assert ledger.balance(wallet) == (20, 0, 30)


def test_an_adjustment_never_takes_the_id_of_a_call(ledger: LedgerClient, wallet: int) -> None:
    ledger.credit(wallet, 100)
    over, under_way = ledger.charged(wallet, 10), ledger.held(wallet, 10)
    before = ledger.everything(wallet)
    for call in (over, under_way):
        assert ledger.adjust(wallet, 5, paid=False, id=call) == ("mismatch", 80)
    assert ledger.adjust(2**60, 5, paid=True) == ("no_wallet", None)
    assert ledger.everything(wallet) == before


def test_a_grant_comes_from_an_account_of_its_own(ledger: LedgerClient, wallet: int) -> None:
    event = uuid.uuid4()
    assert ledger.credit(wallet, 10, kind="grant", id=event) == ("credited", 10)
    assert ledger.credit(wallet, 10, kind="promo", id=event) == ("mismatch", 10)
    assert ledger.journal(wallet) == [("grant", "granted", "wallet", 10)]
    assert ledger.lots(wallet) == [("grant", False, 10, 0)]
