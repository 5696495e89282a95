"""Pictures as files of a limited size.

A JPEG is written at quality 90, or at the best one that keeps the limit, down to 25. A PNG keeps
all its colours if it can; else it gets a palette: the most colours that keep the limit, from 256
down to 16.
"""

import io

from PIL import Image

from gateway.media.errors import UnusableFile

_BEST_QUALITY, _LEAST_QUALITY = 90, 25
_PALETTES = ((256, True), (256, False), (64, False), (32, False), (16, False))
"""Colours, and whether they are dithered: that hides bands and takes half as much again."""
_PALETTE_PX = 256
_SAMPLE_PX = 128
_PHOTO_SHARE = 0.05
"""What has more colours than this share of a sample's pixels is no drawing."""
_PHOTO_LEVEL, _DRAWING_LEVEL, _PALETTE_LEVEL = 1, 6, 6
"""zlib's: a photograph takes five times as long at level 6, for a tenth of its bytes."""
_WHITE = (255, 255, 255)


def write_within(picture: Image.Image, format: str, most_bytes: int) -> bytes:
    """Write an RGB or RGBA picture as `png` or `jpeg` (transparent parts white) within the limit.

    Raises: UnusableFile, if nothing that is still worth looking at keeps it.
    """
    picture.info.clear()  # some writers take a profile or a comment from here
    made = (
        _jpeg_within(picture, most_bytes) if format == "jpeg" else _png_within(picture, most_bytes)
    )
    if made is None:
        raise UnusableFile(
            f"The image of {picture.width} x {picture.height} pixels cannot be written as {format} "
            f"in {most_bytes} bytes."
        )
    return made


def _jpeg_within(picture: Image.Image, most_bytes: int) -> bytes | None:
    picture = _on_white(picture)
    best = _jpeg(picture, _BEST_QUALITY)
    if len(best) <= most_bytes:
        return best
    kept: bytes | None = None
    low, high = _LEAST_QUALITY, _BEST_QUALITY - 1
    while low <= high:
        quality = (low + high) // 2
        made = _jpeg(picture, quality)
        if len(made) <= most_bytes:
            kept, low = made, quality + 1
        else:
            high = quality - 1
    return kept


def _png_within(picture: Image.Image, most_bytes: int) -> bytes | None:
    made = _full_png(picture)
    if len(made) <= most_bytes:
        return made
    for colors, dithered in _PALETTES:
        made = _png(_indexed(picture, colors, dithered=dithered), _PALETTE_LEVEL)
        if len(made) <= most_bytes:
            return made
    return None


def _indexed(picture: Image.Image, colors: int, *, dithered: bool) -> Image.Image:
    if picture.mode == "RGBA":
        # The only way that keeps transparent colours; it cannot dither.
        return picture.quantize(colors, Image.Quantize.FASTOCTREE)
    sample = picture.resize((_PALETTE_PX, _PALETTE_PX), Image.Resampling.BOX)
    palette = sample.quantize(colors, Image.Quantize.MEDIANCUT, kmeans=1)
    dither = Image.Dither.FLOYDSTEINBERG if dithered else Image.Dither.NONE
    return picture.quantize(palette=palette, dither=dither)


def _full_png(picture: Image.Image) -> bytes:
    level = _PHOTO_LEVEL if _is_photo(picture) else _DRAWING_LEVEL
    return _png(picture, level)


def _is_photo(picture: Image.Image) -> bool:
    sample = picture.resize((_SAMPLE_PX, _SAMPLE_PX), Image.Resampling.NEAREST)
    return sample.getcolors(round(_SAMPLE_PX * _SAMPLE_PX * _PHOTO_SHARE)) is None


def _png(picture: Image.Image, level: int) -> bytes:
    written = io.BytesIO()
    picture.save(written, "PNG", compress_level=level)
    return written.getvalue()


def _jpeg(picture: Image.Image, quality: int) -> bytes:
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=quality)
    return written.getvalue()


def _on_white(picture: Image.Image) -> Image.Image:
    if picture.mode != "RGBA":
        return picture
    ground = Image.new("RGB", picture.size, _WHITE)
    ground.paste(picture, mask=picture.getchannel("A"))
    return ground
