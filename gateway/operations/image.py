"""Making images from words: what is asked, whoever makes them."""

from typing import Literal

from msgspec import Struct

from gateway.operations.media import ANY

MOST_IMAGES = 10
MOST_SIDE_PX = 8192

ImageFormat = Literal["png", "jpeg", "webp"]


class ImageRequest(
    Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """One request for images, the same for every provider. Surfaces write it, providers read it.

    `width` and `height` are pixels, None for the model's own; with `exact_size` the files that
    callers get have exactly these, resized by us where the model cannot. `size` and `quality` are
    the words by which it is priced; `style` words that change the picture (`vivid`,
    `photorealistic`). `guidance_scale` and `steps` are the model's own scales. Fields that are None
    were not asked for.
    """

    prompt: str
    count: int = 1
    width: int | None = None
    height: int | None = None
    exact_size: bool = False
    size: str = ANY
    quality: str = ANY
    style: str = ""
    negative_prompt: str = ""
    seed: int | None = None
    guidance_scale: float | None = None
    steps: int | None = None
    output_format: ImageFormat | None = None
    output_compression: int | None = None
    background: Literal["transparent", "opaque", "auto"] | None = None
    moderation: Literal["low", "auto"] | None = None
    user: str = ""

    operation = "image"
