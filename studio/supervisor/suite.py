"""`manage.py test`: throw-away servers, a migrated template, the static checks, then pytest.

With arguments for pytest, pytest runs alone. Its closing line is the last that is printed.
"""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from types import FrameType

from studio.supervisor.bootstrap import BASE_DIR
from studio.supervisor.places import CannotStart
from studio.supervisor.throwaway import TEMPLATE, Throwaway, throwaway_servers

_WORKERS = "2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A check that runs on its own while others do."""

    name: str
    started_at: float
    process: subprocess.Popen[str]


def main(arguments: list[str]) -> int:
    """Run the suite. Returns: the exit code, 0 only if every step succeeded."""
    signal.signal(signal.SIGTERM, _interrupt)
    durable = os.environ.get("STUDIO_TEST_DURABLE") == "1"
    try:
        with throwaway_servers(durable=durable) as servers:
            return _run(servers, arguments)
    except CannotStart as reason:
        _say(f"setup    FAILED: {reason}")
        return 1
    except KeyboardInterrupt:
        return 130


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _run(servers: Throwaway, arguments: list[str]) -> int:
    environment = servers.environment(TEMPLATE) | {
        "STUDIO_TEST_PG_ADMIN_URL": servers.postgres.url("postgres", "postgres"),
        "STUDIO_TEST_PG_OWNER_URL": servers.postgres.url("studio_owner", TEMPLATE),
        "STUDIO_TEST_PG_APP_URL": servers.postgres.url("studio_app", TEMPLATE),
        "STUDIO_TEST_REDIS_URL": servers.valkey.url(),
    }
    begun = time.monotonic()
    steps = [] if arguments else [_start(*step, environment) for step in _static_checks()]
    try:
        servers.make_template()
        _say(f"template ok ({time.monotonic() - begun:.1f} s)")
        if not arguments:
            steps.append(_start("migrations", _migrations_check(), environment))
        failed = [step.name for step in steps if not _finished_well(step)]
    finally:
        for step in steps:
            if step.process.poll() is None:
                step.process.kill()
    pytest = [sys.executable, "-m", "pytest", "-n", _WORKERS, *arguments]
    if failed:
        _say(f"FAILED before pytest: {', '.join(failed)}")
    code = subprocess.run(pytest, cwd=BASE_DIR, env=environment, check=False).returncode
    return code or (1 if failed else 0)


def _static_checks() -> list[tuple[str, list[str]]]:
    python = [sys.executable, "-m"]
    return [
        ("ruff", [*python, "ruff", "check", "--quiet", "."]),
        ("format", [*python, "ruff", "format", "--check", "--quiet", "."]),
        ("mypy", [*python, "mypy", "--no-error-summary", "."]),
        (
            "imports",
            [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"],
        ),
    ]


def _migrations_check() -> list[str]:
    return [sys.executable, "manage.py", "makemigrations", "--check", "--dry-run"]


def _start(name: str, command: list[str], environment: dict[str, str]) -> Step:
    process = subprocess.Popen(
        command,
        cwd=BASE_DIR,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return Step(name=name, started_at=time.monotonic(), process=process)


def _finished_well(step: Step) -> bool:
    """Wait for a step and say in one line how it went, with its output if it failed."""
    output, _ = step.process.communicate()
    duration_s = time.monotonic() - step.started_at
    if step.process.returncode == 0:
        _say(f"{step.name:<8} ok ({duration_s:.1f} s)")
        return True
    _say(f"{output.rstrip()}\n{step.name:<8} FAILED ({duration_s:.1f} s)")
    return False


def _say(line: str) -> None:
    print(line, flush=True)
