"""POST /api/image-studio/estimate-cost: what a picture, or work on one, will be charged.

The same catalogue, prices and markup answer that will charge it. What a prompt's enhancement costs
is not known before; it is charged apart.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from gateway.catalogue.snapshot import Route
from gateway.errors import NoPrice, UserKeyNeeded
from gateway.imaging.choosing import Wish
from gateway.imaging.models import PROVIDERS, shown_name
from gateway.imaging.shapes import LEAST_SIDE_PX, MOST_SIDE_PX, ShapeWish, sides_of
from gateway.jobs.asked import asked_use
from gateway.jobs.quoting import quote_job
from gateway.operations.image import MOST_IMAGES, ImageRequest
from gateway.operations.json_body import read_body
from gateway.operations.media import MediaUse
from gateway.surfaces.asking import credit_number
from gateway.surfaces.chat import check_media_type
from gateway.surfaces.door import Answer, Request
from gateway.surfaces.entry import read_channel
from gateway.surfaces.image_studio.creation import (
    AUTO,
    check_provider,
    choose,
    named_model,
)
from gateway.surfaces.image_studio.entry import image_entered
from gateway.surfaces.image_studio.offers import Market
from gateway.surfaces.jobs.making import Wanted, job_task
from studio.core.errors import InvalidRequest

_BODY_LIMIT_BYTES = 16 * 1024
_GENERATE = "generate"
_FAMILIES = {"edit": "edit.", "upscale": "upscale.", "control": "control.", "social": "fit."}
"""Words for several operations, and how the kinds of these begin."""
_OURS = "studio"

_Name = Annotated[str, Meta(min_length=1, max_length=256)]
_Side = Annotated[int, Meta(ge=LEAST_SIDE_PX, le=MOST_SIDE_PX)]


class _Asked(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What callers send. `operation` is a word of `_FAMILIES`, or one operation of them."""

    provider: _Name
    model: _Name | None = None
    operation: _Name | None = None
    num_images: Annotated[int, Meta(ge=1, le=MOST_IMAGES)] | None = None
    width: _Side | None = None
    height: _Side | None = None


class _Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What would be charged, in µcr, and by which provider's model."""

    provider: str
    model: str
    charge_ucr: int


_ASKED = msgspec.json.Decoder(_Asked)


async def estimate_cost(request: Request) -> Answer:
    """Say what it would be charged; nothing is held, charged or sent."""
    async with image_entered(request, "image") as admitted:
        check_media_type(request)
        body = await request.read_body(_BODY_LIMIT_BYTES)
        asked = read_body(_ASKED, body)
        market = Market(
            runtime=request.runtime,
            caller=admitted.caller,
            user_keys=request.user_keys,
            channel=read_channel(request, admitted.caller),
        )
        operation = asked.operation or _GENERATE
        if operation == _GENERATE:
            found = _generation(request, market, asked, body)
        else:
            found = _work(market, asked, operation)
        return Answer(body=msgspec.json.encode(_body(asked, operation, found)))


def _body(asked: _Asked, operation: str, found: _Estimate) -> dict[str, Any]:
    shown = {
        "estimated_cost": credit_number(found.charge_ucr),
        "currency": "credits",
        "provider": found.provider,
        "model": found.model,
        "operation": operation,
        "num_images": asked.num_images or 1,
    }
    if operation == _GENERATE:
        shown["excludes"] = ["prompt_enhancement"]
    return shown


def _generation(request: Request, market: Market, asked: _Asked, body: bytes) -> _Estimate:
    """Quote pictures as `create` does, and price what its first model would make."""
    check_provider(asked.provider)
    width, height = sides_of(ShapeWish(width=asked.width, height=asked.height))
    pictures = ImageRequest(
        prompt="a picture",
        count=asked.num_images or 1,
        width=width,
        height=height,
        exact_size=True,
        size=f"{width}x{height}",
        quality=AUTO,
        output_format="png",
    )
    if asked.model is not None:
        names: tuple[str, ...] = (named_model(asked.provider, asked.model, market),)
    else:
        wish = Wish(width=width, height=height)
        found = choose(wish, asked.provider, market, pictures)
        names = tuple(one.model.key for one in found)
    wanted = Wanted(request=pictures, kind=None, model=None, models=names, parameters={})
    quote = quote_job(
        request.runtime, job_task(request, market.caller, wanted, body), wanted.request
    )
    first = quote.routes[0]
    price = request.runtime.world.book.media("image", first.provider, first.model)
    charge_ucr = 0
    if quote.billing == "credits" and price is not None:
        use = asked_use(wanted.request, quote.item_count)
        charge_ucr = price.charge_ucr(use, quote.markup_bp)
    return _Estimate(
        provider=first.provider,
        model=shown_name(first.provider, first.model),
        charge_ucr=charge_ucr,
    )


def _work(market: Market, asked: _Asked, operation: str) -> _Estimate:
    """Price work on a picture; of several operations that are meant, the dearest."""
    found = [_priced(market, asked, route) for route in _routes(market, asked, operation)]
    return max(found, key=lambda one: one.charge_ucr)


def _routes(market: Market, asked: _Asked, operation: str) -> list[Route]:
    """Give the models that may be meant. Raises: InvalidRequest, naming what there is."""
    catalogue = market.runtime.catalogue
    kinds = catalogue.channels[catalogue.channel(market.channel)].kinds
    beginnings = tuple(_FAMILIES.values())
    known = {name: found for name, found in kinds.items() if name.startswith(beginnings)}
    meant = [found.routes[0] for name, found in known.items() if operation in _words_for(name)]
    if not meant:
        words = ", ".join((_GENERATE, *_FAMILIES, *known))
        raise _refused("operation", f"one of {words}")
    if asked.provider not in (AUTO, _OURS, *PROVIDERS):
        raise _refused("provider", f"one of {', '.join((AUTO, *PROVIDERS, _OURS))}")
    left = [route for route in meant if asked.provider in (AUTO, route.provider)]
    if not left:
        offered = ", ".join(sorted({route.provider for route in meant}))
        raise _refused("provider", f"{operation} is done by {offered}")
    return _named(left, asked.model)


def _words_for(kind: str) -> tuple[str, ...]:
    """Give the words that mean a kind: all of its family, its name, its last part."""
    families = [word for word, beginning in _FAMILIES.items() if kind.startswith(beginning)]
    return (*families, kind, kind.partition(".")[2])


def _named(routes: list[Route], model: str | None) -> list[Route]:
    found = [
        route for route in routes if model in (None, route.model, f"{route.provider}:{route.model}")
    ]
    if not found:
        raise _refused("model", f"one of {', '.join(route.model for route in routes)}")
    return found


def _priced(market: Market, asked: _Asked, route: Route) -> _Estimate:
    """Price one model's work. Raises: NoPrice, UserKeyNeeded."""
    caller = market.caller
    if route.provider != _OURS and market.user_keys.get(route.provider):
        return _Estimate(provider=route.provider, model=route.model, charge_ucr=0)
    price = market.runtime.world.book.media(route.operation, route.provider, route.model)
    if price is None:
        raise NoPrice(f'Model "{route.model}" has no price and cannot be called.')
    use = MediaUse(item_count=asked.num_images or 1)
    charge_ucr = price.charge_ucr(use, caller.markup_bp)
    if caller.tier == "byok" and charge_ucr:
        raise UserKeyNeeded("Workspaces on the tier byok bring their own provider key.")
    return _Estimate(provider=route.provider, model=route.model, charge_ucr=charge_ucr)


def _refused(field: str, why: str) -> InvalidRequest:
    return InvalidRequest(f"{field}: {why}.", details={"param": field})
