"""Keep files, let them go, and delete what nobody needs. Synchronous: workers and beat call it.

No transaction is open while storage or another process is waited for, so call these outside of any.
"""

import hashlib
import logging
import time
from uuid import UUID

from django.db import connection

from gateway.media import stored
from gateway.media.errors import StorageUnavailable
from gateway.media.queries import kept_asset
from gateway.media.shaping import shape
from gateway.media.storages import Found, asset_storage
from gateway.media.works import MediaWork, Shaped
from gateway.models.asset import Asset, StoredFile

logger = logging.getLogger(__name__)

_MOST_TRIES = 20
_PAUSE_S = 0.5
_MOST_AT_ONCE = 1000
_PATIENCE_S = 30.0
"""For one sweep. The mark of what it takes lasts four times as long."""
_STRAY_AFTER_S = 24 * 3600
_FOLDERS_AT_ONCE = 2
_EVERY_S = 600
_VERSION_7 = 0x7


def asset_id(run_id: UUID, number: int) -> UUID:
    """Give the id of a run's n-th file: always the same, and sorting by the run's time.

    A uuid version 7 with the run's milliseconds; the rest comes from a digest instead of chance.
    """
    found = hashlib.sha256(b"asset:" + run_id.bytes + number.to_bytes(4, "big")).digest()
    made = bytearray(run_id.bytes[:6] + found[:10])
    made[6] = _VERSION_7 << 4 | made[6] & 0x0F
    made[8] = 0x80 | made[8] & 0x3F
    return UUID(bytes=bytes(made))


def keep(
    data: bytes, work: MediaWork, *, id: UUID, workspace_id: int, job_id: UUID | None
) -> Asset:
    """Make a file ours and keep it: the object first, the row after it. Safe twice by its id.

    Raises: UnusableFile; StorageUnavailable, ImagesBusy: nothing was kept, another try may.
    """
    assert not connection.in_atomic_block, "storage is waited for"
    known = kept_asset(id)
    if known is not None:
        return known
    owner = stored.Belonging(workspace_id=workspace_id, job_id=job_id)
    return keep_shaped(shape(data, work), id=id, owner=owner)


def keep_shaped(shaped: Shaped, *, id: UUID, owner: stored.Belonging) -> Asset:
    """Keep a file that is ours already. Safe twice by its id.

    Raises: StorageUnavailable: nothing was kept, another try may.
    """
    assert not connection.in_atomic_block, "storage is waited for"
    sha256 = hashlib.sha256(shaped.data).hexdigest()
    for _ in range(_MOST_TRIES):
        if stored.claim(sha256, len(shaped.data)):
            asset_storage().put(stored.name_of(sha256), shaped.data, shaped.media_type)
            found = stored.record(shaped, id=id, sha256=sha256, owner=owner)
            if found is not None:
                return found
        time.sleep(_PAUSE_S)  # somebody is deleting equal bytes this moment
    raise StorageUnavailable("The file could not be stored.")


def drop(id: UUID, *, workspace_id: int) -> bool:
    """End an asset at its owner's or our people's word; its bytes go with the next sweep.

    Returns: False if the workspace has no such asset, or not any more.
    """
    return stored.let_go(id, workspace_id=workspace_id)


def release_expired() -> int:
    """End assets past their time, delete files that nobody needs. Returns: how many files."""
    ends_at = time.monotonic() + _PATIENCE_S
    while stored.expire(_MOST_AT_ONCE) == _MOST_AT_ONCE and time.monotonic() < ends_at:
        continue
    removed = 0
    while time.monotonic() < ends_at and (batch := stored.take_unneeded()):
        removed += _remove(batch, ends_at)
    stored.forget(_MOST_AT_ONCE)
    return removed


def remove_strays(now_s: float | None = None) -> int:
    """Delete files that no row tells of, a day after they were written. Returns: how many.

    There are none unless the database was set back, or a machine died while it wrote. Each call
    looks at two of the 256 folders, so that each is looked at once in 22 hours.
    """
    turn = int((time.time() if now_s is None else now_s) // _EVERY_S)
    first = turn * _FOLDERS_AT_ONCE % 256
    return sum(_remove_strays(f"{first + more:02x}") for more in range(_FOLDERS_AT_ONCE))


def _remove(batch: list[stored.Taken], ends_at: float) -> int:
    removed = 0
    for taken in batch:
        if time.monotonic() >= ends_at:
            break  # its mark runs out, and a later sweep takes it again
        asset_storage().remove(stored.name_of(taken.sha256))
        stored.confirm_removed(taken)
        removed += 1
    return removed


def _remove_strays(folder: str) -> int:
    storage = asset_storage()
    old = [found for found in storage.found_in(folder) if found.age_s > _STRAY_AFTER_S]
    strays = _unknown(old)
    for found in strays:
        logger.warning("a file that nobody knows is deleted: %s", found.name)
        storage.remove(found.name)
    return len(strays)


def _unknown(found: list[Found]) -> list[Found]:
    digests = [each.name.rpartition("/")[2] for each in found]
    known = set(StoredFile.objects.filter(pk__in=digests).values_list("pk", flat=True))
    return [each for each, digest in zip(found, digests, strict=True) if digest not in known]
