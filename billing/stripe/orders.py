"""What we asked Stripe for: customers with their cards, orders, and the locks of their payments."""

import datetime as dt
from uuid import UUID

from django.db.models import Q
from django.db.models.functions import Now

from billing.models.payments import AutoRecharge, Payment, PaymentOrder, StripeCustomer
from billing.stripe.client import is_live, stripe_client, translated
from billing.stripe.events import OrderEnded
from studio.core.ids import event_id


def top_up_id_of(payment_intent_id: str) -> UUID:
    """Derive the ledger's id of a payment: the same payment, the same id."""
    return event_id(f"stripe:{payment_intent_id}")


def lock_payment(payment_intent_id: str) -> Payment:
    """Lock a payment, of which a refund may tell first. Inside the caller's transaction."""
    Payment.objects.bulk_create(
        [Payment(payment_intent_id=payment_intent_id)], ignore_conflicts=True
    )
    return Payment.objects.select_for_update().get(pk=payment_intent_id)


def find_order(order_id: str) -> PaymentOrder | None:
    """Find an order by what Stripe's metadata says, which may be anything."""
    try:
        return PaymentOrder.objects.filter(pk=UUID(order_id)).first()
    except ValueError:
        return None


def end_order(ended: OrderEnded) -> None:
    """Note that an open order will not be paid as it stands; a recharge that failed stops."""
    order = find_order(ended.order)
    if order is None:
        return
    still_open = PaymentOrder.objects.filter(pk=order.pk, state=PaymentOrder.State.OPEN)
    changed = still_open.update(state=ended.state, failure=ended.why)
    if changed and order.source == PaymentOrder.Source.RECHARGE:
        stop_recharge(order.workspace_id, ended.why or ended.state)


def stop_recharge(workspace_id: int, why: str) -> None:
    """Let a workspace's recharge rest until somebody sets it again; the first reason stays."""
    AutoRecharge.objects.filter(pk=workspace_id, stopped_because="").update(
        stopped_because=why, updated_at=Now()
    )


def customer_of(workspace_id: int) -> StripeCustomer:
    """Give the workspace's customer at Stripe, which is made when it is first needed.

    Two first calls at once may make two there; one of them is kept, and the other never used.

    Raises: PaymentsOff, PaymentProviderAway, PaymentProviderRefused.
    """
    live = is_live()
    known = StripeCustomer.objects.filter(workspace_id=workspace_id, livemode=live).first()
    if known is not None:
        return known
    client = stripe_client()
    with translated():
        made = client.v1.customers.create({"metadata": {"studio_workspace": str(workspace_id)}})
    row = StripeCustomer(customer_id=made.id, workspace_id=workspace_id, livemode=live)
    StripeCustomer.objects.bulk_create([row], ignore_conflicts=True)
    return StripeCustomer.objects.get(workspace_id=workspace_id, livemode=live)


def choose_card(*, customer_id: str, payment_method_id: str, at: dt.datetime) -> None:
    """Keep a customer's card, unless Stripe told of another one later than `at`."""
    older = Q(card_at__isnull=True) | Q(card_at__lte=at)
    StripeCustomer.objects.filter(older, pk=customer_id).update(
        payment_method_id=payment_method_id, card_at=at
    )


def forget_card(payment_method_id: str) -> None:
    """Drop a card that is not saved at Stripe any more."""
    StripeCustomer.objects.filter(payment_method_id=payment_method_id).update(payment_method_id="")
