"""Requests for money, disputes and freezes for staff. What is asked goes through the services."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest

from billing import money_requests
from billing.admin.asking import FREEZE_PAGES
from billing.admin.form_pages import Facts, FormPage, FormPagesAdmin, SureForm
from billing.models.ledger import Freeze
from billing.models.money import Dispute, MoneyRequest
from studio.accounts.amounts import credits_cell, credits_column, id_column
from studio.accounts.confirmed_action import confirmed
from studio.accounts.read_only_admin import SearchedByIdAdmin, read_number, read_uuid
from studio.core.errors import GatewayError
from studio.core.money import credits_text

_APPROVE = "billing.approve_money"


def _asked(wanted: MoneyRequest) -> Facts:
    return [
        ("What", wanted.get_kind_display()),
        ("Credits", credits_cell(wanted.amount_ucr)),
        ("Workspace", wanted.workspace),
        ("Reason", wanted.reason),
        ("Asked for by", f"{wanted.requested_by}, {wanted.requested_at:%Y-%m-%d %H:%M} UTC"),
    ]


def _is_waiting(wanted: MoneyRequest) -> bool:
    return wanted.state == MoneyRequest.State.WAITING


def _approve(staff: User, wanted: MoneyRequest, given: dict[str, Any]) -> str:
    money_requests.approve(request_id=wanted.pk, staff=staff)
    return "Approved and done"


def _reject(staff: User, wanted: MoneyRequest, given: dict[str, Any]) -> str:
    money_requests.reject(request_id=wanted.pk, staff=staff)
    return "Rejected: nothing was moved"


@admin.register(MoneyRequest)
class MoneyRequestAdmin(FormPagesAdmin):
    """What was asked for, by whom and why; waiting ones are approved or rejected here."""

    list_display = (
        "requested_at",
        "kind",
        "workspace",
        credits_column("amount_ucr"),
        "reason",
        "requested_by",
        "state",
        "decided_by",
    )
    list_filter = ("state", "kind")
    list_select_related = ("workspace", "requested_by", "approved_by", "rejected_by")
    ordering = ("-requested_at",)
    workspace_field = "workspace_id"
    uuid_field = "subject_id"
    search_help_text = "Workspace id, whole workspace name, or id of a call or top-up"
    actions = ("approve", "reject")
    form_pages = (
        FormPage(
            name="approve",
            label="Approve",
            permission=_APPROVE,
            form=SureForm,
            act=_approve,
            offered=_is_waiting,
            facts=_asked,
        ),
        FormPage(
            name="reject",
            label="Reject",
            permission=_APPROVE,
            form=SureForm,
            act=_reject,
            offered=_is_waiting,
            facts=_asked,
        ),
    )

    def has_approve_permission(self, request: HttpRequest) -> bool:
        """Whoever may approve money."""
        return request.user.has_perm(_APPROVE)

    def in_words(self, wanted: MoneyRequest) -> str:
        """Say what is about to be decided."""
        return (
            f"{wanted.get_kind_display()}, {credits_text(wanted.amount_ucr)} credits, "
            f"{wanted.workspace}: {wanted.reason} (asked for by {wanted.requested_by})"
        )

    @admin.display(description="decided by")
    def decided_by(self, wanted: MoneyRequest) -> str:
        """Show who approved or rejected it; nobody where one person was enough."""
        return str(wanted.approved_by or wanted.rejected_by or "–")

    @confirmed(
        description="Approve",
        consequence="The credit moves at once, and the books keep it for ever.",
        permissions=["approve"],
    )
    def approve(self, request: HttpRequest, queryset: QuerySet[MoneyRequest]) -> None:
        """Do what others asked for."""
        self._decide(request, queryset, approved=True)

    @confirmed(
        description="Reject",
        consequence="Nothing moves. Whoever asked may ask again.",
        permissions=["approve"],
    )
    def reject(self, request: HttpRequest, queryset: QuerySet[MoneyRequest]) -> None:
        """Refuse it."""
        self._decide(request, queryset, approved=False)

    def _decide(
        self, request: HttpRequest, queryset: QuerySet[MoneyRequest], *, approved: bool
    ) -> None:
        assert isinstance(request.user, User)
        decide = money_requests.approve if approved else money_requests.reject
        for wanted in queryset:
            words = self.in_words(wanted)
            try:
                outcome = decide(request_id=wanted.pk, staff=request.user)
            except GatewayError as error:
                self.message_user(request, f"{error.message}: {words}", messages.ERROR)
                continue
            self.log_change(request, wanted, outcome.state.capitalize())
            self.message_user(request, f"{outcome.state.capitalize()}: {words}")


@admin.register(Freeze)
class FreezeAdmin(FormPagesAdmin):
    """Why wallets are frozen, and since when; lifted one by one."""

    list_display = ("at", "workspace_name", "ref", "lifted_at", "lifted_ref")
    list_filter = (("lifted_at", admin.EmptyFieldListFilter),)
    ordering = ("-at",)
    workspace_field = "wallet_id"
    uuid_field = "freeze_id"
    search_help_text = "Workspace id, whole workspace name, or id of a freeze"
    form_pages = FREEZE_PAGES

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

    list_display = (
        "opened_at",
        id_column("reference"),
        "workspace",
        credits_column("amount_ucr"),
        "reason",
        "state",
        "closed_at",
    )
    list_filter = ("state",)
    list_select_related = ("workspace",)
    ordering = ("-opened_at",)
    workspace_field = "workspace_id"
    uuid_field = "top_up_id"
    text_fields = ("reference",)
    search_help_text = "Workspace id, whole workspace name, id of a top-up, or dp_…"
