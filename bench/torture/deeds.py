"""What `hands.py` does, by the words of its lines. Imported when Django is set up."""

from uuid import UUID

from django.contrib.auth.models import User

from billing import money_requests, outbox
from gateway import corrections, resolver

_AMOUNT_UCR = 1_000_000
_WEBHOOK_SECRET = "whsec_" + "A" * 32


def resolve() -> int:
    """Settle calls whose process died. Returns: how many."""
    return resolver.resolve_dead_calls()


def grant(workspace_id: str, key: str) -> str:
    """Ask for one credit, which is granted at once. Returns: what became of the request."""
    outcome = money_requests.grant_credit(
        workspace_id=int(workspace_id),
        amount_ucr=_AMOUNT_UCR,
        reason="torture",
        staff=_somebody(),
        key=key,
    )
    return "repeated" if outcome.repeated else outcome.state


def refund(workspace_id: str, call_id: str, key: str) -> str:
    """Pay back one micro-credit of a call. Returns: what became of the request."""
    outcome = money_requests.refund_call(
        workspace_id=int(workspace_id),
        call_id=UUID(call_id),
        amount_ucr=1,
        reason="torture",
        staff=_somebody(),
        key=key,
    )
    return "repeated" if outcome.repeated else outcome.state


def enqueue(workspace_id: str, url: str) -> UUID:
    """Write a webhook to the outbox. Returns: its id."""
    event = outbox.Event(type="torture", subject="", text="", data={})
    return outbox.enqueue_webhook(
        workspace_id=int(workspace_id), url=url, secret=_WEBHOOK_SECRET, event=event
    )


def send() -> int:
    """Send what is due in the outbox. Returns: how many were tried."""
    return outbox.send_due()


def correct() -> int:
    """Write refunds to usage. Returns: how many."""
    return corrections.write_corrections()


def _somebody() -> User:
    return User.objects.get_or_create(username="hands", is_staff=True)[0]
