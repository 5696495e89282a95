"""Many more callers at once than the wallet affords, over four gateways: exactly as many are let
in.

`manage.py torture holds` does the same with 10 000 callers on a wallet that affords 5 000.
"""

import asyncio
from urllib.parse import urlsplit

from django.db import connection

from bench.torture.holds import crowd
from billing.queries import read_balance
from billing.services import grant_credits
from gateway.reconcile import find_violations
from studio.accounts.models import Tier
from studio.accounts.services import create_app_key, create_workspace
from tests.conftest import StartGateway
from tests.databases import Database, django_on

GATEWAYS = 4
AFFORDABLE = 60
ASKING = 240


def make_payer(name: str, granted_ucr: int) -> tuple[int, str]:
    """Make a workspace on the tier `crowd`. Returns: its id and a key of it."""
    workspace = create_workspace(name=name, tier="crowd")
    grant_credits(workspace_id=workspace.pk, amount_ucr=granted_ucr, reason="test")
    return workspace.pk, create_app_key(workspace_id=workspace.pk).token


def wait_until_left(workspace_id: int) -> None:
    """Wait until nothing of the workspace is held any more, at most 20 s."""
    with connection.cursor() as cursor:
        for _ in range(200):
            if read_balance(workspace_id).held_ucr == 0:
                return
            cursor.execute("SELECT pg_sleep(0.1)")
    raise AssertionError("credit is still held 20 s after everybody left")


def test_exactly_as_many_chats_are_admitted_as_the_wallet_affords(
    fresh_database: Database, start_gateway: StartGateway
) -> None:
    ports = [urlsplit(start_gateway(fresh_database).url).port or 0 for _ in range(GATEWAYS)]
    with django_on(fresh_database):
        Tier.objects.create(
            slug="crowd",
            name="Crowd",
            markup_bp=2000,
            request_limit=100_000,
            window_s=900,
            concurrency_limit=100_000,
            default_max_tokens=1024,
        )
        _, probe_key = make_payer("probe", 10**12)
        hold_ucr = asyncio.run(crowd(ports, probe_key, 1)).held_ucr
        granted_ucr = AFFORDABLE * hold_ucr + hold_ucr // 2
        workspace_id, key = make_payer("payer", granted_ucr)

        seen = asyncio.run(crowd(ports, key, ASKING))

        assert (seen.admitted, seen.refused) == (AFFORDABLE, ASKING - AFFORDABLE)
        assert seen.others == {}
        wait_until_left(workspace_id)
        balance = read_balance(workspace_id)
        assert (balance.available_ucr, balance.held_ucr) == (granted_ucr, 0)
        assert find_violations() == []
