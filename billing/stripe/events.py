"""An event of Stripe's as the facts that we need of it, and whether it is Stripe's at all.

Source: `stripe` 16.1.0 for Python, API version 2026-10-28.endive: the shapes of the objects; its
`_webhook.py`: the signature is over the raw bytes.
"""

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import msgspec
import stripe

from billing.stripe.errors import EventRefused

ORDER = "studio_order"
"""The key of our order's id in Stripe's metadata."""
TOLERANCE_S = 300


class Paid(msgspec.Struct, frozen=True, kw_only=True, tag="paid"):
    """A payment came in. `save_card` if the payer let us keep `payment_method`."""

    payment_intent: str
    amount_cents: int
    currency: str
    customer: str
    order: str
    session: str = ""
    payment_method: str = ""
    save_card: bool = False


class Refunded(msgspec.Struct, frozen=True, kw_only=True, tag="refunded"):
    """A refund of a payment is in some status."""

    refund: str
    payment_intent: str
    amount_cents: int
    currency: str
    status: str
    reason: str


class Disputed(msgspec.Struct, frozen=True, kw_only=True, tag="disputed"):
    """A dispute of a payment is in some status."""

    dispute: str
    payment_intent: str
    amount_cents: int
    currency: str
    status: str
    reason: str


class Receipt(msgspec.Struct, frozen=True, kw_only=True, tag="receipt"):
    """A payment has a receipt."""

    payment_intent: str
    url: str


class Invoiced(msgspec.Struct, frozen=True, kw_only=True, tag="invoiced"):
    """An order has an invoice."""

    invoice: str
    order: str
    number: str
    page_url: str
    pdf_url: str


class OrderEnded(msgspec.Struct, frozen=True, kw_only=True, tag="order_ended"):
    """An order will not be paid as it stands: `expired` or `failed`."""

    order: str
    state: str
    why: str = ""


class CardChosen(msgspec.Struct, frozen=True, kw_only=True, tag="card_chosen"):
    """A customer chose another card at Stripe."""

    customer: str
    payment_method: str


class CardGone(msgspec.Struct, frozen=True, kw_only=True, tag="card_gone"):
    """A card is not saved any more."""

    payment_method: str


class Unreadable(msgspec.Struct, frozen=True, kw_only=True, tag="unreadable"):
    """The object is not what its type promises; `fault` names the field."""

    fault: str


Facts = (
    Paid
    | Refunded
    | Disputed
    | Receipt
    | Invoiced
    | OrderEnded
    | CardChosen
    | CardGone
    | Unreadable
)


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event; `facts` is None where it says nothing that we need. `created` is Unix seconds."""

    id: str
    type: str
    created: int
    livemode: bool
    api_version: str
    facts: Facts | None


class _Data(msgspec.Struct, frozen=True):
    object: msgspec.Raw


class _Envelope(msgspec.Struct, frozen=True):
    id: str
    type: str
    created: int
    livemode: bool
    data: _Data
    api_version: str | None = None


class _Intent(msgspec.Struct, frozen=True):
    id: str
    amount_received: int
    currency: str
    customer: str | None = None
    payment_method: str | None = None
    setup_future_usage: str | None = None
    metadata: dict[str, str] = {}
    cancellation_reason: str | None = None


class _Session(msgspec.Struct, frozen=True):
    id: str
    payment_status: str
    amount_total: int | None = None
    currency: str | None = None
    customer: str | None = None
    payment_intent: str | None = None
    metadata: dict[str, str] | None = None


class _Reversal(msgspec.Struct, frozen=True):
    id: str
    amount: int
    currency: str
    payment_intent: str | None = None
    status: str | None = None
    reason: str | None = None


class _Charge(msgspec.Struct, frozen=True):
    payment_intent: str | None = None
    receipt_url: str | None = None


class _Invoice(msgspec.Struct, frozen=True):
    id: str
    metadata: dict[str, str] | None = None
    number: str | None = None
    hosted_invoice_url: str | None = None
    invoice_pdf: str | None = None


class _Method(msgspec.Struct, frozen=True):
    id: str


class _InvoiceSettings(msgspec.Struct, frozen=True):
    default_payment_method: str | None = None


class _Customer(msgspec.Struct, frozen=True):
    id: str
    invoice_settings: _InvoiceSettings | None = None


def read_webhook(body: bytes, signature: str, *, secret: str) -> Event:
    """Check that a body is signed with `secret`, now, and read it. An empty secret never signs.

    Raises: EventRefused.
    """
    # The library compares texts, which Python does for ASCII alone.
    if not secret.strip() or not signature.isascii():
        raise EventRefused("The signature does not fit.")
    try:
        stripe.WebhookSignature.verify_header(body, signature, secret, TOLERANCE_S)
    except (stripe.SignatureVerificationError, UnicodeDecodeError) as error:
        raise EventRefused("The signature does not fit.") from error
    try:
        return read_event(body)
    except msgspec.DecodeError as error:
        raise EventRefused("This is no event.") from error


def read_event(body: bytes) -> Event:
    """Read an event of Stripe's. Raises: msgspec.DecodeError if it is none."""
    envelope = msgspec.json.decode(body, type=_Envelope)
    facts: Facts | None = None
    if envelope.type in _READERS:
        try:
            facts = _READERS[envelope.type](envelope.data.object)
        except msgspec.ValidationError as error:
            facts = Unreadable(fault=str(error))
    return Event(
        id=envelope.id,
        type=envelope.type,
        created=envelope.created,
        livemode=envelope.livemode,
        api_version=envelope.api_version or "",
        facts=facts,
    )


def paid_by_intent(intent: dict[str, Any]) -> Paid:
    """Read a payment intent that succeeded, as an answer of the API's gives it."""
    return _paid(msgspec.convert(intent, _Intent))


def facts_of(stored: dict[str, Any]) -> Facts:
    """Read facts as they were stored."""
    facts: Facts = msgspec.convert(stored, Facts)
    return facts


def _paid(intent: _Intent) -> Paid:
    return Paid(
        payment_intent=intent.id,
        amount_cents=intent.amount_received,
        currency=intent.currency,
        customer=intent.customer or "",
        order=intent.metadata.get(ORDER, ""),
        payment_method=intent.payment_method or "",
        save_card=intent.setup_future_usage == "off_session",
    )


def _intent_succeeded(raw: msgspec.Raw) -> Facts:
    return _paid(msgspec.json.decode(raw, type=_Intent))


def _intent_failed(raw: msgspec.Raw) -> Facts | None:
    intent = msgspec.json.decode(raw, type=_Intent)
    order = intent.metadata.get(ORDER, "")
    # Someone at Stripe's page tries again with another card; the session tells of its own end.
    if not order or intent.metadata.get("studio_source") != "recharge":
        return None
    return OrderEnded(order=order, state="failed", why=intent.cancellation_reason or "failed")


def _session_completed(raw: msgspec.Raw) -> Facts | None:
    session = msgspec.json.decode(raw, type=_Session)
    if session.payment_status != "paid" or not session.payment_intent:
        return None
    return Paid(
        payment_intent=session.payment_intent,
        amount_cents=session.amount_total or 0,
        currency=session.currency or "",
        customer=session.customer or "",
        order=(session.metadata or {}).get(ORDER, ""),
        session=session.id,
    )


def _session_ended(state: str) -> "Callable[[msgspec.Raw], Facts | None]":
    def read(raw: msgspec.Raw) -> Facts | None:
        session = msgspec.json.decode(raw, type=_Session)
        order = (session.metadata or {}).get(ORDER, "")
        return OrderEnded(order=order, state=state) if order else None

    return read


def _refund(raw: msgspec.Raw) -> Facts | None:
    refund = msgspec.json.decode(raw, type=_Reversal)
    if not refund.payment_intent:
        return None
    return Refunded(
        refund=refund.id,
        payment_intent=refund.payment_intent,
        amount_cents=refund.amount,
        currency=refund.currency,
        status=refund.status or "succeeded",
        reason=refund.reason or "",
    )


def _dispute(raw: msgspec.Raw) -> Facts | None:
    dispute = msgspec.json.decode(raw, type=_Reversal)
    if not dispute.payment_intent or not dispute.status:
        return None
    return Disputed(
        dispute=dispute.id,
        payment_intent=dispute.payment_intent,
        amount_cents=dispute.amount,
        currency=dispute.currency,
        status=dispute.status,
        reason=dispute.reason or "",
    )


def _charge(raw: msgspec.Raw) -> Facts | None:
    charge = msgspec.json.decode(raw, type=_Charge)
    if not charge.payment_intent or not charge.receipt_url:
        return None
    return Receipt(payment_intent=charge.payment_intent, url=charge.receipt_url)


def _invoice(raw: msgspec.Raw) -> Facts | None:
    invoice = msgspec.json.decode(raw, type=_Invoice)
    order = (invoice.metadata or {}).get(ORDER, "")
    if not order:
        return None
    return Invoiced(
        invoice=invoice.id,
        order=order,
        number=invoice.number or "",
        page_url=invoice.hosted_invoice_url or "",
        pdf_url=invoice.invoice_pdf or "",
    )


def _detached(raw: msgspec.Raw) -> Facts:
    return CardGone(payment_method=msgspec.json.decode(raw, type=_Method).id)


def _customer(raw: msgspec.Raw) -> Facts | None:
    customer = msgspec.json.decode(raw, type=_Customer)
    chosen = customer.invoice_settings and customer.invoice_settings.default_payment_method
    return CardChosen(customer=customer.id, payment_method=chosen) if chosen else None


_READERS: MappingProxyType[str, Callable[[msgspec.Raw], Facts | None]] = MappingProxyType(
    {
        "payment_intent.succeeded": _intent_succeeded,
        "payment_intent.payment_failed": _intent_failed,
        "payment_intent.canceled": _intent_failed,
        "checkout.session.completed": _session_completed,
        "checkout.session.async_payment_succeeded": _session_completed,
        "checkout.session.async_payment_failed": _session_ended("failed"),
        "checkout.session.expired": _session_ended("expired"),
        "refund.created": _refund,
        "refund.updated": _refund,
        "refund.failed": _refund,
        "charge.dispute.created": _dispute,
        "charge.dispute.updated": _dispute,
        "charge.dispute.closed": _dispute,
        "charge.dispute.funds_withdrawn": _dispute,
        "charge.dispute.funds_reinstated": _dispute,
        "charge.succeeded": _charge,
        "invoice.paid": _invoice,
        "payment_method.detached": _detached,
        "customer.updated": _customer,
    }
)
EVENT_TYPES = tuple(_READERS)
"""What the endpoint at Stripe is to be told of; Stripe's list takes at most 20 types."""
