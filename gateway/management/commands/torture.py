"""`manage.py torture`: kill processes under load, again and again, and look whether anything is
missing.
"""

import secrets
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from bench.torture.command import (
    ANALYTICS,
    JOBS,
    MIXED,
    MONEY,
    TARGETS,
    WEB_POINTS,
    Options,
    torture,
)


class Command(BaseCommand):
    """Start throw-away servers and processes, torture them, print a table."""

    help = (
        "Kills gateways, PostgreSQL or Redis under load (a gateway at each point of the walk: "
        "web-points; media workers at each state of a job: jobs; or floods one wallet: holds; or "
        "moves money beside an oracle: ledger, ledger-kills; or storms with payments: stripe; or "
        "kills rollers of usage: analytics) on "
        "throw-away servers. Exit code 1 if an acknowledged call was lost or changed, an invariant "
        "broken or credit held too long."
    )
    requires_system_checks = ()  # it uses nothing of this process's own database

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument(
            "what",
            nargs="?",
            default="all",
            choices=[
                *TARGETS,
                MIXED,
                "all",
                "holds",
                "stripe",
                WEB_POINTS,
                JOBS,
                ANALYTICS,
                *MONEY,
            ],
        )
        parser.add_argument(
            "--kills", type=int, default=25, help="of each target, or of each point and kind"
        )
        parser.add_argument("--seed", type=int, default=None, help="default: another each time")
        parser.add_argument("--seconds-between", type=float, default=5.0, help="about")
        parser.add_argument("--callers", type=int, default=24)
        parser.add_argument(
            "--affordable", type=int, default=5_000, help="holds: calls the wallet affords"
        )
        parser.add_argument("--asking", type=int, default=10_000, help="holds: callers at once")
        parser.add_argument("--hours", type=float, default=1.0, help="ledger: how long")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401  Django's signature
        """Run, and say by the exit code whether all went well."""
        seed = options["seed"]
        code = torture(
            Options(
                what=options["what"],
                kills=options["kills"],
                seed=secrets.randbelow(1_000_000) if seed is None else seed,
                seconds_between=options["seconds_between"],
                callers=options["callers"],
                affordable=options["affordable"],
                asking=options["asking"],
                hours=options["hours"],
            )
        )
        sys.exit(code)
