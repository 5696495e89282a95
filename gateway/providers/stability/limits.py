"""Which pictures Stability works on: the pixels, the sides and the shape, by its operation.

Source: Stability's OpenAPI document of Feb 2025, the validation rules of each `image`. It has no
style transfer; that one's rules are taken to be those of the other controls.
"""

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct

_LEAST_SIDE_PX = 64
_LEAST_PIXELS = 4_096
_MOST_PIXELS = 9_437_184
_WIDEST = 2.5
_MEGAPIXEL = 1_048_576


class PictureLimits(Struct, frozen=True, kw_only=True):
    """What a picture may have: pixels, pixels a side, and the longest ratio of its sides."""

    most_pixels: int = _MOST_PIXELS
    least_pixels: int = _LEAST_PIXELS
    least_side_px: int = _LEAST_SIDE_PX
    most_side_px: int | None = None
    widest: float | None = None

    def problem_of(self, width: int, height: int) -> str | None:
        """Say why a picture of this size cannot be worked on; None if it can."""
        shorter, longer = sorted((width, height))
        if shorter < self.least_side_px:
            return f"every side must have at least {self.least_side_px} pixels"
        if self.most_side_px is not None and longer > self.most_side_px:
            return f"no side may have more than {self.most_side_px} pixels"
        if self.widest is not None and longer > self.widest * shorter:
            return f"one side may be at most {self.widest:g} times as long as the other"
        if not self.least_pixels <= width * height <= self.most_pixels:
            return f"it must have {self.least_pixels} to {self.most_pixels} pixels in all"
        return None


_ANY_SHAPE = PictureLimits()
_NO_STRIP = PictureLimits(widest=_WIDEST)
LIMITS: Mapping[str, PictureLimits] = MappingProxyType(
    {
        "remove-background": PictureLimits(most_pixels=4_194_304),
        "inpaint": _ANY_SHAPE,
        "outpaint": _NO_STRIP,
        "search-and-replace": _NO_STRIP,
        "search-and-recolor": _NO_STRIP,
        "upscale-fast": PictureLimits(
            most_pixels=_MEGAPIXEL, least_pixels=1_024, least_side_px=32, most_side_px=1_536
        ),
        "upscale-conservative": _NO_STRIP,
        "upscale-creative": PictureLimits(most_pixels=_MEGAPIXEL),
        "control-sketch": _NO_STRIP,
        "control-structure": _NO_STRIP,
        "control-style": _NO_STRIP,
        "control-style-transfer": _NO_STRIP,
    }
)
"""By our names of its operations, which are those of the catalogue."""
