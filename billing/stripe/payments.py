"""A payment becomes credit, once per payment intent, if it is what was ordered.

Both the payment intent and the checkout session tell of a payment, each with all that is compared;
whichever comes first is credited, and the other finds it done.
"""

import datetime as dt

from django.db.models.functions import Now

from billing import ledger
from billing.models.payments import Payment, PaymentInvoice, PaymentOrder
from billing.stripe import orders, quarantine, reversals
from billing.stripe.events import Event, Invoiced, Paid, Receipt
from billing.stripe.packs import UCR_PER_CENT


def take_payment(event: Event, paid: Paid) -> list[str]:
    """Credit a payment unless it is credited or differs from its order; then settle what waited.

    Returns: the disputes of this payment, to be settled when this transaction is over.
    """
    payment = orders.lock_payment(paid.payment_intent)
    order = _order_of(paid)
    if (difference := _difference(paid, order, payment)) is not None:
        why, detail = difference
        quarantine.put(event, why=why, detail=detail)
        return []
    assert order is not None, "a payment without an order differs"
    _keep_card(event, paid)
    if payment.credited_at is not None:
        return []
    payment.order = order
    order.state = PaymentOrder.State.PAID
    order.session_id = order.session_id or paid.session or None
    order.save(update_fields=["state", "session_id"])
    return credit(payment, workspace_id=order.workspace_id, paid=paid, event=event)


def credit(payment: Payment, *, workspace_id: int, paid: Paid, event: Event) -> list[str]:
    """Credit a payment to a workspace, and take what was refunded before. The payment is locked.

    Returns: its disputes, as above.
    """
    top_up_id = orders.top_up_id_of(paid.payment_intent)
    verdict = ledger.credit(
        workspace_id=workspace_id,
        id=top_up_id,
        kind="topup",
        amount_ucr=paid.amount_cents * UCR_PER_CENT,
        ref=f"stripe {paid.payment_intent}",
    )
    # Nothing else credits under this id, and this row says that nothing has.
    assert verdict.verdict == "credited", verdict
    payment.workspace_id = workspace_id
    payment.amount_cents = paid.amount_cents
    payment.currency = paid.currency
    payment.top_up_id = top_up_id
    payment.credited_at = Now()
    payment.save()
    payment.refresh_from_db()
    reversals.settle_refunds(payment, event)
    return reversals.open_disputes_of(payment)


def keep_receipt(receipt: Receipt) -> None:
    """Keep the address of a payment's receipt."""
    payment = orders.lock_payment(receipt.payment_intent)
    payment.receipt_url = receipt.url
    payment.save(update_fields=["receipt_url"])


def keep_invoice(invoiced: Invoiced) -> None:
    """Keep the addresses of an order's invoice, if the order is ours."""
    order = orders.find_order(invoiced.order)
    if order is None:
        return
    PaymentInvoice.objects.update_or_create(
        invoice_id=invoiced.invoice,
        defaults={
            "order": order,
            "number": invoiced.number,
            "page_url": invoiced.page_url,
            "pdf_url": invoiced.pdf_url,
        },
    )


def _order_of(paid: Paid) -> PaymentOrder | None:
    order = orders.find_order(paid.order)
    return order and PaymentOrder.objects.select_for_update().get(pk=order.pk)


def _difference(paid: Paid, order: PaymentOrder | None, payment: Payment) -> tuple[str, str] | None:
    """Say what differs from our order, in a word and in a sentence; None if all fits."""
    if order is None:
        return "order", "Somebody paid for nothing that we ordered."
    compared = (
        ("amount", paid.amount_cents, order.amount_cents),
        ("currency", paid.currency, order.currency),
        ("customer", paid.customer, order.customer_id),
        ("session", paid.session or order.session_id, order.session_id or paid.session or None),
        ("payment", paid.payment_intent, _payment_of(order) or paid.payment_intent),
        ("order", order.pk, payment.order_id or order.pk),
        ("workspace", order.workspace_id, payment.workspace_id or order.workspace_id),
    )
    for why, came, ordered in compared:
        if came != ordered:
            return why, f"Of order {order.pk}: the {why} is {came}, and should be {ordered}."
    return None


def _payment_of(order: PaymentOrder) -> str | None:
    found = Payment.objects.filter(order=order).values_list("pk", flat=True).first()
    return found and str(found)


def _keep_card(event: Event, paid: Paid) -> None:
    if paid.save_card and paid.payment_method:
        orders.choose_card(
            customer_id=paid.customer,
            payment_method_id=paid.payment_method,
            at=dt.datetime.fromtimestamp(event.created, dt.UTC),
        )
