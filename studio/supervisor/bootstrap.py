"""Build `.venv` from a hash-locked requirements file, once, and go on inside it.

Standard library only, and only what Python 3.11 has. A file in `.venv` says which locks it was
built from; it is written last and removed first, so a venv without it is half-built and is made
anew.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent.parent
VENV_DIR = BASE_DIR / ".venv"
EMBEDDED_LOCK = "requirements-embedded.txt"
DEV_LOCK = "requirements-dev.txt"
_STAMP = VENV_DIR / "studio-locks.json"


class BootstrapFailed(Exception):
    """The venv cannot be built; the message says what to do."""


def enter_venv(arguments: list[str]) -> None:
    """Return inside a venv that matches the lock which `arguments` need, or replace this process.

    `STUDIO_VENV=off` leaves the running Python as it is: images and operators install
    requirements.txt themselves.
    """
    if os.environ.get("STUDIO_VENV") == "off":
        return
    lock = DEV_LOCK if arguments[1:2] == ["test"] else EMBEDDED_LOCK
    inside = Path(sys.prefix).resolve() == VENV_DIR.resolve()
    if _matches(lock):
        if inside:
            return
    else:
        _build(lock)
    python = str(_venv_python())
    sys.stdout.flush()
    os.execv(python, [python, *arguments])  # noqa: S606  # our own interpreter, our own arguments


def _venv_python() -> Path:
    return VENV_DIR / "bin" / "python"


def _digest(lock: str) -> str:
    return hashlib.sha256((BASE_DIR / lock).read_bytes()).hexdigest()


def _matches(lock: str) -> bool:
    """Say whether `.venv` is whole and was built from this very lock."""
    try:
        recorded = json.loads(_STAMP.read_text())
    except (OSError, ValueError):
        return False
    return _venv_python().exists() and recorded.get(lock) == _digest(lock)


def _build(lock: str) -> None:
    with (BASE_DIR / "manage.py").open() as guard:
        # Two commands started at once: the second waits, then finds the work done.
        fcntl.flock(guard, fcntl.LOCK_EX)
        if _matches(lock):
            return
        half_built = VENV_DIR.exists() and not (_STAMP.exists() and _venv_python().exists())
        if half_built:
            print("The folder .venv is half-built: making it anew.")
            shutil.rmtree(VENV_DIR)
        _STAMP.unlink(missing_ok=True)
        print(f"Installing {lock} into .venv (once per change of that file) …", flush=True)
        try:
            _install(lock)
        except (OSError, subprocess.CalledProcessError) as error:
            message = f"Could not build .venv: {error}. What was printed above says why."
            raise BootstrapFailed(message) from error
        # The dev lock is the embedded lock and more (tests/test_shape.py holds this).
        locks = {EMBEDDED_LOCK, lock}
        _STAMP.write_text(json.dumps({name: _digest(name) for name in sorted(locks)}))


def _install(lock: str) -> None:
    uv = shutil.which("uv")
    if uv:
        if not VENV_DIR.exists():
            _run([uv, "venv", "--quiet", "--python", sys.executable, str(VENV_DIR)])
        target = ["--python", str(_venv_python())]
        _run([uv, "pip", "install", "--quiet", "--require-hashes", *target, "-r", lock])
        return
    if not VENV_DIR.exists():
        try:
            venv.create(VENV_DIR, symlinks=True, with_pip=True)
        except subprocess.CalledProcessError as error:
            raise BootstrapFailed(
                "This Python cannot make virtual environments with pip (no ensurepip). "
                "Install the system package python3-venv, or uv, and start again."
            ) from error
    quiet = ["--quiet", "--disable-pip-version-check", "--no-input"]
    # Every dependency is in the lock, so pip has nothing to resolve.
    locked = ["--require-hashes", "--no-deps", "-r", lock]
    _run([str(_venv_python()), "-m", "pip", "install", *quiet, *locked])


def _run(command: list[str]) -> None:
    environment = {**os.environ, "PIP_ROOT_USER_ACTION": "ignore", "VIRTUAL_ENV": str(VENV_DIR)}
    subprocess.run(command, check=True, cwd=BASE_DIR, env=environment)  # noqa: S603
