"""Workspaces, tiers and members: what is made by default and what the database refuses."""

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction

from studio.accounts import services
from studio.accounts.errors import AccountNotFound, WorkspaceExists
from studio.accounts.models import AppKey, Issuer, Member, Session, Tier, Workspace
from studio.core.errors import InvalidRequest

pytestmark = pytest.mark.django_db


def test_the_four_tiers_are_there() -> None:
    rows = Tier.objects.filter(slug__in=["free", "managed", "byok", "vip_founder"])
    figures = {
        tier.slug: (
            tier.markup_bp,
            tier.request_limit,
            tier.window_s,
            tier.concurrency_limit,
            tier.default_max_tokens,
        )
        for tier in rows
    }
    assert figures == {
        "free": (5000, 100, 900, 20, 4096),
        "managed": (2000, 600, 900, 60, 8192),
        "byok": (0, 600, 900, 60, 8192),
        "vip_founder": (0, 1200, 900, 120, 16384),
    }


def test_new_workspace_is_free_active_and_in_utc() -> None:
    workspace = services.create_workspace(name="accounts-new")
    assert (workspace.tier_id, workspace.status, workspace.time_zone) == ("free", "active", "UTC")
    assert services.ensure_workspace(name="accounts-new").pk == workspace.pk


def test_database_alone_gives_a_workspace_its_defaults() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO accounts_workspace (name, tier_id) VALUES ('accounts-sql', 'free')"
            " RETURNING status, time_zone, created_at IS NOT NULL"
        )
        assert cursor.fetchone() == ("active", "UTC", True)


def test_name_is_taken_once(workspace: Workspace) -> None:
    with pytest.raises(WorkspaceExists) as refusal:
        services.create_workspace(name=workspace.name)
    assert refusal.value.status == 409
    assert Workspace.objects.filter(name=workspace.name).count() == 1


@pytest.mark.parametrize("name", ["", " padded", "a\x00b", "a\nb", "a" * 101])
def test_unusable_name_is_refused(name: str) -> None:
    before = Workspace.objects.count()
    with pytest.raises(InvalidRequest):
        services.create_workspace(name=name)
    assert Workspace.objects.count() == before


def test_unknown_time_zone_and_tier_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="No such time zone"):
        services.create_workspace(name="accounts-new", time_zone="Mars/Olympus")
    with pytest.raises(AccountNotFound, match='There is no tier "gold"'):
        services.create_workspace(name="accounts-new", tier="gold")
    assert not Workspace.objects.filter(name="accounts-new").exists()


def test_tier_is_changed_only_to_one_that_exists(workspace: Workspace) -> None:
    services.set_tier(workspace_id=workspace.pk, tier="byok")
    with pytest.raises(AccountNotFound):
        services.set_tier(workspace_id=workspace.pk, tier="gold")
    with pytest.raises(AccountNotFound):
        services.set_tier(workspace_id=0, tier="byok")
    assert Workspace.objects.get(pk=workspace.pk).tier_id == "byok"


def test_member_is_once_in_a_workspace_and_has_a_known_role(workspace: Workspace) -> None:
    user = User.objects.create_user("accounts-ada")
    Member.objects.create(workspace=workspace, user=user, role=Member.Role.OWNER)
    for role in ("viewer", "emperor"):
        with pytest.raises(IntegrityError), transaction.atomic():
            Member.objects.create(workspace=workspace, user=user, role=role)
    assert workspace.members.get().role == "owner"


def _refused(table: str, change: str) -> bool:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"UPDATE {table} SET {change}")  # noqa: S608 - literals of this test
    except IntegrityError:
        return True
    return False


def test_constraints_hold_against_plain_sql(
    workspace: Workspace, app_key: services.IssuedKey
) -> None:
    Issuer.objects.create(
        workspace=workspace, issuer="i", audience="a", algorithm="RS256", public_key_pem="-"
    )
    refused = {
        "accounts_workspace": ["status = 'gone'", "name = ''"],
        "accounts_tier": ["request_limit = 0", "window_s = 0", "markup_bp = 1000001"],
        "accounts_appkey": [
            "kind = 'static'",
            "spent_ucr = -1",
            "spend_cap_ucr = 0",
            "key_id = NULL",
        ],
        "accounts_issuer": ["algorithm = 'HS256'", "issuer = ''", "audience = ''"],
    }
    let_through = [
        (table, change)
        for table, changes in refused.items()
        for change in changes
        if not _refused(table, change)
    ]
    assert let_through == []
    assert AppKey.objects.get(pk=app_key.app_key_id).kind == "secret"
    assert not Session.objects.exists()
