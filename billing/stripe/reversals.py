"""Refunds and disputes: the payer's money goes back, so its credit goes too.

Each is a row with Stripe's newest status. Statuses only move on, so an older event that comes late
changes nothing. What a status means for the credit is done when its payment has been credited.

The same credit is never taken twice: a refund is counted first against what staff has paid out of
its payment (`covered_ucr`), and takes itself only what is beyond (`taken_ucr`). What went by other
ways before, by a dispute say, is not there to be taken: staff is told.
"""

from types import MappingProxyType

from django.db.models import Sum

from billing import disputes, ledger
from billing.errors import MoreThanThereIs
from billing.models.money import Dispute, MoneyRequest
from billing.models.payments import Payment, Reversal
from billing.queries import read_top_up
from billing.stripe import orders, quarantine
from billing.stripe.events import Disputed, Event, Refunded
from billing.stripe.packs import UCR_PER_CENT
from studio.core.errors import GatewayError
from studio.core.money import credits_text

_State = Reversal.State
_PLACES: MappingProxyType[str, int] = MappingProxyType(
    {
        "requires_action": 0,
        "pending": 0,
        "succeeded": 1,
        "failed": 2,
        "canceled": 2,
        "warning_needs_response": 0,
        "warning_under_review": 0,
        "warning_closed": 1,
        "prevented": 1,
        "needs_response": 2,
        "under_review": 2,
        "lost": 3,
        "appeal_needs_response": 3,
        "appeal_under_review": 3,
        "won": 4,
    }
)
"""How far along a status is. Source: `stripe` 16.1.0 for Python, `_refund.py`, `_dispute.py`. A
refund that succeeded may fail later; a dispute that was lost may be won by an appeal.
"""
_GONE = ("requires_action", "pending", "succeeded")
"""Statuses of a refund whose money has left us: Stripe takes it from our balance at once."""
_FAILED_REFUND = ("failed", "canceled")
_INQUIRY = ("warning_needs_response", "warning_under_review", "warning_closed", "prevented")
"""Statuses of a dispute that has taken no money."""
_LOST = ("lost", "appeal_needs_response", "appeal_under_review")
_TRIES = 3


def take_refund(event: Event, refunded: Refunded) -> None:
    """Note a refund, and take or give back its credit if the payment has been credited."""
    payment = orders.lock_payment(refunded.payment_intent)
    wanted = Reversal(
        reversal_id=refunded.refund,
        kind=Reversal.Kind.REFUND,
        payment=payment,
        amount_cents=refunded.amount_cents,
        currency=refunded.currency,
        status=refunded.status,
        reason=refunded.reason,
    )
    if _noted(event, wanted) and payment.credited_at is not None:
        settle_refunds(payment, event)


def take_dispute(event: Event, disputed: Disputed) -> list[str]:
    """Note a dispute. Returns: it, if the payment has been credited, to be settled after this
    transaction.
    """
    payment = orders.lock_payment(disputed.payment_intent)
    wanted = Reversal(
        reversal_id=disputed.dispute,
        kind=Reversal.Kind.DISPUTE,
        payment=payment,
        amount_cents=disputed.amount_cents,
        currency=disputed.currency,
        status=disputed.status,
        reason=disputed.reason,
    )
    noted = _noted(event, wanted) and payment.credited_at is not None
    return [disputed.dispute] if noted else []


def settle_refunds(payment: Payment, event: Event) -> None:
    """Bring the credit in line with every refund of a payment. The payment is locked."""
    for refund in payment.reversals.filter(kind=Reversal.Kind.REFUND).order_by("pk"):
        if refund.status in _GONE and refund.state == _State.WAITING:
            _take(payment, refund, event)
        elif refund.status in _FAILED_REFUND:
            _give_back(payment, refund)


def open_disputes_of(payment: Payment) -> list[str]:
    """Name the disputes of a payment that are to be settled."""
    waiting = payment.reversals.filter(kind=Reversal.Kind.DISPUTE).order_by("pk")
    return list(waiting.values_list("pk", flat=True))


def settle_disputes(dispute_ids: list[str], *, event_id: str) -> None:
    """Open disputes in the ledger, and close them as Stripe did; each step is safe to repeat.

    Steps of two deliveries at once may mix: opening what is closed changes nothing, and what is
    closed is closed once.
    """
    for dispute_id in dispute_ids:
        dispute = Reversal.objects.select_related("payment").get(pk=dispute_id)
        if dispute.status in _INQUIRY or dispute.state == _State.QUARANTINED:
            continue
        taken_ucr = 0
        try:
            taken_ucr = _open(dispute, event_id)
            state = _close(dispute)
        except GatewayError as error:
            quarantine.put_later(
                event_id, subject=dispute_id, why="dispute", detail=f"{dispute_id}: {error.message}"
            )
            state = _State.QUARANTINED
        # Only onwards: another delivery may have gone further meanwhile.
        Reversal.objects.filter(pk=dispute_id, status=dispute.status).update(
            state=state, taken_ucr=taken_ucr
        )


def _open(dispute: Reversal, event_id: str) -> int:
    """Open a dispute for what is left of its payment. Returns: that, in µcr.

    Raises: MoreThanThereIs if nothing is left, or it is about more than was paid.
    """
    payment = dispute.payment
    assert payment.workspace_id is not None and payment.top_up_id is not None, "it is credited"
    amount_ucr = dispute.amount_cents * UCR_PER_CENT
    for _ in range(_TRIES):
        taken_ucr = _amount_to_open(dispute, payment)
        try:
            opened = disputes.open_dispute(
                workspace_id=payment.workspace_id,
                top_up_id=payment.top_up_id,
                amount_ucr=taken_ucr,
                reference=dispute.pk,
                reason=dispute.reason or "unknown",
            )
        except MoreThanThereIs as error:  # a refund or a payout came in between
            failed = error
            continue
        if taken_ucr < amount_ucr and not opened.repeated:
            quarantine.put_later(
                event_id,
                subject=dispute.pk,
                why="dispute",
                detail=f"{dispute.pk}: {_cut(taken_ucr, amount_ucr)}",
            )
        return taken_ucr
    raise failed


def _amount_to_open(dispute: Reversal, payment: Payment) -> int:
    """Give what a dispute takes: what it took when it was opened, else what is left for it."""
    known = Dispute.objects.filter(reference=dispute.pk).first()
    if known is not None:
        return known.amount_ucr
    amount_ucr = dispute.amount_cents * UCR_PER_CENT
    assert payment.amount_cents is not None, "it is credited"
    if dispute.amount_cents > payment.amount_cents:
        return amount_ucr  # which the ledger refuses
    left_ucr = min(amount_ucr, _left_of(payment))
    if left_ucr == 0:
        raise MoreThanThereIs("Nothing is left of its payment")
    return left_ucr


def _close(dispute: Reversal) -> Reversal.State:
    if dispute.status == "won":
        disputes.win_dispute(reference=dispute.pk)
        return _State.RETURNED
    if dispute.status in _LOST:
        disputes.lose_dispute(reference=dispute.pk)
    return _State.TAKEN


def _noted(event: Event, wanted: Reversal) -> bool:
    """Keep a reversal, or move the known one on. Returns: whether there is something to settle."""
    known = Reversal.objects.filter(pk=wanted.pk).first()
    fault = _fault(wanted, known)
    if fault is not None:
        quarantine.put(event, subject=wanted.pk, why=wanted.kind, detail=f"{wanted.pk}: {fault}")
        return False
    if known is None:
        wanted.save(force_insert=True)
        return True
    if _PLACES[wanted.status] > _PLACES[known.status]:
        known.status = wanted.status
        known.save(update_fields=["status"])
    return True


def _fault(wanted: Reversal, known: Reversal | None) -> str | None:
    """Say why a reversal cannot be what it says; None if it can."""
    if wanted.status not in _PLACES:
        return f"the status {wanted.status!r} is unknown"
    if wanted.amount_cents <= 0:
        return "it has no amount"
    if wanted.payment.currency not in ("", wanted.currency):
        return f"the payment was in {wanted.payment.currency}, this is in {wanted.currency}"
    facts = ("payment_id", "amount_cents", "currency", "kind")
    if known is not None and any(getattr(known, n) != getattr(wanted, n) for n in facts):
        return "it is known with another payment, amount or currency"
    return None


def _take(payment: Payment, refund: Reversal, event: Event) -> None:
    if refund.currency != payment.currency:  # noted before the payment's currency was known
        detail = f"{refund.pk}: a refund in {refund.currency} of a payment in {payment.currency}"
        quarantine.put(event, subject=refund.pk, why="refund", detail=detail)
        refund.state = _State.QUARANTINED
        refund.save(update_fields=["state"])
        return
    wanted_ucr = refund.amount_cents * UCR_PER_CENT
    refund.covered_ucr = min(wanted_ucr, _uncovered_payouts(payment))
    wanted_ucr -= refund.covered_ucr
    refund.state = _State.TAKEN
    verdict = _pay_out(payment, refund, wanted_ucr) if wanted_ucr else "paid_out"
    taken_ucr = wanted_ucr
    assert payment.amount_cents is not None, "it is credited"
    if verdict == "too_much" and refund.amount_cents <= payment.amount_cents:
        taken_ucr = _left_of(payment)
        detail = f"{refund.pk}: {_cut(taken_ucr, wanted_ucr)}"
        quarantine.put(event, subject=refund.pk, why="refund", detail=detail)
        verdict = _pay_out(payment, refund, taken_ucr) if taken_ucr else "paid_out"
    if verdict != "paid_out":
        detail = f"{refund.pk}: the ledger says {verdict}"
        quarantine.put(event, subject=refund.pk, why="refund", detail=detail)
        refund.state, taken_ucr, refund.covered_ucr = _State.QUARANTINED, 0, 0
    refund.taken_ucr = taken_ucr
    refund.save(update_fields=["state", "taken_ucr", "covered_ucr"])


def _pay_out(payment: Payment, refund: Reversal, amount_ucr: int) -> str:
    """Take credit of a payment, whatever it takes. Returns: the ledger's verdict."""
    assert payment.workspace_id is not None and payment.top_up_id is not None, "it is credited"
    verdict = ledger.pay_out(
        workspace_id=payment.workspace_id,
        top_up_id=payment.top_up_id,
        amount_ucr=amount_ucr,
        ref=_ref(refund),
        force=True,
    )
    return verdict.verdict


def _uncovered_payouts(payment: Payment) -> int:
    """Sum what staff has paid out of a payment and no refund stands for yet. It is locked."""
    assert payment.workspace_id is not None and payment.top_up_id is not None, "it is credited"
    paid_out = MoneyRequest.objects.filter(
        kind=MoneyRequest.Kind.PAYOUT,
        state=MoneyRequest.State.EXECUTED,
        workspace_id=payment.workspace_id,
        subject_id=payment.top_up_id,
    ).aggregate(total=Sum("amount_ucr"))["total"]
    covered = payment.reversals.filter(state=_State.TAKEN).aggregate(total=Sum("covered_ucr"))
    return int((paid_out or 0) - (covered["total"] or 0))


def _left_of(payment: Payment) -> int:
    """Give what could still go back of a credited payment."""
    assert payment.workspace_id is not None and payment.top_up_id is not None, "it is credited"
    top_up = read_top_up(workspace_id=payment.workspace_id, top_up_id=payment.top_up_id)
    return top_up.left_ucr if top_up else 0


def _cut(taken_ucr: int, wanted_ucr: int) -> str:
    rest = credits_text(wanted_ucr - taken_ucr)
    return f"{credits_text(taken_ucr)} credits were taken; {rest} more had gone back before"


def _give_back(payment: Payment, refund: Reversal) -> None:
    """Give back what a failed refund took, if it took anything."""
    if refund.state not in (_State.WAITING, _State.TAKEN):
        return
    if refund.taken_ucr:
        assert payment.workspace_id is not None and payment.top_up_id is not None, "it is credited"
        verdict = ledger.reinstate(
            workspace_id=payment.workspace_id,
            top_up_id=payment.top_up_id,
            amount_ucr=refund.taken_ucr,
            ref=_ref(refund),
        )
        assert verdict.verdict == "reinstated", verdict
    refund.state, refund.taken_ucr, refund.covered_ucr = _State.RETURNED, 0, 0
    refund.save(update_fields=["state", "taken_ucr", "covered_ucr"])


def _ref(refund: Reversal) -> str:
    return f"refund {refund.pk}"
