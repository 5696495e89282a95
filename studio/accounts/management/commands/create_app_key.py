"""`manage.py create_app_key --workspace NAME`: make an app key and print it, and only it."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from studio.accounts import services
from studio.core.errors import GatewayError
from studio.core.money import credits_to_ucr


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


class Command(BaseCommand):
    """Make an app key; a workspace that is new is made on the free tier."""

    help = "Makes an app key and prints it. The workspace is made if it is new."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--workspace", required=True, metavar="NAME")
        parser.add_argument("--publishable", action="store_true", help="for apps in users' hands")
        parser.add_argument("--scopes", type=_words, metavar="A,B", help="default: all usual ones")
        parser.add_argument("--models", type=_words, default=[], metavar="A,B", help="default: all")
        parser.add_argument("--origins", type=_words, default=[], metavar="URL,URL")
        parser.add_argument("--app-id", default="", help="label in reports")
        parser.add_argument(
            "--spend-cap", type=credits_to_ucr, metavar="CREDITS", help="default: none"
        )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - Django's signature
        """Make the key."""
        try:
            workspace = services.ensure_workspace(name=options["workspace"])
            issued = services.create_app_key(
                workspace_id=workspace.pk,
                publishable=options["publishable"],
                scopes=options["scopes"],
                app_id=options["app_id"],
                allowed_models=options["models"],
                allowed_origins=options["origins"],
                spend_cap_ucr=options["spend_cap"],
            )
        except GatewayError as error:
            raise CommandError(error.message) from error
        self.stdout.write(issued.token)
