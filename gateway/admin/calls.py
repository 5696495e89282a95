"""Calls in the admin: looked at, never edited. Stored answers and digests are not shown."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from gateway.models.call import Call


@admin.register(Call)
class CallAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not subscriptable at run time
    """The last week's calls, newest first (ids sort by time)."""

    list_display = (
        "id",
        "workspace_id",
        "app_id",
        "kind",
        "provider",
        "model",
        "state",
        "started_at",
    )
    list_filter = ("state", "provider")
    search_fields = ("=id",)
    ordering = ("-id",)
    show_full_result_count = False
    exclude = ("answer", "idempotency_digest", "request_digest")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:  # noqa: ANN401
        return tuple(field.name for field in Call._meta.fields if field.name not in self.exclude)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ANN401
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ANN401
        return False
