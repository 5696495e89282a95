"""Voices for staff: what is said of them, and how they sound."""

from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from kombu.exceptions import OperationalError

from gateway.admin.catalogue import CatalogueRowAdmin
from gateway.models.voice import Voice
from gateway.voices.tasks import make_preview
from studio.accounts.errors import AccountNotFound
from studio.accounts.queries import workspace_by_name


@admin.register(Voice)
class VoiceAdmin(CatalogueRowAdmin):
    """Voices: from voices.json, and staff's own."""

    list_display = (
        *("slug", "name", "provider", "language", "gender", "archetype", "use"),
        *("previewed", "enabled", "edited_by_staff"),
    )
    list_filter = ("provider", "language", "gender", "use", "enabled", "edited_by_staff")
    list_select_related = ("preview",)
    search_fields = ("slug", "name", "provider_voice")
    ordering = ("position", "pk")
    actions = ("hand_back_to_file", "make_previews")  # type: ignore[assignment]  # one more

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Voice]":
        """Leave the sounds themselves in the database."""
        return super().get_queryset(request).defer("preview__data")

    @admin.display(description="preview")
    def previewed(self, voice: Voice) -> str:
        """Show how long its preview is, and whether it says the present text."""
        preview = getattr(voice, "preview", None)
        if preview is None:
            return "–"
        old = "" if preview.text == voice.example_text else ", of an older text"
        return f"{preview.media_ms / 1000:.1f} s{old}"

    @admin.action(description="Make missing previews (paid calls)", permissions=["change"])
    def make_previews(self, request: HttpRequest, queryset: "QuerySet[Voice]") -> None:
        """Have the examples spoken, one task each; what is there already is left as it is."""
        slugs = list(queryset.values_list("slug", flat=True))
        try:
            workspace_by_name(settings.PREVIEWS_WORKSPACE)
            for slug in slugs:
                make_preview.delay(slug)
        except OperationalError:
            messages.error(request, "The worker's queue does not answer; nothing was begun.")
            return
        except AccountNotFound as error:
            messages.error(request, f"{error.message} PREVIEWS_WORKSPACE names who pays.")
            return
        messages.success(request, f"{len(slugs)} previews are being made where they are missing.")
