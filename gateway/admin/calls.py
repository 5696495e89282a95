"""Calls for staff: search and read. Stored answers and digests are not shown."""

from django.contrib import admin
from django.urls import URLPattern, path

from gateway.admin.receipts import receipt_page
from gateway.models.call import Call
from studio.accounts.read_only_admin import SearchedByIdAdmin


@admin.register(Call)
class CallAdmin(SearchedByIdAdmin):
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
    list_filter = ("state",)
    ordering = ("-id",)
    exclude = ("answer", "idempotency_digest", "request_digest")
    # By workspace: in usage, which has the index for it.
    uuid_field = "id"
    search_help_text = "Id of a call"

    def get_urls(self) -> list[URLPattern]:
        """Add the receipts' page: of any call, long after its row here is gone."""
        view = self.admin_site.admin_view(receipt_page)
        return [
            path("receipt/<uuid:request_id>/", view, name="gateway_receipt"),
            *super().get_urls(),
        ]
