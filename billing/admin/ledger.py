"""The ledger for staff: search and read, and grant credits through the service."""

from typing import Any, cast
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString

from billing.models.ledger import Entry, Hold, Lot, Wallet
from billing.services import grant_credits
from studio.accounts.models import Workspace
from studio.core.errors import GatewayError
from studio.core.ids import new_id
from studio.core.money import credits_text, credits_to_ucr

_MOST_COUNTED = 10_000


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """Count no further than 10 000 rows: nobody pages that far, and the journal has millions."""

    @cached_property
    def count(self) -> int:
        """Count the rows that can be paged through."""
        rows = cast("QuerySet[Any]", self.object_list)
        return rows.order_by()[:_MOST_COUNTED].count()


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """A view of the ledger: nothing to add, change or delete."""

    list_per_page = 50
    show_full_result_count = False
    paginator = BoundedPaginator
    search_help_text = "Workspace id, whole workspace name, or id of a call or event"

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
        """Search by equality, which the ledger's indexes can answer."""
        term = search_term.strip()
        if not term:
            return queryset, False
        if term.isdecimal():
            return queryset.filter(wallet_id=min(int(term), 2**63 - 1)), False
        call_id = _read_uuid(term)
        if call_id is None:
            named = Workspace.objects.filter(name=term).values_list("pk", flat=True)
            return queryset.filter(wallet_id__in=list(named)), False
        by_call = "call_id" in {field.name for field in self.model._meta.get_fields()}
        return (queryset.filter(call_id=call_id) if by_call else queryset.none()), False


def _read_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _by_group(queryset: QuerySet[Any], key: str) -> QuerySet[Any]:
    """Find a row of (wallet, call, seq) by its parts: the text key itself has no index."""
    try:
        wallet, call, seq = key.split("_")
        return queryset.filter(wallet_id=int(wallet), call_id=UUID(call), seq=int(seq))
    except ValueError:
        return queryset.none()


class GrantForm(forms.Form):
    """Credits to give, and why. `credit_id` makes a form that is sent twice grant once."""

    credit_id = forms.UUIDField(widget=forms.HiddenInput)
    credits = forms.CharField(help_text="1 credit is $0.001; up to 6 decimal places.")
    reason = forms.CharField(max_length=200, help_text="Stays in the journal for ever.")

    def clean_credits(self) -> int:
        """Read the amount, in µcr."""
        try:
            return credits_to_ucr(self.cleaned_data["credits"])
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error


@admin.register(Wallet)
class WalletAdmin(ReadOnlyAdmin):
    """What each workspace has. Only promos are given here: top-ups come with a payment."""

    list_display = (
        "wallet_id",
        "workspace_name",
        "available_ucr",
        "held_ucr",
        "owed_ucr",
        "frozen",
    )
    ordering = ("wallet_id",)
    search_fields = ("workspace_name",)
    readonly_fields = ("grant",)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Wallet | None:
        """Find by the indexed id."""
        if not object_id.isdecimal():
            return None
        return Wallet.objects.filter(wallet_id=min(int(object_id), 2**63 - 1)).first()

    def get_urls(self) -> list[URLPattern]:
        """Add the grant's page."""
        grant = self.admin_site.admin_view(self.grant_view)
        return [
            path("<path:object_id>/grant/", grant, name="billing_wallet_grant"),
            *super().get_urls(),
        ]

    @admin.display(description="grant")
    def grant(self, wallet: Wallet) -> SafeString:
        """Link to the grant's page."""
        address = reverse("admin:billing_wallet_grant", args=[wallet.key])
        return format_html('<a href="{}">Grant credits…</a>', address)

    def grant_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show the form, or grant."""
        if not request.user.has_perm("billing.adjust_wallet"):
            raise PermissionDenied
        wallet = self.get_object(request, object_id)
        if wallet is None:
            raise Http404
        form = GrantForm(request.POST or None, initial={"credit_id": new_id()})
        if request.method == "POST" and form.is_valid() and self._grant(request, wallet, form):
            return redirect("admin:billing_wallet_change", wallet.key)
        context = {
            **self.admin_site.each_context(request),
            "title": f"Grant credits to {wallet}",
            "opts": self.opts,
            "form": form,
            "wallet": wallet,
        }
        return TemplateResponse(request, "admin/billing/wallet/grant.html", context)

    def _grant(self, request: HttpRequest, wallet: Wallet, form: GrantForm) -> bool:
        reason = f"{form.cleaned_data['reason']} ({request.user.get_username()})"
        amount_ucr = form.cleaned_data["credits"]
        try:
            verdict = grant_credits(
                workspace_id=wallet.wallet_id,
                amount_ucr=amount_ucr,
                reason=reason,
                credit_id=form.cleaned_data["credit_id"],
            )
        except GatewayError as error:
            form.add_error(None, error.message)
            return False
        text = f"{credits_text(amount_ucr)} credits to {wallet}: {reason}"
        if verdict.verdict == "credited":
            self.log_change(request, wallet, f"Granted {text}")
            messages.success(request, f"Granted {text}")
        else:
            messages.info(request, f"Granted before: {text}")
        return True


@admin.register(Lot)
class LotAdmin(ReadOnlyAdmin):
    """Where a wallet's credit came from, and what is left of it."""

    list_display = (
        "lot_id",
        "workspace_name",
        "kind",
        "granted_ucr",
        "remaining_ucr",
        "held_ucr",
        "priority",
        "expires_at",
    )
    list_filter = ("kind", "live")
    ordering = ("-lot_id",)
    search_fields = ("workspace_name",)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Lot | None:
        """Find by the indexed id."""
        if not object_id.isdecimal():
            return None
        return Lot.objects.filter(lot_id=min(int(object_id), 2**63 - 1)).first()


@admin.register(Hold)
class HoldAdmin(ReadOnlyAdmin):
    """What open calls reserve. A row lives for seconds."""

    list_display = ("call_id", "workspace_name", "amount_ucr", "lot_id", "expires_at")
    ordering = ("wallet_id", "call_id", "seq")
    search_fields = ("workspace_name",)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Hold | None:
        """Find by the primary key of the table."""
        found: Hold | None = _by_group(Hold.objects.all(), object_id).first()
        return found


@admin.register(Entry)
class EntryAdmin(ReadOnlyAdmin):
    """The journal. Search for a workspace to read its statement in order of time."""

    list_display = (
        "at",
        "workspace_name",
        "kind",
        "amount_ucr",
        "debit",
        "credit",
        "call_id",
        "seq",
        "ref",
    )
    list_filter = ("kind",)
    # The order of the index entry_statement, backwards.
    ordering = ("-wallet_id", "-at", "-call_id", "-seq")
    search_fields = ("workspace_name",)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Entry | None:
        """Find by the primary key of the table."""
        found: Entry | None = _by_group(Entry.objects.all(), object_id).first()
        return found
