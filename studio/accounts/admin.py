"""Staff's view of accounts. No secret is shown; keys and sessions end through the services."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from studio.accounts import services
from studio.accounts.amounts import credits_cell, credits_column, percent_column
from studio.accounts.confirmed_action import confirmed
from studio.accounts.models import AppKey, Issuer, Member, Session, Tier, Workspace
from studio.accounts.read_only_admin import ReadOnlyAdmin
from studio.core.money import credits_text, credits_to_ucr

_MONEY_OF_WORKSPACE = (
    ("admin:billing_wallet_change", "wallet", True),
    ("admin:billing_entry_changelist", "entries", False),
    ("admin:billing_moneyrequest_changelist", "money requests", False),
    ("admin:billing_payment_changelist", "payments", False),
    ("admin:analytics_usage_changelist", "usage", False),
)
"""Pages of other apps, by their names: this one knows no money."""


@admin.register(Tier)
class TierAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Plans; a change holds, within five seconds, for every call that begins."""

    list_display = (
        "name",
        "slug",
        percent_column("markup_bp", "markup"),
        "request_limit",
        "window_s",
        "concurrency_limit",
        "default_max_tokens",
        "asset_url_life_s",
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Tier | None = None) -> tuple[str, ...]:
        """Fix the slug once there is one: another slug would be another tier."""
        return ("slug",) if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Tier | None = None) -> bool:
        """Nobody deletes a plan: new workspaces, sign-ups and records name it."""
        return False


class MemberInline(admin.TabularInline):  # type: ignore[type-arg]
    """People, on their workspace's page."""

    model = Member
    extra = 0
    autocomplete_fields = ("user",)


@admin.register(Workspace)
class WorkspaceAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Who pays. Workspaces are closed, never deleted: their ledger stays."""

    list_display = ("name", "id", "tier", "status", "time_zone", "created_at")
    list_filter = ("status", "tier")
    list_select_related = ("tier",)
    search_fields = ("name", "=id")
    readonly_fields = ("created_at", "money")
    inlines = (MemberInline,)
    actions = ("activate", "freeze", "close")

    def has_delete_permission(self, request: HttpRequest, obj: Workspace | None = None) -> bool:
        """Nobody deletes a payer."""
        return False

    @admin.display(description="money")
    def money(self, workspace: Workspace) -> SafeString:
        """Link to its wallet and to what happened there."""
        if not workspace.pk:
            return SafeString("–")
        links = [
            (
                reverse(page, args=[workspace.pk])
                if is_row
                else f"{reverse(page)}?q={workspace.pk}",
                words,
            )
            for page, words, is_row in _MONEY_OF_WORKSPACE
        ]
        return format_html_join(", ", '<a href="{}">{}</a>', links)

    @confirmed(
        description="Activate",
        consequence="They may call and spend again, unless their wallet is frozen for a reason.",
        permissions=["change"],
    )
    def activate(self, request: HttpRequest, queryset: QuerySet[Workspace]) -> None:
        """Let them call and spend."""
        self._set_status(request, queryset, Workspace.Status.ACTIVE)

    @confirmed(
        description="Freeze: they may call, not spend",
        consequence="Every paid call of theirs is refused until somebody activates them.",
        permissions=["change"],
    )
    def freeze(self, request: HttpRequest, queryset: QuerySet[Workspace]) -> None:
        """Keep them from spending."""
        self._set_status(request, queryset, Workspace.Status.FROZEN)

    @confirmed(
        description="Close: every call is refused",
        consequence="All their keys stop within five seconds. Their ledger stays.",
        permissions=["change"],
    )
    def close(self, request: HttpRequest, queryset: QuerySet[Workspace]) -> None:
        """Refuse all their credentials."""
        self._set_status(request, queryset, Workspace.Status.CLOSED)

    def _set_status(
        self, request: HttpRequest, queryset: QuerySet[Workspace], status: Workspace.Status
    ) -> None:
        for workspace in queryset:
            services.set_workspace_status(workspace_id=workspace.pk, status=status)
            self.log_change(request, workspace, f"Status: {status}")
            self.message_user(request, f"{workspace}: {status}.")


@admin.register(Member)
class MemberAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Who belongs to which workspace."""

    list_display = ("user", "workspace", "role", "created_at")
    list_filter = ("role",)
    list_select_related = ("user", "workspace")
    search_fields = ("user__username", "user__email", "workspace__name")
    autocomplete_fields = ("user", "workspace")


class AppKeyForm(forms.ModelForm):  # type: ignore[type-arg]
    """A key, with its cap in credits as people read them."""

    spend_cap = forms.CharField(
        label="Spend cap, credits",
        required=False,
        help_text="Of all its calls together, for ever; empty: none. 1 credit is $0.001.",
    )

    class Meta:
        model = AppKey
        fields = ("app_id", "scopes", "allowed_models", "allowed_origins", "expires_at")

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401  Django's own signature
        super().__init__(*args, **options)
        if self.instance.spend_cap_ucr is not None:
            self.initial["spend_cap"] = credits_text(self.instance.spend_cap_ucr)

    def clean_spend_cap(self) -> int | None:
        """Read the cap, in µcr; None for none."""
        text = self.cleaned_data["spend_cap"].strip()
        if not text:
            return None
        try:
            amount_ucr = credits_to_ucr(text)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error
        if amount_ucr < 1:
            raise forms.ValidationError("A cap is more than 0; leave it empty for none.")
        return amount_ucr

    def save(self, commit: bool = True) -> Any:  # noqa: ANN401  Django's own signature
        """Put the cap where the model has it."""
        self.instance.spend_cap_ucr = self.cleaned_data["spend_cap"]
        return super().save(commit)


@admin.register(AppKey)
class AppKeyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """App keys without their secret. New ones come from `create_app_key`, which prints it once."""

    form = AppKeyForm
    list_display = (
        "__str__",
        "workspace",
        "key_id",
        credits_column("spent_ucr"),
        credits_column("spend_cap_ucr", "cap"),
        "last_used_at",
        "expires_at",
        "revoked_at",
    )
    list_filter = ("kind", ("revoked_at", admin.EmptyFieldListFilter), "pepper_version")
    list_select_related = ("workspace",)
    search_fields = ("workspace__name", "app_id", "=key_id", "=last_four")
    readonly_fields = (
        "workspace",
        "kind",
        "key_id",
        "last_four",
        "pepper_version",
        "spent",
        "created_at",
        "last_used_at",
        "revoked_at",
    )
    fields = (
        *("workspace", "kind", "key_id", "last_four", "app_id", "scopes", "allowed_models"),
        *("allowed_origins", "spend_cap", "spent", "expires_at", "created_at", "last_used_at"),
        *("revoked_at", "pepper_version"),
    )
    actions = ("revoke",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A form could not show the new key."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: AppKey | None = None) -> bool:
        """Keys are revoked: usage rows name them."""
        return False

    def in_words(self, key: AppKey) -> str:
        """Say which key is about to end."""
        return f"{key} of {key.workspace}, key id {key.key_id or 'none'}"

    @admin.display(description="spent, credits")
    def spent(self, key: AppKey) -> SafeString:
        """Show what its calls were charged, which is counted for keys with a cap."""
        return credits_cell(key.spent_ucr)

    @confirmed(
        description="Revoke",
        consequence="The keys and their sessions stop within five seconds, for ever.",
        permissions=["change"],
    )
    def revoke(self, request: HttpRequest, queryset: QuerySet[AppKey]) -> None:
        """End the selected keys and their sessions."""
        for key in queryset:
            services.revoke_app_key(app_key_id=key.pk)
            self.log_change(request, key, "Revoked")
        self.message_user(request, "Revoked; copies of their callers end within five seconds.")


@admin.register(Session)
class SessionAdmin(ReadOnlyAdmin):
    """Sessions, to look at and to end. Callers open them; they are purged when they are over."""

    list_display = ("id", "workspace", "subject", "channel", "app_id", "expires_at", "revoked_at")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    list_select_related = ("workspace",)
    search_fields = ("workspace__name", "=subject")
    fields = (
        *("family", "workspace", "app_key", "issuer", "subject", "channel", "app_id", "scopes"),
        *("created_at", "expires_at", "ends_at", "rotated_at", "revoked_at"),
    )
    actions = ("revoke",)

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Only the list's action writes."""
        return obj is None and request.user.has_perm("accounts.change_session")

    @confirmed(
        description="End these sessions",
        consequence="The tokens of their families stop within five seconds, for ever.",
        permissions=["change"],
    )
    def revoke(self, request: HttpRequest, queryset: QuerySet[Session]) -> None:
        """End the families of the selected sessions."""
        for session_id in queryset.values_list("pk", flat=True):
            services.revoke_session(session_id=session_id)
        self.message_user(request, "Ended; copies of their callers end within five seconds.")


@admin.register(Issuer)
class IssuerAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Whose JWTs a workspace trusts."""

    list_display = ("issuer", "kid", "workspace", "algorithm", "audience", "is_active")
    list_filter = ("is_active", "algorithm")
    list_select_related = ("workspace",)
    search_fields = ("issuer", "kid", "workspace__name")
    autocomplete_fields = ("workspace",)
    readonly_fields = ("created_at",)
