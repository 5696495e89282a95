"""Stripe's library, made from our settings. Its errors become ours at this border.

The address of the API is the operator's setting and nobody else's: no request and no row names it.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import stripe
from django.conf import settings

from billing.stripe.errors import PaymentProviderAway, PaymentProviderRefused, PaymentsOff
from studio.core.redaction import clean_provider_message

logger = logging.getLogger(__name__)

_TIMEOUTS_S = (5.0, 20.0)
"""For the connection, and for silence."""
_RETRIES = 2
_AWAY = (stripe.APIConnectionError, stripe.RateLimitError, stripe.APIError)


def stripe_client() -> stripe.StripeClient:
    """Give the client of our account. Raises: PaymentsOff without a secret key."""
    secret_key: str = settings.STRIPE_SECRET_KEY
    if not secret_key:
        raise PaymentsOff("Payments are off: this installation has no Stripe secret key.")
    return _client(secret_key, settings.STRIPE_API_BASE)


def is_live() -> bool:
    """Say whether our key moves real money.

    Not checked against Stripe's page: live keys begin with sk_live_, restricted ones with rk_live_.
    """
    secret_key: str = settings.STRIPE_SECRET_KEY
    return secret_key.startswith(("sk_live_", "rk_live_"))


@contextmanager
def translated() -> Iterator[None]:
    """Turn the library's errors into ours, without Stripe's text. A card's refusal stays as it is.

    Raises: PaymentProviderAway, PaymentProviderRefused.
    """
    try:
        yield
    except stripe.CardError:
        raise
    except stripe.StripeError as error:
        # 409: the same request is under way.
        if isinstance(error, _AWAY) or error.http_status == 409:
            raise PaymentProviderAway(
                "The payment provider does not answer: try again in a moment.",
                headers={"Retry-After": "5"},
            ) from error
        told = clean_provider_message(error.user_message or type(error).__name__)
        logger.error("stripe refused %s: %s %s", error.request_id, error.code, told)
        raise PaymentProviderRefused("The payment provider refused this order.") from error


@lru_cache(maxsize=4)
def _client(secret_key: str, api_base: str) -> stripe.StripeClient:
    return stripe.StripeClient(
        secret_key,
        base_addresses={"api": api_base},
        max_network_retries=_RETRIES,
        http_client=stripe.RequestsClient(timeout=_TIMEOUTS_S),
    )
