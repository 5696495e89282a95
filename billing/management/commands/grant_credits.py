"""`grant_credits --workspace NAME --credits N [--reason …] [--expires-in-days N] [--once KEY]`."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from billing.services import grant_credits
from studio.accounts.models import Workspace
from studio.core.errors import GatewayError
from studio.core.ids import event_id
from studio.core.money import credits_text, credits_to_ucr


class Command(BaseCommand):
    """Credit a workspace through the ledger, as a promo."""

    help = "Give a workspace credits (1 credit = $0.001), for a reason that stays in the journal."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--workspace", required=True, metavar="NAME")
        parser.add_argument(
            "--credits", required=True, metavar="N", help="decimals allowed, e.g. 0.25"
        )
        parser.add_argument("--reason", default="granted by grant_credits")
        parser.add_argument("--expires-in-days", type=int, metavar="N", help="default: never")
        parser.add_argument(
            "--once", metavar="KEY", help="the same KEY credits this workspace only once"
        )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401  Django's own signature
        """Grant, and say what the workspace has now."""
        workspace = Workspace.objects.filter(name=options["workspace"]).first()
        if workspace is None:
            raise CommandError(
                f"No workspace named {options['workspace']!r}: create_app_key makes one."
            )
        days = options["expires_in_days"]
        once = options["once"]
        try:
            verdict = grant_credits(
                workspace_id=workspace.pk,
                amount_ucr=credits_to_ucr(options["credits"]),
                reason=options["reason"],
                credit_id=event_id(f"grant:{workspace.pk}:{once}") if once else None,
                expires_at=None if days is None else timezone.now() + timedelta(days=days),
            )
        except (ValueError, GatewayError) as error:
            raise CommandError(str(error)) from error
        done = "Granted" if verdict.verdict == "credited" else "Granted before:"
        available = credits_text(verdict.available_ucr or 0)
        self.stdout.write(f"{done} {options['credits']} credits.")
        self.stdout.write(f"{workspace.name} has {available} credits available.")
