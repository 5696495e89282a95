"""Payments by Stripe: who the customer is, what we asked for, what came, and what staff must see.

Written by billing/stripe/ alone. The ledger has the money; these rows say where it came from.
Nothing here holds a secret, a card number or an address of a person.
"""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from studio.accounts.models import Workspace


class StripeCustomer(models.Model):
    """A workspace as Stripe knows it, in test or live mode, and its saved card."""

    customer_id = models.TextField(primary_key=True)
    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="+")
    livemode = models.BooleanField()
    payment_method_id = models.TextField(
        default="", help_text="The saved card that recharges use; empty without one."
    )
    card_at = models.DateTimeField(null=True, help_text="When Stripe last told of the card.")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "livemode"], name="stripecustomer_once_per_workspace"
            )
        ]

    def __str__(self) -> str:
        return self.customer_id


class PaymentOrder(models.Model):
    """What we asked Stripe to collect: a payment is credited only if it is what was ordered."""

    class Source(models.TextChoices):
        """A person at Stripe's page, or our recharge of a saved card."""

        CHECKOUT = "checkout"
        RECHARGE = "recharge"

    class State(models.TextChoices):
        """`paid` is final; an expired or failed one is paid all the same if the money comes."""

        OPEN = "open"
        PAID = "paid"
        FAILED = "failed"
        EXPIRED = "expired"

    id = models.UUIDField(primary_key=True)
    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="+")
    source = models.TextField(choices=Source)
    pack = models.TextField(blank=True, help_text="Empty for a free amount.")
    amount_cents = models.BigIntegerField()
    currency = models.TextField()
    customer_id = models.TextField()
    livemode = models.BooleanField()
    request_digest = models.TextField(help_text="Of what was asked, to know a repeat by.")
    payment_method_id = models.TextField(blank=True, help_text="Of a recharge.")
    session_id = models.TextField(null=True, unique=True)
    url = models.TextField(blank=True)
    expires_at = models.DateTimeField(null=True)
    state = models.TextField(choices=State, default=State.OPEN)
    failure = models.TextField(blank=True, help_text="Stripe's word for why it failed.")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["-created_at"], name="paymentorder_newest"),
            models.Index(
                fields=["workspace", "created_at"],
                name="paymentorder_recharges",
                condition=Q(source="recharge"),
            ),
        ]
        constraints = [
            models.CheckConstraint(
                name="paymentorder_is_well_formed",
                condition=Q(amount_cents__gt=0)
                & Q(source__in=["checkout", "recharge"])
                & Q(state__in=["open", "paid", "failed", "expired"])
                & ~Q(currency="")
                & ~Q(customer_id=""),
            ),
            models.UniqueConstraint(
                fields=["workspace"],
                condition=Q(source="recharge", state="open"),
                name="paymentorder_one_open_recharge",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.id}"


class Payment(models.Model):
    """A payment intent of Stripe's: its lock, what it came to, and its receipt and invoice.

    A refund may tell of it before the payment does; `credited_at` is set once, with the credit.
    """

    payment_intent_id = models.TextField(primary_key=True)
    order = models.OneToOneField(
        PaymentOrder, on_delete=models.PROTECT, related_name="payment", null=True
    )
    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="+", null=True)
    amount_cents = models.BigIntegerField(null=True)
    currency = models.TextField(blank=True)
    top_up_id = models.UUIDField("top-up", null=True, help_text="Its id in the ledger.")
    credited_at = models.DateTimeField(null=True)
    receipt_url = models.TextField(blank=True)
    seen_at = models.DateTimeField(db_default=Now())

    class Meta:
        default_permissions = ("view",)
        indexes = [models.Index(fields=["-seen_at"], name="payment_newest")]
        constraints = [
            models.UniqueConstraint(fields=["top_up_id"], name="payment_once_per_top_up"),
            models.CheckConstraint(
                name="payment_is_credited_whole",
                condition=Q(
                    credited_at__isnull=True,
                    workspace__isnull=True,
                    amount_cents__isnull=True,
                    top_up_id__isnull=True,
                )
                | Q(
                    credited_at__isnull=False,
                    workspace__isnull=False,
                    amount_cents__gt=0,
                    top_up_id__isnull=False,
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.payment_intent_id


class PaymentInvoice(models.Model):
    """The invoice that Stripe made for an order: the addresses of its page and of its PDF."""

    invoice_id = models.TextField(primary_key=True)
    order = models.ForeignKey(PaymentOrder, on_delete=models.PROTECT, related_name="invoices")
    number = models.TextField(blank=True)
    page_url = models.TextField(blank=True)
    pdf_url = models.TextField(blank=True)

    class Meta:
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.number or self.invoice_id


class Reversal(models.Model):
    """A refund or a dispute of a payment. It waits for its payment's credit if it comes first."""

    class Kind(models.TextChoices):
        """What it is called at Stripe."""

        REFUND = "refund"
        DISPUTE = "dispute"

    class State(models.TextChoices):
        """Where its money is: still ours, taken, given back, or with staff."""

        WAITING = "waiting"
        TAKEN = "taken"
        RETURNED = "returned"
        QUARANTINED = "quarantined"

    reversal_id = models.TextField(primary_key=True)
    kind = models.TextField(choices=Kind)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="reversals")
    amount_cents = models.BigIntegerField()
    currency = models.TextField()
    status = models.TextField(help_text="Stripe's newest word.")
    reason = models.TextField(blank=True)
    state = models.TextField(choices=State, default=State.WAITING)
    taken_ucr = models.BigIntegerField(
        default=0, db_default=0, help_text="The credit that it took itself."
    )
    covered_ucr = models.BigIntegerField(
        default=0, db_default=0, help_text="The credit that payouts of ours had taken before it."
    )
    seen_at = models.DateTimeField(db_default=Now())

    class Meta:
        default_permissions = ("view",)
        indexes = [models.Index(fields=["-seen_at"], name="reversal_newest")]
        constraints = [
            models.CheckConstraint(
                name="reversal_is_well_formed",
                condition=Q(amount_cents__gt=0)
                & Q(kind__in=["refund", "dispute"])
                & Q(state__in=["waiting", "taken", "returned", "quarantined"])
                & Q(taken_ucr__gte=0, covered_ucr__gte=0),
            )
        ]

    def __str__(self) -> str:
        return self.reversal_id


class StripeEvent(models.Model):
    """An event of Stripe's that was taken in. Once `done`, it never does anything again."""

    event_id = models.TextField(primary_key=True)
    type = models.TextField()
    livemode = models.BooleanField()
    created = models.DateTimeField()
    api_version = models.TextField(blank=True)
    facts = models.JSONField(help_text="What we read of it, and nothing else of it.")
    by_back_fill = models.BooleanField(default=False)
    received_at = models.DateTimeField(db_default=Now())
    done = models.BooleanField(default=False)

    class Meta:
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["-received_at"], name="stripeevent_newest"),
            models.Index(fields=["received_at"], name="stripeevent_open", condition=Q(done=False)),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"


class Quarantine(models.Model):
    """An event that does not fit what we know. Nothing was moved by it; a person decides."""

    class State(models.TextChoices):
        """`proposed` waits for a second person."""

        OPEN = "open"
        PROPOSED = "proposed"
        CREDITED = "credited"
        DISMISSED = "dismissed"

    event = models.ForeignKey(StripeEvent, on_delete=models.PROTECT, related_name="+")
    subject = models.TextField(blank=True, help_text="The refund or dispute it is about.")
    payment_intent_id = models.TextField(blank=True, db_index=True)
    why = models.TextField(help_text="What differs, in a word.")
    detail = models.TextField()
    amount_cents = models.BigIntegerField(null=True)
    currency = models.TextField(blank=True)
    state = models.TextField(choices=State, default=State.OPEN)
    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="+", null=True, help_text="Credited."
    )
    reason = models.TextField(blank=True)
    proposed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    resolved_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        default_permissions = ("view",)
        permissions = [("resolve_payment", "Can credit and dismiss quarantined payments")]
        verbose_name = "quarantined event"
        indexes = [models.Index(fields=["-created_at"], name="quarantine_newest")]
        constraints = [
            models.UniqueConstraint(
                fields=["event", "why", "subject"], name="quarantine_once_per_fault"
            )
        ]

    def __str__(self) -> str:
        return f"{self.why} {self.event_id}"


class AutoRecharge(models.Model):
    """A workspace's wish to be recharged from its saved card below a threshold."""

    workspace = models.OneToOneField(
        Workspace, on_delete=models.PROTECT, related_name="+", primary_key=True
    )
    enabled = models.BooleanField(default=False)
    threshold_ucr = models.BigIntegerField()
    amount_cents = models.BigIntegerField()
    monthly_cap_cents = models.BigIntegerField()
    stopped_because = models.TextField(
        blank=True, help_text="Why it stopped by itself; empty while it runs."
    )
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(
                name="autorecharge_makes_sense",
                condition=Q(threshold_ucr__gte=0)
                & Q(amount_cents__gt=0)
                & Q(monthly_cap_cents__gte=models.F("amount_cents")),
            )
        ]

    def __str__(self) -> str:
        return f"auto-recharge of {self.workspace_id}"


class BackFill(models.Model):
    """A reading of Stripe's list of events, from `since` on; unfinished if it failed."""

    since = models.DateTimeField()
    started_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)
    event_count = models.IntegerField(default=0)
    missed_count = models.IntegerField(default=0, help_text="Events no webhook had brought.")

    class Meta:
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"back-fill {self.pk}"
