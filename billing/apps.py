"""The Django app."""

from django.apps import AppConfig


class BillingConfig(AppConfig):
    """Label `billing`."""

    name = "billing"
    verbose_name = "Billing"
