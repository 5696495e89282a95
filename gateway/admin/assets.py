"""Files for staff: search, look at one, let it go."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from gateway.media.addresses import asset_url
from gateway.media.services import drop
from gateway.models.asset import Asset
from studio.accounts.read_only_admin import SearchedByIdAdmin, read_uuid

_PREVIEW_LIFE_S = 300
_PREVIEW_PX = 320


@admin.register(Asset)
class AssetAdmin(SearchedByIdAdmin):
    """What jobs made or work on, newest first (ids sort by time). Files that ended stay three
    months.
    """

    list_display = (
        "id",
        "workspace_id",
        "job_id",
        "media_type",
        "size_bytes",
        "made",
        "deleted_at",
    )
    list_filter = ("media_type",)
    ordering = ("-id",)
    fields = (
        *("id", "workspace_id", "job_id", "media_type", "made", "size_bytes", "sha256"),
        *("created_at", "keep_until", "deleted_at", "preview", "is_input"),
    )
    readonly_fields = fields
    workspace_field = "workspace_id"
    uuid_field = "id"
    search_help_text = "Id of a file or of its job; a workspace's id or whole name"
    actions = ("let_go",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find files by their job as well."""
        uuid = read_uuid(search_term.strip())
        if uuid is not None:
            return queryset.filter(Q(pk=uuid) | Q(job_id=uuid)), False
        return super().get_search_results(request, queryset, search_term)

    @admin.display(description="Made")
    def made(self, asset: Asset) -> str:
        """Say how large a picture is, or how long a sound."""
        if asset.media_ms:
            return f"{asset.media_ms / 1000:.1f} s"
        return f"{asset.width} x {asset.height}"

    @admin.display(description="Preview")
    def preview(self, asset: Asset) -> str:
        """Show the file by an address of five minutes."""
        if asset.deleted_at is not None:
            return "The file is gone."
        if asset.is_input:
            return "A caller sent it in; it is shown to nobody."
        url = asset_url(asset.pk, base_url="", life_s=_PREVIEW_LIFE_S)
        if asset.media_type.startswith("audio/"):
            return format_html('<audio controls preload="none" src="{}"></audio>', url)
        scale = min(1, _PREVIEW_PX / max(asset.width, asset.height, 1))
        return format_html(
            '<a href="{}"><img src="{}" alt="" width="{}" height="{}"></a>',
            *(url, url, round(asset.width * scale), round(asset.height * scale)),
        )

    def has_let_go_permission(self, request: HttpRequest) -> bool:
        """Whoever may delete files."""
        return request.user.has_perm("gateway.delete_asset")

    @admin.action(description="Delete the chosen files, for good", permissions=["let_go"])
    def let_go(self, request: HttpRequest, queryset: QuerySet[Asset]) -> None:
        """End files now; their bytes go with the next sweep, unless another file has the same."""
        gone = 0
        for asset in queryset:
            if drop(asset.pk, workspace_id=asset.workspace_id):
                gone += 1
                self.log_change(request, asset, "Deleted the file.")
        self.message_user(request, f"{gone} files were deleted.")
