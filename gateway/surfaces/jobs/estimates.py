"""What a job would cost, from the very body that would make it: images and music."""

from typing import Any

import msgspec

from billing.pricing_items import MediaPrice
from gateway.jobs.asked import asked_use
from gateway.jobs.quoting import JobQuote, quote_job
from gateway.operations.json_body import read_body
from gateway.purse import read_purse
from gateway.surfaces.asking import credit_number
from gateway.surfaces.door import Request
from gateway.surfaces.image_form import read_images
from gateway.surfaces.jobs.making import Wanted, job_task
from gateway.surfaces.studio.images import IMAGES
from gateway.surfaces.studio.music import MUSIC
from studio.accounts.callers import Caller
from studio.core.money import UCR_PER_CREDIT


class Hints(msgspec.Struct):
    """The fields that tell which endpoint a body is for."""

    kind: object = None
    duration: object = None
    width: object = None
    height: object = None
    num_outputs: object = None
    wait: object = None


_HINTS = msgspec.json.Decoder(Hints)


async def estimate_job(request: Request, caller: Caller, body: bytes) -> dict[str, Any]:
    """Give what the job of a body would hold and likely cost; nothing is held, charged or sent.

    Raises: InvalidRequest, and what `quote_job` raises.
    """
    wanted = _wanted(request, caller, body)
    asked = wanted.request
    task = job_task(request, caller, wanted, body)
    quote = quote_job(request.runtime, task, asked)
    paid = quote.billing == "credits"
    purse = await read_purse(request.runtime, caller, app_id=task.app_id, paid=paid)
    first = quote.routes[0]
    price = request.runtime.world.book.media(asked.operation, first.provider, first.model)
    return {
        "model": first.model,
        "provider": first.provider,
        "kind": quote.resolution.kind,
        "channel": quote.resolution.channel,
        "tier": caller.tier,
        "billing": quote.billing,
        "markup_percent": credit_number(quote.markup_bp * UCR_PER_CREDIT // 100),
        "currency": "credits",
        "ceiling": credit_number(quote.hold_ucr),
        "likely": credit_number(_likely_ucr(quote, price, wanted)),
        "items": quote.item_count,
        "price": _price(quote, price, wanted),
        "affordable": purse.open and quote.hold_ucr <= purse.available_ucr,
        "available": credit_number(purse.available_ucr),
    }


def _wanted(request: Request, caller: Caller, body: bytes) -> Wanted:
    """Read a body as the endpoint it was written for would."""
    hints = read_body(_HINTS, body)
    kind = hints.kind if isinstance(hints.kind, str) else ""
    if hints.duration is not None or kind.startswith("music."):
        return read_body(MUSIC, body).wanted()
    own = (hints.width, hints.height, hints.num_outputs, hints.wait)
    if any(value is not None for value in own):
        return read_body(IMAGES, body).wanted()
    return read_images(request, caller, body, default_model=None).wanted


def _likely_ucr(quote: JobQuote, price: MediaPrice | None, wanted: Wanted) -> int:
    """Give what the first route charges; the ceiling covers the dearest."""
    if quote.billing != "credits" or price is None:
        return 0
    return price.charge_ucr(asked_use(wanted.request, quote.item_count), quote.markup_bp)


def _price(quote: JobQuote, price: MediaPrice | None, wanted: Wanted) -> dict[str, Any] | None:
    if quote.billing != "credits" or price is None:
        return None
    by_meter = price.list_ucr_by_meter(asked_use(wanted.request, quote.item_count))
    shown = {meter: credit_number(amount_ucr) for meter, amount_ucr in by_meter.items()}
    return {**shown, "price_version": quote.price_version}
