"""`manage.py set_tier --workspace NAME --tier SLUG`: put a workspace on another plan."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from studio.accounts import queries, services
from studio.core.errors import GatewayError


class Command(BaseCommand):
    """Change a workspace's tier."""

    help = "Puts a workspace on another tier."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--workspace", required=True, metavar="NAME")
        parser.add_argument("--tier", required=True, metavar="SLUG")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - Django's signature
        """Change it."""
        try:
            workspace = queries.workspace_by_name(options["workspace"])
            services.set_tier(workspace_id=workspace.pk, tier=options["tier"])
        except GatewayError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{workspace.name}: {options['tier']}")
