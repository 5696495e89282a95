"""Session tokens: opening, refreshing, and the several ways in which they end."""

import datetime as dt
import hashlib
import re
import uuid
from collections.abc import Callable

import pytest
from django.db.models.functions import Now
from pytest_django import DjangoAssertNumQueries

from studio.accounts import services, tasks
from studio.accounts.callers import Caller
from studio.accounts.errors import (
    AccountNotFound,
    InvalidAppKey,
    InvalidSession,
    SessionNotAllowed,
    WorkspaceClosed,
)
from studio.accounts.models import AppKey, Session, Workspace

pytestmark = pytest.mark.django_db
Identify = Callable[..., Caller]
SECOND = dt.timedelta(seconds=1)


@pytest.fixture
def caller(app_key: services.IssuedKey, identify: Identify) -> Caller:
    """Whoever holds the app key."""
    return identify(x_app_key=app_key.token)


@pytest.fixture
def token(caller: Caller) -> str:
    """A session of that caller."""
    return services.open_session(caller, channel="stable").token


def _row(token: str) -> Session:
    return Session.objects.get(token_digest=hashlib.sha256(token.encode()).digest())


def _rotated(token: str, *, ago_s: int) -> str:
    """Refresh a session and pretend that it was so long ago."""
    new = services.refresh_session(token).token
    Session.objects.filter(pk=_row(token).pk).update(rotated_at=Now() - ago_s * SECOND)
    return new


def test_session_stands_for_the_keys_caller(caller: Caller, identify: Identify) -> None:
    opened = services.open_session(caller, channel="fast", app_id="phone")
    assert re.fullmatch(r"gws_[0-9A-Za-z_-]{43}", opened.token)
    assert opened.expires_in_s == 900
    session = identify(x_session_token=opened.token)
    assert (session.kind, session.channel, session.app_id) == ("session", "fast", "phone")
    assert session.expires_at == int(_row(opened.token).expires_at.timestamp())
    same = ("workspace_id", "app_key_id", "limiter_key", "scopes", "user_ref", "markup_bp")
    assert [getattr(session, name) for name in same] == [getattr(caller, name) for name in same]


def test_session_lasts_15_minutes_and_its_family_12_hours(token: str) -> None:
    row = _row(token)
    assert row.ends_at - row.expires_at == dt.timedelta(hours=11, minutes=45)
    assert abs(row.expires_at - row.created_at - dt.timedelta(minutes=15)) < SECOND


def test_bearer_session_is_the_same_caller(token: str, identify: Identify) -> None:
    assert identify(authorization=f"Bearer {token}") == identify(x_session_token=token)


def test_identify_is_one_statement(
    token: str, identify: Identify, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        identify(x_session_token=token)


def test_every_opening_gives_another_token(caller: Caller) -> None:
    tokens = {services.open_session(caller, channel="stable").token for _ in range(5)}
    assert len(tokens) == 5


def test_session_ends_at_its_second(token: str, identify: Identify) -> None:
    row = Session.objects.filter(pk=_row(token).pk)
    row.update(expires_at=Now() + 5 * SECOND)
    assert identify(x_session_token=token).kind == "session"
    row.update(expires_at=Now())
    with pytest.raises(InvalidSession, match="^Invalid or expired session token$"):
        identify(x_session_token=token)
    with pytest.raises(InvalidSession):
        services.refresh_session(token)


def test_session_cannot_open_a_session(token: str, identify: Identify) -> None:
    with pytest.raises(SessionNotAllowed) as refusal:
        services.open_session(identify(x_session_token=token), channel="stable")
    assert refusal.value.status == 403
    assert Session.objects.count() == 1


def test_refresh_replaces_the_token_and_keeps_the_rest(caller: Caller, identify: Identify) -> None:
    family = uuid.uuid4()
    old = services.open_session(
        caller, channel="fast", app_id="phone", family=family, sealed_keys=b"sealed"
    )
    refreshed = services.refresh_session(old.token)
    row = _row(refreshed.token)
    assert refreshed.token != old.token
    assert refreshed.expires_in_s == 900
    assert (row.family, row.sealed_keys, row.ends_at) == (
        family,
        b"sealed",
        _row(old.token).ends_at,
    )
    seen = identify(x_session_token=refreshed.token)
    assert abs((refreshed.caller.expires_at or 0) - (seen.expires_at or 0)) <= 1
    assert (seen.channel, seen.app_id, seen.user_ref) == ("fast", "phone", "app")
    assert (refreshed.caller.limiter_key, refreshed.caller.scopes) == (
        seen.limiter_key,
        seen.scopes,
    )


def test_refresh_does_not_outlive_the_family(token: str) -> None:
    Session.objects.filter(pk=_row(token).pk).update(
        expires_at=Now() + 60 * SECOND, ends_at=Now() + 60 * SECOND
    )
    refreshed = services.refresh_session(token)
    row = _row(refreshed.token)
    assert row.expires_at == row.ends_at
    assert 58 <= refreshed.expires_in_s <= 60


def test_replaced_token_works_for_its_grace(token: str, identify: Identify) -> None:
    new = _rotated(token, ago_s=20)
    caller = identify(x_session_token=token)
    rotated_at = _row(token).rotated_at
    assert rotated_at is not None
    assert caller.expires_at == int((rotated_at + 30 * SECOND).timestamp())
    assert identify(x_session_token=new).kind == "session"


def test_refreshing_twice_within_the_grace_gives_two_good_tokens(
    token: str, identify: Identify
) -> None:
    first = services.refresh_session(token).token
    rotated_at = _row(token).rotated_at
    second = services.refresh_session(token).token
    assert _row(token).rotated_at == rotated_at
    assert identify(x_session_token=first).kind == identify(x_session_token=second).kind


@pytest.mark.parametrize("use", ["identify", "refresh"])
def test_using_a_replaced_token_after_its_grace_ends_the_family(
    token: str, identify: Identify, use: str
) -> None:
    new = _rotated(token, ago_s=30)
    newest = services.refresh_session(new).token
    with pytest.raises(InvalidSession):
        identify(x_session_token=token) if use == "identify" else services.refresh_session(token)
    for survivor in (token, new, newest):
        with pytest.raises(InvalidSession):
            identify(x_session_token=survivor)
        with pytest.raises(InvalidSession):
            services.refresh_session(survivor)


def test_one_familys_end_leaves_others_alone(
    token: str, caller: Caller, identify: Identify
) -> None:
    other = services.open_session(caller, channel="stable").token
    _rotated(token, ago_s=31)
    with pytest.raises(InvalidSession):
        identify(x_session_token=token)
    assert identify(x_session_token=other).kind == "session"


def test_revoked_session_ends_with_its_successors(token: str, identify: Identify) -> None:
    new = services.refresh_session(token).token
    services.revoke_session(session_id=_row(token).pk)
    with pytest.raises(InvalidSession):
        identify(x_session_token=new)
    with pytest.raises(AccountNotFound):
        services.revoke_session(session_id=0)


def test_revoking_the_key_ends_its_sessions(
    token: str, app_key: services.IssuedKey, caller: Caller, identify: Identify
) -> None:
    services.revoke_app_key(app_key_id=app_key.app_key_id)
    with pytest.raises(InvalidSession):
        identify(x_session_token=token)
    with pytest.raises(InvalidSession):
        services.refresh_session(token)


def test_session_ends_with_its_key(
    token: str, app_key: services.IssuedKey, identify: Identify
) -> None:
    row = AppKey.objects.filter(pk=app_key.app_key_id)
    row.update(expires_at=Now() + 60 * SECOND)
    key_end = row.get().expires_at
    assert key_end is not None
    assert identify(x_session_token=token).expires_at == int(key_end.timestamp())
    row.update(expires_at=Now())
    with pytest.raises(InvalidSession):
        identify(x_session_token=token)


def test_narrowing_the_key_narrows_its_sessions(
    token: str, app_key: services.IssuedKey, identify: Identify
) -> None:
    AppKey.objects.filter(pk=app_key.app_key_id).update(scopes=["models", "keys:manage"])
    assert identify(x_session_token=token).scopes == ("models",)


def test_closed_workspace_is_refused(token: str, workspace: Workspace, identify: Identify) -> None:
    services.set_workspace_status(workspace_id=workspace.pk, status=Workspace.Status.CLOSED)
    with pytest.raises(WorkspaceClosed):
        identify(x_session_token=token)


def test_publishable_keys_session_may_do_what_clients_need(
    workspace: Workspace, identify: Identify
) -> None:
    issued = services.create_app_key(workspace_id=workspace.pk, publishable=True)
    opened = services.open_session(identify(x_app_key=issued.token), channel="stable")
    session = identify(x_session_token=opened.token)
    assert session.scopes == ("chat", "models", "images", "audio", "jobs", "realtime")
    assert (session.publishable, session.request_limit) == (False, 600)


def test_publishable_key_revoked_meanwhile_opens_nothing(
    workspace: Workspace, identify: Identify
) -> None:
    issued = services.create_app_key(workspace_id=workspace.pk, publishable=True)
    caller = identify(x_app_key=issued.token)
    services.revoke_app_key(app_key_id=issued.app_key_id)
    with pytest.raises(InvalidAppKey):
        services.open_session(caller, channel="stable")
    assert Session.objects.count() == 0


def test_unknown_token_is_refused(db: None, identify: Identify) -> None:
    with pytest.raises(InvalidSession):
        identify(x_session_token="gws_" + "A" * 43)


def test_only_the_digest_is_stored(token: str) -> None:
    row = _row(token)
    assert bytes(row.token_digest) == hashlib.sha256(token.encode()).digest()
    assert token not in repr(vars(row))


def test_purge_deletes_families_whose_time_is_over(token: str, caller: Caller) -> None:
    kept = services.open_session(caller, channel="stable").token
    Session.objects.filter(pk=_row(token).pk).update(
        expires_at=Now() - SECOND, ends_at=Now() - SECOND
    )
    tasks.purge_sessions()
    assert [row.pk for row in Session.objects.all()] == [_row(kept).pk]
    assert services.purge_sessions() == 0
