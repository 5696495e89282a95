"""One PostgreSQL connection of the proxy path, kept open, used by one statement at a time, re-made
when it is lost.

Statements go out through libpq itself: psycopg's cursors cost twice the time of the rest of a small
batch, and a lone caller waits for that twice.
"""

import asyncio
import logging
import re
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import pq
from psycopg.abc import Transformer as TransformerLike
from psycopg.adapt import Transformer

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


class _Line:
    """A connection whose socket the loop watches, and the statements it has prepared."""

    def __init__(self, connection: psycopg.AsyncConnection[Row]) -> None:
        self._connection = connection
        self._pgconn = connection.pgconn
        self._loop = asyncio.get_running_loop()
        self._socket = self._pgconn.socket
        self._names: dict[str, bytes] = {}
        self._read: TransformerLike = Transformer.from_context(connection)
        self._waiter: asyncio.Future[None] | None = None
        self._loop.add_reader(self._socket, self._receive)

    @property
    def is_open(self) -> bool:
        """Whether a statement may be sent."""
        return self._pgconn.status == pq.ConnStatus.OK

    async def run(self, query: str, parameters: Sequence[str | int]) -> list[Row]:
        """Execute and fetch. Raises: psycopg.Error; afterwards the line may be closed."""
        try:
            name = self._names.get(query) or await self._prepare(query)
            values = [str(parameter).encode() for parameter in parameters]
            self._pgconn.send_query_prepared(name, values, result_format=pq.Format.BINARY)
            result = await self._result()
        except psycopg.Error:
            raise
        except BaseException:
            self.close()  # in the middle of a statement: cancelled, or a bug of ours
            raise
        self._read.set_pgresult(result)
        return self._read.load_rows(0, result.ntuples, tuple)

    def close(self) -> None:
        """Close the connection."""
        self._loop.remove_reader(self._socket)
        self._pgconn.finish()

    async def _prepare(self, query: str) -> bytes:
        name = f"lane_{len(self._names)}".encode()
        pieces = re.split("%s", query)
        assert not any("%" in piece for piece in pieces), "a statement with a percent sign"
        numbered = "".join(f"{piece}${n}" for n, piece in enumerate(pieces[:-1], 1)) + pieces[-1]
        self._pgconn.send_prepare(name, numbered.encode())
        await self._result()
        self._names[query] = name
        return name

    async def _result(self) -> pq.abc.PGresult:
        """Send what is queued and wait for the one result. Raises: psycopg.Error."""
        while self._pgconn.flush():
            await self._writable()
        found: pq.abc.PGresult | None = None
        while True:
            while self._pgconn.is_busy():
                await self._wait()
            result = self._pgconn.get_result()
            if result is None:
                break
            found = result
        if found is None:
            raise psycopg.OperationalError("the connection was lost")
        if found.status not in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK):
            raise psycopg.errors.error_from_result(found)
        return found

    def _receive(self) -> None:
        """Take what came in; the loop calls this."""
        waiter = self._waiter
        try:
            self._pgconn.consume_input()
        except psycopg.OperationalError as error:
            self._loop.remove_reader(self._socket)
            if waiter is not None and not waiter.done():
                waiter.set_exception(error)
            return
        if waiter is not None and not waiter.done() and not self._pgconn.is_busy():
            waiter.set_result(None)

    async def _wait(self) -> None:
        if not self.is_open:
            raise psycopg.OperationalError("the connection was lost")
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    async def _writable(self) -> None:
        """Wait until more of a large statement can be written; the server may answer meanwhile."""
        if not self.is_open:
            raise psycopg.OperationalError("the connection was lost")
        writable = asyncio.Event()
        self._loop.add_writer(self._socket, writable.set)
        try:
            await writable.wait()
        finally:
            self._loop.remove_writer(self._socket)


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
        self._line: _Line | None = None
        self._turn = asyncio.Lock()

    async def run(self, query: str, parameters: Sequence[str | int]) -> tuple[list[Row], bool]:
        """Execute and fetch. Returns: rows, and whether the statement was sent more than once.

        Raises: LaneDown; psycopg.Error for what the statement itself got wrong.
        """
        async with self._turn:
            return await self._run(query, parameters)

    async def _run(self, query: str, parameters: Sequence[str | int]) -> tuple[list[Row], bool]:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience_s
        pause_s = _FIRST_PAUSE_S
        sent = False
        while True:
            repeated = sent
            try:
                line = await self._connected()
                sent = True
                return await line.run(query, parameters), repeated
            except _LOSSES as error:
                if not self._is_lost(error):
                    raise
                if loop.time() + pause_s > deadline:
                    raise LaneDown(self._name) from error
            await asyncio.sleep(pause_s)
            pause_s = min(_LONGEST_PAUSE_S, pause_s * 2)

    async def close(self) -> None:
        """Close the connection."""
        if self._line is not None:
            self._line.close()
            self._line = None

    async def _connected(self) -> _Line:
        if self._line is not None and not self._line.is_open:
            self._line.close()
            self._line = None
        if self._line is None:
            connection = await psycopg.AsyncConnection.connect(
                self._conninfo,
                autocommit=True,
                options=_OPTIONS,
                application_name=f"studio-{self._name}",
                connect_timeout=3,
                target_session_attrs="read-write",
            )
            self._line = _Line(connection)
        return self._line

    def _is_lost(self, error: psycopg.Error) -> bool:
        """Tell a lost or refusing server from a statement that failed (lock or statement timeout)
        on a good one.
        """
        line = self._line
        read_only = isinstance(error, psycopg.errors.ReadOnlySqlTransaction)
        if line is not None and line.is_open and not read_only:
            return False
        logger.warning("lane %s lost its connection: %s", self._name, type(error).__name__)
        if line is not None:
            line.close()
            self._line = None
        return True
