"""Operating system processes that race: each has its own connection as the app's role, and all go
at the same moment.

`python -m tests.billing.racers` reads a `Race` as JSON, gets ready, writes a line, waits for one,
does its work and writes what came of each try as JSON.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import psycopg

ROOT = Path(__file__).resolve().parent.parent.parent


class Race(msgspec.Struct, frozen=True, kw_only=True):
    """What one process does: the statements in turn, each with its parameters.

    An empty `statements` means approvals by services: (request id, user id) pairs in `approvals`.
    """

    url: str
    statements: list[tuple[str, list[Any]]] = []
    approvals: list[tuple[str, int]] = []


@dataclass(frozen=True, slots=True)
class Racer:
    """A process that is ready to go."""

    process: subprocess.Popen[str]

    def result(self) -> list[Any]:
        """Wait for the end. Returns: what came of each try."""
        output, errors = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, errors
        found: list[Any] = json.loads(output)
        return found


def race(races: Sequence[Race]) -> list[list[Any]]:
    """Start a process for each, let all go at once when all are ready. Returns: their results."""
    racers = [_start(race) for race in races]
    for racer in racers:
        assert racer.process.stdout is not None
        assert racer.process.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.process.stdin is not None
        racer.process.stdin.write("go\n")
        racer.process.stdin.flush()
    return [racer.result() for racer in racers]


def _start(race: Race) -> Racer:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.billing.racers"],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": race.url},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write(msgspec.json.encode(race).decode() + "\n")
    process.stdin.flush()
    return Racer(process)


def _ready() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()


def _run_statements(race: Race) -> list[Any]:
    with psycopg.connect(race.url, autocommit=True) as connection:
        connection.execute("SELECT 1")
        _ready()
        found = []
        for statement, parameters in race.statements:
            row = connection.execute(statement.encode(), parameters).fetchone()
            assert row is not None
            found.append(list(row))
        return found


def _run_approvals(race: Race) -> list[Any]:
    # Django is set up for the race's database first, which is known only now.
    import django

    django.setup()
    from django.contrib.auth.models import User  # as above
    from django.db import connection

    from billing import money_requests
    from studio.core.errors import GatewayError

    people = {user.pk: user for user in User.objects.all()}
    connection.ensure_connection()
    _ready()
    found = []
    for request_id, user_id in race.approvals:
        try:
            outcome = money_requests.approve(request_id=UUID(request_id), staff=people[user_id])
            found.append(outcome.state)
        except GatewayError as error:
            found.append(type(error).__name__)
    return found


def main() -> None:
    """Be one racer."""
    race = msgspec.json.decode(sys.stdin.readline(), type=Race)
    found = _run_statements(race) if race.statements else _run_approvals(race)
    sys.stdout.write(json.dumps(found, default=str))


if __name__ == "__main__":
    main()
