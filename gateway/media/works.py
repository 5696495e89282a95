"""What is to be done to a file before it is kept. Pure; shaping.py does it."""

from msgspec import Struct

from gateway.operations.image import ImageFormat


class ImageWork(Struct, frozen=True, kw_only=True):
    """An image (PNG, JPEG or WEBP) written anew, without metadata.

    With `width` and `height` it gets exactly these pixels: scaled until it covers them, then cut
    equally on both sides, so that nothing is distorted. `format` None keeps the file's own.
    `quality` (0 to 100) is for JPEG and WEBP; None is as fine as the file was, or 90.
    """

    width: int | None = None
    height: int | None = None
    format: ImageFormat | None = None
    quality: int | None = None


class MusicWork(Struct, frozen=True, kw_only=True):
    """An MP3 without its tags. What is longer than `length_ms` is cut to whole frames: at least
    that long, and at most one frame (27 ms at 44.1 kHz) longer.
    """

    length_ms: int | None = None


MediaWork = ImageWork | MusicWork


class Shaped(Struct, frozen=True, kw_only=True):
    """A file as it is kept. Pixels are of images, `media_ms` of sound; the other kind has 0."""

    data: bytes
    media_type: str
    width: int = 0
    height: int = 0
    media_ms: int = 0

    def __repr__(self) -> str:
        return f"Shaped({len(self.data)} bytes, {self.media_type})"
