"""Which variation each picture of a job is, and what made it."""

from uuid import UUID

import msgspec

from gateway.imaging.models import shown_name
from gateway.jobs.views import JobFile, JobView
from gateway.pool import borrowed
from gateway.runtime import Runtime

_RUNS = """
SELECT r.item_count, jsonb_array_length(r.made), j.routes -> r.route_position
FROM gateway_jobrun r JOIN gateway_job j ON j.id = r.job_id
WHERE r.job_id = %s AND j.workspace_id = %s ORDER BY r.number
"""


class Variation(msgspec.Struct, frozen=True, kw_only=True):
    """One picture that was made. `number` counts from 1 over all that were asked for.

    `model` is the name that callers know.
    """

    number: int
    provider: str
    model: str
    file: JobFile


class _Maker(msgspec.Struct):
    provider: str
    model: str


async def variations_of(runtime: Runtime, job: JobView) -> list[Variation]:
    """Give the pictures of a job that has ended, in their order. Raises: Unavailable."""
    made = await _made(runtime, job.id, workspace_id=job.workspace_id)
    return [
        Variation(number=number, provider=maker.provider, model=_shown(maker), file=file)
        for (number, maker), file in zip(made, job.files, strict=True)
    ]


async def _made(runtime: Runtime, job_id: UUID, *, workspace_id: int) -> list[tuple[int, _Maker]]:
    """Give for each file which of the asked ones it is, and what made it.

    Where one submission made fewer than it was asked for, they count as its first.
    """
    async with borrowed(runtime.pool) as connection:
        cursor = await connection.execute(_RUNS, (job_id, workspace_id))
        runs = await cursor.fetchall()
    found: list[tuple[int, _Maker]] = []
    first = 1
    for item_count, made_count, route in runs:
        maker = msgspec.convert(route, _Maker)
        found += [(first + at, maker) for at in range(made_count)]
        first += item_count
    return found


def _shown(maker: _Maker) -> str:
    return shown_name(maker.provider, maker.model)
