"""A double of one's own, Django set up for it, and a customer with an order."""

import pytest
from pytest_django import Settings

from tests.billing.people import Customer, make_customer
from tests.billing.stripe.double import WEBHOOK_SECRET, Double, new_double


@pytest.fixture
def double(sandbox_url: str, settings: Settings) -> Double:
    """An account of the double, and the settings that lead to it."""
    found = new_double(sandbox_url)
    settings.STRIPE_SECRET_KEY = found.secret_key
    settings.STRIPE_WEBHOOK_SECRET = WEBHOOK_SECRET
    settings.STRIPE_API_BASE = found.api_base
    return found


@pytest.fixture
def customer(db: None) -> Customer:
    """A workspace without credit."""
    return make_customer("Payments")
