"""`finance_statement --workspace NAME --month YYYY-MM [--format xlsx|csv] [--folder DIR]`."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing.finance.exports import FORMATS
from billing.finance.periods import Month
from billing.finance.reports import STATEMENT, Order, save_report
from studio.accounts.models import Workspace
from studio.core.errors import GatewayError


class Command(BaseCommand):
    """Write one workspace's statement; one that does not tie to the ledger is not written."""

    help = "Write a workspace's statement of a calendar month (UTC), tied to the ledger."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--workspace", required=True, metavar="NAME")
        parser.add_argument("--month", required=True, metavar="YYYY-MM")
        parser.add_argument("--format", choices=FORMATS, default="xlsx")
        parser.add_argument("--folder", type=Path, default=Path(), metavar="DIR")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401  Django's own signature
        """Write the file, and say what is in it."""
        workspace = Workspace.objects.filter(name=options["workspace"]).first()
        if workspace is None:
            raise CommandError(f"No workspace named {options['workspace']!r}")
        try:
            order = Order(
                report=STATEMENT,
                month=Month.parse(options["month"]),
                form=options["format"],
                workspace_id=workspace.pk,
            )
            export, path = save_report(order, options["folder"])
        except (GatewayError, OSError) as error:
            raise CommandError(str(error)) from error
        written = export.written
        self.stdout.write(f"{path}  {written.row_count} rows  sha256 of CSV {written.sha256}")
