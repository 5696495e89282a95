"""PostgreSQL as a direct child on a loopback port of its own, with passwords."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from signal import SIGINT

from studio.supervisor.bootstrap import BASE_DIR
from studio.supervisor.places import SERVER_ENVIRONMENT, CannotStart, ServerPlace, write_private
from studio.supervisor.processes import Child, ChildSpec, free_port, start, stop, wait_until

OLDEST_VERSION = 18
ROLES_SQL = BASE_DIR / "deploy" / "sql" / "roles.sql"
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
_NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_PASSWORD_NAMES = {
    "postgres": "POSTGRES_PASSWORD",
    "studio_owner": "STUDIO_OWNER_PASSWORD",
    "studio_app": "STUDIO_APP_PASSWORD",
    "analytics_ro": "ANALYTICS_RO_PASSWORD",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Postgres:
    """A running PostgreSQL and how to reach it."""

    child: Child
    place: ServerPlace
    passwords: Mapping[str, str]
    port: int

    def url(self, role: str, database: str = "studio") -> str:
        """Return the URL of a database for a role: `postgres` or one of roles.sql."""
        password = self.passwords[_PASSWORD_NAMES[role]]
        return f"postgres://{role}:{password}@127.0.0.1:{self.port}/{database}"

    def make_database(self, name: str) -> None:
        """Make the roles and their database, or renew them, by the file that operators use."""
        self.psql(["-v", f"database={name}", "-f", str(ROLES_SQL)])

    def psql(self, arguments: list[str], database: str = "postgres") -> str:
        """Run psql as the superuser.

        Returns: its output. Raises: CannotStart with what psql said.
        """
        # In the environment, because an argument would show the password to `ps`.
        address = {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.port),
            "PGUSER": "postgres",
            "PGPASSWORD": self.passwords["POSTGRES_PASSWORD"],
            "PGDATABASE": database,
        }
        options = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]
        done = subprocess.run(
            [self.place.binaries.postgres("psql"), *options, *arguments],
            env=os.environ | self.passwords | address,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise CannotStart(f"psql failed: {done.stderr.strip()}")
        return done.stdout.strip()


def start_postgres(
    place: ServerPlace, passwords: Mapping[str, str], log_dir: Path, *, durable: bool = True
) -> Postgres:
    """Start PostgreSQL and wait until it answers, making its cluster first if there is none.

    `durable=False` is for servers that are thrown away: a crash of the machine may lose everything.
    Raises: CannotStart, and then nothing of it runs.
    """
    _check_version(place)
    cluster = place.directory / "postgres"
    if not cluster.exists():
        _make_cluster(place, passwords["POSTGRES_PASSWORD"], cluster, durable=durable)
    port = free_port()
    child = start(_spec(place, log_dir, port, durable=durable))
    try:
        wait_until(lambda: _is_ready(cluster, child), child=child, what="PostgreSQL")
    except BaseException:
        stop([child])
        raise
    return Postgres(child=child, place=place, passwords=passwords, port=port)


def _check_version(place: ServerPlace) -> None:
    program = place.binaries.postgres("postgres")
    printed = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"(\d+)", printed.stdout)
    major = int(found.group(1)) if found else 0
    if major < OLDEST_VERSION:
        raise CannotStart(f"Studio needs PostgreSQL {OLDEST_VERSION}; embedded is {major}.")
    version_file = place.directory / "postgres" / "PG_VERSION"
    if version_file.exists() and int(version_file.read_text()) != major:
        raise CannotStart(
            f"{version_file.parent} was made by PostgreSQL {version_file.read_text().strip()}, "
            f"installed is {major}. Move the data with pg_dump, or choose a new --data-dir."
        )


def _make_cluster(place: ServerPlace, password: str, cluster: Path, *, durable: bool) -> None:
    """Run initdb beside the final place, then move it: a cluster that exists is whole."""
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
            env=SERVER_ENVIRONMENT,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise CannotStart(f"initdb failed: {done.stderr.strip() or done.stdout.strip()}")
        shutil.move(unfinished, cluster)


def _spec(place: ServerPlace, log_dir: Path, port: int, *, durable: bool) -> ChildSpec:
    settings = _SETTINGS | {"port": str(port)} | ({} if durable else _NOT_DURABLE)
    command = [place.binaries.postgres("postgres"), "-D", str(place.directory / "postgres")]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    return ChildSpec(
        name="postgres",
        command=command,
        environment=SERVER_ENVIRONMENT,
        log=log_dir / "postgres.log",
        user=place.user,
        stop_signal=SIGINT,  # a "fast" shutdown: ends sessions, loses nothing
        stop_timeout_s=30,
    )


def _is_ready(cluster: Path, child: Child) -> bool:
    """Read what the server writes of itself, as pg_ctl does: line 1 its pid, line 8 its state."""
    try:
        lines = (cluster / "postmaster.pid").read_text().splitlines()
    except OSError:
        return False
    return len(lines) >= 8 and lines[0] == str(child.process.pid) and lines[7].strip() == "ready"
