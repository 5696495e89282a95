"""Data folder, secrets, and what root does about folders that the servers' user cannot enter."""

import os
import stat
from pathlib import Path

import pytest

from studio.supervisor.places import CannotStart, load_secrets, prepare_data_dir, server_place

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root drops to another user")


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_secrets_are_made_once_and_only_the_owner_reads_them(tmp_path: Path) -> None:
    first = load_secrets(tmp_path)
    assert load_secrets(tmp_path) == first
    assert _mode(tmp_path / "secrets.json") == 0o600
    assert len(set(first.values())) == len(first)


def test_a_secret_that_a_newer_version_needs_is_added(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text('{"SECRET_KEY": "kept"}')
    known = load_secrets(tmp_path)
    assert known["SECRET_KEY"] == "kept"
    assert known["VAULT_SECRET"]


def test_a_folder_that_exists_keeps_its_mode(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir(mode=0o750)
    assert prepare_data_dir(mine) == mine
    assert _mode(mine) == 0o750


def test_a_file_is_no_data_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotStart, match="is not a folder"):
        prepare_data_dir(tmp_path / "file")


def test_an_ordinary_user_keeps_everything_in_the_data_folder(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root drops to another user")
    place = server_place(tmp_path)
    assert (place.directory, place.user, place.moved) == (tmp_path / "servers", None, False)


@only_root
def test_root_moves_the_servers_out_of_a_closed_folder(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    data_dir = prepare_data_dir(closed / "data")
    place = server_place(data_dir)
    try:
        assert place.moved
        assert not place.directory.is_relative_to(tmp_path)
        assert place.user is not None
        assert place.directory.stat().st_uid == place.user.uid != 0
        assert _mode(closed) == 0o700
        assert server_place(data_dir).directory == place.directory
    finally:
        place.directory.rmdir()
        place.directory.parent.rmdir()
