"""`manage.py analytics_roll`: sum what is new in usage into the cubes, as beat does."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from analytics import rolling


class Command(BaseCommand):
    """Roll until there is nothing more to roll."""

    help = "Sum what is new in usage into the cubes."

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401  Django's own signature
        """Roll, and say how many rows there were."""
        row_count = 0
        finished = False
        try:
            while not finished:
                rolled = rolling.roll()
                row_count += rolled.row_count
                finished = rolled.finished
        except (rolling.RollerBusy, rolling.NumbersFromAnotherCluster) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{row_count} rows; usage is summed below {rolled.watermark}.")
