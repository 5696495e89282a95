"""The reports by name, and making one into a file."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import msgspec

from billing.finance.errors import ReportNotFound
from billing.finance.exports import FORMATS, Format, Written, write_report
from billing.finance.invoices import invoice_drift
from billing.finance.journal import journal
from billing.finance.margins import margins
from billing.finance.periods import Month
from billing.finance.revenue import roll_forward
from billing.finance.snapshot import books_snapshot
from billing.finance.statements import statement, statements
from billing.finance.stripe_balance import stripe_reconciliation
from billing.finance.tables import Report

STATEMENT = "statement"
REPORTS: dict[str, Callable[[Month], Report]] = {
    "statements": statements,
    "roll-forward": roll_forward,
    "journal": journal,
    "margins": margins,
    "provider-invoices": invoice_drift,
    "stripe": stripe_reconciliation,
}
"""The reports about all workspaces. STATEMENT is about one."""

CONTENT_TYPES: dict[Format, str] = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """Which report, of which month, in which form; `workspace_id` for a statement alone."""

    report: str
    month: Month
    form: Format
    workspace_id: int | None = None


class Export(msgspec.Struct, frozen=True, kw_only=True):
    """A finished file: its name for people, and what went into it."""

    file_name: str
    form: Format
    written: Written


def read_form(text: str) -> Format:
    """Read the form of a file. Raises: ReportNotFound."""
    for form in FORMATS:
        if form == text:
            return form
    raise ReportNotFound("A report is an xlsx or a csv file")


def export_report(order: Order, file: IO[bytes]) -> Export:
    """Write a report to a file, read at one moment.

    Raises: ReportNotFound; DoesNotTie, and what is in `file` then is to be thrown away.
    """
    with books_snapshot():
        report = _make(order)
        written = write_report(report, order.form, file)
    return Export(file_name=f"{report.name}.{order.form}", form=order.form, written=written)


@contextlib.contextmanager
def exported_file(order: Order) -> Iterator[tuple[Export, IO[bytes]]]:
    """Have a report in a nameless file, at its beginning, for as long as the block lasts."""
    with tempfile.TemporaryFile() as file:
        export = export_report(order, file)
        file.seek(0)
        yield export, file


def save_report(order: Order, folder: Path) -> tuple[Export, Path]:
    """Write a report into a folder under its own name; a file is there whole or not at all."""
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".report-", delete=False) as file:
        unfinished = Path(file.name)
        try:
            export = export_report(order, file)
            file.flush()
        except BaseException:
            unfinished.unlink()
            raise
    path = folder / export.file_name
    unfinished.replace(path)
    return export, path


def _make(order: Order) -> Report:
    if order.report == STATEMENT:
        if order.workspace_id is None:
            raise ReportNotFound("A statement needs a workspace")
        return statement(order.month, workspace_id=order.workspace_id)
    make = REPORTS.get(order.report)
    if make is None:
        raise ReportNotFound(f"There is no report {order.report!r}")
    return make(order.month)
