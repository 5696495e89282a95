"""What finance keeps: who closes a month, what its books said then, and what providers billed.

Written by `billing/finance/closing.py` and `invoices.py`. Triggers keep every row as it was
written.
"""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class MonthClose(models.Model):
    """A month that somebody asked to close; closed when another person confirmed it."""

    month = models.DateField(primary_key=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    requested_at = models.DateTimeField(db_default=Now())

    class Meta:
        default_permissions = ("view",)
        permissions = [
            ("export_finance", "Can read and download finance's reports"),
            ("close_month", "Can close months"),
            ("import_invoice", "Can import providers' invoices"),
        ]
        verbose_name = "month"
        constraints = [
            models.CheckConstraint(
                name="monthclose_is_a_month", condition=Q(month__day=1, month__gte="2000-01-01")
            )
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"


class ClosedStatement(models.Model):
    """One workspace's statement as it was when the month was closed. Amounts in µcr."""

    month = models.DateField()
    workspace_id = models.BigIntegerField()
    workspace_name = models.TextField("workspace")
    opening_ucr = models.BigIntegerField()
    purchases_ucr = models.BigIntegerField()
    grants_ucr = models.BigIntegerField()
    adjustments_ucr = models.BigIntegerField()
    charged_ucr = models.BigIntegerField()
    given_back_ucr = models.BigIntegerField()
    paid_out_ucr = models.BigIntegerField()
    reinstated_ucr = models.BigIntegerField()
    expiry_ucr = models.BigIntegerField()
    closing_ucr = models.BigIntegerField()
    entry_count = models.BigIntegerField()

    class Meta:
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["month", "workspace_id"], name="closed_statement_once")
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} {self.workspace_name}"


class ClosedMargin(models.Model):
    """A model's revenue and cost as they were when the month was closed. Amounts in µcr."""

    month = models.DateField()
    provider = models.TextField()
    model = models.TextField()
    billing = models.TextField()
    request_count = models.BigIntegerField()
    revenue_ucr = models.BigIntegerField()
    given_ucr = models.BigIntegerField()
    cost_ucr = models.BigIntegerField()

    class Meta:
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(
                fields=["month", "provider", "model", "billing"], name="closed_margin_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} {self.provider} {self.model} {self.billing}"


class ProviderInvoice(models.Model):
    """A file in which a provider says what it bills us. The same bytes are one invoice."""

    sha256 = models.TextField(unique=True)
    file_name = models.TextField()
    imported_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    imported_at = models.DateTimeField(db_default=Now())
    line_count = models.IntegerField()
    amount_ucr = models.BigIntegerField()

    class Meta:
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.file_name


class ProviderInvoiceLine(models.Model):
    """What a provider bills for one model on one day (UTC). A negative `amount_ucr` is a credit."""

    invoice = models.ForeignKey(ProviderInvoice, on_delete=models.PROTECT, related_name="lines")
    line_number = models.IntegerField()
    provider = models.TextField()
    day = models.DateField()
    model = models.TextField()
    quantity = models.DecimalField(max_digits=30, decimal_places=9)
    amount_ucr = models.BigIntegerField()

    class Meta:
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["invoice", "line_number"], name="invoice_line_once")
        ]
        indexes = [models.Index(fields=["day", "provider"], name="invoice_line_by_day")]

    def __str__(self) -> str:
        return f"{self.provider} {self.day} {self.model}"


class StripeBalanceLine(models.Model):
    """A balance transaction of Stripe's, from its own report: what came, what it took, what is
    left.

    Amounts in cents of US dollars, signed as Stripe has them: money that leaves us is negative.
    `payout_id` is empty until Stripe pays it out; nothing else of a line ever changes.
    """

    transaction_id = models.TextField(primary_key=True)
    created_at = models.DateTimeField()
    category = models.TextField()
    payment_intent_id = models.TextField(blank=True)
    payout_id = models.TextField(blank=True)
    gross_cents = models.BigIntegerField()
    fee_cents = models.BigIntegerField()
    net_cents = models.BigIntegerField()

    class Meta:
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["payment_intent_id"], name="stripeline_by_payment"),
            models.Index(fields=["created_at"], name="stripeline_by_time"),
        ]
        constraints = [
            models.CheckConstraint(
                name="stripeline_adds_up",
                condition=Q(net_cents=models.F("gross_cents") - models.F("fee_cents")),
            )
        ]

    def __str__(self) -> str:
        return self.transaction_id
