"""GET /api/image-studio/providers: what can be called now, and for how much, from the live
catalogue and price book.
"""

from collections.abc import Collection
from typing import Any

import msgspec
from django.http import QueryDict

from gateway.imaging.models import MODELS, PROVIDERS, ImageProvider
from gateway.runtime import Runtime
from gateway.surfaces.asking import check_query
from gateway.surfaces.door import Answer, Request
from gateway.surfaces.entry import read_channel
from gateway.surfaces.image_studio.entry import image_entered
from gateway.surfaces.image_studio.offers import Market, offers
from studio.core.money import credits_text

_CAPABILITIES = {
    "image": "generation",
    "image_edit": "editing",
    "image_upscale": "upscaling",
    "image_control": "control",
}
_WHOLE = ".0"


async def providers(request: Request) -> Answer:
    """Say which providers there are: their models, what they do, and what a picture costs you."""
    async with image_entered(request, "image") as admitted:
        check_query(QueryDict(request.query), ())
        market = Market(
            runtime=request.runtime,
            caller=admitted.caller,
            user_keys=request.user_keys,
            channel=read_channel(request, admitted.caller),
        )
        found = {slug: _entry(market, one) for slug, one in PROVIDERS.items()}
        shown = {slug: entry for slug, entry in found.items() if entry is not None}
        return Answer(body=msgspec.json.encode({"providers": shown}))


def _entry(market: Market, provider: ImageProvider) -> dict[str, Any] | None:
    """Write one provider; None if it can do nothing for this caller."""
    runtime, slug = market.runtime, provider.slug
    own = market.user_keys.get(slug) is not None
    offered = offers(market, [model for model in MODELS if model.provider == slug])
    operations = callable_operations(runtime, slug, by_user_key=own, models=market.caller.models)
    if not offered and not operations:
        return None
    prices = [offer.price_ucr for offer in offered]
    return {
        "name": provider.name,
        "models": [offer.model.name for offer in offered],
        "capabilities": [word for name, word in _CAPABILITIES.items() if name in operations],
        "max_resolution": provider.max_resolution,
        "cost_range": _range(prices),
    }


def callable_operations(
    runtime: Runtime, slug: str, *, by_user_key: bool, models: Collection[str] | None
) -> set[str]:
    """Give the operations for which a provider has a model that can be called, in stable.

    By a user's own key what has no price can be called too. `models` are the models and kinds that
    the caller's key may use; None allows any.
    """
    stable = runtime.catalogue.channels["stable"]
    return {
        route.operation
        for name, resolution in (*stable.keys.items(), *stable.kinds.items())
        for route in resolution.routes
        if route.provider == slug
        and (models is None or not {name, route.model}.isdisjoint(models))
        and (by_user_key or runtime.can_call(route))
    }


def _range(prices: list[int]) -> str:
    """Write what pictures cost from the cheapest to the dearest model: `36-96 credits`."""
    if not prices:
        return ""
    least, most = (_text(amount_ucr) for amount_ucr in (min(prices), max(prices)))
    return f"{least} credits" if least == most else f"{least}-{most} credits"


def _text(amount_ucr: int) -> str:
    return credits_text(amount_ucr).removesuffix(_WHOLE)
