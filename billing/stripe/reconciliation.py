"""The back-fill: Stripe's own list of events, read every hour, for what no webhook brought."""

import datetime as dt
import logging

import msgspec
from django.db.models import F

from billing.models.payments import BackFill
from billing.stripe.client import stripe_client, translated
from billing.stripe.events import EVENT_TYPES, read_event
from billing.stripe.intake import finish_open_events, take_event

logger = logging.getLogger(__name__)

_KEPT = dt.timedelta(days=30)
"""Source: `stripe` 16.1.0 for Python, `_event.py`: the list goes back 30 days."""
_OVERLAP = dt.timedelta(hours=2)
"""An event may show in the list a little after its own time."""
_OPEN_FOR_S = 300
_PAGE = 100


def back_fill(*, since: dt.datetime | None = None) -> BackFill:
    """Take every event since the last finished back-fill; what is known already does nothing.

    Raises: PaymentsOff, PaymentProviderAway, PaymentProviderRefused; the next one begins where this
    one did.
    """
    client = stripe_client()
    run = BackFill.objects.create(since=since or _begin())
    finish_open_events(older_than_s=_OPEN_FOR_S)
    with translated():
        listed = client.v1.events.list(
            {
                "created": {"gte": int(run.since.timestamp())},
                "types": list(EVENT_TYPES),
                "limit": _PAGE,
            }
        )
        # Newest first: the order means nothing to us.
        for listed_event in listed.auto_paging_iter():
            event = read_event(msgspec.json.encode(listed_event.to_dict(for_json=True)))
            run.event_count += 1
            run.missed_count += take_event(event, by_back_fill=True) == "done"
    run.finished_at = dt.datetime.now(dt.UTC)
    run.save()
    if run.missed_count:
        logger.warning("back-fill: %d events that no webhook brought", run.missed_count)
    return run


def _begin() -> dt.datetime:
    last = BackFill.objects.filter(finished_at__isnull=False).order_by("-started_at")
    earliest = dt.datetime.now(dt.UTC) - _KEPT
    started = last.values_list(F("started_at"), flat=True).first()
    return earliest if started is None else max(earliest, started - _OVERLAP)
