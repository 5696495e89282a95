"""Usage for staff: search and read."""

from typing import Any, cast
from uuid import UUID

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

from analytics.models import Usage
from studio.accounts.models import Workspace

_MOST_COUNTED = 10_000


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """Count no further than 10 000 rows: nobody pages that far, and the table has millions."""

    @cached_property
    def count(self) -> int:
        """Count the rows that can be paged through."""
        rows = cast("QuerySet[Any]", self.object_list)
        return rows.order_by()[:_MOST_COUNTED].count()


@admin.register(Usage)
class UsageAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """What was called, by whom, how it ended, what it cost. Nothing to add, change or delete."""

    list_display = (
        "at",
        "workspace_name",
        "app_id",
        "kind",
        "provider",
        "model",
        "status",
        "reason",
        "request_count",
        "charge_ucr",
        "latency_ms",
    )
    list_filter = ("status", "billing", "surface", "operation")
    # The order of the index usage_workspace, backwards.
    ordering = ("-workspace_id", "-at", "-request_id")
    list_per_page = 50
    show_full_result_count = False
    paginator = BoundedPaginator
    search_fields = ("workspace_name",)
    search_help_text = "Workspace id, whole workspace name, or request id"

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Nobody."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Nobody."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Nobody."""
        return False

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Search by equality, which the table's indexes can answer."""
        term = search_term.strip()
        if not term:
            return queryset, False
        if term.isdecimal():
            return queryset.filter(workspace_id=min(int(term), 2**63 - 1)), False
        request_id = _read_uuid(term)
        if request_id is None:
            named = Workspace.objects.filter(name=term).values_list("pk", flat=True)
            return queryset.filter(workspace_id__in=list(named)), False
        return queryset.filter(request_id=request_id), False

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Usage | None:
        """Find by request id first: the text key itself has no index."""
        request_id = _read_uuid(object_id.partition("_")[0])
        if request_id is None:
            return None
        return Usage.objects.filter(request_id=request_id, key=object_id).first()


def _read_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
