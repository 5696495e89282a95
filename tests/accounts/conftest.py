"""Settings and rows that the tests of accounts share."""

from collections.abc import Callable

import pytest
from pytest_django import Settings

from studio.accounts import queries, services
from studio.accounts.callers import Caller
from studio.accounts.credentials import read_credential
from studio.accounts.models import Workspace

Identify = Callable[..., Caller]


@pytest.fixture(autouse=True)
def credentials_settings(settings: Settings) -> Settings:
    """One pepper, a good JWT secret, no static key, the seed's session times."""
    settings.APP_KEY_PEPPERS = {1: "a1" * 32}
    settings.APP_JWT_SECRET = "b2" * 32
    settings.APP_JWT_ISSUER = ""
    settings.APP_JWT_AUDIENCE = ""
    settings.APP_KEY = ""
    settings.DEFAULT_WORKSPACE = "accounts-default"
    settings.SESSION_IDLE_S = 900
    settings.SESSION_ABSOLUTE_S = 43_200
    settings.SESSION_REFRESH_GRACE_S = 30
    return settings


@pytest.fixture
def workspace(db: None) -> Workspace:
    """A paying workspace on the tier `managed`."""
    return services.create_workspace(name="accounts-acme", tier="managed")


@pytest.fixture
def app_key(workspace: Workspace) -> services.IssuedKey:
    """A secret key of that workspace."""
    return services.create_app_key(workspace_id=workspace.pk, app_id="shop")


@pytest.fixture
def identify() -> Identify:
    """Send headers through the public door: `identify(x_app_key=…, authorization=…)`."""

    def send(**headers: str) -> Caller:
        pairs = [
            (name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()
        ]
        return queries.identify(read_credential(pairs))

    return send
