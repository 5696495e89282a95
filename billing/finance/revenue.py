"""Deferred revenue: how paid and given credit, and what is owed to us, moved in a month. µcr."""

from collections import defaultdict

from billing.finance.closed import describe_books
from billing.finance.errors import DoesNotTie
from billing.finance.periods import Month
from billing.finance.snapshot import read_rows
from billing.finance.statements import read_figures
from billing.finance.tables import Column, Report, money

_MOVED = """
SELECT CASE WHEN p.account = 'receivable' THEN 'owed'
            WHEN p.paid THEN 'paid' ELSE 'given' END AS part,
       p.kind,
       COALESCE(sum(p.amount) FILTER (WHERE p.at < %(begin)s), 0),
       COALESCE(sum(p.amount) FILTER (WHERE p.at >= %(begin)s AND p.at < %(end)s), 0),
       COALESCE(sum(p.amount) FILTER (WHERE p.at >= %(end)s), 0)
FROM ledger.ledger_posting p
WHERE p.account IN ('wallet', 'receivable')
GROUP BY 1, 2
"""
_NOW = """
SELECT COALESCE(sum(remaining) FILTER (WHERE paid), 0),
       COALESCE(sum(remaining) FILTER (WHERE NOT paid), 0),
       (SELECT -COALESCE(sum(owed), 0) FROM ledger.wallet)
FROM ledger.lot WHERE live
"""
_PARTS = ("paid", "given", "owed")
_LINES = {
    "topup": "purchases",
    "reinstatement": "refunds that came back",
    "promo": "promotions",
    "grant": "grants",
    "adjustment": "adjustments",
    "usage": "usage",
    "refund": "given back for calls",
    "repay": "debt repaid from purchases",
    "payout": "refunds to payers",
    "expiry": "expiry",
    "void": "released calls",
    "lapse": "lapsed calls",
}
_NEVER_MOVE = ("void", "lapse")


def roll_forward(month: Month) -> Report:
    """Make the roll-forward: a row per line, paid, given and owed apart. Inside a snapshot.

    What is owed stands negative, so a row's total is what it did to all statements together.
    Raises: DoesNotTie with what lots, debts or the statements say.
    """
    parameters = {"begin": month.begin, "end": month.end}
    opening: dict[str, int] = defaultdict(int)
    moved: dict[tuple[str, str], int] = defaultdict(int)
    later: dict[str, int] = defaultdict(int)
    for part, kind, before, within, after in read_rows(_MOVED, parameters):
        opening[part] += int(before)
        moved[_LINES[kind], part] += int(within)
        later[part] += int(after)
    closing = {
        part: opening[part] + sum(moved[line, part] for line in _LINES.values()) for part in _PARTS
    }
    _check(month, closing, later)
    lines = [("opening", opening)]
    lines += [
        (line, {part: moved[line, part] for part in _PARTS})
        for kind, line in _LINES.items()
        if kind not in _NEVER_MOVE
    ]
    lines.append(("closing", closing))
    return Report(
        name=f"roll-forward-{month.name}",
        title="Deferred revenue, rolled forward",
        month=month,
        facts=(("Books", describe_books(month)),),
        totals=tuple((f"closing, {part}", closing[part]) for part in _PARTS),
        columns=(
            Column(name="line", width=30),
            *(column for part in _PARTS for column in money(part, summed=False)),
            *money("total", summed=False),
        ),
        rows=[
            (line, *(by[part] for part in _PARTS for _ in range(2)), total, total)
            for line, by in lines
            for total in [sum(by[part] for part in _PARTS)]
        ],
    )


def _check(month: Month, closing: dict[str, int], later: dict[str, int]) -> None:
    """Compare with the lots and debts of now, and with the statements. Raises: DoesNotTie."""
    ((*state,),) = read_rows(_NOW, {})
    for part, now in zip(_PARTS, state, strict=True):
        if closing[part] + later[part] != int(now):
            raise DoesNotTie(
                f"{part} credit: entries come to {closing[part] + later[part]} µcr until now,"
                f" lots and debts to {int(now)}"
            )
    stated_ucr = sum(figures.closing_ucr for figures in read_figures(month))
    if sum(closing.values()) != stated_ucr:
        raise DoesNotTie(f"Closing is {sum(closing.values())} µcr, statements say {stated_ucr}")
