"""Sizes for models that take any: within their limits, in their steps, of the shape asked for."""

import math

from msgspec import Struct

from gateway.providers.images_form import LARGEST_GROWTH


class AnySize(Struct, frozen=True, kw_only=True):
    """The sides that a model takes, and `area`, how much it makes at its price, in pixels."""

    least: int
    most: int
    area: int
    step: int = 16

    def nearest(self, size: tuple[int, int]) -> tuple[int, int]:
        """Give the nearest size the model takes, of the same shape as far as its limits allow."""
        scale = max(1.0, self.least / min(size))
        scale = min(scale, self.most / max(size), math.sqrt(self.area / math.prod(size)))
        return self._side(size[0] * scale), self._side(size[1] * scale)

    def is_out_of_reach(self, size: tuple[int, int]) -> bool:
        """Tell whether a size cannot be had by cutting and resizing what the model makes."""
        too_long = max(size) * self.least > self.most * min(size)
        return too_long or math.prod(size) > LARGEST_GROWTH * math.prod(self.nearest(size))

    def _side(self, pixels: float) -> int:
        # Rounded down, so that the area is kept; the least bit below a step is the root's noise.
        rounded = math.floor(pixels / self.step + 1e-9) * self.step
        return min(max(rounded, self.least), self.most)
