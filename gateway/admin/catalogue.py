"""The catalogue for staff: models, kinds and aliases to search and edit, and their history."""

import json
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from gateway.catalogue.queries import routes_near_sunset
from gateway.catalogue.services import hand_back, save_row
from gateway.models.catalogue import (
    Alias,
    CatalogueChange,
    CatalogueModel,
    CatalogueRow,
    KindPolicy,
    KindRoute,
)
from studio.accounts.read_only_admin import ReadOnlyAdmin

_HISTORY_LINES = 50


class CatalogueRowAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """What all four tables share: saving through the service, switching off, history."""

    actions = ("hand_back_to_file",)

    def get_readonly_fields(
        self, request: HttpRequest, obj: CatalogueRow | None = None
    ) -> tuple[str, ...]:
        """Show whose the row is and what happened to it, once there is one."""
        return ("edited_by_staff", "history") if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: CatalogueRow | None = None) -> bool:
        """Refuse: the file would bring the row back; a row is switched off by `enabled`."""
        return False

    def save_model(
        self,
        request: HttpRequest,
        obj: CatalogueRow,
        form: ModelForm,  # type: ignore[type-arg]
        change: bool,
    ) -> None:
        """Write through the service, in the name of who is signed in."""
        save_row(obj, actor=request.user.get_username(), by_staff=True)

    @admin.action(description="Let model-catalog.json decide these again", permissions=["change"])
    def hand_back_to_file(self, request: HttpRequest, queryset: "QuerySet[CatalogueRow]") -> None:
        """Drop the mark of staff, so that the next loading of the file takes over."""
        actor = request.user.get_username()
        handed = sum(hand_back(row, actor=actor) for row in queryset)
        messages.success(request, f"{handed} rows: the file decides from its next loading.")

    @admin.display(description="history")
    def history(self, row: CatalogueRow) -> SafeString:
        """Show who changed what, the newest first."""
        table = str(row._meta.verbose_name)  # noqa: SLF001  Django's documented way to a model's name
        changes = CatalogueChange.objects.filter(table=table, row=str(row)).order_by("-at")
        lines = [
            (f"{change.at:%Y-%m-%d %H:%M}", change.actor, difference(change))
            for change in changes[:_HISTORY_LINES]
        ]
        return format_html_join("", "<div>{} {}: {}</div>", lines)


@admin.register(CatalogueModel)
class CatalogueModelAdmin(CatalogueRowAdmin):
    """Models."""

    list_display = (
        "name",
        "provider",
        "operation",
        "context_tokens",
        "max_output_tokens",
        "ends",
        "enabled",
        "edited_by_staff",
    )
    list_filter = ("provider", "operation", "enabled", "edited_by_staff")
    list_select_related = ("successor",)
    search_fields = ("name", "provider")
    ordering = ("operation", "provider", "name")

    @admin.display(description="ends", ordering="sunset_on")
    def ends(self, model: CatalogueModel) -> str:
        """Show when the model ends and what follows."""
        return f"{model.sunset_on}, then {model.successor}" if model.sunset_on else ""


@admin.register(KindRoute)
class KindRouteAdmin(CatalogueRowAdmin):
    """Kinds, channel by channel. Warns of those whose model ends soon."""

    list_display = ("kind", "channel", "position", "model", "sunset", "enabled", "edited_by_staff")
    list_filter = ("channel", "enabled", "edited_by_staff")
    list_select_related = ("model__successor",)
    search_fields = ("kind", "model__name")
    ordering = ("kind", "channel", "position")

    @admin.display(description="ends", ordering="model__sunset_on")
    def sunset(self, route: KindRoute) -> str:
        """Show when the model ends and what follows."""
        model = route.model
        return f"{model.sunset_on}, then {model.successor}" if model.sunset_on else ""

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:  # noqa: ANN401  Django's own signature
        """Warn above the list."""
        ending = [f"{route.channel} {route.kind}" for route in routes_near_sunset()]
        if ending and request.method == "GET":
            messages.warning(request, f"Answered by a successor now or soon: {', '.join(ending)}.")
        return super().changelist_view(request, extra_context)


@admin.register(KindPolicy)
class KindPolicyAdmin(CatalogueRowAdmin):
    """How kinds choose among their routes."""

    list_display = ("kind", "channel", "order", "patience_ms", "enabled", "edited_by_staff")
    list_filter = ("channel", "order", "enabled", "edited_by_staff")
    search_fields = ("kind",)
    ordering = ("kind", "channel")


@admin.register(Alias)
class AliasAdmin(CatalogueRowAdmin):
    """Aliases."""

    list_display = ("name", "target", "enabled", "edited_by_staff")
    list_filter = ("enabled", "edited_by_staff")
    search_fields = ("name", "target")
    ordering = ("name",)


@admin.register(CatalogueChange)
class CatalogueChangeAdmin(ReadOnlyAdmin):
    """The whole history; changes write it."""

    list_display = ("at", "actor", "table", "row", "what")
    list_filter = ("table",)
    search_fields = ("row", "actor")
    ordering = ("-at",)
    fields = ("at", "actor", "table", "row", "before", "after")

    @admin.display(description="change")
    def what(self, change: CatalogueChange) -> str:
        """Show the fields that differ."""
        return difference(change)


def difference(change: CatalogueChange) -> str:
    """Say which fields a change moved from what to what."""
    if change.after is None:
        return "deleted"
    if change.before is None:
        return "added"
    before, after = change.before, change.after
    moved = [name for name in sorted(after) if before.get(name) != after[name]]
    return "; ".join(
        f"{name} {json.dumps(before.get(name))} → {json.dumps(after[name])}" for name in moved
    )
