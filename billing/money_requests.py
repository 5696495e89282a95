"""What people of ours ask of money: refunds, grants, adjustments, payouts. Amounts are µcr.

Each is asked for once per `key` (a ticket, a form that was sent) in its workspace, with a reason,
by a person. Up to TWO_PEOPLE_ABOVE_CREDITS, counted over what that person moved alone in that
workspace within a day, it is done at once. Above it waits until another person approves it, and is
done in the transaction that says so. Whoever calls these has checked that the person may.
"""

from datetime import timedelta
from typing import Final
from uuid import UUID

import msgspec
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Sum
from django.db.models.functions import Abs, Now

from billing import ledger
from billing.errors import (
    AlreadyDecided,
    CallNotCharged,
    CreditRefused,
    KeyUsedBefore,
    MoneyRequestNotFound,
    MoreThanThereIs,
    RefundedAtStripe,
    SecondPersonNeeded,
    TopUpNotFound,
    WalletNotFound,
)
from billing.models.money import MoneyRequest
from billing.models.payments import Payment, Reversal
from billing.queries import read_charge
from billing.services import MAX_GRANT_UCR, clean_reason, lock_workspace
from studio.core.errors import GatewayError
from studio.core.ids import event_id
from studio.core.money import UCR_PER_CREDIT, credits_text

_ALONE_WITHIN = timedelta(days=1)
_Kind = MoneyRequest.Kind
_State = MoneyRequest.State


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a request: `state` is waiting, executed or rejected.

    `repeated`: it was asked for or decided before, and nothing changed now. `available_ucr` is what
    the workspace has now, None if nothing was moved now.
    """

    request_id: UUID
    state: str
    repeated: bool = False
    available_ucr: int | None = None


class _Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """The facts of a request; a repeat must have the same."""

    kind: str
    workspace_id: int
    amount_ucr: int
    reason: str
    subject_id: UUID | None = None
    paid: bool | None = None


def refund_call(  # noqa: PLR0913  the facts of a refund
    *, workspace_id: int, call_id: UUID, amount_ucr: int, reason: str, staff: User, key: str
) -> Outcome:
    """Pay back a call or a part of it: never more than what is left of its charge.

    Raises: CreditRefused, CallNotCharged, MoreThanThereIs, KeyUsedBefore, WalletNotFound; nothing
    was written.
    """
    wanted = _Wanted(
        kind=_Kind.REFUND,
        workspace_id=workspace_id,
        subject_id=call_id,
        amount_ucr=amount_ucr,
        reason=clean_reason(reason),
    )
    return _ask(wanted, staff=staff, key=key)


def grant_credit(
    *, workspace_id: int, amount_ucr: int, reason: str, staff: User, key: str
) -> Outcome:
    """Give a workspace credit that nobody paid for.

    Raises: CreditRefused, KeyUsedBefore, WalletNotFound; nothing was written.
    """
    wanted = _Wanted(
        kind=_Kind.GRANT,
        workspace_id=workspace_id,
        amount_ucr=amount_ucr,
        reason=clean_reason(reason),
    )
    return _ask(wanted, staff=staff, key=key)


def adjust_credit(  # noqa: PLR0913  the facts of an adjustment
    *, workspace_id: int, amount_ucr: int, paid: bool, reason: str, staff: User, key: str
) -> Outcome:
    """Correct a workspace's paid or given credit, down if the amount is negative.

    Raises: CreditRefused, MoreThanThereIs if that much of that credit is not free, KeyUsedBefore,
    WalletNotFound; nothing was written.
    """
    wanted = _Wanted(
        kind=_Kind.ADJUSTMENT,
        workspace_id=workspace_id,
        amount_ucr=amount_ucr,
        paid=paid,
        reason=clean_reason(reason),
    )
    return _ask(wanted, staff=staff, key=key)


def pay_out_top_up(  # noqa: PLR0913  the facts of a payout
    *, workspace_id: int, top_up_id: UUID, amount_ucr: int, reason: str, staff: User, key: str
) -> Outcome:
    """Take back what is free of a top-up, because its payer gets the money back.

    A payment's credit goes by one way: refunds at Stripe that follow are counted against payouts,
    and where Stripe has begun to refund there is no payout.
    Raises: CreditRefused, TopUpNotFound, MoreThanThereIs, RefundedAtStripe, KeyUsedBefore,
    WalletNotFound; nothing was written.
    """
    wanted = _Wanted(
        kind=_Kind.PAYOUT,
        workspace_id=workspace_id,
        subject_id=top_up_id,
        amount_ucr=amount_ucr,
        reason=clean_reason(reason),
    )
    return _ask(wanted, staff=staff, key=key)


def approve(*, request_id: UUID, staff: User) -> Outcome:
    """Do what another person asked for.

    Raises: MoneyRequestNotFound, AlreadyDecided, SecondPersonNeeded, or what the request itself
    raises (it waits on then); nothing was moved.
    """
    with transaction.atomic(durable=True):
        request = _waiting(request_id)
        if request.requested_by_id == staff.pk:
            raise SecondPersonNeeded("Whoever asks for money does not approve it")
        available = _execute(request)
        request.approved_by = staff
        _decide(request, _State.EXECUTED)
    return Outcome(request_id=request.pk, state=request.state, available_ucr=available)


def reject(*, request_id: UUID, staff: User) -> Outcome:
    """Refuse a waiting request, one's own included.

    Raises: MoneyRequestNotFound, AlreadyDecided.
    """
    with transaction.atomic(durable=True):
        request = _waiting(request_id)
        request.rejected_by = staff
        _decide(request, _State.REJECTED)
    return Outcome(request_id=request.pk, state=request.state)


def _ask(wanted: _Wanted, *, staff: User, key: str) -> Outcome:
    """Keep the request, and do it if one person is enough, in one transaction."""
    if not 0 < abs(wanted.amount_ucr) <= MAX_GRANT_UCR:
        raise CreditRefused("An amount is more than 0 and at most 100 000 000 000 credits")
    if wanted.amount_ucr < 0 and wanted.kind != _Kind.ADJUSTMENT:
        raise CreditRefused("Only an adjustment takes credit away")
    if not key:
        raise CreditRefused("A request needs a key, so that it happens once")
    request_id = event_id(f"{wanted.kind}:{wanted.workspace_id}:{key}")
    with transaction.atomic(durable=True):
        # The lock also makes the sum of what one person did alone exact.
        if not lock_workspace(wanted.workspace_id):
            raise WalletNotFound(f"No workspace with id {wanted.workspace_id}")
        request = MoneyRequest.objects.filter(pk=request_id).first()
        if request is not None:
            return _repeated(request, wanted, staff)
        request = MoneyRequest(
            id=request_id,
            requested_by=staff,
            needs_approval=_needs_two(wanted, staff),
            **msgspec.structs.asdict(wanted),
        )
        if request.needs_approval:
            _check_possible(wanted)
            request.save(force_insert=True)
            return Outcome(request_id=request.pk, state=request.state)
        available = _execute(request)
        request.state = _State.EXECUTED
        request.decided_at = Now()
        request.save(force_insert=True)
    return Outcome(request_id=request.pk, state=request.state, available_ucr=available)


def _repeated(request: MoneyRequest, wanted: _Wanted, staff: User) -> Outcome:
    before = {name: getattr(request, name) for name in _Wanted.__struct_fields__}
    if before != msgspec.structs.asdict(wanted) or request.requested_by_id != staff.pk:
        raise KeyUsedBefore(f"This was asked for before, otherwise: {request}")
    return Outcome(request_id=request.pk, state=request.state, repeated=True)


def _needs_two(wanted: _Wanted, staff: User) -> bool:
    """Tell whether this person has moved, with this, more than one person may."""
    alone = MoneyRequest.objects.filter(
        requested_by=staff,
        workspace_id=wanted.workspace_id,
        needs_approval=False,
        requested_at__gt=Now() - _ALONE_WITHIN,
    ).aggregate(total=Sum(Abs("amount_ucr")))
    limit_ucr = settings.TWO_PEOPLE_ABOVE_CREDITS * UCR_PER_CREDIT
    return bool((alone["total"] or 0) + abs(wanted.amount_ucr) > limit_ucr)


def _check_possible(wanted: _Wanted) -> None:
    """Refuse what nobody could approve, now and not when somebody tries."""
    if wanted.kind == _Kind.PAYOUT:
        assert wanted.subject_id is not None
        _check_way(wanted.workspace_id, wanted.subject_id)
    if wanted.kind != _Kind.REFUND:
        return
    assert wanted.subject_id is not None
    charge = read_charge(workspace_id=wanted.workspace_id, call_id=wanted.subject_id)
    if charge is None:
        raise CallNotCharged("No such call, or it was not charged")
    if wanted.amount_ucr > charge.refundable_ucr:
        raise MoreThanThereIs(f"{credits_text(charge.refundable_ucr)} credits are left of it")


def _check_way(workspace_id: int, top_up_id: UUID) -> None:
    """Lock a top-up's payment, and refuse a payout where Stripe's refunds have taken its credit.

    The lock is taken before the wallet's, as payments do it. A top-up without a payment passes.
    """
    payments = Payment.objects.select_for_update(no_key=True)
    payment = payments.filter(top_up_id=top_up_id, workspace_id=workspace_id).first()
    if payment is None:
        return
    refunds = payment.reversals.filter(kind=Reversal.Kind.REFUND, state=Reversal.State.TAKEN)
    taken_ucr = refunds.aggregate(total=Sum("taken_ucr"))["total"] or 0
    if taken_ucr:
        raise RefundedAtStripe(
            f"Stripe refunded this payment, and {credits_text(taken_ucr)} credits went with it:"
            " refund the rest at Stripe too"
        )


def _waiting(request_id: UUID) -> MoneyRequest:
    """Lock a request that is not decided."""
    request = MoneyRequest.objects.select_for_update().filter(pk=request_id).first()
    if request is None:
        raise MoneyRequestNotFound("No such request")
    if request.state != _State.WAITING:
        raise AlreadyDecided(f"This request is {request.state} already")
    return request


def _decide(request: MoneyRequest, state: str) -> None:
    request.state = state
    request.decided_at = Now()
    request.save(update_fields=["state", "approved_by", "rejected_by", "decided_at"])


def _execute(request: MoneyRequest) -> int | None:
    """Move the money. Returns: what the workspace has now. Raises: what the ledger's verdict
    means; the transaction is given up then.
    """
    verdict, available = _moved(request)
    error = _ERRORS.get(verdict)
    if error is None:
        return available
    kind, message = error
    if kind is CallNotCharged and request.kind == _Kind.PAYOUT:
        kind, message = TopUpNotFound, "No such top-up in this wallet"
    raise kind(message)


def _moved(request: MoneyRequest) -> tuple[str, int | None]:
    """Call the ledger. Returns: its verdict, and what the wallet has now."""
    wallet, amount_ucr = request.workspace_id, request.amount_ucr
    verdict: ledger.MoneyVerdict | ledger.CreditVerdict
    if request.kind == _Kind.GRANT:
        verdict = ledger.credit(
            workspace_id=wallet, id=request.pk, kind="grant", amount_ucr=amount_ucr, ref=request.ref
        )
    elif request.kind == _Kind.ADJUSTMENT:
        verdict = ledger.adjust(
            workspace_id=wallet,
            id=request.pk,
            amount_ucr=amount_ucr,
            paid=bool(request.paid),
            ref=request.ref,
        )
    else:
        assert request.subject_id is not None
        verdict = _moved_of(request, request.subject_id)
    return verdict.verdict, verdict.available_ucr


def _moved_of(request: MoneyRequest, subject_id: UUID) -> ledger.MoneyVerdict:
    if request.kind == _Kind.REFUND:
        return ledger.refund(
            workspace_id=request.workspace_id,
            call_id=subject_id,
            amount_ucr=request.amount_ucr,
            ref=request.ref,
        )
    _check_way(request.workspace_id, subject_id)
    return ledger.pay_out(
        workspace_id=request.workspace_id,
        top_up_id=subject_id,
        amount_ucr=request.amount_ucr,
        ref=request.ref,
        force=False,
    )


_ERRORS: Final[dict[str, tuple[type[GatewayError], str]]] = {
    "unknown": (CallNotCharged, "No such call, or it was not charged"),
    "too_much": (MoreThanThereIs, "More than what is left of the charge or the top-up"),
    "insufficient": (MoreThanThereIs, "More than what is free of that credit"),
    "mismatch": (KeyUsedBefore, "The ledger knows this key for something else"),
    "no_wallet": (WalletNotFound, "No such wallet"),
}
