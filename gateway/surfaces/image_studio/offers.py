"""Which models of Image Studio a caller can have made a picture by now, and for how much."""

from collections.abc import Iterable

import msgspec

from billing.pricing_items import AUTO, ItemNotPriced, MediaPrice
from gateway.catalogue.errors import UnknownKind, WrongOperation
from gateway.catalogue.snapshot import Route
from gateway.imaging.choosing import Offer
from gateway.imaging.models import ImageModel
from gateway.jobs import fitness
from gateway.operations.image import ImageRequest
from gateway.operations.media import MediaUse
from gateway.runtime import Runtime
from gateway.user_keys import UserKeys
from studio.accounts.callers import Caller


class Market(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, by which keys and in which channel."""

    runtime: Runtime
    caller: Caller
    user_keys: UserKeys
    channel: str


def offers(market: Market, models: Iterable[ImageModel], *, size: str = AUTO) -> list[Offer]:
    """Give what can be called now, as listed.

    By users' own keys alone where there are such; no double beside a real provider.
    """
    known = list(models)
    own = [model for model in known if market.user_keys.get(model.provider)]
    found = [
        (offer, doubled) for model in own or known for offer, doubled in _offer(market, model, size)
    ]
    real = [offer for offer, doubled in found if not doubled]
    return real or [offer for offer, _ in found]


def route_of(market: Market, model: ImageModel) -> Route | None:
    """Give where the catalogue leads a model to today; None if it has none."""
    try:
        found = market.runtime.catalogue.resolve_model(
            model.key, channel=market.channel, operation="image"
        )
    except (UnknownKind, WrongOperation):
        return None
    return found.routes[0]


def picture_price_ucr(market: Market, price: MediaPrice | None, *, size: str = AUTO) -> int | None:
    """Give what one picture costs this caller; None where it has no price."""
    if price is None:
        return None
    try:
        return price.charge_ucr(
            MediaUse(item_count=1, size=size, quality=AUTO), market.caller.markup_bp
        )
    except ItemNotPriced:
        return None


def lacking(market: Market, model: ImageModel, request: ImageRequest) -> str | None:
    """Name what a model that can be called does not take of a request; None if it takes all."""
    route = route_of(market, model)
    if route is None:
        return "model"
    return fitness.lacking(market.runtime, route, request, user_keys=market.user_keys)


def _may_use(caller: Caller, model: ImageModel, route: Route) -> bool:
    return caller.models is None or not {model.key, route.model}.isdisjoint(caller.models)


def _offer(market: Market, model: ImageModel, size: str) -> list[tuple[Offer, bool]]:
    """Give a model's offer, and whether it is our double's; nothing if it cannot be called."""
    runtime, route = market.runtime, route_of(market, model)
    if route is None or not _may_use(market.caller, model, route):
        return []
    key = market.user_keys.get(route.provider)
    price = runtime.world.book.media("image", route.provider, route.model)
    price_ucr = 0 if key else picture_price_ucr(market, price, size=size)
    if price_ucr is None or not (key or runtime.can_call(route)):
        return []
    upstreams = runtime.upstreams
    upstream = upstreams.of_user(route.provider, key) if key else upstreams.get(route.provider)
    resting = runtime.breaker.circuit(upstream).wait_s(route.model) > 0
    return [(Offer(model=model, price_ucr=price_ucr, resting=resting), upstream.sandbox)]
