"""Pictures that follow from a seed alone: mosaics, real files in the usual formats."""

import functools
import hashlib
import io

from PIL import Image

_TILES = 8
_PILLOW_NAMES = {"png": "PNG", "jpg": "JPEG", "jpeg": "JPEG", "webp": "WEBP"}
_FAST: dict[str, dict[str, int]] = {"PNG": {"compress_level": 1}, "JPEG": {}, "WEBP": {"method": 0}}
MEDIA_TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
}


@functools.lru_cache(maxsize=32)
def picture(seed: str, size: tuple[int, int], form: str, quality: int = 80) -> bytes:
    """Draw a mosaic of these pixels; `form` is a key of `MEDIA_TYPES`, `quality` from 0 to 100."""
    colours = hashlib.shake_256(seed.encode()).digest(3 * _TILES * _TILES)
    tiles = Image.frombytes("RGB", (_TILES, _TILES), colours)
    whole = tiles.resize(size, Image.Resampling.NEAREST)
    name, file = _PILLOW_NAMES[form], io.BytesIO()
    options = dict(_FAST[name])
    if name != "PNG":
        options["quality"] = quality
    whole.save(file, name, **options)
    return file.getvalue()
