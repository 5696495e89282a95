"""`manage.py reconcile`: print every violated invariant; exit 1 if there is one."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from gateway.reconcile import AlreadyReconciling, find_violations, reconcile_since_last


class Command(BaseCommand):
    help = "Compare ledger, holds, calls and usage; print what does not add up."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the option."""
        parser.add_argument(
            "--since-last",
            action="store_true",
            help="Look at what was written since everything was last in order, as beat does.",
        )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401  Django's signature
        try:
            violations = reconcile_since_last() if options["since_last"] else find_violations()
        except AlreadyReconciling as error:
            raise CommandError(str(error)) from error
        for violation in violations:
            self.stdout.write(f"{violation.source}: {violation.text}")
        if violations:
            self.stderr.write(f"{len(violations)} violations")
            sys.exit(1)
        self.stdout.write("reconcile: 0 violations")
