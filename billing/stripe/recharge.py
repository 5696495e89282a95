"""A saved card is charged when the credit falls below a threshold, up to a cap a month.

The order is written first and is the only open recharge of its workspace, by a constraint; its
payment intent carries an idempotency key made from it. When nobody knows whether the card was
charged, the same order is asked for again: never a second one. Before Stripe forgets the key, its
list of the customer's payments says what became of it.
"""

import datetime as dt
import logging
import zoneinfo
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import stripe
from django.db import connection, transaction
from django.db.models import Sum

from billing.errors import CreditRefused
from billing.models.ledger import Wallet
from billing.models.payments import AutoRecharge, PaymentOrder, StripeCustomer
from billing.queries import read_balance
from billing.services import lock_workspace
from billing.stripe.client import is_live, stripe_client, translated
from billing.stripe.errors import NoSavedCard, PaymentProviderAway, PaymentProviderRefused
from billing.stripe.events import ORDER, Event, OrderEnded, paid_by_intent
from billing.stripe.intake import take_event
from billing.stripe.orders import end_order, stop_recharge
from billing.stripe.packs import read_offer
from studio.accounts.models import Workspace
from studio.core.ids import new_id

logger = logging.getLogger(__name__)

_KEY_KEPT = dt.timedelta(hours=23)
"""Source: docs.stripe.com/api/idempotent_requests, at second hand: keys are kept 24 h or more."""
_CLOCKS_DIFFER = dt.timedelta(hours=1)
_LOCK = 4_733_201
"""Of the database: recharges of one worker at a time."""
_LONGEST_FAILURE = 100
_State = PaymentOrder.State


class RechargeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """When to recharge, by how much, and how much at most in a calendar month of the workspace."""

    enabled: bool
    threshold_ucr: int
    amount_cents: int
    monthly_cap_cents: int


class RechargeState(msgspec.Struct, frozen=True, kw_only=True):
    """The wish, and how it stands. `stopped_because` is empty while it runs."""

    settings: RechargeSettings | None
    has_card: bool
    spent_this_month_cents: int
    stopped_because: str


def read_recharge(workspace_id: int) -> RechargeState:
    """Read a workspace's recharge. Raises: PaymentsOff."""
    stripe_client()  # payments may be off
    wish = AutoRecharge.objects.filter(pk=workspace_id).first()
    return RechargeState(
        settings=_settings(wish) if wish else None,
        has_card=_card_of(workspace_id) is not None,
        spent_this_month_cents=_spent_cents(Workspace.objects.get(pk=workspace_id)),
        stopped_because=wish.stopped_because if wish else "",
    )


def set_recharge(*, workspace_id: int, wanted: RechargeSettings) -> None:
    """Set a workspace's recharge, and let it run again if it had stopped.

    Raises: PaymentsOff, OrderRefused, CreditRefused, NoSavedCard; nothing was written.
    """
    stripe_client()  # payments may be off
    read_offer().check_free(wanted.amount_cents)
    if wanted.monthly_cap_cents < wanted.amount_cents or wanted.threshold_ucr < 0:
        raise CreditRefused("The monthly cap is at least one amount, the threshold at least 0.")
    if wanted.enabled and _card_of(workspace_id) is None:
        raise NoSavedCard("There is no saved card: buy once with save_card first.")
    AutoRecharge.objects.update_or_create(
        workspace_id=workspace_id,
        defaults={**msgspec.structs.asdict(wanted), "stopped_because": ""},
    )


def recharge_due() -> int:
    """Charge the cards of all workspaces whose credit is low. Returns: how many were charged."""
    with _alone() as alone:
        return _recharge_all() if alone else 0


@contextmanager
def _alone() -> Iterator[bool]:
    """Keep other workers out for as long as the block lasts. Yields: whether we are the one.

    A lock of the session, since no transaction is open while Stripe is asked.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
        [alone] = cursor.fetchone()
    try:
        yield bool(alone)
    finally:
        if alone:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def _recharge_all() -> int:
    charged = 0
    for order in PaymentOrder.objects.filter(source="recharge", state="open", livemode=is_live()):
        charged += _charge(order)
    running = AutoRecharge.objects.filter(enabled=True, stopped_because="")
    for workspace_id in running.order_by("pk").values_list("pk", flat=True):
        wanted = _order_if_due(workspace_id)
        if wanted is not None:
            charged += _charge(wanted)
    return charged


def _order_if_due(workspace_id: int) -> PaymentOrder | None:
    """Write the order of a recharge that is due. Returns: it, if this call wrote it."""
    with transaction.atomic(durable=True):
        lock_workspace(workspace_id)
        wish = AutoRecharge.objects.get(pk=workspace_id)
        card = _card_of(workspace_id)
        workspace = Workspace.objects.get(pk=workspace_id)
        if not wish.enabled or wish.stopped_because or not _is_low(wish):
            return None
        if _is_frozen(workspace_id) or _is_open(workspace_id):
            return None
        if _spent_cents(workspace) + wish.amount_cents > wish.monthly_cap_cents:
            return None
        if card is None:
            stop_recharge(workspace_id, "no_card")
            return None
        order = PaymentOrder(
            id=new_id(),
            workspace_id=workspace_id,
            source=PaymentOrder.Source.RECHARGE,
            amount_cents=wish.amount_cents,
            currency=read_offer().currency,
            customer_id=card.customer_id,
            livemode=card.livemode,
            payment_method_id=card.payment_method_id,
        )
        order.save(force_insert=True)
    order.refresh_from_db()
    return order


def _charge(order: PaymentOrder) -> bool:
    """Charge an open order's card, or find out what became of it. Returns: whether it is paid."""
    forgotten = order.created_at < dt.datetime.now(dt.UTC) - _KEY_KEPT
    try:
        intent = _find_intent(order) if forgotten else _ask_intent(order)
    except stripe.CardError as error:
        _fail(order, error.code or "card_error")
        return False
    except PaymentProviderAway:
        logger.warning("recharge %s: the payment provider is away; asked again later", order.pk)
        return False
    except PaymentProviderRefused:
        _fail(order, "refused")
        return False
    if intent is None:
        _fail(order, "not_charged")
        return False
    if intent.status == "succeeded":
        _take(intent)
        return True
    if intent.status in ("requires_action", "requires_payment_method", "canceled"):
        _fail(order, intent.status)
    return False


def _ask_intent(order: PaymentOrder) -> stripe.PaymentIntent:
    with translated():
        return stripe_client().v1.payment_intents.create(
            {
                "amount": order.amount_cents,
                "currency": order.currency,
                "customer": order.customer_id,
                "payment_method": order.payment_method_id,
                "off_session": True,
                "confirm": True,
                "description": f"{order.amount_cents * 10} credits",
                "metadata": {ORDER: str(order.pk), "studio_source": "recharge"},
            },
            {"idempotency_key": f"recharge:{order.pk}"},
        )


def _find_intent(order: PaymentOrder) -> stripe.PaymentIntent | None:
    """Look for an order's payment intent in Stripe's list. Returns: None if it was never made."""
    since = order.created_at - _CLOCKS_DIFFER
    with translated():
        listed = stripe_client().v1.payment_intents.list(
            {
                "customer": order.customer_id,
                "created": {"gte": int(since.timestamp())},
                "limit": 100,
            }
        )
        for intent in listed.auto_paging_iter():
            if intent.metadata.to_dict().get(ORDER) == str(order.pk):
                return intent
    return None


def _take(intent: stripe.PaymentIntent) -> None:
    """Credit what the answer says is paid; the event that follows finds it done."""
    take_event(
        Event(
            id=f"answer:{intent.id}",
            type="payment_intent.succeeded",
            created=intent.created,
            livemode=intent.livemode,
            api_version="",
            facts=paid_by_intent(intent.to_dict()),
        )
    )


def _fail(order: PaymentOrder, why: str) -> None:
    """End an order that was not paid, and stop: a card that is refused is not tried again."""
    why = why[:_LONGEST_FAILURE]
    with transaction.atomic(durable=True):
        end_order(OrderEnded(order=str(order.pk), state=_State.FAILED, why=why))


def _is_low(wish: AutoRecharge) -> bool:
    return read_balance(wish.workspace_id).available_ucr < wish.threshold_ucr


def _is_frozen(workspace_id: int) -> bool:
    return Wallet.objects.filter(wallet_id=workspace_id, frozen=True).exists()


def _is_open(workspace_id: int) -> bool:
    return PaymentOrder.objects.filter(
        workspace_id=workspace_id, source="recharge", state=_State.OPEN
    ).exists()


def _card_of(workspace_id: int) -> StripeCustomer | None:
    found = StripeCustomer.objects.filter(workspace_id=workspace_id, livemode=is_live())
    return found.exclude(payment_method_id="").first()


def _spent_cents(workspace: Workspace) -> int:
    """Sum this month's recharges, those included whose outcome is open."""
    now = dt.datetime.now(zoneinfo.ZoneInfo(workspace.time_zone))
    month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    orders = PaymentOrder.objects.filter(
        workspace_id=workspace.pk,
        source="recharge",
        created_at__gte=month,
        state__in=[_State.OPEN, _State.PAID],
        livemode=is_live(),
    )
    return orders.aggregate(sum=Sum("amount_cents"))["sum"] or 0


def _settings(wish: AutoRecharge) -> RechargeSettings:
    return RechargeSettings(
        enabled=wish.enabled,
        threshold_ucr=wish.threshold_ucr,
        amount_cents=wish.amount_cents,
        monthly_cap_cents=wish.monthly_cap_cents,
    )
