"""What Stability's double makes of a form: scenes, and pictures that are seen to be changed.

How many pixels a shape has is ours, from the megapixels of each model; so is what a creative
upscale makes. That `fast` makes each side four times as long, and the conservative upscale four
megapixels: Stability's OpenAPI document of Feb 2025.
"""

import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from PIL import Image

from sandbox import drawing
from sandbox.faults import Faults
from sandbox.openai_images import spoiled
from sandbox.pictures import MEDIA_TYPES
from sandbox.stability_form import Form, FormError
from sandbox.stability_rules import MOST_SEED

FILTERED = "CONTENT_FILTERED"
_STEP = 64
_MEGAPIXEL = 1024**2
_PIXELS = MappingProxyType(
    {
        "generate/ultra": _MEGAPIXEL,
        "generate/core": _MEGAPIXEL * 3 // 2,
        "generate/sd3": _MEGAPIXEL,
        "control/style": _MEGAPIXEL,
    }
)
_GROWTH = 4
_LARGE = 4 * _MEGAPIXEL
_LARGEST = 8 * _MEGAPIXEL
_LITTLE_NEW = 0.05
_MUCH_NEW = 0.3
_FORBIDDEN = (255, 0, 255)
"""A picture of this one colour is filtered, where no prompt can ask for it."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """A checked form with its pictures opened; `words` is what new parts of it follow from."""

    operation: str
    texts: Mapping[str, str]
    pictures: Mapping[str, Image.Image]
    words: str

    @property
    def image(self) -> Image.Image:
        return self.pictures["image"]

    def number(self, name: str, default: float) -> float:
        return float(self.texts.get(name, default))


def draw(operation: str, form: Form, prompt: str, *, faults: Faults) -> Picture:
    """Answer one checked form; `prompt` is its prompt without directives.

    Raises: FormError for what the live API refuses.
    """
    if faults.refusal:
        raise FormError(_FLAGGED, status=403)
    try:
        pictures = {name: drawing.opened(data) for name, data in form.files.items()}
    except drawing.NoPicture:
        raise FormError("image: must be a jpeg, png or webp image") from None
    file_form = form.texts.get("output_format", "png")
    said = str(sorted({**form.texts, "prompt": prompt}.items()))
    seed = int(form.texts.get("seed", "0")) or zlib.crc32(said.encode()) % MOST_SEED + 1
    task = _Task(operation=operation, texts=form.texts, pictures=pictures, words=f"{prompt}|{seed}")
    image = _DRAWN[operation](task)
    filtered = faults.content_filter or any(map(_is_forbidden, pictures.values()))
    if filtered:
        image = drawing.scene("blurred", image.size)
    (data,) = spoiled([drawing.written(image, file_form)], faults.files) or [b""]
    return Picture(
        data=data,
        media_type=MEDIA_TYPES[file_form],
        seed=seed,
        finish_reason=FILTERED if filtered else "SUCCESS",
    )


def size_of(operation: str, shape: str) -> tuple[int, int]:
    """Give the pixels of a shape."""
    across, _, down = shape.partition(":")
    ratio = int(across) / int(down)
    area = _PIXELS[operation]
    sides = (math.sqrt(area * ratio), math.sqrt(area / ratio))
    return round(sides[0] / _STEP) * _STEP, round(sides[1] / _STEP) * _STEP


def _is_forbidden(image: Image.Image) -> bool:
    return drawing.flat(image).getextrema() == tuple((level, level) for level in _FORBIDDEN)


def _generated(task: _Task) -> Image.Image:
    return drawing.scene(task.words, size_of(task.operation, task.texts.get("aspect_ratio", "1:1")))


def _cut_out(task: _Task) -> Image.Image:
    return drawing.without_background(task.image)


def _inpainted(task: _Task) -> Image.Image:
    mask = task.pictures.get("mask") or drawing.mask_of(task.image)
    return drawing.painted(task.image, mask, task.words)


def _outpainted(task: _Task) -> Image.Image:
    left, right, up, down = (int(task.number(side, 0)) for side in ("left", "right", "up", "down"))
    return drawing.expanded(task.image, (left, right, up, down), task.words)


def _replaced(task: _Task) -> Image.Image:
    return drawing.replaced(task.image, task.texts["search_prompt"], task.words)


def _recoloured(task: _Task) -> Image.Image:
    return drawing.recoloured(task.image, task.texts["select_prompt"], task.words)


def _larger_fast(task: _Task) -> Image.Image:
    width, height = task.image.size
    return drawing.enlarged(task.image, (width * _GROWTH, height * _GROWTH))


def _larger(task: _Task) -> Image.Image:
    size = _filling(task.image.size, _LARGE)
    return drawing.enlarged(task.image, size, task.words, _LITTLE_NEW)


def _larger_and_new(task: _Task) -> Image.Image:
    size = _filling(task.image.size, _LARGEST)
    return drawing.enlarged(task.image, size, task.words, _MUCH_NEW)


def _filling(size: tuple[int, int], pixels: int) -> tuple[int, int]:
    factor = math.sqrt(pixels / math.prod(size))
    return round(size[0] * factor), round(size[1] * factor)


def _led(task: _Task) -> Image.Image:
    leading = task.image.resize(_filling(task.image.size, _MEGAPIXEL))
    return drawing.led_by(leading, task.words, task.number("control_strength", 0.7))


def _in_style(task: _Task) -> Image.Image:
    return drawing.in_colours_of(_generated(task), task.image, task.number("fidelity", 0.5))


def _transferred(task: _Task) -> Image.Image:
    share = task.number("style_strength", 1.0)
    return drawing.in_colours_of(task.pictures["init_image"], task.pictures["style_image"], share)


_DRAWN: Mapping[str, Callable[[_Task], Image.Image]] = MappingProxyType(
    {
        "generate/ultra": _generated,
        "generate/core": _generated,
        "generate/sd3": _generated,
        "edit/remove-background": _cut_out,
        "edit/inpaint": _inpainted,
        "edit/outpaint": _outpainted,
        "edit/search-and-replace": _replaced,
        "edit/search-and-recolor": _recoloured,
        "upscale/fast": _larger_fast,
        "upscale/conservative": _larger,
        "upscale/creative": _larger_and_new,
        "control/sketch": _led,
        "control/structure": _led,
        "control/style": _in_style,
        "control/style-transfer": _transferred,
    }
)
