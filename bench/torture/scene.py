"""A gateway that is led to a point and killed there.

Nothing in the product knows of it: the process's connections to PostgreSQL and to the provider lead
through gates, and a trigger of the stage's holds up T2 inside the database.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from bench.torture.gates import Gate, NotReached, Side, Stop, http_gate, postgres_gate
from bench.torture.points import Point, Probe
from bench.torture.stage import Account, Stage, kill
from studio.supervisor.processes import Child, free_port

CHECKPOINT_TOKENS = 256
"""So many relayed tokens are written down at once."""
_EVENTS_BEFORE_HALF = 300
_SOUNDS_BEFORE_HALF = 60
"""Of a quarter of a second each."""
_INSIDE = ("settle-under-way", "settle-broken-off")
_PATIENCE_S = 30.0
_LOOK_AGAIN_S = 0.01
_DOOR = 9_117
"""The advisory lock that T2 waits for at the two points inside it."""
_SET_UP = f"""
CREATE TABLE public.crash_point (user_ref text PRIMARY KEY);
CREATE FUNCTION public.wait_at_crash_point() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog SET lock_timeout = 0 AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared({_DOOR})
  FROM public.crash_point p WHERE p.user_ref = NEW.user_ref;
  RETURN NEW;
END $$;
CREATE TRIGGER wait_at_crash_point BEFORE UPDATE ON public.gateway_call
FOR EACH ROW WHEN (OLD.state = 'open' AND NEW.state <> 'open')
EXECUTE FUNCTION public.wait_at_crash_point();
"""
_WAITING = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted"
_BREAK_OFF = """
SELECT pg_terminate_backend(pid) FROM pg_locks
WHERE locktype = 'advisory' AND objid = %s AND NOT granted
"""
_OPEN = "SELECT id::text FROM gateway_call WHERE user_ref = ANY (%s) AND state = 'open'"
_CHECKPOINT = "SELECT min(checkpoint_tokens) FROM gateway_call WHERE user_ref = ANY (%s)"


class Scene:
    """A gateway behind gates, started again for each kill."""

    def __init__(self, stage: Stage, account: Account) -> None:
        self.stage = stage
        self.account = account
        self.postgres: Gate = postgres_gate(stage.servers.postgres.port)
        self.provider: Gate = http_gate(stage.sandbox_port)
        self.port = free_port()
        self._victim: Child | None = None
        with stage.connect() as connection:
            connection.execute(_SET_UP)

    @property
    def environment(self) -> dict[str, str]:
        """The product's settings, by way of the gates."""
        given = self.stage.environment
        return {
            **given,
            "DATABASE_URL": _through(given["DATABASE_URL"], self.postgres.port),
            "OPENAI_BASE_URL": _through(given["OPENAI_BASE_URL"], self.provider.port),
        }

    def raise_victim(self) -> None:
        """Start the gateway that will be killed. Raises: CannotStart."""
        if self._victim is None:
            self._victim = self.stage.start_gateway(self.environment, self.port)

    def strike(self, point: Point, probes: Sequence[Probe]) -> None:
        """Let calls come to a point, and kill their process there.

        At points between the process and PostgreSQL, one call of each lane at a time stands exactly
        there; those behind it are a step before. Raises: NotReached, CannotStart.
        """
        self.raise_victim()
        with contextlib.ExitStack() as undo:
            undo.callback(self.postgres.fall)
            undo.callback(self.provider.fall)
            if point in _INSIDE:
                undo.enter_context(self._shut_door(probes))
            _ARRIVALS[point](self, probes)
            self.kill_victim()
            if point == "settle-broken-off":
                self.rows(_BREAK_OFF, _DOOR)
        if point == "settle-under-way":
            until(lambda: not self.open_calls(probes), "T2 commits though nobody listens")
        for probe in probes:
            probe.join(_PATIENCE_S)

    def kill_victim(self) -> None:
        """Kill the gateway, if there is one."""
        if self._victim is not None:
            kill(self._victim)
            self._victim = None

    def send(self, probes: Sequence[Probe]) -> None:
        """Ask all of it of the victim."""
        for probe in probes:
            probe.send(self.port, self.account.app_key)

    def open_calls(self, probes: Sequence[Probe]) -> list[str]:
        """Give the ids of those that have a call that is open."""
        return [str(row[0]) for row in self.rows(_OPEN, [probe.tag for probe in probes])]

    def checkpoint(self, probe: Probe) -> int:
        """Give how many tokens of a call are known to be delivered."""
        return int(self.rows(_CHECKPOINT, [probe.tag])[0][0] or 0)

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Ask the database as its superuser."""
        with self.stage.connect() as connection:
            return connection.execute(query.encode(), parameters).fetchall()

    def waits_inside(self) -> int:
        """Say how many statements stand before the door."""
        return len(self.rows(_WAITING, _DOOR))

    def close(self) -> None:
        """Kill the victim and close the gates."""
        self.kill_victim()
        self.postgres.close()
        self.provider.close()

    @contextlib.contextmanager
    def _shut_door(self, probes: Sequence[Probe]) -> Iterator[None]:
        """Let no T2 of these calls end for as long as the block lasts."""
        with self.stage.connect() as connection:
            for probe in probes:
                connection.execute("INSERT INTO crash_point VALUES (%s)", (probe.tag,))
            connection.execute("SELECT pg_advisory_lock(%s)", (_DOOR,))
            try:
                yield
            finally:
                connection.execute("SELECT pg_advisory_unlock(%s)", (_DOOR,))
                connection.execute("DELETE FROM crash_point")


def until(condition: Callable[[], object], what: str) -> None:
    """Look until it is so. Raises: NotReached."""
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise NotReached(what)
        time.sleep(_LOOK_AGAIN_S)


def _at_hold(scene: Scene, probes: Sequence[Probe], *, side: Side) -> None:
    tags: dict[str, list[str]] = {}
    for probe in probes:
        tags.setdefault(probe.lanes[0], []).append(probe.tag)
    stops = [
        scene.postgres.stop(Stop(side=side, lane=lane, marks=tuple(marks)))
        for lane, marks in tags.items()
    ]
    scene.send(probes)
    for stop in stops:
        stop.wait()


def _at_provider(scene: Scene, probes: Sequence[Probe], *, side: Side) -> list[Stop]:
    stops = [
        scene.provider.stop(Stop(side=side, marks=(probe.tag,), events=_events_before_half(probe)))
        for probe in probes
    ]
    scene.send(probes)
    for stop in stops:
        stop.wait()
    return stops


def _events_before_half(probe: Probe) -> int:
    return _SOUNDS_BEFORE_HALF if probe.kind == "speech" else _EVENTS_BEFORE_HALF


def _at_half(scene: Scene, probes: Sequence[Probe]) -> None:
    _at_provider(scene, probes, side="half")
    for probe in probes:
        if probe.kind in ("stream", "speech"):
            until(lambda: scene.checkpoint(probe) >= CHECKPOINT_TOKENS, "a checkpoint")  # noqa: B023


def _at_settle(scene: Scene, probes: Sequence[Probe], *, side: Side) -> None:
    answers = _at_provider(scene, probes, side="unanswered")
    calls = tuple(scene.open_calls(probes))
    stops = [
        scene.postgres.stop(Stop(side=side, lane=lane, marks=calls))
        for lane in {probe.lanes[1] for probe in probes}
    ]
    for answer in answers:
        answer.open()
    for stop in stops:
        stop.wait()


def _in_settle(scene: Scene, probes: Sequence[Probe]) -> None:
    scene.send(probes)
    until(lambda: scene.waits_inside() == len(probes), "T2 before the door")


def _at_the_end(scene: Scene, probes: Sequence[Probe]) -> None:
    scene.send(probes)
    for probe in probes:
        probe.join(_PATIENCE_S)


_ARRIVALS: Final[Mapping[Point, Callable[[Scene, Sequence[Probe]], object]]] = {
    "hold-unsent": partial(_at_hold, side="unsent"),
    "hold-unanswered": partial(_at_hold, side="unanswered"),
    "call-unsent": partial(_at_provider, side="unsent"),
    "call-unanswered": partial(_at_provider, side="unanswered"),
    "answer-half": _at_half,
    "settle-unsent": partial(_at_settle, side="unsent"),
    "settle-under-way": _in_settle,
    "settle-broken-off": _in_settle,
    "settle-unanswered": partial(_at_settle, side="unanswered"),
    "answered": _at_the_end,
}


def _through(url: str, port: int) -> str:
    """Give the same address behind a gate."""
    parts = urlsplit(url)
    before, _, _ = parts.netloc.rpartition("@")
    place = f"127.0.0.1:{port}"
    return urlunsplit(parts._replace(netloc=f"{before}@{place}" if before else place))
