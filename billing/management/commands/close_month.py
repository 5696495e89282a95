"""`close_month --month YYYY-MM --as USERNAME`: once to ask, once by another person to confirm."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing.finance.closing import ask_to_close, confirm_close
from billing.finance.periods import Month
from billing.finance.staff import access_staff
from billing.models.finance import MonthClose
from studio.core.errors import GatewayError


class Command(BaseCommand):
    """Close a month by two people. It stays closed for ever."""

    help = "Ask to close a calendar month (UTC), or confirm what another person asked."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--month", required=True, metavar="YYYY-MM")
        parser.add_argument("--as", required=True, metavar="USERNAME", dest="username")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401  Django's own signature
        """Ask, or confirm if somebody else has asked."""
        try:
            month = Month.parse(options["month"])
            staff = access_staff(options["username"], "billing.close_month")
            asked = MonthClose.objects.filter(month=month.first).first()
            if asked is not None and asked.requested_by_id != staff.pk:
                confirm_close(month=month, staff=staff)
                self.stdout.write(f"{month.name} is closed.")
                return
            ask_to_close(month=month, staff=staff)
        except GatewayError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{month.name}: asked. Another person confirms with the same command.")
