"""Payments for staff: orders, payments, refunds and disputes, events, and what is quarantined."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.models import User
from django.http import HttpRequest

from billing.admin.form_pages import FormPage, FormPagesAdmin, ReasonForm
from billing.models.payments import (
    AutoRecharge,
    BackFill,
    Payment,
    PaymentOrder,
    Quarantine,
    Reversal,
    StripeEvent,
)
from billing.stripe import resolving
from studio.accounts.read_only_admin import ReadOnlyAdmin, SearchedByIdAdmin, read_number

_RESOLVE = "billing.resolve_payment"


class WorkspaceForm(ReasonForm):
    """Whose payment it is, and why we know."""

    workspace_id = forms.IntegerField(min_value=1)
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


@admin.register(Quarantine)
class QuarantineAdmin(FormPagesAdmin):
    """Events that do not fit what we know. Each is credited or dismissed by a person."""

    list_display = (
        "created_at",
        "why",
        "detail",
        "amount_cents",
        "currency",
        "payment_intent_id",
        "state",
        "workspace",
        "proposed_by",
        "resolved_by",
    )
    list_filter = ("state", "why")
    list_select_related = ("workspace", "proposed_by", "resolved_by", "event")
    ordering = ("-created_at",)
    workspace_field = "workspace_id"
    search_help_text = "Workspace id or whole workspace name that it was credited to"
    form_pages = (
        FormPage(
            name="credit",
            label="Credit this payment",
            permission=_RESOLVE,
            form=WorkspaceForm,
            act=_credit,
            offered=resolving.is_creditable,
            initial=lambda row: {"workspace_id": row.workspace_id},
        ),
        FormPage(
            name="dismiss",
            label="Dismiss",
            permission=_RESOLVE,
            form=ReasonForm,
            act=_dismiss,
            offered=_undecided,
        ),
    )

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
        "amount_cents",
        "currency",
        "state",
        "failure",
        "livemode",
    )
    list_filter = ("state", "source", "livemode")
    list_select_related = ("workspace",)
    ordering = ("-created_at",)
    workspace_field = "workspace_id"
    uuid_field = "id"
    search_help_text = "Workspace id, whole workspace name, or id of an order"


@admin.register(Payment)
class PaymentAdmin(SearchedByIdAdmin):
    """What was paid, where it was credited, and its receipt at Stripe."""

    list_display = (
        "seen_at",
        "payment_intent_id",
        "workspace",
        "amount_cents",
        "currency",
        "credited_at",
        "receipt_url",
    )
    list_filter = (("credited_at", admin.EmptyFieldListFilter),)
    list_select_related = ("workspace",)
    ordering = ("-seen_at",)
    workspace_field = "workspace_id"
    uuid_field = "top_up_id"
    search_help_text = "Workspace id, whole workspace name, or id of a top-up"


@admin.register(Reversal)
class ReversalAdmin(ReadOnlyAdmin):
    """Refunds and disputes at Stripe; `waiting` ones wait for their payment."""

    list_display = (
        "seen_at",
        "reversal_id",
        "kind",
        "payment",
        "amount_cents",
        "currency",
        "status",
        "state",
    )
    list_filter = ("kind", "state")
    list_select_related = ("payment",)
    ordering = ("-seen_at",)


@admin.register(StripeEvent)
class StripeEventAdmin(ReadOnlyAdmin):
    """Events that were taken, with the facts that were read of them."""

    list_display = ("received_at", "type", "event_id", "livemode", "by_back_fill", "done")
    list_filter = ("done", "by_back_fill", "type")
    ordering = ("-received_at",)


@admin.register(AutoRecharge)
class AutoRechargeAdmin(SearchedByIdAdmin):
    """Which workspaces recharge by themselves, and why some stopped."""

    list_display = (
        "workspace",
        "enabled",
        "amount_cents",
        "monthly_cap_cents",
        "stopped_because",
        "updated_at",
    )
    list_filter = ("enabled",)
    list_select_related = ("workspace",)
    workspace_field = "workspace_id"


@admin.register(BackFill)
class BackFillAdmin(ReadOnlyAdmin):
    """Readings of Stripe's list of events; an unfinished one failed."""

    list_display = ("started_at", "since", "finished_at", "event_count", "missed_count")
    ordering = ("-started_at",)
