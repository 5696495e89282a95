"""What staff decide about quarantined events.

A payment may be credited to a workspace, once, whatever else is in quarantine about it; above
TWO_PEOPLE_ABOVE_CREDITS another person confirms it. Everything may be dismissed. Both stay.
"""

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models.functions import Now

from billing.errors import AlreadyDecided
from billing.models.payments import Quarantine
from billing.services import clean_reason, lock_workspace
from billing.stripe import orders, payments, reversals
from billing.stripe.client import is_live
from billing.stripe.errors import AnotherPersonNeeded, NotCreditable, QuarantineNotFound
from billing.stripe.events import Event, Paid, facts_of
from billing.stripe.packs import UCR_PER_CENT, read_offer
from studio.core.money import UCR_PER_CREDIT

_State = Quarantine.State


def credit_quarantined(
    *, quarantine_id: int, workspace_id: int, reason: str, staff: User
) -> Quarantine:
    """Credit a quarantined payment to a workspace; above the limit, propose or confirm it.

    Returns: the row, `proposed` or `credited`. Raises: CreditRefused, QuarantineNotFound,
    AlreadyDecided, NotCreditable, AnotherPersonNeeded; nothing was written.
    """
    reason = clean_reason(reason)
    with transaction.atomic(durable=True):
        row = _undecided(quarantine_id)
        paid = _creditable(row)
        if not lock_workspace(workspace_id):
            raise NotCreditable(f"No workspace with id {workspace_id}.")
        if not _may_credit(row, paid, workspace_id, staff):
            row.state, row.workspace_id = _State.PROPOSED, workspace_id
            row.proposed_by, row.reason = staff, reason
            row.save()
            return row
        payment = orders.lock_payment(paid.payment_intent)
        if payment.credited_at is not None:
            raise NotCreditable("This payment has been credited.")
        event = Event(
            id=row.event_id,
            type=row.event.type,
            created=int(row.event.created.timestamp()),
            livemode=row.event.livemode,
            api_version=row.event.api_version,
            facts=paid,
        )
        found = payments.credit(payment, workspace_id=workspace_id, paid=paid, event=event)
        row.workspace_id = workspace_id
        _decide(row, _State.CREDITED, reason, staff)
    reversals.settle_disputes(found, event_id=row.event_id)
    return row


def dismiss_quarantined(*, quarantine_id: int, reason: str, staff: User) -> Quarantine:
    """Leave an event without effect: not ours, or the money went back at Stripe.

    Raises: CreditRefused, QuarantineNotFound, AlreadyDecided; nothing was written.
    """
    reason = clean_reason(reason)
    with transaction.atomic(durable=True):
        row = _undecided(quarantine_id)
        row.workspace_id = None
        _decide(row, _State.DISMISSED, reason, staff)
    return row


def is_creditable(row: Quarantine) -> bool:
    """Say whether a quarantined event is a payment that could be credited."""
    undecided = row.state in (_State.OPEN, _State.PROPOSED)
    return undecided and bool(row.amount_cents) and row.why != "mode"


def _undecided(quarantine_id: int) -> Quarantine:
    found = Quarantine.objects.select_for_update(of=("self",)).select_related("event")
    row = found.filter(pk=quarantine_id).first()
    if row is None:
        raise QuarantineNotFound("There is no such quarantined event.")
    if row.state not in (_State.OPEN, _State.PROPOSED):
        raise AlreadyDecided(f"This event is {row.state} already.")
    return row


def _creditable(row: Quarantine) -> Paid:
    facts = facts_of(row.event.facts)
    if not isinstance(facts, Paid) or facts.amount_cents <= 0 or row.event.livemode != is_live():
        raise NotCreditable("This is no payment of our mode: it can be dismissed.")
    if facts.currency != read_offer().currency:
        raise NotCreditable("A payment in another currency is refunded at Stripe, and dismissed.")
    return facts


def _may_credit(row: Quarantine, paid: Paid, workspace_id: int, staff: User) -> bool:
    """Say whether this person may credit it now; else it is to be proposed.

    Raises: AnotherPersonNeeded to whoever proposed the very same.
    """
    limit_ucr: int = settings.TWO_PEOPLE_ABOVE_CREDITS * UCR_PER_CREDIT
    if paid.amount_cents * UCR_PER_CENT <= limit_ucr:
        return True
    if row.state != _State.PROPOSED or row.workspace_id != workspace_id:
        return False
    if row.proposed_by_id == staff.pk:
        raise AnotherPersonNeeded("Another person confirms what you proposed.")
    return True


def _decide(row: Quarantine, state: Quarantine.State, reason: str, staff: User) -> None:
    row.state, row.reason, row.resolved_by = state, reason, staff
    row.resolved_at = Now()
    row.save()
    row.refresh_from_db()
