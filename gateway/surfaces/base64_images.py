"""Pictures that come and go as base64 inside JSON, without keeping other requests waiting.

In:  `read_pictures_body`, then `take_image` for each field that has one.
Out: `answer_with_pictures`, in whose body `Picture` stands where a file's base64 goes; it is sent
     in pieces as it is read, so no answer is in memory as a whole.

What bodies take of a process's memory is bounded by `PICTURE_BODIES_MB`.
"""

import asyncio
import os
import secrets
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

import msgspec
from django.conf import settings
from django.db import connection

from gateway.jobs.views import JobFile
from gateway.media.errors import NoPicture, UnusableFile
from gateway.media.inputs import take_input
from gateway.media.queries import access_asset, open_part
from gateway.media.storages import Body
from gateway.media.works import ImageWork
from gateway.models.asset import Asset
from gateway.operations.image_input import ImageInput
from gateway.surfaces.answers import Headers
from gateway.surfaces.base64_text import (
    INVALID,
    MOST_PICTURE_BYTES,
    PIECE_BYTES,
    LiftedBody,
    decode_picture,
    lift_long_texts,
)
from gateway.surfaces.chat import check_media_type
from gateway.surfaces.door import Request
from studio.accounts.callers import Caller
from studio.core.errors import BodyTooLarge, InvalidRequest, Unavailable

_MOST_PICTURES = 4
BODY_LIMIT_BYTES = _MOST_PICTURES * (MOST_PICTURE_BYTES // 3 * 4 + 128) + 64 * 1024
_PATIENCE_S = 120
"""For a body of 56 MB at 4 Mbit/s."""
_RETRY_AFTER_S = "5"
_IN = ThreadPoolExecutor(max_workers=4, thread_name_prefix="pictures-in")
_OUT = ThreadPoolExecutor(max_workers=4, thread_name_prefix="pictures-out")
"""Threads of their own: those that everything else asks the database in must never wait for these.
"""
_PIXELS = ThreadPoolExecutor(
    max_workers=max(1, min(4, (os.cpu_count() or 1) - 1)), thread_name_prefix="pixels"
)
"""One less than there are processors wait for children: one is left for everybody else."""
_Asked = ParamSpec("_Asked")
_Answer = TypeVar("_Answer")


class PicturesBusy(Unavailable):
    """This process has as much of bodies in memory as it may."""


class _Memory:
    """How much of bodies this process has in memory."""

    def __init__(self) -> None:
        self._taken_bytes = 0

    def take(self, amount_bytes: int) -> None:
        """Count so much more. Raises: PicturesBusy; nothing is counted then."""
        if self._taken_bytes + amount_bytes > settings.PICTURE_BODIES_MB * 1024 * 1024:
            raise PicturesBusy(
                "Too many pictures are being sent at this moment. Please try again.",
                headers={"Retry-After": _RETRY_AFTER_S},
            )
        self._taken_bytes += amount_bytes

    def give_back(self, amount_bytes: int) -> None:
        """Count so much less."""
        self._taken_bytes -= amount_bytes


_memory = _Memory()
"""This process's; touched by its event loop alone."""


class PicturesBody:
    """A JSON body whose long base64 was lifted out. `text` is what is decoded, and what stands for
    the body under an Idempotency-Key.

    Its memory is given back once every picture was taken, or with the request's end.
    """

    def __init__(self, request: Request) -> None:
        self.text = b""
        self._lifted = LiftedBody(text=b"", long=())
        self._left: set[str] = set()
        self._held_bytes = 0
        request.at_end(self.release)

    def grow(self, amount_bytes: int) -> None:
        """Count what was received. Raises: PicturesBusy."""
        _memory.take(amount_bytes)
        self._held_bytes += amount_bytes

    def lifted(self, found: LiftedBody) -> None:
        """Take over what was found in the body."""
        self.text = found.text
        self._lifted = found
        self._left = set(found.marks)
        if not self._left:
            self.release()

    def find(self, value: str) -> memoryview:
        """Give the base64 that a field stands for."""
        return self._lifted.find(value)

    def taken(self, value: str) -> None:
        """Let go of the whole after its last picture."""
        self._left.discard(value)
        if not self._left:
            self.release()

    def release(self) -> None:
        """Give the memory back. Safe twice."""
        _memory.give_back(self._held_bytes)
        self._held_bytes = 0
        self._lifted = LiftedBody(text=b"", long=())


async def read_pictures_body(request: Request) -> PicturesBody:
    """Receive a JSON body that may hold pictures. Fields whose name ends with `base64` may be long.

    Raises: BodyTooLarge, BodyTooSlow, ClientLeft, PicturesBusy, InvalidRequest.
    """
    check_media_type(request)
    declared = request.headers.get(b"content-length", b"0")
    if declared.isdigit() and int(declared) > BODY_LIMIT_BYTES:
        raise BodyTooLarge(f"The request body may have at most {BODY_LIMIT_BYTES} bytes.")
    body = PicturesBody(request)
    received = bytearray()

    def add(part: bytes) -> None:
        nonlocal received
        body.grow(len(part))
        received += part

    await request.receive_body(BODY_LIMIT_BYTES, add, patience_s=_PATIENCE_S)
    body.lifted(await _in_thread(_IN, lift_long_texts, received))
    return body


async def take_image(
    body: PicturesBody,
    value: str,
    *,
    field: str,
    most_pixels: int | None = None,
    most_side_px: int | None = None,
) -> ImageInput:
    """Read the picture of a field, once: checked, upright, sRGB, without metadata; of an animation
    the first picture. What is larger than the limits is scaled down evenly.

    Raises: InvalidRequest naming the field, ImagesBusy.
    """
    work = ImageWork(most_pixels=most_pixels, most_side_px=most_side_px)
    try:
        data = await _in_thread(_IN, decode_picture, body.find(value), field=field)
        taken = await _in_thread(_PIXELS, take_input, data, work)
    except NoPicture as error:
        raise InvalidRequest(INVALID, details={"param": field}) from error
    except UnusableFile as error:
        raise InvalidRequest(f"{field}: {error.message}", details={"param": field}) from error
    body.taken(value)
    return taken


class Picture:
    """A file whose base64 stands here in an answer: bare, or as a data URL.

    A plain class: structs and dataclasses would be written as JSON objects.
    """

    __slots__ = ("data_url", "file")

    def __init__(self, file: JobFile, *, data_url: bool = False) -> None:
        self.file = file
        self.data_url = data_url


class _Opened(msgspec.Struct, frozen=True, kw_only=True):
    asset: Asset
    head: bytes

    @property
    def size_bytes(self) -> int:
        return len(self.head) + (self.asset.size_bytes + 2) // 3 * 4


async def answer_with_pictures(
    request: Request, caller: Caller, body: object, *, headers: Headers
) -> None:
    """Answer with JSON in which every `Picture` becomes its file's base64. Nothing to be returned
    by the handler is left then.

    Raises: NotFound (a file was let go since), Unavailable; nothing was sent by then.
    """
    mark = f"picture-{secrets.token_hex(16)}-"
    pictures: list[Picture] = []

    def marked(value: object) -> str:
        if not isinstance(value, Picture):
            raise NotImplementedError(f"no JSON of {type(value)}")
        pictures.append(value)
        return mark

    parts = msgspec.json.Encoder(enc_hook=marked).encode(body).split(mark.encode())
    opened = [await _in_thread(_OUT, _opened, caller, one) for one in pictures]
    length = sum(map(len, parts)) + sum(one.size_bytes for one in opened)
    await request.start(
        200,
        [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % length),
            *headers,
        ],
    )
    async for piece in _pieces(parts, opened):
        await request.send(piece)
    await request.send(b"", more=False)


async def _pieces(parts: Sequence[bytes], opened: Sequence[_Opened]) -> AsyncIterator[bytes]:
    for part, one in zip(parts, opened, strict=False):
        yield part + one.head
        async for piece in _base64_of(one.asset):
            yield piece
    yield parts[-1]


async def _base64_of(asset: Asset) -> AsyncIterator[bytes]:
    body = await _in_thread(_OUT, open_part, asset, 0, asset.size_bytes)
    try:
        while piece := await _in_thread(_OUT, _next_piece, body):
            yield piece
    finally:
        body.close()


def _next_piece(body: Body) -> bytes:
    """Give the base64 of the next bytes; of a multiple of three, but at the end."""
    data = b""
    while len(data) < PIECE_BYTES and (more := body.read(PIECE_BYTES - len(data))):
        data += more
    return b64encode(data)


def _opened(caller: Caller, picture: Picture) -> _Opened:
    asset = access_asset(
        picture.file.asset_id, workspace_id=caller.workspace_id, user_ref=caller.user_ref
    )
    head = f"data:{asset.media_type};base64," if picture.data_url else ""
    return _Opened(asset=asset, head=head.encode())


async def _in_thread(
    threads: ThreadPoolExecutor,
    work: Callable[_Asked, _Answer],
    *args: _Asked.args,
    **options: _Asked.kwargs,
) -> _Answer:
    def done() -> _Answer:
        try:
            return work(*args, **options)
        finally:
            connection.close()  # nothing else returns it from this thread

    return await asyncio.get_running_loop().run_in_executor(threads, done)
