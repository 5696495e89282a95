"""Requests for money, disputes and freezes for staff. What is asked goes through the services."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest

from billing import freezing, money_requests
from billing.admin.form_pages import AdjustForm, CreditsForm, FormPage, FormPagesAdmin, ReasonForm
from billing.models.ledger import Entry, Freeze, Wallet
from billing.models.money import Dispute, MoneyRequest
from billing.money_requests import Outcome
from billing.queries import read_charge
from studio.accounts.read_only_admin import SearchedByIdAdmin, read_number, read_uuid
from studio.core.errors import GatewayError
from studio.core.money import credits_text

_ADJUST = "billing.adjust_wallet"
_REFUND = "billing.refund_call"


def _grant(staff: User, wallet: Wallet, given: dict[str, Any]) -> str:
    outcome = money_requests.grant_credit(
        workspace_id=wallet.wallet_id,
        amount_ucr=given["credits"],
        reason=given["reason"],
        staff=staff,
        key=str(given["key"]),
    )
    return _told("Granted", outcome, given)


def _adjust(staff: User, wallet: Wallet, given: dict[str, Any]) -> str:
    outcome = money_requests.adjust_credit(
        workspace_id=wallet.wallet_id,
        amount_ucr=given["credits"],
        paid=given["paid"],
        reason=given["reason"],
        staff=staff,
        key=str(given["key"]),
    )
    return _told("Adjusted by", outcome, given)


def _refund(staff: User, entry: Entry, given: dict[str, Any]) -> str:
    outcome = money_requests.refund_call(
        workspace_id=entry.wallet_id,
        call_id=entry.call_id,
        amount_ucr=given["credits"],
        reason=given["reason"],
        staff=staff,
        key=str(given["key"]),
    )
    return _told("Refunded", outcome, given)


def _freeze(staff: User, wallet: Wallet, given: dict[str, Any]) -> str:
    freeze = freezing.freeze_wallet(
        workspace_id=wallet.wallet_id,
        reason=given["reason"],
        staff=staff,
        key=str(given["key"]),
    )
    return f"{'Frozen before' if freeze.repeated else 'Frozen'}: {given['reason']}"


def _lift(staff: User, freeze: Freeze, given: dict[str, Any]) -> str:
    lifted = freezing.unfreeze_wallet(
        workspace_id=freeze.wallet_id,
        freeze_id=freeze.freeze_id,
        reason=given["reason"],
        staff=staff,
    )
    still = "; the wallet stays frozen for another reason" if lifted.still_frozen else ""
    return f"{'Lifted before' if lifted.repeated else 'Lifted'}: {given['reason']}{still}"


def _told(done: str, outcome: Outcome, given: dict[str, Any]) -> str:
    text = f"{credits_text(given['credits'])} credits: {given['reason']}"
    if outcome.state == MoneyRequest.State.WAITING:
        return f"Waits for another person's approval: {text}"
    return f"{done}{' before:' if outcome.repeated else ''} {text}"


def _charge_left(entry: Entry) -> dict[str, Any]:
    charge = read_charge(workspace_id=entry.wallet_id, call_id=entry.call_id)
    return {"credits": credits_text(charge.refundable_ucr if charge else 0)}


WALLET_PAGES = (
    FormPage(name="grant", label="Grant", permission=_ADJUST, form=CreditsForm, act=_grant),
    FormPage(name="adjust", label="Adjust", permission=_ADJUST, form=AdjustForm, act=_adjust),
    FormPage(name="freeze", label="Freeze", permission=_ADJUST, form=ReasonForm, act=_freeze),
)
ENTRY_PAGES = (
    FormPage(
        name="refund",
        label="Refund this call",
        permission=_REFUND,
        form=CreditsForm,
        act=_refund,
        offered=lambda entry: entry.kind == Entry.Kind.USAGE,
        initial=_charge_left,
    ),
)


@admin.register(MoneyRequest)
class MoneyRequestAdmin(SearchedByIdAdmin):
    """What was asked for, by whom and why; waiting ones are approved or rejected here."""

    list_display = (
        "requested_at",
        "kind",
        "workspace",
        "amount_ucr",
        "reason",
        "requested_by",
        "state",
        "approved_by",
        "rejected_by",
    )
    list_filter = ("state", "kind")
    list_select_related = ("workspace", "requested_by", "approved_by", "rejected_by")
    ordering = ("-requested_at",)
    workspace_field = "workspace_id"
    uuid_field = "subject_id"
    search_help_text = "Workspace id, whole workspace name, or id of a call or top-up"
    actions = ("approve", "reject")

    def has_approve_permission(self, request: HttpRequest) -> bool:
        """Whoever may approve money."""
        return request.user.has_perm("billing.approve_money")

    @admin.action(description="Approve: do it", permissions=["approve"])
    def approve(self, request: HttpRequest, queryset: QuerySet[MoneyRequest]) -> None:
        """Do what others asked for."""
        self._decide(request, queryset, approved=True)

    @admin.action(description="Reject", permissions=["approve"])
    def reject(self, request: HttpRequest, queryset: QuerySet[MoneyRequest]) -> None:
        """Refuse it."""
        self._decide(request, queryset, approved=False)

    def _decide(
        self, request: HttpRequest, queryset: QuerySet[MoneyRequest], *, approved: bool
    ) -> None:
        assert isinstance(request.user, User)
        decide = money_requests.approve if approved else money_requests.reject
        for wanted in queryset:
            try:
                outcome = decide(request_id=wanted.pk, staff=request.user)
            except GatewayError as error:
                self.message_user(request, f"{wanted}: {error.message}", messages.ERROR)
                continue
            self.log_change(request, wanted, outcome.state.capitalize())
            self.message_user(request, f"{wanted}: {outcome.state}")


@admin.register(Freeze)
class FreezeAdmin(FormPagesAdmin):
    """Why wallets are frozen, and since when; lifted one by one."""

    list_display = ("at", "workspace_name", "ref", "lifted_at", "lifted_ref")
    list_filter = (("lifted_at", admin.EmptyFieldListFilter),)
    ordering = ("-at",)
    workspace_field = "wallet_id"
    uuid_field = "freeze_id"
    search_help_text = "Workspace id, whole workspace name, or id of a freeze"
    form_pages = (
        FormPage(
            name="lift",
            label="Lift",
            permission=_ADJUST,
            form=ReasonForm,
            act=_lift,
            offered=lambda freeze: freeze.lifted_at is None,
        ),
    )

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Freeze | None:
        """Find by the primary key of the table."""
        wallet, _, uuid = object_id.partition("_")
        wallet_id, freeze_id = read_number(wallet), read_uuid(uuid)
        if wallet_id is None or freeze_id is None:
            return None
        return Freeze.objects.filter(wallet_id=wallet_id, freeze_id=freeze_id).first()


@admin.register(Dispute)
class DisputeAdmin(SearchedByIdAdmin):
    """Disputed payments. The payment provider opens and closes them."""

    list_display = ("opened_at", "reference", "workspace", "amount_ucr", "reason", "state")
    list_filter = ("state",)
    list_select_related = ("workspace",)
    ordering = ("-opened_at",)
    workspace_field = "workspace_id"
    uuid_field = "top_up_id"
    search_help_text = "Workspace id, whole workspace name, or id of a top-up"
