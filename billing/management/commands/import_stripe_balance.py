"""`import_stripe_balance FILE`: Stripe's itemised balance or payout report, as CSV."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing.finance.errors import InvoiceRefused
from billing.finance.stripe_balance import import_balance


class Command(BaseCommand):
    """Import Stripe's report, whole or not at all; what is known is left as it is."""

    help = "Import Stripe's itemised balance report: fee, net and payout of payments."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401  Django's own signature
        """Import, and say what was new, or list the lines that are wrong."""
        path: Path = options["file"]
        try:
            taken = import_balance(path.read_bytes())
        except InvoiceRefused as error:
            raise CommandError("\n".join(["Nothing was imported:", *error.lines])) from error
        except OSError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"{taken.new_count} new lines, {taken.paid_out_count} paid out since,"
            f" {taken.known_count} known before."
        )
