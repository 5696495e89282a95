"""/v1/assets/{id}: the files of jobs, by a signed address or by their owner's credential.

A signature of ours needs no credential, and no limit of requests counts it. Without one the caller
is admitted as everywhere. What is not there and what is another workspace's look alike.
"""

import asyncio
import time
from collections.abc import Mapping
from uuid import UUID

import msgspec

from gateway.admission import require_scope
from gateway.media.addresses import PATH, expires_in, is_signed
from gateway.media.errors import StorageUnavailable
from gateway.media.parts import Part, read_part
from gateway.media.queries import access_asset, open_part, read_asset, redirect_url
from gateway.media.services import drop
from gateway.media.storages import Body
from gateway.models.asset import Asset
from gateway.surfaces.answers import Headers
from gateway.surfaces.asking import in_thread
from gateway.surfaces.door import Answer, Request
from gateway.surfaces.entry import entered
from studio.core.errors import Forbidden, NotFound

_PIECE_BYTES = 256 * 1024
_SUFFIXES = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "audio/mpeg": "mp3",
}
"""What browsers may show in place; anything else they only save."""
_HEADERS = (
    (b"accept-ranges", b"bytes"),
    # A file that a browser opens by itself may do nothing but show.
    (
        b"content-security-policy",
        b"default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; sandbox",
    ),
    (b"cross-origin-resource-policy", b"cross-origin"),
    (b"referrer-policy", b"no-referrer"),
)


class _Opened(msgspec.Struct, frozen=True):
    """A file that this request may read, and what caches may be told about it."""

    asset: Asset
    cache_control: bytes


async def read(request: Request) -> Answer | None:
    """Give a file or a part of it."""
    opened = await (_by_signature(request) if is_signed(request.query) else _by_owner(request))
    asset = opened.asset
    headers = [*_HEADERS, (b"etag", _etag(asset)), (b"cache-control", opened.cache_control)]
    if _is_known(request.headers, asset):
        await request.start(304, headers)
        await request.send(b"", more=False)
        return None
    disposition = _disposition(asset)
    headers += [
        (b"content-type", asset.media_type.encode()),
        (b"content-disposition", disposition.encode()),
    ]
    elsewhere = None if request.method == "HEAD" else redirect_url(asset, disposition)
    if elsewhere is not None:
        private = (b"cache-control", b"private, no-store")
        return Answer(status=302, headers=[(b"location", elsewhere.encode()), private])
    await _give(request, asset, headers)
    return None


async def delete(request: Request) -> Answer:
    """Delete a file, at once for readers and for good with the next sweep."""
    async with entered(request, "") as admitted:
        asset = await _own(request)
        if not await in_thread(drop, asset.pk, workspace_id=admitted.caller.workspace_id):
            raise NotFound("There is no such file.")
    return Answer(status=204)


async def _by_signature(request: Request) -> _Opened:
    """Find the file whose address this is. Raises: Forbidden, without looking; NotFound."""
    asset_id = _asset_id(request.path)
    left_s = expires_in(asset_id, request.query, now_s=time.time()) if asset_id else 0
    if asset_id is None or left_s <= 0:
        raise Forbidden("This address is not good, or not any more. Ask for a new one.")
    asset = await in_thread(read_asset, asset_id)
    if asset is None:
        raise NotFound("There is no such file.")
    return _Opened(asset, b"private, max-age=%d, immutable" % left_s)


async def _by_owner(request: Request) -> _Opened:
    async with entered(request, ""):
        return _Opened(await _own(request), b"private, no-cache")


async def _own(request: Request) -> Asset:
    """Find a file of the admitted caller's. Raises: NotFound, Forbidden."""
    assert request.admitted is not None, "it was entered"
    caller = request.admitted.caller
    asset_id = _asset_id(request.path)
    if asset_id is None:
        raise NotFound("There is no such file.")
    asset = await in_thread(
        access_asset, asset_id, workspace_id=caller.workspace_id, user_ref=caller.user_ref
    )
    require_scope(caller, "images" if asset.media_type.startswith("image/") else "audio")
    return asset


async def _give(request: Request, asset: Asset, headers: Headers) -> None:
    part = _part_of(request.headers, asset) if request.method == "GET" else None
    status = 200 if part is None else 206
    given = part or Part(0, asset.size_bytes)
    headers.append((b"content-length", b"%d" % given.count))
    if part is not None:
        last = part.first + part.count - 1
        told = f"bytes {part.first}-{last}/{asset.size_bytes}"
        headers.append((b"content-range", told.encode()))
    if request.method == "HEAD":
        await request.start(status, headers)
        await request.send(b"", more=False)
        return
    body = await asyncio.to_thread(open_part, asset, given.first, given.count)
    try:
        await request.start(status, headers)
        await _send_all(request, body, given.count)
    finally:
        body.close()


async def _send_all(request: Request, body: Body, count: int) -> None:
    """Send piece by piece; each waits until the client has taken the one before."""
    left = count
    while left:
        piece = await asyncio.to_thread(body.read, min(left, _PIECE_BYTES))
        if not piece:
            raise StorageUnavailable("The file broke off.")
        left -= len(piece)
        await request.send(piece, more=left > 0)


def _asset_id(path: str) -> UUID | None:
    text = path.removeprefix(PATH)
    try:
        found = UUID(text)
    except ValueError:
        return None
    return found if str(found) == text else None  # one address for a file, not six ways to write it


def _etag(asset: Asset) -> bytes:
    return f'"{asset.sha256}"'.encode()


def _is_known(headers: Mapping[bytes, bytes], asset: Asset) -> bool:
    """Say whether the client has the file already. Source: RFC 9110, 13.1.2 (weak comparison)."""
    tags = [
        tag.strip().removeprefix(b"W/") for tag in headers.get(b"if-none-match", b"").split(b",")
    ]
    return _etag(asset) in tags or tags == [b"*"]


def _part_of(headers: Mapping[bytes, bytes], asset: Asset) -> Part | None:
    """Read the range, unless it is of another file than this. Source: RFC 9110, 13.1.5."""
    condition = headers.get(b"if-range")
    if condition is not None and condition != _etag(asset):
        return None
    asked = headers.get(b"range")
    return read_part(asked.decode("latin-1") if asked is not None else None, asset.size_bytes)


def _disposition(asset: Asset) -> str:
    suffix = _SUFFIXES.get(asset.media_type)
    if suffix is None:
        return f'attachment; filename="{asset.pk}.bin"'
    return f'inline; filename="{asset.pk}.{suffix}"'
