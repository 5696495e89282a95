"""Making a picture larger: what is asked, whoever does it."""

from typing import Literal

from msgspec import Struct

from gateway.operations.image import ImageFormat
from gateway.operations.image_input import ImageInput

UpscaleMode = Literal["fast", "conservative", "creative"]


class ImageUpscaleRequest(
    Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """One picture to be made larger. With `width` and `height` the file that callers get has
    exactly these, whatever the model makes.
    """

    mode: UpscaleMode
    image: ImageInput
    prompt: str = ""
    width: int | None = None
    height: int | None = None
    output_format: ImageFormat | None = None
    user: str = ""

    operation = "image_upscale"
    count = 1
