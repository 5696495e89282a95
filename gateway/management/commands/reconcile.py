"""`manage.py reconcile`: print every violated invariant; exit 1 if there is one."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from gateway.reconcile import find_violations


class Command(BaseCommand):
    help = "Compare ledger, holds, calls and usage; print what does not add up."

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401  Django's signature
        violations = find_violations()
        for violation in violations:
            self.stdout.write(f"{violation.source}: {violation.text}")
        if violations:
            self.stderr.write(f"{len(violations)} violations")
            sys.exit(1)
        self.stdout.write("reconcile: 0 violations")
