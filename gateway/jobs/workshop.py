"""What a worker process keeps between runs: providers, places for long calls."""

import contextlib
import threading
from collections.abc import Iterator

import msgspec
from django.conf import settings
from django.db import connection

from gateway.errors import NoProvider
from gateway.jobs.addresses import callback_url
from gateway.jobs.asked import asked_use, unseal_keys, unseal_request
from gateway.jobs.leases import Leased
from gateway.jobs.quoting import target_of
from gateway.operations.media import MediaUse
from gateway.providers.media import (
    MediaProvider,
    MediaRequest,
    MediaTarget,
    calls_back,
    makes_media,
)
from gateway.routing import Upstreams
from gateway.transport import Upstream

_upstreams = Upstreams()


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """A leased run with all that its provider is asked by; pictures that were sent in are named
    alone.
    """

    leased: Leased
    upstream: Upstream
    provider: MediaProvider
    request: MediaRequest
    target: MediaTarget

    @property
    def asked_use(self) -> MediaUse:
        """What all items of the run would be paid for."""
        return asked_use(self.request, self.leased.item_count)


def work_of(leased: Leased) -> Work:
    """Open a run's request and find its provider, by the key the job goes by.

    Raises: NoProvider, if it is not configured any more.
    """
    upstream = _upstream(leased)
    provider = upstream.provider
    if not makes_media(provider, leased.operation):
        raise NoProvider(f"No provider is configured for this model ({leased.route.provider}).")
    target = target_of(
        leased.route,
        count=leased.item_count,
        deadline_s=max(1, round(leased.left_s)),
        first=leased.first,
    )
    address = callback_url(upstream, leased.run_id) if calls_back(provider) else ""
    return Work(
        leased=leased,
        upstream=upstream,
        provider=provider,
        request=unseal_request(leased.request, leased.operation, leased.job_id),
        target=msgspec.structs.replace(target, callback_url=address),
    )


def give_back_connection() -> None:
    """Give the thread's connection to the others, before something that takes long."""
    connection.close()


class LongCalls:
    """Places for calls that last: some threads are always left for short ones."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._taken = 0

    @contextlib.contextmanager
    def place(self, *, needed: bool) -> Iterator[bool]:
        """Take a place if one is needed; False if there is none now."""
        with self._guard:
            granted = not needed or self._taken < settings.JOB_LONG_CALLS
            self._taken += needed and granted
        try:
            yield granted
        finally:
            with self._guard:
                self._taken -= needed and granted


long_calls = LongCalls()


def _upstream(leased: Leased) -> Upstream:
    slug = leased.route.provider
    if leased.user_keys is None:
        return _upstreams.get(slug)
    key = unseal_keys(leased.user_keys, leased.job_id).get(slug)
    if not key:
        raise NoProvider(f"There is no key for this model ({slug}).")
    return _upstreams.of_user(slug, key)
