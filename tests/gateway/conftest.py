"""Workspaces that pay, and what the database says afterwards.

Everything here commits, as the gateway is another process.
"""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
import requests
from django.db import connection
from pytest_django import DjangoDbBlocker

from billing.queries import read_balance
from billing.services import grant_credits
from studio.accounts.services import create_app_key, create_workspace
from studio.core.money import UCR_PER_CREDIT
from tests.databases import Database, django_on

CHAT = {"messages": [{"role": "user", "content": "Hello!"}], "kind": "chat.default"}


@dataclass(frozen=True, kw_only=True)
class Payer:
    """A workspace with one key, and the gateway it calls."""

    workspace_id: int
    app_key_id: int
    key: str
    url: str

    def post(self, path: str = "/v1/chat", **options: Any) -> requests.Response:
        """Send a request with the key."""
        headers = {"x-app-key": self.key, **options.pop("headers", {})}
        options.setdefault("timeout", 30)
        return requests.post(self.url + path, headers=headers, **options)

    def get(self, path: str, **options: Any) -> requests.Response:
        """Read something with the key."""
        headers = {"x-app-key": self.key, **options.pop("headers", {})}
        return requests.get(self.url + path, headers=headers, timeout=30, **options)

    def say(self, text: str, **options: Any) -> requests.Response:
        """Send one chat with this text; the sandbox reads its directives from it."""
        body = {**CHAT, "messages": [{"role": "user", "content": text}], **options.pop("body", {})}
        return self.post(json=body, **options)

    def balance(self) -> tuple[int, int]:
        """Give (available, held) in µcr."""
        found = read_balance(self.workspace_id)
        return found.available_ucr, found.held_ucr

    def usage(self) -> list[dict[str, Any]]:
        """Give the workspace's usage rows, oldest first."""
        return rows("SELECT * FROM usage WHERE workspace_id = %s ORDER BY at", self.workspace_id)

    def entries(self) -> list[dict[str, Any]]:
        """Give the workspace's journal without its grants, oldest first."""
        return rows(
            "SELECT * FROM ledger.entry WHERE wallet_id = %s AND kind NOT IN ('topup', 'promo')"
            " ORDER BY at, id, seq",
            self.workspace_id,
        )


def rows(query: str, *parameters: Any) -> list[dict[str, Any]]:
    """Run a query and give its rows by name."""
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@pytest.fixture
def open_database(
    django_db_setup: None, gateway_database: Database, django_db_blocker: DjangoDbBlocker
) -> Iterator[None]:
    """Read and write the gateway's database with real commits; ids keep tests apart."""
    with django_db_blocker.unblock(), django_on(gateway_database):
        yield


@pytest.fixture
def make_payer(open_database: None, gateway_url: str) -> Callable[..., Payer]:
    """Make workspaces with credits and a key."""

    def make(
        *, credits: float = 1000, tier: str = "managed", url: str = gateway_url, **key: Any
    ) -> Payer:
        workspace = create_workspace(name=f"payer-{uuid.uuid4()}", tier=tier)
        if credits:
            grant_credits(
                workspace_id=workspace.pk,
                amount_ucr=int(credits * UCR_PER_CREDIT),
                reason="test",
            )
        issued = create_app_key(workspace_id=workspace.pk, **key)
        return Payer(
            workspace_id=workspace.pk, app_key_id=issued.app_key_id, key=issued.token, url=url
        )

    return make


@pytest.fixture
def payer(make_payer: Callable[..., Payer]) -> Payer:
    """One workspace with 1 000 credits on the tier managed."""
    return make_payer()


@pytest.fixture
def gateway_owner(gateway_database: Database) -> Callable[[str], None]:
    """Run statements as the owner of the gateway's database."""

    def run(statements: str) -> None:
        with psycopg.connect(gateway_database.owner_url, autocommit=True) as owner:
            owner.execute(statements)

    return run
