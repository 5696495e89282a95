"""Changing a picture: what is asked, whoever does it."""

from typing import Literal

from msgspec import Struct

from gateway.operations.image import ImageFormat
from gateway.operations.image_input import ImageInput

EditName = Literal[
    "remove_background",
    "inpaint",
    "outpaint",
    "search_replace",
    "search_recolor",
    "general_edit",
]


class ImageEditRequest(
    Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """One change of one picture, the same for every provider.

    `mask` is white where the picture may change, `grow_mask` by how many pixels it is widened.
    `expand_…` are pixels, `creativity` is how freely they are filled, from 0 to 1. With
    `width` and `height` the file that callers get has exactly these. Empty texts and None were not
    asked for.
    """

    edit: EditName
    image: ImageInput
    prompt: str = ""
    negative_prompt: str = ""
    mask: ImageInput | None = None
    search_prompt: str = ""
    select_prompt: str = ""
    background: ImageInput | None = None
    lighting: ImageInput | None = None
    expand_left: int = 0
    expand_right: int = 0
    expand_up: int = 0
    expand_down: int = 0
    grow_mask: int | None = None
    creativity: float | None = None
    style: str = ""
    guidance_scale: float | None = None
    steps: int | None = None
    seed: int | None = None
    width: int | None = None
    height: int | None = None
    output_format: ImageFormat | None = None
    user: str = ""

    operation = "image_edit"
    count = 1
