"""Which environment a Django command gets from the shell, a running `up` and the owner's URL."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from studio.supervisor.surroundings import (
    complete,
    owner_environment,
    share_environment,
    shared_environment,
    stop_sharing,
)

RUNNING = {
    "DEBUG": "1",
    "SECRET_KEY_FILE": "/key",
    "DATABASE_URL": "app",
    "DATABASE_OWNER_URL": "owner",
    "AWS_SECRET": "of no concern",
}
SHARED = {name: value for name, value in RUNNING.items() if name != "AWS_SECRET"}


def test_the_owner_migrates_and_the_rest_stays() -> None:
    changed = owner_environment(
        {"DATABASE_URL": "app", "DATABASE_OWNER_URL": "owner", "REDIS_URL": "r"}
    )
    assert changed == {"DATABASE_URL": "owner", "DATABASE_OWNER_URL": "owner", "REDIS_URL": "r"}


def test_the_owner_may_come_from_a_file() -> None:
    changed = owner_environment({"DATABASE_URL": "app", "DATABASE_OWNER_URL_FILE": "/owner"})
    assert changed == {"DATABASE_URL_FILE": "/owner", "DATABASE_OWNER_URL_FILE": "/owner"}


def test_one_role_serves_where_no_owner_is_named() -> None:
    assert owner_environment({"DATABASE_URL": "only"}) == {"DATABASE_URL": "only"}


def test_a_command_finds_the_servers_of_the_running_up(tmp_path: Path) -> None:
    share_environment(tmp_path, RUNNING)
    assert stat.S_IMODE((tmp_path / "environment.json").stat().st_mode) == 0o600
    environment = {"STUDIO_DATA_DIR": str(tmp_path), "DEBUG": "0", "LANG": "C"}
    complete(environment, "create_app_key")
    assert environment == SHARED | {"STUDIO_DATA_DIR": str(tmp_path), "DEBUG": "0", "LANG": "C"}


@pytest.mark.parametrize("name", ["DATABASE_URL", "DATABASE_URL_FILE"])
def test_a_named_database_is_never_mixed_with_the_running_up(tmp_path: Path, name: str) -> None:
    share_environment(tmp_path, RUNNING)
    environment = {"STUDIO_DATA_DIR": str(tmp_path), name: "mine"}
    complete(environment, "create_app_key")
    assert environment == {"STUDIO_DATA_DIR": str(tmp_path), name: "mine"}


def test_benches_do_not_load_the_running_up(tmp_path: Path) -> None:
    share_environment(tmp_path, RUNNING)
    environment = {"STUDIO_DATA_DIR": str(tmp_path)}
    complete(environment, "bench")
    assert environment == {"STUDIO_DATA_DIR": str(tmp_path)}


def test_beside_up_migrate_works_as_the_owner(tmp_path: Path) -> None:
    share_environment(tmp_path, RUNNING)
    environment = {"STUDIO_DATA_DIR": str(tmp_path)}
    complete(environment, "migrate")
    assert environment["DATABASE_URL"] == "owner"


def test_only_migrate_works_as_the_owner_and_a_file_of_the_app_does_not_win() -> None:
    given = {"DATABASE_URL_FILE": "/app", "DATABASE_OWNER_URL": "owner"}
    environment = dict(given)
    complete(environment, "load_prices")
    assert environment == given
    complete(environment, "migrate")
    assert environment == {"DATABASE_URL": "owner", "DATABASE_OWNER_URL": "owner"}


def test_what_a_killed_up_left_is_ignored(tmp_path: Path) -> None:
    writer = f"""
from pathlib import Path
from studio.supervisor.surroundings import share_environment
share_environment(Path({str(tmp_path)!r}), {RUNNING!r})
"""
    subprocess.run([sys.executable, "-c", writer], check=True, env=os.environ)
    assert (tmp_path / "environment.json").exists()
    assert shared_environment(tmp_path) == {}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"pid": 1}'])
def test_an_unreadable_file_is_ignored(tmp_path: Path, text: str) -> None:
    (tmp_path / "environment.json").write_text(text)
    assert shared_environment(tmp_path) == {}


def test_after_up_nothing_is_shared(tmp_path: Path) -> None:
    share_environment(tmp_path, RUNNING)
    stop_sharing(tmp_path)
    stop_sharing(tmp_path)
    assert shared_environment(tmp_path) == {}
