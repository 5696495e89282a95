"""Everything one run needs: servers, a prepared database, upstream, pass-through and gateway.

Without DATABASE_URL and REDIS_URL in the environment it starts throw-away servers, fsync on. The
gateway and the pass-through get one core; everything else, this process and what it starts, gets
the other.
"""

import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import redis

from bench.cost import GATEWAY_CORE, OTHER_CORE, parent_named, pin
from studio.supervisor.bootstrap import BASE_DIR
from studio.supervisor.places import CannotStart, load_secrets
from studio.supervisor.plan import owner_environment, product_environment
from studio.supervisor.processes import Child, ChildSpec, free_port, start, stop, wait_until
from studio.supervisor.throwaway import throwaway_servers

_DATABASE = "studio_bench"
_PROVIDER_PATHS = {
    "OPENAI": "/v1",
    "ANTHROPIC": "",
    "GEMINI": "/v1beta",
    "XAI": "/xai/v1",
    "OPENROUTER": "/openrouter/v1",
    "ELEVENLABS": "/elevenlabs/v1",
}
"""Where the bench's upstream plays which provider (dialects.py)."""
_UVICORN = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--no-server-header"]
_UVICORN += [
    "--no-proxy-headers",
    "--host",
    "127.0.0.1",
    "--backlog",
    "16384",
    "--log-level",
    "warning",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One process that answers chats."""

    name: str
    port: int
    pid: int
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wallets:
    """Workspaces made for the bench, one key each."""

    workspace_ids: list[int]
    keys: list[str]


@dataclass(slots=True, kw_only=True)
class Stack:
    """What runs. `environment` is the product's, with the upstream as its provider."""

    environment: Mapping[str, str]
    log_dir: Path
    upstream: Server
    passthrough: Server
    own_passthrough: Server
    gateway: Server
    postgres_pid: int | None
    valkey_pid: int | None
    hot: Wallets
    many: Wallets
    children: list[Child] = field(default_factory=list)

    def python(self, *arguments: str, given: bytes = b"", core: int = OTHER_CORE) -> bytes:
        """Run one of our own programs to its end, with the rights the gateway has.

        Returns: what it printed. Raises: CannotStart with what it complained of.
        """
        return _python(self.environment, *arguments, given=given, core=core)

    def popen(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """Start one of our own programs, to feed and to wait for."""
        pipe = subprocess.PIPE
        command = [sys.executable, *arguments]
        return subprocess.Popen(
            command, cwd=BASE_DIR, env=dict(self.environment), stdin=pipe, stdout=pipe
        )

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        """Connect to the database as its owner."""
        return psycopg.connect(owner_environment(self.environment)["DATABASE_URL"], autocommit=True)

    def make_wallets(self, count: int, amount_ucr: int) -> Wallets:
        """Make workspaces with a key and so much credit each."""
        return _make_wallets(self.environment, count, amount_ucr)

    def start_gateway(self, name: str, core: int) -> Server:
        """Start one more gateway process, pinned, and wait until it is ready."""
        child, server = _start_web(
            name, "studio.asgi:application", self.environment, self.log_dir, core
        )
        self.children.append(child)
        return server

    def stop_last(self, count: int) -> None:
        """Stop the processes that were started last."""
        stop(self.children[-count:])
        del self.children[-count:]


@contextlib.contextmanager
def running_stack(wallets: int) -> Iterator[Stack]:
    """Start everything, and stop it at the end. Raises: CannotStart."""
    pin(0, OTHER_CORE)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 65_536)), hard))
    with contextlib.ExitStack() as undo:
        log_dir = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="studio-bench-")))
        upstream_port = free_port()
        bare = undo.enter_context(_servers(log_dir))
        environment = _product_environment(bare, upstream_port)
        children: list[Child] = []
        undo.callback(lambda: stop(children))
        arguments = ["-m", "bench.upstream", "--port", str(upstream_port)]
        children.append(start(_spec("upstream", arguments, environment, log_dir)))
        wait_until(
            lambda: _answers(upstream_port, "/"), child=children[-1], what="The bench's upstream"
        )
        passthrough_child, passthrough = _start_web(
            "pass-through", "bench.passthrough:application", environment, log_dir, GATEWAY_CORE
        )
        own_child, own_passthrough = _start_web(
            "pass-through, our client",
            "bench.passthrough:on_our_connections",
            environment,
            log_dir,
            GATEWAY_CORE,
        )
        children += [passthrough_child, own_child]
        hot, many = (
            _make_wallets(environment, 1, 10**15),
            _make_wallets(environment, wallets, 10**13),
        )
        gateway_child, gateway = _start_web(
            "gateway", "studio.asgi:application", environment, log_dir, GATEWAY_CORE
        )
        children.append(gateway_child)
        yield Stack(
            environment=environment,
            log_dir=log_dir,
            upstream=_server("direct", upstream_port, children[0]),
            passthrough=passthrough,
            own_passthrough=own_passthrough,
            gateway=gateway,
            postgres_pid=_postgres_pid(environment["DATABASE_URL"]),
            valkey_pid=_valkey_pid(environment["REDIS_URL"]),
            hot=hot,
            many=many,
            children=children,
        )


@contextlib.contextmanager
def _servers(log_dir: Path) -> Iterator[Mapping[str, str]]:
    """Give an environment with a prepared database and a Redis of its own."""
    given = os.environ.get("DATABASE_URL", "")
    if not given:
        with throwaway_servers(durable=True) as servers:
            servers.make_template()
            servers.clone(_DATABASE)
            yield servers.environment(_DATABASE)
        return
    if "bench" not in urlsplit(given).path:
        raise CannotStart(
            "The bench writes hundreds of thousands of calls: DATABASE_URL must name a database "
            'with "bench" in its name. Unset DATABASE_URL and REDIS_URL for throw-away servers.'
        )
    environment = product_environment(os.environ, load_secrets(log_dir), {})
    for command in (["migrate", "-v", "0"], ["load_catalogue"], ["load_prices"]):
        _python(owner_environment(environment), "-m", "django", *command)
    yield environment


def _product_environment(environment: Mapping[str, str], upstream_port: int) -> dict[str, str]:
    """Run the product as in production, with the bench's upstream as all of its providers."""
    kept = {
        name: value
        for name, value in environment.items()
        if not name.endswith(("_BASE_URL", "_API_KEY")) and name not in ("SANDBOX_URL", "APP_KEY")
    }
    upstream = f"http://127.0.0.1:{upstream_port}"
    providers: dict[str, str] = {}
    for name, path in _PROVIDER_PATHS.items():
        providers |= {f"{name}_API_KEY": "bench", f"{name}_BASE_URL": upstream + path}
    return (
        kept
        | providers
        | {
            "DEBUG": "0",
            "STUDIO_EMBEDDED": "1",
            "STUDIO_DOTENV": "0",
            "ALLOWED_HOSTS": "127.0.0.1",
            "SECURE_SSL_REDIRECT": "0",
            "UPSTREAM_URL": f"{upstream}/v1",
            "PYTHONPATH": str(BASE_DIR),
        }
    )


def _make_wallets(environment: Mapping[str, str], count: int, amount_ucr: int) -> Wallets:
    options = ["--count", str(count), "--amount-ucr", str(amount_ucr)]
    made = json.loads(_python(owner_environment(environment), "-m", "bench.prepare", *options))
    return Wallets(workspace_ids=made["workspace_ids"], keys=made["keys"])


def _start_web(
    name: str, application: str, environment: Mapping[str, str], log_dir: Path, core: int
) -> tuple[Child, Server]:
    port = free_port()
    arguments = ["-m", "uvicorn", application, "--port", str(port), *_UVICORN]
    child = start(_spec(name, arguments, environment, log_dir))
    pin(child.process.pid, core)
    path = "/" if application.startswith("bench.") else "/health/ready"
    wait_until(lambda: _answers(port, path), child=child, what=f"The {name}")
    return child, _server(name, port, child)


def _server(name: str, port: int, child: Child) -> Server:
    return Server(name=name, port=port, pid=child.process.pid, path="/v1/chat")


def _spec(
    name: str, arguments: list[str], environment: Mapping[str, str], log_dir: Path
) -> ChildSpec:
    return ChildSpec(
        name=name,
        command=[sys.executable, *arguments],
        environment=environment,
        log=log_dir / f"{name}.log",
        cwd=BASE_DIR,
    )


def _python(
    environment: Mapping[str, str], *arguments: str, given: bytes = b"", core: int = OTHER_CORE
) -> bytes:
    done = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=BASE_DIR,
        env=dict(environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    pin(done.pid, core)
    printed, complaint = done.communicate(given)
    if done.returncode:
        raise CannotStart(f"{' '.join(arguments[:3])} failed:\n{complaint.decode()[-2000:]}")
    return printed


def _answers(port: int, path: str) -> bool:
    """Say whether a server answers a GET at all well."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _postgres_pid(url: str) -> int | None:
    """Give the number of PostgreSQL's first process, if it runs on this machine."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        return parent_named(row[0], "postgres") if row else None


def _valkey_pid(url: str) -> int | None:
    """Give the number of the server's process, which means nothing if it runs elsewhere."""
    with redis.Redis.from_url(url) as client:
        return int(client.info("server")["process_id"])
