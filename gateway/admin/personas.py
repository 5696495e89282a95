"""Personas for staff: whose brand says what. They are their owners' to change."""

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from gateway.models import Persona
from studio.accounts.amounts import NONE
from studio.accounts.read_only_admin import SearchedByIdAdmin


@admin.register(Persona)
class PersonaAdmin(SearchedByIdAdmin):
    """What workspaces wrote down of their brands, the newest first (ids sort by time)."""

    list_display = ("name", "workspace", "tone", "palette", "is_default", "updated_at")
    list_filter = ("is_default",)
    list_select_related = ("workspace",)
    ordering = ("-pk",)
    fields = (
        *("public_id", "workspace", "name", "is_default", "tone", "palette", "style_words"),
        *("avoid_words", "created_at", "updated_at"),
    )
    readonly_fields = fields
    workspace_field = "workspace_id"
    uuid_field = "id"
    search_help_text = "Workspace id, whole workspace name, or id of a persona"

    @admin.display(description="id")
    def public_id(self, persona: Persona) -> str:
        """Show the id that callers know."""
        return persona.public_id

    @admin.display(description="colours")
    def palette(self, persona: Persona) -> SafeString | str:
        """Show the colours, each beside its name."""
        return format_html_join(", ", "<code>{}</code>", ([color] for color in persona.colors)) or (
            NONE
        )

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Whoever may delete personas: a brand's words may have to go."""
        return bool(request.user.has_perm("gateway.delete_persona"))
