"""The Django app and its system checks."""

from django.apps import AppConfig
from django.core import checks

from studio.accounts.checks import check_credentials


class AccountsConfig(AppConfig):
    """Label `accounts`."""

    name = "studio.accounts"
    label = "accounts"
    verbose_name = "Accounts"

    def ready(self) -> None:
        """Register the checks of our settings."""
        checks.register(check_credentials, checks.Tags.security)
