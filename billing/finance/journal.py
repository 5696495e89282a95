"""The journal for the books outside: double entry, per day (UTC) and kind of movement. µcr.

Accounts are words that an accountant maps to numbers. Paid and given credit have accounts of their
own throughout, so revenue is what was used of paid credit alone.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby

from billing.finance.closed import describe_books
from billing.finance.errors import DoesNotTie
from billing.finance.periods import Month
from billing.finance.snapshot import Row, read_rows
from billing.finance.statements import read_figures
from billing.finance.tables import Column, Report, Values, money

_MOVED = """
SELECT (e.at AT TIME ZONE 'UTC')::date AS day, e.kind, COALESCE(l.paid, true) AS paid,
       e.debit, e.credit, sum(e.amount), count(*)
FROM ledger.entry e LEFT JOIN ledger.lot l ON l.id = e.lot_id
WHERE e.at >= %(begin)s AND e.at < %(end)s AND e.amount > 0
GROUP BY 1, 2, 3, 4, 5
ORDER BY 1, 2, 3 DESC, 4, 5
"""
_ACCOUNTS = {
    # account of the ledger: (with paid credit, with given credit)
    "cash": ("cash", "cash"),
    "wallet": ("deferred_revenue", "promotional_credit"),
    "receivable": ("receivable", "receivable"),
    "revenue": ("revenue", "promotional_usage"),
    "expired": ("breakage", "promotional_expiry"),
    "promo": ("promotion_cost", "promotion_cost"),
    "granted": ("goodwill_cost", "goodwill_cost"),
    "adjustments": ("adjustments", "promotional_adjustments"),
}
_CREDIT_ACCOUNTS = ("deferred_revenue", "promotional_credit", "receivable")


def journal(month: Month) -> Report:
    """Make the journal: for each movement its debit line and its credit line. Inside a snapshot.

    What is owed to us counts as paid. Raises: DoesNotTie if debit and credit differ, or the
    accounts of credit have not moved as the statements have.
    """
    moved = read_rows(_MOVED, {"begin": month.begin, "end": month.end})
    lines = list(_lines(moved))
    total_ucr = _check(month, lines)
    return Report(
        name=f"journal-{month.name}",
        title="Journal",
        month=month,
        facts=(("Books", describe_books(month)),),
        totals=(("debit", total_ucr), ("credit", total_ucr)),
        columns=(
            Column(name="day", kind="date", width=12),
            Column(name="reference", width=40),
            Column(name="account", width=26),
            *money("debit"),
            *money("credit"),
            Column(name="entries", kind="integer", width=10),
        ),
        rows=[_row(line) for line in lines],
    )


Line = tuple[Row, str, int, int]
"""(what moved, account, debit, credit)."""


def _lines(moved: Sequence[Row]) -> Iterator[Line]:
    for row in moved:
        _, _, paid, debit, credit, amount, _ = row
        amount_ucr, which = int(amount), 0 if paid else 1
        yield row, _ACCOUNTS[debit][which], amount_ucr, 0
        yield row, _ACCOUNTS[credit][which], 0, amount_ucr


def _row(line: Line) -> Values:
    (day, kind, paid, _, _, _, entries), account, debit_ucr, credit_ucr = line
    reference = f"{day}/{kind}/{'paid' if paid else 'given'}"
    return day, reference, account, debit_ucr, debit_ucr, credit_ucr, credit_ucr, entries


def _check(month: Month, lines: Sequence[Line]) -> int:
    """Compare debit with credit, day by day, and with the statements. Returns: the total."""
    for day, group in groupby(lines, key=lambda line: line[0][0]):
        difference_ucr = sum(debit - credit for _, _, debit, credit in group)
        if difference_ucr:
            raise DoesNotTie(f"Debit and credit of {day} differ by {difference_ucr} µcr")
    gained_ucr = sum(
        credit - debit for _, account, debit, credit in lines if account in _CREDIT_ACCOUNTS
    )
    figures = read_figures(month)
    stated_ucr = sum(each.closing_ucr - each.opening_ucr for each in figures)
    if gained_ucr != stated_ucr:
        raise DoesNotTie(f"Credit moved by {gained_ucr} µcr, by the statements {stated_ucr}")
    return sum(debit for _, _, debit, _ in lines)
