"""What staff ask for and decide in the admin: through the services, with a reason, as they may."""

import re

import pytest
from django.contrib.admin.utils import quote
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from billing import disputes
from billing.models import Entry, Freeze, MoneyRequest
from studio.core.ids import new_id
from studio.core.money import credits_text
from tests.billing.people import LIMIT_UCR, Customer, make_customer, make_staff

MONEY = ["view_wallet", "view_entry", "view_freeze", "view_moneyrequest", "view_dispute"]


@pytest.fixture
def customer(db: None) -> Customer:
    """A workspace that paid for much."""
    customer = make_customer("Money admin")
    customer.top_up(10 * LIMIT_UCR)
    return customer


def staff_client(name: str, *permissions: str) -> Client:
    """Log in somebody who may see the money and do just this."""
    user = make_staff(name)
    user.user_permissions.set(
        Permission.objects.filter(
            content_type__app_label="billing", codename__in=[*MONEY, *permissions]
        )
    )
    client = Client()
    client.force_login(user)
    return client


def usage_page(customer: Customer, charge_ucr: int) -> str:
    """Charge a call. Returns: the address of its usage entry."""
    call = customer.call(charge_ucr)
    return f"/admin/billing/entry/{customer.id}_{call}_0"


def form(**fields: str) -> dict[str, str]:
    return {"key": str(new_id()), "credits": "1", "reason": "a bad answer", **fields}


def test_a_call_is_refunded_on_the_page_of_its_usage_entry(customer: Customer) -> None:
    support = staff_client("support", "refund_call")
    page = usage_page(customer, LIMIT_UCR)
    link = reverse("admin:billing_entry_refund", args=[quote(page.rpartition("/")[2])])
    assert f'href="{link}"' in support.get(f"{page}/change/").content.decode()
    filled_in = support.get(f"{page}/refund/").content.decode()
    assert f'value="{credits_text(LIMIT_UCR)}"' in filled_in
    sent = form(credits="2.5")
    for _ in range(2):
        assert support.post(f"{page}/refund/", sent).status_code == 302
    [entry] = Entry.objects.filter(wallet_id=customer.id, kind="refund")
    assert entry.amount_ucr == 2_500_000
    too_much = support.post(f"{page}/refund/", form(credits="9999"))
    assert (too_much.status_code, b"errorlist" in too_much.content) == (200, True)
    assert customer.available_ucr == 9 * LIMIT_UCR + 2_500_000


def test_a_top_up_is_paid_out_on_the_page_of_its_entry(customer: Customer) -> None:
    clerk = staff_client("clerk", "pay_out_top_up")
    support = staff_client("support", "refund_call", "adjust_wallet")
    [top_up] = Entry.objects.filter(wallet_id=customer.id)
    page = f"/admin/billing/entry/{top_up.key}/payout/"
    before = customer.journal()
    assert support.get(page).status_code == 403
    assert support.post(page, form()).status_code == 403
    usage = usage_page(customer, 1)
    assert clerk.post(f"{usage}/payout/", form()).status_code == 404
    above = form(credits=credits_text(LIMIT_UCR + 1))
    assert clerk.post(page, above).status_code == 302
    assert (MoneyRequest.objects.get().state, customer.journal("payout")) == ("waiting", [])
    sent = form(credits="2.5", reason="bank transfer 17")
    for _ in range(2):
        assert clerk.post(page, sent).status_code == 302
    [paid_out] = customer.journal("payout")
    assert paid_out[:4] == ("payout", "wallet", "cash", 2_500_000)
    assert paid_out[4].startswith("bank transfer 17 [")
    assert len(customer.journal()) == len(before) + 2


def test_only_usage_entries_offer_a_refund(customer: Customer) -> None:
    support = staff_client("support", "refund_call")
    [top_up] = Entry.objects.filter(wallet_id=customer.id)
    page = f"/admin/billing/entry/{top_up.key}"
    assert "refund/" not in support.get(f"{page}/change/").content.decode()
    assert support.post(f"{page}/refund/", form()).status_code == 404
    assert Entry.objects.filter(wallet_id=customer.id).count() == 1


def test_nobody_asks_for_what_they_may_not(customer: Customer) -> None:
    viewer = staff_client("viewer")
    support = staff_client("support", "refund_call")
    page = usage_page(customer, 10)
    freeze = disputes_freeze(customer)
    before = customer.journal()
    wallet = f"/admin/billing/wallet/{customer.id}"
    for client, address in (
        (viewer, f"{page}/refund/"),
        (viewer, f"{wallet}/adjust/"),
        (viewer, f"{wallet}/freeze/"),
        (viewer, f"/admin/billing/freeze/{freeze.key}/lift/"),
        (support, f"{wallet}/grant/"),
        (support, f"{wallet}/adjust/"),
        (support, f"/admin/billing/freeze/{freeze.key}/lift/"),
    ):
        assert client.get(address).status_code == 403, address
        assert client.post(address, form(paid="given")).status_code == 403, address
    assert Client().post(f"{page}/refund/", form()).status_code == 302
    assert customer.journal() == before
    assert not MoneyRequest.objects.exists()


def disputes_freeze(customer: Customer) -> Freeze:
    """Freeze by a dispute of 1 µcr."""
    top_up = Entry.objects.get(wallet_id=customer.id, kind="topup").call_id
    disputes.open_dispute(
        workspace_id=customer.id, top_up_id=top_up, amount_ucr=1, reference="dp_1", reason="x"
    )
    return Freeze.objects.get(wallet_id=customer.id)


def test_adjusting_up_and_down_says_which_credit(customer: Customer) -> None:
    clerk = staff_client("clerk", "adjust_wallet")
    page = f"/admin/billing/wallet/{customer.id}/adjust/"
    assert clerk.post(page, form(credits="3", paid="given")).status_code == 302
    assert clerk.post(page, form(credits="-2", paid="given")).status_code == 302
    refused = clerk.post(page, form(credits="-2", paid="given"))
    assert b"More than what is free of that credit" in refused.content
    assert clerk.post(page, form(credits="-2", paid="")).status_code == 200
    assert customer.available_ucr == 10 * LIMIT_UCR + 1_000_000


def test_above_the_limit_it_waits_and_another_person_approves_in_the_list(
    customer: Customer,
) -> None:
    clerk = staff_client("clerk", "adjust_wallet", "approve_money")
    boss = staff_client("boss", "approve_money")
    amount = credits_text(LIMIT_UCR + 1)
    told = clerk.post(
        f"/admin/billing/wallet/{customer.id}/grant/", form(credits=amount), follow=True
    )
    assert b"Waits for another person" in told.content
    [wanted] = MoneyRequest.objects.all()
    chosen = {"action": "approve", "_selected_action": [str(wanted.pk)]}
    asked = boss.post("/admin/billing/moneyrequest/", chosen).content.decode()
    assert f"{amount} credits, Money admin: a bad answer (asked for by clerk)" in asked
    assert customer.available_ucr == 10 * LIMIT_UCR
    sure = {**chosen, "confirmed": "yes"}
    own = clerk.post("/admin/billing/moneyrequest/", sure, follow=True)
    assert b"Whoever asks for money does not approve it" in own.content
    assert customer.available_ucr == 10 * LIMIT_UCR
    for _ in range(2):
        boss.post("/admin/billing/moneyrequest/", sure)
    wanted.refresh_from_db()
    assert (wanted.state, customer.available_ucr) == ("executed", 11 * LIMIT_UCR + 1)
    assert wanted.approved_by == User.objects.get(username="boss")


def test_a_request_is_rejected_in_the_list(customer: Customer) -> None:
    clerk = staff_client("clerk", "adjust_wallet")
    boss = staff_client("boss", "approve_money")
    sent = form(credits=credits_text(LIMIT_UCR + 1))
    clerk.post(f"/admin/billing/wallet/{customer.id}/grant/", sent)
    [wanted] = MoneyRequest.objects.all()
    chosen = {
        "action": "reject",
        "confirmed": "yes",
        "_selected_action": [str(wanted.pk)],
    }
    boss.post("/admin/billing/moneyrequest/", chosen)
    wanted.refresh_from_db()
    assert (wanted.state, customer.available_ucr) == ("rejected", 10 * LIMIT_UCR)


def test_a_request_is_approved_on_its_own_page(customer: Customer) -> None:
    clerk = staff_client("clerk", "adjust_wallet", "approve_money")
    boss = staff_client("boss", "approve_money")
    sent = form(credits=credits_text(LIMIT_UCR + 1))
    clerk.post(f"/admin/billing/wallet/{customer.id}/grant/", sent)
    [wanted] = MoneyRequest.objects.all()
    page = f"/admin/billing/moneyrequest/{wanted.pk}/approve/"
    assert b"a bad answer" in boss.get(page).content
    own = clerk.post(page)
    assert b"Whoever asks for money does not approve it" in own.content
    assert customer.available_ucr == 10 * LIMIT_UCR
    assert boss.post(page).status_code == 302
    assert boss.post(page).status_code == 404
    assert customer.available_ucr == 11 * LIMIT_UCR + 1


def test_who_may_not_approve_is_not_offered_it(customer: Customer) -> None:
    clerk = staff_client("clerk", "adjust_wallet")
    sent = form(credits=credits_text(LIMIT_UCR + 1))
    clerk.post(f"/admin/billing/wallet/{customer.id}/grant/", sent)
    [wanted] = MoneyRequest.objects.all()
    viewer = staff_client("viewer")
    page = f"/admin/billing/moneyrequest/{wanted.pk}/approve/"
    assert (viewer.get(page).status_code, viewer.post(page).status_code) == (403, 403)
    chosen = {
        "action": "approve",
        "confirmed": "yes",
        "_selected_action": [str(wanted.pk)],
    }
    viewer.post("/admin/billing/moneyrequest/", chosen)
    wanted.refresh_from_db()
    assert (wanted.state, customer.available_ucr) == ("waiting", 10 * LIMIT_UCR)
    assert b'value="approve"' not in viewer.get("/admin/billing/moneyrequest/").content


def test_requests_are_not_written_or_deleted_by_hand(
    customer: Customer, admin_client: Client
) -> None:
    admin_client.post(f"/admin/billing/wallet/{customer.id}/grant/", form())
    [wanted] = MoneyRequest.objects.all()
    for address in ("add/", f"{wanted.pk}/delete/"):
        assert admin_client.post(f"/admin/billing/moneyrequest/{address}").status_code == 403
    changed = admin_client.post(
        f"/admin/billing/moneyrequest/{wanted.pk}/change/", {"state": "waiting"}
    )
    assert changed.status_code == 403


def test_a_wallet_is_frozen_and_a_freeze_lifted_with_a_reason(customer: Customer) -> None:
    clerk = staff_client("clerk", "adjust_wallet")
    assert clerk.post(f"/admin/billing/wallet/{customer.id}/freeze/", form()).status_code == 302
    [freeze] = Freeze.objects.filter(wallet_id=customer.id)
    assert (freeze.ref, customer.can_call()) == ("a bad answer (clerk)", False)
    page = f"/admin/billing/freeze/{freeze.key}"
    assert re.search(r'href="[^"]*/lift/"', clerk.get(f"{page}/change/").content.decode())
    assert clerk.post(f"{page}/lift/", form(reason="")).status_code == 200
    assert clerk.post(f"{page}/lift/", form(reason="sorted")).status_code == 302
    assert customer.can_call()
    assert clerk.post(f"{page}/lift/", form(reason="again")).status_code == 404


@pytest.mark.parametrize("name", ["moneyrequest", "freeze", "dispute"])
@pytest.mark.parametrize("term", ["", "Money admin", "00000000-0000-0000-0000-000000000000", "7"])
def test_lists_open_and_search(customer: Customer, name: str, term: str) -> None:
    disputes_freeze(customer)
    viewer = staff_client("viewer")
    page = viewer.get(f"/admin/billing/{name}/", {"q": term} if term else {})
    assert page.status_code == 200
    for key in ("x", "1_x", "-1", "%F0%9F"):
        assert viewer.get(f"/admin/billing/{name}/{key}/change/").status_code == 302
