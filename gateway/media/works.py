"""What is to be done to a file before it is kept. Pure; shaping.py does it."""

from msgspec import Struct

from gateway.operations.image import ImageFormat
from gateway.operations.image_fit import ImageFitRequest


class ImageWork(Struct, frozen=True, kw_only=True, tag=True):
    """An image (PNG, JPEG or WEBP) written anew, without metadata.

    With `width` and `height` it gets exactly these pixels: scaled until it covers them, then cut
    equally on both sides, so that nothing is distorted. What has more than `most_pixels`, or a side
    longer than `most_side_px`, is scaled down evenly. `format` None keeps the file's own. `quality`
    (0 to 100) is for JPEG and WEBP; None is as fine as the file was, or 90.
    """

    width: int | None = None
    height: int | None = None
    most_pixels: int | None = None
    most_side_px: int | None = None
    format: ImageFormat | None = None
    quality: int | None = None


class ImageFitWork(Struct, frozen=True, kw_only=True, tag=True):
    """One image cut to many sizes; `request` is without its bytes."""

    request: ImageFitRequest


class MusicWork(Struct, frozen=True, kw_only=True):
    """An MP3 without its tags. What is longer than `length_ms` is cut to whole frames: at least
    that long, and at most one frame (27 ms at 44.1 kHz) longer.
    """

    length_ms: int | None = None


Bytes = bytes | bytearray
"""Bytes that are only read; a large picture is not copied for the sake of its type."""
PictureWork = ImageWork | ImageFitWork
"""What a child process does."""
MediaWork = ImageWork | MusicWork


class Shaped(Struct, frozen=True, kw_only=True):
    """A file as it is kept. Pixels are of images, `media_ms` of sound; the other kind has 0.

    `original_…` are an image's own sides, upright, before anything was done to it.
    """

    data: bytes
    media_type: str
    width: int = 0
    height: int = 0
    media_ms: int = 0
    original_width: int = 0
    original_height: int = 0

    def __repr__(self) -> str:
        return f"Shaped({len(self.data)} bytes, {self.media_type})"
