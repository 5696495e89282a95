"""Caps, alerts and messages for staff: search and read. Workspaces set theirs through the API."""

from django.contrib import admin

from billing.models.alerts import AlertSettings, OutboxMessage
from billing.models.budgets import Budget
from studio.accounts.read_only_admin import SearchedByIdAdmin


class OfWorkspaceAdmin(SearchedByIdAdmin):
    """What belongs to one workspace each."""

    workspace_field = "workspace_id"
    search_help_text = "Workspace id or whole workspace name"


@admin.register(Budget)
class BudgetAdmin(OfWorkspaceAdmin):
    """Spend caps per calendar window."""

    list_display = ("workspace", "scope", "app_key", "app_id", "period", "cap_ucr", "alert_percent")
    list_filter = ("period",)
    list_select_related = ("workspace", "app_key")
    ordering = ("workspace_id", "pk")


@admin.register(AlertSettings)
class AlertSettingsAdmin(OfWorkspaceAdmin):
    """Whom a workspace wants told. The webhook's secret is not shown."""

    list_display = ("workspace", "low_balance_ucr", "low_since", "emails", "webhook_url")
    list_select_related = ("workspace",)
    ordering = ("workspace_id",)
    exclude = ("sealed_secret",)


@admin.register(OutboxMessage)
class OutboxMessageAdmin(OfWorkspaceAdmin):
    """Webhooks and e-mails: what has left, what waits, what was given up and why."""

    list_display = (
        "created_at",
        "workspace",
        "channel",
        "event",
        "target",
        "state",
        "attempts",
        "next_at",
        "last_error",
    )
    list_filter = ("state", "channel")
    list_select_related = ("workspace",)
    ordering = ("-created_at",)
    uuid_field = "id"
    search_help_text = "Workspace id, whole workspace name, or id of a message"
    exclude = ("sealed_secret",)
