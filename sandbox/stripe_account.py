"""One account of the Stripe double: its objects, what happens to them, and the events of it."""

import copy
from typing import Any

from sandbox import stripe_objects as objects
from sandbox.messages import Json
from sandbox.stripe_form import StripeError, check_known, flag, number, required
from sandbox.stripe_webhooks import Webhooks

FAILING_CARDS = {
    "pm_card_chargeDeclined": "card_declined",
    "pm_card_chargeDeclinedExpiredCard": "expired_card",
    "pm_card_authenticationRequired": "authentication_required",
}
"""Names of Stripe's own test cards, not checked against its page."""
_SESSION_FIELDS = (
    *("mode", "customer", "client_reference_id", "line_items", "payment_intent_data"),
    *("success_url", "cancel_url", "invoice_creation", "expires_at", "ui_mode"),
)
_INTENT_FIELDS = (
    *("amount", "currency", "customer", "payment_method", "off_session", "confirm"),
    *("description", "setup_future_usage", "payment_method_types"),
)


class Account:
    """What belongs to one secret key."""

    def __init__(self, *, live: bool, adopts: bool = False) -> None:
        self.live = live
        self.adopts = adopts
        """Whether a customer from before the double was started is taken as known."""
        self.pages = ""
        """Where payers see the double's own pages; each request tells."""
        self.objects: dict[str, Json] = {}
        self.events: list[Json] = []
        self.answers: dict[str, tuple[str, int, bytes]] = {}
        """Idempotency key → what was asked, and the answer."""
        self.failing = dict(FAILING_CARDS)
        self.outage: list[int] = []
        """Statuses of the next answers, instead of the answers."""
        self.webhooks = Webhooks()
        self._plans: dict[str, Json] = {}

    def get(self, kind: str, object_id: str) -> Json:
        """Find an object. Raises: StripeError."""
        if self.adopts and kind == "customer" and object_id.startswith("cus_"):
            known = objects.customer({}, live=self.live) | {"id": object_id}
            return self.objects.setdefault(object_id, known)
        found = self.objects.get(object_id)
        if found is None or found["object"] != kind:
            message = f"No such {kind}: '{object_id}'"
            raise StripeError(message, status=404, code="resource_missing", param="id")
        return found

    def make_customer(self, fields: Json) -> Json:
        """POST /v1/customers."""
        check_known(fields, ("email", "name", "description"))
        return self._keep(objects.customer(fields, live=self.live))

    def make_session(self, fields: Json) -> Json:
        """POST /v1/checkout/sessions, of mode payment."""
        check_known(fields, _SESSION_FIELDS)
        if required(fields, "mode") != "payment":
            raise StripeError("The sandbox has sessions of mode payment", param="mode")
        if fields.get("customer"):
            self.get("customer", fields["customer"])
        amount, currency = 0, ""
        for item in required(fields, "line_items"):
            price = required(item, "price_data")
            currency = required(price, "currency")
            amount += (number(price, "unit_amount") or 0) * (number(item, "quantity") or 1)
        required(fields, "success_url")
        made = self._keep(
            objects.session(
                fields, amount=amount, currency=currency, live=self.live, pages=self.pages
            )
        )
        self._plans[made["id"]] = fields
        return made

    def expire_session(self, session_id: str) -> Json:
        """POST /v1/checkout/sessions/{id}/expire."""
        session = self.get("checkout.session", session_id)
        if session["status"] != "open":
            raise StripeError("Only Checkout Sessions with a status of open can be expired.")
        session.update(status="expired", url=None)
        self._tell("checkout.session.expired", session)
        return session

    def make_intent(self, fields: Json) -> Json:
        """POST /v1/payment_intents; confirmed at once where it says so. Raises: StripeError."""
        check_known(fields, _INTENT_FIELDS)
        amount = number(fields, "amount")
        if not amount or amount < 50:
            raise StripeError("Amount must be at least $0.50 usd", code="amount_too_small")
        required(fields, "currency")
        intent = self._keep(objects.intent(fields, amount=amount, live=self.live))
        self._tell("payment_intent.created", intent)
        if flag(fields, "confirm"):
            self._confirm(intent, required(fields, "payment_method"))
        return intent

    def make_refund(self, fields: Json) -> Json:
        """POST /v1/refunds."""
        check_known(fields, ("payment_intent", "charge", "amount", "reason"))
        charge = self._charge_of(required(fields, "payment_intent"))
        left = charge["amount"] - charge["amount_refunded"]
        amount = number(fields, "amount") or left
        if not 0 < amount <= left:
            raise StripeError(
                "Refund amount is greater than unrefunded amount on charge", param="amount"
            )
        made = self._keep(objects.refund(charge, amount=amount, reason=fields.get("reason")))
        charge["amount_refunded"] += amount
        charge["refunded"] = charge["amount_refunded"] == charge["amount"]
        self._tell("refund.created", made)
        self._tell("charge.refunded", charge)
        return made

    def make_portal(self, fields: Json) -> Json:
        """POST /v1/billing_portal/sessions."""
        check_known(fields, ("customer", "return_url"))
        customer = self.get("customer", required(fields, "customer"))
        made = objects.new_id("bps")
        return self._keep(
            {
                "id": made,
                "object": "billing_portal.session",
                "customer": customer["id"],
                "livemode": self.live,
                "return_url": fields.get("return_url"),
                "url": f"{self.pages}/portal/{made}",
            }
        )

    def pay(self, session_id: str, card: str = "") -> Json:
        """Do what a payer does at Stripe's page. Returns: the session, paid or still open."""
        session = self.get("checkout.session", session_id)
        if session["status"] != "open":
            raise StripeError("This session is not open.")
        plan = self._plans[session_id]
        fields = {
            **(plan.get("payment_intent_data") or {}),
            "currency": session["currency"],
            "customer": session["customer"],
        }
        intent = objects.intent(fields, amount=session["amount_total"], live=self.live)
        self._keep(intent)
        self._tell("payment_intent.created", intent)
        self._confirm(intent, card or objects.new_id("pm"))
        session.update(status="complete", payment_status="paid", url=None)
        session["payment_intent"] = intent["id"]
        creation = plan.get("invoice_creation") or {}
        if flag(creation, "enabled"):
            metadata = (creation.get("invoice_data") or {}).get("metadata") or {}
            invoice = self._keep(objects.invoice(session, metadata, pages=self.pages))
            session["invoice"] = invoice["id"]
            self._tell("invoice.paid", invoice)
        self._tell("checkout.session.completed", session)
        return session

    def dispute(self, fields: Json) -> Json:
        """Do what a payer's bank does."""
        charge = self._charge_of(fields["payment_intent"])
        made = objects.dispute(
            charge,
            amount=fields.get("amount") or charge["amount"],
            reason=fields.get("reason", "fraudulent"),
            status=fields.get("status", "needs_response"),
        )
        charge["disputed"] = True
        self._tell("charge.dispute.created", self._keep(made))
        return made

    def set_status(self, object_id: str, status: str) -> Json:
        """Move a refund or a dispute to another status, and tell of it."""
        found = self.objects[object_id]
        found["status"] = status
        over = status in ("won", "lost", "warning_closed")
        kind = "charge.dispute.closed" if over else "charge.dispute.updated"
        if found["object"] == "refund":
            kind = "refund.failed" if status == "failed" else "refund.updated"
            if status in ("failed", "canceled"):
                charge = self.objects[found["charge"]]
                charge["amount_refunded"] -= found["amount"]
                charge["refunded"] = False
        self._tell(kind, found)
        return found

    def detach(self, payment_method: str) -> Json:
        """Forget a saved card."""
        found = {
            "id": payment_method,
            "object": "payment_method",
            "customer": None,
            "livemode": self.live,
            "type": "card",
        }
        self._tell("payment_method.detached", found)
        return found

    def _confirm(self, intent: Json, card: str) -> None:
        """Charge a card. Raises: StripeError with 402."""
        intent["payment_method"] = card
        code = self.failing.get(card)
        if code is not None:
            intent["last_payment_error"] = {"type": "card_error", "code": code}
            self._tell("payment_intent.payment_failed", intent)
            raise StripeError("Your card was declined.", status=402, code=code)
        intent.update(status="succeeded", amount_received=intent["amount"])
        charge = self._keep(objects.charge(intent, pages=self.pages))
        intent["latest_charge"] = charge["id"]
        self._tell("charge.succeeded", charge)
        self._tell("payment_intent.succeeded", intent)

    def _charge_of(self, intent_id: str) -> Json:
        charge_id = self.get("payment_intent", intent_id)["latest_charge"]
        if charge_id is None:
            raise StripeError("This PaymentIntent has no successful charge.")
        return self.objects[charge_id]

    def _keep(self, made: Json) -> Json:
        self.objects[made["id"]] = made
        return made

    def _tell(self, kind: str, about: Json, **more: Any) -> None:  # noqa: ANN401
        told = objects.event(kind, copy.deepcopy(about), live=self.live, **more)
        self.events.append(told)
        self.webhooks.tell(told)
