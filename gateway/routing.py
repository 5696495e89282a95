"""From a resolved name to the routes a call may take: adaptor, address, key, price, and order.

Each step leaves some out; what is left out last tells the caller why nothing is left.
"""

import math
import random
from collections.abc import Iterable
from urllib.parse import urlsplit

import msgspec
from django.conf import settings

from billing.pricing import ChatPrice, PriceBookSnapshot, TokenUsage
from gateway.breaker import Breaker, Circuit
from gateway.catalogue.snapshot import Resolution, Route
from gateway.errors import NoPrice, NoProvider, RoutesResting
from gateway.operations.chat import ChatRequest
from gateway.operations.chat_messages import ImagePart
from gateway.providers import find_provider
from gateway.providers.base import ChatProvider, Provider, chats
from gateway.providers.media import works_here
from gateway.transport import Upstream
from gateway.user_keys import UserKeys
from studio.core.errors import InvalidRequest

RESTING = "The providers that could answer this failed lately. Please try again later."
_SANDBOX_KEY = "sandbox"
_EXPLORED = 0.05
"""How often a route other than the fastest goes first, so that its time becomes or stays known."""
_NEWEST_SHARE = 0.2


class PricedRoute(msgspec.Struct, frozen=True, kw_only=True):
    """A route that may be called: it has a provider we can reach, and a price.

    By a user's own key it may have none (`price` None): such a call costs no credits. `provider` is
    the upstream's.
    """

    route: Route
    upstream: Upstream
    provider: ChatProvider
    price: ChatPrice | None
    circuit: Circuit


class Upstreams:
    """The providers as this process may reach them, read once from the settings."""

    def __init__(self) -> None:
        self._known: dict[str, Upstream | None] = {}

    def get(self, slug: str) -> Upstream:
        """Give the provider's adaptor, address and our key.

        Without a key of ours the sandbox stands in, where one is configured. Raises: NoProvider.
        """
        upstream = self.find(slug)
        if upstream is None:
            raise NoProvider(f"No provider is configured for this model ({slug}).")
        return upstream

    def of_user(self, slug: str, key: str) -> Upstream:
        """Give the provider as it is reached by a user's own key: the address is as for ours.

        Raises: NoProvider.
        """
        provider = find_provider(slug)
        if provider is None:
            raise NoProvider(f"No provider is configured for this model ({slug}).")
        ours = self.find(slug)
        base_url = _base_url(provider) if ours is None else ours.base_url
        sandbox = ours is not None and ours.sandbox
        return Upstream(
            provider=provider, base_url=base_url, key=key, sandbox=sandbox, user_key=True
        )

    def reaches(self, slug: str) -> bool:
        """Say whether `get` would find the provider."""
        return self.find(slug) is not None

    def find(self, slug: str) -> Upstream | None:
        """Give what `get` gives; None where that raises."""
        if slug not in self._known:
            self._known[slug] = _configured(slug)
        return self._known[slug]


def _configured(slug: str) -> Upstream | None:
    provider = find_provider(slug)
    if provider is None:
        return None
    if works_here(provider):
        return Upstream(provider=provider, base_url="", key="", sandbox=False)
    key = settings.PROVIDER_KEYS.get(slug, "")
    if key:
        base_url = _base_url(provider)
        sandbox = bool(settings.SANDBOX_URL) and base_url.startswith(settings.SANDBOX_URL)
        return Upstream(provider=provider, base_url=base_url, key=key, sandbox=sandbox)
    if settings.SANDBOX_URL:
        version = urlsplit(provider.default_base_url).path
        base_url = f"{settings.SANDBOX_URL.rstrip('/')}/{slug}{version}"
        return Upstream(provider=provider, base_url=base_url, key=_SANDBOX_KEY, sandbox=True)
    return None


def _base_url(provider: Provider) -> str:
    base_url: str = settings.PROVIDER_BASE_URLS.get(provider.slug, provider.default_base_url)
    return base_url


class KnownRoutes:
    """The routes of every name as our own keys reach them, remembered as long as the price book is.

    A resolution lives as long as its catalogue, and a new catalogue comes with a new book.
    """

    def __init__(self, upstreams: Upstreams, breaker: Breaker) -> None:
        self._upstreams = upstreams
        self._breaker = breaker
        self._book: PriceBookSnapshot | None = None
        self._known: dict[int, tuple[Resolution, list[PricedRoute]]] = {}

    def of(self, resolution: Resolution, book: PriceBookSnapshot) -> list[PricedRoute]:
        """Give what `reached_routes` gives without users' keys; a list that nobody changes.

        Raises: NoProvider, NoPrice.
        """
        if book is not self._book:
            self._book = book
            self._known.clear()
        known = self._known.get(id(resolution))
        if known is None:
            routes = reached_routes(
                resolution,
                upstreams=self._upstreams,
                breaker=self._breaker,
                book=book,
                user_keys=None,
            )
            self._known[id(resolution)] = resolution, routes
            return routes
        return known[1]


def reached_routes(
    resolution: Resolution,
    *,
    upstreams: Upstreams,
    breaker: Breaker,
    book: PriceBookSnapshot,
    user_keys: UserKeys | None,
) -> list[PricedRoute]:
    """Give the routes that have a provider here and a price, as the catalogue lists them.

    Where a user's own key fits, only routes by such keys are given: ours is never used after it,
    and no other provider is. The sandbox never stands in beside a real provider.

    Raises: NoProvider, NoPrice (never free): why the preferred route cannot be called.
    """
    routes = resolution.routes
    if user_keys and any([user_keys.get(route.provider) for route in routes]):
        return _routes_by_user_keys(routes, upstreams, breaker, book, user_keys)
    found: list[PricedRoute] = []
    for route in routes:
        upstream = upstreams.find(route.provider)
        price = book.chat(route.provider, route.model)
        priced = None if upstream is None else _priced(route, upstream, price, breaker)
        if priced is not None and price is not None:
            found.append(priced)
    if not found:
        upstreams.get(routes[0].provider)
        raise NoPrice(f'Model "{routes[0].model}" has no price and cannot be called.')
    return _without_doubles(found)


def _routes_by_user_keys(
    routes: tuple[Route, ...],
    upstreams: Upstreams,
    breaker: Breaker,
    book: PriceBookSnapshot,
    user_keys: UserKeys,
) -> list[PricedRoute]:
    found: list[PricedRoute] = []
    for route in routes:
        key = user_keys.get(route.provider)
        if not key:
            continue
        price = book.chat(route.provider, route.model)
        priced = _priced(route, upstreams.of_user(route.provider, key), price, breaker)
        if priced is not None:
            found.append(priced)
    if not found:
        raise NoProvider(f"No provider is configured for this model ({routes[0].provider}).")
    return _without_doubles(found)


def _priced(
    route: Route, upstream: Upstream, price: ChatPrice | None, breaker: Breaker
) -> PricedRoute | None:
    """Put a route together; None if its provider does not answer chats."""
    provider = upstream.provider
    if not chats(provider):
        return None
    return PricedRoute(
        route=route,
        upstream=upstream,
        provider=provider,
        price=price,
        circuit=breaker.circuit(upstream),
    )


def _without_doubles(routes: list[PricedRoute]) -> list[PricedRoute]:
    if len(routes) == 1:
        return routes
    return [route for route in routes if not route.upstream.sandbox] or routes


def fitting_routes(
    routes: list[PricedRoute], request: ChatRequest, *, plain: bool = False
) -> list[PricedRoute]:
    """Leave out routes that cannot serve what the request asks for; a plain chat suits them all.

    Raises: InvalidRequest naming the field, if none can.
    """
    if plain:
        return routes
    needs = _needs(request)
    field = ""
    found = []
    for route in routes:
        lacking = _lacking(route.route, needs) or route.provider.unsupported(request)
        if lacking is None:
            found.append(route)
        field = field or lacking or ""
    if found:
        return found
    model = routes[0].route.model
    raise InvalidRequest(f"{field}: {model} does not support this.", details={"param": field})


def _needs(request: ChatRequest) -> list[tuple[str, str]]:
    """Name the capabilities a request needs, each with the field that needs it."""
    needs = []
    if request.tools or request.functions:
        needs.append(("tools", "tools" if request.tools else "functions"))
    for message in request.messages:
        content = message.content
        if type(content) is list and any(isinstance(part, ImagePart) for part in content):
            needs.append(("vision", "messages"))
            break
    return needs


def _lacking(route: Route, needs: list[tuple[str, str]]) -> str | None:
    """Name the field of the first need that a model has not; one of which nothing is known may."""
    if not needs or not route.capabilities:
        return None
    return next((field for word, field in needs if word not in route.capabilities), None)


def waking_routes(routes: list[PricedRoute]) -> list[PricedRoute]:
    """Leave out routes whose provider is left alone for now.

    Raises: RoutesResting, if that is all of them.
    """
    if all([route.circuit.is_quiet for route in routes]):
        return routes
    found = [route for route in routes if not route.circuit.wait_s(route.route.model)]
    if not found:
        raise RoutesResting(RESTING, retry_after_s=shortest_wait_s(routes))
    return found


def shortest_wait_s(routes: Iterable[PricedRoute]) -> int:
    """Give after how many whole seconds the first of these may be called; at least 1."""
    return max(1, math.ceil(min(route.circuit.wait_s(route.route.model) for route in routes)))


class RouteOrder:
    """In which order routes are tried, where the catalogue says more than `listed`.

    It keeps how fast each route's first byte came lately, in this process alone.
    """

    def __init__(self, chance: random.Random | None = None) -> None:
        self._chance = chance or random.Random()  # noqa: S311  it picks routes, no secrets
        self._first_byte_s: dict[tuple[str, str, bool], float] = {}

    def arrange(
        self, routes: list[PricedRoute], order: str, *, usage: TokenUsage, streamed: bool
    ) -> list[PricedRoute]:
        """Put the route that is to be tried first at the front; `usage` is what is likely used."""
        if order == "weighted":
            weights = [route.route.weight for route in routes]
            [first] = self._chance.choices(routes, weights)
            return _from(first, routes)
        if order == "cheapest":
            return sorted(routes, key=lambda route: _price_of(route, usage))
        if order == "fastest":
            return self._by_first_byte(routes, streamed=streamed)
        return routes

    def note_first_byte(self, route: Route, seconds: float, *, streamed: bool) -> None:
        """Note how long a route took to its first byte; the newest figure counts for a fifth."""
        key = (route.provider, route.model, streamed)
        known_s = self._first_byte_s.get(key, seconds)
        self._first_byte_s[key] = known_s + _NEWEST_SHARE * (seconds - known_s)

    def _by_first_byte(self, routes: list[PricedRoute], *, streamed: bool) -> list[PricedRoute]:
        """Sort by time; now and then another one than the fastest goes first."""

        def known_s(priced: PricedRoute) -> float:
            route = priced.route
            return self._first_byte_s.get((route.provider, route.model, streamed), math.inf)

        fastest = sorted(routes, key=known_s)
        if len(fastest) > 1 and self._chance.random() < _EXPLORED:
            return _from(self._chance.choice(fastest[1:]), fastest)
        return fastest


def _from(first: PricedRoute, routes: list[PricedRoute]) -> list[PricedRoute]:
    return [first, *(route for route in routes if route is not first)]


def _price_of(route: PricedRoute, usage: TokenUsage) -> tuple[bool, int]:
    if route.price is None:
        return True, 0
    return False, route.price.charge_ucr(usage, 0)
