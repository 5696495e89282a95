"""`manage.py prepare_demo`: what `up` and `test` need in a database, in one go, safe to repeat."""

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from billing.services import grant_credits
from studio.accounts.credentials import read_credential
from studio.accounts.errors import WorkspaceExists
from studio.accounts.models import Workspace
from studio.accounts.queries import identify, workspace_by_name
from studio.accounts.services import create_app_key, create_workspace
from studio.core.errors import GatewayError
from studio.core.ids import event_id
from studio.core.money import credits_to_ucr
from studio.supervisor.plan import DEMO_WORKSPACE

DEMO_TIER = "managed"
DEMO_CREDITS = "100000"
"""$100: enough to play for days, few enough to see them shrink."""
ADMIN_USER = "admin"
_OLDEST_POSTGRES = 180_000


class Command(BaseCommand):
    """Migrate, load catalogue and prices, make a demo workspace with credits and key, an admin."""

    help = "Prepares a database for `manage.py up`. Production uses migrate and the load commands."
    requires_system_checks = ()  # `migrate` runs those that matter

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--key-file", type=Path, help="keeps the demo's app key over restarts")
        parser.add_argument("--only-data", action="store_true", help="no demo workspace, no admin")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401  Django's signature
        """Do what is not done yet."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('server_version_num')::int")
            (version,) = cursor.fetchone()
        if version < _OLDEST_POSTGRES:
            raise CommandError("Studio needs PostgreSQL 18 or newer.")
        call_command("migrate", verbosity=0, interactive=False)
        call_command("load_catalogue")
        call_command("load_prices")
        if options["only_data"]:
            return
        workspace = _demo_workspace()
        grant_credits(
            workspace_id=workspace.pk,
            amount_ucr=credits_to_ucr(DEMO_CREDITS),
            reason="demo",
            credit_id=event_id(f"demo:{workspace.pk}"),
        )
        if options["key_file"]:
            _keep_key(workspace, options["key_file"])
        _keep_admin(os.environ["STUDIO_ADMIN_PASSWORD"])


def _demo_workspace() -> Workspace:
    try:
        return create_workspace(name=DEMO_WORKSPACE, tier=DEMO_TIER)
    except WorkspaceExists:
        return workspace_by_name(DEMO_WORKSPACE)


def _keep_key(workspace: Workspace, path: Path) -> None:
    """Leave the key in the file if it opens the demo workspace, else make another one."""
    if path.exists() and _opens(workspace, path.read_text().strip()):
        return
    token = create_app_key(workspace_id=workspace.pk, app_id="demo").token
    path.touch(mode=0o600)
    path.write_text(token + "\n")


def _opens(workspace: Workspace, token: str) -> bool:
    try:
        caller = identify(read_credential([(b"x-app-key", token.encode())]))
    except GatewayError:
        return False
    return caller.workspace_id == workspace.pk


def _keep_admin(password: str) -> None:
    """Make the admin user of the demo; a password that somebody changed stays changed."""
    users = get_user_model().objects
    if not users.filter(username=ADMIN_USER).exists():
        users.create_superuser(username=ADMIN_USER, password=password)
