"""What a job was asked for: the request and the user's keys as its row keeps them, sealed.

Both are sealed for one job, so that neither opens in another row.
"""

from collections.abc import Mapping
from uuid import UUID

import msgspec
from django.conf import settings

from gateway.media.inputs import without_data
from gateway.media.works import ImageWork, MediaWork, MusicWork
from gateway.operations.image import ImageRequest
from gateway.operations.image_control import ImageControlRequest
from gateway.operations.image_edit import ImageEditRequest
from gateway.operations.image_fit import ImageFitRequest
from gateway.operations.image_upscale import ImageUpscaleRequest
from gateway.operations.media import MediaUse
from gateway.operations.music import MusicRequest
from gateway.providers.media import Made, MediaRequest
from studio.core import secrets

JobRequest = MediaRequest
"""What a job may be asked for, as surfaces name it: they know no provider."""
_REQUEST = "job-request"
_KEYS = "job-user-keys"
_ANSWER = "job-answer"
_TYPES: Mapping[str, type[MediaRequest]] = {
    "image": ImageRequest,
    "image_edit": ImageEditRequest,
    "image_upscale": ImageUpscaleRequest,
    "image_control": ImageControlRequest,
    "image_fit": ImageFitRequest,
    "music": MusicRequest,
}


def seal_request(request: MediaRequest, job_id: UUID) -> bytes:
    """Seal a request for its job's row; pictures that were sent in are named alone."""
    return _seal(msgspec.json.encode(without_data(request)), _REQUEST, job_id)


def unseal_request(sealed: bytes, operation: str, job_id: UUID) -> MediaRequest:
    """Open what `seal_request` made. Raises: SealBroken."""
    return msgspec.json.decode(_unseal(sealed, _REQUEST, job_id), type=_TYPES[operation])


def seal_keys(keys: Mapping[str, str], job_id: UUID) -> bytes:
    """Seal users' own keys, by provider, for their job's row."""
    return _seal(msgspec.json.encode(keys), _KEYS, job_id)


def unseal_keys(sealed: bytes, job_id: UUID) -> dict[str, str]:
    """Open what `seal_keys` made. Raises: SealBroken."""
    return msgspec.json.decode(_unseal(sealed, _KEYS, job_id), type=dict[str, str])


def seal_answer(made: Made, run_id: UUID) -> bytes:
    """Seal an answer whose files are still to be fetched, for its run's row."""
    return _seal(msgspec.msgpack.encode(made), _ANSWER, run_id)


def unseal_answer(sealed: bytes, run_id: UUID) -> Made:
    """Open what `seal_answer` made. Raises: SealBroken."""
    return msgspec.msgpack.decode(_unseal(sealed, _ANSWER, run_id), type=Made)


def item_count_of(request: MediaRequest) -> int:
    """Give how many files are asked for."""
    return 1 if isinstance(request, MusicRequest) else request.count


def asked_use(request: MediaRequest, item_count: int) -> MediaUse:
    """Give what so many of the request's items are paid for."""
    if isinstance(request, MusicRequest):
        return MediaUse(item_count=item_count, media_ms=request.duration_ms)
    if isinstance(request, ImageRequest):
        return MediaUse(item_count=item_count, size=request.size, quality=request.quality)
    return MediaUse(item_count=item_count)


def work_on(request: MediaRequest) -> MediaWork:
    """Give what is done to a provider's files before callers get them."""
    if isinstance(request, MusicRequest):
        return MusicWork(length_ms=request.duration_ms)
    if isinstance(request, ImageRequest):
        return ImageWork(
            width=request.width if request.exact_size else None,
            height=request.height if request.exact_size else None,
            format=request.output_format,
            quality=request.output_compression,
        )
    if isinstance(request, ImageControlRequest):
        return ImageWork(format=request.output_format)
    assert not isinstance(request, ImageFitRequest), "what we make ourselves is kept as it is"
    return ImageWork(width=request.width, height=request.height, format=request.output_format)


def _seal(plain: bytes, purpose: str, context: UUID) -> bytes:
    master = settings.VAULT_SECRET
    return secrets.seal(plain, master_secret=master, purpose=purpose, context=context.bytes)


def _unseal(sealed: bytes, purpose: str, context: UUID) -> bytes:
    master = settings.VAULT_SECRET
    return secrets.unseal(sealed, master_secret=master, purpose=purpose, context=context.bytes)
