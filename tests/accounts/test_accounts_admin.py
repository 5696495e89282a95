"""Staff's pages: they show all but secrets, and end keys and sessions through the services."""

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import path
from pytest_django import DjangoAssertNumQueries

from studio.accounts import queries, services
from studio.accounts.credentials import read_credential
from studio.accounts.models import AppKey, Issuer, Session, Tier, Workspace

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]
urlpatterns = [path("admin/", admin.site.urls)]
PAGES = ["tier", "workspace", "member", "appkey", "session", "issuer"]


@pytest.fixture
def session(app_key: services.IssuedKey) -> services.OpenedSession:
    """A session of the app key."""
    credential = read_credential([(b"x-app-key", app_key.token.encode())])
    return services.open_session(
        queries.identify(credential), channel="stable", sealed_keys=b"sealed-canary"
    )


def _text(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200
    return response.content.decode()


@pytest.mark.parametrize("page", PAGES)
def test_every_list_is_shown(admin_client: Client, session: object, page: str) -> None:
    assert "accounts" in _text(admin_client, f"/admin/accounts/{page}/")


@pytest.mark.parametrize("query", ["accounts-acme", "%", "1"])
def test_workspaces_are_searched_by_name_and_id(
    admin_client: Client, workspace: Workspace, query: str
) -> None:
    found = workspace.name in _text(admin_client, f"/admin/accounts/workspace/?q={query}")
    assert found is (query == workspace.name or query == str(workspace.pk))


def test_no_page_shows_a_secret(
    admin_client: Client, app_key: services.IssuedKey, session: services.OpenedSession
) -> None:
    key_row, session_row = AppKey.objects.get(pk=app_key.app_key_id), Session.objects.get()
    text = "".join(
        _text(admin_client, f"/admin/accounts/{page}")
        for page in (
            "appkey/",
            f"appkey/{key_row.pk}/change/",
            "session/",
            f"session/{session_row.pk}/change/",
        )
    )
    assert app_key.last_four in text
    for secret in (
        app_key.token,
        app_key.token[19:-6],
        session.token,
        bytes(key_row.mac).hex(),
        bytes(session_row.token_digest).hex(),
        "sealed-canary",
    ):
        assert secret not in text


def test_keys_are_revoked_by_the_action(admin_client: Client, app_key: services.IssuedKey) -> None:
    chosen = {"action": "revoke", "_selected_action": [str(app_key.app_key_id)]}
    asked = admin_client.post("/admin/accounts/appkey/", chosen).content.decode()
    assert "stop within five seconds, for ever" in asked
    assert app_key.last_four in asked
    assert AppKey.objects.get(pk=app_key.app_key_id).revoked_at is None
    admin_client.post("/admin/accounts/appkey/", {**chosen, "confirmed": "yes"})
    assert AppKey.objects.get(pk=app_key.app_key_id).revoked_at is not None


def test_sessions_are_ended_by_the_action(
    admin_client: Client, session: services.OpenedSession
) -> None:
    row = Session.objects.get()
    chosen = {"action": "revoke", "confirmed": "yes", "_selected_action": [str(row.pk)]}
    admin_client.post("/admin/accounts/session/", chosen)
    assert services.find_live_session(session.token) is None


def test_workspaces_are_frozen_and_closed_by_actions(
    admin_client: Client, workspace: Workspace
) -> None:
    seen = []
    for action in ("freeze", "close", "activate"):
        admin_client.post(
            "/admin/accounts/workspace/",
            {"action": action, "confirmed": "yes", "_selected_action": [str(workspace.pk)]},
        )
        seen.append(Workspace.objects.get(pk=workspace.pk).status)
    assert seen == ["frozen", "closed", "active"]


@pytest.mark.parametrize("page", ["appkey/add/", "session/add/"])
def test_keys_and_sessions_are_not_added_here(admin_client: Client, page: str) -> None:
    assert admin_client.get(f"/admin/accounts/{page}").status_code == 403


def test_session_is_not_changed_here(admin_client: Client, session: services.OpenedSession) -> None:
    row = Session.objects.get()
    response = admin_client.post(f"/admin/accounts/session/{row.pk}/change/", {"subject": "other"})
    assert response.status_code == 403
    assert Session.objects.get().subject == "app"


def test_keys_scopes_and_caps_are_edited_and_checked(
    admin_client: Client, app_key: services.IssuedKey
) -> None:
    url = f"/admin/accounts/appkey/{app_key.app_key_id}/change/"
    form = {"app_id": "shop", "scopes": "chat,models", "spend_cap": "7.25"}
    admin_client.post(url, form)
    admin_client.post(url, {**form, "scopes": "chat,fly", "spend_cap": "8"})
    for wrong in ("0", "-1", "seven", "0.0000001"):
        assert "errorlist" in admin_client.post(url, {**form, "spend_cap": wrong}).content.decode()
    row = AppKey.objects.get(pk=app_key.app_key_id)
    assert (row.scopes, row.spend_cap_ucr) == (["chat", "models"], 7_250_000)
    assert 'value="7.25"' in _text(admin_client, url)
    admin_client.post(url, {**form, "spend_cap": ""})
    assert AppKey.objects.get(pk=app_key.app_key_id).spend_cap_ucr is None


def test_a_tier_s_limits_are_edited_its_slug_is_not_and_it_stays(admin_client: Client) -> None:
    url = "/admin/accounts/tier/managed/change/"
    form = {
        "slug": "other",
        "name": "Managed",
        "markup_bp": "1500",
        "request_limit": "700",
        "window_s": "60",
        "concurrency_limit": "70",
        "default_max_tokens": "2048",
        "asset_url_life_s": "3600",
    }
    admin_client.post(url, form)
    assert (
        "errorlist" in admin_client.post(url, {**form, "asset_url_life_s": "59"}).content.decode()
    )
    tier = Tier.objects.get(pk="managed")
    assert (tier.markup_bp, tier.request_limit, tier.window_s) == (1500, 700, 60)
    assert (tier.concurrency_limit, tier.asset_url_life_s) == (70, 3600)
    assert not Tier.objects.filter(pk="other").exists()
    deleted = admin_client.post("/admin/accounts/tier/managed/delete/", {"post": "yes"})
    assert deleted.status_code == 403


def test_issuer_with_a_key_that_does_not_fit_is_refused(
    admin_client: Client, workspace: Workspace
) -> None:
    form = {
        "workspace": workspace.pk,
        "issuer": "https://login.example",
        "audience": "studio",
        "algorithm": "RS256",
        "public_key_pem": "-----BEGIN PRIVATE KEY-----",
    }
    response = admin_client.post("/admin/accounts/issuer/add/", form)
    assert "This is not a public key in PEM." in response.content.decode()
    assert Issuer.objects.count() == 0


def test_list_of_keys_costs_the_same_for_many(
    admin_client: Client,
    workspace: Workspace,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for _ in range(20):
        services.create_app_key(workspace_id=workspace.pk)
    with django_assert_max_num_queries(8):
        admin_client.get("/admin/accounts/appkey/")
