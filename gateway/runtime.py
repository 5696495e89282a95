"""What one process holds open on the proxy path: made in the running loop, after fork, closed on
shutdown.

Nothing here is needed by another process, and everything can be lost at any time.
"""

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable

import redis.asyncio
from django.conf import settings
from psycopg.conninfo import make_conninfo
from psycopg_pool import AsyncConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from gateway.access_log import AccessLog
from gateway.admission import Gate
from gateway.breaker import Breaker
from gateway.calls import CallDesk
from gateway.catalogue.snapshot import CatalogueSnapshot, Route
from gateway.limiter import Limiter
from gateway.paces import operators_paces, read_paces
from gateway.pacing import Pacer
from gateway.pool import Pool
from gateway.refusals import RefusalCounter
from gateway.retry_budget import RetryBudget
from gateway.routing import KnownRoutes, RouteOrder, Upstreams
from gateway.transport import Transport
from gateway.world import World, read_world

logger = logging.getLogger(__name__)

_WORLD_EVERY_S = 1.0
_BEAT_EVERY_S = 2.0
_REFUSALS_EVERY_S = 5.0
_CIRCUITS_EVERY_S = 0.5
_REDIS_PATIENCE_S = 1.0
_GC_THRESHOLDS = (20_000, 50, 100)
"""Fewer collections: long-lived objects are frozen at start, requests leave little that is cyclic
(performance.md).
"""


def conninfo() -> str:
    """Give libpq's address of the database the settings name, with its options but not Django's."""
    database = settings.DATABASES["default"]
    options = dict(database.get("OPTIONS", {}))
    for django_s_own in ("pool", "options"):
        options.pop(django_s_own, None)
    return make_conninfo(
        host=database.get("HOST") or None,
        port=database.get("PORT") or None,
        user=database.get("USER") or None,
        password=database.get("PASSWORD") or None,
        dbname=database.get("NAME") or None,
        **options,
    )


class Runtime:
    """The process's connections, batchers, catalogue and background work."""

    def __init__(self) -> None:
        self.access_log = AccessLog()
        self.upstreams = Upstreams()
        self.transport = Transport()
        self.desk = CallDesk(conninfo())
        self.pool: Pool = AsyncConnectionPool(
            conninfo(),
            min_size=0,
            max_size=8,
            open=False,
            check=AsyncConnectionPool.check_connection,
            timeout=5,
            reconnect_timeout=1,
            kwargs={"autocommit": True, "application_name": "studio-pool"},
        )
        self.limiter = Limiter(redis_client())
        self.breaker = Breaker(redis_client())
        self.pacer = Pacer(
            redis_client(), {**read_paces(), "": operators_paces(settings.PROVIDER_PACES)}
        )
        self.retry_budget = RetryBudget()
        self.known_routes = KnownRoutes(self.upstreams, self.breaker)
        self.route_order = RouteOrder()
        self.gate = Gate(self.limiter)
        self.refusals = RefusalCounter(self.pool)
        self.world: World
        self._background: list[asyncio.Task[None]] = []

    @property
    def catalogue(self) -> CatalogueSnapshot:
        """The catalogue as of a second ago."""
        return self.world.catalogue

    def can_call(self, route: Route) -> bool:
        """Say whether a route has a price and a provider that does this and can be reached."""
        priced = self.world.book.has_price(route.operation, route.provider, route.model)
        if not priced or not self.upstreams.reaches(route.provider):
            return False
        return route.operation in self.upstreams.get(route.provider).provider.operations

    async def open(self) -> None:
        """Read the catalogue, open what needs the loop and start the background work."""
        self._take(await asyncio.to_thread(read_world, None))
        self.access_log.open()
        await self.pool.open()
        self._every(_WORLD_EVERY_S, self.refresh_world)
        self._every(_BEAT_EVERY_S, self._beat)
        self._every(_REFUSALS_EVERY_S, self.refusals.flush)
        self._every(_CIRCUITS_EVERY_S, self.breaker.sync)
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_GC_THRESHOLDS)

    async def close(self) -> None:
        """Stop the background work, let queued statements finish, close every connection."""
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self.desk.close()
        await guarded(self.refusals.flush)
        await self.limiter.close()
        await self.breaker.close()
        await self.pacer.close()
        await self.transport.close()
        await self.pool.close()
        await self.access_log.close()

    async def _beat(self) -> None:
        places = await self.desk.beat()
        if places:
            await self.limiter.extend(places)

    async def refresh_world(self) -> None:
        """Read what has changed of catalogue, prices and caps."""
        self._take(await asyncio.to_thread(read_world, self.world))

    def _take(self, world: World) -> None:
        self.world, self.desk.budgeted = world, world.budgeted

    def _every(self, pause_s: float, work: Callable[[], Awaitable[None]]) -> None:
        async def forever() -> None:
            while True:
                await asyncio.sleep(pause_s)
                await guarded(work)

        self._background.append(asyncio.get_running_loop().create_task(forever()))


def redis_client() -> redis.asyncio.Redis:
    """Give a client of our Redis that is quick to say that it is away."""
    return redis.asyncio.Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=_REDIS_PATIENCE_S,
        socket_connect_timeout=_REDIS_PATIENCE_S,
        retry=Retry(NoBackoff(), 1),
        health_check_interval=0,
    )


async def guarded(work: Callable[[], Awaitable[None]]) -> None:
    """Do a turn of background work; what goes wrong is logged, and the next turn tries again."""
    try:
        await work()
    except Exception:
        # Background work is tried again at its next turn; one failure must not end it.
        logger.exception("background work failed")
