"""App keys: their format, who they stand for, and when they no longer do."""

import datetime as dt
import re
import zlib
from collections.abc import Callable

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries, Settings

from studio.accounts import keys, services
from studio.accounts.callers import Caller
from studio.accounts.errors import AccountNotFound, InvalidAppKey, WorkspaceClosed
from studio.accounts.models import AppKey, Workspace
from studio.core.errors import InvalidRequest

pytestmark = pytest.mark.django_db
Identify = Callable[..., Caller]
SECOND = dt.timedelta(seconds=1)
CLIENT = ("chat", "models", "images", "audio", "jobs", "realtime")
USUAL = (*CLIENT, "credits:read", "analytics:read", "billing")


def _base62(number: int, length: int) -> str:
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    text = ""
    for _ in range(length):
        number, digit = divmod(number, 62)
        text = digits[digit] + text
    return text


def test_secret_key_has_68_characters_and_the_crc_of_its_body() -> None:
    minted = keys.mint(publishable=False)
    assert re.fullmatch(r"gw_live_[0-9A-Za-z]{60}", minted.token)
    assert len(minted.token) == 68
    assert minted.token[8:19] == minted.key_id
    assert minted.token[-6:] == _base62(zlib.crc32(minted.token[:-6].encode()), 6)
    assert minted.last_four == minted.token[-4:]


def test_publishable_key_says_so_in_its_prefix() -> None:
    minted = keys.mint(publishable=True)
    assert re.fullmatch(r"gw_pub_[0-9A-Za-z]{60}", minted.token)
    assert keys.key_id_of(minted.token) == minted.key_id


def test_crc_and_key_id_of_a_known_key() -> None:
    body = "gw_live_" + "A" * 11 + "b" * 43
    token = body + _base62(zlib.crc32(body.encode()), 6)
    assert keys.key_id_of(token) == "A" * 11


def test_every_single_typing_error_is_told_from_the_text_alone() -> None:
    token = keys.mint(publishable=False).token
    wrong = [
        token[:place] + ("x" if token[place] != "x" else "y") + token[place + 1 :]
        for place in range(len(token))
    ]
    assert [keys.key_id_of(text) for text in wrong] == [None] * 68


def test_a_key_shows_itself_in_no_repr() -> None:
    minted = keys.mint(publishable=False)
    issued = services.IssuedKey(token=minted.token, app_key_id=7, last_four="abcd")
    assert repr(minted) == f"MintedKey(key_id='{minted.key_id}')"
    assert repr(issued) == "IssuedKey(app_key_id=7)"


def test_identify_gives_all_that_the_hot_path_needs(
    workspace: Workspace, identify: Identify
) -> None:
    issued = services.create_app_key(
        workspace_id=workspace.pk,
        app_id="shop",
        allowed_models=["chat.default"],
        allowed_origins=["https://shop.example"],
        spend_cap_ucr=5_000_000,
    )
    assert identify(x_app_key=issued.token) == Caller(
        kind="app_key",
        workspace_id=workspace.pk,
        workspace_status="active",
        tier="managed",
        markup_bp=2000,
        request_limit=600,
        window_s=900,
        concurrency_limit=60,
        default_max_tokens=8192,
        limiter_key=f"key:{issued.app_key_id}",
        app_key_id=issued.app_key_id,
        issuer_id=None,
        publishable=False,
        scopes=USUAL,
        models=("chat.default",),
        spend_cap_ucr=5_000_000,
        app_id="shop",
        user_ref="app",
        channel=None,
        allowed_origins=("https://shop.example",),
        expires_at=None,
    )


def test_bearer_and_header_name_the_same_caller(
    app_key: services.IssuedKey, identify: Identify
) -> None:
    assert identify(authorization=f"Bearer {app_key.token}") == identify(x_app_key=app_key.token)


def test_the_database_never_sees_the_key(workspace: Workspace, identify: Identify) -> None:
    with CaptureQueriesContext(connection) as statements:
        issued = services.create_app_key(workspace_id=workspace.pk)
        identify(x_app_key=issued.token)
    row = AppKey.objects.get(pk=issued.app_key_id)
    assert bytes(row.mac) == keys.mac(issued.token, "a1" * 32)
    assert issued.token[20:60] not in "".join(query["sql"] for query in statements)


def test_wrong_and_unknown_key_are_refused_alike(
    app_key: services.IssuedKey, identify: Identify
) -> None:
    body = app_key.token[:19] + "0" * 43
    wrong = body + _base62(zlib.crc32(body.encode()), 6)
    for token in (wrong, keys.mint(publishable=False).token):
        with pytest.raises(InvalidAppKey, match="^Invalid app key$") as refusal:
            identify(x_app_key=token)
        assert (refusal.value.status, refusal.value.code) == (401, "authentication_error")
    assert AppKey.objects.get(pk=app_key.app_key_id).last_used_at is None


def test_publishable_text_with_a_secret_keys_id_is_refused(
    app_key: services.IssuedKey, identify: Identify
) -> None:
    body = "gw_pub_" + app_key.token[8:-6]
    with pytest.raises(InvalidAppKey):
        identify(x_app_key=body + _base62(zlib.crc32(body.encode()), 6))


def test_revoked_key_is_refused_and_stays_revoked_at_the_first_time(
    app_key: services.IssuedKey, identify: Identify
) -> None:
    services.revoke_app_key(app_key_id=app_key.app_key_id)
    first = AppKey.objects.get(pk=app_key.app_key_id).revoked_at
    services.revoke_app_key(app_key_id=app_key.app_key_id)
    assert first is not None
    assert AppKey.objects.get(pk=app_key.app_key_id).revoked_at == first
    with pytest.raises(InvalidAppKey):
        identify(x_app_key=app_key.token)


def test_revoking_a_key_that_is_not_there_says_so(db: None) -> None:
    with pytest.raises(AccountNotFound):
        services.revoke_app_key(app_key_id=0)


def test_expiry_is_by_the_databases_clock(app_key: services.IssuedKey, identify: Identify) -> None:
    row = AppKey.objects.filter(pk=app_key.app_key_id)
    row.update(expires_at=Now() + 5 * SECOND)
    expires_at = row.get().expires_at
    assert expires_at is not None
    assert identify(x_app_key=app_key.token).expires_at == int(expires_at.timestamp())
    row.update(expires_at=Now())
    with pytest.raises(InvalidAppKey):
        identify(x_app_key=app_key.token)


def test_second_use_within_a_minute_is_one_statement(
    app_key: services.IssuedKey,
    identify: Identify,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    identify(x_app_key=app_key.token)
    first = AppKey.objects.get(pk=app_key.app_key_id).last_used_at
    assert first is not None
    with django_assert_num_queries(1):
        identify(x_app_key=app_key.token)
    AppKey.objects.filter(pk=app_key.app_key_id).update(last_used_at=first - 61 * SECOND)
    identify(x_app_key=app_key.token)
    last = AppKey.objects.get(pk=app_key.app_key_id).last_used_at
    assert last is not None
    assert last > first


def test_malformed_key_costs_no_statement(
    db: None, identify: Identify, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0), pytest.raises(InvalidAppKey):
        identify(x_app_key="gw_live_" + "0" * 60)


def test_use_moves_a_key_to_the_newest_pepper(
    app_key: services.IssuedKey, identify: Identify, settings: Settings
) -> None:
    before = identify(x_app_key=app_key.token)
    settings.APP_KEY_PEPPERS = {1: "a1" * 32, 2: "c3" * 32}
    assert identify(x_app_key=app_key.token) == before
    row = AppKey.objects.get(pk=app_key.app_key_id)
    assert (row.pepper_version, bytes(row.mac)) == (2, keys.mac(app_key.token, "c3" * 32))
    settings.APP_KEY_PEPPERS = {2: "c3" * 32}
    assert identify(x_app_key=app_key.token) == before


def test_key_whose_pepper_is_gone_is_refused(
    app_key: services.IssuedKey, identify: Identify, settings: Settings
) -> None:
    settings.APP_KEY_PEPPERS = {2: "c3" * 32}
    with pytest.raises(InvalidAppKey):
        identify(x_app_key=app_key.token)
    assert AppKey.objects.get(pk=app_key.app_key_id).pepper_version == 1


def test_frozen_workspace_is_identified_and_closed_one_is_refused(
    workspace: Workspace, app_key: services.IssuedKey, identify: Identify
) -> None:
    services.set_workspace_status(workspace_id=workspace.pk, status=Workspace.Status.FROZEN)
    assert identify(x_app_key=app_key.token).workspace_status == "frozen"
    services.set_workspace_status(workspace_id=workspace.pk, status=Workspace.Status.CLOSED)
    with pytest.raises(WorkspaceClosed) as refusal:
        identify(x_app_key=app_key.token)
    assert refusal.value.status == 403


def test_publishable_key_itself_has_no_scopes_and_tight_limits(
    workspace: Workspace, identify: Identify
) -> None:
    issued = services.create_app_key(workspace_id=workspace.pk, publishable=True)
    caller = identify(x_app_key=issued.token)
    assert (caller.publishable, caller.scopes) == (True, ())
    assert (caller.request_limit, caller.concurrency_limit) == (60, 5)
    assert caller.limiter_key == f"publishable:{issued.app_key_id}"


@pytest.mark.parametrize(
    ("publishable", "fields"),
    [
        (False, {"scopes": ["chat", "everything"]}),
        (True, {"scopes": ["keys:manage"]}),
        (True, {"scopes": ["credits:read"]}),
        (False, {"app_id": "a\nb"}),
        (False, {"app_id": "a" * 201}),
        (False, {"allowed_origins": ["https://shop.example/path"]}),
        (False, {"allowed_origins": ["*"]}),
        (False, {"spend_cap_ucr": 0}),
    ],
)
def test_key_that_cannot_be_is_not_made(
    workspace: Workspace, publishable: bool, fields: dict[str, object]
) -> None:
    with pytest.raises(InvalidRequest):
        services.create_app_key(workspace_id=workspace.pk, publishable=publishable, **fields)  # type: ignore[arg-type]
    assert AppKey.objects.filter(workspace=workspace).count() == 0


def test_key_management_is_given_only_by_name(workspace: Workspace, identify: Identify) -> None:
    issued = services.create_app_key(workspace_id=workspace.pk, scopes=["chat", "keys:manage"])
    assert identify(x_app_key=issued.token).scopes == ("chat", "keys:manage")
