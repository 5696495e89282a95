"""Whether one route takes all that a request asks for, before anything is quoted."""

from gateway.catalogue.snapshot import Route
from gateway.jobs.asked import item_count_of
from gateway.jobs.quoting import deadline_s, target_of
from gateway.providers.media import MediaRequest, makes
from gateway.runtime import Runtime
from gateway.user_keys import UserKeys


def lacking(
    runtime: Runtime, route: Route, request: MediaRequest, *, user_keys: UserKeys
) -> str | None:
    """Name what a route that can be called does not take of a request; None if it takes all."""
    key, upstreams = user_keys.get(route.provider), runtime.upstreams
    upstream = upstreams.of_user(route.provider, key) if key else upstreams.get(route.provider)
    if not makes(upstream.provider, request.operation):
        return "model"
    target = target_of(
        route, count=item_count_of(request), deadline_s=deadline_s(request.operation)
    )
    return upstream.provider.unsupported_media(request, target)
