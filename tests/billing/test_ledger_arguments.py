"""Every argument of every function, wrong in every way: refused as a whole, nothing moved."""

import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from studio.core.ids import new_id
from tests.billing.ledger_client import HOLD, SETTLE, Connection, LedgerClient

EXTEND = "SELECT * FROM ledger.ledger_extend(%s::bigint[], %s::uuid[], %s)"
CREDIT = "SELECT * FROM ledger.ledger_credit(%s, %s, %s, %s, %s::smallint, %s::timestamptz, %s)"
REFUSED = (
    psycopg.errors.CheckViolation,
    psycopg.errors.NotNullViolation,
    psycopg.errors.UniqueViolation,
    psycopg.errors.NumericValueOutOfRange,
    psycopg.errors.DatetimeFieldOverflow,
)
BIGGEST = 2**63 - 1


def good_hold(wallet: int) -> list[Any]:
    """Two items that would be held."""
    return [[wallet] * 2, [new_id(), new_id()], [5, 6], [60, 60], [1, 1], [0, 0]]


def spoiled(columns: list[Any], values: dict[int, list[Any]]) -> Iterator[list[Any]]:
    """Give the columns with one thing wrong: a value, a NULL array, a short one, a long one."""
    for position, column in enumerate(columns):
        replacements: list[Any] = [None, column[:1], [*column, column[0]], []]
        replacements += [[column[0], value] for value in values[position]]
        for replacement in replacements:
            yield [*columns[:position], replacement, *columns[position + 1 :]]


def test_a_hold_that_is_not_well_formed_holds_nothing(ledger: LedgerClient, wallet: int) -> None:
    ledger.credit(wallet, 1000)
    columns = good_hold(wallet)
    wrong = {
        0: [],
        1: [None, columns[1][0]],
        2: [None, 0, -1, -BIGGEST],
        3: [None, 0, -1],
        4: [None],
        5: [None, -1, 1_000_001],
    }
    before = ledger.everything(wallet)
    for spoiled_columns in spoiled(columns, wrong):
        with pytest.raises(REFUSED):
            ledger.connection.execute(HOLD, spoiled_columns)
    assert ledger.everything(wallet) == before
    assert [row[0] for row in ledger.connection.execute(HOLD, columns)] == ["held", "held"]


def test_a_settle_that_is_not_well_formed_settles_nothing(
    ledger: LedgerClient, wallet: int
) -> None:
    ledger.credit(wallet, 1000)
    calls = [ledger.held(wallet, 100), ledger.held(wallet, 100)]
    columns = [[wallet] * 2, calls, ["usage", "usage"], [5, 6], [7, 8]]
    wrong: dict[int, list[Any]] = {
        0: [],
        1: [],
        2: [None, "", "topup", "refund", "Usage", "void"],
        3: [None, -1, -BIGGEST],
        4: [None, -1],
    }
    before = ledger.everything(wallet)
    for spoiled_columns in spoiled(columns, wrong):
        with pytest.raises(REFUSED):
            ledger.connection.execute(SETTLE, spoiled_columns)
    assert ledger.everything(wallet) == before
    settled = [row[:3] for row in ledger.connection.execute(SETTLE, columns)]
    assert settled == [("usage", True, 5), ("usage", True, 6)]


@pytest.mark.parametrize("literal", ["[0:1]={%s,%s}", "{{%s},{%s}}", "{{%s,%s}}"])
def test_arrays_of_another_shape_are_refused(
    ledger: LedgerClient, wallet: int, literal: str
) -> None:
    ledger.credit(wallet, 2000)
    calls = [ledger.held(wallet, 100), ledger.held(wallet, 700)]
    before = ledger.everything(wallet)
    columns = good_hold(wallet)
    columns[2] = [5, 10**6]  # the second is not held: nothing of it is there to be missed
    hold = [literal % tuple(column) for column in columns]
    settle: list[Any] = [literal % (wallet, wallet), literal % tuple(calls)]
    settle += [["usage", "usage"], literal % (500, 600), [0, 0]]
    for query, arrays in ((HOLD, hold), (SETTLE, settle)):
        with pytest.raises(REFUSED):
            ledger.connection.execute(query, arrays)
    assert ledger.everything(wallet) == before


def test_a_null_wallet_or_call_names_nothing(ledger: LedgerClient, wallet: int) -> None:
    ledger.credit(wallet, 1000)
    assert ledger.connection.execute(HOLD, [[None], [new_id()], [1], [1], [1], [0]]).fetchall() == [
        ("no_wallet", None)
    ]
    call = ledger.held(wallet, 10)
    for wallets, calls in (([None], [call]), ([wallet], [None])):
        (row,) = ledger.connection.execute(SETTLE, [wallets, calls, ["usage"], [1], [0]])
        assert row[:3] == (None, False, None)


def test_an_empty_batch_does_nothing(ledger: LedgerClient) -> None:
    assert ledger.connection.execute(HOLD, [[], [], [], [], [], []]).fetchall() == []
    assert ledger.connection.execute(SETTLE, [[], [], [], [], []]).fetchall() == []


@pytest.mark.parametrize("charge", [BIGGEST, 2**62])
def test_a_charge_beyond_all_reason_is_owed_or_refused_never_lost(
    ledger: LedgerClient, owner: Connection, wallet: int, charge: int
) -> None:
    with owner.transaction(force_rollback=True):
        client = LedgerClient(owner)
        client.credit(wallet, 1000)
        calls = [client.held(wallet, 1) for _ in range(2)]
        assert client.settle(wallet, (calls[0], "usage", charge)) == [("usage", True, charge, 0)]
        assert client.balance(wallet) == (0, 1, charge - 999)
        with pytest.raises(REFUSED), owner.transaction():
            client.settle(wallet, (calls[1], "usage", BIGGEST))
        assert client.balance(wallet) == (0, 1, charge - 999)


@pytest.mark.parametrize(
    ("position", "value"),
    [
        (0, None),
        (1, None),
        (2, None),
        (2, "refund"),
        (2, "adjustment"),
        (2, "gift"),
        (3, None),
        (3, 0),
        (3, -1),
        (3, 10**17 + 1),
        (3, BIGGEST),
        (4, None),
        (5, None),
    ],
)
def test_a_credit_that_is_not_well_formed_credits_nothing(
    ledger: LedgerClient, wallet: int, position: int, value: object
) -> None:
    parameters: list[Any] = [wallet, uuid.uuid4(), "promo", 5, 100, "infinity", "a reason"]
    parameters[position] = value
    before = ledger.everything(wallet)
    with pytest.raises(REFUSED):
        ledger.connection.execute(CREDIT, parameters)
    assert ledger.everything(wallet) == before


def test_an_extension_that_is_not_well_formed_extends_nothing(
    ledger: LedgerClient, wallet: int
) -> None:
    ledger.credit(wallet, 10)
    call = ledger.held(wallet, 10)
    before = ledger.everything(wallet)
    columns: list[Any] = [[wallet], [call], 60]
    for position, value in ((0, None), (0, []), (1, None), (1, []), (2, None), (2, 0), (2, -5)):
        with pytest.raises(REFUSED):
            ledger.connection.execute(
                EXTEND, [*columns[:position], value, *columns[position + 1 :]]
            )
    assert ledger.everything(wallet) == before


@pytest.mark.parametrize("function", ["ledger_sweep_holds", "ledger_sweep_lots"])
@pytest.mark.parametrize("limit", [None, 0, -1])
def test_a_sweep_needs_a_limit(ledger: LedgerClient, function: str, limit: int | None) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        ledger.connection.execute(f"SELECT ledger.{function}(%s::int)", [limit])


MONEY: dict[str, list[tuple[int, object]]] = {
    "ledger_refund(%s, %s, %s::bigint, %s)": [
        (0, None),
        (1, None),
        (2, None),
        (2, 0),
        (2, -1),
        (3, None),
        (3, ""),
    ],
    "ledger_payout(%s, %s, %s::bigint, %s, %s::bool)": [
        (0, None),
        (1, None),
        (2, None),
        (2, 0),
        (2, -1),
        (3, None),
        (3, ""),
        (4, None),
    ],
    "ledger_reinstate(%s, %s, %s::bigint, %s)": [
        (0, None),
        (1, None),
        (2, None),
        (2, 0),
        (2, -BIGGEST - 1),
        (3, None),
        (3, ""),
    ],
    "ledger_adjust(%s, %s, %s::bigint, %s::bool, %s::smallint, %s::timestamptz, %s)": [
        (0, None),
        (1, None),
        (2, None),
        (2, 0),
        (2, 10**17 + 1),
        (2, -(10**17) - 1),
        (2, BIGGEST),
        (2, -BIGGEST - 1),
        (3, None),
        (4, None),
        (5, None),
        (6, None),
        (6, ""),
    ],
    "ledger_freeze(%s, %s, %s)": [(0, None), (1, None), (2, None), (2, "")],
    "ledger_unfreeze(%s, %s, %s)": [(0, None), (1, None), (2, None), (2, "")],
    "ledger_close_month(%s::date, %s, %s)": [
        (0, None),
        (0, "2020-01-02"),
        (1, None),
        (1, ""),
        (2, None),
        (2, "ann"),
    ],
    "ledger_take_corrections(%s::int)": [(0, None), (0, 0), (0, -1)],
}


@pytest.mark.parametrize("function", MONEY)
def test_a_movement_that_is_not_well_formed_moves_nothing(
    ledger: LedgerClient, wallet: int, function: str
) -> None:
    top_up = uuid.uuid4()
    ledger.credit(wallet, 1000, kind="topup", id=top_up)
    call = ledger.held(wallet, 10)
    ledger.settle(wallet, (call, "usage", 10))
    good: dict[str, list[Any]] = {
        "refund": [wallet, call, 5, "a reason"],
        "payout": [wallet, top_up, 5, "a reason", True],
        "reinstate": [wallet, top_up, 5, "a reason"],
        "adjust": [wallet, uuid.uuid4(), 5, True, 100, "infinity", "a reason"],
        "freeze": [wallet, uuid.uuid4(), "a reason"],
        "unfreeze": [wallet, uuid.uuid4(), "a reason"],
        "close_month": ["2020-01-01", "ann", "bob"],
        "take_corrections": [10],
    }
    parameters = good[function.partition("(")[0].removeprefix("ledger_")]
    before = ledger.everything(wallet)
    for position, value in MONEY[function]:
        spoiled_ones = [*parameters[:position], value, *parameters[position + 1 :]]
        with pytest.raises(REFUSED):
            ledger.connection.execute(
                f"SELECT * FROM ledger.{function}",  # noqa: S608  our own names
                spoiled_ones,
            )
    assert ledger.everything(wallet) == before


@pytest.mark.parametrize("amount", [BIGGEST, 10**17])
def test_an_amount_beyond_all_reason_is_refused_as_too_much(
    ledger: LedgerClient, wallet: int, amount: int
) -> None:
    top_up = uuid.uuid4()
    ledger.credit(wallet, 1000, kind="topup", id=top_up)
    call = ledger.held(wallet, 10)
    ledger.settle(wallet, (call, "usage", 10))
    before = ledger.everything(wallet)
    assert ledger.refund(wallet, call, amount) == ("too_much", 990, 10)
    assert ledger.pay_out(wallet, top_up, amount, force=True) == ("too_much", 990)
    assert ledger.reinstate(wallet, top_up, amount) == ("too_much", 990)
    assert ledger.adjust(wallet, -(10**17), paid=True) == ("insufficient", 990)
    assert ledger.everything(wallet) == before
