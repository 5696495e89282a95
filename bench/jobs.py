"""Jobs: how fast they are submitted and read beside a million others, how many one worker keeps in
flight, and what the keeping of books costs. `manage.py bench jobs [--seconds N]`, alone.

The load is open: requests leave at fixed times, whatever became of those before, and a latency
counts from the time its request was due.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import aiohttp
from psycopg import sql

from bench.cost import cpu_s, family_cpu_s, parent_named, rss_bytes
from bench.torture.stage import Account, Stage, running_stage
from studio.supervisor.plan import Plan
from studio.supervisor.processes import Child, start, stop

_RATE = 200
_ROWS = 1_000_000
_FLIGHT = 2_000
_WALLETS = 20
_MS = 1000
_DAYS = "80 days"
_FILL_JOBS = f"""
INSERT INTO gateway_job (
  id, workspace_id, app_id, user_ref, surface, operation, kind, channel, model, billing, sandbox,
  state, version, progress, item_count, made_count, parameters, routes, hold_ucr, charge_ucr,
  price_version, markup_bp, result, failure_code, failure_text, failure_status, deadline_at,
  created_at, started_at, finished_at)
SELECT uuidv7(-(n * interval '{_DAYS}' / %(rows)s)), (%(wallets)s::bigint[])[1 + n %% %(many)s],
  'app', 'user', 'studio', 'image', 'image.default', 'stable', 'flux', 'credits', false,
  'failed', 5, 1, 1, 0, '{{}}', '[]', 4000000, 0, 1, 2000, '[]', 'upstream_error', '', 502,
  now() - interval '1 day', now() - interval '2 days', now() - interval '2 days',
  now() - interval '1 day'
FROM generate_series(1, %(rows)s) n
"""  # noqa: S608  our own words alone
_FILL_RUNS = """
INSERT INTO gateway_jobrun (
  id, job_id, number, item_count, state, fence, next_at, attempts, attempt_log, route_position,
  upstream_id, calls_back, polls, progress, made, use, charge_ucr, cost_ucr, failure_code,
  failure_text, failure_status)
SELECT uuidv7(), id, 1, 1, 'failed', 3, now() - interval '1 day', 1, '[]', 0, '', false, 2, 1, '[]',
  '{}', 0, 0, 'upstream_error', '', 502 FROM gateway_job
"""
_FILL_EVENTS = """
INSERT INTO gateway_jobevent (job_id, at, what, public, detail)
SELECT id, now() - interval '1 day', w, true, '{}' FROM gateway_job, unnest(
  ARRAY['created', 'started', 'failed']) w
"""
_OPEN = "SELECT count(*) FROM gateway_job WHERE state IN ('queued', 'running')"
_RUNNING = "SELECT count(*) FROM gateway_jobrun WHERE state = 'running'"
_POLLS = "SELECT COALESCE(sum(polls), 0) FROM gateway_jobrun WHERE submitted_at IS NOT NULL"
_SLOW = "[[sandbox starting_ms=300000 running_ms=0]]"
_FAST = "[[sandbox starting_ms=0 running_ms=0]]"

Ask = Callable[[aiohttp.ClientSession, int], Awaitable[float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What runs: a gateway, the doubles, servers; and callers with credits."""

    stage: Stage
    accounts: Sequence[Account]

    @property
    def url(self) -> str:
        """The gateway's address."""
        return f"http://127.0.0.1:{self.stage.ports[0]}"

    def number(self, query: str) -> int:
        """Ask the database for one number."""
        with self.stage.connect() as connection:
            row = connection.execute(query.encode()).fetchone()
        assert row is not None, "a count has a row"
        return int(row[0])

    @contextmanager
    def worker(self) -> Iterator[Child]:
        """Run a worker for media for the time of the block."""
        plan = Plan(
            data_dir=self.stage.servers.directory,
            host="127.0.0.1",
            port=1,
            environment=self.stage.environment,
        )
        child = start(plan.media_worker())
        try:
            yield child
        finally:
            stop([child])


def bench_jobs(*, seconds: float) -> bool:
    """Measure and print; `seconds` of each rate. Returns: whether the jobs' books are in order."""
    with running_stage(gateways=1, more=_settings) as stage:
        scene = Scene(stage=stage, accounts=[stage.make_account(10**15) for _ in range(_WALLETS)])
        _fill(scene, _ROWS)
        count = round(_RATE * seconds)
        _rates(scene, _RATE, "warming up")
        ids = _rates(scene, count, f"submitting at {_RATE}/s")
        asyncio.run(_paced(scene, _reader(scene, ids), _RATE))  # its connections are made now
        print(f"reading them: {_line(asyncio.run(_paced(scene, _reader(scene, ids), count)))}")
        with scene.worker() as worker:
            _drain(scene, "what was submitted", worker)
            _books(scene, worker)
            _flight(scene, worker, _FLIGHT)
        with stage.connect() as connection:
            found = connection.execute("SELECT count(*) FROM job_violations").fetchone()
    violations = found[0] if found else 0
    print(f"job violations: {violations}")
    return violations == 0


def _settings(sandbox_port: int) -> Mapping[str, str]:
    return {
        "REPLICATE_API_KEY": "r8_bench",
        "REPLICATE_BASE_URL": f"http://127.0.0.1:{sandbox_port}/replicate/v1",
        "JOB_IMAGE_DEADLINE_S": "1200",
    }


def _fill(scene: Scene, rows: int) -> None:
    """Write jobs of the past; the superuser leaves out the checks of references."""
    begun = time.monotonic()
    wallets = [account.workspace_id for account in scene.accounts]
    values = {"rows": rows, "wallets": wallets, "many": len(wallets)}
    with scene.stage.connect() as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("SET statement_timeout = 0")
        connection.execute(sql.SQL(_FILL_JOBS), values)
        connection.execute(_FILL_RUNS)
        connection.execute(_FILL_EVENTS)
        connection.execute("ANALYZE")
    print(f"{rows} jobs written in {time.monotonic() - begun:.0f} s", flush=True)


def _rates(scene: Scene, count: int, what: str) -> dict[int, str]:
    """Submit at the rate, with no worker beside it. Returns: the jobs' ids by number."""
    ids: dict[int, str] = {}

    async def submit(session: aiohttp.ClientSession, number: int) -> float:
        ids[number] = await _post(scene, session, number, f"{number} {_FAST}")
        return time.perf_counter()

    print(f"{what}: {_line(asyncio.run(_paced(scene, submit, count)))}", flush=True)
    return ids


def _reader(scene: Scene, ids: Mapping[int, str]) -> Ask:
    async def read(session: aiohttp.ClientSession, number: int) -> float:
        headers = {"x-app-key": scene.accounts[number % _WALLETS].app_key}
        async with session.get(f"{scene.url}/v1/jobs/{ids[number]}", headers=headers) as answer:
            await answer.read()
            if answer.status != 200:
                raise RuntimeError(f"a read was answered {answer.status}")
        return time.perf_counter()

    return read


async def _post(scene: Scene, session: aiohttp.ClientSession, number: int, prompt: str) -> str:
    body = {"prompt": prompt, "wait": False, "width": 256, "height": 256}
    headers = {"x-app-key": scene.accounts[number % _WALLETS].app_key}
    async with session.post(f"{scene.url}/v1/images", json=body, headers=headers) as answer:
        found = json.loads(await answer.read())
        if answer.status not in (200, 202):
            raise RuntimeError(f"a job was answered {answer.status}: {found}")
    return str(found["id"])


async def _paced(scene: Scene, ask: Ask, count: int) -> list[float]:
    """Ask so many times at the rate. Returns: milliseconds from when each was due, sorted."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        begins_s = time.perf_counter() + 0.2

        async def one(number: int) -> float:
            due_s = begins_s + number / _RATE
            await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
            return (await ask(session, number) - due_s) * _MS

        return sorted(await asyncio.gather(*[one(number) for number in range(count)]))


def _drain(scene: Scene, what: str, worker: Child) -> None:
    """Wait until every job has ended, and say how fast that went."""
    waiting, begun = scene.number(_OPEN), time.monotonic()
    before_s = cpu_s(worker.process.pid)
    while scene.number(_OPEN):
        time.sleep(0.2)
    took_s = time.monotonic() - begun
    used_ms = (cpu_s(worker.process.pid) - before_s) * _MS / max(1, waiting)
    print(
        f"{what}: {waiting} jobs made in {took_s:.1f} s ({waiting / took_s:.0f}/s), "
        f"{used_ms:.1f} ms of the worker's processor each",
        flush=True,
    )


def _books(scene: Scene, worker: Child) -> None:
    """Tell what one job costs in all, at a rate that leaves nobody waiting."""
    count = 300
    parts = _parts(scene, worker)
    before = {name: cpu() for name, cpu in parts.items()}

    async def submit(session: aiohttp.ClientSession, number: int) -> float:
        await _post(scene, session, number, f"{number} {_FAST}")
        return time.perf_counter()

    asyncio.run(_paced(scene, submit, count))
    while scene.number(_OPEN):
        time.sleep(0.1)
    used = {name: (cpu() - before[name]) * _MS / count for name, cpu in parts.items()}
    shown = ", ".join(f"{name} {spent:.1f}" for name, spent in used.items())
    print(f"a job in processor ms: {shown}; in all {sum(used.values()):.1f}", flush=True)


def _parts(scene: Scene, worker: Child) -> dict[str, Callable[[], float]]:
    with scene.stage.connect() as connection:
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        postgres = parent_named(int(row[0]), "postgres") if row else None
    web, pid = scene.stage.gateways[0].process.pid, worker.process.pid
    valkey = scene.stage.servers.valkey.child.process.pid
    return {
        "web": lambda: cpu_s(web),
        "worker": lambda: cpu_s(pid),
        "its picture processes": lambda: family_cpu_s(pid) - cpu_s(pid),
        "postgres": lambda: family_cpu_s(postgres),
        "valkey": lambda: cpu_s(valkey),
    }


def _flight(scene: Scene, worker: Child, count: int) -> None:
    """Keep so many jobs at the provider at once, and tell what that costs while nothing ends."""
    rss_before = rss_bytes(worker.process.pid)

    async def submit(session: aiohttp.ClientSession, number: int) -> float:
        await _post(scene, session, number, f"{number} {_SLOW}")
        return time.perf_counter()

    asyncio.run(_paced(scene, submit, count))
    while scene.number(_RUNNING) < count:
        time.sleep(0.2)
    polls, used_s, begun = scene.number(_POLLS), cpu_s(worker.process.pid), time.monotonic()
    time.sleep(20)
    took_s = time.monotonic() - begun
    polls, used_s = scene.number(_POLLS) - polls, cpu_s(worker.process.pid) - used_s
    rss = rss_bytes(worker.process.pid)
    print(
        f"{count} in flight: {polls / took_s:.0f} polls/s, {used_s / took_s:.0%} of a core "
        f"({used_s * _MS / max(1, polls):.1f} ms a poll), worker {rss / 2**20:.0f} MB "
        f"({(rss - rss_before) / 2**20:+.0f} MB)",
        flush=True,
    )
    _drain(scene, "those, of which the provider takes 300 s", worker)


def _line(latencies_ms: Sequence[float]) -> str:
    def at(share: float) -> float:
        return latencies_ms[min(len(latencies_ms) - 1, int(len(latencies_ms) * share))]

    return f"p50 {at(0.5):.1f}, p95 {at(0.95):.1f}, p99 {at(0.99):.1f} ms of {len(latencies_ms)}"
