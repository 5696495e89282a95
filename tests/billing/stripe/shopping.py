"""Buying credit, for tests of what follows."""

import json
from typing import Any

from billing.models import Payment, PaymentOrder, Quarantine, Reversal
from billing.stripe.checkout import CheckoutPage, Purchase, open_checkout
from billing.stripe.events import read_event
from billing.stripe.intake import take_event
from billing.stripe.packs import UCR_PER_CENT
from tests.billing.people import Customer
from tests.billing.stripe.double import Double

PACK_CENTS = 1_000
PACK_UCR = PACK_CENTS * UCR_PER_CENT


def order(customer: Customer, *, pack: str = "starter", **fields: Any) -> CheckoutPage:
    """Order a pack."""
    wanted = {"success_url": "https://a.test/done", "cancel_url": "https://a.test/no", **fields}
    return open_checkout(Purchase(workspace_id=customer.id, pack=pack, **wanted))


def pay(double: Double, page: CheckoutPage, **fields: Any) -> str:
    """Pay an order. Returns: the id of the payment intent."""
    session_id = PaymentOrder.objects.get(pk=page.order_id).session_id
    return str(double.control("pay", session=session_id, **fields)["payment_intent"])


def take(event: dict[str, Any]) -> str:
    """Take one event in."""
    return take_event(read_event(json.dumps(event).encode()))


def take_all(events: list[dict[str, Any]]) -> list[str]:
    """Take events in, in this order."""
    return [take(event) for event in events]


def state(customer: Customer) -> tuple[int, int, int, int]:
    """Give what there is: available, owed, payments credited, things in quarantine."""
    return (
        customer.available_ucr,
        customer.owed_ucr,
        Payment.objects.filter(credited_at__isnull=False).count(),
        Quarantine.objects.count(),
    )


def reversals() -> dict[str, str]:
    """Give the state of every refund and dispute."""
    return dict(Reversal.objects.values_list("reversal_id", "state"))
