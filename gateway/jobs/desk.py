"""What a web process holds open for jobs: lanes to the ledger, the bell, and who waits.

It is made with the first job of a process, and closes itself with the loop.
"""

import asyncio
import contextlib
import logging
from concurrent.futures import ThreadPoolExecutor
from weakref import WeakKeyDictionary

import psycopg

from gateway.batch import BatchClosed, Batcher
from gateway.errors import LedgerUnavailable
from gateway.jobs.ringing import call_workers
from gateway.jobs.statements import (
    HOLD_JOBS,
    OPEN_JOBS,
    JobVerdict,
    NewJob,
    hold_jobs_parameters,
    open_jobs_parameters,
)
from gateway.jobs.views import view_of
from gateway.jobs.waiting import Listener
from gateway.lane import Lane, LaneDown, Row
from gateway.runtime import Runtime, conninfo

logger = logging.getLogger(__name__)

_PATIENCE_S = 3
_MOST_AT_ONCE = 64
_MOST_UNRUNG = 1000
"""Beyond this the ring of beat calls the workers, two seconds later."""


class JobDesk:
    """Two batched lanes for T1, a thread that calls workers, one connection that listens."""

    def __init__(self) -> None:
        self.listener = Listener(conninfo())
        self._hold_lane = Lane(conninfo(), name="hold-jobs", patience_s=_PATIENCE_S)
        self._open_lane = Lane(conninfo(), name="open-jobs", patience_s=_PATIENCE_S)
        self._holds: Batcher[NewJob, JobVerdict] = Batcher(
            self._flush_holds, limit=_MOST_AT_ONCE, parts=_one_by_one
        )
        self._opens: Batcher[NewJob, JobVerdict] = Batcher(
            self._flush_opens, limit=_MOST_AT_ONCE, parts=_one_by_one
        )
        self._unrung: list[str] = []
        self._ringing: asyncio.Task[None] | None = None
        self._ringer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="job-bell")
        self._keeper = asyncio.get_running_loop().create_task(self._keep())

    async def hold(self, job: NewJob) -> JobVerdict:
        """Hold a job's credits and write it; after `held` it will be made, or given up, and end.

        Raises: LedgerUnavailable (if it was written nevertheless, it is made);
        psycopg.errors.UniqueViolation when the Idempotency-Key is taken (nothing was written).
        """
        try:
            paid = job.billing == "credits"
            return await (self._holds if paid else self._opens).submit(job)
        except psycopg.errors.UniqueViolation:
            raise
        except (LaneDown, psycopg.Error, BatchClosed) as error:
            logger.warning("hold of job %s failed: %s", job.id, type(error).__name__)
            raise LedgerUnavailable("The ledger does not answer; nothing was charged.") from error

    def ring(self, run_ids: list[str]) -> None:
        """Call workers for new runs, soon and without waiting; lost calls are made by the ring."""
        if len(self._unrung) + len(run_ids) > _MOST_UNRUNG:
            return
        self._unrung += run_ids
        if self._ringing is None or self._ringing.done():
            self._ringing = asyncio.get_running_loop().create_task(self._ring())

    async def _ring(self) -> None:
        loop = asyncio.get_running_loop()
        while self._unrung:
            run_ids, self._unrung = self._unrung, []
            await loop.run_in_executor(self._ringer, call_workers, run_ids)

    async def _flush_holds(self, jobs: list[NewJob]) -> list[JobVerdict]:
        return _verdicts(*await self._hold_lane.run(HOLD_JOBS, hold_jobs_parameters(jobs)))

    async def _flush_opens(self, jobs: list[NewJob]) -> list[JobVerdict]:
        return _verdicts(*await self._open_lane.run(OPEN_JOBS, open_jobs_parameters(jobs)))

    async def _keep(self) -> None:
        """Stay until the loop ends, then close everything."""
        try:
            await asyncio.Event().wait()
        finally:
            await self.close()

    async def close(self) -> None:
        """Let what is queued finish, and close the connections."""
        self._keeper.cancel()
        for batcher in (self._holds, self._opens):
            await batcher.close()
        if self._ringing is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await self._ringing
        await self.listener.close()
        await self._hold_lane.close()
        await self._open_lane.close()
        self._ringer.shutdown(wait=False)


_desks: WeakKeyDictionary[Runtime, JobDesk] = WeakKeyDictionary()


def desk_of(runtime: Runtime) -> JobDesk:
    """Give the desk of a process's runtime, and make it at the first call."""
    desk = _desks.get(runtime)
    if desk is None:
        desk = _desks[runtime] = JobDesk()
    return desk


def _verdicts(rows: list[Row], repeated: bool) -> list[JobVerdict]:
    """Read the verdicts; a statement that went out twice may find its own first go (`open`)."""
    return [
        JobVerdict(
            "held" if repeated and row[0] == "open" else row[0],
            row[1],
            view_of(row[2:]) if row[2] is not None else None,
        )
        for row in rows
    ]


def _one_by_one(jobs: list[NewJob], error: Exception) -> list[list[NewJob]]:
    """Try a failed batch again job by job: one bad job must not fail its neighbours."""
    return [[job] for job in jobs] if len(jobs) > 1 else []
