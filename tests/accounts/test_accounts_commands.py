"""The commands that operators type."""

import io

import pytest
from django.core.management import CommandError, call_command

from studio.accounts import keys, services
from studio.accounts.models import AppKey, Workspace

pytestmark = pytest.mark.django_db


def _create(*arguments: str) -> str:
    out = io.StringIO()
    call_command("create_app_key", *arguments, stdout=out)
    return out.getvalue()


def test_create_app_key_makes_the_workspace_and_prints_the_key_alone() -> None:
    printed = _create("--workspace", "accounts-cli")
    token = printed.removesuffix("\n")
    row = AppKey.objects.select_related("workspace").get(key_id=keys.key_id_of(token))
    assert printed == token + "\n"
    assert (row.workspace.name, row.workspace.tier_id) == ("accounts-cli", "free")
    assert (row.kind, row.last_four) == ("secret", token[-4:])


def test_create_app_key_uses_a_workspace_that_is_there(workspace: Workspace) -> None:
    _create("--workspace", workspace.name)
    assert workspace.app_keys.count() == 1


def test_create_app_key_takes_every_option(workspace: Workspace) -> None:
    token = _create(
        *("--workspace", workspace.name, "--publishable", "--app-id", "phone"),
        *("--scopes", "chat, models", "--models", "chat.default"),
        *("--origins", "https://shop.example", "--spend-cap", "2.5"),
    ).strip()
    row = AppKey.objects.get(key_id=keys.key_id_of(token))
    assert token.startswith("gw_pub_")
    assert (row.kind, row.app_id, row.scopes) == ("publishable", "phone", ["chat", "models"])
    assert (row.allowed_models, row.allowed_origins) == (["chat.default"], ["https://shop.example"])
    assert row.spend_cap_ucr == 2_500_000


def test_create_app_key_refuses_a_scope_in_a_sentence() -> None:
    with pytest.raises(CommandError, match="No such scope here: fly"):
        _create("--workspace", "accounts-cli", "--scopes", "fly")
    assert AppKey.objects.filter(workspace__name="accounts-cli").count() == 0


def test_set_tier_changes_the_tier_and_says_so(workspace: Workspace) -> None:
    out = io.StringIO()
    call_command("set_tier", "--workspace", workspace.name, "--tier", "vip_founder", stdout=out)
    assert out.getvalue() == "accounts-acme: vip_founder\n"
    assert Workspace.objects.get(pk=workspace.pk).tier_id == "vip_founder"


def test_set_tier_refuses_what_is_not_there(workspace: Workspace) -> None:
    with pytest.raises(CommandError, match="One of: byok, free, managed, vip_founder"):
        call_command("set_tier", "--workspace", workspace.name, "--tier", "gold")
    with pytest.raises(CommandError, match='There is no workspace "nobody"'):
        call_command("set_tier", "--workspace", "nobody", "--tier", "free")
    assert services.ensure_workspace(name=workspace.name).tier_id == "managed"
