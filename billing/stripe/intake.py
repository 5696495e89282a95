"""One event, once. Every webhook and every back-fill comes through here.

An event's row is its lock and its memory: once `done`, it never does anything again. What moves no
money through another service is one transaction with that row; disputes, which are a service of
their own, follow it, and the row is done after them. So a process that dies in between leaves an
event that the next delivery, or the back-fill, finishes.
"""

import datetime as dt
from typing import Literal

import msgspec
from django.db import transaction

from billing.models.payments import StripeEvent
from billing.stripe import orders, payments, quarantine, reversals
from billing.stripe.client import is_live
from billing.stripe.events import (
    CardChosen,
    CardGone,
    Disputed,
    Event,
    Invoiced,
    OrderEnded,
    Paid,
    Receipt,
    Refunded,
    Unreadable,
    facts_of,
)

Taken = Literal["done", "repeated", "ignored", "wrong_mode"]


def take_event(event: Event, *, by_back_fill: bool = False) -> Taken:
    """Do what an event of Stripe's asks for, once, whoever brings it and however often.

    Returns: `done` (also into the quarantine), `repeated`, `ignored` (nothing of ours), or
    `wrong_mode`: shown to staff, and nothing else.
    """
    if event.facts is None:
        return "ignored"
    with transaction.atomic(durable=True):
        row = _locked(event, by_back_fill=by_back_fill)
        if row.done:
            return "repeated" if event.livemode == is_live() else "wrong_mode"
        disputes = _apply(event)
        if not disputes:
            row.done = True
            row.save(update_fields=["done"])
    if disputes:
        reversals.settle_disputes(disputes, event_id=event.id)
        StripeEvent.objects.filter(pk=event.id).update(done=True)
    return "done" if event.livemode == is_live() else "wrong_mode"


def finish_open_events(*, older_than_s: int) -> int:
    """Finish events that a process left when it died. Returns: how many."""
    before = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=older_than_s)
    left = list(StripeEvent.objects.filter(done=False, received_at__lt=before))
    for row in left:
        event = Event(
            id=row.event_id,
            type=row.type,
            created=int(row.created.timestamp()),
            livemode=row.livemode,
            api_version=row.api_version,
            facts=facts_of(row.facts),
        )
        take_event(event)
    return len(left)


def _locked(event: Event, *, by_back_fill: bool) -> StripeEvent:
    """Make the event's row unless there is one, and lock it."""
    row = StripeEvent(
        event_id=event.id,
        type=event.type,
        livemode=event.livemode,
        created=dt.datetime.fromtimestamp(event.created, dt.UTC),
        api_version=event.api_version,
        facts=msgspec.to_builtins(event.facts),
        by_back_fill=by_back_fill,
    )
    StripeEvent.objects.bulk_create([row], ignore_conflicts=True)
    return StripeEvent.objects.select_for_update().get(pk=event.id)


def _apply(event: Event) -> list[str]:
    """Do what the facts say. Returns: disputes to settle in transactions of their own."""
    if event.livemode != is_live():
        mode = "live" if event.livemode else "test"
        quarantine.put(event, why="mode", detail=f"An event of {mode} mode, which our key is not.")
        return []
    match event.facts:
        case Paid() as paid:
            return payments.take_payment(event, paid)
        case Refunded() as refunded:
            reversals.take_refund(event, refunded)
        case Disputed() as disputed:
            return reversals.take_dispute(event, disputed)
        case Unreadable(fault=fault):
            quarantine.put(event, why="unreadable", detail=fault)
        case other:
            _note(event, other)
    return []


def _note(event: Event, facts: object) -> None:
    """Keep what moves no money."""
    match facts:
        case Receipt() as receipt:
            payments.keep_receipt(receipt)
        case Invoiced() as invoiced:
            payments.keep_invoice(invoiced)
        case OrderEnded() as ended:
            orders.end_order(ended)
        case CardChosen() as chosen:
            orders.choose_card(
                customer_id=chosen.customer, payment_method_id=chosen.payment_method, at=_at(event)
            )
        case CardGone() as gone:
            orders.forget_card(gone.payment_method)
        case _:
            raise AssertionError(f"facts that nothing is done with: {facts!r}")


def _at(event: Event) -> dt.datetime:
    return dt.datetime.fromtimestamp(event.created, dt.UTC)
