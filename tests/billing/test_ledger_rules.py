"""What each function does, case by case. Time moves by moving what expires, never by waiting."""

import uuid

import psycopg
import pytest

from studio.core.ids import new_id
from tests.billing.ledger_client import Connection, LedgerClient, new_wallet, one, violations


@pytest.fixture(autouse=True)
def nothing_is_wrong_afterwards(owner: Connection) -> object:
    """Every case here must leave the ledger without a violation."""
    yield
    assert violations(owner) == []


def let_holds_expire(owner: Connection, wallet: int) -> None:
    owner.execute(
        "UPDATE ledger.hold SET expires_at = now() - interval '1 second' WHERE wallet_id = %s",
        [wallet],
    )


def let_lots_expire(owner: Connection, wallet: int) -> None:
    owner.execute(
        "UPDATE ledger.lot SET expires_at = now() - interval '1 second' WHERE wallet_id = %s",
        [wallet],
    )


def test_every_workspace_has_an_empty_wallet(ledger: LedgerClient, wallet: int) -> None:
    assert ledger.balance(wallet) == (0, 0, 0)


def test_hold_and_settle_move_exactly_the_charge(ledger: LedgerClient, wallet: int) -> None:
    ledger.credit(wallet, 100)
    call = new_id()
    assert ledger.hold(wallet, (call, 60)) == [("held", 40)]
    assert ledger.balance(wallet) == (40, 60, 0)
    assert ledger.settle(wallet, (call, "usage", 25)) == [("usage", True, 25, 75)]
    assert ledger.balance(wallet) == (75, 0, 0)
    assert ledger.journal(wallet, call) == [("usage", "wallet", "revenue", 25)]


def test_void_gives_everything_back(ledger: LedgerClient, wallet: int) -> None:
    ledger.credit(wallet, 100)
    call = ledger.held(wallet, 100)
    assert ledger.settle(wallet, (call, "void", 0)) == [("void", True, 0, 100)]
    assert ledger.journal(wallet, call) == [("void", "wallet", "wallet", 0)]


def test_a_charge_of_zero_is_an_entry_of_zero(ledger: LedgerClient, wallet: int) -> None:
    ledger.credit(wallet, 100)
    call = ledger.held(wallet, 10)
    assert ledger.settle(wallet, (call, "usage", 0)) == [("usage", True, 0, 100)]
    assert ledger.journal(wallet, call) == [("usage", "wallet", "revenue", 0)]


def test_a_batch_is_decided_in_order(ledger: LedgerClient, wallet: int) -> None:
    ledger.credit(wallet, 100)
    calls = [(new_id(), 70), (new_id(), 40), (new_id(), 30)]
    assert ledger.hold(wallet, *calls) == [("held", 30), ("insufficient", 30), ("held", 0)]


def test_a_repeated_hold_is_open_and_another_amount_a_mismatch(
    ledger: LedgerClient, wallet: int
) -> None:
    ledger.credit(wallet, 100)
    call = ledger.held(wallet, 60)
    assert ledger.hold(wallet, (call, 60)) == [("open", 40)]
    assert ledger.hold(wallet, (call, 61)) == [("mismatch", 40)]


@pytest.mark.parametrize(("kind", "charge"), [("usage", 7), ("void", 0)])
def test_what_is_over_stays_over(ledger: LedgerClient, wallet: int, kind: str, charge: int) -> None:
    ledger.credit(wallet, 100)
    call = ledger.held(wallet, 60)
    ledger.settle(wallet, (call, kind, charge))
    before = ledger.everything(wallet)
    assert ledger.hold(wallet, (call, 60)) == [(kind, 100 - charge)]
    for other in (("usage", 50), ("void", 0), ("lapse", 0)):
        assert ledger.settle(wallet, (call, *other)) == [(kind, False, charge, 100 - charge)]
    assert ledger.everything(wallet) == before


def test_settling_what_was_never_held_says_so(ledger: LedgerClient, wallet: int) -> None:
    ledger.credit(wallet, 100)
    assert ledger.settle(wallet, (new_id(), "usage", 5)) == [(None, False, None, 100)]


def test_an_id_twice_in_a_settle_batch_is_settled_once(ledger: LedgerClient, wallet: int) -> None:
    ledger.credit(wallet, 100)
    call = ledger.held(wallet, 10)
    verdicts = ledger.settle(wallet, (call, "usage", 5), (call, "usage", 5))
    assert sorted(fresh for _, fresh, _, _ in verdicts) == [False, True]
    assert ledger.balance(wallet) == (95, 0, 0)


def test_no_wallet_and_frozen_hold_nothing(
    ledger: LedgerClient, owner: Connection, wallet: int
) -> None:
    assert ledger.hold(2**60, (new_id(), 1)) == [("no_wallet", 0)]
    ledger.credit(wallet, 100)
    open_call = ledger.held(wallet, 60)
    owner.execute("UPDATE accounts_workspace SET status = 'frozen' WHERE id = %s", [wallet])
    assert ledger.hold(wallet, (new_id(), 1)) == [("frozen", 40)]
    assert ledger.settle(wallet, (open_call, "usage", 60)) == [("usage", True, 60, 40)]
    owner.execute("UPDATE accounts_workspace SET status = 'active' WHERE id = %s", [wallet])
    assert ledger.hold(wallet, (new_id(), 1)) == [("held", 39)]


def test_a_workspace_born_frozen_has_a_frozen_wallet(
    ledger: LedgerClient, owner: Connection
) -> None:
    wallet = new_wallet(owner, status="frozen")
    ledger.credit(wallet, 100)
    assert ledger.hold(wallet, (new_id(), 1)) == [("frozen", 100)]


def test_lots_burn_by_priority_then_expiry_then_age(ledger: LedgerClient, wallet: int) -> None:
    for amount, priority, seconds in (
        (10, 100, 900),
        (20, 50, 9000),
        (30, 100, 60),
        (40, 50, 9000),
    ):
        ledger.credit(wallet, amount, priority=priority, seconds=seconds)
    call = ledger.held(wallet, 95)
    drawn = ledger.connection.execute(
        """SELECT l.granted, h.amount FROM ledger.hold h JOIN ledger.lot l ON l.id = h.lot_id
           WHERE h.wallet_id = %s AND h.id = %s ORDER BY h.seq""",
        [wallet, call],
    ).fetchall()
    assert drawn == [(20, 20), (40, 40), (30, 30), (10, 5)]
    assert ledger.settle(wallet, (call, "usage", 61)) == [("usage", True, 61, 39)]
    assert [amount for *_, amount in ledger.journal(wallet, call)] == [20, 40, 1]


def test_a_charge_above_the_hold_takes_the_rest_then_owes_then_a_top_up_repays(
    ledger: LedgerClient, wallet: int
) -> None:
    ledger.credit(wallet, 100)
    call = ledger.held(wallet, 60)
    assert ledger.settle(wallet, (call, "usage", 130)) == [("usage", True, 130, 0)]
    assert ledger.balance(wallet) == (0, 0, 30)
    assert ledger.journal(wallet, call) == [
        ("usage", "wallet", "revenue", 60),
        ("usage", "wallet", "revenue", 40),
        ("usage", "receivable", "revenue", 30),
    ]
    assert ledger.credit(wallet, 10, kind="promo") == ("credited", 10)
    assert ledger.balance(wallet) == (10, 0, 30)
    assert ledger.credit(wallet, 20, kind="topup") == ("credited", 10)
    assert ledger.balance(wallet) == (10, 0, 10)
    assert ledger.credit(wallet, 25, kind="topup") == ("credited", 25)
    assert ledger.balance(wallet) == (25, 0, 0)
    assert ledger.settle(wallet, (call, "usage", 1)) == [("usage", False, 130, 25)]


def test_credit_happens_once(ledger: LedgerClient, wallet: int) -> None:
    event = uuid.uuid4()
    assert ledger.credit(wallet, 10, id=event) == ("credited", 10)
    assert ledger.credit(wallet, 10, id=event) == ("replay", 10)
    assert ledger.credit(wallet, 11, id=event) == ("mismatch", 10)
    assert ledger.credit(wallet, 10, id=event, kind="topup") == ("mismatch", 10)
    assert ledger.credit(wallet, 5, id=ledger.held(wallet, 1)) == ("mismatch", 9)
    assert ledger.credit(2**60, 10) == ("no_wallet", None)


def test_a_late_settle_finds_the_lapse_and_charges_nothing(
    ledger: LedgerClient, owner: Connection, wallet: int
) -> None:
    ledger.credit(wallet, 100)
    call = ledger.held(wallet, 60)
    let_holds_expire(owner, wallet)
    assert ledger.sweep_holds() == 1
    assert ledger.sweep_holds() == 0
    assert ledger.settle(wallet, (call, "usage", 50)) == [("lapse", False, 0, 100)]
    assert ledger.hold(wallet, (call, 60)) == [("lapse", 100)]
    assert ledger.journal(wallet, call) == [("lapse", "wallet", "wallet", 0)]


def test_an_overdue_hold_that_nobody_swept_still_settles(
    ledger: LedgerClient, owner: Connection, wallet: int
) -> None:
    ledger.credit(wallet, 100)
    call = ledger.held(wallet, 60)
    let_holds_expire(owner, wallet)
    assert ledger.settle(wallet, (call, "usage", 50)) == [("usage", True, 50, 50)]


def test_a_lapse_before_its_time_does_nothing(ledger: LedgerClient, wallet: int) -> None:
    ledger.credit(wallet, 100)
    call = ledger.held(wallet, 60)
    assert ledger.settle(wallet, (call, "lapse", 0)) == [(None, False, None, 40)]
    assert ledger.settle(wallet, (call, "usage", 1)) == [("usage", True, 1, 99)]


def test_extending_keeps_a_hold_from_the_sweep_and_never_shortens(
    ledger: LedgerClient, owner: Connection, wallet: int
) -> None:
    ledger.credit(wallet, 100)
    call = ledger.held(wallet, 60, seconds=600)
    until = one(owner, "SELECT expires_at FROM ledger.hold WHERE id = %s", call)
    assert ledger.extend(wallet, call, new_id(), seconds=5) == [True, False]
    assert one(owner, "SELECT expires_at FROM ledger.hold WHERE id = %s", call) == until
    let_holds_expire(owner, wallet)
    assert ledger.extend(wallet, call, seconds=75) == [True]
    assert ledger.sweep_holds() == 0
    ledger.settle(wallet, (call, "void", 0))
    assert ledger.extend(wallet, call, seconds=75) == [False]


def test_a_held_part_survives_its_lots_expiry_and_what_it_leaves_does_not(
    ledger: LedgerClient, owner: Connection, wallet: int
) -> None:
    ledger.credit(wallet, 100)
    call = ledger.held(wallet, 60)
    let_lots_expire(owner, wallet)
    assert ledger.hold(wallet, (new_id(), 1)) == [("insufficient", 0)]
    assert ledger.sweep_lots() == 1
    assert ledger.sweep_lots() == 0
    assert ledger.balance(wallet) == (0, 60, 0)
    assert ledger.settle(wallet, (call, "usage", 45)) == [("usage", True, 45, 0)]
    assert ledger.hold(wallet, (new_id(), 1)) == [("insufficient", 0)]
    assert ledger.sweep_lots() == 1
    expired = [row for row in ledger.journal(wallet) if row[0] == "expiry"]
    assert expired == [("expiry", "wallet", "expired", 40), ("expiry", "wallet", "expired", 15)]


def test_an_over_hold_does_not_take_expired_credit(
    ledger: LedgerClient, owner: Connection, wallet: int
) -> None:
    ledger.credit(wallet, 100)
    call = ledger.held(wallet, 60)
    let_lots_expire(owner, wallet)
    assert ledger.settle(wallet, (call, "usage", 70)) == [("usage", True, 70, 0)]
    assert ledger.balance(wallet) == (0, 0, 10)
    assert ledger.sweep_lots() == 1


def test_at_its_very_instant_a_lot_has_expired(ledger: LedgerClient, wallet: int) -> None:
    with ledger.connection.transaction():  # now() stands still in a transaction
        assert ledger.credit(wallet, 100, seconds=0) == ("credited", 0)
        assert ledger.hold(wallet, (new_id(), 1)) == [("insufficient", 0)]
        assert ledger.sweep_lots() == 1


def test_at_its_very_instant_a_hold_may_lapse(
    ledger: LedgerClient, owner: Connection, wallet: int
) -> None:
    ledger.credit(wallet, 100)
    call = ledger.held(wallet, 60)
    with owner.transaction():
        owner.execute("UPDATE ledger.hold SET expires_at = now() WHERE id = %s", [call])
        assert LedgerClient(owner).settle(wallet, (call, "lapse", 0)) == [("lapse", True, 0, 100)]


def test_a_sweep_takes_no_more_than_its_limit(
    ledger: LedgerClient, owner: Connection, wallet: int
) -> None:
    ledger.credit(wallet, 100)
    for _ in range(5):
        ledger.held(wallet, 10)
    let_holds_expire(owner, wallet)
    assert [ledger.sweep_holds(2) for _ in range(4)] == [2, 2, 1, 0]
    assert ledger.balance(wallet) == (100, 0, 0)


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_a_caller_with_a_frozen_snapshot_is_refused(
    ledger: LedgerClient, wallet: int, level: str
) -> None:
    top_up = ledger.topped_up(wallet, 100)
    over = ledger.charged(wallet, 10)
    call = ledger.held(wallet, 10)
    before = ledger.everything(wallet)
    for action in (
        lambda: ledger.hold(wallet, (new_id(), 1)),
        lambda: ledger.settle(wallet, (call, "usage", 1)),
        lambda: ledger.credit(wallet, 1),
        lambda: ledger.extend(wallet, call, seconds=9),
        ledger.sweep_lots,
        lambda: ledger.refund(wallet, over, 1),
        lambda: ledger.pay_out(wallet, top_up, 1),
        lambda: ledger.reinstate(wallet, top_up, 1),
        lambda: ledger.adjust(wallet, 1, paid=True),
        lambda: ledger.freeze(wallet, uuid.uuid4()),
        lambda: ledger.unfreeze(wallet, uuid.uuid4()),
        ledger.take_corrections,
    ):
        with pytest.raises(psycopg.errors.SerializationFailure), ledger.connection.transaction():
            ledger.connection.execute(f"SET TRANSACTION ISOLATION LEVEL {level}")
            action()
    assert ledger.everything(wallet) == before


def test_a_settle_in_the_transaction_of_its_hold_is_exact(
    ledger: LedgerClient, wallet: int
) -> None:
    ledger.credit(wallet, 100)
    with ledger.connection.transaction():
        call = ledger.held(wallet, 10)
        assert ledger.settle(wallet, (call, "usage", 10)) == [("usage", True, 10, 90)]
