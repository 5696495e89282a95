"""Payments for staff: orders, payments, refunds and disputes, events, and what is quarantined."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from billing.admin.asking import PAYMENT_PAGES
from billing.admin.form_pages import Facts, FormPage, FormPagesAdmin, ReasonForm
from billing.models.payments import (
    AutoRecharge,
    BackFill,
    Payment,
    PaymentInvoice,
    PaymentOrder,
    Quarantine,
    Reversal,
    StripeCustomer,
    StripeEvent,
)
from billing.stripe import resolving
from studio.accounts.amounts import (
    NONE,
    cents_cell,
    cents_column,
    credits_column,
    id_cell,
    id_column,
)
from studio.accounts.read_only_admin import ReadOnlyAdmin, SearchedByIdAdmin, read_number

_RESOLVE = "billing.resolve_payment"


class WorkspaceForm(ReasonForm):
    """Whose payment it is, and why we know."""

    workspace_id = forms.IntegerField(min_value=1, help_text="As the list of wallets has it.")
    field_order = ("key", "workspace_id", "reason")


def _credit(staff: User, row: Quarantine, given: dict[str, Any]) -> str:
    done = resolving.credit_quarantined(
        quarantine_id=row.pk,
        workspace_id=given["workspace_id"],
        reason=given["reason"],
        staff=staff,
    )
    if done.state == Quarantine.State.PROPOSED:
        return f"Waits for another person: {given['reason']}"
    return f"Credited to workspace {given['workspace_id']}: {given['reason']}"


def _dismiss(staff: User, row: Quarantine, given: dict[str, Any]) -> str:
    resolving.dismiss_quarantined(quarantine_id=row.pk, reason=given["reason"], staff=staff)
    return f"Dismissed: {given['reason']}"


def _undecided(row: Quarantine) -> bool:
    return row.state in (Quarantine.State.OPEN, Quarantine.State.PROPOSED)


def _what(row: Quarantine) -> Facts:
    return [
        ("What differs", f"{row.why}: {row.detail}"),
        ("Payment", row.payment_intent_id or NONE),
        ("Amount", cents_cell(row.amount_cents, row.currency)),
        ("Proposed by", row.proposed_by or NONE),
    ]


def _outside(url: str, words: str) -> SafeString:
    """Link to a page of Stripe's, if that is what the address is."""
    if not url.startswith(("https://", "http://127.0.0.1:")):
        return NONE
    return format_html('<a href="{}" rel="noopener noreferrer">{}</a>', url, words)


@admin.register(Quarantine)
class QuarantineAdmin(FormPagesAdmin):
    """Events that do not fit what we know. Each is credited or dismissed by a person."""

    list_display = (
        "created_at",
        "why",
        "detail",
        cents_column("amount_cents"),
        id_column("payment_intent_id", "payment"),
        "state",
        "workspace",
        "by",
    )
    list_filter = ("state", "why")
    list_select_related = ("workspace", "proposed_by", "resolved_by", "event")
    ordering = ("-created_at",)
    workspace_field = "workspace_id"
    text_fields = ("payment_intent_id", "event_id")
    search_help_text = "pi_…, evt_…, or the workspace that it was credited to (id or whole name)"
    form_pages = (
        FormPage(
            name="credit",
            label="Credit this payment",
            permission=_RESOLVE,
            form=WorkspaceForm,
            act=_credit,
            offered=resolving.is_creditable,
            facts=_what,
            initial=lambda row: {"workspace_id": row.workspace_id},
        ),
        FormPage(
            name="dismiss",
            label="Dismiss",
            permission=_RESOLVE,
            form=ReasonForm,
            act=_dismiss,
            offered=_undecided,
            facts=_what,
        ),
    )

    @admin.display(description="by")
    def by(self, row: Quarantine) -> str:
        """Show who decided it, or proposed it."""
        return str(row.resolved_by or row.proposed_by or NONE)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Quarantine | None:
        """Find by the id."""
        number = read_number(object_id)
        return None if number is None else Quarantine.objects.filter(pk=number).first()


@admin.register(PaymentOrder)
class PaymentOrderAdmin(SearchedByIdAdmin):
    """What workspaces ordered, and our recharges."""

    list_display = (
        "created_at",
        "workspace",
        "source",
        "pack",
        cents_column("amount_cents"),
        "state",
        "failure",
        "livemode",
    )
    list_filter = ("state", "source", "livemode")
    list_select_related = ("workspace",)
    ordering = ("-created_at",)
    workspace_field = "workspace_id"
    uuid_field = "id"
    text_fields = ("session_id", "customer_id")
    search_help_text = "Workspace id, whole workspace name, id of an order, cs_… or cus_…"


@admin.register(Payment)
class PaymentAdmin(FormPagesAdmin):
    """What was paid, where it was credited, and its receipt at Stripe; payouts of it."""

    list_display = (
        "seen_at",
        id_column("payment_intent_id", "payment"),
        "workspace",
        cents_column("amount_cents"),
        "credited_at",
        "receipt",
    )
    list_filter = (("credited_at", admin.EmptyFieldListFilter),)
    list_select_related = ("workspace",)
    ordering = ("-seen_at",)
    workspace_field = "workspace_id"
    uuid_field = "top_up_id"
    text_fields = ("payment_intent_id",)
    search_help_text = "Workspace id, whole workspace name, id of a top-up, or pi_…"
    form_pages = PAYMENT_PAGES

    @admin.display(description="receipt at Stripe")
    def receipt(self, payment: Payment) -> SafeString:
        """Link to Stripe's receipt."""
        return _outside(payment.receipt_url, "Receipt")


@admin.register(PaymentInvoice)
class PaymentInvoiceAdmin(SearchedByIdAdmin):
    """Stripe's invoices of orders."""

    list_display = ("number", "workspace", "ordered_at", "amount", "page", "pdf")
    list_select_related = ("order__workspace",)
    ordering = ("-order__created_at",)
    workspace_field = "order__workspace_id"
    uuid_field = "order_id"
    text_fields = ("number", "invoice_id")
    search_help_text = "Workspace id, whole workspace name, id of an order, number or in_…"

    @admin.display(description="workspace")
    def workspace(self, invoice: PaymentInvoice) -> str:
        """Show who ordered."""
        return invoice.order.workspace.name

    @admin.display(description="ordered at")
    def ordered_at(self, invoice: PaymentInvoice) -> Any:  # noqa: ANN401  a time, for Django to format
        """Show when it was ordered."""
        return invoice.order.created_at

    @admin.display(description="amount")
    def amount(self, invoice: PaymentInvoice) -> SafeString:
        """Show what was ordered for."""
        return cents_cell(invoice.order.amount_cents, invoice.order.currency)

    @admin.display(description="page")
    def page(self, invoice: PaymentInvoice) -> SafeString:
        """Link to the invoice at Stripe."""
        return _outside(invoice.page_url, "Invoice")

    @admin.display(description="file")
    def pdf(self, invoice: PaymentInvoice) -> SafeString:
        """Link to its PDF."""
        return _outside(invoice.pdf_url, "PDF")


@admin.register(StripeCustomer)
class StripeCustomerAdmin(SearchedByIdAdmin):
    """Workspaces as Stripe knows them, and whether a card is saved there."""

    list_display = ("workspace", "customer_id", "livemode", "has_card", "card_at", "created_at")
    list_filter = ("livemode",)
    list_select_related = ("workspace",)
    ordering = ("-created_at",)
    workspace_field = "workspace_id"
    text_fields = ("customer_id",)
    search_help_text = "Workspace id, whole workspace name, or cus_…"

    @admin.display(description="saved card", boolean=True)
    def has_card(self, customer: StripeCustomer) -> bool:
        """Say whether recharges have a card."""
        return bool(customer.payment_method_id)


@admin.register(Reversal)
class ReversalAdmin(SearchedByIdAdmin):
    """Refunds and disputes at Stripe; `waiting` ones wait for their payment."""

    list_display = (
        "seen_at",
        id_column("reversal_id", "refund or dispute"),
        "kind",
        "workspace",
        id_column("payment_id", "payment"),
        cents_column("amount_cents"),
        credits_column("taken_ucr"),
        "status",
        "state",
    )
    list_filter = ("kind", "state")
    list_select_related = ("payment__workspace",)
    ordering = ("-seen_at",)
    workspace_field = "payment__workspace_id"
    text_fields = ("reversal_id", "payment_id")
    search_help_text = "Workspace id, whole workspace name, re_…, dp_… or pi_…"

    @admin.display(description="workspace")
    def workspace(self, reversal: Reversal) -> str:
        """Show whose payment it is, once that is credited."""
        return str(reversal.payment.workspace or NONE)


@admin.register(StripeEvent)
class StripeEventAdmin(SearchedByIdAdmin):
    """Events that were taken, with the facts that were read of them."""

    list_display = (
        "received_at",
        "type",
        id_column("event_id", "event"),
        "about",
        "livemode",
        "by_back_fill",
        "done",
    )
    # Not by type: Django would read the whole table to learn which there are.
    list_filter = ("done", "by_back_fill")
    ordering = ("-received_at",)
    text_fields = ("event_id",)
    search_help_text = "evt_…"

    @admin.display(description="about")
    def about(self, event: StripeEvent) -> SafeString:
        """Show the payment, or else the thing, that it tells of."""
        names = ("payment_intent", "order", "payment_method")
        return id_cell(next((event.facts[name] for name in names if event.facts.get(name)), ""))


@admin.register(AutoRecharge)
class AutoRechargeAdmin(SearchedByIdAdmin):
    """Which workspaces recharge by themselves, and why some stopped."""

    list_display = (
        "workspace",
        "enabled",
        credits_column("threshold_ucr", "below"),
        cents_column("amount_cents"),
        cents_column("monthly_cap_cents"),
        "stopped_because",
        "updated_at",
    )
    list_filter = ("enabled",)
    list_select_related = ("workspace",)
    ordering = ("workspace_id",)
    workspace_field = "workspace_id"
    search_help_text = "Workspace id or whole workspace name"


@admin.register(BackFill)
class BackFillAdmin(ReadOnlyAdmin):
    """Readings of Stripe's list of events; an unfinished one failed."""

    list_display = ("started_at", "since", "finished_at", "event_count", "missed_count")
    ordering = ("-started_at",)
