"""The ledger for staff: search and read; asking.py has what may be asked for beside a row."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from billing.admin.asking import ENTRY_PAGES, WALLET_PAGES
from billing.admin.form_pages import FormPagesAdmin
from billing.models.ledger import Entry, Hold, Lot, Wallet
from studio.accounts.amounts import NONE, credits_column, id_column
from studio.accounts.read_only_admin import SearchedByIdAdmin, read_number

_OF_CALLS = frozenset({"usage", "void", "lapse", "refund"})
_OF_WORKSPACE = (
    ("billing_entry", "entries"),
    ("billing_lot", "lots"),
    ("billing_moneyrequest", "money requests"),
    ("billing_payment", "payments"),
    ("billing_freeze", "freezes"),
    ("analytics_usage", "usage"),
)
"""Lists that a workspace's id finds its rows in."""
FROZEN = SafeString('<span class="bad">frozen</span>')


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


@admin.register(Wallet)
class WalletAdmin(LedgerAdmin, FormPagesAdmin):
    """What each workspace has; grants, adjustments and freezes. Top-ups come with a payment."""

    list_display = (
        "workspace_name",
        "wallet_id",
        credits_column("available_ucr"),
        credits_column("held_ucr"),
        credits_column("owed_ucr"),
        "state",
    )
    list_filter = ("frozen",)
    exclude = ("key", "frozen")
    ordering = ("wallet_id",)
    form_pages = WALLET_PAGES
    readonly_fields = ("state", *FormPagesAdmin.readonly_fields, "see_also")

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Wallet | None:
        """Find by the indexed id."""
        number = read_number(object_id)
        return None if number is None else Wallet.objects.filter(wallet_id=number).first()

    @admin.display(description="state", ordering="frozen")
    def state(self, wallet: Wallet) -> SafeString:
        """Say whether it takes new calls."""
        return FROZEN if wallet.frozen else SafeString("open")

    @admin.display(description="see also")
    def see_also(self, wallet: Wallet) -> SafeString:
        """Link to what else there is of this workspace's money."""
        links = [
            (reverse(f"admin:{page}_changelist"), wallet.wallet_id, words)
            for page, words in _OF_WORKSPACE
        ]
        return format_html_join(", ", '<a href="{}?q={}">{}</a>', links)


@admin.register(Lot)
class LotAdmin(LedgerAdmin):
    """Where a wallet's credit came from, and what is left of it."""

    list_display = (
        "lot_id",
        "workspace_name",
        "kind",
        "paid",
        credits_column("granted_ucr"),
        credits_column("remaining_ucr"),
        credits_column("held_ucr"),
        "priority",
        "expires_at",
    )
    list_filter = ("kind", "paid", "live")
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

    list_display = (
        id_column("call_id", "call"),
        "workspace_name",
        credits_column("amount_ucr"),
        "lot_id",
        "expires_at",
    )
    ordering = ("wallet_id", "call_id", "seq")

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Hold | None:
        """Find by the primary key of the table."""
        found: Hold | None = _by_group(Hold.objects.all(), object_id).first()
        return found


@admin.register(Entry)
class EntryAdmin(LedgerCallAdmin, FormPagesAdmin):
    """The journal. Search for a workspace to read its statement in order of time; a call is
    refunded on the page of its usage entry.
    """

    form_pages = ENTRY_PAGES

    list_display = (
        "at",
        "workspace_name",
        "kind",
        credits_column("amount_ucr"),
        "accounts",
        id_column("call_id", "call or event"),
        "ref",
    )
    list_filter = ("kind",)
    readonly_fields = (*FormPagesAdmin.readonly_fields, "receipt")
    # The order of the index entry_statement, backwards.
    ordering = ("-wallet_id", "-at", "-call_id", "-seq")

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Entry | None:
        """Find by the primary key of the table."""
        found: Entry | None = _by_group(Entry.objects.all(), object_id).first()
        return found

    @admin.display(description="from, to")
    def accounts(self, entry: Entry) -> str:
        """Show which account it left and which it came to; nothing moves where a call was free."""
        return f"{entry.debit} → {entry.credit}" if entry.amount_ucr else NONE

    @admin.display(description="receipt")
    def receipt(self, entry: Entry) -> SafeString:
        """Link to the receipt of the entry's call; an event from outside has none."""
        if entry.kind not in _OF_CALLS:
            return NONE
        address = reverse("admin:gateway_receipt", args=[entry.call_id])
        return format_html('<a href="{}">Receipt</a>', address)
