"""Monthly statements: what each workspace had, got, used and has. Amounts are µcr.

A workspace's balance is its credit, paid and given, less what it owes, so:

  opening + purchases + grants + adjustments - usage - refunds - expiry = closing

`usage` is what calls were charged less what was given back for calls; `refunds` is money that went
back to a payer less what of it came back to us. Each statement must tie twice: the sum by kind of
entry with the sum by account, and that, rolled on to this moment, with what the wallet's lots and
debt say. Else DoesNotTie is raised and nobody gets a file.
"""

from collections.abc import Iterator, Sequence

import msgspec

from billing.finance.closed import closed_figures, describe_books
from billing.finance.errors import DoesNotTie, ReportNotFound
from billing.finance.figures import Figures
from billing.finance.periods import Month
from billing.finance.snapshot import Row, read_rows, stream_rows
from billing.finance.tables import Column, Report, Values, money

_FIGURES = """
WITH moved AS (
  SELECT e.wallet_id, e.kind, e.amount,
         e.amount * ((e.credit IN ('wallet', 'receivable'))::int
                     - (e.debit IN ('wallet', 'receivable'))::int) AS delta,
         CASE WHEN e.at < %(begin)s THEN -1 WHEN e.at < %(end)s THEN 0 ELSE 1 END AS period
  FROM ledger.entry e
  WHERE %(wallet)s::bigint IS NULL OR e.wallet_id = %(wallet)s
), summed AS (
  SELECT wallet_id,
         sum(delta) FILTER (WHERE period = -1) AS opening,
         sum(amount) FILTER (WHERE period = 0 AND kind = 'topup') AS purchases,
         sum(amount) FILTER (WHERE period = 0 AND kind IN ('promo', 'grant')) AS grants,
         sum(delta) FILTER (WHERE period = 0 AND kind = 'adjustment') AS adjustments,
         sum(amount) FILTER (WHERE period = 0 AND kind = 'usage') AS charged,
         sum(amount) FILTER (WHERE period = 0 AND kind = 'refund') AS given_back,
         sum(amount) FILTER (WHERE period = 0 AND kind = 'payout') AS paid_out,
         sum(amount) FILTER (WHERE period = 0 AND kind = 'reinstatement') AS reinstated,
         sum(amount) FILTER (WHERE period = 0 AND kind = 'expiry') AS expired,
         sum(delta) FILTER (WHERE period < 1) AS closing,
         sum(delta) FILTER (WHERE period = 1) AS later,
         count(*) FILTER (WHERE period = 0 AND amount > 0 AND kind <> 'repay') AS entries,
         count(*) FILTER (WHERE period < 1) AS known
  FROM moved GROUP BY wallet_id
), state AS (
  SELECT w.id, COALESCE(sum(l.remaining), 0) - w.owed AS now
  FROM ledger.wallet w LEFT JOIN ledger.lot l ON l.wallet_id = w.id AND l.live
  WHERE %(wallet)s::bigint IS NULL OR w.id = %(wallet)s
  GROUP BY w.id
)
SELECT state.id, COALESCE(s.name, ''), opening, purchases, grants, adjustments, charged, given_back,
       paid_out, reinstated, expired, closing, entries, later, now
FROM state
LEFT JOIN summed ON summed.wallet_id = state.id
LEFT JOIN public.accounts_workspace s ON s.id = state.id
WHERE summed.known > 0 OR summed.wallet_id IS NULL AND state.now <> 0 OR state.id = %(wallet)s
ORDER BY state.id
"""
_ENTRIES = """
SELECT to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), e.id::text, e.seq, e.kind,
       CASE WHEN e.lot_id IS NULL THEN 'owed' WHEN l.paid THEN 'paid' ELSE 'given' END,
       e.amount * ((e.credit IN ('wallet', 'receivable'))::int
                   - (e.debit IN ('wallet', 'receivable'))::int),
       e.ref
FROM ledger.entry e LEFT JOIN ledger.lot l ON l.id = e.lot_id
WHERE e.wallet_id = %(wallet)s AND e.at >= %(begin)s AND e.at < %(end)s
  AND e.amount > 0 AND e.kind <> 'repay'
ORDER BY e.at, e.id, e.seq
"""
_LINES = (
    "opening",
    "purchases",
    "grants",
    "adjustments",
    "usage",
    "refunds",
    "expiry",
    "closing",
)
_NOT_IN_THE_SUM = ("charged", "given_back")


def read_figures(month: Month, *, workspace_id: int | None = None) -> list[Figures]:
    """Read the statements of all workspaces with a history, or of one. Inside a snapshot.

    Raises: DoesNotTie, also if a closed month is no longer what it was when it was closed.
    """
    parameters = {"begin": month.begin, "end": month.end, "wallet": workspace_id}
    found = [_tied(row) for row in read_rows(_FIGURES, parameters)]
    frozen = closed_figures(month, workspace_id=workspace_id)
    return found if frozen is None else _as_closed(found, frozen)


def statement(month: Month, *, workspace_id: int) -> Report:
    """Make one workspace's statement, every movement of the month with the balance after it.

    Raises: ReportNotFound if there is no such workspace, DoesNotTie.
    """
    found = read_figures(month, workspace_id=workspace_id)
    if not found:
        raise ReportNotFound("No such workspace")
    (figures,) = found
    return Report(
        name=f"statement-{month.name}-workspace-{workspace_id}",
        title="Statement of credit",
        month=month,
        facts=(
            ("Workspace", figures.workspace_name),
            ("Workspace id", str(workspace_id)),
            ("Books", describe_books(month)),
        ),
        totals=(
            *_totals([figures]),
            *((f"of usage: {name}", getattr(figures, f"{name}_ucr")) for name in _NOT_IN_THE_SUM),
        ),
        columns=(
            Column(name="at", width=28),
            Column(name="id", width=38),
            Column(name="line", kind="integer", width=6),
            Column(name="kind"),
            Column(name="credit", width=8),
            *money("amount"),
            *money("balance", summed=False),
            Column(name="reference", width=50),
        ),
        rows=_movements(month, figures),
    )


def statements(month: Month) -> Report:
    """Make the list of all workspaces' statements, a row each."""
    found = read_figures(month)
    amounts = [f"{name}_ucr" for name in (*_LINES, *_NOT_IN_THE_SUM)]
    return Report(
        name=f"statements-{month.name}",
        title="Statements of all workspaces",
        month=month,
        facts=(("Workspaces", str(len(found))), ("Books", describe_books(month))),
        totals=_totals(found),
        columns=(
            Column(name="workspace_id", kind="integer"),
            Column(name="workspace", width=30),
            *(Column(name=name, kind="ucr", width=20, summed=True) for name in amounts),
            Column(name="closing_usd", kind="usd", width=20),
            Column(name="entries", kind="integer", summed=True),
        ),
        rows=[
            (
                figures.workspace_id,
                figures.workspace_name,
                *(getattr(figures, name) for name in amounts),
                figures.closing_ucr,
                figures.entry_count,
            )
            for figures in found
        ],
    )


def _tied(row: Row) -> Figures:
    """Read a row of figures. Raises: DoesNotTie."""
    amounts = [int(value or 0) for value in row[2:]]
    later_ucr, now_ucr = amounts[11:]
    figures = Figures(workspace_id=row[0], workspace_name=row[1], amounts=tuple(amounts[:11]))
    if figures.sum_of_kinds_ucr != figures.closing_ucr:
        raise DoesNotTie(
            f"Workspace {row[0]}: kinds of entries come to {figures.sum_of_kinds_ucr} µcr,"
            f" accounts to {figures.closing_ucr}"
        )
    if figures.closing_ucr + later_ucr != now_ucr:
        raise DoesNotTie(
            f"Workspace {row[0]}: entries come to {figures.closing_ucr + later_ucr} µcr until now,"
            f" lots less debt to {now_ucr}"
        )
    return figures


def _as_closed(found: Sequence[Figures], frozen: Sequence[Figures]) -> list[Figures]:
    """Give the figures of a closed month, with the names of then. Raises: DoesNotTie."""
    now = {each.workspace_id: each.amounts for each in found if any(each.amounts)}
    then = {each.workspace_id: each.amounts for each in frozen if any(each.amounts)}
    if now != then:
        different = sorted({key for key in now | then if now.get(key) != then.get(key)})
        raise DoesNotTie(f"Not what it was at the close: workspaces {different[:20]}")
    names = {each.workspace_id: each.workspace_name for each in frozen}
    return [
        msgspec.structs.replace(each, workspace_name=names.get(each.workspace_id, ""))
        for each in found
    ]


def _totals(found: Sequence[Figures]) -> tuple[tuple[str, int], ...]:
    """Sum up the lines of the formula, as signed as they stand in it."""
    return tuple((name, sum(getattr(each, f"{name}_ucr") for each in found)) for name in _LINES)


def _movements(month: Month, figures: Figures) -> Iterator[Values]:
    """Give the rows of a statement. Raises: DoesNotTie at the end unless they lead to closing."""
    balance_ucr, count = figures.opening_ucr, 0
    parameters = {"begin": month.begin, "end": month.end, "wallet": figures.workspace_id}
    for at, id_, seq, kind, credit, amount_ucr, ref in stream_rows(_ENTRIES, parameters):
        balance_ucr += amount_ucr
        count += 1
        yield (
            at,
            id_,
            seq,
            kind,
            credit,
            amount_ucr,
            amount_ucr,
            balance_ucr,
            balance_ucr,
            ref,
        )
    if (balance_ucr, count) != (figures.closing_ucr, figures.entry_count):
        raise DoesNotTie(
            f"Workspace {figures.workspace_id}: {count} rows lead to {balance_ucr} µcr, not"
            f" {figures.entry_count} to {figures.closing_ucr}"
        )
