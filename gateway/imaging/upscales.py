"""Upscales: how large a picture becomes, and which way, as data and arithmetic.

The file that callers get has exactly the planned pixels, whatever the model makes.
"""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from msgspec import Struct

from gateway.imaging.operations import refused
from gateway.operations.image import MOST_SIDE_PX
from gateway.operations.image_upscale import UpscaleMode
from gateway.providers.stability.limits import LIMITS, PictureLimits

Size = tuple[int, int]
ModeName = Literal["fast", "conservative", "creative", "auto"]

DEFAULT_PROMPT = "High fidelity upscale preserving original details"
MOST_PIXELS = 20_000_000
MOST_SOURCE_PIXELS = 4_194_304
"""What the models make, about. A larger picture would be scaled down before and come back with less
in it than it had.
"""
DEFAULT_FACTOR = 4.0
"""Where neither a preset nor a target is given, as far as the pixels below allow."""
DEFAULT_MOST_PIXELS = 16_777_216
PRESETS: Mapping[str, int] = MappingProxyType({"web": 2048, "print": 3072, "social": 1920})
"""Names for the longer side, in pixels."""


class Upscale(Struct, frozen=True, kw_only=True):
    """One way to make a picture larger: its kind in the catalogue, and what it takes.

    `most_factor` is how many times as long it may make a side; beyond it, most pixels would be ours
    rather than the model's.
    """

    kind: str
    limits: PictureLimits
    takes_prompt: bool
    most_factor: float


UPSCALES: Mapping[UpscaleMode, Upscale] = MappingProxyType(
    {
        "fast": Upscale(
            kind="upscale.fast", limits=LIMITS["upscale-fast"], takes_prompt=False, most_factor=8
        ),
        "conservative": Upscale(
            kind="upscale.conservative",
            limits=LIMITS["upscale-conservative"],
            takes_prompt=True,
            most_factor=40,
        ),
        "creative": Upscale(
            kind="upscale.creative",
            limits=LIMITS["upscale-creative"],
            takes_prompt=True,
            most_factor=40,
        ),
    }
)


class AutoRule(Struct, frozen=True, kw_only=True):
    """One step of `auto`: which mode, if preset, factor and the picture's own pixels fit."""

    mode: UpscaleMode
    presets: tuple[str, ...] = ()
    most_factor: float = math.inf

    def fits(self, size: Size, *, preset: str | None, factor: float) -> bool:
        """Tell whether this step decides."""
        if self.presets and preset not in self.presets:
            return False
        if factor > self.most_factor:
            return False
        return UPSCALES[self.mode].limits.problem_of(*size) is None


AUTO: tuple[AutoRule, ...] = (
    AutoRule(mode="conservative", presets=("print",)),
    AutoRule(mode="fast", most_factor=4.0),
    AutoRule(mode="conservative"),
)
"""The first that fits decides; if none does, it is `fast`, of the picture scaled down for it."""


class Plan(Struct, frozen=True, kw_only=True):
    """What becomes of one picture. `factor` is how many times as long its longer side becomes."""

    mode: UpscaleMode
    width: int
    height: int
    factor: float


def plan_upscale(
    size: Size, *, mode: ModeName, preset: str | None, target: tuple[int | None, int | None]
) -> Plan:
    """Decide about a picture of these pixels; `target` is the wanted width and height.

    Raises: InvalidRequest.
    """
    if math.prod(size) > MOST_SOURCE_PIXELS:
        raise refused(
            "image_base64",
            f"it has {size[0]}x{size[1]}; more than {MOST_SOURCE_PIXELS} pixels would lose detail.",
        )
    width, height = _planned_size(size, preset=preset, target=target)
    factor = max(width / size[0], height / size[1])
    chosen = _chosen(size, preset=preset, factor=factor) if mode == "auto" else mode
    most = UPSCALES[chosen].most_factor
    if factor > most:
        raise refused(
            _blamed(preset, target),
            f"{chosen} makes a side at most {most:g} times as long; this picture has "
            f"{size[0]}x{size[1]}.",
        )
    return Plan(mode=chosen, width=width, height=height, factor=round(factor, 3))


def _chosen(size: Size, *, preset: str | None, factor: float) -> UpscaleMode:
    for rule in AUTO:
        if rule.fits(size, preset=preset, factor=factor):
            return rule.mode
    return "fast"


def _planned_size(size: Size, *, preset: str | None, target: tuple[int | None, int | None]) -> Size:
    if preset and any(target):
        raise refused("preset", "give a preset or a target size, not both.")
    if preset:
        planned = _scaled(size, PRESETS[preset] / max(size))
    elif any(target):
        planned = _target(size, *target)
    else:
        planned = _scaled(size, _default_factor(size))
        _check_growth(size, planned)
    field = _blamed(preset, target)
    if planned[0] < size[0] or planned[1] < size[1]:
        raise refused(
            field,
            f"{planned[0]}x{planned[1]} is smaller than the picture, {size[0]}x{size[1]}.",
        )
    if max(planned) > MOST_SIDE_PX or math.prod(planned) > MOST_PIXELS:
        raise refused(
            field, f"at most {MOST_SIDE_PX} pixels a side and {MOST_PIXELS} in all are made."
        )
    return planned


def _check_growth(size: Size, planned: Size) -> None:
    """Refuse to charge for a picture that would not become larger. Raises: InvalidRequest."""
    if max(planned) <= max(size):
        raise refused(
            "image_base64",
            f"it has {size[0]}x{size[1]}, and no more is made unless a target says so.",
        )


def _target(size: Size, width: int | None, height: int | None) -> Size:
    """Give the wanted size; one side alone keeps the shape."""
    if width and height:
        return width, height
    if width:
        return width, max(1, round(size[1] * width / size[0]))
    assert height, "one of them is given"
    return max(1, round(size[0] * height / size[1])), height


def _default_factor(size: Size) -> float:
    by_pixels = math.sqrt(DEFAULT_MOST_PIXELS / math.prod(size))
    return max(1.0, min(DEFAULT_FACTOR, by_pixels, MOST_SIDE_PX / max(size)))


def _scaled(size: Size, factor: float) -> Size:
    return round(size[0] * factor), round(size[1] * factor)


def _blamed(preset: str | None, target: tuple[int | None, int | None]) -> str:
    if preset:
        return "preset"
    if any(target):
        return "target_width" if target[0] else "target_height"
    return "image_base64"
