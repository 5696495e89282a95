"""Valkey as a direct child on a loopback port of its own, with a password.

It keeps nothing on disk: what it holds are copies, counters and doorbells.
"""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from studio.supervisor.places import SERVER_ENVIRONMENT, ServerPlace, write_private
from studio.supervisor.processes import Child, ChildSpec, free_port, start, stop, wait_until

DATABASES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Valkey:
    """A running Valkey and how to reach it."""

    child: Child
    password: str
    port: int

    def url(self, number: int = 0) -> str:
        """Return the URL of one of its databases."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/{number}"


def start_valkey(place: ServerPlace, passwords: Mapping[str, str], log_dir: Path) -> Valkey:
    """Start Valkey and wait until it answers. Raises: CannotStart, and then it does not run."""
    port, password = free_port(), passwords["VALKEY_PASSWORD"]
    spec = ChildSpec(
        name="valkey",
        command=[str(place.binaries.valkey), str(_write_config(place, port, password))],
        environment=SERVER_ENVIRONMENT,
        log=log_dir / "valkey.log",
        user=place.user,
    )
    child = start(spec)
    try:
        wait_until(lambda: _answers(port, password), child=child, what="Valkey")
    except BaseException:
        stop([child])
        raise
    return Valkey(child=child, password=password, port=port)


def _write_config(place: ServerPlace, port: int, password: str) -> Path:
    path = place.directory / "valkey.conf"
    lines = [
        f"port {port}",
        "bind 127.0.0.1",
        f"requirepass {password}",
        f"databases {DATABASES}",
        'save ""',
        "appendonly no",
    ]
    write_private(path, "\n".join(lines) + "\n")
    if place.user:
        os.chown(path, place.user.uid, place.user.gid)
    return path


def _answers(port: int, password: str) -> bool:
    """Say whether the server lets us in and answers a PING."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            received = b""
            while b"+PONG" not in received:
                chunk = connection.recv(256)
                if not chunk:
                    return False
                received += chunk
    except OSError:
        return False
    return True
