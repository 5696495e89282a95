"""Rollers killed at any statement while transactions commit late: `manage.py torture analytics`.

Twelve writers hold what they wrote for up to 1.5 s, undo every tenth, use savepoints and write rows
of earlier days. One snapshot after another compares raw rows with cubes and tail. Beside it two
other watermarks are tried on the same rows, on ids, at once and with a second's patience: what they
lose shows that the storm is one.
"""

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import psycopg

from studio.supervisor.bootstrap import BASE_DIR
from studio.supervisor.throwaway import Throwaway, throwaway_servers

_DATABASE = "studio_torture"
_WRITERS = 12
_LONGEST_HOLD_S = 1.5
_WRITE = """
INSERT INTO usage (at, request_id, workspace_id, app_id, user_ref, surface, operation, kind,
                   channel, provider, model, status, billing, charge_ucr, latency_ms, first_byte_ms)
SELECT now() - CASE WHEN random() < 0.1 THEN random() * interval '25 days' ELSE '0' END, uuidv7(),
       1 + (random() * 9)::int, 'app-' || (random() * 5)::int, 'user-' || (random() * 40)::int,
       'core', 'chat', 'chat.default', 'stable', 'p', 'm-' || (random() * 5)::int,
       (ARRAY['succeeded', 'failed', 'cancelled'])[1 + (random() * 2)::int], 'credits',
       (random() * 1000)::int, (random() * 90000)::int, (random() * 900)::int
FROM generate_series(1, %s)
"""
_EXACT = """
SELECT (SELECT sum(charge_ucr) FROM usage) - (SELECT coalesce(sum(charge_ucr), 0) FROM analytics.{})
       - (SELECT coalesce(sum(charge_ucr), 0) FROM usage WHERE transaction_id >= w.transaction_id)
FROM analytics.watermark w
"""
_CUBES = ("cube_hour", "cube_day", "cube_month", "user_day", "user_month", "finance_day")
_BY_ID = """
SELECT count(*), (array_agg(request_id ORDER BY request_id DESC))[1]
FROM usage WHERE request_id > %s AND request_id < uuidv7(-make_interval(secs => %s))
"""
_NOBODY = "00000000-0000-0000-0000-000000000000"


class _ByIds:
    """A watermark on ids, so many seconds behind the clock."""

    def __init__(self, lag_s: float) -> None:
        self.lag_s = lag_s
        self.last = _NOBODY
        self.row_count = 0

    def look(self, connection: psycopg.Connection[Any]) -> None:
        """Count the rows after the last one that was seen."""
        found = connection.execute(_BY_ID, [self.last, self.lag_s]).fetchone()
        assert found is not None, "a count has a row"
        self.row_count += found[0]
        self.last = found[1] or self.last


class _Storm:
    """Writers and probes on one database, for as long as `over` is not set."""

    def __init__(self, servers: Throwaway, seed: int) -> None:
        self.url = servers.postgres.url("studio_app", _DATABASE)
        self.seed = seed
        self.over = threading.Event()
        self.lock = threading.Lock()
        self.committed = 0
        self.probes = 0
        self.wrong = 0
        self.by_ids = [_ByIds(0.0), _ByIds(1.0)]

    def write(self, number: int) -> None:
        """Write and hold, again and again."""
        chance = random.Random(self.seed * 100 + number)
        with psycopg.connect(self.url) as connection:
            while not self.over.is_set():
                written = count = chance.randrange(1, 40)
                connection.execute(_WRITE, [count])
                if chance.random() < 0.3:
                    undone = chance.random() < 0.5
                    with connection.transaction(force_rollback=undone):
                        connection.execute(_WRITE, [count])
                    written += 0 if undone else count
                time.sleep(chance.random() ** 2 * _LONGEST_HOLD_S)
                if chance.random() < 0.1:
                    connection.rollback()
                    continue
                connection.commit()
                with self.lock:
                    self.committed += written

    def probe(self) -> None:
        """Compare rows with a cube and its tail, each time in one snapshot."""
        chance = random.Random(self.seed)
        with psycopg.connect(self.url, autocommit=True) as connection:
            while not self.over.is_set():
                for watermark in self.by_ids:
                    watermark.look(connection)
                found = connection.execute(_EXACT.format(chance.choice(_CUBES))).fetchone()
                assert found is not None, "the watermark is there"
                self.probes += 1
                self.wrong += bool(found[0])


def torture_rollups(*, kills: int, seed: int) -> int:
    """Run the storm until so many rollers were killed. Returns: 0 if nothing was lost."""
    with throwaway_servers() as servers:
        servers.make_template()
        servers.clone(_DATABASE)
        storm = _Storm(servers, seed)
        works: list[Callable[[], None]] = [storm.probe]
        works += [partial(storm.write, number) for number in range(_WRITERS)]
        threads = [threading.Thread(target=work) for work in works]
        for thread in threads:
            thread.start()
        killed = 0
        while killed < kills:
            killed += _kill_rollers(servers, seed + killed)
        storm.over.set()
        for thread in threads:
            thread.join()
        return 0 if _judge(servers, storm, killed) else 1


def _kill_rollers(servers: Throwaway, seed: int) -> int:
    """Let rollers roll and die for some seconds. Returns: how many died."""
    roller = subprocess.Popen(
        [sys.executable, "-m", "bench.torture.mortal_roller", str(seed)],
        cwd=BASE_DIR,
        env=os.environ | servers.environment(_DATABASE),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    time.sleep(5)
    output, _ = roller.communicate("enough")
    if roller.returncode:
        raise RuntimeError("the roller failed by itself")
    return output.count("killed")


def _judge(servers: Throwaway, storm: _Storm, killed: int) -> bool:
    subprocess.run(
        [sys.executable, "manage.py", "analytics_roll"],
        cwd=BASE_DIR,
        env=os.environ | servers.environment(_DATABASE),
        check=True,
        capture_output=True,
    )
    with psycopg.connect(storm.url, autocommit=True) as connection:
        row_count = connection.execute("SELECT count(*) FROM usage").fetchall()[0][0]
        summed = "SELECT sum(request_count) FROM analytics.cube_day"
        missing = row_count - connection.execute(summed).fetchall()[0][0]
        differing = connection.execute("SELECT count(*) FROM analytics.cube_violations").fetchall()
        for watermark in storm.by_ids:
            watermark.lag_s = 0.0
            watermark.look(connection)
    print(
        f"analytics: {row_count} rows, {killed} rollers killed, {storm.probes} snapshots, "
        f"{storm.wrong} wrong; {missing} rows missing, {differing[0][0]} cubes differ"
    )
    for name, watermark in zip(("of ids", "1 s behind"), storm.by_ids, strict=True):
        print(f"  a watermark {name} would have lost {row_count - watermark.row_count} rows")
    good = not (missing or differing[0][0] or storm.wrong) and row_count == storm.committed
    return good and storm.by_ids[0].row_count < row_count
