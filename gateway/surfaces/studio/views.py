"""The studio surface behind the Django door: health and models; credits.py has the money."""

import asyncio
import time
from collections.abc import Awaitable
from datetime import UTC, datetime

import psycopg
from django.conf import settings
from django.http import HttpResponse
from psycopg_pool import PoolTimeout
from redis.exceptions import RedisError

from gateway.admission import require_scope
from gateway.catalogue.listing import list_models, openai_models
from gateway.surfaces.asking import allow_methods, caller_of
from gateway.surfaces.entry import channel_of
from gateway.surfaces.middleware import ApiRequest, json_response
from studio.celery import app as celery_app
from studio.core.errors import NotFound

_STARTED_S = time.monotonic()
_READY_PATIENCE_S = 2.0
_READY_KEPT_S = 1.0


async def health(request: ApiRequest) -> HttpResponse:
    """Say that this process answers. Liveness only: nothing else is asked."""
    return json_response(
        {
            "status": "ok",
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds")[:-6] + "Z",
            "version": settings.STUDIO_VERSION,
            "uptime": round(time.monotonic() - _STARTED_S, 3),
        }
    )


async def ready(request: ApiRequest) -> HttpResponse:
    """Say whether database, cache and worker answer; 503 if the database or the cache does not."""
    if _readiness.asked_s + _READY_KEPT_S < time.monotonic():
        _readiness.parts = await _ask_parts(request)
        _readiness.asked_s = time.monotonic()
    parts = _readiness.parts
    usable = parts["database"] and parts["cache"]
    body = {
        "status": "ready" if all(parts.values()) else "degraded" if usable else "unavailable",
        "parts": {name: "ok" if up else "down" for name, up in parts.items()},
    }
    return json_response(body, status=200 if usable else 503)


async def models(request: ApiRequest) -> HttpResponse:
    """List what may be called, for the studio's clients and for OpenAI's in one object."""
    allow_methods(request, "GET")
    caller = caller_of(request)
    require_scope(caller, "models")
    runtime = request.runtime
    runtime.catalogue.channel(channel_of(request.headers.get("x-model-channel"), caller))
    return json_response(list_models(runtime.catalogue, runtime.can_call))


async def model(request: ApiRequest, name: str) -> HttpResponse:
    """Describe one model, kind or alias as OpenAI's clients ask for it."""
    allow_methods(request, "GET")
    require_scope(caller_of(request), "models")
    runtime = request.runtime
    entry = openai_models(runtime.catalogue, runtime.can_call).get(name)
    if entry is None:
        raise NotFound(f'The model "{name[:200]}" does not exist.')
    return json_response(entry)


class _Readiness:
    """What was found out last; the path is public, so it is not asked anew for everyone."""

    def __init__(self) -> None:
        self.asked_s = float("-inf")
        self.parts: dict[str, bool] = {}


_readiness = _Readiness()


async def _ask_parts(request: ApiRequest) -> dict[str, bool]:
    database, cache, worker = await asyncio.gather(
        _answers(_ask_database(request)), _answers(_ask_cache(request)), _answers(_ask_worker())
    )
    return {"database": database, "cache": cache, "worker": worker}


async def _answers(question: Awaitable[object]) -> bool:
    try:
        await asyncio.wait_for(question, _READY_PATIENCE_S)
    except (OSError, RedisError, TimeoutError, PoolTimeout, psycopg.Error):
        return False
    return True


async def _ask_database(request: ApiRequest) -> None:
    async with request.runtime.pool.connection() as postgres:
        await postgres.execute("SELECT 1")


async def _ask_cache(request: ApiRequest) -> None:
    await request.runtime.limiter.ping()


async def _ask_worker() -> None:
    replies = await asyncio.to_thread(
        celery_app.control.broadcast, "ping", reply=True, limit=1, timeout=_READY_PATIENCE_S / 2
    )
    if not replies:
        raise TimeoutError
