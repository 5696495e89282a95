"""Files for tests of storage: kept by the service, or put there without any work on them."""

import hashlib
from pathlib import Path
from typing import Any

from django.conf import settings

from gateway.media import stored
from gateway.media.services import keep
from gateway.media.storages import asset_storage
from gateway.media.works import ImageWork, Shaped
from gateway.models.asset import Asset
from studio.core.ids import new_id
from tests.gateway.hostile_images import image


def keep_image(workspace_id: int, *, color: object = (1, 2, 3), **options: Any) -> Asset:
    """Keep a picture of one colour."""
    options = {"id": new_id(), "job_id": None} | options
    return keep(image(color=color), ImageWork(), workspace_id=workspace_id, **options)


def put(workspace_id: int, data: bytes, *, media_type: str = "audio/mpeg") -> Asset:
    """Keep bytes as they are."""
    sha256 = hashlib.sha256(data).hexdigest()
    shaped = Shaped(data=data, media_type=media_type)
    assert stored.claim(sha256, len(data))
    asset_storage().put(stored.name_of(sha256), data, media_type)
    owner = stored.Belonging(workspace_id=workspace_id, job_id=None)
    found = stored.record(shaped, id=new_id(), sha256=sha256, owner=owner)
    assert found is not None
    return found


def path_of(sha256: str) -> Path:
    """Say where the bytes lie, in a folder of this machine."""
    return Path(settings.STORAGES["assets"]["OPTIONS"]["location"]) / stored.name_of(sha256)
