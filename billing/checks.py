"""Checks of the settings of payments: warnings while DEBUG is on, else errors.

An installation without payments passes: they are off, and say so.
"""

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning

SHORTEST_WEBHOOK_SECRET = 16
STRIPE_API = "https://api.stripe.com"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def check_payments(app_configs: Sequence[AppConfig] | None, **_: object) -> list[CheckMessage]:
    """Check Stripe's secrets and address."""
    severity = Warning if settings.DEBUG else Error
    if not settings.STRIPE_SECRET_KEY:
        return []
    return [
        severity(fault, hint=hint, id=f"billing.E{number:03d}") for number, fault, hint in _faults()
    ]


def _faults() -> Iterator[tuple[int, str, str]]:
    secret_key: str = settings.STRIPE_SECRET_KEY
    webhook_secret: str = settings.STRIPE_WEBHOOK_SECRET
    live = secret_key.startswith(("sk_live_", "rk_live_"))
    if not live and not secret_key.startswith(("sk_test_", "rk_test_")):
        yield 1, "STRIPE_SECRET_KEY is no secret key of Stripe's.", "Use sk_live_… or sk_test_…."
    if len(webhook_secret) < SHORTEST_WEBHOOK_SECRET or not webhook_secret.startswith("whsec_"):
        yield (
            2,
            "STRIPE_WEBHOOK_SECRET is empty or no signing secret, so no event is believed.",
            "Set the whsec_… of the webhook endpoint at Stripe.",
        )
    api_base: str = settings.STRIPE_API_BASE
    parts = urlsplit(api_base)
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        yield 3, "STRIPE_API_BASE would send our key unencrypted.", "Use https."
    if live and api_base.rstrip("/") != STRIPE_API:
        yield 4, "A live key goes to Stripe alone.", f"Leave STRIPE_API_BASE at {STRIPE_API}."
