"""The Django app."""

from django.apps import AppConfig
from django.core import checks

from billing.checks import check_payments


class BillingConfig(AppConfig):
    """Label `billing`."""

    name = "billing"
    verbose_name = "Billing"

    def ready(self) -> None:
        """Register the checks of our settings."""
        checks.register(check_payments, checks.Tags.security)
