"""Usage as a file over HTTP: written in a thread, sent as it is written.

Whoever stops reading holds a snapshot for a minute at most; then the file breaks off, as it does if
the database fails: its length is not told beforehand, so a client sees that it is not whole.
"""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable

from django.http import StreamingHttpResponse

from studio.core.errors import RateLimited

_PATIENCE_S = 60.0
_CHUNKS_AHEAD = 8
_MOST_AT_ONCE = 2
"""Of one process: each has a thread and a connection of its own for as long as it lasts."""

logger = logging.getLogger(__name__)
_places = threading.BoundedSemaphore(_MOST_AT_ONCE)

Write = Callable[[bytes], None]


class _Stopped(Exception):
    """The client is gone, or has not read for a minute."""


class _Pipe:
    """What a thread writes and the event loop reads, a few chunks apart."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[bytes | BaseException | None] = asyncio.Queue(_CHUNKS_AHEAD)
        self._closed = False

    def write(self, chunk: bytes) -> None:
        """Hand over a chunk, from the thread. Raises: _Stopped."""
        if chunk:
            self._put(chunk)

    def finish(self, error: BaseException | None) -> None:
        """Say that nothing follows, or why; from the thread."""
        try:
            self._put(error)
        except _Stopped:
            logger.info("an export was left by its client")

    def close(self) -> None:
        """Let the thread fail at its next chunk; from the loop."""
        self._closed = True
        while not self._queue.empty():
            self._queue.get_nowait()

    async def read(self) -> bytes | None:
        """Take a chunk; None after the last. Raises: what the thread raised."""
        found = await self._queue.get()
        if isinstance(found, BaseException):
            raise found
        return found

    def _put(self, item: bytes | BaseException | None) -> None:
        if self._closed:
            raise _Stopped
        waiting = asyncio.run_coroutine_threadsafe(self._queue.put(item), self._loop)
        try:
            waiting.result(_PATIENCE_S)
        except TimeoutError as error:
            waiting.cancel()
            raise _Stopped from error


async def stream_file(
    work: Callable[[Write], object], *, content_type: str, name: str
) -> StreamingHttpResponse:
    """Answer with what `work` writes.

    Raises: RateLimited while too many files are under way; what `work` raises before its first
    chunk.
    """
    if not _places.acquire(blocking=False):
        raise RateLimited(
            "Other exports are under way; try again when they are done.",
            headers={"Retry-After": "10"},
        )
    pipe = _Pipe()
    threading.Thread(target=_run, args=(work, pipe), name="usage-export", daemon=True).start()
    try:
        first = await pipe.read()
    except BaseException:
        pipe.close()
        raise
    response = StreamingHttpResponse(_chunks(pipe, first), content_type=content_type)
    response["content-disposition"] = f'attachment; filename="{name}"'
    response["cache-control"] = "no-store"
    return response


def _run(work: Callable[[Write], object], pipe: _Pipe) -> None:
    try:
        work(pipe.write)
    except _Stopped:
        logger.info("an export was left by its client")
    except BaseException as error:  # noqa: BLE001  it rises in the reader
        pipe.finish(error)
    else:
        pipe.finish(None)
    finally:
        _places.release()


async def _chunks(pipe: _Pipe, first: bytes | None) -> AsyncIterator[bytes]:
    try:
        chunk = first
        while chunk is not None:
            yield chunk
            chunk = await pipe.read()
    finally:
        pipe.close()
