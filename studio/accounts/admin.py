"""Staff's view of accounts. No secret is shown; keys and sessions end through the services."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from studio.accounts import services
from studio.accounts.models import AppKey, Issuer, Member, Session, Tier, Workspace
from studio.accounts.read_only_admin import ReadOnlyAdmin


@admin.register(Tier)
class TierAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Plans; a change holds, within five seconds, for every call that begins."""

    list_display = [
        "slug",
        "name",
        "markup_bp",
        "request_limit",
        "window_s",
        "concurrency_limit",
        "default_max_tokens",
    ]


class MemberInline(admin.TabularInline):  # type: ignore[type-arg]
    """People, on their workspace's page."""

    model = Member
    extra = 0
    autocomplete_fields = ["user"]


@admin.register(Workspace)
class WorkspaceAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Who pays. Workspaces are closed, never deleted: their ledger stays."""

    list_display = ["name", "id", "tier", "status", "time_zone", "created_at"]
    list_filter = ["status", "tier"]
    list_select_related = ["tier"]
    search_fields = ["name", "=id"]
    readonly_fields = ["created_at"]
    inlines = [MemberInline]
    actions = ["activate", "freeze", "close"]

    def has_delete_permission(self, request: HttpRequest, obj: Workspace | None = None) -> bool:
        """Nobody deletes a payer."""
        return False

    @admin.action(description="Activate", permissions=["change"])
    def activate(self, request: HttpRequest, queryset: QuerySet[Workspace]) -> None:
        """Let them call and spend."""
        _set_status(queryset, Workspace.Status.ACTIVE)

    @admin.action(description="Freeze: they may call, not spend", permissions=["change"])
    def freeze(self, request: HttpRequest, queryset: QuerySet[Workspace]) -> None:
        """Keep them from spending."""
        _set_status(queryset, Workspace.Status.FROZEN)

    @admin.action(description="Close: every call is refused", permissions=["change"])
    def close(self, request: HttpRequest, queryset: QuerySet[Workspace]) -> None:
        """Refuse all their credentials."""
        _set_status(queryset, Workspace.Status.CLOSED)


@admin.register(Member)
class MemberAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Who belongs to which workspace."""

    list_display = ["user", "workspace", "role", "created_at"]
    list_filter = ["role"]
    list_select_related = ["user", "workspace"]
    search_fields = ["user__username", "user__email", "workspace__name"]
    autocomplete_fields = ["user", "workspace"]


@admin.register(AppKey)
class AppKeyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """App keys without their secret. New ones come from `create_app_key`, which prints it once."""

    list_display = [
        "__str__",
        "workspace",
        "kind",
        "key_id",
        "app_id",
        "pepper_version",
        "created_at",
        "last_used_at",
        "expires_at",
        "revoked_at",
    ]
    list_filter = ["kind", ("revoked_at", admin.EmptyFieldListFilter), "pepper_version"]
    list_select_related = ["workspace"]
    search_fields = ["workspace__name", "app_id", "=key_id", "=last_four"]
    readonly_fields = [
        "workspace",
        "kind",
        "key_id",
        "last_four",
        "pepper_version",
        "spent_ucr",
        "created_at",
        "last_used_at",
        "revoked_at",
    ]
    actions = ["revoke"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A form could not show the new key."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: AppKey | None = None) -> bool:
        """Keys are revoked: usage rows name them."""
        return False

    @admin.action(description="Revoke", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[AppKey]) -> None:
        """End the selected keys and their sessions."""
        for app_key_id in queryset.values_list("pk", flat=True):
            services.revoke_app_key(app_key_id=app_key_id)
        self.message_user(request, "Revoked; copies of their callers end within five seconds.")


@admin.register(Session)
class SessionAdmin(ReadOnlyAdmin):
    """Sessions, to look at and to end. Callers open them; they are purged when they are over."""

    list_display = ["id", "workspace", "subject", "channel", "app_id", "expires_at", "revoked_at"]
    list_filter = [("revoked_at", admin.EmptyFieldListFilter)]
    list_select_related = ["workspace"]
    search_fields = ["workspace__name", "=subject"]
    fields = [
        "family",
        "workspace",
        "app_key",
        "issuer",
        "subject",
        "channel",
        "app_id",
        "scopes",
        "created_at",
        "expires_at",
        "ends_at",
        "rotated_at",
        "revoked_at",
    ]
    actions = ["revoke"]

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Only the list's action writes."""
        return obj is None and request.user.has_perm("accounts.change_session")

    @admin.action(description="End these sessions", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[Session]) -> None:
        """End the families of the selected sessions."""
        for session_id in queryset.values_list("pk", flat=True):
            services.revoke_session(session_id=session_id)
        self.message_user(request, "Ended; copies of their callers end within five seconds.")


@admin.register(Issuer)
class IssuerAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Whose JWTs a workspace trusts."""

    list_display = ["issuer", "kid", "workspace", "algorithm", "audience", "is_active"]
    list_filter = ["is_active", "algorithm"]
    list_select_related = ["workspace"]
    search_fields = ["issuer", "kid", "workspace__name"]
    autocomplete_fields = ["workspace"]
    readonly_fields = ["created_at"]


def _set_status(queryset: QuerySet[Workspace], status: Workspace.Status) -> None:
    for workspace_id in queryset.values_list("pk", flat=True):
        services.set_workspace_status(workspace_id=workspace_id, status=status)
