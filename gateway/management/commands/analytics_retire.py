"""`manage.py analytics_retire`: take months of usage and cubes away that are past their time."""

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from analytics.partitions import Kept, Refused, due
from gateway.retiring import retire_due


class Command(BaseCommand):
    """Works as the owner of the database (DATABASE_OWNER_URL)."""

    help = "Seal and retire months of usage and cubes that are past their time (USAGE_KEPT_MONTHS)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the option."""
        parser.add_argument("--dry-run", action="store_true", help="only say which")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401  Django's own signature
        """Retire, and name what is gone."""
        if not settings.DATABASE_OWNER_URL:
            raise CommandError("It needs DATABASE_OWNER_URL.")
        kept = Kept(
            raw_months=settings.USAGE_KEPT_MONTHS or None,
            hour_days=settings.USAGE_HOURS_KEPT_DAYS,
            day_months=settings.USAGE_DAYS_KEPT_MONTHS,
        )
        today = datetime.now(UTC).date()
        with psycopg.connect(settings.DATABASE_OWNER_URL, autocommit=True) as owner:
            owner.execute("SET statement_timeout = 0")
            try:
                if options["dry_run"]:
                    parts = due(owner, kept=kept, today=today)
                else:
                    parts = retire_due(owner, kept=kept, today=today)
            except Refused as error:
                raise CommandError(str(error)) from error
        for part in parts:
            self.stdout.write(f"{part.table} {part.month:%Y-%m}")
        self.stdout.write(f"{len(parts)} {'due' if options['dry_run'] else 'retired'}")
