"""The input grammar of the Flux models on Replicate: shapes, formats, how many at once.

Source: github replicate/cog-flux @51e81e0 (ratios, pixels and limits of schnell and dev, and that
the seed is of the whole batch); the version pages of flux-1.1-pro (96ccd0e7) and flux-pro
(2b8181d8) on replicate.com.
"""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from msgspec import Struct

from gateway.operations.image import ImageRequest
from gateway.providers.images_form import prompt_in_words

_HALF_SIZES = MappingProxyType(
    {
        "1:1": (512, 512),
        "16:9": (672, 384),
        "21:9": (768, 320),
        "3:2": (608, 416),
        "2:3": (416, 608),
        "4:5": (448, 544),
        "5:4": (544, 448),
        "3:4": (448, 576),
        "4:3": (576, 448),
        "9:16": (384, 672),
        "9:21": (320, 768),
    }
)
"""Pixels at a quarter of a megapixel; at one megapixel both sides are twice as long."""
_LEAST_SIDE_PX, _MOST_SIDE_PX, _STEP_PX = 256, 1440, 32
_FORMATS = MappingProxyType({"png": "png", "jpeg": "jpg", "webp": "webp"})


class Grammar(Struct, frozen=True, kw_only=True):
    """What one model takes: `most_images` at once, and any size or the nearest of its ratios."""

    most_images: int
    any_size: bool


_OPEN = Grammar(most_images=4, any_size=False)
_PRO = Grammar(most_images=1, any_size=True)
GRAMMARS: Mapping[str, Grammar] = MappingProxyType(
    {
        "black-forest-labs/flux-schnell": _OPEN,
        "black-forest-labs/flux-dev": _OPEN,
        "black-forest-labs/flux-1.1-pro": _PRO,
        "black-forest-labs/flux-pro": _PRO,
    }
)


def input_of(request: ImageRequest, grammar: Grammar, count: int) -> dict[str, Any]:
    """Write a request as the model's input, with no field that it does not know.

    A style is one more sentence of the prompt: the models have no field for it.
    """
    prompt = prompt_in_words(request, style=request.style, negative_prompt="")
    given: dict[str, Any] = {"prompt": prompt}
    given |= _shape(request, grammar)
    if grammar.most_images > 1:
        given["num_outputs"] = count
    if request.seed is not None:
        given["seed"] = request.seed
    if request.output_format is not None:
        given["output_format"] = _FORMATS[request.output_format]
    if request.output_compression is not None:
        given["output_quality"] = request.output_compression
    return given


def _shape(request: ImageRequest, grammar: Grammar) -> dict[str, Any]:
    """Give the fields that shape the picture; none for the model's own square."""
    width = request.width or request.height
    height = request.height or request.width
    if width is None or height is None:
        return {}
    if grammar.any_size:
        across, down = _custom_size(width, height)
        return {"aspect_ratio": "custom", "width": across, "height": down}
    ratio = _nearest_ratio(width, height)
    across, down = _HALF_SIZES[ratio]
    # A quarter is enough where the picture is then only made smaller.
    quarter = width <= across and height <= down
    return {"aspect_ratio": ratio, "megapixels": "0.25" if quarter else "1"}


def _nearest_ratio(width: int, height: int) -> str:
    """Give the ratio nearest to a shape, the first of two as near."""
    return min(_HALF_SIZES, key=lambda ratio: abs(_log_of(ratio) - math.log(width / height)))


def _log_of(ratio: str) -> float:
    across, down = ratio.split(":")
    return math.log(int(across) / int(down))


def _custom_size(width: int, height: int) -> tuple[int, int]:
    """Give the nearest size the model takes, of the same shape as far as its limits allow."""
    scale = max(1.0, _LEAST_SIDE_PX / min(width, height))
    scale = min(scale, _MOST_SIDE_PX / max(width, height))
    return _side(width * scale), _side(height * scale)


def _side(pixels: float) -> int:
    rounded = round(pixels / _STEP_PX) * _STEP_PX
    return min(max(rounded, _LEAST_SIDE_PX), _MOST_SIDE_PX)
