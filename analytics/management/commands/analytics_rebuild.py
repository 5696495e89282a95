"""`analytics_rebuild --month YYYY-MM [--workspace NAME]`: sum a month anew from its raw rows."""

from argparse import ArgumentParser
from datetime import date, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from analytics import rebuilding, rolling
from studio.accounts.models import Workspace


class Command(BaseCommand):
    """The result is the same as before, unless something was wrong."""

    help = "Sum a month anew, of one workspace, or of all and of staff's own cube."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--month", required=True, metavar="YYYY-MM")
        parser.add_argument("--workspace", metavar="NAME", help="only this one")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401  Django's own signature
        """Rebuild, and say how many rows there were."""
        try:
            month = datetime.strptime(options["month"], "%Y-%m").date()  # noqa: DTZ007  no instant
        except ValueError as error:
            raise CommandError("A month is written YYYY-MM.") from error
        try:
            self._rebuild(options["workspace"], month)
        except (rebuilding.MonthRetired, rolling.RollerBusy) as error:
            raise CommandError(str(error)) from error

    def _rebuild(self, name: str | None, month: date) -> None:
        if name is None:
            workspaces = rebuilding.known_workspaces()
        else:
            workspaces = list(Workspace.objects.filter(name=name).values_list("pk", flat=True))
            if not workspaces:
                raise CommandError(f"There is no workspace {name!r}.")
        for workspace_id in workspaces:
            row_count = rebuilding.rebuild_month(workspace_id=workspace_id, month=month)
            self.stdout.write(f"workspace {workspace_id}: {row_count} rows")
        if name is None:
            row_count = rebuilding.rebuild_staff_month(month=month)
            self.stdout.write(f"all together: {row_count} rows")
