"""Waiting for jobs without asking for them: one LISTEN connection per web process.

A notification says that a job changed, and to which version; whoever waits then reads the job. When
the connection is lost and made again, everybody reads, since notifications may have been missed.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator

import psycopg

from gateway.lane import Row

logger = logging.getLogger(__name__)

CHANNEL = "studio_job"
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0


class Listener:
    """The connection, and the events of those who wait, by job."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._task: asyncio.Task[None] | None = None
        self._listening = asyncio.Event()

    @contextlib.asynccontextmanager
    async def watching(self, job_id: str) -> AsyncIterator[asyncio.Event]:
        """Give an event that is set whenever the job may have changed; clear it before reading.

        From the first statement of the block on no change is missed.
        """
        event = asyncio.Event()
        self._waiting.setdefault(job_id, set()).add(event)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._listen_for_ever())
        try:
            with contextlib.suppress(TimeoutError):  # without it, the wait ends by its own time
                await asyncio.wait_for(self._listening.wait(), _LONGEST_PAUSE_S)
            yield event
        finally:
            events = self._waiting[job_id]
            events.discard(event)
            if not events:
                del self._waiting[job_id]

    async def close(self) -> None:
        """Stop listening."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _listen_for_ever(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            begun_s = time.monotonic()
            try:
                await self._listen()
            except (psycopg.Error, OSError) as error:
                logger.warning("the connection that listens for jobs was lost: %r", error)
            self._listening.clear()
            if time.monotonic() - begun_s > _LONGEST_PAUSE_S:
                pause_s = _FIRST_PAUSE_S
            await asyncio.sleep(pause_s)
            pause_s = min(_LONGEST_PAUSE_S, pause_s * 2)

    async def _listen(self) -> None:
        connection: psycopg.AsyncConnection[Row] = await psycopg.AsyncConnection.connect(
            self._conninfo,
            autocommit=True,
            application_name="studio-job-waits",
            connect_timeout=3,
            keepalives_idle=30,
        )
        async with connection:
            await connection.execute(f"LISTEN {CHANNEL}")
            self._listening.set()
            for events in self._waiting.values():
                _wake(events)
            async for notification in connection.notifies():
                job_id, _, _ = notification.payload.partition(" ")
                _wake(self._waiting.get(job_id, set()))


def _wake(events: set[asyncio.Event]) -> None:
    for event in events:
        event.set()
