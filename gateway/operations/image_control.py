"""Making a picture led by another one: what is asked, whoever does it."""

from typing import Literal

from msgspec import Struct

from gateway.operations.image import ImageFormat
from gateway.operations.image_input import ImageInput

ControlName = Literal["sketch", "structure", "style", "style_transfer"]


class ImageControlRequest(
    Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """One picture from words and a leading picture. Strengths are from 0 to 1, None is the model's.

    `control_strength` is for sketch and structure, `fidelity` and `aspect_ratio` for style, the
    others for style_transfer, which alone has a `style_image`.
    """

    control: ControlName
    image: ImageInput
    prompt: str
    style_image: ImageInput | None = None
    negative_prompt: str = ""
    control_strength: float | None = None
    fidelity: float | None = None
    style_strength: float | None = None
    composition_fidelity: float | None = None
    change_strength: float | None = None
    aspect_ratio: str = ""
    style: str = ""
    seed: int | None = None
    output_format: ImageFormat | None = None
    user: str = ""

    operation = "image_control"
    count = 1
