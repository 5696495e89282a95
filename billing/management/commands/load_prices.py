"""`manage.py load_prices`: make prices.toml the newest version of the price book."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing.price_books import load_prices
from billing.price_file import PRICES_FILE, PriceFileInvalid


class Command(BaseCommand):
    """Load the file of prices. Safe to repeat: equal prices make no new version."""

    help = "Load prices.toml as a new version of the price book, if it differs from the newest."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take another file than our own."""
        parser.add_argument("--file", type=Path, default=PRICES_FILE)

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401  Django's own signature
        """Load and say what happened."""
        try:
            loaded = load_prices(options["file"])
        except PriceFileInvalid as error:
            raise CommandError(str(error)) from error
        news = "new" if loaded.changed else "unchanged"
        kept = f"; {loaded.kept} prices edited by staff were kept" if loaded.kept else ""
        self.stdout.write(f"price book: version {loaded.version} ({news}){kept}")
