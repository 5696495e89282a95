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


class Batcher(Generic[Item, Verdict]):
    """Collect items and hand them to `flush` in order, at most `limit` at a time, one flush under
    way.

    `flush` takes the items and returns one verdict per item, in order. If it raises one of
    `split_on` for several items they are repeated one by one, so that a poisoned item fails alone;
    every other error goes to all of them.
    """

    def __init__(
        self,
        flush: Callable[[list[Item]], Awaitable[list[Verdict]]],
        *,
        limit: int = 256,
        split_on: tuple[type[Exception], ...] = (),
    ) -> None:
        self._flush = flush
        self._limit = limit
        self._split_on = split_on
        self._waiting: list[tuple[Item, asyncio.Future[Verdict]]] = []
        self._drainer: asyncio.Task[None] | None = None
        self._closed = False

    async def submit(self, item: Item) -> Verdict:
        """Queue one item and wait for its verdict.

        A caller that is cancelled meanwhile leaves its item in the queue: the outcome happens,
        nobody hears of it. Raises: BatchClosed, or whatever `flush` raised for this item alone.
        """
        if self._closed:
            raise BatchClosed
        future: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._drainer is None:
            self._drainer = asyncio.create_task(self._drain())
        return await future

    async def close(self) -> None:
        """Refuse new items and wait for those that are queued."""
        self._closed = True
        if self._drainer is not None:
            await self._drainer

    async def _drain(self) -> None:
        while self._waiting:
            batch = self._waiting[: self._limit]
            del self._waiting[: self._limit]
            await self._send(batch)
        self._drainer = None

    async def _send(self, batch: list[tuple[Item, asyncio.Future[Verdict]]]) -> None:
        try:
            verdicts = await self._flush([item for item, _ in batch])
        except Exception as error:  # noqa: BLE001  whatever it is, it belongs to the waiting callers
            await self._fail(batch, error)
            return
        for (_, future), verdict in zip(batch, verdicts, strict=True):
            if not future.done():
                future.set_result(verdict)

    async def _fail(
        self, batch: list[tuple[Item, asyncio.Future[Verdict]]], error: Exception
    ) -> None:
        if len(batch) > 1 and isinstance(error, self._split_on):
            for single in batch:
                await self._send([single])
            return
        for _, future in batch:
            if not future.done():
                future.set_exception(error)
