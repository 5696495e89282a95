"""Real servers and processes that may be killed: PostgreSQL, Valkey, the sandbox, gateways, a
Celery worker and beat.
"""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import psutil
import psycopg
import redis

from studio.supervisor.bootstrap import BASE_DIR
from studio.supervisor.places import CannotStart
from studio.supervisor.plan import Plan
from studio.supervisor.processes import (
    Child,
    ChildSpec,
    free_port,
    log_tail,
    start,
    stop,
    wait_until,
)
from studio.supervisor.throwaway import Throwaway, throwaway_servers

_DATABASE = "studio_torture"
_RECOVERY_S = 60.0
_LOOK_AGAIN_S = 0.02


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A workspace that may ask, and how much it was given, in µcr."""

    workspace_id: int
    app_key: str
    granted_ucr: int


@dataclass(slots=True, kw_only=True)
class Stage:
    """What runs. `gateways` listen on `ports`, in the same order; `celery` is empty or a worker and
    beat.
    """

    servers: Throwaway
    environment: Mapping[str, str]
    sandbox_port: int
    ports: list[int] = field(default_factory=list)
    gateways: list[Child] = field(default_factory=list)
    celery: list[Child] = field(default_factory=list)
    others: list[Child] = field(default_factory=list)

    @property
    def log_dir(self) -> Path:
        """Where every process writes."""
        return self.servers.directory / "logs"

    def connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        """Connect to the database as its superuser."""
        url = self.servers.postgres.url("postgres", _DATABASE)
        return psycopg.connect(url, autocommit=True, connect_timeout=2)

    def spec(self, name: str, *arguments: str) -> ChildSpec:
        """Describe one of our own programs as a child process."""
        return ChildSpec(
            name=name,
            command=[sys.executable, *arguments],
            environment=self.environment,
            log=self.log_dir / f"{name}.log",
            cwd=BASE_DIR,
        )

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one of our own programs to its end."""
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=BASE_DIR,
            env=dict(self.environment),
            capture_output=True,
            text=True,
            check=False,
        )

    def make_account(self, granted_ucr: int) -> Account:
        """Make a workspace without limits to speak of, its key and its credits. Raises:
        CannotStart.
        """
        amount = ["--count", "1", "--amount-ucr", str(granted_ucr)]
        done = self.python("-m", "bench.prepare", *amount)
        if done.returncode:
            raise CannotStart(f"No workspace could be made:\n{done.stderr[-2000:]}")
        made = json.loads(done.stdout)
        return Account(
            workspace_id=made["workspace_ids"][0],
            app_key=made["keys"][0],
            granted_ucr=granted_ucr,
        )

    def start_gateway(self, environment: Mapping[str, str], port: int) -> Child:
        """Start one gateway more, with settings of its own. Raises: CannotStart."""
        directory = self.servers.directory
        plan = Plan(data_dir=directory, host="127.0.0.1", port=port, environment=environment)
        child = start(plan.web())
        wait_until(lambda: self.answers_gateway(port), child=child, what="A gateway")
        return child

    def read_journal(self) -> list[dict[str, Any]]:
        """Give what was asked of the sandbox since the last reading, and make room for more."""
        _, answer = _ask(self.sandbox_port, "/_sandbox/requests")
        found: list[dict[str, Any]] = json.loads(answer)["requests"]
        _ask(self.sandbox_port, "/_sandbox/requests", method="DELETE")
        return found

    def answers_postgres(self) -> bool:
        """Say whether PostgreSQL takes statements."""
        try:
            with self.connect() as connection:
                return connection.execute("SELECT 1").fetchone() == (1,)
        except psycopg.OperationalError:
            return False

    def answers_valkey(self) -> bool:
        """Say whether Valkey takes commands."""
        try:
            with redis.Redis.from_url(self.servers.valkey.url(), socket_timeout=2) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def answers_gateway(self, port: int) -> bool:
        """Say whether a gateway is ready: it reaches database and cache."""
        try:
            return _ask(port, "/health/ready")[0] == 200
        except (OSError, http.client.HTTPException):
            return False


def _nothing(sandbox_port: int) -> Mapping[str, str]:
    return {}


@contextlib.contextmanager
def running_stage(
    *, gateways: int = 2, celery: bool = True, more: Callable[[int], Mapping[str, str]] = _nothing
) -> Iterator[Stage]:
    """Start everything, and stop it at the end. Raises: CannotStart.

    `more` gives further settings of the product, from the sandbox's port.
    """
    with throwaway_servers(durable=True) as servers:
        servers.make_template()
        servers.clone(_DATABASE)
        (servers.directory / "logs").mkdir()
        port = free_port()
        stage = Stage(
            servers=servers,
            environment=_environment(servers.environment(_DATABASE), port) | dict(more(port)),
            sandbox_port=port,
        )
        try:
            _start_all(stage, gateways, celery=celery)
            yield stage
        finally:
            stop([*stage.gateways, *stage.celery, *stage.others])


def kill(child: Child) -> None:
    """End a process and all that it started, with SIGKILL, the parent first: it starts nothing in
    between.
    """
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(child.process.pid)
        family = [parent, *parent.children(recursive=True)]
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        psutil.wait_procs(family[1:], timeout=5)
    child.process.wait()


def start_again(child: Child, ready: Callable[[], bool], what: str) -> float:
    """Start a killed process with the same command until it is ready. Returns: after how many
    seconds.

    Raises: CannotStart. PostgreSQL may refuse at first, while a child of its last life still holds
    its memory.
    """
    begun = time.monotonic()
    child.process = start(child.spec).process
    while not ready():
        if time.monotonic() - begun > _RECOVERY_S:
            raise CannotStart(
                f"{what} is not ready {_RECOVERY_S:g} s after it was killed:\n{log_tail(child)}"
            )
        if not child.alive:
            child.process = start(child.spec).process
        time.sleep(_LOOK_AGAIN_S)
    return time.monotonic() - begun


def _environment(product: Mapping[str, str], sandbox_port: int) -> dict[str, str]:
    """Run the product as in production, with the sandbox as its only provider."""
    kept = {
        name: value
        for name, value in product.items()
        if not name.endswith(("_BASE_URL", "_API_KEY")) and name not in ("SANDBOX_URL", "APP_KEY")
    }
    return kept | {
        "DEBUG": "0",
        "STUDIO_EMBEDDED": "1",
        "STUDIO_DOTENV": "0",
        "ALLOWED_HOSTS": "127.0.0.1",
        "SECURE_SSL_REDIRECT": "0",
        "OPENAI_API_KEY": "sk-torture",
        "OPENAI_BASE_URL": f"http://127.0.0.1:{sandbox_port}/openai/v1",
        "PYTHONPATH": os.pathsep.join([str(BASE_DIR), product.get("PYTHONPATH", "")]).rstrip(
            os.pathsep
        ),
    }


def _start_all(stage: Stage, gateways: int, *, celery: bool) -> None:
    sandbox = start(_plan(stage, stage.sandbox_port).sandbox(stage.sandbox_port))
    stage.others.append(sandbox)
    for _ in range(gateways):
        port = free_port()
        stage.ports.append(port)
        stage.gateways.append(start(_plan(stage, port).web()))
    if celery:
        plan = _plan(stage, stage.sandbox_port)
        stage.celery += [start(plan.worker()), start(plan.beat())]
    wait_until(lambda: _healthy(stage.sandbox_port), child=sandbox, what="The sandbox")
    for child, port in zip(stage.gateways, stage.ports, strict=True):
        wait_until(lambda port=port: stage.answers_gateway(port), child=child, what="A gateway")  # type: ignore[misc]


def _plan(stage: Stage, port: int) -> Plan:
    directory = stage.servers.directory
    return Plan(data_dir=directory, host="127.0.0.1", port=port, environment=stage.environment)


def _healthy(port: int) -> bool:
    try:
        return _ask(port, "/health")[0] == 200
    except (OSError, http.client.HTTPException):
        return False


def _ask(port: int, path: str, method: str = "GET") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
