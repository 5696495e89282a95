"""Real processes for tests: the gateway's, its workers, and the upstream sandbox."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from studio.supervisor.bootstrap import BASE_DIR
from studio.supervisor.plan import Plan
from studio.supervisor.probe import status_of
from studio.supervisor.processes import Child, ChildSpec, free_port, start, stop, wait_until


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A running web process."""

    url: str
    child: Child

    @property
    def pid(self) -> int:
        """Its process id, for tests that kill it."""
        return self.child.process.pid

    def kill(self) -> None:
        """End it as a crash would."""
        self.child.process.kill()
        self.child.process.wait()

    def stop(self) -> None:
        """End it as a deployment would: it answers what is under way."""
        stop([self.child])


def run_gateway(directory: Path, environment: Mapping[str, str]) -> Gateway:
    """Start a web process and wait until it is ready."""
    plan = _plan(directory, environment)
    child = start(plan.web())
    wait_until(
        lambda: status_of(f"{plan.base_url}/health/ready") == 200, child=child, what="The gateway"
    )
    return Gateway(url=plan.base_url, child=child)


@contextmanager
def run_media(directory: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """Run what makes images and music: a web process, a media worker, beat. Gives: the URL."""
    plan = _plan(directory, environment)
    with ExitStack() as undo:
        for spec in (plan.media_worker(), plan.beat()):
            undo.callback(stop, [start(spec)])
        gateway = run_gateway(directory, environment)
        undo.callback(gateway.stop)
        yield gateway.url


def _plan(directory: Path, environment: Mapping[str, str]) -> Plan:
    plan = Plan(
        data_dir=directory,
        host="127.0.0.1",
        port=free_port(),
        environment={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
    )
    plan.log_dir.mkdir(exist_ok=True)
    return plan


def other_redis(url: str) -> str:
    """Give a part of Redis for gateways on databases of their own: ids of keys are alike there, and
    their limits are not to be counted together.
    """
    address, _, number = url.rpartition("/")
    return f"{address}/{int(number) + 8}"


def run_sandbox(directory: Path) -> tuple[str, Child]:
    """Start the sandbox and wait until it answers. Returns: its URL and its process."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    spec = ChildSpec(
        name="sandbox",
        command=[sys.executable, "-m", "sandbox", "--host", "127.0.0.1", "--port", str(port)],
        environment=os.environ,
        log=directory / "sandbox.log",
        cwd=BASE_DIR,
    )
    child = start(spec)
    wait_until(lambda: status_of(f"{url}/health") == 200, child=child, what="The sandbox")
    return url, child
