"""A request with two credentials: fine when they stand for the same caller, refused otherwise."""

from collections.abc import Callable

import pytest

from studio.accounts import services
from studio.accounts.callers import Caller
from studio.accounts.errors import CredentialsDiffer, InvalidAppKey, InvalidSession
from studio.accounts.models import Workspace

pytestmark = pytest.mark.django_db
Identify = Callable[..., Caller]


@pytest.fixture
def session(app_key: services.IssuedKey, identify: Identify) -> str:
    """A session of the app key."""
    return services.open_session(identify(x_app_key=app_key.token), channel="fast").token


def test_session_wins_beside_its_own_key(
    app_key: services.IssuedKey, session: str, identify: Identify
) -> None:
    both = identify(x_app_key=app_key.token, x_session_token=session)
    assert both == identify(x_session_token=session)
    assert both.channel == "fast"


def test_two_keys_of_one_workspace_differ(
    workspace: Workspace, app_key: services.IssuedKey, identify: Identify
) -> None:
    other = services.create_app_key(workspace_id=workspace.pk)
    with pytest.raises(CredentialsDiffer) as refusal:
        identify(x_app_key=app_key.token, authorization=f"Bearer {other.token}")
    assert refusal.value.status == 401
    for headers in (
        {"x_api_key": app_key.token, "x_app_key": other.token},
        {"x_api_key": other.token, "authorization": f"Bearer {app_key.token}"},
    ):
        with pytest.raises(CredentialsDiffer):
            identify(**headers)


def test_a_key_is_the_same_caller_under_either_name(
    app_key: services.IssuedKey, session: str, identify: Identify
) -> None:
    caller = identify(x_app_key=app_key.token)
    assert identify(x_api_key=app_key.token) == caller
    assert identify(x_api_key=app_key.token, x_app_key=app_key.token) == caller
    beside = identify(x_api_key=app_key.token, x_session_token=session)
    assert beside == identify(x_session_token=session)


def test_session_beside_another_workspaces_key_is_refused(session: str, identify: Identify) -> None:
    stranger = services.create_workspace(name="accounts-stranger")
    other = services.create_app_key(workspace_id=stranger.pk)
    with pytest.raises(CredentialsDiffer):
        identify(x_app_key=other.token, x_session_token=session)


def test_a_bad_credential_is_not_carried_by_a_good_one(
    app_key: services.IssuedKey, session: str, identify: Identify
) -> None:
    with pytest.raises(InvalidSession):
        identify(x_app_key=app_key.token, x_session_token="gws_" + "A" * 43)
    services.revoke_app_key(app_key_id=app_key.app_key_id)
    with pytest.raises((InvalidAppKey, InvalidSession)):
        identify(x_app_key=app_key.token, x_session_token=session)
