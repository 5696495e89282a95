"""What was kept of a closed month, for whatever could change afterwards: figures with names,
margins.
"""

from billing.finance.figures import FIELDS, Figures
from billing.finance.periods import Month
from billing.models.finance import ClosedStatement
from billing.models.ledger import ClosedMonth


def closed_figures(month: Month, *, workspace_id: int | None = None) -> list[Figures] | None:
    """Read what statements said when the month was closed. Returns: None if it is open, or was
    closed without keeping any (by the ledger's own function alone).
    """
    if not ClosedStatement.objects.filter(month=month.first).exists():
        return None
    rows = ClosedStatement.objects.filter(month=month.first)
    if workspace_id is not None:
        rows = rows.filter(workspace_id=workspace_id)
    return [
        Figures(
            workspace_id=row.workspace_id,
            workspace_name=row.workspace_name,
            amounts=tuple(getattr(row, name) for name in FIELDS),
        )
        for row in rows.order_by("workspace_id")
    ]


def describe_books(month: Month) -> str:
    """Say for a cover whether the month is closed, when and by whom."""
    closed = ClosedMonth.objects.filter(month=month.first).first()
    if closed is None:
        return "open: figures may still change"
    at = f"{closed.closed_at:%Y-%m-%dT%H:%M:%SZ}"
    return f"closed {at} by {closed.closed_by} and {closed.confirmed_by}"
