"""Natural batching: what queued while the previous statement was under way goes out together in the
next one.

No timer and no fire-and-forget: every caller waits for its own item's outcome. A lone item goes out
at once.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")
Verdict = TypeVar("Verdict")


class BatchClosed(Exception):
    """The process is shutting down; nothing was sent."""


Parts = Callable[[list[Item], Exception], list[list[Item]]]


def in_one_piece(items: list[Item], error: Exception) -> list[list[Item]]:
    """Retry nothing: the error is everybody's."""
    return []


class Batcher(Generic[Item, Verdict]):
    """Collect items and hand them to `flush` in order, at most `limit` at a time, one under way.

    `flush` takes the items and returns one verdict per item, in order. If it raises, `parts` says
    in which smaller batches to try again (so that a poisoned item fails alone); none means that the
    error goes to all of them.
    """

    def __init__(
        self,
        flush: Callable[[list[Item]], Awaitable[list[Verdict]]],
        *,
        limit: int = 256,
        parts: Parts[Item] = in_one_piece,
    ) -> None:
        self._flush = flush
        self._limit = limit
        self._parts = parts
        self._waiting: list[tuple[Item, asyncio.Future[Verdict]]] = []
        self._drainer: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    async def submit(self, item: Item) -> Verdict:
        """Queue one item and wait for its verdict.

        A caller that is cancelled meanwhile leaves its item in the queue: the outcome happens,
        nobody hears of it.
        Raises: BatchClosed, or whatever `flush` raised for this item.
        """
        if self._closed:
            raise BatchClosed
        if self._loop is None:
            # Asked once: Python 3.11 makes a system call each time, to notice forks.
            self._loop = asyncio.get_running_loop()
        future: asyncio.Future[Verdict] = self._loop.create_future()
        self._waiting.append((item, future))
        if self._drainer is None:
            self._drainer = self._loop.create_task(self._drain())
        return await future

    async def close(self) -> None:
        """Refuse new items and wait for those that are queued."""
        self._closed = True
        if self._drainer is not None:
            await self._drainer

    async def _drain(self) -> None:
        while self._waiting:
            await asyncio.sleep(0)  # one turn of the loop: what is ready elsewhere joins the batch
            batch = self._waiting[: self._limit]
            del self._waiting[: self._limit]
            await self._send(batch)
        self._drainer = None

    async def _send(self, batch: list[tuple[Item, asyncio.Future[Verdict]]]) -> None:
        items = [item for item, _ in batch]
        try:
            verdicts = await self._flush(items)
        except Exception as error:  # noqa: BLE001  whatever it is, it belongs to the waiting callers
            parts = self._parts(items, error)
            if parts:
                futures = {id(item): future for item, future in batch}
                for part in parts:
                    await self._send([(item, futures[id(item)]) for item in part])
                return
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), verdict in zip(batch, verdicts, strict=True):
            if not future.done():
                future.set_result(verdict)
