"""Stripe's own pages: Checkout to buy credit, and the portal to manage cards and read invoices.

The order is ours before Stripe hears of it, and says what a payment must be. Each request to
Stripe carries an idempotency key made from the order, so asking again makes nothing twice.
"""

import datetime as dt
import hashlib
from uuid import UUID

import msgspec
from django.db import transaction
from stripe.params.checkout import SessionCreateParamsPaymentIntentData

from billing.models.payments import PaymentOrder
from billing.stripe.client import stripe_client, translated
from billing.stripe.errors import OrderDiffers, PaymentProviderRefused
from billing.stripe.events import ORDER
from billing.stripe.orders import customer_of
from billing.stripe.packs import read_offer
from studio.core.ids import event_id, new_id


class Purchase(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to buy: a pack by its slug, or a free amount where that is empty."""

    workspace_id: int
    success_url: str
    cancel_url: str
    pack: str = ""
    amount_cents: int = 0
    save_card: bool = False
    key: str = ""
    """The caller's Idempotency-Key; without one every call is another order."""


class CheckoutPage(msgspec.Struct, frozen=True, kw_only=True):
    """Where to pay an order, until when."""

    order_id: UUID
    url: str
    amount_cents: int
    currency: str
    expires_at: dt.datetime | None


def open_checkout(purchase: Purchase) -> CheckoutPage:
    """Order credit and give Stripe's page to pay it.

    Raises: PaymentsOff, OrderRefused, OrderDiffers, PaymentProviderAway, PaymentProviderRefused;
    an order that was written before Stripe failed is taken up again by the same `key`.
    """
    stripe_client()  # payments may be off
    offer = read_offer()
    amount_cents = (
        offer.amount_of(purchase.pack) if purchase.pack else offer.check_free(purchase.amount_cents)
    )
    order = _order(purchase, amount_cents, offer.currency)
    if order.session_id is None:
        _ask_session(order, purchase)
    return CheckoutPage(
        order_id=order.pk,
        url=order.url,
        amount_cents=order.amount_cents,
        currency=order.currency,
        expires_at=order.expires_at,
    )


def open_portal(*, workspace_id: int, return_url: str) -> str:
    """Give the address of Stripe's portal for a workspace: cards, receipts, invoices.

    Raises: PaymentsOff, PaymentProviderAway, PaymentProviderRefused.
    """
    customer = customer_of(workspace_id)
    with translated():
        session = stripe_client().v1.billing_portal.sessions.create(
            {"customer": customer.customer_id, "return_url": return_url}
        )
    return session.url


def _order(purchase: Purchase, amount_cents: int, currency: str) -> PaymentOrder:
    """Make the order, or find the one of the same key. Raises: OrderDiffers."""
    customer = customer_of(purchase.workspace_id)
    order_id = new_id()
    if purchase.key:
        order_id = event_id(f"order:{customer.customer_id}:{purchase.key}")
    digest = hashlib.sha256(msgspec.msgpack.encode(purchase)).hexdigest()
    row = PaymentOrder(
        id=order_id,
        workspace_id=purchase.workspace_id,
        source=PaymentOrder.Source.CHECKOUT,
        pack=purchase.pack,
        amount_cents=amount_cents,
        currency=currency,
        customer_id=customer.customer_id,
        livemode=customer.livemode,
        request_digest=digest,
    )
    PaymentOrder.objects.bulk_create([row], ignore_conflicts=True)
    order = PaymentOrder.objects.get(pk=order_id)
    if order.request_digest != digest:
        raise OrderDiffers("This Idempotency-Key was used for another order: use a new one.")
    return order


def _ask_session(order: PaymentOrder, purchase: Purchase) -> None:
    metadata = {ORDER: str(order.pk), "studio_source": "checkout"}
    intent: SessionCreateParamsPaymentIntentData = {"metadata": metadata}
    if purchase.save_card:
        intent["setup_future_usage"] = "off_session"
    name = f"{order.amount_cents * 10} credits"
    with translated():
        session = stripe_client().v1.checkout.sessions.create(
            {
                "mode": "payment",
                "customer": order.customer_id,
                "client_reference_id": str(order.pk),
                "line_items": [
                    {
                        "quantity": 1,
                        "price_data": {
                            "currency": order.currency,
                            "unit_amount": order.amount_cents,
                            "product_data": {"name": name},
                        },
                    }
                ],
                "metadata": metadata,
                "payment_intent_data": intent,
                "invoice_creation": {"enabled": True, "invoice_data": {"metadata": metadata}},
                "success_url": purchase.success_url,
                "cancel_url": purchase.cancel_url,
            },
            {"idempotency_key": f"checkout:{order.pk}"},
        )
    if not session.url:
        raise PaymentProviderRefused("The payment provider gave no page.")
    with transaction.atomic(durable=True):
        # The payment may have told of the session before.
        PaymentOrder.objects.filter(pk=order.pk).update(
            session_id=session.id,
            url=session.url,
            expires_at=dt.datetime.fromtimestamp(session.expires_at, dt.UTC),
        )
    order.refresh_from_db()
