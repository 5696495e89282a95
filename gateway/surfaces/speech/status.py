"""GET /speech/health, for everybody, and /speech/status, for a caller: figures that are counted."""

import time

import msgspec
import psutil
from django.conf import settings

from gateway.runtime import Runtime
from gateway.speech.figures import Used, read_speech_figures
from gateway.surfaces.door import Answer, Request
from gateway.surfaces.speech.bodies import KINDS
from gateway.surfaces.speech.entry import SPEAKER, speech_entered

_STARTED_S = time.monotonic()
_CHATTER = "openai"
_MEGABYTE = 1024 * 1024


class Health(msgspec.Struct, kw_only=True):
    """How this API stands. `uptime` is this process's, in seconds."""

    status: str
    version: str
    uptime: int
    api_status: dict[str, str]


class Status(msgspec.Struct, kw_only=True):
    """The workspace's calls that are under way, its sounds that are kept, and this process."""

    active_requests: int
    cache_size: int
    memory_usage: str
    cpu_usage: str
    api_usage: dict[str, Used]


async def health(request: Request) -> Answer:
    """Say how this API and its two providers stand. No credential is needed."""
    runtime = request.runtime
    api_status = {
        _CHATTER: _reached(runtime, _CHATTER),
        SPEAKER: _reached(runtime, SPEAKER) if _is_deployed(runtime) else "not_configured",
    }
    body = Health(
        status="degraded" if "disconnected" in api_status.values() else "healthy",
        version=settings.STUDIO_VERSION,
        uptime=int(time.monotonic() - _STARTED_S),
        api_status=api_status,
    )
    return Answer(body=msgspec.json.encode(body))


async def status(request: Request) -> Answer:
    """Say what the caller's workspace uses, and what this process does."""
    async with speech_entered(request, "speech") as admitted:
        found = await read_speech_figures(
            request.runtime.pool,
            workspace_id=admitted.caller.workspace_id,
            providers=(_CHATTER, SPEAKER),
        )
        body = Status(
            active_requests=found.open_calls,
            cache_size=found.kept_sounds,
            memory_usage=f"{round(_process.memory_info().rss / _MEGABYTE)}MB",
            cpu_usage=f"{round(_process.cpu_percent())}%",
            api_usage=found.used,
        )
        return Answer(body=msgspec.json.encode(body))


def _reached(runtime: Runtime, provider: str) -> str:
    """Say whether a provider is reached: as its last calls went, without asking it."""
    upstream = runtime.upstreams.find(provider)
    if upstream is None:
        return "not_configured"
    return "disconnected" if runtime.breaker.circuit(upstream).is_open else "connected"


def _is_deployed(runtime: Runtime) -> bool:
    """Say whether the voices have an address: the sandbox, or a deployment of the operator's."""
    upstream = runtime.upstreams.find(SPEAKER)
    if upstream is not None and upstream.sandbox:
        return True
    names = [kind.removeprefix("speech.") for kind in KINDS.values()]
    return any(f"{SPEAKER}:{name}" in settings.DEPLOYMENT_BASE_URLS for name in names)


_process = psutil.Process()
_process.cpu_percent()  # from now on it tells what was used since it was asked last
