"""Pixels: read an image that nobody vouches for, and write it anew without anything else in it.

Runs in a child process (image_child.py) and nowhere else: a decoder's fault ends that child.
"""

import io
import math
import struct
import warnings
import zlib

from msgspec import Struct
from PIL import (
    Image,
    ImageCms,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from gateway.media.errors import NoPicture, UnusableFile
from gateway.media.works import ImageWork, Shaped
from gateway.operations.image import ImageFormat

MOST_PIXELS = 20_000_000
MOST_SIDE_PX = 8192
_FORMATS = ("PNG", "JPEG", "WEBP")
_BROKEN = (
    *(OSError, ValueError, SyntaxError, EOFError, TypeError, KeyError, IndexError),
    *(struct.error, zlib.error, OverflowError, AttributeError),
)
"""All that Pillow's readers raise for what is broken or cut off."""
_OWN_QUALITY = 90
_LOSSLESS_WEBP, _FIRST_CHUNKS = b"VP8L", 48
_LEAST_EFFORT = 0
"""What libwebp's quality means where nothing is lost: how long to look for a smaller file."""
_EASY_PIXELS = 4_500_000
"""Larger ones are written with less effort, and as WEBP never without loss: time and memory."""
_USUAL_METHOD, _LEAN_METHOD = 4, 2
_USUAL_LEVEL, _FAST_LEVEL = 6, 1
_FORMAT_OF: dict[str, ImageFormat] = {"PNG": "png", "WEBP": "webp", "JPEG": "jpeg", "MPO": "jpeg"}
_WHITE = (255, 255, 255)

# Registered by their import, so that the forty other formats are never loaded.
assert {JpegImagePlugin, PngImagePlugin, WebPImagePlugin}
Image.MAX_IMAGE_PIXELS = MOST_PIXELS
warnings.simplefilter("error", Image.DecompressionBombWarning)


class _Source(Struct, frozen=True, kw_only=True):
    """What the file was, as far as writing it anew should be like it."""

    format: ImageFormat
    size: tuple[int, int]
    lossless: bool
    tables: dict[int, list[int]] | None
    """A JPEG's own: how finely it was written."""
    sampling: int


def shape_image(data: bytes, work: ImageWork) -> Shaped:
    """Do what `work` asks for. Of an animation the first picture is kept.

    Raises: UnusableFile; MemoryError where the process may have no more.
    """
    found, source = _read(data)
    original_width, original_height = found.size
    found = _within(found, work)
    if work.width is not None and work.height is not None:
        _check_size((work.width, work.height))
        found = ImageOps.fit(found, (work.width, work.height), Image.Resampling.LANCZOS)
    found.info.clear()  # some writers take a profile or a comment from here
    name = work.format or source.format
    try:
        made = _written(found, source, name, work.quality)
    except (OSError, ValueError) as error:
        raise UnusableFile("The image is too large to be written in this format.") from error
    width, height = found.size
    return Shaped(
        data=made,
        media_type=f"image/{name}",
        width=width,
        height=height,
        original_width=original_width,
        original_height=original_height,
    )


def _within(found: Image.Image, work: ImageWork) -> Image.Image:
    """Scale down evenly what is larger than was asked for."""
    width, height = found.size
    share = 1.0
    if work.most_pixels is not None:
        share = min(share, math.sqrt(work.most_pixels / (width * height)))
    if work.most_side_px is not None:
        share = min(share, work.most_side_px / max(width, height))
    if share >= 1.0:
        return found
    size = (max(1, math.floor(width * share)), max(1, math.floor(height * share)))
    return found.resize(size, Image.Resampling.LANCZOS)


def _read(data: bytes) -> tuple[Image.Image, _Source]:
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as opened:
            _check_size(opened.size)
            opened.load()
            return _plain(opened), _source(opened, data)
    except UnidentifiedImageError as error:
        raise NoPicture("The file is no PNG, JPEG or WEBP image.") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnusableFile("The image has too many pixels.") from error
    except _BROKEN as error:
        raise UnusableFile("The image is broken.") from error


def _check_size(size: tuple[int, int]) -> None:
    """Refuse by the header alone, before a pixel is decoded."""
    width, height = size
    if width < 1 or height < 1 or max(size) > MOST_SIDE_PX or width * height > MOST_PIXELS:
        raise UnusableFile(f"The image has {width} x {height} pixels, which is more than we take.")


def _source(opened: Image.Image, data: bytes) -> _Source:
    tables, sampling, format = None, -1, _FORMAT_OF.get(opened.format or "", "jpeg")
    if isinstance(opened, JpegImagePlugin.JpegImageFile):
        tables, sampling = opened.quantization, JpegImagePlugin.get_sampling(opened)
    return _Source(
        format=format,
        size=opened.size,
        lossless=format == "webp" and _LOSSLESS_WEBP in data[:_FIRST_CHUNKS],
        tables=tables,
        sampling=sampling,
    )


def _plain(opened: Image.Image) -> Image.Image:
    """Give the picture upright, in sRGB, in a mode that every format can hold."""
    found = ImageOps.exif_transpose(opened)
    profile = opened.info.get("icc_profile")
    has_alpha = found.mode in ("RGBA", "LA", "PA") or "transparency" in found.info
    mode = "RGBA" if has_alpha else "L" if found.mode in ("1", "L", "I;16", "I", "F") else "RGB"
    if found.mode.startswith("I"):
        # 16 bits of grey: Pillow would clip them instead of scaling them down.
        found = found.convert("I").point(lambda value: value / 257)
    if found.mode != mode:
        found = found.convert(mode)
    if profile and mode != "L" and opened.mode != "CMYK":
        found = _to_srgb(found, profile)
    return found


def _to_srgb(found: Image.Image, profile: bytes) -> Image.Image:
    """Change colours of another profile into sRGB's; the profile itself is dropped."""
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        changed = ImageCms.profileToProfile(found, own, ImageCms.createProfile("sRGB"))
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return found  # an unreadable profile says nothing about the colours
    return found if changed is None else changed


def _written(
    found: Image.Image, source: _Source, format: ImageFormat, quality: int | None
) -> bytes:
    written = io.BytesIO()
    easy = found.width * found.height <= _EASY_PIXELS
    if format == "jpeg":
        _write_jpeg(_on_white(found), source, quality, written)
    elif format == "webp" and source.lossless and quality is None and easy:
        found.save(written, "WEBP", lossless=True, quality=_LEAST_EFFORT)
    elif format == "webp":
        method = _USUAL_METHOD if easy else _LEAN_METHOD
        found.save(written, "WEBP", quality=_least_1(quality), method=method)
    else:
        found.save(written, "PNG", compress_level=_USUAL_LEVEL if easy else _FAST_LEVEL)
    return written.getvalue()


def _on_white(found: Image.Image) -> Image.Image:
    if found.mode != "RGBA":
        return found
    ground = Image.new("RGB", found.size, _WHITE)
    ground.paste(found, mask=found.getchannel("A"))
    return ground


def _write_jpeg(
    found: Image.Image, source: _Source, quality: int | None, written: io.BytesIO
) -> None:
    """Write a JPEG: as finely as the one it was, if it was one and nothing else is asked for."""
    if source.tables and quality is None and found.size == source.size:
        found.save(written, "JPEG", qtables=source.tables, subsampling=source.sampling)
    else:
        found.save(written, "JPEG", quality=_least_1(quality))


def _least_1(quality: int | None) -> int:
    """Give the quality to write with: to Pillow 0 means that nobody asked for one."""
    return _OWN_QUALITY if quality is None else max(1, quality)
