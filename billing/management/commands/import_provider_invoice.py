"""`import_provider_invoice FILE --as USERNAME`: a CSV of provider,day,model,quantity,amount_usd."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing.finance.errors import InvoiceRefused
from billing.finance.invoices import import_invoice
from billing.finance.staff import access_staff
from billing.finance.tables import usd_text
from studio.core.errors import GatewayError


class Command(BaseCommand):
    """Import a provider's invoice, whole or not at all; the same file only once."""

    help = "Import what a provider bills us, to compare it with the cost we recorded."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("file", type=Path)
        parser.add_argument("--as", required=True, metavar="USERNAME", dest="username")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401  Django's own signature
        """Import, and say what came in, or list the lines that are wrong."""
        path: Path = options["file"]
        try:
            staff = access_staff(options["username"], "billing.import_invoice")
            done = import_invoice(data=path.read_bytes(), file_name=path.name, staff=staff)
        except InvoiceRefused as error:
            raise CommandError("\n".join(["Nothing was imported:", *error.lines])) from error
        except (GatewayError, OSError) as error:
            raise CommandError(str(error)) from error
        word = "Imported before" if done.repeated else "Imported"
        self.stdout.write(f"{word}: {done.line_count} lines, ${usd_text(done.amount_ucr)}.")
