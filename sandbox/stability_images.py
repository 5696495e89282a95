"""Stability's text to image: which fields each model takes; pictures that follow from the form.

Source: Stability's OpenAPI document of Feb 2025, stable-image/generate; `sd3.5-flash` and that
`sd3-*` are no longer there: tryAGI/StabilityAI (2026). How many pixels a shape has is ours, from
the megapixels of each model.
"""

import math
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sandbox.faults import Faults
from sandbox.openai_images import spoiled
from sandbox.pictures import MEDIA_TYPES, picture
from sandbox.stability_form import FormError

FILTERED = "CONTENT_FILTERED"
_SHAPES = ("21:9", "16:9", "3:2", "5:4", "1:1", "4:5", "2:3", "9:16", "9:21")
_PRESETS = (
    *("enhance", "anime", "photographic", "digital-art", "comic-book", "fantasy-art", "line-art"),
    *("analog-film", "neon-punk", "isometric", "low-poly", "origami", "modeling-compound"),
    *("cinematic", "3d-model", "pixel-art", "tile-texture"),
)
_MODELS = ("sd3.5-large", "sd3.5-large-turbo", "sd3.5-medium", "sd3.5-flash")
_COMMON: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "aspect_ratio": _SHAPES,
        "style_preset": _PRESETS,
        "output_format": ("png", "jpeg", "webp"),
    }
)
_SD3: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        **_COMMON,
        "output_format": ("png", "jpeg"),
        "mode": ("text-to-image",),
        "model": _MODELS,
    }
)
_WORDS = MappingProxyType({"ultra": _COMMON, "core": _COMMON, "sd3": _SD3})
_TEXTS = ("prompt", "negative_prompt")
_LONGEST_TEXT = 10_000
_MOST_SEED = 4_294_967_294
_SEED = re.compile(r"\d{1,10}")
_STEP = 64
_MEGAPIXEL = 1024**2
_PIXELS = MappingProxyType({"ultra": _MEGAPIXEL, "core": _MEGAPIXEL * 3 // 2, "sd3": _MEGAPIXEL})
_LAST_LATIN = 0x24F
_ENGLISH_ONLY = "English is the only supported language for this service."
_FLAGGED = (
    "Your request was flagged by our content moderation system, as a result your request was "
    "denied and you were not charged."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What came of a form."""

    data: bytes
    media_type: str
    seed: int
    finish_reason: str


def draw(model: str, fields: Mapping[str, str], prompt: str, *, faults: Faults) -> Picture:
    """Answer one form; `prompt` is its prompt without directives.

    Raises: FormError for what the live API refuses.
    """
    _check_fields(model, fields)
    _check_language(prompt + fields.get("negative_prompt", ""))
    if faults.refusal:
        raise FormError(_FLAGGED, status=403)
    form = fields.get("output_format", "png")
    said = str(sorted(fields.items()))
    seed = int(fields.get("seed", "0")) or zlib.crc32(said.encode()) % _MOST_SEED + 1
    size = size_of(model, fields.get("aspect_ratio", "1:1"))
    data = picture(said, size, form)
    if faults.content_filter:
        data = picture("blurred", size, form)
    (data,) = spoiled([data], faults.files) or [b""]
    return Picture(
        data=data,
        media_type=MEDIA_TYPES[form],
        seed=seed,
        finish_reason=FILTERED if faults.content_filter else "SUCCESS",
    )


def size_of(model: str, shape: str) -> tuple[int, int]:
    """Give the pixels of a shape."""
    across, _, down = shape.partition(":")
    ratio = int(across) / int(down)
    area = _PIXELS[model]
    sides = (math.sqrt(area * ratio), math.sqrt(area / ratio))
    return round(sides[0] / _STEP) * _STEP, round(sides[1] / _STEP) * _STEP


def _check_fields(model: str, fields: Mapping[str, str]) -> None:
    words = _WORDS[model]
    for name in fields:
        if name not in (*_TEXTS, "seed", *words):
            raise FormError(f"{name}: not a valid field")
    if not fields.get("prompt"):
        raise FormError("prompt: is required")
    for name, known in words.items():
        if fields.get(name, known[0]) not in known:
            raise FormError(f"{name}: must be one of {', '.join(known)}")
    if fields.get("model", "").endswith("-turbo") and "negative_prompt" in fields:
        raise FormError("negative_prompt: not supported by this model")
    _check_lengths(fields)


def _check_lengths(fields: Mapping[str, str]) -> None:
    for name in _TEXTS:
        if len(fields.get(name, "")) > _LONGEST_TEXT:
            raise FormError(f"{name}: must be no longer than {_LONGEST_TEXT} characters")
    seed = fields.get("seed", "0")
    if not _SEED.fullmatch(seed) or int(seed) > _MOST_SEED:
        raise FormError(f"seed: must be a number from 0 to {_MOST_SEED}")


def _check_language(text: str) -> None:
    """Take letters beyond Latin for another language than English."""
    if any(letter.isalpha() and ord(letter) > _LAST_LATIN for letter in text):
        raise FormError(_ENGLISH_ONLY, status=422, name="invalid_language")
