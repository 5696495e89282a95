"""The ledger for staff: search and read, and grant credits through the service."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from billing.models.ledger import Entry, Hold, Lot, Wallet
from billing.services import grant_credits
from studio.accounts.read_only_admin import SearchedByIdAdmin, read_number
from studio.core.errors import GatewayError
from studio.core.ids import new_id
from studio.core.money import credits_text, credits_to_ucr


class LedgerAdmin(SearchedByIdAdmin):
    """A view of the ledger."""

    workspace_field = "wallet_id"
    search_help_text = "Workspace id or whole workspace name"


class LedgerCallAdmin(LedgerAdmin):
    """A view of the ledger whose rows belong to calls, or to events from outside."""

    uuid_field = "call_id"
    search_help_text = "Workspace id, whole workspace name, or id of a call or event"


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
class WalletAdmin(LedgerAdmin):
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
    readonly_fields = ("grant",)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Wallet | None:
        """Find by the indexed id."""
        number = read_number(object_id)
        return None if number is None else Wallet.objects.filter(wallet_id=number).first()

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
class LotAdmin(LedgerAdmin):
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

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Lot | None:
        """Find by the indexed id."""
        number = read_number(object_id)
        return None if number is None else Lot.objects.filter(lot_id=number).first()


@admin.register(Hold)
class HoldAdmin(LedgerCallAdmin):
    """What open calls reserve. A row lives for seconds."""

    list_display = ("call_id", "workspace_name", "amount_ucr", "lot_id", "expires_at")
    ordering = ("wallet_id", "call_id", "seq")

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Hold | None:
        """Find by the primary key of the table."""
        found: Hold | None = _by_group(Hold.objects.all(), object_id).first()
        return found


@admin.register(Entry)
class EntryAdmin(LedgerCallAdmin):
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

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Entry | None:
        """Find by the primary key of the table."""
        found: Entry | None = _by_group(Entry.objects.all(), object_id).first()
        return found
