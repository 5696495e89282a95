"""`manage.py load_catalogue`: make the catalogue say what its files say, models and voices."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from gateway.catalogue.file import CATALOGUE_FILE, CatalogueFileInvalid
from gateway.catalogue.loader import load_catalogue
from gateway.catalogue.queries import routes_near_sunset
from gateway.voices.file import VoicesFileInvalid
from gateway.voices.loader import load_voices


class Command(BaseCommand):
    """Load the catalogue. Safe to repeat; rows that staff edited are left alone."""

    help = "Load model-catalog.json and voices.json; rows that staff edited are left alone."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take another file than our own."""
        parser.add_argument("--file", type=Path, default=CATALOGUE_FILE)

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401  Django's own signature
        """Load, say what happened, and warn of models that end soon."""
        try:
            loaded = load_catalogue(options["file"])
        except (CatalogueFileInvalid, ValidationError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"catalogue: {loaded.written} rows written, {loaded.removed} removed, "
            f"{loaded.kept} left as staff edited them"
        )
        self._load_voices()
        for route in routes_near_sunset():
            model = route.model
            self.stdout.write(
                f"catalogue: {route.channel} {route.kind}: {model} ends on {model.sunset_on}, "
                f"then {model.successor} answers"
            )

    def _load_voices(self) -> None:
        try:
            loaded = load_voices()
        except (VoicesFileInvalid, ValidationError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"voices: {loaded.written} rows written, {loaded.removed} removed, "
            f"{loaded.kept} left as staff edited them"
        )
