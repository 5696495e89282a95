"""The close of a month, by two people: one asks, another confirms. For ever.

At the close every report is made once more, what could change afterwards is kept (the names of
workspaces, margins from usage), and the ledger refuses entries of the month from then on. So a
report of a closed month is the same bytes whenever it is made.
"""

from datetime import timedelta

import msgspec
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from billing import ledger
from billing.errors import AlreadyDecided, MonthNotOver, SecondPersonNeeded
from billing.finance.errors import CloseNotAsked, NotReadyToClose
from billing.finance.figures import FIELDS, Figures
from billing.finance.journal import journal
from billing.finance.margins import Margin, check_margins, read_margins
from billing.finance.periods import Month
from billing.finance.revenue import roll_forward
from billing.finance.snapshot import books_snapshot, read_rows
from billing.finance.statements import read_figures
from billing.models.finance import ClosedMargin, ClosedStatement, MonthClose
from billing.models.ledger import ClosedMonth

GRACE = timedelta(hours=1)
"""How long a month must be over. No transaction lives that long; beat has swept and corrected."""

_UNDER_WAY = """
SELECT (SELECT count(*) FROM ledger.correction WHERE at < %(end)s),
       (SELECT count(*) FROM ledger.ledger_violations)
"""


def ask_to_close(*, month: Month, staff: User) -> bool:
    """Ask for a month to be closed. Returns: whether this call did it; False if somebody had.

    Raises: MonthNotOver, AlreadyDecided if it is closed.
    """
    with transaction.atomic(durable=True):
        _check_time(month)
        _, asked = MonthClose.objects.get_or_create(
            month=month.first, defaults={"requested_by": staff}
        )
    return asked


def confirm_close(*, month: Month, staff: User) -> None:
    """Close a month that another person asked to close.

    Raises: CloseNotAsked, SecondPersonNeeded, AlreadyDecided, MonthNotOver; NotReadyToClose with
    what is under way; DoesNotTie with what differs. The month is open then, and nothing was kept.
    """
    asked = MonthClose.objects.filter(month=month.first).first()
    if asked is None:
        raise CloseNotAsked(f"Nobody has asked to close {month.name}")
    if asked.requested_by_id == staff.pk:
        raise SecondPersonNeeded("Whoever asks to close a month does not confirm it")
    # The month is over: what is read of it in one transaction still holds in the next.
    with books_snapshot():
        _check_time(month)
        _check_ready(month)
        figures, found = _checked(month)
    with transaction.atomic(durable=True):
        MonthClose.objects.select_for_update().get(month=month.first)
        _check_time(month)
        _keep(month, figures, found)
        verdict = ledger.close_month(
            month=month.first,
            closed_by=asked.requested_by.get_username(),
            confirmed_by=staff.get_username(),
        )
        if verdict != "closed":
            raise AlreadyDecided(f"{month.name} was closed meanwhile")


def _check_time(month: Month) -> None:
    if timezone.now() < month.end + GRACE:
        raise MonthNotOver("A month is closed when it has been over for an hour, in UTC")
    if ClosedMonth.objects.filter(month=month.first).exists():
        raise AlreadyDecided(f"{month.name} is closed already")


def _check_ready(month: Month) -> None:
    ((corrections, violations),) = read_rows(_UNDER_WAY, {"end": month.end})
    if corrections:
        raise NotReadyToClose(f"{corrections} refunds have not reached usage yet")
    if violations:
        raise NotReadyToClose(f"The ledger has {violations} violations: see `manage.py reconcile`")


def _checked(month: Month) -> tuple[list[Figures], list[Margin]]:
    """Make every report. Returns: what is to be kept. Raises: DoesNotTie."""
    roll_forward(month)
    journal(month)
    found = read_margins(month)
    check_margins(month, found)
    return read_figures(month), found


def _keep(month: Month, figures: list[Figures], found: list[Margin]) -> None:
    ClosedStatement.objects.bulk_create(
        [_statement(month, each) for each in figures], batch_size=1_000
    )
    ClosedMargin.objects.bulk_create(
        [ClosedMargin(month=month.first, **msgspec.structs.asdict(each)) for each in found],
        batch_size=1_000,
    )


def _statement(month: Month, figures: Figures) -> ClosedStatement:
    return ClosedStatement(
        month=month.first,
        workspace_id=figures.workspace_id,
        workspace_name=figures.workspace_name,
        **dict(zip(FIELDS, figures.amounts, strict=True)),
    )
