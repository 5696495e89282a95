"""Cutting one picture to many sizes, as social networks want them. Our own work, no provider's."""

from typing import Literal

from msgspec import Struct

from gateway.operations.image_input import ImageInput

CropMode = Literal["smart", "center", "fit"]


class FitTarget(Struct, frozen=True, kw_only=True):
    """One picture to make: its pixels, and how large its file may be, in bytes.

    `safe_zone` are shares of the sides (top, bottom, left, right) that a platform covers.
    """

    width: int
    height: int
    most_bytes: int
    safe_zone: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)


class ImageFitRequest(
    Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """One picture to be cut to each of the targets, in their order. All are made, or none.

    `focal_point` (x, y from 0 to 1) is what a smart crop keeps; None lets it find the subject.
    """

    image: ImageInput
    targets: tuple[FitTarget, ...]
    crop_mode: CropMode = "smart"
    focal_point: tuple[float, float] | None = None
    shows_safe_zones: bool = False
    output_format: Literal["png", "jpeg"] = "png"

    operation = "image_fit"

    @property
    def count(self) -> int:
        """How many pictures are made."""
        return len(self.targets)
