"""`manage.py draw_speech`: join a speech of several parts, measure it and draw its spectrogram."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from bench.spectrogram import PICTURE, draw_speech


class Command(BaseCommand):
    """Starts a sandbox of its own; touches no database."""

    help = "Write docs/images/joined-speech.png and print what is in it."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--out", type=Path, default=PICTURE)

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401  Django's own signature
        """Do it."""
        for line in draw_speech(options["out"]):
            self.stdout.write(line)
