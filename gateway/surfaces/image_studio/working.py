"""What editing, upscaling and controlling share: which models may do it, pictures that are too
large for the provider, and the answer's parts.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from gateway.imaging.operations import MOST_SENT_BYTES, check_choice, refused
from gateway.jobs.views import JobView
from gateway.media.inputs import take_input
from gateway.media.works import ImageWork
from gateway.operations.image import MOST_SIDE_PX
from gateway.operations.image_input import ImageInput
from gateway.surfaces.base64_images import Picture
from gateway.surfaces.door import Request
from gateway.surfaces.entry import read_channel
from studio.accounts.callers import Caller

AUTO = "auto"
_MOST_TRIES = 4
_CAUTION = 0.9
"""A picture of fewer pixels has more bytes for each."""
_LEAST_PIXELS = 4096
_AGAIN = ThreadPoolExecutor(max_workers=2, thread_name_prefix="pixels-again")
"""Threads of their own: those that the database is asked in must never wait for image children."""


def models_left(
    request: Request, caller: Caller, *, operation: str, kind: str, provider: str, model: str
) -> tuple[str, ...]:
    """Give the models of a kind that a caller's provider and model leave, as `provider:model`.

    Returns: nothing where the caller leaves the choice to us.

    Raises: InvalidRequest, which lists what there is; UnknownKind, UnknownChannel, WrongOperation.
    """
    if provider in ("", AUTO) and not model:
        return ()
    resolution = request.runtime.world.catalogue.resolve(
        kind=kind, model=None, channel=read_channel(request, caller), operation=operation
    )
    routes = [(route.provider, route.model) for route in resolution.routes]
    if provider != AUTO:
        check_choice("provider", provider, _unique([slug for slug, _ in routes]))
    left = [(slug, name) for slug, name in routes if provider in ("", AUTO, slug)]
    wanted = model.removeprefix(f"{left[0][0]}:")
    check_choice("model", wanted, _unique([name for _, name in left]))
    return tuple(f"{slug}:{name}" for slug, name in left if wanted in ("", name))


def picture_shown(job: JobView, metadata: dict[str, Any]) -> dict[str, Any]:
    """Write the picture of a finished job; `metadata` begins with what was asked for."""
    file = job.files[0]
    return {
        "image_base64": Picture(file, data_url=True),
        "width": file.width,
        "height": file.height,
        "metadata": {**metadata, "processing_time": processing_time_s(job)},
    }


def processing_time_s(job: JobView) -> float:
    """Give how long a job took from its submission to its end, in seconds."""
    assert job.finished_at is not None, "only finished jobs are written"
    return round((job.finished_at - job.created_at).total_seconds(), 2)


def scaling_of(picture: ImageInput, field: str) -> dict[str, Any]:
    """Say that a picture was scaled down for the provider; nothing where it was not."""
    width, height = own_size(picture)
    if (width, height) == (picture.width, picture.height):
        return {}
    return {
        "scaled_down": {
            "field": field,
            "from": f"{width}x{height}",
            "to": f"{picture.width}x{picture.height}",
        }
    }


async def fit_in_bytes(picture: ImageInput, *others: ImageInput | None) -> ImageInput:
    """Scale a picture down until it may be sent together with the others.

    Raises: InvalidRequest where the others leave no room, ImagesBusy.
    """
    room_bytes = MOST_SENT_BYTES - sum(len(other.data) for other in others if other is not None)
    if len(picture.data) <= room_bytes:
        return picture
    return await asyncio.get_running_loop().run_in_executor(_AGAIN, _smaller, picture, room_bytes)


async def fit_in_pixels(
    picture: ImageInput, *, most_pixels: int, most_side_px: int | None
) -> ImageInput:
    """Scale down a picture that was taken for other limits. Raises: ImagesBusy."""
    longest = max(picture.width, picture.height)
    fits = picture.width * picture.height <= most_pixels
    if fits and longest <= (most_side_px or MOST_SIDE_PX):
        return picture
    work = ImageWork(most_pixels=most_pixels, most_side_px=most_side_px)
    return await asyncio.get_running_loop().run_in_executor(_AGAIN, _scaled_down, picture, work)


def _smaller(picture: ImageInput, room_bytes: int) -> ImageInput:
    smaller = picture
    for _ in range(_MOST_TRIES):
        share = _CAUTION * room_bytes / len(smaller.data)
        pixels = int(smaller.width * smaller.height * share)
        if pixels < _LEAST_PIXELS:
            break
        smaller = _scaled_down(smaller, ImageWork(most_pixels=pixels))
        if len(smaller.data) <= room_bytes:
            return smaller
    raise refused("image_base64", "the pictures have more than 10 MiB together.")


def _scaled_down(picture: ImageInput, work: ImageWork) -> ImageInput:
    width, height = own_size(picture)
    smaller = take_input(picture.data, work)
    return msgspec.structs.replace(smaller, original_width=width, original_height=height)


def own_size(picture: ImageInput) -> tuple[int, int]:
    """Give the pixels that a picture had when it was sent in, upright."""
    return picture.original_width or picture.width, picture.original_height or picture.height


def _unique(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))
