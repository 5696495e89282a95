"""Events that do not fit what we know: nothing is moved by them until a person decides."""

from billing.models.payments import Quarantine
from billing.stripe.events import Event, Paid


def put(event: Event, *, why: str, detail: str, subject: str = "") -> None:
    """Show an event to staff, once for each thing that is wrong. In the caller's transaction."""
    facts = event.facts
    paid = facts if isinstance(facts, Paid) else None
    Quarantine.objects.bulk_create(
        [
            Quarantine(
                event_id=event.id,
                subject=subject,
                why=why,
                detail=detail,
                payment_intent_id=getattr(facts, "payment_intent", ""),
                amount_cents=paid.amount_cents if paid else None,
                currency=paid.currency if paid else "",
            )
        ],
        ignore_conflicts=True,
    )


def put_later(event_id: str, *, subject: str, why: str, detail: str) -> None:
    """Show to staff what went wrong after an event was taken."""
    Quarantine.objects.bulk_create(
        [Quarantine(event_id=event_id, subject=subject, why=why, detail=detail)],
        ignore_conflicts=True,
    )
