"""Staff see payments and decide about what is quarantined; nobody else does."""

from typing import Any

import pytest
from django.contrib.admin.utils import quote
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from billing.models import MoneyRequest, Payment, Quarantine
from tests.billing.people import Customer, make_staff
from tests.billing.stripe.double import Double
from tests.billing.stripe.shopping import (
    PACK_CENTS,
    PACK_UCR,
    order,
    pay,
    state,
    take,
    take_all,
)

PAGES = ("quarantine", "paymentorder", "payment", "reversal", "stripeevent", "autorecharge")
PAGES_WITH_READINGS = (*PAGES, "backfill", "paymentinvoice", "stripecustomer")


def browser(name: str, *permissions: str) -> Client:
    """Log a person of ours in."""
    staff = make_staff(name)
    staff.user_permissions.add(*Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(staff)
    return client


@pytest.fixture
def row(double: Double, customer: Customer) -> Quarantine:
    """A payment without an order of ours."""
    pay(double, order(customer))
    [event] = double.events("payment_intent.succeeded")
    event["data"]["object"]["metadata"] = {}
    take(event)
    return Quarantine.objects.get()


def test_a_quarantined_payment_is_credited_by_a_page(row: Quarantine, customer: Customer) -> None:
    client = browser("ann", "view_quarantine", "resolve_payment")
    page = reverse("admin:billing_quarantine_change", args=[row.pk])
    assert b"Credit this payment" in client.get(page).content
    form = reverse("admin:billing_quarantine_credit", args=[row.pk])
    shown = client.get(form)
    given = {
        "key": str(shown.context["form"]["key"].value()),
        "workspace_id": customer.id,
        "reason": "paid by link",
    }
    assert client.post(form, given).status_code == 302
    assert state(customer) == (PACK_UCR, 0, 1, 1)
    assert client.post(form, given).status_code == 404
    assert state(customer) == (PACK_UCR, 0, 1, 1)


def test_without_the_permission_nothing_is_decided(row: Quarantine, customer: Customer) -> None:
    client = browser("bob", "view_quarantine")
    for name in ("credit", "dismiss"):
        form = reverse(f"admin:billing_quarantine_{name}", args=[row.pk])
        given = {"key": "x", "workspace_id": customer.id, "reason": "mine"}
        assert client.post(form, given).status_code == 403
    assert (Quarantine.objects.get().state, state(customer)) == ("open", (0, 0, 0, 1))


def test_lists_ask_a_fixed_number_of_questions(
    double: Double,
    customer: Customer,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for _ in range(4):
        double.client.v1.refunds.create({"payment_intent": pay(double, order(customer))})
    take_all(double.events())
    permissions = [f"view_{page}" for page in PAGES_WITH_READINGS]
    client = browser("ann", *permissions)
    for page in PAGES_WITH_READINGS:
        with django_assert_max_num_queries(8):
            answer = client.get(reverse(f"admin:billing_{page}_changelist"))
        assert answer.status_code == 200


def test_a_payment_is_paid_out_on_its_page_once_and_by_two_above_the_limit(
    double: Double, customer: Customer
) -> None:
    intent_id = pay(double, order(customer, pack="standard"))
    take_all(double.events())
    ann = browser("ann", "view_payment", "pay_out_top_up", "view_moneyrequest", "approve_money")
    bob = browser("bob", "view_payment", "view_moneyrequest", "approve_money")
    page = reverse("admin:billing_payment_payout", args=[quote(intent_id)])
    shown = ann.get(page)
    assert shown.context["form"].initial == {"credits": "50000.0"}
    assert page in ann.get(page.replace("payout", "change")).content.decode()
    assert bob.post(page, asked(shown, "1")).status_code == 403
    above = asked(shown, "10000.000001")
    assert b"Waits for another person" in ann.post(page, above, follow=True).content
    assert state(customer)[0] == 5 * PACK_UCR
    waiting = MoneyRequest.objects.get()
    assert bob.post(f"/admin/billing/moneyrequest/{waiting.pk}/approve/").status_code == 302
    assert state(customer)[0] == 4 * PACK_UCR - 1
    double.client.v1.refunds.create({"payment_intent": intent_id, "amount": PACK_CENTS})
    take_all(double.events("refund.created"))
    assert state(customer) == (4 * PACK_UCR - 1, 0, 1, 0)


def test_what_stripe_has_refunded_is_said_instead_of_a_payout(
    double: Double, customer: Customer
) -> None:
    intent_id = pay(double, order(customer))
    double.client.v1.refunds.create({"payment_intent": intent_id, "amount": PACK_CENTS // 2})
    take_all(double.events())
    ann = browser("ann", "view_payment", "pay_out_top_up")
    page = reverse("admin:billing_payment_payout", args=[quote(intent_id)])
    refused = ann.post(page, asked(ann.get(page), "5"))
    assert b"refund the rest at Stripe too" in refused.content
    assert (state(customer), MoneyRequest.objects.count()) == ((PACK_UCR // 2, 0, 1, 0), 0)


def test_an_id_that_looks_escaped_has_its_pages(double: Double, customer: Customer) -> None:
    """`_22` is how Django's admin writes a quotation mark in an address."""
    payment = Payment.objects.create(payment_intent_id="pi_22a2534f")
    client = browser("ann", "view_payment")
    page = reverse("admin:billing_payment_change", args=[quote(payment.pk)])
    assert client.get(page).status_code == 200
    assert client.get(page.replace("change", "payout")).status_code == 403


def asked(shown: Any, credits: str) -> dict[str, str]:
    """Fill in a form that was shown."""
    key = str(shown.context["form"]["key"].value())
    return {"key": key, "credits": credits, "reason": "the payer wants it back"}


@pytest.mark.parametrize(
    ("page", "field"),
    [
        ("payment", "payment_intent_id"),
        ("paymentorder", "customer_id"),
        ("quarantine", "payment_intent_id"),
        ("reversal", "payment_id"),
        ("stripeevent", "event_id"),
        ("stripecustomer", "customer_id"),
        ("paymentinvoice", "number"),
    ],
)
def test_rows_are_found_by_stripe_s_ids(
    double: Double, customer: Customer, page: str, field: str
) -> None:
    intent_id = pay(double, order(customer))
    double.client.v1.refunds.create({"payment_intent": intent_id, "amount": 100})
    take_all(double.events())
    [event] = double.events("payment_intent.succeeded")
    event["data"]["object"].update(id="pi_of_nobody", metadata={})
    take({**event, "id": "evt_of_nobody"})
    client = browser("ann", f"view_{page}")
    address = reverse(f"admin:billing_{page}_changelist")
    [row, *_] = client.get(address).context["cl"].result_list
    found = client.get(address, {"q": getattr(row, field)}).context["cl"].result_list
    assert row in found
    assert not client.get(address, {"q": "xx_of_nobody"}).context["cl"].result_list
