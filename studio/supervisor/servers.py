"""PostgreSQL and Valkey, run as direct children on loopback ports of their own, with passwords."""

import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from signal import SIGINT, SIGTERM

from studio.supervisor.bootstrap import BASE_DIR
from studio.supervisor.places import CannotStart, ServerPlace, write_private
from studio.supervisor.processes import Child, ChildSpec, free_port, start, wait_until

OLDEST_POSTGRES = 18
_ROLES_SQL = BASE_DIR / "deploy" / "sql" / "roles.sql"
_POSTGRES_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
_NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_PASSWORDS_OF = {
    "postgres": "POSTGRES_PASSWORD",
    "studio_owner": "STUDIO_OWNER_PASSWORD",
    "studio_app": "STUDIO_APP_PASSWORD",
    "analytics_ro": "ANALYTICS_RO_PASSWORD",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """Both servers of one data folder: their children and how to reach them."""

    place: ServerPlace
    passwords: Mapping[str, str]
    postgres: Child
    postgres_port: int
    valkey: Child
    valkey_port: int

    def database_url(self, role: str, database: str = "studio") -> str:
        """Return the URL of a database for `postgres`, `studio_owner`, `studio_app` or `analytics_ro`."""
        password = self.passwords[_PASSWORDS_OF[role]]
        return f"postgres://{role}:{password}@127.0.0.1:{self.postgres_port}/{database}"

    def redis_url(self, number: int = 0) -> str:
        """Return the URL of one of Valkey's 64 databases."""
        return f"redis://:{self.passwords['VALKEY_PASSWORD']}@127.0.0.1:{self.valkey_port}/{number}"

    def make_database(self, name: str) -> None:
        """Make the roles and a database of theirs, or bring them up to date, by the file operators use."""
        self.psql(["-v", f"database={name}", "-f", str(_ROLES_SQL)])

    def psql(self, arguments: list[str], database: str = "postgres") -> str:
        """Run psql as the superuser. Returns: its output. Raises: CannotStart with what psql said."""
        url = self.database_url("postgres", database)
        options = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]
        done = subprocess.run(
            [self.place.binaries.postgres("psql"), *options, *arguments],
            env=os.environ | self.passwords | {"PGCONNECT_TIMEOUT": "5"} | _pg_environment(url),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise CannotStart(f"psql failed: {done.stderr.strip()}")
        return done.stdout.strip()


def start_servers(
    place: ServerPlace, passwords: Mapping[str, str], log_dir: Path, *, durable: bool = True
) -> Servers:
    """Start both servers and wait until they answer, making the database cluster first if there is none.

    `durable=False` is for servers that are thrown away: a crash of the machine may lose everything.
    Raises: CannotStart, and then nothing of it runs.
    """
    _check_version(place)
    postgres_port, valkey_port = free_port(), free_port()
    valkey = start(_valkey_spec(place, passwords, log_dir, valkey_port))
    cluster = place.directory / "postgres"
    if not cluster.exists():
        _make_cluster(place, passwords["POSTGRES_PASSWORD"], cluster, durable=durable)
    postgres = start(_postgres_spec(place, log_dir, postgres_port, durable=durable))
    servers = Servers(
        place=place,
        passwords=passwords,
        postgres=postgres,
        postgres_port=postgres_port,
        valkey=valkey,
        valkey_port=valkey_port,
    )
    wait_until(lambda: _postgres_ready(cluster, postgres), child=postgres, what="PostgreSQL")
    wait_until(lambda: valkey_answers(servers), child=valkey, what="Valkey")
    return servers


def valkey_answers(servers: Servers) -> bool:
    """Say whether Valkey answers a PING."""
    hello = f"AUTH {servers.passwords['VALKEY_PASSWORD']}\r\nPING\r\n".encode()
    try:
        with socket.create_connection(("127.0.0.1", servers.valkey_port), timeout=1) as connection:
            connection.sendall(hello)
            received = b""
            while b"+PONG" not in received:
                chunk = connection.recv(256)
                if not chunk:
                    return False
                received += chunk
    except OSError:
        return False
    return True


def _pg_environment(url: str) -> dict[str, str]:
    """Hand the address over in the environment: an argument would show the password to `ps`."""
    found = re.fullmatch(r"postgres://(\w+):(\w+)@([\d.]+):(\d+)/(\w+)", url)
    assert found
    names = ("PGUSER", "PGPASSWORD", "PGHOST", "PGPORT", "PGDATABASE")
    return dict(zip(names, found.groups(), strict=True))


def _check_version(place: ServerPlace) -> None:
    program = place.binaries.postgres("postgres")
    printed = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"(\d+)", printed.stdout)
    major = int(found.group(1)) if found else 0
    if major < OLDEST_POSTGRES:
        raise CannotStart(f"Studio needs PostgreSQL {OLDEST_POSTGRES}; embedded is {major}.")
    version_file = place.directory / "postgres" / "PG_VERSION"
    if version_file.exists() and int(version_file.read_text()) != major:
        raise CannotStart(
            f"{version_file.parent} was made by PostgreSQL {version_file.read_text().strip()}, "
            f"installed is {major}. Move the data with pg_dump, or choose a new --data-dir."
        )


def _make_cluster(place: ServerPlace, password: str, cluster: Path, *, durable: bool) -> None:
    """Run initdb beside the final place and move the result there: a cluster that exists is whole."""
    with tempfile.TemporaryDirectory(dir=place.directory, prefix="initdb-") as folder:
        password_file = Path(folder) / "password"
        write_private(password_file, password)
        if place.user:
            for path in (Path(folder), password_file):
                os.chown(path, place.user.uid, place.user.gid)
        unfinished = Path(folder) / "postgres"
        command = [place.binaries.postgres("initdb"), "-D", str(unfinished), "-U", "postgres"]
        command += ["--auth=scram-sha-256", f"--pwfile={password_file}", "--encoding=UTF8"]
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        command += ["--no-instructions", *([] if durable else ["--no-sync"])]
        done = subprocess.run(
            command,
            user=place.user.uid if place.user else None,
            group=place.user.gid if place.user else None,
            extra_groups=[] if place.user else None,
            cwd=folder,
            env=_server_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise CannotStart(f"initdb failed: {done.stderr.strip() or done.stdout.strip()}")
        shutil.move(unfinished, cluster)


def _postgres_spec(place: ServerPlace, log_dir: Path, port: int, *, durable: bool) -> ChildSpec:
    settings = _POSTGRES_SETTINGS | {"port": str(port)} | ({} if durable else _NOT_DURABLE)
    command = [place.binaries.postgres("postgres"), "-D", str(place.directory / "postgres")]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    return ChildSpec(
        name="postgres",
        command=command,
        environment=_server_environment(),
        log=log_dir / "postgres.log",
        user=place.user,
        stop_signal=SIGINT,  # a "fast" shutdown: ends sessions, loses nothing
        stop_timeout_s=30,
    )


def _valkey_spec(
    place: ServerPlace, passwords: Mapping[str, str], log_dir: Path, port: int
) -> ChildSpec:
    """Valkey keeps nothing on disk: what it holds are copies, counters and doorbells."""
    config = place.directory / "valkey.conf"
    lines = [
        f"port {port}",
        "bind 127.0.0.1",
        f"requirepass {passwords['VALKEY_PASSWORD']}",
        "databases 64",
        'save ""',
        "appendonly no",
        f"dir {place.directory}",
    ]
    write_private(config, "\n".join(lines) + "\n")
    if place.user:
        os.chown(config, place.user.uid, place.user.gid)
    return ChildSpec(
        name="valkey",
        command=[str(place.binaries.valkey), str(config)],
        environment=_server_environment(),
        log=log_dir / "valkey.log",
        user=place.user,
        stop_signal=SIGTERM,
    )


def _postgres_ready(cluster: Path, child: Child) -> bool:
    """Read what the server writes about itself, as pg_ctl does: line 1 its pid, line 8 its state."""
    try:
        lines = (cluster / "postmaster.pid").read_text().splitlines()
    except OSError:
        return False
    return len(lines) >= 8 and lines[0] == str(child.process.pid) and lines[7].strip() == "ready"


def _server_environment() -> dict[str, str]:
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
