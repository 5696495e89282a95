"""`manage.py make_voice_previews`: speak the voices' examples, paid by a workspace."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from gateway.models.voice import Voice
from gateway.voices.previews import make_previews, previews_wanted
from studio.accounts.queries import workspace_by_name
from studio.core.errors import GatewayError
from studio.core.money import credits_text


class Command(BaseCommand):
    """Make the previews that are missing, or whose text or model changed."""

    help = "Make previews of voices; without names, all that are missing or old."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("voices", nargs="*", help="ids of voices")
        parser.add_argument("--workspace", default=settings.PREVIEWS_WORKSPACE, help="who pays")
        parser.add_argument("--again", action="store_true", help="also those that are there")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401  Django's own signature
        """Make them and say what they cost."""
        slugs = set(options["voices"])
        known = Voice.objects.filter(enabled=True, slug__in=slugs).values_list("slug", flat=True)
        if unknown := slugs.difference(known):
            raise CommandError(f"There is no voice {', '.join(sorted(unknown))}.")
        wanted = previews_wanted(slugs or None, again=options["again"])
        try:
            workspace = workspace_by_name(options["workspace"])
            charged_ucr = make_previews(wanted, workspace=workspace)
        except GatewayError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{len(wanted)} previews made for {credits_text(charged_ucr)} credits")
