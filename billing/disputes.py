"""Payments that their payers dispute. Amounts are µcr.

While a dispute is open the money is gone and the wallet frozen. Won: the credit comes back and the
freeze is lifted. Lost: the credit stays gone, what could not be taken is owed, and the wallet stays
frozen until a person lifts it. Every step is safe to repeat.
"""

from typing import Literal
from uuid import UUID

import msgspec
from django.db import transaction
from django.db.models.functions import Now

from billing import ledger
from billing.errors import (
    AlreadyDecided,
    CreditRefused,
    DisputeNotFound,
    KeyUsedBefore,
    MoreThanThereIs,
    TopUpNotFound,
    WalletNotFound,
)
from billing.models.money import Dispute
from billing.services import MAX_GRANT_UCR, clean_reason, lock_workspace
from studio.core.ids import event_id

_State = Dispute.State


class DisputeOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """Where a dispute is: open, won or lost; `repeated` if nothing changed now."""

    dispute_id: UUID
    state: str
    repeated: bool


def open_dispute(
    *, workspace_id: int, top_up_id: UUID, amount_ucr: int, reference: str, reason: str
) -> DisputeOutcome:
    """Pay out the disputed part of a top-up, whatever it takes, and freeze the wallet.

    `reference` is the payment provider's id of the dispute; `reason` its word for why.
    Raises: CreditRefused, WalletNotFound, TopUpNotFound, MoreThanThereIs, KeyUsedBefore; nothing
    was written.
    """
    if not 0 < amount_ucr <= MAX_GRANT_UCR:
        raise CreditRefused("An amount is more than 0 and at most 100 000 000 000 credits")
    if not reference or not reference.isprintable():
        raise CreditRefused("A dispute has the payment provider's id")
    wanted = Dispute(
        id=event_id(f"dispute:{reference}"),
        reference=reference,
        workspace_id=workspace_id,
        top_up_id=top_up_id,
        amount_ucr=amount_ucr,
        reason=clean_reason(reason),
    )
    with transaction.atomic(durable=True):
        if not lock_workspace(workspace_id):
            raise WalletNotFound(f"No workspace with id {workspace_id}")
        before = Dispute.objects.filter(pk=wanted.pk).first()
        if before is not None:
            return _repeated(before, wanted)
        wanted.save(force_insert=True)
        _take(wanted)
    return DisputeOutcome(dispute_id=wanted.pk, state=wanted.state, repeated=False)


def win_dispute(*, reference: str) -> DisputeOutcome:
    """Give the credit back and lift the freeze of this dispute.

    Raises: DisputeNotFound, AlreadyDecided if it was lost; nothing was written.
    """
    with transaction.atomic(durable=True):
        dispute, repeated = _close(reference, _State.WON)
        if not repeated:
            back = ledger.reinstate(
                workspace_id=dispute.workspace_id,
                top_up_id=dispute.top_up_id,
                amount_ucr=dispute.amount_ucr,
                ref=_ref(dispute),
            )
            assert back.verdict in ("reinstated", "replay"), back
            ledger.unfreeze(
                workspace_id=dispute.workspace_id, id=dispute.pk, ref=f"{_ref(dispute)} won"
            )
    return DisputeOutcome(dispute_id=dispute.pk, state=dispute.state, repeated=repeated)


def lose_dispute(*, reference: str) -> DisputeOutcome:
    """Note that the money stays gone; the freeze stays until a person lifts it.

    Raises: DisputeNotFound, AlreadyDecided if it was won; nothing was written.
    """
    with transaction.atomic(durable=True):
        dispute, repeated = _close(reference, _State.LOST)
    return DisputeOutcome(dispute_id=dispute.pk, state=dispute.state, repeated=repeated)


def _ref(dispute: Dispute) -> str:
    return f"dispute {dispute.reference}"


def _repeated(before: Dispute, wanted: Dispute) -> DisputeOutcome:
    names = ("workspace_id", "top_up_id", "amount_ucr")
    if any(getattr(before, name) != getattr(wanted, name) for name in names):
        raise KeyUsedBefore(f"Dispute {before.reference} is known with other facts")
    return DisputeOutcome(dispute_id=before.pk, state=before.state, repeated=True)


def _take(dispute: Dispute) -> None:
    paid_out = ledger.pay_out(
        workspace_id=dispute.workspace_id,
        top_up_id=dispute.top_up_id,
        amount_ucr=dispute.amount_ucr,
        ref=_ref(dispute),
        force=True,
    )
    if paid_out.verdict == "unknown":
        raise TopUpNotFound("No such top-up in this wallet")
    if paid_out.verdict == "too_much":
        raise MoreThanThereIs("More than what is left of the top-up")
    assert paid_out.verdict == "paid_out", paid_out
    ledger.freeze(workspace_id=dispute.workspace_id, id=dispute.pk, ref=_ref(dispute))


def _close(reference: str, state: Literal[_State.WON, _State.LOST]) -> tuple[Dispute, bool]:
    """Lock a dispute and close it. Returns: it, and whether it was closed so before."""
    dispute = Dispute.objects.select_for_update().filter(reference=reference).first()
    if dispute is None:
        raise DisputeNotFound(f"No dispute {reference}")
    if dispute.state == state:
        return dispute, True
    if dispute.state != _State.OPEN:
        raise AlreadyDecided(f"Dispute {reference} is {dispute.state} already")
    dispute.state = state
    dispute.closed_at = Now()
    dispute.save(update_fields=["state", "closed_at"])
    return dispute, False
