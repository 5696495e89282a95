"""What staff see of files, and what becomes of those they delete."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from gateway.media.queries import read_asset
from gateway.models.asset import Asset
from studio.core.ids import new_id
from tests.gateway.conftest import Payer
from tests.gateway.kept_files import keep_image, put

LIST = "admin:gateway_asset_changelist"


def client_of(name: str, *permissions: str) -> Client:
    """Log somebody in who may do this much."""
    user = User.objects.filter(username=name).first() or User.objects.create_user(
        name, is_staff=True
    )
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def staff(open_database: None) -> Iterator[Client]:
    """Somebody who may see and delete files."""
    yield client_of("files", "view_asset", "delete_asset")


def let_go(client: Client, asset: Asset) -> int:
    chosen = {"action": "let_go", "_selected_action": [str(asset.pk)]}
    return client.post(reverse(LIST), chosen).status_code


def test_a_file_is_found_by_its_id_its_job_and_its_workspace(staff: Client, payer: Payer) -> None:
    asset = keep_image(payer.workspace_id, job_id=new_id())
    other = keep_image(payer.workspace_id, job_id=new_id(), color=(9, 8, 7))
    for term in (str(asset.pk), str(asset.job_id)):
        page = staff.get(reverse(LIST), {"q": term}).content.decode()
        assert (str(asset.pk) in page, str(other.pk) in page) == (True, False)
    page = staff.get(reverse(LIST), {"q": str(payer.workspace_id)}).content.decode()
    assert (str(asset.pk) in page, str(other.pk) in page) == (True, True)


def test_a_picture_is_shown_and_a_sound_is_played_by_a_short_address(
    staff: Client, payer: Payer
) -> None:
    picture, sound = keep_image(payer.workspace_id), put(payer.workspace_id, b"some sound")
    for asset, mark in ((picture, '<img src="'), (sound, '<audio controls preload="none" src="')):
        page = staff.get(reverse("admin:gateway_asset_change", args=[asset.pk])).content.decode()
        address = page.partition(mark)[2].partition('"')[0].replace("&amp;", "&")
        assert address.startswith(f"/v1/assets/{asset.pk}?expires=")
        assert payer.get(address).status_code == 200


def test_staff_delete_a_file_for_everyone(staff: Client, payer: Payer) -> None:
    asset = keep_image(payer.workspace_id)
    assert let_go(staff, asset) == 302
    assert read_asset(asset.pk) is None
    page = staff.get(reverse("admin:gateway_asset_change", args=[asset.pk])).content.decode()
    assert "The file is gone." in page


def test_who_may_only_look_deletes_nothing(open_database: None, payer: Payer) -> None:
    asset = keep_image(payer.workspace_id)
    let_go(client_of("looker", "view_asset"), asset)
    assert read_asset(asset.pk) is not None
