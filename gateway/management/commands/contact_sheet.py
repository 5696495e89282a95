"""`manage.py contact_sheet`: all that Image Studio does on one sheet, made by a running `up`."""

import json
import sys
from argparse import ArgumentParser
from pathlib import Path

from django.core.management.base import BaseCommand

from bench.sheet import write_sheet
from bench.sheet_calls import AskedInVain, Shown, Studio, all_shown

_UP = Path(".studio/up.json")
_SHEET = Path("docs/images/image-studio.jpg")
_MOST_BYTES = 400_000


class Command(BaseCommand):
    """Asks over HTTP as any caller does; what is made is charged to the demo workspace."""

    help = "Draw what Image Studio makes on one sheet."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--up-file", type=Path, default=_UP, help="what `up` wrote of itself")
        parser.add_argument("--out", type=Path, default=_SHEET, help="the JPEG to be written")

    def handle(self, *, up_file: Path, out: Path, **_: object) -> None:
        """Make the sheet; exit code 1 if anything was asked in vain."""
        facts = json.loads(up_file.read_text())
        shown: list[Shown] = []
        in_vain: list[AskedInVain] = []
        for one in all_shown(Studio(facts["base_url"], facts["app_key"])):
            if isinstance(one, Shown):
                shown.append(one)
                self.stdout.write(f"{one.group}: {one.label}, {one.note}")
            else:
                in_vain.append(one)
                self.stderr.write(f"IN VAIN {one}")
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(write_sheet(shown, _MOST_BYTES))
        self.stdout.write(f"{out}: {len(shown)} pictures, {out.stat().st_size} bytes")
        if in_vain:
            sys.exit(1)
