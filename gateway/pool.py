"""The small pool of the proxy path, for the few questions that are not asked in batches."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from gateway.lane import Row
from studio.core.errors import Unavailable

Pool = AsyncConnectionPool[psycopg.AsyncConnection[Row]]


@asynccontextmanager
async def borrowed(pool: Pool) -> AsyncIterator[psycopg.AsyncConnection[Row]]:
    """Borrow a connection in autocommit. Raises: Unavailable if the database does not answer."""
    try:
        async with pool.connection() as connection:
            yield connection
    except (PoolTimeout, psycopg.OperationalError) as error:
        raise Unavailable(
            "The database does not answer right now.", headers={"Retry-After": "2"}
        ) from error
