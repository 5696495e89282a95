"""What can go wrong with payments."""

from studio.core.errors import Conflict, Forbidden, GatewayError, InvalidRequest, NotFound


class PaymentsOff(GatewayError):
    """The operator has not set up payments."""

    code = "payments_off"
    status = 503


class PaymentProviderAway(GatewayError):
    """Stripe does not answer, or asks us to slow down. The same request may be sent again."""

    code = "payment_provider_away"
    status = 503
    retryable = True


class PaymentProviderRefused(GatewayError):
    """Stripe refuses what we ask: our settings or our code are wrong, not the caller."""

    code = "payment_provider_refused"
    status = 502


class EventRefused(InvalidRequest):
    """The event is not Stripe's, too old, or of the other mode. Nothing was moved."""


class OrderRefused(InvalidRequest):
    """There is no such pack, or the amount cannot be ordered. Nothing was written."""


class OrderDiffers(Conflict):
    """The Idempotency-Key stands for another order."""


class NoSavedCard(Conflict):
    """There is no card to recharge from."""


class QuarantineNotFound(NotFound):
    """There is no such quarantined event."""


class NotCreditable(Conflict):
    """This can only be dismissed: it is no payment, of the wrong mode or currency, or credited."""


class AnotherPersonNeeded(Forbidden):
    """Whoever proposes a credit does not confirm it."""
