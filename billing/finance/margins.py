"""Revenue and cost of calls by provider and model, and what is left. BYOK apart. Amounts are µcr.

Read from `usage`, which has provider and model; the ledger has neither. Revenue is what was charged
less what was given back in the month; `given` is the part of it that was paid with given credit. A
closed month is read from what was kept at its close, since old usage may be dropped.
"""

from collections import defaultdict

import msgspec

from billing.finance.closed import describe_books
from billing.finance.errors import DoesNotTie
from billing.finance.periods import Month
from billing.finance.snapshot import read_rows
from billing.finance.tables import Column, Report, Values, money
from billing.models.finance import ClosedMargin
from billing.models.ledger import ClosedMonth
from studio.core.money import BASIS_POINTS

_USAGE = """
WITH used AS (
  SELECT u.provider, u.model, u.billing, sum(u.request_count) AS requests,
         sum(u.charge_ucr) AS revenue, sum(u.cost_ucr) AS cost
  FROM public.usage u
  WHERE u.at >= %(begin)s AND u.at < %(end)s AND u.status <> 'refused'
  GROUP BY 1, 2, 3
), given AS (
  SELECT COALESCE(u.provider, '') AS provider, COALESCE(u.model, '') AS model, 'credits' AS billing,
         sum(CASE e.kind WHEN 'usage' THEN e.amount ELSE -e.amount END) AS given
  FROM ledger.entry e
  JOIN ledger.lot l ON l.id = e.lot_id AND NOT l.paid
  LEFT JOIN LATERAL (
    SELECT u.provider, u.model FROM public.usage u
    WHERE u.request_id = e.id AND u.workspace_id = e.wallet_id ORDER BY u.request_count DESC LIMIT 1
  ) u ON true
  WHERE e.kind IN ('usage', 'refund') AND e.at >= %(begin)s AND e.at < %(end)s
  GROUP BY 1, 2
)
SELECT provider, model, billing, COALESCE(requests, 0), COALESCE(revenue, 0), COALESCE(given, 0),
       COALESCE(cost, 0)
FROM used FULL JOIN given USING (provider, model, billing)
ORDER BY billing = 'byok', billing, provider, model
"""
_LEDGER = """
SELECT COALESCE(sum(CASE kind WHEN 'usage' THEN amount ELSE -amount END), 0)
FROM ledger.entry
WHERE kind IN ('usage', 'refund') AND at >= %(begin)s AND at < %(end)s
"""


class Margin(msgspec.Struct, frozen=True, kw_only=True):
    """What one model did, by who paid for it (`credits`, `byok`, `house`, `imported`, `none`)."""

    provider: str
    model: str
    billing: str
    request_count: int
    revenue_ucr: int
    given_ucr: int
    cost_ucr: int

    @property
    def margin_ucr(self) -> int:
        """What is left of the revenue."""
        return self.revenue_ucr - self.cost_ucr

    @property
    def margin_bp(self) -> int | None:
        """The same in basis points of the revenue, rounded down; None without revenue."""
        if self.revenue_ucr <= 0:
            return None
        return self.margin_ucr * BASIS_POINTS // self.revenue_ucr


def read_margins(month: Month) -> list[Margin]:
    """Read all models of a month, BYOK last. Inside a snapshot."""
    if ClosedMonth.objects.filter(month=month.first).exists():
        kept = [_kept(row) for row in ClosedMargin.objects.filter(month=month.first)]
        return sorted(kept, key=lambda m: (m.billing == "byok", m.billing, m.provider, m.model))
    rows = read_rows(_USAGE, {"begin": month.begin, "end": month.end})
    return [
        Margin(
            provider=row[0],
            model=row[1],
            billing=row[2],
            request_count=int(row[3]),
            revenue_ucr=int(row[4]),
            given_ucr=int(row[5]),
            cost_ucr=int(row[6]),
        )
        for row in rows
    ]


def untied_ucr(month: Month, found: list[Margin]) -> int:
    """Tell by how much usage and the ledger differ: not 0 while refunds are on their way."""
    ((taken,),) = read_rows(_LEDGER, {"begin": month.begin, "end": month.end})
    return sum(each.revenue_ucr for each in found if each.billing == "credits") - int(taken)


def check_margins(month: Month, found: list[Margin]) -> None:
    """Compare revenue with the ledger. Raises: DoesNotTie."""
    difference_ucr = untied_ucr(month, found)
    if difference_ucr:
        raise DoesNotTie(f"Usage and the ledger differ by {difference_ucr} µcr in {month.name}")


def margins(month: Month) -> Report:
    """Make the report of all models. Its cover says by how much usage and the ledger differ, which
    closing the month demands to be nothing.
    """
    found = read_margins(month)
    return Report(
        name=f"margins-{month.name}",
        title="Revenue and cost by provider and model",
        month=month,
        facts=(("Books", describe_books(month)),),
        totals=(*_totals(found), ("usage less ledger (must be 0)", untied_ucr(month, found))),
        columns=(
            Column(name="billing", width=10),
            Column(name="provider"),
            Column(name="model", width=30),
            Column(name="requests", kind="integer", summed=True),
            *money("revenue"),
            *money("given"),
            *money("cost"),
            *money("margin"),
            Column(name="margin_percent", kind="percent"),
        ),
        rows=[_row(each) for each in found],
    )


def _kept(row: ClosedMargin) -> Margin:
    return Margin(**{name: getattr(row, name) for name in Margin.__struct_fields__})


def _totals(found: list[Margin]) -> list[tuple[str, int]]:
    """Sum up by who paid, so that BYOK stays apart."""
    sums: dict[str, int] = defaultdict(int)
    for each in found:
        sums[f"{each.billing}: revenue"] += each.revenue_ucr
        sums[f"{each.billing}: of it given credit"] += each.given_ucr
        sums[f"{each.billing}: cost"] += each.cost_ucr
        sums[f"{each.billing}: margin"] += each.margin_ucr
    return list(sums.items())


def _row(each: Margin) -> Values:
    amounts = (each.revenue_ucr, each.given_ucr, each.cost_ucr, each.margin_ucr)
    return (
        each.billing,
        each.provider,
        each.model,
        each.request_count,
        *(amount for amount in amounts for _ in range(2)),
        each.margin_bp,
    )
