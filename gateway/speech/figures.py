"""Figures of one workspace's speech, counted when they are asked for."""

from collections.abc import Sequence

from msgspec import Struct

from gateway.pool import Pool, borrowed
from gateway.statements import read_sql

_FIGURES = read_sql("speech_figures")
_USED = read_sql("speech_used")


class Used(Struct, frozen=True):
    """Calls of a provider, and their tokens; characters where a model is billed by those."""

    requests: int = 0
    tokens: int = 0


class SpeechFigures(Struct, frozen=True, kw_only=True):
    """Calls under way in all processes, sounds that are kept, and what was used this month."""

    open_calls: int
    kept_sounds: int
    used: dict[str, Used]


async def read_speech_figures(
    pool: Pool, *, workspace_id: int, providers: Sequence[str]
) -> SpeechFigures:
    """Count. Raises: Unavailable."""
    values = {"workspace_id": workspace_id, "providers": list(providers)}
    async with borrowed(pool) as connection:
        [(open_calls, kept)] = await (await connection.execute(_FIGURES, values)).fetchall()
        rows = await (await connection.execute(_USED, values)).fetchall()
    used = {provider: Used() for provider in providers}
    used |= {provider: Used(requests, tokens) for provider, requests, tokens in rows}
    return SpeechFigures(open_calls=open_calls, kept_sounds=kept, used=used)
