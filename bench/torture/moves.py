"""Steps of callers, payers, time and the operator. staff_moves.py has those of people of ours.

Amounts are µcr. Every step has an id of its own, so that it is the same when it is asked again.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from django.db import connection, transaction

from bench.torture.oracle import NEVER, PAST
from bench.torture.steps import Account, Step
from billing import services
from gateway import corrections
from gateway.statements import HOLD, SETTLE, NewCall, Outcome, hold_parameters, settle_parameters
from studio.accounts.models import Workspace
from studio.accounts.services import set_tier, set_workspace_status
from studio.core.ids import event_id, new_id, new_id_text

_BEGINNING = datetime.now(UTC)
_PAST = "now() - interval '1 second'"


def hold(account: Account, amount: int) -> Step:
    """A call begins, at the markup that its workspace's tier has now."""
    call_id, markup_bp = new_id_text(), account.markup_bp
    call = NewCall(
        id=call_id,
        workspace_id=account.workspace_id,
        hold_ucr=amount,
        price_version=1,
        markup_bp=markup_bp,
        app_key_id=None,
        input_estimate=10,
        app_id="torture",
        user_ref="",
        surface="studio",
        operation="chat",
        kind="chat.default",
        channel="stable",
        provider="openai",
        model="gpt-5",
    )

    def ask() -> str:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(HOLD, hold_parameters([call]))
            return str(cursor.fetchone()[0])

    def tell() -> str:
        account.opened_at[call_id] = time.monotonic()
        return account.wallet.hold(call_id, amount, markup_bp)

    return Step(name="hold", ask=ask, tell=tell, again=lambda: account.wallet.calls[call_id].state)


def settle(account: Account, call_id: str, price: int) -> Step:
    """A call ends: it costs `price` and the markup it was held by, nothing if that is 0."""
    markup_bp = account.wallet.calls[call_id].markup_bp
    charge = -(-price * (10_000 + markup_bp) // 10_000)
    kind = "usage" if charge else "void"
    outcome = Outcome(
        id=call_id,
        workspace_id=account.workspace_id,
        ledger_kind=kind,
        charge_ucr=charge,
        cost_ucr=price,
        provider="openai",
        model="gpt-5",
        state="succeeded" if charge else "failed",
        reason="",
        http_status=200,
        input_tokens=10,
        cached_input_tokens=0,
        cache_write_tokens=0,
        output_tokens=5,
        reasoning_tokens=0,
        usage_source="provider",
        latency_ms=1,
        first_byte_ms=None,
    )

    def ask() -> str:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(SETTLE, settle_parameters([outcome]))
            verdict, fresh, charged, _ = cursor.fetchone()
            return f"{verdict} {fresh} {charged}"

    def again() -> str:
        call = account.wallet.calls[call_id]
        return f"{call.state} False {call.charge}"

    return Step(
        name="settle",
        ask=ask,
        tell=lambda: account.wallet.settle(call_id, kind, charge),
        again=again,
    )


def lapse(account: Account, call_id: str) -> Step:
    """Nobody comes back for a call, and the sweep finds its hold."""

    def ask() -> str:
        account.as_owner(f"UPDATE ledger.hold SET expires_at = {_PAST} WHERE id = %s", call_id)  # noqa: S608
        return _until_none_is_left(services.lapse_overdue_holds)

    def tell() -> str:
        account.wallet.lapse(call_id)
        return "done"

    return Step(name="lapse", ask=ask, tell=tell, whole=False)


def top_up(account: Account, amount: int) -> Step:
    """Somebody pays."""
    top_up_id = event_id(f"payment:{new_id()}")

    def ask() -> str:
        return services.grant_credits(
            workspace_id=account.workspace_id,
            amount_ucr=amount,
            reason="payment",
            kind="topup",
            credit_id=top_up_id,
        ).verdict

    return Step(
        name="top up",
        ask=ask,
        tell=lambda: account.wallet.top_up(str(top_up_id), amount),
        again=lambda: "replay",
    )


def promo(account: Account, amount: int, days: int, priority: int) -> Step:
    """A programme gives credit, for `days` from the beginning, for ever if 0."""
    credit_id = new_id()

    def ask() -> str:
        return services.grant_credits(
            workspace_id=account.workspace_id,
            amount_ucr=amount,
            reason="welcome",
            credit_id=credit_id,
            priority=priority,
            expires_at=_BEGINNING + timedelta(days=days) if days else None,
        ).verdict

    def tell() -> str:
        expires = days or NEVER
        account.wallet.add("promo", amount, paid=False, expires=expires, priority=priority)
        return "credited"

    return Step(name="promo", ask=ask, tell=tell, again=lambda: "replay")


def expire(account: Account, place: int) -> Step:
    """A lot expires."""
    lot = account.wallet.lots[place]

    def ask() -> str:
        account.as_owner(
            f"UPDATE ledger.lot SET expires_at = {_PAST} WHERE id = ("  # noqa: S608
            " SELECT id FROM ledger.lot WHERE wallet_id = %s ORDER BY id OFFSET %s LIMIT 1)",
            account.workspace_id,
            place,
        )
        return "done"

    def tell() -> str:
        lot.expires = PAST
        return "done"

    return Step(name="expire", ask=ask, tell=tell, whole=False)


def sweep(account: Account) -> Step:
    """Expired credit is booked, refunds reach usage: Celery rings."""

    def ask() -> str:
        _until_none_is_left(corrections.write_corrections)
        return _until_none_is_left(services.book_expired_lots)

    return Step(name="sweep", ask=ask, tell=lambda: "done", whole=False)


def set_status(account: Account, *, active: bool) -> Step:
    """The operator freezes the workspace, or makes it active."""
    status = Workspace.Status.ACTIVE if active else Workspace.Status.FROZEN

    def ask() -> str:
        set_workspace_status(workspace_id=account.workspace_id, status=status)
        return "done"

    def tell() -> str:
        account.wallet.active = active
        return "done"

    return Step(name="status", ask=ask, tell=tell)


def change_tier(account: Account, tier: str) -> Step:
    """The operator moves the workspace to another tier: calls under way keep their markup."""

    def ask() -> str:
        set_tier(workspace_id=account.workspace_id, tier=tier)
        return "done"

    def tell() -> str:
        account.markup_bp = account.markups_bp[tier]
        return "done"

    return Step(name="tier", ask=ask, tell=tell)


def _until_none_is_left(sweep_once: Callable[[], int]) -> str:
    while sweep_once():
        pass
    return "done"
