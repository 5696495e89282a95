"""`manage.py up` as its users meet it: started, disturbed, killed, stopped."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.request import Request, urlopen

import psutil
import pytest

from studio.supervisor.bootstrap import BASE_DIR
from studio.supervisor.processes import Child, ChildSpec, free_port, start, stop, wait_until

StartUp = Callable[[Path], Child]


def _environment() -> dict[str, str]:
    """Ours without the tests' servers and without any provider."""
    dropped = ("DATABASE_", "REDIS_", "OPENAI_", "SANDBOX_", "DJANGO_", "DEBUG")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return kept | {"STUDIO_DOTENV": "0"}


def _command(data_dir: Path, port: int) -> list[str]:
    options = ["--data-dir", str(data_dir), "--port", str(port)]
    return [sys.executable, "manage.py", "up", *options]


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A new data folder that the servers' user can enter, as it cannot enter pytest's."""
    with TemporaryDirectory(prefix="studio-up-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder) / "data"


@pytest.fixture
def start_up(data_dir: Path, tmp_path: Path) -> Iterator[StartUp]:
    """Start `up` and wait until it says that it is healthy."""
    started: list[Child] = []

    def run(data_dir: Path) -> Child:
        spec = ChildSpec(
            name="up",
            command=_command(data_dir, free_port()),
            environment=_environment(),
            log=tmp_path / f"up-{len(started)}.log",
            stop_signal=signal.SIGINT,
            stop_timeout_s=60,
            cwd=BASE_DIR,
        )
        child = start(spec)
        started.append(child)
        _wait_for_words("Studio is running", child)
        return child

    yield run
    stop(started)


def _wait_for_words(words: str, child: Child) -> None:
    wait_until(lambda: words in child.spec.log.read_text(), child=child, what="up")


def _facts(data_dir: Path) -> dict[str, str]:
    facts: dict[str, str] = json.loads((data_dir / "up.json").read_text())
    return facts


def _call(facts: dict[str, str], path: str, body: object = None) -> dict[str, Any]:
    headers = {"x-app-key": facts["app_key"], "content-type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(facts["base_url"] + path, data, headers), timeout=20) as answer:
        parsed: dict[str, Any] = json.load(answer)
        return parsed


def _second_up(data_dir: Path, port: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        _command(data_dir, port),
        cwd=BASE_DIR,
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_newcomer_gets_a_paid_answer_and_nothing_is_left(
    start_up: StartUp, data_dir: Path
) -> None:
    up = start_up(data_dir)
    facts = _facts(data_dir)
    question = {"kind": "chat.default", "messages": [{"role": "user", "content": "Hello!"}]}
    assert _call(facts, "/v1/chat", question)["object"] == "chat.completion"
    assert _call(facts, "/v1/credits")["tier"] == "managed"
    for name in ("up.json", "secrets.json", "demo-key", "environment.json"):
        assert stat.S_IMODE((data_dir / name).stat().st_mode) == 0o600
    family = psutil.Process(up.process.pid).children(recursive=True)
    stop([up])
    assert up.process.returncode == 0
    assert [process for process in family if process.is_running()] == []
    assert not (data_dir / "up.json").exists()
    assert not (data_dir / "environment.json").exists()


def test_commands_beside_up_need_no_settings(start_up: StartUp, data_dir: Path) -> None:
    start_up(data_dir)
    key = _manage(data_dir, "create_app_key", "--workspace", "acme")
    _manage(data_dir, "grant_credits", "--workspace", "acme", "--credits", "12.5")
    _manage(data_dir, "set_tier", "--workspace", "acme", "--tier", "byok")
    _manage(data_dir, "load_prices")
    _manage(data_dir, "migrate")
    assert _manage(data_dir, "reconcile") == "reconcile: 0 violations"
    balance = _call(_facts(data_dir) | {"app_key": key}, "/v1/credits")
    assert (balance["available"], balance["tier"]) == (12.5, "byok")


def test_a_second_up_says_where_the_first_one_is(start_up: StartUp, data_dir: Path) -> None:
    up = start_up(data_dir)
    second = _second_up(data_dir, free_port())
    assert second.returncode == 1
    url = _facts(data_dir)["base_url"]
    assert f"already runs on {data_dir}: {url} (process {up.process.pid};" in second.stdout
    assert up.alive


def test_a_taken_port_is_named_with_the_way_out(data_dir: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        port = taken.getsockname()[1]
        refused = _second_up(data_dir, port)
    assert refused.returncode == 1
    assert f"Port {port} of 127.0.0.1 is taken" in refused.stdout
    assert "python3 manage.py up --port " in refused.stdout


def test_killed_children_start_again(start_up: StartUp, data_dir: Path) -> None:
    up = start_up(data_dir)
    for name, pid, _ in json.loads((data_dir / "children.json").read_text()):
        os.kill(pid, signal.SIGKILL)
        _wait_for_words(f"{name} was killed by SIGKILL: starting it again", up)
    facts = _facts(data_dir)
    wait_until(lambda: _is_ready(facts), child=up, what="The restarted gateway")
    assert _call(facts, "/v1/credits")["currency"] == "credits"


def test_a_killed_supervisor_takes_its_children_along_and_the_next_one_recovers(
    start_up: StartUp, data_dir: Path
) -> None:
    up = start_up(data_dir)
    key = _facts(data_dir)["app_key"]
    family = psutil.Process(up.process.pid).children(recursive=True)
    up.process.kill()
    up.process.wait()
    _, alive = psutil.wait_procs(family, timeout=20)
    assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []
    start_up(data_dir)
    assert _facts(data_dir)["app_key"] == key
    assert _call(_facts(data_dir), "/v1/credits")["available"] == 100_000


def test_embedded_servers_are_refused_in_production(data_dir: Path) -> None:
    refused = subprocess.run(
        _command(data_dir, free_port()),
        cwd=BASE_DIR,
        env=_environment() | {"DEBUG": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 1
    assert refused.stdout.startswith("DEBUG is off, and embedded servers are for development.")


def _manage(data_dir: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=BASE_DIR,
        env=_environment() | {"STUDIO_DATA_DIR": str(data_dir)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def _is_ready(facts: dict[str, str]) -> bool:
    try:
        return bool(_call(facts, "/v1/credits"))
    except OSError:
        return False
