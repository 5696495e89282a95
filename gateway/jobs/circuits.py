"""The circuits of a worker process, and its word with Redis about them, in a thread of its own.

What workers meet at a provider, the web processes hear within a second, so that new jobs go
elsewhere or are refused at once. While Redis is away this process decides for itself.
"""

import asyncio
import threading

from gateway.breaker import Breaker, Circuit
from gateway.runtime import guarded, redis_client
from gateway.transport import Upstream

_SYNC_EVERY_S = 0.5


class Circuits:
    """This process's circuits; the thread begins with the first one that can open."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._breaker: Breaker | None = None

    def circuit(self, upstream: Upstream) -> Circuit:
        """Give the circuit of a provider by the key it is reached with."""
        with self._guard:
            if self._breaker is None:
                self._breaker = Breaker(redis_client())
                threading.Thread(target=self._talk, name="job-circuits", daemon=True).start()
            return self._breaker.circuit(upstream)

    def _talk(self) -> None:
        asyncio.run(self._sync_for_ever())

    async def _sync_for_ever(self) -> None:
        assert self._breaker is not None, "made before this thread"
        while True:
            await asyncio.sleep(_SYNC_EVERY_S)
            await guarded(self._breaker.sync)


circuits = Circuits()
"""This process's; empty and without a thread until the first job."""
