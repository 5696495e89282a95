"""Workers for media killed while a run is at each of its states, the broker flushed, every message
repeated, PostgreSQL restarted: each job must end by its deadline, sent once, charged at most once.

`manage.py torture jobs --kills N --seed S`: N kills at each state.
"""

import contextlib
import json
import random
import re
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException

import msgspec
import psycopg
import redis
from celery import Celery

from bench.torture.stage import Account, Stage, kill, running_stage, start_again
from studio.supervisor.plan import Plan
from studio.supervisor.processes import Child, start, stop

STATES = ("queued", "submitting", "running", "storing")
_PROMPTS = (
    "[[sandbox starting_ms=200 running_ms=800]]",
    "[[sandbox starting_ms=500 running_ms=4000]]",
    "[[sandbox latency_ms=1500]]",
    "[[sandbox at=file latency_ms=1500]]",
    "[[sandbox drop]]",
    "[[sandbox fail=nsfw]]",
)
_DEADLINE_S = 150
_PATIENCE_S = 30.0
_LOOK_EVERY_S = 0.01
_SUBMIT_EVERY_S = 0.4
_GRACE_S = 120
_OPEN = "'queued', 'submitting', 'unknown', 'running', 'storing'"
_FINAL = ("succeeded", "failed", "canceled", "expired")
_MARK = re.compile(r"torture\d{6}")
_WORK_ON_RUN = "gateway.jobs.tasks.work_on_run"
_LATEST = """
SELECT max(extract(epoch FROM finished_at - deadline_at))::float8 FROM gateway_job
"""
_FAULTS = """
SELECT 'job with ' || n || ' usage rows: ' || id FROM (
  SELECT j.id, count(u.request_id) AS n FROM gateway_job j
  LEFT JOIN usage u ON u.request_id = j.id AND u.request_count > 0 GROUP BY j.id) x WHERE n <> 1
UNION ALL
SELECT 'job charged more than once: ' || id::text FROM ledger.entry WHERE kind = 'usage' AND seq = 0
GROUP BY id HAVING count(*) > 1
UNION ALL
SELECT 'charged though it did not succeed: ' || id FROM gateway_job
WHERE charge_ucr > 0 AND state NOT IN ('succeeded', 'canceled')
UNION ALL
SELECT violation || ': ' || job_id || ' ' || detail FROM job_violations
"""


class Report(msgspec.Struct, kw_only=True):
    """What came of it."""

    kills: dict[str, int]
    ends: dict[str, int]
    failures: dict[str, int]
    submissions: int
    late_s: float
    faults: list[str]


class Load(threading.Thread):
    """Submits jobs, a few each second, and cancels some; keeps what each was asked for, by mark."""

    def __init__(self, stage: Stage, account: Account, seed: int) -> None:
        super().__init__(daemon=True)
        self.asked: dict[str, int] = {}
        self.refused: Counter[str] = Counter()
        self.ending = threading.Event()
        self._port = stage.ports[0]
        self._key = account.app_key
        self._choose = random.Random(f"{seed}/load")

    def run(self) -> None:
        """Submit until told to end."""
        while not self.ending.wait(_SUBMIT_EVERY_S):
            mark, count = f"torture{len(self.asked):06d}", self._choose.choice((1, 1, 1, 6))
            prompt = f"{mark} {self._choose.choice(_PROMPTS)}"
            body = {"prompt": prompt, "num_outputs": count, "wait": False, "width": 256}
            body["height"] = 256
            self.asked[mark] = 2 if count > 4 else 1
            status, answer = self._post("/v1/images", body)
            if status not in (200, 202):
                self.refused[str(status)] += 1
            elif self._choose.random() < 0.1:
                self._post(f"/v1/images/{answer['id']}/cancel", {})

    def _post(self, path: str, body: object) -> tuple[int, dict[str, str]]:
        headers = {"x-app-key": self._key, "content-type": "application/json"}
        connection = HTTPConnection("127.0.0.1", self._port, timeout=20)
        try:
            connection.request("POST", path, json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"{}")
        except (OSError, HTTPException, ValueError) as error:
            return 0, {"error": type(error).__name__}
        finally:
            connection.close()


class Torturer:
    """Kills, flushes and repeats; counts the submissions that reached the provider, by mark."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self.stage = stage
        self.choose = random.Random(f"{seed}/kills")
        self.kills: Counter[str] = Counter()
        self.posted: Counter[str] = Counter()
        self._seen: defaultdict[str, set[str]] = defaultdict(set)
        directory = stage.servers.directory
        plan = Plan(data_dir=directory, host="127.0.0.1", port=1, environment=stage.environment)
        self.worker: Child = start(plan.media_worker())
        self._broker = Celery(broker=stage.servers.valkey.url())

    def strike(self, state: str) -> None:
        """Kill the worker as soon as a run comes to this state, and start it again."""
        reached = self._wait_for(state)
        kill(self.worker)
        self.kills[state if reached else f"{state} not reached"] += 1
        if self.choose.random() < 0.3:
            self._flush()
        if self.choose.random() < 0.3:
            self._repeat_messages()
        if self.choose.random() < 0.05:
            server = self.stage.servers.postgres.child
            kill(server)
            start_again(server, self.stage.answers_postgres, "PostgreSQL")
            self.kills["postgres"] += 1
        self.worker.process = start(self.worker.spec).process
        self.read_journal()

    def read_journal(self) -> None:
        """Count submissions before the sandbox forgets them."""
        for entry in self.stage.read_journal():
            if entry["method"] == "POST" and entry["path"].endswith("/predictions"):
                found = _MARK.search(json.dumps(entry))
                # Of a sender that was killed before its body was whole there is nothing to read.
                self.posted[found[0] if found else ""] += 1

    def open_jobs(self) -> int:
        """Count jobs that have not ended; PostgreSQL may be away for a moment."""
        with contextlib.suppress(psycopg.OperationalError):
            return int(self._one("SELECT count(*) FROM gateway_job WHERE finished_at IS NULL"))
        return 1

    def _wait_for(self, state: str) -> bool:
        """Wait for a run that was not there at an earlier kill. Returns: whether one came."""
        query = "SELECT id::text FROM gateway_jobrun WHERE state = %s"
        ends_s = time.monotonic() + _PATIENCE_S
        while time.monotonic() < ends_s:
            with contextlib.suppress(psycopg.OperationalError), self.stage.connect() as connection:
                there = {str(row[0]) for row in connection.execute(query, (state,)).fetchall()}
                if there - self._seen[state]:
                    self._seen[state] |= there
                    return True
            time.sleep(_LOOK_EVERY_S)
        return False

    def _flush(self) -> None:
        with redis.Redis.from_url(self.stage.servers.valkey.url()) as client:
            client.flushall()
        self.kills["flushall"] += 1

    def _repeat_messages(self) -> None:
        with contextlib.suppress(psycopg.OperationalError), self.stage.connect() as connection:
            query = f"SELECT id::text FROM gateway_jobrun WHERE state IN ({_OPEN})"  # noqa: S608
            runs = [str(row[0]) for row in connection.execute(query).fetchall()]
            for run_id in runs * 5:
                self._broker.send_task(_WORK_ON_RUN, args=[run_id], queue="media")
            self.kills["messages x5"] += len(runs)

    def _one(self, query: str) -> float:
        with self.stage.connect() as connection:
            row = connection.execute(query.encode()).fetchone()
        return float(row[0] or 0) if row else 0.0


def torture_jobs(*, kills: int, seed: int) -> int:
    """Kill at each state `kills` times. Returns: an exit code."""
    plan = [state for state in STATES for _ in range(kills)]
    random.Random(seed).shuffle(plan)
    print(f"torture: jobs; {len(STATES)} states x {kills} kills; --seed {seed}", flush=True)
    begun = time.monotonic()
    with running_stage(gateways=1, more=_settings) as stage:
        report = _run(stage, plan, seed)
    _print(report, time.monotonic() - begun)
    return int(bool(report.faults))


def _settings(sandbox_port: int) -> Mapping[str, str]:
    return {
        "REPLICATE_API_KEY": "r8_torture",
        "REPLICATE_BASE_URL": f"http://127.0.0.1:{sandbox_port}/replicate/v1",
        "JOB_IMAGE_DEADLINE_S": str(_DEADLINE_S),
    }


def _run(stage: Stage, plan: list[str], seed: int) -> Report:
    load = Load(stage, stage.make_account(10**15), seed)
    torturer = Torturer(stage, seed)
    try:
        load.start()
        for state in plan:
            torturer.strike(state)
        load.ending.set()
        load.join()
        ends_s = time.monotonic() + _DEADLINE_S + _GRACE_S
        while torturer.open_jobs() and time.monotonic() < ends_s:
            torturer.read_journal()
            time.sleep(1)
        torturer.read_journal()
        return _report(stage, load, torturer)
    finally:
        load.ending.set()
        stop([torturer.worker])


def _report(stage: Stage, load: Load, torturer: Torturer) -> Report:
    with stage.connect() as connection:
        ends = connection.execute("SELECT state, count(*) FROM gateway_job GROUP BY 1").fetchall()
        failures = connection.execute(
            "SELECT failure_code, count(*) FROM gateway_job WHERE failure_code <> '' GROUP BY 1"
        ).fetchall()
        late = connection.execute(_LATEST).fetchone()
        faults = [str(row[0]) for row in connection.execute(_FAULTS).fetchall()]
    open_states = [str(state) for state, _ in ends if state not in _FINAL]
    faults += [f"a job is still {state}" for state in open_states]
    faults += [
        f"{mark} was submitted {count} times, it has {load.asked[mark]} runs"
        for mark, count in torturer.posted.items()
        if mark and count > load.asked[mark]
    ]
    done = stage.python("-m", "django", "reconcile")
    faults += [] if done.returncode == 0 else done.stdout.splitlines()[-5:]
    return Report(
        kills=dict(torturer.kills),
        ends={str(state): int(count) for state, count in ends},
        failures={str(code): int(count) for code, count in failures},
        submissions=sum(torturer.posted.values()),
        late_s=float(late[0] or 0) if late else 0.0,
        faults=faults,
    )


def _print(report: Report, took_s: float) -> None:
    for name in ("kills", "ends", "failures"):
        found = getattr(report, name)
        print(f"{name}: " + ", ".join(f"{word} {count}" for word, count in sorted(found.items())))
    print(f"submissions: {report.submissions}; the last end was {report.late_s:.0f} s past its")
    print(f"deadline (below 0: before it); {len(report.faults)} faults; {took_s:.0f} s")
    for fault in report.faults[:40]:
        print(f"  VIOLATION {fault}")
