"""What may be seen of files, and their bytes. Another workspace's file is not found."""

from uuid import UUID

from django.db.models.functions import Now

from gateway.media.storages import Body, asset_storage
from gateway.media.stored import name_of
from gateway.models.asset import Asset
from gateway.models.job import Job
from studio.accounts.callers import APP_USER
from studio.core.errors import NotFound


def kept_asset(id: UUID) -> Asset | None:
    """Give the row of an id, whether its file is still there or not."""
    return Asset.objects.filter(pk=id).first()


def read_asset(id: UUID) -> Asset | None:
    """Give a file by its id alone: for who shows a signature of ours. None if there is none; what
    callers sent in is shown to nobody.
    """
    return Asset.objects.filter(
        pk=id, is_input=False, deleted_at=None, keep_until__gt=Now()
    ).first()


def read_input(id: UUID, *, workspace_id: int) -> Asset | None:
    """Give a picture that was sent in, for who works on it. None if it is gone."""
    return Asset.objects.filter(
        pk=id, workspace_id=workspace_id, is_input=True, deleted_at=None, keep_until__gt=Now()
    ).first()


def access_asset(id: UUID, *, workspace_id: int, user_ref: str) -> Asset:
    """Give a file of the caller's workspace; a user of an app sees what was made for him alone.

    Raises: NotFound.
    """
    found = read_asset(id)
    if found is None or found.workspace_id != workspace_id or not _is_for(found, user_ref):
        raise NotFound("There is no such file.")
    return found


def open_part(asset: Asset, first: int, count: int) -> Body:
    """Open a part of a file's bytes. Raises: StorageUnavailable."""
    return asset_storage().read_part(name_of(asset.sha256), first, count)


def redirect_url(asset: Asset, disposition: str) -> str | None:
    """Give where else a reader may go for the bytes; None if we give them."""
    return asset_storage().redirect_url(name_of(asset.sha256), asset.media_type, disposition)


def read_bytes(asset: Asset) -> bytes:
    """Read a file whole, for answers that carry it themselves. Raises: StorageUnavailable."""
    body = open_part(asset, 0, asset.size_bytes)
    try:
        return body.read(asset.size_bytes)
    finally:
        body.close()


def _is_for(asset: Asset, user_ref: str) -> bool:
    if user_ref == APP_USER:
        return True
    jobs = Job.objects.filter(user_ref=user_ref)
    return asset.job_id is not None and jobs.filter(pk=asset.job_id).exists()
