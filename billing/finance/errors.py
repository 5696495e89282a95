"""Finance's leaves of the error tree."""

from studio.core.errors import Conflict, InvalidRequest, NotFound


class MonthUnreadable(InvalidRequest):
    """A month is written YYYY-MM."""


class ReportNotFound(NotFound):
    """There is no such report, or no such workspace for it."""


class DoesNotTie(Conflict):
    """A report and the ledger differ. No file was written, no month was closed."""


class NotReadyToClose(Conflict):
    """Something of the month is still under way. Nothing was closed."""


class CloseNotAsked(NotFound):
    """Nobody has asked to close this month."""


class InvoiceRefused(InvalidRequest):
    """Lines of an invoice cannot be read; `lines` says which and why. Nothing was imported."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("; ".join(lines[:20]))
        self.lines = lines
