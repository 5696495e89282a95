"""Rollers die at every statement, transactions commit late and in any order: nothing is lost, and
no row is counted twice.
"""

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import psycopg

from tests.analytics.cube_stage import Connection, roll_all, some_row, violations, write
from tests.databases import Database, rows

ROOT = Path(__file__).resolve().parents[2]
WRITERS = 12
MOVES = 1_000
KILLS = 6
EXACT = """
SELECT (SELECT coalesce(sum(request_count), 0) FROM usage),
       (SELECT coalesce(sum(request_count), 0) FROM analytics.{cube})
       + (SELECT coalesce(sum(request_count), 0) FROM usage
          WHERE transaction_id >= w.transaction_id),
       (SELECT coalesce(sum(charge_ucr), 0) FROM usage),
       (SELECT coalesce(sum(charge_ucr), 0) FROM analytics.{cube})
       + (SELECT coalesce(sum(charge_ucr), 0) FROM usage
          WHERE transaction_id >= w.transaction_id)
FROM analytics.watermark w
"""


def start_roller(cubes: Database, how: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "bench.torture.mortal_roller", how],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": cubes.app_url},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@contextmanager
def rolling_and_dying(cubes: Database, seed: int) -> Iterator[list[str]]:
    """Have rollers that roll and die for as long as the block lasts. Gives a growing list of the
    dead.
    """
    roller = start_roller(cubes, str(seed))
    assert roller.stdin is not None
    assert roller.stdout is not None
    killed: list[str] = []
    reader = Thread(target=killed.extend, args=[roller.stdout])
    reader.start()
    try:
        yield killed
        roller.stdin.close()
        assert roller.wait(timeout=60) == 0
    finally:
        roller.kill()
        roller.wait()
        reader.join()
        roller.stdout.close()


class LosesLateCommits:
    """What a watermark on the rows' own ids would have counted: it takes what it has not seen."""

    def __init__(self) -> None:
        self.last = "00000000-0000-0000-0000-000000000000"
        self.row_count = 0

    def look(self, connection: Connection) -> None:
        """Take the rows after the last one that was taken."""
        found = connection.execute(
            "SELECT count(*), (array_agg(request_id ORDER BY request_id DESC))[1]::text"
            " FROM usage WHERE request_id > %s",
            [self.last],
        ).fetchone()
        assert found is not None
        self.row_count += found[0]
        self.last = found[1] or self.last


class Writer:
    """A connection that writes, and commits or rolls back some moves later."""

    def __init__(self, connection: Connection, chance: random.Random) -> None:
        self.connection = connection
        self.chance = chance
        self.committed = 0
        self.open = 0

    def move(self) -> None:
        """Write, within a savepoint or not, or end what is open."""
        if self.open and self.chance.random() < 0.15:
            if self.chance.random() < 0.1:
                self.connection.rollback()
            else:
                self.connection.commit()
                self.committed += self.open
            self.open = 0
            return
        if self.open and self.chance.random() < 0.3:
            undone = self.chance.random() < 0.3
            with self.connection.transaction(force_rollback=undone):
                write(self.connection, **some_row(self.chance))
            self.open += not undone
        else:
            write(self.connection, **some_row(self.chance))
            self.open += 1


def test_a_roller_that_is_killed_at_any_statement_has_done_nothing(
    cubes: Database, cubes_app: Connection
) -> None:
    chance = random.Random(1)  # noqa: S311  no secret
    for _ in range(40):
        write(cubes_app, **some_row(chance))
    before = rows("SELECT transaction_id FROM analytics.watermark")[0]["transaction_id"]
    output, _ = start_roller(cubes, "each").communicate(timeout=120)
    watermarks = [int(line) for line in output.split()]
    assert len(watermarks) >= 19
    assert set(watermarks) == {before}
    roll_all()
    assert violations() == []
    assert rows("SELECT count(*) AS n FROM usage")[0]["n"] == 40


def test_chaos_loses_nothing_where_a_watermark_of_ids_would(
    cubes: Database, cubes_app: Connection
) -> None:
    chance = random.Random(20)  # noqa: S311  no secret
    ids, moves, probes = LosesLateCommits(), 0, 0
    connections = [psycopg.connect(cubes.app_url) for _ in range(WRITERS)]
    writers = [Writer(connection, chance) for connection in connections]
    with rolling_and_dying(cubes, 7) as killed:
        while moves < MOVES or (len(killed) < KILLS and moves < 50 * MOVES):
            moves += 1
            chance.choice(writers).move()
            if chance.random() < 0.1:
                ids.look(cubes_app)
                probes += 1
                check_exact(cubes_app, chance.choice(["cube_hour", "cube_month", "user_day"]))
        for connection in connections:
            connection.rollback()
            connection.close()
    ids.look(cubes_app)
    written = sum(writer.committed for writer in writers)
    assert len(killed) >= KILLS
    assert probes > 50
    assert rows("SELECT count(*) AS n FROM usage")[0]["n"] == written
    assert ids.row_count < written
    roll_all()
    assert violations() == []


def check_exact(connection: Connection, cube: str) -> None:
    """Compare rows with cube and tail, in one snapshot."""
    found: tuple[Any, ...] | None = connection.execute(EXACT.format(cube=cube)).fetchone()
    assert found is not None
    assert found[0] == found[1]
    assert found[2] == found[3]
