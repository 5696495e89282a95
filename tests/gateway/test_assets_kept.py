"""Files are stored once, as long as somebody needs them, and whoever deletes harms nobody else."""

import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction

from gateway.media import stored
from gateway.media.errors import StorageUnavailable, UnusableFile
from gateway.media.queries import access_asset, read_asset, read_bytes
from gateway.media.services import asset_id, drop, keep, release_expired, remove_strays
from gateway.media.works import ImageWork, Shaped
from gateway.models.asset import Asset, StoredFile
from studio.core.errors import NotFound
from studio.core.ids import new_id
from tests.databases import Database, django_on, rows
from tests.gateway.kept_files import keep_image, path_of

MINE, YOURS = 1, 2


@pytest.fixture(autouse=True)
def storage(fresh_database: Database, settings: Any, tmp_path: Path) -> Iterator[Path]:
    """A database and a folder of this test's own."""
    folder = tmp_path / "assets"
    assets = {
        "BACKEND": "gateway.media.storages.LocalFiles",
        "OPTIONS": {"location": str(folder)},
    }
    settings.STORAGES = {**settings.STORAGES, "assets": assets}
    with django_on(fresh_database):
        yield folder


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def execute(statement: str, *parameters: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)  # type: ignore[arg-type]


def let_days_pass(days: int) -> None:
    """Move every moment of the tables back, as if it were later now."""
    for column in ("created_at", "keep_until", "deleted_at"):
        execute(f"UPDATE gateway_asset SET {column} = {column} - make_interval(days => %s)", days)  # noqa: S608  our names
    for column in ("keep_until", "removal_until"):
        execute(
            f"UPDATE gateway_storedfile SET {column} = {column} - make_interval(days => %s)",  # noqa: S608
            days,
        )


def test_a_file_lies_under_its_digest_and_is_what_was_made(storage: Path) -> None:
    job_id = new_id()
    asset = keep_image(MINE, job_id=job_id)
    [path] = files(storage)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert path == storage / digest[:2] / digest[2:4] / digest
    assert (asset.sha256, asset.size_bytes) == (digest, path.stat().st_size)
    assert (asset.media_type, asset.width, asset.height, asset.media_ms) == ("image/png", 64, 48, 0)
    assert (asset.workspace_id, asset.job_id, asset.deleted_at) == (MINE, job_id, None)
    assert asset.keep_until - asset.created_at == timedelta(days=30)
    assert read_bytes(asset) == path.read_bytes()
    assert path.stat().st_mode & 0o077 == 0


def test_a_file_is_kept_once_by_its_id(storage: Path) -> None:
    first = keep_image(MINE)
    again = keep_image(MINE, id=first.pk)
    other = keep_image(MINE, id=first.pk, color=(9, 9, 9))
    assert (again.sha256, other.sha256) == (first.sha256, first.sha256)
    assert Asset.objects.count() == StoredFile.objects.count() == len(files(storage)) == 1


def test_equal_bytes_are_stored_once_and_stay_while_one_needs_them(storage: Path) -> None:
    mine, yours = keep_image(MINE), keep_image(YOURS)
    assert mine.pk != yours.pk
    assert (StoredFile.objects.count(), len(files(storage))) == (1, 1)
    assert drop(mine.pk, workspace_id=MINE)
    assert release_expired() == 0
    assert read_asset(mine.pk) is None
    assert read_bytes(access_asset(yours.pk, workspace_id=YOURS, user_ref="app"))
    assert drop(yours.pk, workspace_id=YOURS)
    assert release_expired() == 1
    assert (StoredFile.objects.count(), files(storage)) == (0, [])


def test_only_its_workspace_may_let_a_file_go_and_once(storage: Path) -> None:
    asset = keep_image(MINE)
    assert not drop(asset.pk, workspace_id=YOURS)
    assert not drop(new_id(), workspace_id=MINE)
    assert release_expired() == 0
    assert read_asset(asset.pk) is not None
    assert drop(asset.pk, workspace_id=MINE)
    assert not drop(asset.pk, workspace_id=MINE)


def test_a_file_ends_with_its_time_and_not_before(storage: Path) -> None:
    asset = keep_image(MINE)
    let_days_pass(29)
    assert release_expired() == 0
    assert read_asset(asset.pk) is not None
    let_days_pass(1)
    assert read_asset(asset.pk) is None
    assert release_expired() == 1
    assert files(storage) == []
    [row] = rows("SELECT deleted_at, keep_until FROM gateway_asset")
    assert row["deleted_at"] > row["keep_until"]


def test_a_younger_file_of_equal_bytes_keeps_them(storage: Path) -> None:
    old = keep_image(MINE)
    let_days_pass(20)
    young = keep_image(YOURS)
    let_days_pass(15)
    assert release_expired() == 0
    assert (read_asset(old.pk), len(files(storage))) == (None, 1)
    [row] = rows(
        "SELECT f.keep_until = a.keep_until AS same FROM gateway_storedfile f"
        " JOIN gateway_asset a USING (sha256) WHERE a.id = %s",
        young.pk,
    )
    assert row["same"]
    let_days_pass(15)
    assert release_expired() == 1
    assert files(storage) == []


def test_rows_of_files_that_are_gone_are_forgotten_after_three_months() -> None:
    keep_image(MINE)
    let_days_pass(30)
    release_expired()
    let_days_pass(89)
    release_expired()
    assert Asset.objects.count() == 1
    let_days_pass(2)
    release_expired()
    assert Asset.objects.count() == 0


def test_a_file_of_no_use_leaves_nothing(storage: Path) -> None:
    with pytest.raises(UnusableFile):
        keep(b"no image", ImageWork(), id=new_id(), workspace_id=MINE, job_id=None)
    assert (Asset.objects.count(), StoredFile.objects.count(), files(storage)) == (0, 0, [])


def test_without_storage_nothing_is_kept_and_another_try_keeps_it(storage: Path) -> None:
    storage.parent.mkdir(exist_ok=True)
    storage.write_text("no folder")
    id = new_id()
    with pytest.raises(StorageUnavailable) as caught:
        keep_image(MINE, id=id)
    assert (caught.value.retryable, caught.value.status) == (True, 503)
    assert (read_asset(id), Asset.objects.count()) == (None, 0)
    storage.unlink()
    assert read_bytes(keep_image(MINE, id=id))


def test_a_row_whose_bytes_are_lost_is_no_empty_file(storage: Path) -> None:
    asset = keep_image(MINE)
    files(storage)[0].unlink()
    with pytest.raises(StorageUnavailable):
        read_bytes(asset)


def test_what_a_dead_worker_stored_goes_when_its_claim_ends(storage: Path) -> None:
    asset = keep_image(MINE)
    Asset.objects.all().delete()
    execute("UPDATE gateway_storedfile SET keep_until = now() + interval '1 minute'")
    assert release_expired() == 0
    execute("UPDATE gateway_storedfile SET keep_until = now()")
    assert release_expired() == 1
    assert (files(storage), StoredFile.objects.filter(pk=asset.sha256).exists()) == ([], False)


def test_storage_is_never_waited_for_inside_a_transaction() -> None:
    with transaction.atomic(), pytest.raises(AssertionError):
        keep_image(MINE)


SHA256 = "ab" * 32
SHAPED = Shaped(data=b"abc", media_type="image/png")
OWNER = stored.Belonging(workspace_id=MINE, job_id=None)


def record() -> Asset | None:
    return stored.record(SHAPED, id=new_id(), sha256=SHA256, owner=OWNER)


def test_claimed_bytes_are_not_taken() -> None:
    assert stored.claim(SHA256, 3)
    assert stored.take_unneeded() == []
    assert record() is not None
    assert stored.take_unneeded() == []


def test_bytes_that_are_being_deleted_can_be_claimed_when_that_is_over() -> None:
    stored.claim(SHA256, 3)
    execute("UPDATE gateway_storedfile SET keep_until = now()")
    [taken] = stored.take_unneeded()
    assert taken.sha256 == SHA256
    assert (stored.claim(SHA256, 3), stored.take_unneeded()) == (False, [])
    stored.confirm_removed(taken)
    assert stored.claim(SHA256, 3)


def test_the_mark_of_a_sweep_that_died_runs_out() -> None:
    stored.claim(SHA256, 3)
    execute("UPDATE gateway_storedfile SET keep_until = now()")
    [dead] = stored.take_unneeded()
    execute("UPDATE gateway_storedfile SET removal_until = now() - interval '1 second'")
    [taken] = stored.take_unneeded()
    stored.confirm_removed(dead)
    assert StoredFile.objects.filter(pk=SHA256).exists()
    execute("UPDATE gateway_storedfile SET removal_until = now() - interval '1 second'")
    assert stored.claim(SHA256, 3)
    stored.confirm_removed(taken)
    assert StoredFile.objects.filter(pk=SHA256).exists()


def test_no_asset_is_written_on_a_claim_that_ended() -> None:
    assert record() is None
    stored.claim(SHA256, 3)
    execute("UPDATE gateway_storedfile SET keep_until = now() - interval '1 second'")
    assert record() is None
    assert stored.claim(SHA256, 3)
    execute("UPDATE gateway_storedfile SET keep_until = now() - interval '1 second'")
    stored.take_unneeded()
    assert record() is None
    assert Asset.objects.count() == 0


def in_threads(works: list[Callable[[], None]]) -> None:
    """Do works at once, each with a connection of its own. Raises: what the first of them did."""

    def alone(work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as pool:
        for done in [pool.submit(alone, work) for work in works]:
            done.result()


def test_whoever_keeps_and_whoever_deletes_at_once_harm_nobody(storage: Path) -> None:
    """Six workers keep and drop the same three files while two sweep without a pause."""
    left = threading.Semaphore(0)

    def keeping(workspace_id: int) -> None:
        try:
            for turn in range(12):
                asset = keep_image(workspace_id, color=(turn % 3, 0, 0))
                assert hashlib.sha256(read_bytes(asset)).hexdigest() == asset.sha256
                assert turn == 11 or drop(asset.pk, workspace_id=workspace_id)
        finally:
            left.release()

    def sweeping() -> None:
        while left._value < 6:  # noqa: SLF001  there is no other way to look
            release_expired()

    in_threads([sweeping, sweeping, *(partial(keeping, number) for number in range(6))])
    release_expired()
    living = list(Asset.objects.filter(deleted_at=None))
    assert (len(living), len({asset.sha256 for asset in living})) == (6, 1)
    assert hashlib.sha256(read_bytes(living[0])).hexdigest() == living[0].sha256
    assert [path.name for path in files(storage)] == [living[0].sha256]
    assert StoredFile.objects.count() == 1


def stray(folder: Path, name: str, *, days_old: float) -> Path:
    """Leave a file that no row tells of."""
    path = folder / name[:2] / name[2:4] / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"stray")
    moment_s = time.time() - days_old * 86_400
    os.utime(path, (moment_s, moment_s))
    return path


def sweep_folder_of(sha256: str) -> int:
    """Sweep strays at a moment when it is the turn of this digest's folder."""
    return remove_strays(now_s=int(sha256[:2], 16) // 2 * 600.0)


def test_a_file_that_no_row_tells_of_goes_after_a_day(storage: Path) -> None:
    old = stray(storage, "ab" + "0" * 62, days_old=1.01)
    part = stray(storage, "ab00.part-x", days_old=2)
    young = stray(storage, "ab" + "1" * 62, days_old=0.9)
    elsewhere = stray(storage, "ad" + "0" * 62, days_old=9)
    known = keep_image(MINE)
    os.utime(path_of(known.sha256), (0, 0))
    assert sweep_folder_of("ab") == 2
    assert (old.exists(), part.exists(), young.exists()) == (False, False, True)
    assert (elsewhere.exists(), sweep_folder_of("ad"), elsewhere.exists()) == (True, 1, False)
    sweep_folder_of(known.sha256)
    assert read_bytes(known)


def test_every_folder_has_its_turn_within_a_day(storage: Path) -> None:
    for number in range(256):
        stray(storage, f"{number:02x}" + "0" * 62, days_old=3)
    assert sum(remove_strays(now_s=turn * 600.0) for turn in range(128)) == 256
    assert files(storage) == []


def test_a_storage_without_folders_has_no_strays(storage: Path) -> None:
    assert remove_strays() == 0


def test_ids_of_a_run_s_files_are_always_the_same_and_sort_by_its_time() -> None:
    early, late = new_id(), new_id()
    ids = [asset_id(early, number) for number in range(4)]
    assert ids == [asset_id(early, number) for number in range(4)]
    assert len({*ids, asset_id(late, 0)}) == 5
    assert all(id.version == 7 and id.variant == "specified in RFC 4122" for id in ids)
    assert all(str(id)[:13] == str(early)[:13] for id in ids)


def test_another_workspace_s_file_is_not_found() -> None:
    asset = keep_image(MINE)
    for id, workspace_id in ((asset.pk, YOURS), (new_id(), MINE), (UUID(int=0), MINE)):
        with pytest.raises(NotFound, match="no such file"):
            access_asset(id, workspace_id=workspace_id, user_ref="app")


def test_a_user_of_an_app_sees_what_was_made_for_him_alone() -> None:
    job_id = new_id()
    execute(
        "INSERT INTO gateway_job SELECT (jsonb_populate_record(NULL::gateway_job, %s::jsonb)).*",
        _job(job_id, user_ref="ada"),
    )
    asset = keep_image(MINE, job_id=job_id)
    loose = keep_image(MINE, color=(7, 7, 7))
    for user_ref in ("app", "ada"):
        assert access_asset(asset.pk, workspace_id=MINE, user_ref=user_ref).pk == asset.pk
    for id, user_ref in ((asset.pk, "bob"), (loose.pk, "ada")):
        with pytest.raises(NotFound):
            access_asset(id, workspace_id=MINE, user_ref=user_ref)


def _job(job_id: UUID, *, user_ref: str) -> str:
    """Write a job's row as JSON, every column that must not be NULL with something harmless."""
    columns = rows(
        "SELECT column_name AS name, data_type AS kind FROM information_schema.columns"
        " WHERE table_name = 'gateway_job' AND is_nullable = 'NO'"
    )
    empty: dict[str, object] = {
        "uuid": str(job_id),
        "jsonb": {},
        "text": "",
        "boolean": False,
        "timestamp with time zone": "2026-01-01T00:00:00Z",
    }
    row = {column["name"]: empty.get(column["kind"], 0) for column in columns}
    row |= {"state": "queued", "user_ref": user_ref, "item_count": 1}
    return json.dumps(row)
