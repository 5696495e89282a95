"""One TCP connection from inside: wait on it, learn at once that the caller left, or break it.

ASGI has no way to abort a connection, so our protocol class puts a `Connection` into each scope's
`state`.
"""

import asyncio
import socket
import struct
import time
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_READ_BEFORE_RESET_S = 0.02
"""Callers throw away what they have not read when a reset arrives; this lets them read it."""


class Connection:
    """What a reply may do to the connection under it."""

    __slots__ = ("_loop", "_waiter", "lost_at", "transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.lost_at: float | None = None
        """`time.time()` of the moment the caller was seen to leave."""
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[None] | None = None

    def mark_lost(self) -> None:
        """Note that the connection is gone and wake whoever waits on it."""
        self.lost_at = time.time()
        _wake(self._waiter)

    async def pause(self, seconds: float | None) -> bool:
        """Wait, or until the caller leaves; None waits for that alone.

        Returns: whether the caller is still there.
        """
        if self.lost_at is not None:
            return False
        # uvicorn stops reading after a large body, and an unread socket never tells of its end.
        if not self.transport.is_reading():
            self.transport.resume_reading()
        self._waiter = waiter = self._loop.create_future()
        timer = None if seconds is None else self._loop.call_later(seconds, _wake, waiter)
        try:
            await waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()
        return self.lost_at is None

    async def close(self) -> None:
        """Close in good order (FIN) once everything written is out."""
        self.transport.close()
        await self.pause(None)

    async def reset(self) -> None:
        """Break the connection with a TCP reset, after what was written has reached the kernel."""
        while self.transport.get_write_buffer_size() and self.lost_at is None:
            await self.pause(0.001)
        if await self.pause(_READ_BEFORE_RESET_S):
            raw = self.transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self.transport.abort()
            await self.pause(None)


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)


class SandboxProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, with the `Connection` in each scope's `state`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - uvicorn's signature
        super().__init__(*args, **kwargs)
        self._connection: Connection | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Give the connection to every request that will come over it."""
        super().connection_made(transport)
        self._connection = Connection(transport)
        self.app_state = {"connection": self._connection}

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell a waiting reply at once."""
        super().connection_lost(exc)
        if self._connection is not None:
            self._connection.mark_lost()

    def shutdown(self) -> None:
        """Stop at once: a double owes nobody the end of a slow answer."""
        super().shutdown()
        if not self.transport.is_closing():
            self.transport.abort()
