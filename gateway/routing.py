"""From a resolved route to what a call needs: adaptor, address, key, and a finite price."""

from urllib.parse import urlsplit

import msgspec
from django.conf import settings

from billing.pricing import ChatPrice, PriceBookSnapshot
from gateway.catalogue.snapshot import Resolution, Route
from gateway.errors import NoPrice, NoProvider
from gateway.providers import find_provider
from gateway.transport import Upstream

_SANDBOX_KEY = "sandbox"


class PricedRoute(msgspec.Struct, frozen=True, kw_only=True):
    """A route that may be called: it has a provider we can reach and a price."""

    route: Route
    upstream: Upstream
    price: ChatPrice


class Upstreams:
    """The providers as this process may reach them, read once from the settings."""

    def __init__(self) -> None:
        self._known: dict[str, Upstream | None] = {}

    def get(self, slug: str) -> Upstream:
        """Give the provider's adaptor, address and our key.

        Without a key of ours the sandbox stands in, where one is configured. Raises: NoProvider.
        """
        upstream = self._find(slug)
        if upstream is None:
            raise NoProvider(f"No provider is configured for this model ({slug}).")
        return upstream

    def reaches(self, slug: str) -> bool:
        """Say whether `get` would find the provider."""
        return self._find(slug) is not None

    def _find(self, slug: str) -> Upstream | None:
        if slug not in self._known:
            self._known[slug] = _configured(slug)
        return self._known[slug]


def _configured(slug: str) -> Upstream | None:
    provider = find_provider(slug)
    if provider is None:
        return None
    key = settings.PROVIDER_KEYS.get(slug, "")
    if key:
        base_url = settings.PROVIDER_BASE_URLS.get(slug, provider.default_base_url)
        sandbox = bool(settings.SANDBOX_URL) and base_url.startswith(settings.SANDBOX_URL)
        return Upstream(provider=provider, base_url=base_url, key=key, sandbox=sandbox)
    if settings.SANDBOX_URL:
        version = urlsplit(provider.default_base_url).path
        base_url = f"{settings.SANDBOX_URL.rstrip('/')}/{slug}{version}"
        return Upstream(provider=provider, base_url=base_url, key=_SANDBOX_KEY, sandbox=True)
    return None


def priced_route(
    resolution: Resolution, *, upstreams: Upstreams, book: PriceBookSnapshot
) -> PricedRoute:
    """Pick the resolution's first route that has a provider here and a price.

    Raises: NoProvider, NoPrice (never free): why the preferred route cannot be called.
    """
    refusal: NoProvider | NoPrice | None = None
    for route in resolution.routes:
        try:
            upstream = upstreams.get(route.provider)
        except NoProvider as error:
            refusal = refusal or error
            continue
        price = book.chat(route.provider, route.model)
        if price is not None:
            return PricedRoute(route=route, upstream=upstream, price=price)
        refusal = refusal or NoPrice(f'Model "{route.model}" has no price and cannot be called.')
    assert refusal is not None, "a resolution has at least one route"
    raise refusal
