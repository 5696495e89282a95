"""Caps, alerts and messages for staff: search and read. Workspaces set theirs through the API."""

from typing import Any

from django.contrib import admin
from django.db.models import Func, OuterRef, QuerySet, Subquery
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils.safestring import SafeString

from billing.models.alerts import AlertSettings, OutboxMessage
from billing.models.budgets import Budget, BudgetSpend
from studio.accounts.amounts import credits_cell, credits_column
from studio.accounts.read_only_admin import SearchedByIdAdmin


class OfWorkspaceAdmin(SearchedByIdAdmin):
    """What belongs to one workspace each."""

    workspace_field = "workspace_id"
    search_help_text = "Workspace id or whole workspace name"


@admin.register(Budget)
class BudgetAdmin(OfWorkspaceAdmin):
    """Spend caps per calendar window."""

    list_display = (
        "workspace",
        "whose",
        "period",
        credits_column("cap_ucr", "cap"),
        "spent_ucr",
        "alert_percent",
        "created_at",
    )
    list_filter = ("period",)
    list_select_related = ("workspace", "app_key")
    ordering = ("workspace_id", "pk")
    readonly_fields = ("spent_ucr",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Budget]:
        """Read along what is spent in the window that is now."""
        now = Func(
            OuterRef("period"),
            OuterRef("workspace__time_zone"),
            Now(),
            function="billing_window_start",
        )
        spent = BudgetSpend.objects.filter(budget_id=OuterRef("pk"), starts_on=now)
        caps: QuerySet[Budget] = super().get_queryset(request)
        return caps.annotate(spent_now=Subquery(spent.values("spent_ucr")[:1]))

    @admin.display(description="whose")
    def whose(self, budget: Budget) -> str:
        """Show whether it is the workspace's, a key's or an app's."""
        if budget.app_key is not None:
            return f"key {budget.app_key}"
        return "workspace" if budget.app_id is None else f"app {budget.app_id}"

    @admin.display(description="spent of it now, credits")
    def spent_ucr(self, budget: Budget) -> SafeString:
        """Show what is spent in the window that is now."""
        return credits_cell(getattr(budget, "spent_now", None) or 0)


@admin.register(AlertSettings)
class AlertSettingsAdmin(OfWorkspaceAdmin):
    """Whom a workspace wants told. The webhook's secret is not shown."""

    list_display = (
        "workspace",
        credits_column("low_balance_ucr", "alert below"),
        "low_since",
        "addresses",
        "webhook_url",
    )
    list_select_related = ("workspace",)
    ordering = ("workspace_id",)
    exclude = ("sealed_secret",)

    @admin.display(description="e-mails")
    def addresses(self, alerts: AlertSettings) -> str:
        """Show who is mailed."""
        return ", ".join(alerts.emails)


@admin.register(OutboxMessage)
class OutboxMessageAdmin(OfWorkspaceAdmin):
    """Webhooks and e-mails: what has left, what waits, what was given up and why."""

    list_display = (
        "created_at",
        "workspace",
        "event",
        "target",
        "state",
        "attempts",
        "waits_until",
        "last_error",
    )
    list_filter = ("state", "channel")
    list_select_related = ("workspace",)
    ordering = ("-created_at",)
    uuid_field = "id"
    search_help_text = "Workspace id, whole workspace name, or id of a message"
    exclude = ("sealed_secret",)

    @admin.display(description="next attempt", ordering="next_at")
    def waits_until(self, message: OutboxMessage) -> Any:  # noqa: ANN401  a time, for Django to format
        """Show when it is tried again; nothing once it is decided."""
        return message.next_at if message.state == OutboxMessage.State.PENDING else None
