"""Settings of payments that cannot be right are faults before anything runs."""

import pytest
from pytest_django import Settings

from billing.checks import check_payments

GOOD = {
    "STRIPE_SECRET_KEY": "sk_live_0123456789",
    "STRIPE_WEBHOOK_SECRET": "whsec_0123456789",
    "STRIPE_API_BASE": "https://api.stripe.com",
    "DEBUG": False,
}


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        ({}, []),
        ({"STRIPE_SECRET_KEY": "", "STRIPE_WEBHOOK_SECRET": ""}, []),
        ({"STRIPE_SECRET_KEY": "pk_live_0123456789"}, ["billing.E001"]),
        ({"STRIPE_WEBHOOK_SECRET": ""}, ["billing.E002"]),
        ({"STRIPE_WEBHOOK_SECRET": "whsec_"}, ["billing.E002"]),
        ({"STRIPE_API_BASE": "http://stripe.test"}, ["billing.E003", "billing.E004"]),
        ({"STRIPE_API_BASE": "https://stripe.test"}, ["billing.E004"]),
        (
            {"STRIPE_SECRET_KEY": "sk_test_1", "STRIPE_API_BASE": "http://127.0.0.1:9100/stripe"},
            [],
        ),
    ],
)
def test_faults_are_found(settings: Settings, wrong: dict[str, object], found: list[str]) -> None:
    for name, value in {**GOOD, **wrong}.items():
        setattr(settings, name, value)
    faults = check_payments(None)
    assert [fault.id for fault in faults] == found
    assert all(fault.is_serious() for fault in faults)
