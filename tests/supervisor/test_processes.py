"""Children die with a killed supervisor, start again, and are recognised afterwards."""

import os
import signal
import sys
from pathlib import Path

import psutil

from studio.supervisor.processes import (
    Child,
    ChildSpec,
    end_leftovers,
    look_after,
    record_children,
    start,
    stop,
    wait_until,
)

FOREVER = "import signal; print('ready', flush=True); signal.pause()"
SUPERVISOR = """
import os, signal, sys
from pathlib import Path
from studio.supervisor.processes import ChildSpec, start
child = start(ChildSpec(name="child", command=[sys.executable, "-c", sys.argv[1]],
                        environment=os.environ, log=Path(sys.argv[2])))
print(child.process.pid, flush=True)
signal.pause()
"""


def _child(directory: Path, program: str = FOREVER, *arguments: str) -> Child:
    spec = ChildSpec(
        name="child",
        command=[sys.executable, "-c", program, *arguments],
        environment=os.environ | {"PYTHONPATH": str(Path.cwd())},
        log=directory / "child.log",
    )
    child = start(spec)
    wait_until(lambda: bool(spec.log.read_text()), child=child, what="The child")
    return child


def test_a_killed_child_starts_again_and_it_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    child = _child(tmp_path)
    child.process.kill()
    child.process.wait()
    look_after(child, said.append)
    try:
        assert child.alive
        assert said == [
            f"child was killed by SIGKILL: starting it again now (log: {child.spec.log})"
        ]
    finally:
        stop([child])


def test_a_child_that_fails_again_has_to_wait(tmp_path: Path) -> None:
    said: list[str] = []
    child = _child(tmp_path, "print('bye'); raise SystemExit(3)")
    for _ in range(2):
        child.process.wait()
        look_after(child, said.append)
    child.process.wait()
    assert child.restart_at is not None
    assert said[-1].startswith("child ended with exit code 3: starting it again in 0.25 s")
    stop([child])


def test_children_die_with_a_killed_supervisor(tmp_path: Path) -> None:
    log = tmp_path / "grandchild.log"
    supervisor = _child(tmp_path, SUPERVISOR, FOREVER, str(log))
    grandchild = psutil.Process(int(supervisor.spec.log.read_text()))
    wait_until(lambda: bool(log.read_text()), child=supervisor, what="The grandchild")
    supervisor.process.kill()
    supervisor.process.wait()
    _, alive = psutil.wait_procs([grandchild], timeout=10)
    assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []


def test_what_an_earlier_run_left_is_ended_and_named(tmp_path: Path) -> None:
    child = _child(tmp_path)
    record = tmp_path / "children.json"
    record_children(record, [child])
    assert end_leftovers(record) == ["child"]
    assert not child.alive
    assert end_leftovers(record) == []


def test_a_stranger_with_an_old_number_is_left_alone(tmp_path: Path) -> None:
    child = _child(tmp_path)
    record = tmp_path / "children.json"
    record.write_text(f'[["child", {child.process.pid}, 1000000000.0]]')
    assert end_leftovers(record) == []
    assert child.alive
    stop([child])


def test_stop_kills_what_does_not_listen(tmp_path: Path) -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True)\n"
    child = _child(tmp_path, deaf + "while True: signal.pause()")
    stop([child], at_once=lambda: True)
    assert child.process.returncode == -signal.SIGKILL
