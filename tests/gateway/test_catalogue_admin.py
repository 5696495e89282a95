"""The catalogue as staff see and edit it."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from gateway.catalogue.loader import load_catalogue
from gateway.catalogue.snapshot import load_catalogue_snapshot, read_revision
from gateway.models import Alias, CatalogueChange, CatalogueModel, KindRoute

pytestmark = pytest.mark.django_db
TABLES = ("cataloguemodel", "kindroute", "alias", "cataloguechange")


@pytest.fixture
def staff() -> Client:
    load_catalogue()
    client = Client()
    client.force_login(User.objects.create_superuser("ada", "ada@example.com", "a-long-password"))
    return client


def form_of(route: KindRoute) -> dict[str, object]:
    return {
        "enabled": "on",
        "channel": route.channel,
        "kind": route.kind,
        "position": route.position,
        "weight": route.weight,
        "model": route.model_id,
    }


@pytest.mark.parametrize("table", TABLES)
def test_a_list_takes_a_bounded_number_of_queries(
    staff: Client, table: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(10):
        answer = staff.get(reverse(f"admin:gateway_{table}_changelist"))
    assert answer.status_code == 200


def test_staff_moves_a_kind_and_the_history_says_who(staff: Client) -> None:
    route = KindRoute.objects.get(channel="fast", kind="chat.default", position=0)
    wanted = CatalogueModel.objects.get(name="gpt-6.1-terra")
    revision = read_revision()
    url = reverse("admin:gateway_kindroute_change", args=[route.pk])
    answer = staff.post(url, form_of(route) | {"model": wanted.pk})
    assert answer.status_code == 302
    found = load_catalogue_snapshot().resolve(kind="chat.default", model=None, channel="fast")
    assert found.routes[0].model == "gpt-6.1-terra"
    assert read_revision() > revision
    assert CatalogueChange.objects.get(actor="ada").row == "fast chat.default 0"
    page = staff.get(url).content.decode()
    assert "ada: edited_by_staff false → true; model" in page
    assert load_catalogue().kept == 1


def test_staff_sees_which_kinds_are_answered_by_a_successor(staff: Client) -> None:
    page = staff.get(reverse("admin:gateway_kindroute_changelist")).content.decode()
    assert "stable chat.o4mini" in page
    assert "2026-10-23, then openai:gpt-5.6-luna" in page


def test_a_form_that_leads_nowhere_changes_nothing(staff: Client) -> None:
    alias = Alias.objects.get(name="studiocore-1")
    url = reverse("admin:gateway_alias_change", args=[alias.pk])
    answer = staff.post(url, {"enabled": "on", "name": alias.name, "target": "chat.nowhere"})
    assert answer.status_code == 200
    assert "Neither a kind of stable nor provider:name." in answer.content.decode()
    assert not CatalogueChange.objects.filter(actor="ada").exists()


def test_nothing_is_deleted_and_history_is_read_only(staff: Client) -> None:
    alias = Alias.objects.get(name="studiocore-1")
    assert staff.post(reverse("admin:gateway_alias_delete", args=[alias.pk])).status_code == 403
    change = CatalogueChange.objects.order_by("pk").last()
    assert change is not None
    url = reverse("admin:gateway_cataloguechange_change", args=[change.pk])
    assert staff.get(url).status_code == 200
    assert staff.post(url, {"actor": "nobody"}).status_code == 403
    assert staff.get(reverse("admin:gateway_cataloguechange_add")).status_code == 403


def test_staff_hands_a_row_back_to_the_file(staff: Client) -> None:
    alias = Alias.objects.get(name="studiocore-1")
    url = reverse("admin:gateway_alias_change", args=[alias.pk])
    staff.post(url, {"enabled": "on", "name": alias.name, "target": "chat.gpt5"})
    assert Alias.objects.get(pk=alias.pk).edited_by_staff
    action = {"action": "hand_back_to_file", "_selected_action": [alias.pk]}
    staff.post(reverse("admin:gateway_alias_changelist"), action)
    load_catalogue()
    assert Alias.objects.get(pk=alias.pk).target == "chat.default"


def test_who_may_only_look_hands_nothing_back(staff: Client) -> None:
    alias = Alias.objects.get(name="studiocore-1")
    form = {"enabled": "on", "name": alias.name, "target": "chat.gpt5"}
    staff.post(reverse("admin:gateway_alias_change", args=[alias.pk]), form)
    user = User.objects.create_user("clerk", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_alias"))
    clerk = Client()
    clerk.force_login(user)
    page = reverse("admin:gateway_alias_changelist")
    assert clerk.get(page).status_code == 200
    clerk.post(page, {"action": "hand_back_to_file", "_selected_action": [alias.pk]})
    assert Alias.objects.get(pk=alias.pk).edited_by_staff
