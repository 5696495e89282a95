"""Natural batching: order, isolation of failures, nobody waits for a timer."""

import asyncio

import pytest

from gateway.batch import BatchClosed, Batcher


class Poisoned(Exception):
    """Stands for a statement that one item makes fail."""


class Recorder:
    """A flush that notes its batches, waits for permission, and fails for the item -1."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def flush(self, items: list[int]) -> list[int]:
        self.batches.append(list(items))
        await self.gate.wait()
        if -1 in items:
            raise Poisoned
        return [item * 10 for item in items]


def one_by_one(items: list[int], error: Exception) -> list[list[int]]:
    """Try every item of a failed batch alone."""
    return [[item] for item in items] if len(items) > 1 else []


async def test_a_lone_item_goes_out_alone_and_at_once() -> None:
    recorder = Recorder()
    batcher = Batcher(recorder.flush)
    assert await batcher.submit(7) == 70
    assert recorder.batches == [[7]]


async def test_what_queued_during_a_flush_goes_out_together_in_order() -> None:
    recorder = Recorder()
    batcher = Batcher(recorder.flush)
    recorder.gate.clear()
    first = asyncio.ensure_future(batcher.submit(1))
    while not recorder.batches:
        await asyncio.sleep(0)
    rest = [asyncio.ensure_future(batcher.submit(n)) for n in (2, 3, 4)]
    await asyncio.sleep(0)
    recorder.gate.set()
    assert await asyncio.gather(first, *rest) == [10, 20, 30, 40]
    assert recorder.batches == [[1], [2, 3, 4]]


async def test_no_batch_exceeds_the_limit() -> None:
    recorder = Recorder()
    batcher = Batcher(recorder.flush, limit=3)
    answers = await asyncio.gather(*(batcher.submit(n) for n in range(8)))
    assert answers == [n * 10 for n in range(8)]
    assert max(len(batch) for batch in recorder.batches) == 3


async def test_a_poisoned_item_fails_alone() -> None:
    recorder = Recorder()
    batcher = Batcher(recorder.flush, parts=one_by_one)
    answers = await asyncio.gather(
        batcher.submit(1), batcher.submit(-1), batcher.submit(2), return_exceptions=True
    )
    assert answers[0] == 10
    assert isinstance(answers[1], Poisoned)
    assert answers[2] == 20


async def test_an_error_of_the_whole_batch_reaches_everyone_once() -> None:
    recorder = Recorder()
    batcher = Batcher(recorder.flush)
    answers = await asyncio.gather(batcher.submit(1), batcher.submit(-1), return_exceptions=True)
    assert [type(answer) for answer in answers] == [Poisoned, Poisoned]
    assert recorder.batches == [[1, -1]]


async def test_a_cancelled_waiter_does_not_disturb_the_others() -> None:
    recorder = Recorder()
    batcher = Batcher(recorder.flush)
    recorder.gate.clear()
    waiting = [asyncio.ensure_future(batcher.submit(n)) for n in (1, 2)]
    while not recorder.batches:
        await asyncio.sleep(0)
    waiting[0].cancel()
    recorder.gate.set()
    assert await waiting[1] == 20
    assert waiting[0].cancelled() or waiting[0].cancelling()


async def test_a_closed_batcher_refuses_and_has_finished_what_was_queued() -> None:
    recorder = Recorder()
    batcher = Batcher(recorder.flush)
    waiting = asyncio.ensure_future(batcher.submit(5))
    await asyncio.sleep(0)
    await batcher.close()
    assert await waiting == 50
    with pytest.raises(BatchClosed):
        await batcher.submit(6)
