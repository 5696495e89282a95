"""Child processes: they die with us, are watched, restarted with back-off, stopped in order.

Every child is the leader of its own session: a Ctrl-C in the terminal reaches the supervisor alone,
and stopping a child reaches its whole family.
"""

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from studio.supervisor.places import CannotStart, ServerUser, write_private

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
_FIRST_BACKOFF_S = 0.25
_LONGEST_BACKOFF_S = 15.0
_SETTLED_S = 30.0
"""A child that lived this long starts again without delay and with a clean record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """What to run and how to end it."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    user: ServerUser | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 15.0
    cwd: Path = Path("/")


@dataclass(slots=True, kw_only=True)
class Child:
    """A running instance of a spec, and how often it had to be started."""

    spec: ChildSpec
    process: subprocess.Popen[bytes]
    started_at: float = field(default_factory=time.monotonic)
    failures: int = 0
    restart_at: float | None = None

    @property
    def alive(self) -> bool:
        """Whether the process runs; reaps it when it has ended."""
        return self.process.poll() is None


def start(spec: ChildSpec) -> Child:
    """Start a child whose output goes to its log."""
    with spec.log.open("ab") as log:
        process = subprocess.Popen(
            list(spec.command),
            env=dict(spec.environment),
            cwd=spec.cwd,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=spec.user.uid if spec.user else None,
            group=spec.user.gid if spec.user else None,
            extra_groups=[] if spec.user else None,
            preexec_fn=_die_with(os.getpid(), spec.stop_signal),
        )
    return Child(spec=spec, process=process)


def look_after(child: Child, say: Callable[[str], None]) -> None:
    """Start a child again that has ended, later each time it fails soon after its start."""
    if child.alive:
        return
    now = time.monotonic()
    if child.restart_at is None:
        lived_s = now - child.started_at
        child.failures = 0 if lived_s > _SETTLED_S else child.failures + 1
        delay_s = 0.0
        if child.failures > 1:
            delay_s = min(_LONGEST_BACKOFF_S, _FIRST_BACKOFF_S * 2 ** (child.failures - 2))
        child.restart_at = now + delay_s
        when = f"again in {delay_s:g} s" if delay_s else "again now"
        say(f"{child.spec.name} {ended_how(child)}: starting it {when} (log: {child.spec.log})")
    if now >= child.restart_at:
        signal_family(child, signal.SIGKILL)
        child.process = start(child.spec).process
        child.started_at, child.restart_at = now, None


def ended_how(child: Child) -> str:
    """Say how a child that is no longer alive has ended."""
    code = child.process.returncode
    if code is not None and code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"


def stop(children: Sequence[Child], *, at_once: Callable[[], bool] = lambda: False) -> None:
    """Stop children together, each by its own signal, and kill what is left when its time is over.

    `at_once` is asked while waiting; when it says so (a second Ctrl-C), nothing is waited for any
    longer.
    """
    begun = time.monotonic()
    for child in children:
        if child.alive:
            child.process.send_signal(child.spec.stop_signal)
    waiting = list(children)
    while waiting:
        waited_s = 1e9 if at_once() else time.monotonic() - begun
        for child in list(waiting):
            if not child.alive or waited_s > child.spec.stop_timeout_s:
                signal_family(child, signal.SIGKILL)
                child.process.wait()
                waiting.remove(child)
        if waiting:
            time.sleep(0.02)


def signal_family(child: Child, number: signal.Signals) -> None:
    """Send a signal to every process of the child's session group that is still there."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.process.pid, number)


def log_tail(child: Child, lines: int = 12) -> str:
    """Return the last lines a child wrote."""
    with child.spec.log.open("rb") as log:
        log.seek(max(0, child.spec.log.stat().st_size - 8192))
        text = log.read().decode(errors="replace")
    return "\n".join(text.splitlines()[-lines:])


def free_port(host: str = "127.0.0.1") -> int:
    """Return a TCP port that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def record_children(path: Path, children: Sequence[Child]) -> None:
    """Write down who our children are: the next start knows what a killed supervisor left."""
    records = []
    for child in children:
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(child.process.pid)
            records.append([child.spec.name, process.pid, process.create_time()])
    write_private(path, json.dumps(records))


def end_leftovers(path: Path) -> list[str]:
    """End the processes that an earlier supervisor recorded and did not stop.

    Returns: their names.
    """
    if not path.exists():
        return []
    left: list[psutil.Process] = []
    names: list[str] = []
    for name, pid, created in json.loads(path.read_text()):
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            # The same number with another birthday is somebody else's process.
            if abs(process.create_time() - created) < 0.1 and process.status() != "zombie":
                left.append(process)
                names.append(name)
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGINT if "postgres" in process.name() else signal.SIGTERM)
    _, stubborn = psutil.wait_procs(left, timeout=10)
    for process in stubborn:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    path.unlink()
    return names


def wait_until(
    ready: Callable[[], bool], *, child: Child, what: str, timeout_s: float = 60.0
) -> None:
    """Wait for `ready`.

    Raises: CannotStart, with the child's last lines, when the child ends or time runs out.
    """
    deadline = time.monotonic() + timeout_s
    while not ready():
        if not child.alive:
            raise CannotStart(f"{what} {ended_how(child)}:\n{log_tail(child)}")
        if time.monotonic() > deadline:
            raise CannotStart(f"{what} is not ready after {timeout_s:g} s:\n{log_tail(child)}")
        time.sleep(0.02)


def _die_with(parent: int, number: signal.Signals) -> Callable[[], None]:
    """Make the function that a child runs first: end by this signal when the supervisor is killed.

    Source: prctl(2), PR_SET_PDEATHSIG (Linux man-pages 6.9): cleared by a change of user, so it is
    set after that. Elsewhere than on Linux there is no such thing; the next start ends what was
    left.
    """

    def before_exec() -> None:
        if _LIBC is None:
            return
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(number))
        if os.getppid() != parent:
            os._exit(1)

    return before_exec
