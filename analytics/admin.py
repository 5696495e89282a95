"""Usage for staff: search and read."""

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from analytics.models import Calendar, TokenDrift, Usage
from analytics.services import set_week_start
from studio.accounts.amounts import credits_column
from studio.accounts.read_only_admin import ReadOnlyAdmin, SearchedByIdAdmin, read_uuid


@admin.register(Usage)
class UsageAdmin(SearchedByIdAdmin):
    """What was called, by whom, how it ended, what it cost."""

    list_display = (
        "at",
        "workspace_name",
        "app_id",
        "kind",
        "route",
        "ended",
        "request_count",
        credits_column("charge_ucr", "charged"),
        "latency_ms",
    )
    # Closed lists only. For the words the gateway adds to (surface, operation, provider …) Django
    # would read the whole table on every view, to learn which there are.
    list_filter = ("status", "billing")
    # The order of the index usage_workspace, backwards.
    ordering = ("-workspace_id", "-at", "-request_id")
    workspace_field = "workspace_id"
    uuid_field = "request_id"
    search_help_text = "Workspace id, whole workspace name, or request id"
    readonly_fields = ("receipt",)

    @admin.display(description="provider and model")
    def route(self, usage: Usage) -> str:
        """Show who answered."""
        return f"{usage.provider} {usage.model}".strip() or "–"

    @admin.display(description="status")
    def ended(self, usage: Usage) -> str:
        """Show how it ended, and why if that is known."""
        return f"{usage.status}: {usage.reason}" if usage.reason else str(usage.status)

    @admin.display(description="receipt")
    def receipt(self, usage: Usage) -> SafeString:
        """Link to the call's receipt."""
        address = reverse("admin:gateway_receipt", args=[usage.request_id])
        return format_html('<a href="{}">Receipt</a>', address)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Usage | None:
        """Find by request id first: the text key itself has no index."""
        request_id = read_uuid(object_id.partition("_")[0])
        if request_id is None:
            return None
        return Usage.objects.filter(request_id=request_id, key=object_id).first()


@admin.register(TokenDrift)
class TokenDriftAdmin(ReadOnlyAdmin):
    """How far our own token counts are from the providers', per day and model."""

    list_display = (
        "day",
        "provider",
        "model",
        "request_count",
        "input_tokens",
        "input_drift_percent",
        "output_tokens",
        "output_drift_percent",
    )
    search_fields = ("=provider", "=model")
    search_help_text = "Whole name of a provider or a model"
    ordering = ("-day", "provider", "model")


@admin.register(Calendar)
class CalendarAdmin(SearchedByIdAdmin):
    """By whose clock sums are; the first day of the week is staff's to change."""

    workspace_field = "workspace_id"
    list_display = ("workspace_id", "time_zone", "week_start", "own_days_from")
    search_help_text = "Workspace id or whole workspace name"
    ordering = ("workspace_id",)
    readonly_fields = ("workspace_id", "time_zone", "own_days_from")

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Whoever may change calendars."""
        return request.user.has_perm("analytics.change_calendar")

    def save_model(self, request: HttpRequest, obj: Calendar, form: object, change: bool) -> None:
        """Change the week through the service."""
        set_week_start(workspace_id=obj.workspace_id, week_start=obj.week_start)
