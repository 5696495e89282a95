"""Who works on a run, and until when.

A lease lasts 60 seconds and is renewed every 15 by one thread per process, for all its runs. A
worker that dies leaves its runs to whoever comes after the lease; one that only seemed dead cannot
write any more, because the fence has moved on.
"""

import contextlib
import logging
import threading
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import msgspec
from django.db import Error, connection

from gateway.jobs.statements import JobRoute
from gateway.statements import read_sql

logger = logging.getLogger(__name__)

LEASE_S = 60
BEAT_EVERY_S = 15.0
_LEASE = read_sql("lease_job_run")
_BEAT = read_sql("beat_job_runs")


class Leased(msgspec.Struct, frozen=True, kw_only=True):
    """A run that is ours for now, and what of its job the work takes.

    `request`, `user_keys` and `answer` are sealed. `…_ago_s` are 0 where it was not yet; `left_s`
    is how long the job still has, below 0 past its deadline. `first` is how many items the runs
    before it make.
    """

    run_id: UUID
    job_id: UUID
    number: int
    fence: int
    state: str
    item_count: int
    attempts: int
    route_position: int
    upstream_id: str
    calls_back: bool
    polls: int
    progress: float
    answer: bytes | None
    cancel_sent: bool
    submitted_ago_s: float
    answered_ago_s: float
    job_state: str
    workspace_id: int
    operation: str
    billing: str
    routes: tuple[JobRoute, ...]
    request: bytes
    user_keys: bytes | None
    price_version: int
    markup_bp: int
    cancel_requested: bool
    left_s: float
    first: int

    @property
    def route(self) -> JobRoute:
        """Where the run goes now."""
        return self.routes[self.route_position]


def lease_run(run_id: UUID) -> Leased | None:
    """Take a run that is due; None if there is nothing to do, or somebody else does it."""
    with connection.cursor() as cursor:
        cursor.execute(_LEASE, [LEASE_S, run_id])
        row = cursor.fetchone()
    return None if row is None else _leased(row)


class Hearts:
    """The runs this process works on, kept alive by one thread."""

    def __init__(self) -> None:
        self._beating: dict[UUID, int] = {}
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def beating(self, leased: Leased) -> Iterator[None]:
        """Keep a lease alive for the time of the block."""
        with self._guard:
            self._beating[leased.run_id] = leased.fence
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._beat_for_ever, name="job-hearts", daemon=True
                )
                self._thread.start()
        try:
            yield
        finally:
            with self._guard:
                self._beating.pop(leased.run_id, None)

    def beat(self) -> None:
        """Renew every lease that is still ours."""
        with self._guard:
            beating = dict(self._beating)
        if not beating:
            return
        try:
            with connection.cursor() as cursor:
                cursor.execute(_BEAT, [list(beating), list(beating.values()), LEASE_S])
        finally:
            connection.close()

    def _beat_for_ever(self) -> None:
        pause = threading.Event()
        while True:
            pause.wait(BEAT_EVERY_S)
            try:
                self.beat()
            except Error:
                # Leases last four beats; one that is missed is made up for by the next.
                logger.exception("a heartbeat was missed")


hearts = Hearts()
"""This process's; made once, empty and without a thread until the first run."""


def _leased(row: tuple[Any, ...]) -> Leased:
    fields = dict(zip(Leased.__struct_fields__, row, strict=True))
    fields["routes"] = msgspec.json.decode(fields["routes"], type=tuple[JobRoute, ...])
    for name in ("request", "user_keys", "answer"):
        value = fields[name]
        fields[name] = bytes(value) if value is not None else None
    return Leased(**fields)
