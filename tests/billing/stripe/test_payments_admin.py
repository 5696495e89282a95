"""Staff see payments and decide about what is quarantined; nobody else does."""

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from billing.models import Quarantine
from tests.billing.people import Customer, make_staff
from tests.billing.stripe.double import Double
from tests.billing.stripe.shopping import PACK_UCR, order, pay, state, take, take_all

PAGES = ("quarantine", "paymentorder", "payment", "reversal", "stripeevent", "autorecharge")
PAGES_WITH_READINGS = (*PAGES, "backfill")


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
