"""A workspace with money, and the people who move it, for tests of the services."""

from dataclasses import dataclass
from uuid import UUID

from django.contrib.auth.models import User
from django.db import connection

from billing import disputes, ledger, money_requests, services
from billing.queries import read_balance
from gateway.statements import HOLD, SETTLE, NewCall, Outcome, hold_parameters, settle_parameters
from studio.accounts.models import Workspace
from studio.core.ids import event_id, new_id, new_id_text
from studio.core.money import UCR_PER_CREDIT

LIMIT_UCR = 10_000 * UCR_PER_CREDIT
"""Up to here one person is enough: the default of TWO_PEOPLE_ABOVE_CREDITS."""


@dataclass(frozen=True, kw_only=True)
class Customer:
    """A workspace that pays."""

    workspace: Workspace

    @property
    def id(self) -> int:
        """The workspace's id, and its wallet's."""
        return self.workspace.pk

    @property
    def available_ucr(self) -> int:
        """What it can spend."""
        return read_balance(self.id).available_ucr

    @property
    def owed_ucr(self) -> int:
        """What it owes."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT owed FROM ledger.wallet WHERE id = %s", [self.id])
            return int(cursor.fetchone()[0])

    def top_up(self, amount_ucr: int) -> UUID:
        """Pay for credit. Returns: the id of the top-up."""
        top_up_id = event_id(f"payment:{new_id()}")
        services.grant_credits(
            workspace_id=self.id,
            amount_ucr=amount_ucr,
            reason="payment",
            kind="topup",
            credit_id=top_up_id,
        )
        return top_up_id

    def hold(self, amount_ucr: int) -> str:
        """Begin a call, as the gateway does. Returns: its id, or the verdict it was refused by."""
        call = NewCall(
            id=new_id_text(),
            workspace_id=self.id,
            hold_ucr=amount_ucr,
            price_version=1,
            markup_bp=2000,
            app_key_id=None,
            input_estimate=10,
            app_id="ios",
            user_ref="user-7",
            surface="studio",
            operation="chat",
            kind="chat.default",
            channel="stable",
            provider="openai",
            model="gpt-5",
        )
        with connection.cursor() as cursor:
            cursor.execute(HOLD, hold_parameters([call]))
            verdict = str(cursor.fetchone()[0])
        return call.id if verdict == "held" else verdict

    def settle(self, call_id: str, charge_ucr: int, *, cost_ucr: int = 0) -> None:
        """End a call, as the gateway does: charged, or failed if the charge is 0."""
        outcome = Outcome(
            id=call_id,
            workspace_id=self.id,
            ledger_kind="usage" if charge_ucr else "void",
            charge_ucr=charge_ucr,
            cost_ucr=cost_ucr,
            provider="openai",
            model="gpt-5",
            state="succeeded" if charge_ucr else "failed",
            reason="",
            http_status=200,
            input_tokens=10,
            cached_input_tokens=0,
            cache_write_tokens=0,
            output_tokens=5,
            reasoning_tokens=0,
            usage_source="provider",
            latency_ms=100,
            first_byte_ms=10,
        )
        with connection.cursor() as cursor:
            cursor.execute(SETTLE, settle_parameters([outcome]))

    def call(self, charge_ucr: int) -> UUID:
        """Make a call that costs this. Returns: its id."""
        call_id = self.hold(charge_ucr)
        self.settle(call_id, charge_ucr)
        return UUID(call_id)

    def journal(self, *kinds: str) -> list[tuple[str, str, str, int, str]]:
        """Read (kind, debit, credit, amount, ref) of every entry, or of these kinds."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT kind, debit, credit, amount, COALESCE(ref, '') FROM ledger.entry"
                " WHERE wallet_id = %s AND (kind = ANY(%s) OR %s) ORDER BY at, id, seq",
                [self.id, list(kinds), not kinds],
            )
            return list(cursor.fetchall())

    def can_call(self) -> bool:
        """Say whether the wallet takes a hold of 1 µcr now."""
        item = ledger.HoldItem(
            workspace_id=self.id,
            id=new_id(),
            amount_ucr=1,
            seconds=60,
            price_version=1,
            markup_bp=0,
        )
        [verdict] = ledger.place_holds([item])
        if verdict.verdict == "held":
            ledger.settle([ledger.SettleItem(workspace_id=self.id, id=item.id, kind="void")])
        return verdict.verdict == "held"


def make_customer(name: str) -> Customer:
    """Make a workspace without credit."""
    return Customer(workspace=Workspace.objects.create(name=name, tier_id="managed"))


def make_staff(name: str) -> User:
    """Make a person of ours."""
    return User.objects.create_user(name, is_staff=True)


def leave_money_rows(workspace_id: int) -> None:
    """Leave a request for money, a dispute and its lifted freeze, for pages that show them."""
    customer = Customer(workspace=Workspace.objects.get(pk=workspace_id))
    staff, _ = User.objects.get_or_create(username="clerk of money rows", is_staff=True)
    money_requests.grant_credit(
        workspace_id=workspace_id, amount_ucr=1, reason="a page", staff=staff, key="page"
    )
    disputes.open_dispute(
        workspace_id=workspace_id,
        top_up_id=customer.top_up(1),
        amount_ucr=1,
        reference=f"dp_page_{workspace_id}",
        reason="a page",
    )
    disputes.win_dispute(reference=f"dp_page_{workspace_id}")
