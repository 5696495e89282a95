"""APP_KEY of the environment: a key of the default workspace, whatever its shape."""

from collections.abc import Callable

import pytest
from pytest_django import Settings

from studio.accounts import keys, services
from studio.accounts.callers import Caller
from studio.accounts.errors import InvalidAppKey, InvalidToken
from studio.accounts.models import AppKey, Workspace

pytestmark = pytest.mark.django_db
Identify = Callable[..., Caller]
STATIC = "my-secure.app.key with space"


@pytest.fixture(autouse=True)
def static_key(credentials_settings: Settings) -> None:
    """The environment names an APP_KEY."""
    credentials_settings.APP_KEY = STATIC


def test_first_use_makes_the_row_and_the_workspace(identify: Identify) -> None:
    caller = identify(x_app_key=STATIC)
    row = AppKey.objects.select_related("workspace").get(kind="static")
    assert (row.workspace.name, caller.workspace_id) == ("accounts-default", row.workspace.pk)
    assert (row.kind, row.key_id, row.last_four) == ("static", None, "pace")
    assert bytes(row.mac) == keys.mac(STATIC, "a1" * 32)
    assert (caller.tier, caller.user_ref, caller.publishable) == ("free", "app", False)
    assert "keys:manage" not in caller.scopes


def test_later_uses_find_the_same_row(identify: Identify) -> None:
    first = identify(x_app_key=STATIC)
    assert identify(authorization=f"Bearer {STATIC}") == first
    assert AppKey.objects.filter(kind="static").count() == 1


def test_it_joins_a_default_workspace_that_is_there(identify: Identify) -> None:
    workspace = services.create_workspace(name="accounts-default", tier="vip_founder")
    caller = identify(x_app_key=STATIC)
    assert (caller.workspace_id, caller.tier) == (workspace.pk, "vip_founder")


def test_revoked_it_is_not_made_again(identify: Identify) -> None:
    app_key_id = identify(x_app_key=STATIC).app_key_id
    assert app_key_id is not None
    services.revoke_app_key(app_key_id=app_key_id)
    with pytest.raises(InvalidAppKey):
        identify(x_app_key=STATIC)
    assert AppKey.objects.filter(kind="static").count() == 1


def test_it_follows_the_newest_pepper(identify: Identify, settings: Settings) -> None:
    first = identify(x_app_key=STATIC)
    settings.APP_KEY_PEPPERS = {1: "a1" * 32, 2: "c3" * 32}
    assert identify(x_app_key=STATIC) == first
    settings.APP_KEY_PEPPERS = {2: "c3" * 32}
    assert identify(x_app_key=STATIC) == first


def test_when_the_setting_changes_the_old_text_is_no_key(
    identify: Identify, settings: Settings
) -> None:
    identify(x_app_key=STATIC)
    settings.APP_KEY = "another-static-key"
    with pytest.raises(InvalidAppKey):
        identify(x_app_key=STATIC)
    with pytest.raises(InvalidToken):
        identify(authorization=f"Bearer {STATIC}")


def test_without_the_setting_no_workspace_is_made(identify: Identify, settings: Settings) -> None:
    settings.APP_KEY = ""
    with pytest.raises(InvalidAppKey):
        identify(x_app_key=STATIC)
    assert not Workspace.objects.filter(name="accounts-default").exists()
