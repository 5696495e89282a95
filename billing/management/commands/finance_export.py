"""`finance_export --month YYYY-MM [--report NAME …] [--format xlsx|csv] [--folder DIR]`."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing.finance.exports import FORMATS
from billing.finance.periods import Month
from billing.finance.reports import REPORTS, Order, save_report
from studio.core.errors import GatewayError


class Command(BaseCommand):
    """Write reports about all workspaces; one that does not tie to the ledger is not written."""

    help = "Write finance's reports of a calendar month (UTC), tied to the ledger."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--month", required=True, metavar="YYYY-MM")
        parser.add_argument(
            "--report", action="append", choices=list(REPORTS), help="default: all of them"
        )
        parser.add_argument("--format", choices=FORMATS, default="xlsx")
        parser.add_argument("--folder", type=Path, default=Path(), metavar="DIR")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401  Django's own signature
        """Write the files, and say what is in each."""
        for name in options["report"] or REPORTS:
            try:
                month = Month.parse(options["month"])
                order = Order(report=name, month=month, form=options["format"])
                export, path = save_report(order, options["folder"])
            except (GatewayError, OSError) as error:
                raise CommandError(f"{name}: {error}") from error
            written = export.written
            self.stdout.write(f"{path}  {written.row_count} rows  sha256 of CSV {written.sha256}")
