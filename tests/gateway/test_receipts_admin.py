"""Receipts as staff see them, and the ways to them."""

from collections.abc import Callable, Iterator

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from studio.core.ids import new_id
from studio.core.money import credits_text
from tests.gateway.conftest import CHAT, Payer

MakePayer = Callable[..., Payer]


@pytest.fixture
def staff(open_database: None) -> Iterator[Callable[..., Client]]:
    """Log in staff with these permissions."""

    def log_in(*permissions: str) -> Client:
        user = User.objects.create_user(f"clerk-{new_id()}", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        client = Client()
        client.force_login(user)
        return client

    yield log_in


def test_staff_read_the_whole_of_a_call(payer: Payer, staff: Callable[..., Client]) -> None:
    answer = payer.post(json=CHAT, headers={"x-app-id": "shop", "x-user-id": "user-7"})
    [usage] = payer.usage()
    client = staff("view_usage", "view_entry")
    page = client.get(f"/admin/gateway/call/receipt/{answer.headers['x-request-id']}/")
    assert page.status_code == 200
    facts = dict(page.context["facts"])
    assert facts["Workspace"] == payer.workspace_id
    assert (facts["App"], facts["User"], facts["Markup"]) == ("shop", "user-7", "20.00 %")
    assert facts["Charged (credits)"] == credits_text(usage["charge_ucr"])
    assert facts["Cost to us (credits)"] == credits_text(usage["cost_ucr"])
    assert [kind for _, kind, *_ in page.context["entries"]] == ["usage"]


def test_usage_and_entries_link_to_the_receipt(payer: Payer, staff: Callable[..., Client]) -> None:
    answer = payer.post(json=CHAT)
    request_id = answer.headers["x-request-id"]
    address = f"/admin/gateway/call/receipt/{request_id}/"
    client = staff("view_usage", "view_entry")
    for found in ("/admin/analytics/usage/", "/admin/billing/entry/"):
        listing = client.get(found, {"q": request_id})
        [row] = listing.context["cl"].result_list
        assert address in client.get(f"{found}{row.pk}/change/").content.decode()
    granted = client.get("/admin/billing/entry/", {"q": payer.workspace_id})
    other = next(row for row in granted.context["cl"].result_list if row.kind == "promo")
    page = client.get(f"/admin/billing/entry/{other.pk}/change/").content.decode()
    assert "/receipt/" not in page


@pytest.mark.parametrize("permissions", [(), ("view_usage",), ("view_entry",), ("view_call",)])
def test_who_may_not_read_both_reads_no_receipt(
    payer: Payer, staff: Callable[..., Client], permissions: tuple[str, ...]
) -> None:
    request_id = payer.post(json=CHAT).headers["x-request-id"]
    page = staff(*permissions).get(f"/admin/gateway/call/receipt/{request_id}/")
    assert page.status_code == 403


def test_a_stranger_is_sent_to_the_login_and_an_unknown_call_is_404(
    open_database: None, staff: Callable[..., Client]
) -> None:
    address = f"/admin/gateway/call/receipt/{new_id()}/"
    assert Client().get(address).status_code == 302
    assert staff("view_usage", "view_entry").get(address).status_code == 404


def test_caps_alerts_and_messages_are_listed(payer: Payer, staff: Callable[..., Client]) -> None:
    client = staff("view_budget", "view_alertsettings", "view_outboxmessage")
    for name in ("budget", "alertsettings", "outboxmessage"):
        for term in ("", "nobody", str(payer.workspace_id), str(new_id())):
            assert client.get(f"/admin/billing/{name}/", {"q": term}).status_code == 200
        assert client.get(f"/admin/billing/{name}/add/").status_code == 403
