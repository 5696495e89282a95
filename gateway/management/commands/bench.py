"""`manage.py bench [name …]`: measure the gateway beside its baselines (docs/performance.md)."""

import sys
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from bench.base64_images import bench_base64
from bench.jobs import bench_jobs
from bench.measure import Options
from bench.questions import bench_questions
from bench.rollup import bench_rollup
from bench.run import CASES, run
from bench.smart_crop import bench_smart_crop
from bench.social import bench_social
from bench.usage_exports import bench_usage_export
from bench.usage_questions import bench_analytics
from studio.supervisor.places import CannotStart

ALONE: dict[str, Callable[[float, int], bool]] = {
    "analytics": lambda seconds, rows: bench_analytics(rows=rows),
    "base64": lambda seconds, rows: bench_base64(seconds=seconds),
    "jobs": lambda seconds, rows: bench_jobs(seconds=seconds),
    "questions": lambda seconds, rows: bench_questions(),
    "rollup": lambda seconds, rows: bench_rollup(rows=rows),
    "smart-crop": lambda seconds, rows: bench_smart_crop(),
    "social": lambda seconds, rows: bench_social(),
    "usage-export": lambda seconds, rows: bench_usage_export(rows=rows),
}
"""Cases with servers of their own, or with none: each is run alone, for so many seconds or beside
so many rows.
"""


class Command(BaseCommand):
    """Starts servers and processes of its own; touches no database but one made for it."""

    help = "Measure the gateway, as ratios to a bare pass-through in the same run."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("names", nargs="*", metavar="name", help=", ".join([*CASES, *ALONE]))
        parser.add_argument("--seconds", type=float, default=4, help="per measurement")
        parser.add_argument("--rounds", type=int, default=3, help="the median is shown")
        parser.add_argument(
            "--clients", type=int, nargs="+", default=[], help="instead of a case's own"
        )
        parser.add_argument("--rows", type=int, default=1_000_000, help="of usage records")
        parser.add_argument("--streams", type=int, default=1200, help="of slow-streams")
        parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")

    def handle(  # noqa: PLR0913  the options
        self,
        *,
        names: list[str],
        seconds: float,
        rounds: int,
        clients: list[int],
        streams: int,
        rows: int,
        json: Path | None,
        **_: object,
    ) -> None:
        """Run the cases; exit code 1 if anything was wrong."""
        if len(names) == 1 and names[0] in ALONE:
            if not ALONE[names[0]](seconds, rows):
                sys.exit(1)
            return
        unknown = [name for name in names if name not in CASES]
        if unknown:
            raise CommandError(
                f"No case {', '.join(unknown)}. There are: {', '.join(CASES)}; and each alone: "
                f"{', '.join(ALONE)}."
            )
        options = Options(seconds=seconds, rounds=rounds, clients=tuple(clients), streams=streams)
        try:
            good = run(names, options, json)
        except CannotStart as error:
            raise CommandError(str(error)) from error
        if not good:
            sys.exit(1)
