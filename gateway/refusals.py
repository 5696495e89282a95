"""Requests refused before a call: counted per minute, workspace, key and reason, never billed, not
a row each.
"""

import time
from collections import Counter
from uuid import UUID

import msgspec

from gateway.pool import Pool
from gateway.statements import read_sql
from studio.core.ids import new_id

_MINUTE_S = 60

_INSERT = read_sql("count_refusals")


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """What is told apart when refusals are counted. `reason` is the error's code."""

    workspace_id: int
    app_key_id: int | None
    app_id: str
    surface: str
    operation: str
    reason: str
    http_status: int


class RefusalCounter:
    """Count in memory, write every few seconds.

    A killed process loses at most those seconds' refusals.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._counts: Counter[tuple[int, Refusal]] = Counter()

    def count(self, refusal: Refusal) -> None:
        """Count one refused request in the current minute."""
        minute = int(time.time()) // _MINUTE_S * _MINUTE_S
        self._counts[minute, refusal] += 1

    async def flush(self) -> None:
        """Write what was counted since the last time; keep it if the database is away."""
        if not self._counts:
            return
        counts, self._counts = self._counts, Counter()
        rows = [_row(minute, refusal, count) for (minute, refusal), count in counts.items()]
        columns = [list(column) for column in zip(*rows, strict=True)]
        try:
            async with self._pool.connection() as connection:
                await connection.execute(_INSERT, columns)
        except BaseException:
            self._counts += counts
            raise


def _row(
    minute: int, refusal: Refusal, count: int
) -> tuple[UUID, float, int, int | None, str, str, str, str, int, int]:
    return (
        new_id(),
        float(minute),
        refusal.workspace_id,
        refusal.app_key_id,
        refusal.app_id,
        refusal.surface,
        refusal.operation,
        refusal.reason,
        refusal.http_status,
        count,
    )
