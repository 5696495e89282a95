"""The bytes behind assets: claimed before they are stored, taken before they are deleted.

Equal bytes lie in storage once, so one may store what another deletes. Both go through the row of
the digest, in statements of their own, and none holds a lock while it talks to storage:

claim  moves `keep_until` 15 minutes ahead, unless somebody is deleting the bytes right now
record writes the asset, only while that claim still stands
take   marks bytes past their `keep_until` that no living asset has, for two minutes

So bytes are deleted only while nobody can be between his claim and his asset. A sweep that died
leaves its mark, which runs out.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import connection
from django.utils import timezone

from gateway.media.works import Shaped
from gateway.models.asset import Asset

MOST_TAKEN = 100
Parameter = str | int | UUID | datetime | list[UUID] | None

_CLAIM = """
INSERT INTO gateway_storedfile AS f (sha256, size_bytes, created_at, keep_until)
VALUES (%(sha256)s, %(size_bytes)s, now(), now() + interval '15 minutes')
ON CONFLICT (sha256) DO UPDATE
   SET keep_until = greatest(f.keep_until, excluded.keep_until), removal_until = NULL
 WHERE f.removal_until IS NULL OR f.removal_until < now()
RETURNING 1
"""
_RECORD = """
WITH claimed AS (
  UPDATE gateway_storedfile
     SET keep_until = greatest(keep_until, %(keep_until)s)
   WHERE sha256 = %(sha256)s AND removal_until IS NULL AND keep_until > now()
  RETURNING sha256
)
INSERT INTO gateway_asset (id, workspace_id, job_id, sha256, media_type, size_bytes, width, height,
                           media_ms, is_input, created_at, keep_until)
SELECT %(id)s, %(workspace_id)s, %(job_id)s, sha256, %(media_type)s, %(size_bytes)s, %(width)s,
       %(height)s, %(media_ms)s, %(is_input)s, %(created_at)s, %(keep_until)s
  FROM claimed
ON CONFLICT (id) DO NOTHING
"""
_LET_GO = """
WITH gone AS (
  UPDATE gateway_asset SET deleted_at = now()
   WHERE id = %(id)s AND workspace_id = %(workspace_id)s AND NOT is_input
     AND deleted_at IS NULL AND keep_until > now()
  RETURNING sha256
)
UPDATE gateway_storedfile f SET keep_until = least(f.keep_until, now())
  FROM gone WHERE f.sha256 = gone.sha256
RETURNING 1
"""
_LET_INPUTS_GO = """
WITH gone AS (
  UPDATE gateway_asset SET deleted_at = now()
   WHERE job_id = ANY (%(job_ids)s) AND is_input AND deleted_at IS NULL
  RETURNING sha256
), shared AS (
  SELECT sha256 FROM gateway_storedfile WHERE sha256 IN (SELECT sha256 FROM gone)
   ORDER BY sha256 FOR UPDATE
)
UPDATE gateway_storedfile f SET keep_until = least(f.keep_until, now())
  FROM shared WHERE f.sha256 = shared.sha256
"""
"""Jobs that end at the same time may share several pictures: their rows are locked in one order."""
_EXPIRE = """
UPDATE gateway_asset SET deleted_at = now()
 WHERE id IN (SELECT id FROM gateway_asset WHERE deleted_at IS NULL AND keep_until <= now()
               ORDER BY keep_until LIMIT %(most)s FOR UPDATE SKIP LOCKED)
"""
_TAKE = """
WITH due AS (
  SELECT sha256 FROM gateway_storedfile
   WHERE keep_until <= now() AND (removal_until IS NULL OR removal_until < now())
   ORDER BY keep_until LIMIT %(most)s FOR UPDATE SKIP LOCKED
), needed AS (
  SELECT sha256, max(a.keep_until) AS keep_until FROM due JOIN gateway_asset a USING (sha256)
   WHERE a.deleted_at IS NULL AND a.keep_until > now() GROUP BY sha256
), kept AS (
  UPDATE gateway_storedfile f SET keep_until = needed.keep_until
    FROM needed WHERE f.sha256 = needed.sha256
)
UPDATE gateway_storedfile f SET removal_until = now() + interval '2 minutes'
  FROM due WHERE f.sha256 = due.sha256 AND due.sha256 NOT IN (SELECT sha256 FROM needed)
RETURNING f.sha256, f.removal_until
"""
_REMOVED = "DELETE FROM gateway_storedfile WHERE sha256 = %(sha256)s AND removal_until = %(until)s"
_FORGET = """
DELETE FROM gateway_asset
 WHERE id IN (SELECT id FROM gateway_asset WHERE deleted_at < now() - interval '90 days'
               ORDER BY deleted_at LIMIT %(most)s FOR UPDATE SKIP LOCKED)
"""


class Belonging(msgspec.Struct, frozen=True, kw_only=True):
    """Whose an asset is. `is_input` is one that a caller sent in; `kept_s` is how long it is kept
    at most, None for as long as files that were made.
    """

    workspace_id: int
    job_id: UUID | None
    is_input: bool = False
    kept_s: int | None = None

    @property
    def life(self) -> timedelta:
        """How long it is kept."""
        if self.kept_s is None:
            return timedelta(days=settings.ASSETS_KEPT_DAYS)
        return timedelta(seconds=self.kept_s)


class Taken(msgspec.Struct, frozen=True):
    """Bytes that are ours to delete until then, and nobody else's to store."""

    sha256: str
    until: datetime


def name_of(sha256: str) -> str:
    """Give the name of the bytes in storage."""
    return f"{sha256[:2]}/{sha256[2:4]}/{sha256}"


def claim(sha256: str, size_bytes: int) -> bool:
    """Say that these bytes will be needed. Returns: False while somebody deletes them."""
    return bool(_rows(_CLAIM, sha256=sha256, size_bytes=size_bytes))


def record(shaped: Shaped, *, id: UUID, sha256: str, owner: Belonging) -> Asset | None:
    """Write the asset of claimed and stored bytes; once, however often it is tried.

    Returns: the asset of this id; None if the claim does not stand any more.
    """
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(
            _RECORD,
            {
                "id": id,
                "workspace_id": owner.workspace_id,
                "job_id": owner.job_id,
                "is_input": owner.is_input,
                "sha256": sha256,
                "media_type": shaped.media_type,
                "size_bytes": len(shaped.data),
                "width": shaped.width,
                "height": shaped.height,
                "media_ms": shaped.media_ms,
                "created_at": now,
                "keep_until": now + owner.life,
            },
        )
    return Asset.objects.filter(pk=id).first()


def let_go(id: UUID, *, workspace_id: int) -> bool:
    """End one asset of a workspace. Returns: False if it has no such asset, or not any more."""
    return bool(_rows(_LET_GO, id=id, workspace_id=workspace_id))


def let_inputs_go(job_ids: list[UUID]) -> None:
    """End what callers sent in for these jobs; in the caller's transaction, if there is one."""
    _count(_LET_INPUTS_GO, job_ids=job_ids)


def expire(most: int) -> int:
    """End assets past their time. Returns: how many."""
    return _count(_EXPIRE, most=most)


def take_unneeded() -> list[Taken]:
    """Take bytes to delete that nobody needs; what turns out to be needed gets its time back."""
    return [Taken(sha256, until) for sha256, until in _rows(_TAKE, most=MOST_TAKEN)]


def confirm_removed(taken: Taken) -> None:
    """Forget bytes that are deleted."""
    _count(_REMOVED, sha256=taken.sha256, until=taken.until)


def forget(most: int) -> int:
    """Forget assets that ended three months ago. Returns: how many."""
    return _count(_FORGET, most=most)


def _rows(statement: str, **parameters: Parameter) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found


def _count(statement: str, **parameters: Parameter) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return int(cursor.rowcount)
