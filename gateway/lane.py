"""One PostgreSQL connection of the proxy path, kept open, used by one statement at a time, re-made
when it is lost.
"""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Any

import psycopg

logger = logging.getLogger(__name__)

_OPTIONS = (
    "-c plan_cache_mode=force_generic_plan -c lock_timeout=250ms -c statement_timeout=5s"
    " -c idle_in_transaction_session_timeout=10s -c jit=off -c enable_seqscan=off"
)
"""Plans are made once, maybe while the tables were empty: a sequential scan planned then would read
ever more rows until somebody analyses the table.
"""
_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 2.0

_LOSSES = (psycopg.OperationalError, psycopg.errors.ReadOnlySqlTransaction)
"""What may mean that this connection is of no more use; the second: another server leads now."""

Row = tuple[Any, ...]


class LaneDown(Exception):
    """The database did not answer within the time given; the statement may or may not have been
    carried out.
    """


class Lane:
    """A connection in autocommit: each statement is a transaction of its own.

    `run` repeats a statement whose connection was lost, until `patience_s` is over: statements must
    be idempotent by the ids they carry. It says how often it sent the statement, because a repeated
    hold finds itself (`open`).
    """

    def __init__(self, conninfo: str, *, name: str, patience_s: float) -> None:
        self._conninfo = conninfo
        self._name = name
        self._patience_s = patience_s
        self._connection: psycopg.AsyncConnection[Row] | None = None

    async def run(self, query: str, parameters: Sequence[Any]) -> tuple[list[Row], bool]:
        """Execute and fetch. Returns: rows, and whether the statement was sent more than once.

        Raises: LaneDown; psycopg.Error for what the statement itself got wrong.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience_s
        pause_s = _FIRST_PAUSE_S
        sent = False
        while True:
            repeated = sent
            try:
                connection = await self._connected()
                sent = True
                cursor = await connection.execute(query, parameters, prepare=True, binary=True)
                return await cursor.fetchall(), repeated
            except _LOSSES as error:
                if not await self._is_lost(error):
                    raise
                if loop.time() + pause_s > deadline:
                    raise LaneDown(self._name) from error
            await asyncio.sleep(pause_s)
            pause_s = min(_LONGEST_PAUSE_S, pause_s * 2)

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def _connected(self) -> psycopg.AsyncConnection[Row]:
        if self._connection is None or self._connection.closed:
            self._connection = await psycopg.AsyncConnection.connect(
                self._conninfo,
                autocommit=True,
                options=_OPTIONS,
                application_name=f"studio-{self._name}",
                connect_timeout=3,
                target_session_attrs="read-write",
            )
        return self._connection

    async def _is_lost(self, error: psycopg.Error) -> bool:
        """Tell a lost or refusing server from a statement that failed (lock or statement timeout)
        on a good one.
        """
        connection = self._connection
        read_only = isinstance(error, psycopg.errors.ReadOnlySqlTransaction)
        usable = connection is not None and not connection.broken and not connection.closed
        if usable and not read_only:
            return False
        logger.warning("lane %s lost its connection: %s", self._name, type(error).__name__)
        if connection is not None:
            with contextlib.suppress(psycopg.Error):
                await connection.close()
            self._connection = None
        return True
