"""Speech that was made before: the same text in the same voice of the same model, once paid for.

Only whole sounds are kept, of calls that were paid with credits, for the workspace that paid. What
was spoken by a user's own key is neither kept nor looked for: it is that user's. A sound is known
by a digest of all that makes it what it is; the text itself is kept nowhere. Each workspace has a
bound of bytes and of sounds, the least used go first, and after a week each goes.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import TypeVar
from uuid import UUID

import msgspec
import psycopg
from django.conf import settings
from django.db import DatabaseError, connection
from django.utils import timezone

from gateway.media import stored
from gateway.media.errors import StorageUnavailable
from gateway.media.services import drop
from gateway.media.storages import asset_storage
from gateway.media.works import Shaped
from gateway.models.speech import SpokenText
from gateway.pool import borrowed
from gateway.runtime import Runtime
from gateway.sound.formats import media_type_of
from gateway.speech.quotes import OPERATION, SpeechQuote
from studio.core.errors import Unavailable
from studio.core.ids import new_id

logger = logging.getLogger(__name__)

CACHE_HIT = "cache_hit"
"""The reason on the usage rows of sounds that were given again."""
_VERSION = b"2"
_KEPT_DAYS = 7
_MOST_SOUNDS = 1000
"""Of one workspace."""
_MOST_AT_ONCE = 4
"""So many sounds one process writes at a time; what comes meanwhile is not kept."""
LARGEST_SOUND_BYTES = 8 * 1024 * 1024
"""What is larger is not kept: an MP3 of 5 000 characters has some 5 MB, a WAV 16."""
_SWEPT_AT_ONCE = 500

_FIND = """
SELECT id, sha256, size_bytes, media_ms FROM gateway_spokentext
WHERE workspace_id = %s AND digest = %s AND created_at > now() - make_interval(days => %s)
"""
_GIVEN = """
WITH used AS (UPDATE gateway_spokentext SET used_at = now() WHERE id = %(id)s)
INSERT INTO usage (
  request_id, started_at, workspace_id, app_key_id, app_id, user_ref, surface, operation, kind,
  channel, provider, model, status, reason, billing, attempts, http_status, character_count,
  media_ms, usage_source, latency_ms, first_byte_ms)
VALUES (
  %(request_id)s, now() - make_interval(secs => %(latency_ms)s / 1000.0), %(workspace_id)s,
  %(app_key_id)s, %(app_id)s, %(user_ref)s, %(surface)s, %(operation)s, %(kind)s, %(channel)s,
  %(provider)s, %(model)s, 'succeeded', %(reason)s, 'none', 0, 200, %(characters)s, %(media_ms)s,
  'none', %(latency_ms)s, %(latency_ms)s)
"""
_ADD = """
INSERT INTO gateway_spokentext
  (workspace_id, digest, asset_id, sha256, size_bytes, media_ms, created_at, used_at)
VALUES (%s, %s, %s, %s, %s, %s, now(), now())
ON CONFLICT (workspace_id, digest) DO NOTHING RETURNING id
"""
_CROWDED_OUT = """
DELETE FROM gateway_spokentext t USING (
  SELECT id, row_number() OVER w AS place, sum(size_bytes) OVER w AS total_bytes
  FROM gateway_spokentext WHERE workspace_id = %s WINDOW w AS (ORDER BY used_at DESC, id DESC)
) r
WHERE t.id = r.id AND (r.place > %s OR r.total_bytes > %s) RETURNING t.asset_id
"""
_Result = TypeVar("_Result")


class KeptSound(msgspec.Struct, frozen=True, kw_only=True):
    """A sound that was made before."""

    id: int
    data: bytes
    media_ms: int


class _Writers:
    """How many sounds this process writes; touched by its event loop alone."""

    def __init__(self) -> None:
        self.count = 0


_writers = _Writers()


class SpeechCache:
    """One call's way to the sounds that were kept."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def find(self, quote: SpeechQuote) -> KeptSound | None:
        """Give the sound of a text that was spoken before; None if there is none, or none to be
        had now.
        """
        if not quote.shares or not quote.task.reads_cache:
            return None
        values = (quote.task.caller.workspace_id, digest_of(quote), _kept_days())
        async with borrowed(self._runtime.pool) as connected:
            cursor = await connected.execute(_FIND, values)
            row = await cursor.fetchone()
        if row is None:
            return None
        try:
            data = await asyncio.to_thread(_read, row[1], row[2])
        except StorageUnavailable:
            logger.warning("a sound that was kept cannot be read: %s", row[1])
            return None
        return KeptSound(id=row[0], data=data, media_ms=row[3]) if len(data) == row[2] else None

    async def given(self, quote: SpeechQuote, kept: KeptSound, *, latency_ms: int) -> None:
        """Record that a sound was given again, for nothing. Raises: Unavailable."""
        task, caller = quote.task, quote.task.caller
        async with borrowed(self._runtime.pool) as connected:
            await connected.execute(
                _GIVEN,
                {
                    "id": kept.id,
                    "request_id": task.id,
                    "latency_ms": latency_ms,
                    "workspace_id": caller.workspace_id,
                    "app_key_id": caller.app_key_id,
                    "app_id": task.app_id,
                    "user_ref": task.user_ref,
                    "surface": task.surface,
                    "operation": OPERATION,
                    "kind": quote.resolution.kind,
                    "channel": quote.resolution.channel,
                    "provider": quote.route.provider,
                    "model": quote.route.model,
                    "reason": CACHE_HIT,
                    "characters": len(quote.request.text),
                    "media_ms": kept.media_ms,
                },
            )

    async def keep(self, quote: SpeechQuote, data: bytes, *, media_ms: int) -> None:
        """Keep a whole sound that was paid for. It is nobody's loss where that does not work."""
        if not self.wants(quote) or not 0 < len(data) <= min(LARGEST_SOUND_BYTES, _most_bytes()):
            return
        if _writers.count >= _MOST_AT_ONCE:
            return
        _writers.count += 1
        try:
            await asyncio.to_thread(_closing, partial(_keep, quote, data, media_ms))
        except (StorageUnavailable, Unavailable, DatabaseError, psycopg.Error):
            logger.exception("a sound could not be kept")
        finally:
            _writers.count -= 1

    def wants(self, quote: SpeechQuote) -> bool:
        """Tell whether the sound of a call is to be kept."""
        return quote.shares and quote.task.fills_cache


def digest_of(quote: SpeechQuote) -> bytes:
    """Give the digest of all that makes a sound what it is."""
    route = (quote.route.provider, quote.route.model, quote.target.model, quote.upstream.sandbox)
    return hashlib.sha256(_VERSION + msgspec.json.encode((route, quote.request))).digest()


def forget_old_speech() -> int:
    """End sounds past their time. Returns: how many."""
    oldest = timezone.now() - timedelta(days=_kept_days())
    swept = 0
    while old := list(SpokenText.objects.filter(created_at__lt=oldest)[:_SWEPT_AT_ONCE]):
        SpokenText.objects.filter(pk__in=[each.pk for each in old]).delete()
        for each in old:
            drop(each.asset_id, workspace_id=each.workspace_id)
        swept += len(old)
    return swept


def _kept_days() -> int:
    """Give for how long: the files that we host may go sooner."""
    return min(_KEPT_DAYS, int(settings.ASSETS_KEPT_DAYS))


def _most_bytes() -> int:
    return int(settings.SPEECH_CACHE_MB) * 1024 * 1024


def _read(sha256: str, size_bytes: int) -> bytes:
    body = asset_storage().read_part(stored.name_of(sha256), 0, size_bytes)
    try:
        return body.read(size_bytes)
    finally:
        body.close()


def _closing(work: Callable[[], _Result]) -> _Result:
    """Work with the database in a thread; its connection goes back to the pool."""
    try:
        return work()
    finally:
        connection.close()


def _keep(quote: SpeechQuote, data: bytes, media_ms: int) -> None:
    """Store the bytes, then the row; what no longer has room goes."""
    workspace_id = quote.task.caller.workspace_id
    sha256, asset_id = hashlib.sha256(data).hexdigest(), new_id()
    shaped = Shaped(data=data, media_type=media_type_of(quote.request.format), media_ms=media_ms)
    if not stored.claim(sha256, len(data)):
        return  # equal bytes are being deleted this moment
    asset_storage().put(stored.name_of(sha256), data, shaped.media_type)
    owner = stored.Belonging(workspace_id=workspace_id, job_id=None)
    if stored.record(shaped, id=asset_id, sha256=sha256, owner=owner) is None:
        return
    values = (workspace_id, digest_of(quote), asset_id, sha256, len(data), media_ms)
    with connection.cursor() as cursor:
        cursor.execute(_ADD, values)
        gone: list[UUID] = [] if cursor.fetchone() else [asset_id]
        cursor.execute(_CROWDED_OUT, [workspace_id, _MOST_SOUNDS, _most_bytes()])
        gone += [row[0] for row in cursor.fetchall()]
    for each in gone:
        drop(each, workspace_id=workspace_id)
