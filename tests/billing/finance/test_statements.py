"""Statements, roll-forward and journal against numbers computed by hand."""

from datetime import date
from io import BytesIO

import pytest

from billing.finance.errors import DoesNotTie, MonthUnreadable, ReportNotFound
from billing.finance.figures import FIELDS
from billing.finance.journal import journal
from billing.finance.periods import Month
from billing.finance.reports import STATEMENT, Order, export_report
from billing.finance.revenue import roll_forward
from billing.finance.snapshot import books_snapshot
from billing.finance.statements import read_figures, statement, statements
from billing.finance.tables import Report, Values
from tests.billing.finance.history import History

MARCH = Month.parse("2025-03")
M = 1_000_000


def rows(report: Report) -> list[Values]:
    return list(report.rows)


@pytest.fixture
def ann(history: History) -> int:
    """A workspace whose March has one of everything."""
    wallet = history.workspace("Ann")
    with history.at("2025-02-10 10:00") as ledger:
        top_up = ledger.topped_up(wallet, 1_000 * M)
        ledger.credit(wallet, 200 * M, kind="promo", priority=50)
    with history.at("2025-02-28 23:59:59.999999") as ledger:
        ledger.charged(wallet, 150 * M)
    with history.at("2025-03-01 00:00") as ledger:
        ledger.topped_up(wallet, 500 * M)
    with history.at("2025-03-02 09:00") as ledger:
        ledger.credit(wallet, 30 * M, kind="grant", priority=50)
    with history.at("2025-03-03 09:00") as ledger:
        call = ledger.charged(wallet, 100 * M)
    with history.at("2025-03-04 09:00") as ledger:
        assert ledger.refund(wallet, call, 25 * M)[0] == "refunded"
    with history.at("2025-03-05 09:00") as ledger:
        assert ledger.pay_out(wallet, top_up, 100 * M)[0] == "paid_out"
    with history.at("2025-03-06 09:00") as ledger:
        assert ledger.reinstate(wallet, top_up, 40 * M)[0] == "reinstated"
    with history.at("2025-03-07 09:00") as ledger:
        assert ledger.adjust(wallet, 7 * M, paid=True)[0] == "adjusted"
    with history.at("2025-03-07 09:01") as ledger:
        assert ledger.adjust(wallet, -3 * M, paid=False)[0] == "adjusted"
    with history.at("2025-03-08 09:00") as ledger:
        ledger.credit(wallet, 9 * M, kind="promo", seconds=-5)
    with history.at("2025-03-31 23:59:59.999999") as ledger:
        assert ledger.sweep_lots() == 1
    with history.at("2025-04-01 00:00") as ledger:
        ledger.charged(wallet, 10 * M)
    return wallet


@pytest.fixture
def bob(history: History) -> int:
    """A workspace that owed 5 µcr for a day."""
    wallet = history.workspace("Bob")
    with history.at("2025-03-10 10:00") as ledger:
        ledger.topped_up(wallet, 10)
        ledger.charged(wallet, 15, held=8)
    with history.at("2025-03-11 10:00") as ledger:
        ledger.topped_up(wallet, 20)
    return wallet


def test_a_statement_says_what_was_computed_by_hand(history: History, ann: int, bob: int) -> None:
    with books_snapshot():
        of_ann, of_bob = read_figures(MARCH)
    assert (of_ann.workspace_id, of_ann.workspace_name) == (ann, "Ann")
    assert dict(zip(FIELDS, of_ann.amounts, strict=True)) == {
        "opening_ucr": 1_050 * M,
        "purchases_ucr": 500 * M,
        "grants_ucr": 39 * M,
        "adjustments_ucr": 4 * M,
        "charged_ucr": 100 * M,
        "given_back_ucr": 25 * M,
        "paid_out_ucr": 100 * M,
        "reinstated_ucr": 40 * M,
        "expiry_ucr": 9 * M,
        "closing_ucr": 1_449 * M,
        "entry_count": 13,
    }
    assert (of_ann.usage_ucr, of_ann.refunds_ucr) == (75 * M, 60 * M)
    assert of_bob.workspace_id == bob
    assert (of_bob.opening_ucr, of_bob.purchases_ucr, of_bob.usage_ucr) == (0, 30, 15)
    assert of_bob.closing_ucr == 15


def test_a_month_begins_with_what_the_one_before_ended_with(history: History, ann: int) -> None:
    months = [Month.parse(name) for name in ("2025-01", "2025-02", "2025-03", "2025-04", "2025-05")]
    with books_snapshot():
        found = [read_figures(month, workspace_id=ann)[0] for month in months]
    assert [(each.opening_ucr // M, each.closing_ucr // M) for each in found] == [
        (0, 0),
        (0, 1_050),
        (1_050, 1_449),
        (1_449, 1_439),
        (1_439, 1_439),
    ]


def test_movements_lead_from_opening_to_closing_line_by_line(
    history: History, ann: int, bob: int
) -> None:
    with books_snapshot():
        report = statement(MARCH, workspace_id=ann)
        lines = rows(report)
    assert [(row[3], row[4], row[5], row[7]) for row in lines] == [
        ("topup", "paid", 500 * M, 1_550 * M),
        ("grant", "given", 30 * M, 1_580 * M),
        ("usage", "given", -50 * M, 1_530 * M),
        ("usage", "given", -30 * M, 1_500 * M),
        ("usage", "paid", -20 * M, 1_480 * M),
        ("refund", "paid", 20 * M, 1_500 * M),
        ("refund", "given", 5 * M, 1_505 * M),
        ("payout", "paid", -100 * M, 1_405 * M),
        ("reinstatement", "paid", 40 * M, 1_445 * M),
        ("adjustment", "paid", 7 * M, 1_452 * M),
        ("adjustment", "given", -3 * M, 1_449 * M),
        ("promo", "given", 9 * M, 1_458 * M),
        ("expiry", "given", -9 * M, 1_449 * M),
    ]
    assert lines[0][0] == "2025-03-01T00:00:00.000000Z"
    assert lines[-1][0] == "2025-03-31T23:59:59.999999Z"
    assert dict(report.totals) == {
        "opening": 1_050 * M,
        "purchases": 500 * M,
        "grants": 39 * M,
        "adjustments": 4 * M,
        "usage": 75 * M,
        "refunds": 60 * M,
        "expiry": 9 * M,
        "closing": 1_449 * M,
        "of usage: charged": 100 * M,
        "of usage: given_back": 25 * M,
    }


def test_a_statement_has_nobody_else_s_rows(history: History, ann: int, bob: int) -> None:
    with books_snapshot():
        report = statement(MARCH, workspace_id=bob)
        lines = rows(report)
    assert report.name == f"statement-2025-03-workspace-{bob}"
    assert ("Workspace", "Bob") in report.facts
    assert "Ann" not in str(report.facts)
    assert sorted((row[3], row[4], row[5]) for row in lines) == [
        ("topup", "paid", 10),
        ("topup", "paid", 20),
        ("usage", "owed", -5),
        ("usage", "paid", -8),
        ("usage", "paid", -2),
    ]
    of_bob = history.owner.execute("SELECT id::text FROM ledger.entry WHERE wallet_id = %s", [bob])
    assert {row[1] for row in lines} <= {id_ for (id_,) in of_bob}


def test_a_debt_closes_below_zero(history: History) -> None:
    wallet = history.workspace("Cid")
    with history.at("2025-03-10 10:00") as ledger:
        ledger.topped_up(wallet, 5)
        ledger.charged(wallet, 12, held=5)
    with books_snapshot():
        (figures,) = read_figures(MARCH)
        forward = {row[0]: (row[1], row[3], row[5]) for row in rows(roll_forward(MARCH))}
    assert figures.closing_ucr == -7
    assert forward["closing"] == (0, 0, -7)


def test_all_workspaces_are_a_row_each(history: History, ann: int, bob: int) -> None:
    history.workspace("Without a history")
    with books_snapshot():
        report = statements(MARCH)
        lines = rows(report)
    assert [(row[0], row[1], row[9]) for row in lines] == [
        (ann, "Ann", 1_449 * M),
        (bob, "Bob", 15),
    ]
    assert dict(report.totals)["closing"] == 1_449 * M + 15


def test_paid_given_and_owed_roll_forward_apart(history: History, ann: int, bob: int) -> None:
    with books_snapshot():
        report = roll_forward(MARCH)
        found = {row[0]: (row[1], row[3], row[5], row[7]) for row in rows(report)}
    assert found == {
        "opening": (1_000 * M, 50 * M, 0, 1_050 * M),
        "purchases": (500 * M + 30, 0, 0, 500 * M + 30),
        "refunds that came back": (40 * M, 0, 0, 40 * M),
        "promotions": (0, 9 * M, 0, 9 * M),
        "grants": (0, 30 * M, 0, 30 * M),
        "adjustments": (7 * M, -3 * M, 0, 4 * M),
        "usage": (-20 * M - 10, -80 * M, -5, -100 * M - 15),
        "given back for calls": (20 * M, 5 * M, 0, 25 * M),
        "debt repaid from purchases": (-5, 0, 5, 0),
        "refunds to payers": (-100 * M, 0, 0, -100 * M),
        "expiry": (0, -9 * M, 0, -9 * M),
        "closing": (1_447 * M + 15, 2 * M, 0, 1_449 * M + 15),
    }


def test_the_journal_balances_and_keeps_given_credit_out_of_revenue(
    history: History, ann: int, bob: int
) -> None:
    with books_snapshot():
        report = journal(MARCH)
        lines = rows(report)
    assert [(row[1], row[2], row[3], row[5]) for row in lines if row[0] == date(2025, 3, 3)] == [
        ("2025-03-03/usage/paid", "deferred_revenue", 20 * M, 0),
        ("2025-03-03/usage/paid", "revenue", 0, 20 * M),
        ("2025-03-03/usage/given", "promotional_credit", 80 * M, 0),
        ("2025-03-03/usage/given", "promotional_usage", 0, 80 * M),
    ]
    balance: dict[object, int] = {}
    for row in lines:
        debit, credit = row[3], row[5]
        assert isinstance(debit, int)
        assert isinstance(credit, int)
        balance[row[2]] = balance.get(row[2], 0) + debit - credit
    assert sum(balance.values()) == 0
    assert balance == {
        "cash": 500 * M + 30 - 100 * M + 40 * M,
        "deferred_revenue": -(447 * M + 15),
        "promotional_credit": 48 * M,
        "receivable": 0,
        "revenue": -15,
        "promotional_usage": -75 * M,
        "promotional_expiry": -9 * M,
        "promotion_cost": 9 * M,
        "goodwill_cost": 30 * M,
        "adjustments": 7 * M,
        "promotional_adjustments": -3 * M,
    }
    assert report.totals[0][1] == report.totals[1][1]


TAMPERED = [
    "UPDATE ledger.lot SET remaining = remaining - 1 WHERE wallet_id = %s AND kind = 'adjustment'",
    "UPDATE ledger.wallet SET owed = owed + 1 WHERE id = %s",
    "INSERT INTO ledger.entry (wallet_id, id, seq, kind, debit, credit, lot_id, amount, at)"
    " SELECT %s, uuidv7(), 0, 'expiry', 'wallet', 'expired', min(id), 1, '2025-03-09+00'"
    " FROM ledger.lot",
]


@pytest.mark.parametrize("tampering", TAMPERED)
def test_books_that_do_not_tie_give_no_statement(
    history: History, ann: int, tampering: str
) -> None:
    history.owner.execute(tampering, [ann])
    for name in (STATEMENT, "statements", "roll-forward", "journal"):
        file = BytesIO()
        order = Order(report=name, month=MARCH, form="csv", workspace_id=ann)
        with pytest.raises(DoesNotTie):
            export_report(order, file)
        assert file.getvalue() == b""


def test_what_does_not_exist_is_said(history: History, ann: int) -> None:
    with books_snapshot(), pytest.raises(ReportNotFound):
        statement(MARCH, workspace_id=ann + 999)
    for text in ("2025-13", "2025-3", "march", "1999-12", "2025-03-01", "２０２５-03"):
        with pytest.raises(MonthUnreadable):
            Month.parse(text)
