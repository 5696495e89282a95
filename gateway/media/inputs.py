"""Pictures that callers send in: made ours, kept for their job, gone with its request.

A surface takes each (`take_input`: checked and written anew, in memory alone); submitting the job
keeps them (`keep_inputs`); a worker that is about to send them reads them (`with_data`). A job's
row names them and never holds their bytes.
"""

from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

import msgspec

from gateway.media import stored
from gateway.media.children import children
from gateway.media.errors import InputGone
from gateway.media.queries import read_bytes, read_input
from gateway.media.services import keep_shaped
from gateway.media.works import Bytes, ImageWork, Shaped
from gateway.operations.image_input import ImageInput
from studio.core.ids import new_id

_Request = TypeVar("_Request", bound=msgspec.Struct)


def take_input(data: Bytes, work: ImageWork) -> ImageInput:
    """Check a picture and write it anew, in a child process. Nothing is kept.

    Raises: UnusableFile (NoPicture, if it is none), ImagesBusy.
    """
    shaped = children.shape(data, work)
    return ImageInput(
        asset_id=new_id(),
        media_type=shaped.media_type,
        width=shaped.width,
        height=shaped.height,
        original_width=shaped.original_width,
        original_height=shaped.original_height,
        data=shaped.data,
    )


def inputs_of(request: msgspec.Struct) -> list[ImageInput]:
    """Give the pictures that a request works on, in the order of its fields."""
    values = [getattr(request, name) for name in request.__struct_fields__]
    return [value for value in values if isinstance(value, ImageInput)]


def without_data(request: _Request) -> _Request:
    """Give a request whose pictures are named alone."""
    return _changed(request, lambda one: msgspec.structs.replace(one, data=b""))


def keep_inputs(request: msgspec.Struct, *, workspace_id: int, job_id: UUID, kept_s: int) -> None:
    """Keep the pictures of a job that is about to be written, for so long at most. Safe twice.

    Raises: StorageUnavailable; what was kept by then ends by its time, or by `drop_inputs`.
    """
    owner = stored.Belonging(workspace_id=workspace_id, job_id=job_id, is_input=True, kept_s=kept_s)
    for one in inputs_of(request):
        assert one.data, "a request with pictures is submitted once"
        shaped = Shaped(
            data=one.data, media_type=one.media_type, width=one.width, height=one.height
        )
        keep_shaped(shaped, id=one.asset_id, owner=owner)


def let_go_of_data(request: msgspec.Struct) -> None:
    """Empty the pictures of a request that are kept by now: whoever waits for its job must not have
    them in memory all the while. It is the one change that is ever made to a request.
    """
    for one in inputs_of(request):
        msgspec.structs.force_setattr(one, "data", b"")


def with_data(request: _Request, *, workspace_id: int) -> _Request:
    """Give a request whose pictures have their bytes. Raises: InputGone, StorageUnavailable."""

    def read(one: ImageInput) -> ImageInput:
        asset = read_input(one.asset_id, workspace_id=workspace_id)
        if asset is None:
            raise InputGone("The pictures of this job are not kept any more.")
        return msgspec.structs.replace(one, data=read_bytes(asset))

    return _changed(request, read)


def renamed(request: _Request) -> _Request:
    """Give a request whose pictures have new names, to be kept beside those they had."""
    return _changed(request, lambda one: msgspec.structs.replace(one, asset_id=new_id()))


def drop_inputs(*job_ids: UUID) -> None:
    """End what was sent in for these jobs, in the caller's transaction if there is one; the bytes
    go with the next sweep.
    """
    stored.let_inputs_go(list(job_ids))


def _changed(request: _Request, change: Callable[[ImageInput], ImageInput]) -> _Request:
    changed = {
        name: change(value)
        for name in request.__struct_fields__
        if isinstance(value := getattr(request, name), ImageInput)
    }
    return msgspec.structs.replace(request, **changed) if changed else request
