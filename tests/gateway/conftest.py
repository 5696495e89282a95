"""Workspaces that pay, and what the database says afterwards.

Everything here commits, as the gateway is another process.
"""

import functools
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
import requests
from pytest_django import DjangoDbBlocker, Settings

from billing.queries import read_balance
from billing.services import grant_credits
from gateway.reconcile import Violation, find_violations
from studio.accounts.services import create_app_key, create_workspace
from studio.core.money import UCR_PER_CREDIT
from tests.databases import WORKER, Database, Facts, cloned, django_on, rows
from tests.gateway.job_stage import JobStage, job_database, make_stage
from tests.running import other_redis, run_media

MakePayer = Callable[..., "Payer"]
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


@pytest.fixture
def open_database(
    django_db_setup: None, gateway_database: Database, django_db_blocker: DjangoDbBlocker
) -> Iterator[None]:
    """Read and write the gateway's database with real commits; ids keep tests apart."""
    with django_db_blocker.unblock(), django_on(gateway_database):
        yield


def new_payer(*, url: str, credits: float = 1000, tier: str = "managed", **key: Any) -> Payer:
    """Make a workspace with credits and a key."""
    workspace = create_workspace(name=f"payer-{uuid.uuid4()}", tier=tier)
    if credits:
        grant_credits(
            workspace_id=workspace.pk,
            amount_ucr=int(credits * UCR_PER_CREDIT),
            reason="test",
        )
    issued = create_app_key(workspace_id=workspace.pk, **key)
    return Payer(workspace_id=workspace.pk, app_key_id=issued.app_key_id, key=issued.token, url=url)


def own_violations(payer: Payer) -> list[Violation]:
    """Give what does not add up of one workspace: others of the database's tests plant faults."""
    own = re.compile(rf"\b(wallet_id|workspace_id)={payer.workspace_id}\b")
    return [found for found in find_violations() if own.search(found.text)]


@pytest.fixture
def make_payer(open_database: None, gateway_url: str) -> MakePayer:
    """Make workspaces with credits and a key."""
    return functools.partial(new_payer, url=gateway_url)


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


@pytest.fixture(scope="session")
def media_database(server_facts: Facts) -> Iterator[Database]:
    """The database of the gateway that makes images and music."""
    with cloned(server_facts, f"studio_test_{WORKER}_media") as database:
        yield database


@pytest.fixture(scope="session")
def media_url(
    media_database: Database,
    gateway_environment: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """Run a gateway with a media worker and the clock; its broker is its own."""
    directory = tmp_path_factory.mktemp("media")
    environment = gateway_environment | {
        "DATABASE_URL": media_database.app_url,
        "DATABASE_OWNER_URL": media_database.owner_url,
        "REDIS_URL": other_redis(gateway_environment["REDIS_URL"]),
        "ASSETS_DIR": str(directory / "assets"),
    }
    with run_media(directory, environment) as url:
        yield url


@pytest.fixture
def make_media_payer(
    django_db_setup: None,
    media_database: Database,
    media_url: str,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[MakePayer]:
    """Make workspaces at the gateway that makes images and music."""
    with django_db_blocker.unblock(), django_on(media_database):
        yield functools.partial(new_payer, url=media_url)


@pytest.fixture
def media_payer(make_media_payer: MakePayer) -> Payer:
    """One workspace with 1 000 credits on the tier managed, for images and music."""
    return make_media_payer()


@pytest.fixture(scope="module")
def job_server(
    request: pytest.FixtureRequest,
    server_facts: Facts,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Database]:
    """Have a database for the jobs of one module; nobody works on them but its tests."""
    name = f"studio_test_{WORKER}_{request.module.__name__.rpartition('.')[2]}"
    with django_db_blocker.unblock(), job_database(server_facts, name) as database:
        yield database


@pytest.fixture
def stage(job_server: Database, sandbox_url: str, settings: Settings) -> JobStage:
    """Make a workspace whose jobs the sandbox makes."""
    settings.SANDBOX_URL = sandbox_url
    settings.PROVIDER_KEYS = {}
    settings.PUBLIC_URL = ""
    return make_stage(sandbox_url)
