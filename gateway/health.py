"""How providers do: finished calls and runs of jobs of the last hour or day, and their circuits.

Read when staff look; nothing is stored. Figures are exact: every finished call and every run of the
period is counted. Circuits are what the web processes know together; workers keep their own.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import redis
from django.conf import settings
from django.db import connection
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from gateway.breaker import circuit_name
from gateway.providers import providers
from gateway.routing import Upstreams
from gateway.statements import read_sql

PERIODS = {"hour": timedelta(hours=1), "day": timedelta(days=1)}
_CALLS = read_sql("provider_health")
_RUNS = read_sql("provider_runs")
_REDIS_PATIENCE_S = 1.0

Codes = Mapping[str, int]


class CallsHealth(msgspec.Struct, frozen=True, kw_only=True):
    """How one model did in calls. `failed` counts attempts too after which another route answered,
    so it may exceed `calls`; times are of those that succeeded.
    """

    provider: str
    model: str
    operation: str
    calls: int
    succeeded: int
    failed: int
    codes: Codes
    p50_ms: int | None
    p95_ms: int | None
    first_byte_p50_ms: int | None


class RunsHealth(msgspec.Struct, frozen=True, kw_only=True):
    """How one model did in runs of jobs; times are from the submission to the stored files."""

    provider: str
    model: str
    runs: int
    succeeded: int
    failed: int
    open: int
    unknown: int
    codes: Codes
    p50_ms: int | None
    p95_ms: int | None


class CircuitState(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a provider's circuit by our key.

    `reach` is by whom it is answered; `state` "closed", "open", "probing" (its time is over, the
    next call tries) or "unknown" (Redis is away); `resting` names models and for how long.
    """

    reach: str
    state: str
    open_s: int = 0
    resting: Mapping[str, int] = {}


class ProviderState(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of one provider."""

    provider: str
    circuit: CircuitState
    calls: tuple[CallsHealth, ...]
    runs: tuple[RunsHealth, ...]


def read_health(period: timedelta) -> list[ProviderState]:
    """Read how each provider did in a period, and how it stands now; by name."""
    seconds = period.total_seconds()
    calls: dict[str, list[CallsHealth]] = defaultdict(list)
    runs: dict[str, list[RunsHealth]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_CALLS, [seconds, seconds])
        for row in cursor.fetchall():
            call = CallsHealth(**_named(CallsHealth, row))
            calls[call.provider].append(call)
        cursor.execute(_RUNS, [seconds])
        for row in cursor.fetchall():
            run = RunsHealth(**_named(RunsHealth, row))
            runs[run.provider].append(run)
    names = sorted({*providers(), *calls, *runs})
    circuits = read_circuits(names)
    return [
        ProviderState(
            provider=name,
            circuit=circuits[name],
            calls=tuple(calls[name]),
            runs=tuple(runs[name]),
        )
        for name in names
    ]


def read_circuits(names: list[str]) -> dict[str, CircuitState]:
    """Read the circuits of providers, as the web processes told Redis."""
    upstreams = Upstreams()
    found: dict[str, CircuitState] = {}
    with _redis() as client:
        for name in names:
            upstream = upstreams.find(name)
            if upstream is None:
                found[name] = CircuitState(reach="no key", state="closed")
            elif upstream.sandbox:
                found[name] = CircuitState(reach="sandbox", state="closed")
            else:
                found[name] = _circuit(client, circuit_name(upstream))
    return found


def _circuit(client: Any, name: str) -> CircuitState:  # noqa: ANN401  whatever Redis answers
    """Read one circuit. Its keys are those of breaker.lua; times are Redis's, in milliseconds."""
    try:
        seconds, micros = client.time()
        till = client.get(f"breaker:open:{name}")
        rests = client.zrange(f"breaker:rests:{name}", 0, -1, withscores=True)
    except (RedisError, OSError):
        return CircuitState(reach="our key", state="unknown")
    now_ms = seconds * 1000 + micros // 1000
    left_ms = int(till) - now_ms if till is not None else 0
    resting = {
        model.decode(): round((score - now_ms) / 1000) for model, score in rests if score > now_ms
    }
    state = "closed" if till is None else "open" if left_ms > 0 else "probing"
    return CircuitState(
        reach="our key", state=state, open_s=max(0, left_ms) // 1000, resting=resting
    )


def _named(kind: type[msgspec.Struct], row: Sequence[Any]) -> dict[str, Any]:
    """Name a row's columns, which are in the order of the fields."""
    fields = dict(zip(kind.__struct_fields__, row, strict=True))
    return fields | {"codes": msgspec.json.decode(fields["codes"], type=dict[str, int])}


def _redis() -> redis.Redis:
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=_REDIS_PATIENCE_S,
        socket_connect_timeout=_REDIS_PATIENCE_S,
        retry=Retry(NoBackoff(), 0),
    )
