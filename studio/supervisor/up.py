"""The life of one `manage.py up`: start in order, watch, stop in order."""

import argparse
import contextlib
import errno
import fcntl
import hashlib
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from studio.supervisor import plan as planning
from studio.supervisor import surroundings
from studio.supervisor.bootstrap import BASE_DIR, EMBEDDED_LOCK
from studio.supervisor.places import (
    CannotStart,
    ServerPlace,
    load_secrets,
    prepare_data_dir,
    server_place,
    write_private,
)
from studio.supervisor.postgres import ROLES_SQL, Postgres, start_postgres
from studio.supervisor.probe import status_of
from studio.supervisor.processes import (
    Child,
    ChildSpec,
    end_leftovers,
    ended_how,
    free_port,
    log_tail,
    look_after,
    record_children,
    start,
    stop,
    wait_until,
)
from studio.supervisor.valkey import start_valkey

_PREPARED_FROM = ("studio", "gateway", "billing", "analytics")
"""A change in any file of these folders makes `up` migrate and load again."""


class Stopped(BaseException):
    """Ctrl-C, or another signal to end."""


def main(arguments: list[str]) -> int:
    """Run everything until told to stop. Returns: the exit code."""
    surroundings.read_dotenv()
    options = _parse(arguments)
    try:
        data_dir = prepare_data_dir(options.data_dir)
        with _only_one(data_dir):
            return _run(data_dir, options.host, options.port)
    except CannotStart as reason:
        say(str(reason))
        return 1


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


@dataclass(slots=True, kw_only=True)
class Running:
    """The children of this run, in the order of their start."""

    data_dir: Path
    children: list[Child] = field(default_factory=list)
    told_twice: bool = False

    def add(self, child: Child) -> Child:
        """Watch a child from now on."""
        self.children.append(child)
        self.record()
        return child

    def record(self) -> None:
        """Write down who the children are."""
        record_children(self.data_dir / "children.json", self.children)

    def watch(self) -> None:
        """Look after the children for ever. Raises: Stopped by the signal handler."""
        while True:
            pids = [child.process.pid for child in self.children]
            for child in self.children:
                look_after(child, say)
            if pids != [child.process.pid for child in self.children]:
                self.record()
            time.sleep(0.2)

    def stop(self) -> None:
        """Stop in order: callers first, then what they lean on."""
        groups = [
            ["beat", "web", "worker", "media-worker", "prepare"],
            ["sandbox", "valkey"],
            ["postgres"],
        ]
        for names in groups:
            members = [child for child in self.children if child.spec.name in names]
            stop(members, at_once=lambda: self.told_twice)
        (self.data_dir / "children.json").unlink(missing_ok=True)
        (self.data_dir / "up.json").unlink(missing_ok=True)
        surroundings.stop_sharing(self.data_dir)


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="manage.py up", description="Start Studio with everything it needs, for development."
    )
    port = os.environ.get("PORT") or "8000"
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=port, help="port to listen on (or PORT)")
    data_dir = surroundings.default_data_dir(os.environ)
    parser.add_argument(
        "--data-dir", type=Path, default=data_dir, help="data, secrets, logs (or STUDIO_DATA_DIR)"
    )
    return parser.parse_args(arguments)


@contextlib.contextmanager
def _only_one(data_dir: Path) -> Iterator[None]:
    """Hold the data folder.

    Raises: CannotStart when another `up` holds it, saying where that one answers.
    """
    with (data_dir / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise CannotStart(_already_running(data_dir, lock.read().strip())) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _already_running(data_dir: Path, pid: str) -> str:
    where = "it is still starting"
    with contextlib.suppress(OSError, ValueError):
        where = json.loads((data_dir / "up.json").read_text())["base_url"]
    return f"Studio already runs on {data_dir}: {where} (process {pid}; `kill {pid}` stops it)."


def _run(data_dir: Path, host: str, port: int) -> int:
    running = Running(data_dir=data_dir)
    stopping = False

    def on_signal(number: int, frame: FrameType | None) -> None:
        nonlocal stopping
        if stopping:
            running.told_twice = True
            return
        stopping = True
        raise Stopped

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, on_signal)
    try:
        _start_everything(running, host, port)
        running.watch()
    except Stopped:
        say("\nStopping …")
    finally:
        stopping = True
        running.stop()
    say("Stopped.")
    return 0


def _start_everything(running: Running, host: str, port: int) -> None:
    begun = time.monotonic()
    data_dir = running.data_dir
    (data_dir / "up.json").unlink(missing_ok=True)
    surroundings.stop_sharing(data_dir)
    for name in end_leftovers(data_dir / "children.json"):
        say(f"An earlier run was killed and left {name}: ended it.")
    _check_port(host, port)
    _turn_logs(data_dir / "logs")
    secrets = load_secrets(data_dir)
    addresses, postgres = _start_servers(running, secrets)
    sandbox_port = 0 if os.environ.get("SANDBOX_URL") else free_port()
    if sandbox_port:
        addresses["SANDBOX_URL"] = f"http://127.0.0.1:{sandbox_port}"
        addresses |= planning.sandbox_payments(os.environ, sandbox_port)
    if not os.environ.get("ASSETS_DIR"):
        addresses["ASSETS_DIR"] = str(data_dir / "assets")
    environment = planning.product_environment(os.environ, secrets, addresses)
    plan = planning.Plan(data_dir=data_dir, host=host, port=port, environment=environment)
    if sandbox_port:
        running.add(start(plan.sandbox(sandbox_port)))
    _start_product(running, plan, postgres, secrets["ADMIN_PASSWORD"])
    say(f"(Started in {time.monotonic() - begun:.1f} s. Ctrl-C stops everything.)")


def _start_product(
    running: Running, plan: planning.Plan, postgres: Postgres | None, admin_password: str
) -> None:
    """Prepare the database if needed, start what answers, then what works behind it."""
    key_file = plan.data_dir / "demo-key"
    prepare = plan.prepare(key_file, admin_password)
    prepared = key_file.exists() and _is_prepared(postgres)
    if not prepared:
        if postgres:
            postgres.make_database("studio")
        _prepare(running, prepare, postgres)
    web = running.add(start(plan.web()))
    # Not `/health/ready`: that also waits for a worker, and the worker is started last.
    _wait_healthy(f"{plan.base_url}/health", web, "The web server")
    if prepared and not _key_works(plan.base_url, key_file):
        # Somebody revoked it, or the workspace is gone.
        _prepare(running, prepare, postgres)
    for child in running.children:
        if child.spec.name == "sandbox":
            _wait_healthy(f"{plan.environment['SANDBOX_URL']}/health", child, "The sandbox")
    running.add(start(plan.worker()))
    running.add(start(plan.media_worker()))
    running.add(start(plan.beat()))
    _announce(plan, key_file.read_text().strip(), admin_password)


def _start_servers(
    running: Running, secrets: dict[str, str]
) -> tuple[dict[str, str], Postgres | None]:
    """Start those servers that the environment does not name.

    Returns: their addresses, and our PostgreSQL.
    """
    addresses: dict[str, str] = {}
    postgres = None
    own_postgres = not surroundings.configured(os.environ, "DATABASE_URL")
    own_valkey = not surroundings.configured(os.environ, "REDIS_URL")
    if not own_postgres and not own_valkey:
        return addresses, postgres
    planning.check_embedded_allowed(os.environ)
    place = server_place(running.data_dir)
    _tell_place(place, running.data_dir)
    log_dir = running.data_dir / "logs"
    if own_valkey:
        valkey = start_valkey(place, secrets, log_dir)
        running.add(valkey.child)
        addresses["REDIS_URL"] = valkey.url()
    if own_postgres:
        postgres = start_postgres(place, secrets, log_dir)
        running.add(postgres.child)
        addresses["DATABASE_URL"] = postgres.url("studio_app")
        addresses["DATABASE_OWNER_URL"] = postgres.url("studio_owner")
    return addresses, postgres


def _tell_place(place: ServerPlace, data_dir: Path) -> None:
    if place.moved:
        say(
            f"PostgreSQL does not run as root, and the user it runs as cannot reach {data_dir}: "
            f"its data are in {place.directory} instead."
        )


def _check_port(host: str, port: int) -> None:
    """Raises: CannotStart when nobody could listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            probe.listen(1)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise CannotStart(
                f"Port {port} of {host} is taken by another program. "
                f"Choose another: python3 manage.py up --port {free_port()}"
            ) from error
        raise CannotStart(f"Cannot listen on port {port} of {host}: {error.strerror}.") from error


def _turn_logs(log_dir: Path) -> None:
    """Begin new logs and keep those of the last run beside them."""
    log_dir.mkdir(mode=0o700, exist_ok=True)
    for log in log_dir.glob("*.log"):
        log.replace(log.with_suffix(".log.1"))


def _source_digest() -> str:
    """Digest what preparing works from: the product's files, the roles, the versions."""
    digest = hashlib.sha256((BASE_DIR / EMBEDDED_LOCK).read_bytes())
    digest.update(ROLES_SQL.read_bytes())
    for folder in _PREPARED_FROM:
        for path in sorted((BASE_DIR / folder).rglob("*")):
            if path.suffix in {".py", ".sql", ".json", ".toml"}:
                digest.update(str(path.relative_to(BASE_DIR)).encode() + path.read_bytes())
    return digest.hexdigest()


def _is_prepared(postgres: Postgres | None) -> bool:
    """Say whether this database was prepared from these files: it carries their digest."""
    if postgres is None:
        return False
    query = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'studio'"
    return postgres.psql(["-c", query]) == _source_digest()


def _prepare(running: Running, spec: ChildSpec, postgres: Postgres | None) -> None:
    """Migrate, load, make the demo workspace.

    Raises: CannotStart with the last lines of what went wrong.
    """
    say("Preparing the database …")
    digest = _source_digest()
    child = start(spec)
    running.children.append(child)
    code = child.process.wait()
    running.children.remove(child)
    if code:
        raise CannotStart(f"Preparing the database {ended_how(child)}:\n{log_tail(child, 25)}")
    if postgres:
        postgres.psql(["-c", f"COMMENT ON DATABASE studio IS '{digest}'"])


def _wait_healthy(url: str, child: Child, what: str) -> None:
    wait_until(lambda: status_of(url) == 200, child=child, what=what)


def _key_works(base_url: str, key_file: Path) -> bool:
    return status_of(f"{base_url}/v1/credits", key_file.read_text().strip()) == 200


def _announce(plan: planning.Plan, app_key: str, admin_password: str) -> None:
    """Write up.json and the environment that commands share, and say where everything is."""
    surroundings.share_environment(plan.data_dir, plan.environment)
    facts = {
        "base_url": plan.base_url,
        "app_key": app_key,
        "admin_url": f"{plan.base_url}/admin/",
        "admin_user": "admin",
        "admin_password": admin_password,
        "sandbox_url": plan.environment["SANDBOX_URL"],
    }
    write_private(plan.data_dir / "up.json", json.dumps(facts, indent=1) + "\n")
    say(f"""
Studio is running.

  API       {facts["base_url"]}
  App key   {app_key}
  Admin     {facts["admin_url"]}   {facts["admin_user"]} / {admin_password}
  Data      {plan.data_dir}   (logs in logs/)

Payments {planning.who_is_paid(plan.environment)}.
Chat is answered by {planning.who_answers(plan.environment)}. The first call:

  curl {facts["base_url"]}/v1/chat -H 'x-app-key: {app_key}' \\
    -H 'content-type: application/json' \\
    -d '{{"kind": "chat.default", "messages": [{{"role": "user", "content": "Hello!"}}]}}'
""")
