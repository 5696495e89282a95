"""Processor time, memory and pinning of processes, from /proc; elsewhere the figures are zero."""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

GATEWAY_CORE = 0
OTHER_CORE = 1
_PROC = Path("/proc")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


def pin(pid: int, core: int) -> bool:
    """Keep a process (0: this one) and what it starts on one core.

    Returns: whether that is possible here.
    """
    if not hasattr(os, "sched_setaffinity") or (os.cpu_count() or 1) < 2:
        return False
    with contextlib.suppress(OSError):
        os.sched_setaffinity(pid, {core})
        return True
    return False


def cpu_s(pid: int | None) -> float:
    """Give the processor time a process has used, user and system."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S if fields else 0.0


def family_cpu_s(pid: int | None) -> float:
    """Give the processor time of a process and its children, ended ones too (PostgreSQL)."""
    fields = _stat(pid)
    if not fields:
        return 0.0
    own = sum(int(field) for field in fields[11:15]) / _TICKS_PER_S
    return own + sum(cpu_s(child) for child in _children(pid))


def rss_bytes(pid: int | None) -> int:
    """Give the memory a process occupies now."""
    with contextlib.suppress(OSError):
        pages = (_PROC / str(pid) / "statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    return 0


def parent_named(pid: int, name: str) -> int | None:
    """Give the parent of a process, if a process of that name runs here under that number."""
    with contextlib.suppress(OSError):
        if (_PROC / str(pid) / "comm").read_text().strip() == name:
            return int(_stat(pid)[1])
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """The processes whose time one measurement tells apart."""

    target: int | None
    upstream: int | None
    postgres: int | None
    valkey: int | None

    def read(self) -> "Reading":
        """Read all of them now."""
        return Reading(
            target_s=cpu_s(self.target),
            upstream_s=cpu_s(self.upstream),
            postgres_s=family_cpu_s(self.postgres),
            valkey_s=cpu_s(self.valkey),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Seconds of processor time, since whenever."""

    target_s: float
    upstream_s: float
    postgres_s: float
    valkey_s: float

    def since(self, earlier: "Reading") -> "Reading":
        """Give what was used between two readings."""
        return Reading(
            target_s=self.target_s - earlier.target_s,
            upstream_s=self.upstream_s - earlier.upstream_s,
            postgres_s=self.postgres_s - earlier.postgres_s,
            valkey_s=self.valkey_s - earlier.valkey_s,
        )


def _stat(pid: int | None) -> list[str]:
    """Read /proc/PID/stat from the state on: the name before it may contain anything.

    Source: proc_pid_stat(5), Linux man-pages 6.9: utime is the twelfth field from there.
    """
    if pid is None:
        return []
    with contextlib.suppress(OSError):
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return []


def _children(pid: int | None) -> list[int]:
    found: list[int] = []
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if fields and int(fields[1]) == pid:
                found.append(int(entry.name))
    return found
