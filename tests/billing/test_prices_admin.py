"""Prices as staff see and edit them."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from billing.admin.margins import margin_bp
from billing.models import Price, PriceBook
from billing.price_books import load_prices
from billing.pricing import latest_price_book
from studio.accounts.models import Tier

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff() -> Client:
    load_prices()
    client = Client()
    client.force_login(User.objects.create_superuser("ada", "ada@example.com", "a-long-password"))
    return client


def newest(model: str, meter: str) -> Price:
    book = PriceBook.objects.order_by("-version").first()
    return Price.objects.get(book=book, model=model, meter=meter, options={})


def url_of(price: Price) -> str:
    return reverse("admin:billing_price_change", args=[price.pk])


@pytest.mark.parametrize("table", ["price", "pricebook"])
def test_a_list_takes_a_bounded_number_of_queries(
    staff: Client, table: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(10):
        answer = staff.get(reverse(f"admin:billing_{table}_changelist"))
    assert answer.status_code == 200


def test_saving_a_price_makes_a_new_version_in_the_name_of_staff(staff: Client) -> None:
    before = latest_price_book()
    price = newest("gpt-5.6-sol", "output")
    assert "20" in staff.get(url_of(price)).content.decode()
    answer = staff.post(
        url_of(price),
        {"list_usd": "25.5", "cost_usd": "20", "source": "a contract", "as_of": "2026-11-22"},
    )
    assert answer.status_code == 302
    after = latest_price_book()
    assert after.version == before.version + 1
    changed, unchanged = after.chat("openai", "gpt-5.6-sol"), before.chat("openai", "gpt-5.6-sol")
    assert changed is not None
    assert unchanged is not None
    assert changed.tiers[-1].list_rates.output == 25_500_000_000
    assert changed.tiers[-1].cost_rates.output == 20_000_000_000
    assert unchanged.tiers[-1].list_rates.output == 20_000_000_000
    assert PriceBook.objects.get(version=after.version).created_by == "ada"
    assert load_prices().kept == 1


def test_a_price_and_a_book_show_their_history(staff: Client) -> None:
    price = newest("gpt-5", "input")
    form = {"list_usd": "2", "cost_usd": "1.25", "source": "us", "as_of": "2026-11-22"}
    staff.post(url_of(price), form)
    page = staff.get(url_of(newest("gpt-5", "input"))).content.decode()
    assert "ada: $2 (cost $1.25)" in page
    assert "load_prices: $1.25 (cost $1.25)" in page
    version = latest_price_book().version
    page = staff.get(reverse("admin:billing_pricebook_change", args=[version])).content.decode()
    assert "$1.25 (cost $1.25) → $2 (cost $1.25, staff" in page


@pytest.mark.parametrize("usd", ["0", "-1", "many", "0.0000000001"])
def test_a_price_that_cannot_be_makes_no_version(staff: Client, usd: str) -> None:
    before = latest_price_book().version
    form = {"list_usd": usd, "cost_usd": "1", "source": "us", "as_of": "2026-11-22"}
    assert staff.post(url_of(newest("gpt-5", "input")), form).status_code == 200
    assert latest_price_book().version == before


def test_a_price_for_a_new_model_is_added_meter_by_meter(staff: Client) -> None:
    form = {
        "provider": "openai",
        "model": "gpt-7",
        "operation": "chat",
        "options": "{}",
        "per": "1000000",
        "cost_usd": "1",
        "list_usd": "2",
        "source": "us",
        "as_of": "2026-11-22",
    }
    url = reverse("admin:billing_price_add")
    assert staff.post(url, form | {"meter": "input"}).status_code == 302
    assert latest_price_book().chat("openai", "gpt-7") is None
    assert staff.post(url, form | {"meter": "output"}).status_code == 302
    assert latest_price_book().chat("openai", "gpt-7") is not None


def test_a_price_of_an_older_version_cannot_be_edited(staff: Client) -> None:
    old = newest("gpt-5", "input")
    form = {"list_usd": "2", "cost_usd": "1.25", "source": "us", "as_of": "2026-11-22"}
    staff.post(url_of(old), form)
    version = latest_price_book().version
    staff.post(url_of(old), form | {"list_usd": "3"})
    assert latest_price_book().version == version


def test_nothing_is_deleted(staff: Client) -> None:
    price = newest("gpt-5", "input")
    assert staff.post(reverse("admin:billing_price_delete", args=[price.pk])).status_code == 403
    book = reverse("admin:billing_pricebook_delete", args=[price.book_id])
    assert staff.post(book).status_code == 403


def test_staff_hands_a_price_back_to_the_file(staff: Client) -> None:
    form = {"list_usd": "2", "cost_usd": "1.25", "source": "us", "as_of": "2026-11-22"}
    staff.post(url_of(newest("gpt-5", "input")), form)
    edited = newest("gpt-5", "input")
    action = {"action": "hand_back_to_file", "_selected_action": [edited.pk]}
    assert staff.post(reverse("admin:billing_price_changelist"), action).status_code == 302
    load_prices()
    assert newest("gpt-5", "input").list_ucr == 1_250_000_000


def test_who_may_only_look_hands_nothing_back(staff: Client) -> None:
    form = {"list_usd": "2", "cost_usd": "1.25", "source": "us", "as_of": "2026-11-22"}
    staff.post(url_of(newest("gpt-5", "input")), form)
    edited, version = newest("gpt-5", "input"), latest_price_book().version
    user = User.objects.create_user("clerk", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_price"))
    clerk = Client()
    clerk.force_login(user)
    action = {"action": "hand_back_to_file", "_selected_action": [edited.pk]}
    clerk.post(reverse("admin:billing_price_changelist"), action)
    assert latest_price_book().version == version
    assert newest("gpt-5", "input").edited_by_staff


def listed(staff: Client, **asked: str) -> list[Price]:
    """Open the list. Returns: its rows."""
    answer = staff.get(reverse("admin:billing_price_changelist"), asked)
    assert answer.status_code == 200
    return list(answer.context["cl"].result_list)


def test_what_sells_below_cost_is_found_and_said(staff: Client) -> None:
    losing = listed(staff, margin="below")
    assert {(price.provider, price.model) for price in losing} == {
        ("stability", "stable-diffusion-3"),
        ("stability", "stable-diffusion-xl"),
    }
    page = staff.get(reverse("admin:billing_price_changelist"), {"margin": "below"})
    assert page.content.decode().count("below cost: VIP founder, Managed, Free") == len(losing)
    price = newest("gpt-5.6-sol", "output")
    given = {"list_usd": "20", "cost_usd": "25", "source": "a bill", "as_of": "2026-11-22"}
    told = staff.post(url_of(price), given, follow=True).content.decode()
    assert "This price is below cost on VIP founder, Managed." in told
    changed = newest("gpt-5.6-sol", "output")
    shown = staff.get(url_of(changed)).content.decode()
    assert "VIP founder: <span" in shown
    assert "\N{MINUS SIGN}25.00 %" in shown
    assert changed in listed(staff, margin="below")


def test_a_tier_that_adds_more_loses_no_more(staff: Client) -> None:
    Tier.objects.exclude(pk="byok").update(markup_bp=1_000_000)
    assert listed(staff, margin="below") == []


@pytest.mark.parametrize(
    ("list_ucr", "cost_ucr", "markup_bp", "expected"),
    [
        (100, 100, 0, 0),
        (100, 101, 0, -100),
        (100, 150, 5000, 0),
        (3, 2, 0, 3333),
        (1, 3, 0, -20000),
    ],
)
def test_a_margin_is_of_what_is_charged_and_rounded_down(
    list_ucr: int, cost_ucr: int, markup_bp: int, expected: int
) -> None:
    assert margin_bp(Price(list_ucr=list_ucr, cost_ucr=cost_ucr), markup_bp) == expected
