"""The studio surface's payments behind the Django door: checkout, portal, auto-recharge, Stripe's
webhook.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import OperationalError, connection
from django.http import HttpResponse
from psycopg_pool import PoolTimeout

from billing.stripe import checkout, recharge
from billing.stripe.errors import EventRefused, OrderRefused, PaymentsOff
from billing.stripe.events import Event, read_webhook
from billing.stripe.intake import take_event
from billing.stripe.packs import read_offer
from gateway.admission import require_scope
from gateway.surfaces.middleware import ApiRequest, json_response
from studio.accounts.scopes import BILLING
from studio.core.errors import BodyTooLarge, InvalidRequest, MethodNotAllowed, Unavailable
from studio.core.money import MAX_UCR, UCR_PER_CREDIT, credits_text

_Done = TypeVar("_Done")
_LONGEST_BODY = 16 * 1024
_LONGEST_EVENT = 512 * 1024
_LONGEST_URL = 2000
_LONGEST_KEY = 255
_STRIPE_THREADS = ThreadPoolExecutor(max_workers=4, thread_name_prefix="stripe")
"""Threads that wait for Stripe: apart from all others, which must not wait for it."""
_EVENT_THREADS = ThreadPoolExecutor(max_workers=4, thread_name_prefix="stripe-events")


class _Checkout(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    success_url: str
    cancel_url: str
    pack: str = ""
    amount: Decimal | None = None
    save_card: bool = False


class _Portal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    return_url: str


class _Recharge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    enabled: bool
    threshold: Decimal
    amount: Decimal
    monthly_cap: Decimal


async def open_checkout(request: ApiRequest) -> HttpResponse:
    """Order credit: answer with Stripe's page to pay it. GET lists what may be bought."""
    workspace_id = _billing(request, "GET", "POST")
    if request.method != "POST":
        return json_response(_offer())
    wanted = _body(request, _Checkout)
    purchase = checkout.Purchase(
        workspace_id=workspace_id,
        pack=wanted.pack,
        amount_cents=_asked_cents(wanted),
        save_card=wanted.save_card,
        success_url=_page(wanted.success_url),
        cancel_url=_page(wanted.cancel_url),
        key=_key(request),
    )
    page = await _in_thread(lambda: checkout.open_checkout(purchase))
    expires = page.expires_at.isoformat() if page.expires_at else None
    return json_response(
        {
            "id": page.order_id,
            "url": page.url,
            "amount": _dollars(page.amount_cents),
            "currency": page.currency,
            "credits": page.amount_cents * 10,
            "expires_at": expires,
        }
    )


async def open_portal(request: ApiRequest) -> HttpResponse:
    """Answer with Stripe's page for cards, receipts and invoices."""
    workspace_id = _billing(request, "POST")
    return_url = _page(_body(request, _Portal).return_url)
    url = await _in_thread(
        lambda: checkout.open_portal(workspace_id=workspace_id, return_url=return_url)
    )
    return json_response({"url": url})


async def auto_recharge(request: ApiRequest) -> HttpResponse:
    """Tell or set when the saved card is charged."""
    workspace_id = _billing(request, "GET", "PUT")
    if request.method == "PUT":
        wanted = _body(request, _Recharge)
        chosen = recharge.RechargeSettings(
            enabled=wanted.enabled,
            threshold_ucr=_ucr(wanted.threshold),
            amount_cents=_cents(wanted.amount),
            monthly_cap_cents=_cents(wanted.monthly_cap),
        )
        await _in_thread(lambda: recharge.set_recharge(workspace_id=workspace_id, wanted=chosen))
    state = await _in_thread(lambda: recharge.read_recharge(workspace_id))
    return json_response(_shown(state))


async def stripe_webhook(request: ApiRequest) -> HttpResponse:
    """Take one event of Stripe's, once. 400 without its signature; 503 asks to send it again."""
    _only(request, "POST")
    if not settings.STRIPE_SECRET_KEY:
        raise PaymentsOff("Payments are off: this installation has no Stripe secret key.")
    event = read_webhook(
        _raw(request, _LONGEST_EVENT),
        request.headers.get("stripe-signature", ""),
        secret=settings.STRIPE_WEBHOOK_SECRET,
    )
    taken = await _in_thread(lambda: _take(event), threads=_EVENT_THREADS)
    if taken == "wrong_mode":
        raise EventRefused("This event is of the other mode, live or test.")
    return json_response({"received": taken})


def _take(event: Event) -> str:
    try:
        return take_event(event)
    except (OperationalError, PoolTimeout) as error:
        raise Unavailable("Try again in a moment.", headers={"Retry-After": "5"}) from error


async def _in_thread(
    work: Callable[[], _Done], threads: ThreadPoolExecutor = _STRIPE_THREADS
) -> _Done:
    def run() -> _Done:
        try:
            return work()
        finally:
            connection.close()  # back to the pool: nothing else returns it from this thread

    return await sync_to_async(run, thread_sensitive=False, executor=threads)()


def _billing(request: ApiRequest, *methods: str) -> int:
    """Check method and scope. Returns: the caller's workspace."""
    _only(request, *methods)
    assert request.admitted is not None, "the door admits every caller of a path that is not public"
    caller = request.admitted.caller
    require_scope(caller, BILLING)
    return caller.workspace_id


def _only(request: ApiRequest, *methods: str) -> None:
    if request.method not in methods:
        allowed = ", ".join(methods)
        raise MethodNotAllowed(f"Use {allowed} here.", headers={"Allow": allowed})


def _raw(request: ApiRequest, limit_bytes: int) -> bytes:
    body: bytes = request.body
    if len(body) > limit_bytes:
        raise BodyTooLarge("The request body is too large.")
    return body


def _body(request: ApiRequest, kind: type[_Done]) -> _Done:
    try:
        return msgspec.json.decode(_raw(request, _LONGEST_BODY), type=kind, strict=True)
    except msgspec.DecodeError as error:
        raise InvalidRequest(f"The body does not fit: {error}") from error


def _key(request: ApiRequest) -> str:
    key = request.headers.get("idempotency-key", "")
    if len(key) > _LONGEST_KEY or not key.isprintable():
        raise InvalidRequest("An Idempotency-Key is at most 255 printable characters.")
    return key


def _page(url: str) -> str:
    """Check an address that Stripe sends the payer back to: ours to pass on, theirs to open."""
    parts = urlsplit(url) if len(url) <= _LONGEST_URL and url.isprintable() else urlsplit("")
    local = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost")
    if not parts.hostname or not (parts.scheme == "https" or local):
        raise InvalidRequest("A page's address is an https URL of at most 2000 characters.")
    return url


def _asked_cents(wanted: _Checkout) -> int:
    if bool(wanted.pack) == (wanted.amount is not None):
        raise OrderRefused("Name either a pack or an amount.")
    return 0 if wanted.amount is None else _cents(wanted.amount)


def _cents(dollars: Decimal) -> int:
    """Read dollars with at most two decimal places. Raises: OrderRefused."""
    if not dollars.is_finite() or abs(dollars) > 10**9 or dollars * 100 % 1:
        raise OrderRefused("An amount is in dollars, with at most two decimal places.")
    return int(dollars * 100)


def _ucr(credits: Decimal) -> int:
    if not credits.is_finite() or abs(credits) > MAX_UCR // UCR_PER_CREDIT:
        raise InvalidRequest("A threshold is an amount of credits.")
    if credits * UCR_PER_CREDIT % 1:
        raise InvalidRequest("Credits have at most 6 decimal places.")
    return int(credits * UCR_PER_CREDIT)


def _dollars(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def _offer() -> dict[str, object]:
    offer = read_offer()
    packs = [
        {
            "slug": pack.slug,
            "name": pack.name,
            "amount": _dollars(pack.amount_cents),
            "credits": pack.amount_cents * 10,
        }
        for pack in offer.pack
    ]
    free = {"min": _dollars(offer.free.min_cents), "max": _dollars(offer.free.max_cents)}
    return {"currency": offer.currency, "packs": packs, "amount": free}


def _shown(state: recharge.RechargeState) -> dict[str, object]:
    wish = state.settings
    return {
        "enabled": bool(wish and wish.enabled),
        "threshold": wish and msgspec.Raw(credits_text(wish.threshold_ucr).encode()),
        "amount": wish and _dollars(wish.amount_cents),
        "monthly_cap": wish and _dollars(wish.monthly_cap_cents),
        "spent_this_month": _dollars(state.spent_this_month_cents),
        "has_card": state.has_card,
        "stopped_because": state.stopped_because or None,
    }
