"""Stripe's objects as the double makes them.

Source: Stripe's OpenAPI document 2023-08-16 (required fields, enumerations) and its fixtures of
August 2026.
"""

import secrets
import time

from sandbox.messages import Json

API_VERSION = "2026-10-28.endive"
SESSION_LASTS_S = 24 * 3600


def new_id(kind: str) -> str:
    """Make an id; `kind` is its prefix."""
    return f"{kind}_{secrets.token_hex(12)}"


def customer(fields: Json, *, live: bool) -> Json:
    """Make a customer."""
    return {
        "id": new_id("cus"),
        "object": "customer",
        "created": int(time.time()),
        "email": fields.get("email"),
        "name": fields.get("name"),
        "description": fields.get("description"),
        "invoice_settings": {"default_payment_method": None},
        "livemode": live,
        "metadata": fields.get("metadata") or {},
    }


def session(fields: Json, *, amount: int, currency: str, live: bool, pages: str) -> Json:
    """Make a checkout session that nobody has paid; `pages` is where the double has its own."""
    now = int(time.time())
    session_id = new_id("cs_live" if live else "cs_test")
    return {
        "id": session_id,
        "object": "checkout.session",
        "amount_subtotal": amount,
        "amount_total": amount,
        "automatic_tax": {"enabled": False, "status": None},
        "cancel_url": fields.get("cancel_url"),
        "client_reference_id": fields.get("client_reference_id"),
        "created": now,
        "currency": currency,
        "custom_fields": [],
        "custom_text": {},
        "customer": fields.get("customer"),
        "expires_at": now + SESSION_LASTS_S,
        "invoice": None,
        "livemode": live,
        "metadata": fields.get("metadata") or {},
        "mode": fields["mode"],
        "payment_intent": None,
        "payment_method_types": ["card"],
        "payment_status": "unpaid",
        "shipping_options": [],
        "status": "open",
        "success_url": fields.get("success_url"),
        "url": f"{pages}/pay/{session_id}",
    }


def intent(fields: Json, *, amount: int, live: bool) -> Json:
    """Make a payment intent that has not been confirmed."""
    intent_id = new_id("pi")
    return {
        "id": intent_id,
        "object": "payment_intent",
        "amount": amount,
        "amount_received": 0,
        "cancellation_reason": None,
        "capture_method": "automatic",
        "client_secret": f"{intent_id}_secret_{secrets.token_hex(8)}",
        "confirmation_method": "automatic",
        "created": int(time.time()),
        "currency": fields["currency"],
        "customer": fields.get("customer"),
        "description": fields.get("description"),
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": live,
        "metadata": fields.get("metadata") or {},
        "next_action": None,
        "payment_method": fields.get("payment_method"),
        "payment_method_types": ["card"],
        "setup_future_usage": fields.get("setup_future_usage"),
        "status": "requires_payment_method",
    }


def charge(paid: Json, *, pages: str) -> Json:
    """Make the charge of a payment intent that was paid."""
    charge_id = new_id("ch")
    return {
        "id": charge_id,
        "object": "charge",
        "amount": paid["amount"],
        "amount_captured": paid["amount"],
        "amount_refunded": 0,
        "balance_transaction": new_id("txn"),
        "billing_details": {"address": None, "email": None, "name": None, "phone": None},
        "captured": True,
        "created": int(time.time()),
        "currency": paid["currency"],
        "customer": paid["customer"],
        "disputed": False,
        "livemode": paid["livemode"],
        "metadata": paid["metadata"],
        "paid": True,
        "payment_intent": paid["id"],
        "payment_method": paid["payment_method"],
        "receipt_url": f"{pages}/receipts/{charge_id}",
        "refunded": False,
        "status": "succeeded",
    }


def refund(of: Json, *, amount: int, reason: str | None) -> Json:
    """Make a refund of a charge."""
    return {
        "id": new_id("re"),
        "object": "refund",
        "amount": amount,
        "charge": of["id"],
        "created": int(time.time()),
        "currency": of["currency"],
        "metadata": {},
        "payment_intent": of["payment_intent"],
        "reason": reason,
        "status": "succeeded",
    }


def dispute(of: Json, *, amount: int, reason: str, status: str) -> Json:
    """Make a dispute of a charge."""
    return {
        "id": new_id("dp"),
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": of["id"],
        "created": int(time.time()),
        "currency": of["currency"],
        "evidence": {},
        "evidence_details": {
            "due_by": int(time.time()) + 7 * 86_400,
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": False,
        "livemode": of["livemode"],
        "metadata": {},
        "payment_intent": of["payment_intent"],
        "reason": reason,
        "status": status,
    }


def invoice(of: Json, metadata: Json, *, pages: str) -> Json:
    """Make the paid invoice of a session, as far as webhooks of ours read it."""
    invoice_id = new_id("in")
    page = f"{pages}/invoices/{invoice_id}"
    return {
        "id": invoice_id,
        "object": "invoice",
        "amount_due": of["amount_total"],
        "amount_paid": of["amount_total"],
        "created": int(time.time()),
        "currency": of["currency"],
        "customer": of["customer"],
        "hosted_invoice_url": page,
        "invoice_pdf": f"{page}/pdf",
        "livemode": of["livemode"],
        "metadata": metadata,
        "number": f"SANDBOX-{invoice_id[-6:].upper()}",
        "status": "paid",
        "total": of["amount_total"],
    }


def event(kind: str, about: Json, *, live: bool, previous: Json | None = None) -> Json:
    """Make the event that tells of an object as it is now."""
    data: Json = {"object": about}
    if previous is not None:
        data["previous_attributes"] = previous
    return {
        "id": new_id("evt"),
        "object": "event",
        "api_version": API_VERSION,
        "created": int(time.time()),
        "data": data,
        "livemode": live,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
    }
