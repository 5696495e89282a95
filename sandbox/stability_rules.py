"""What each of Stability's operations takes: its fields, their words and ranges, its pictures.

Source: Stability's OpenAPI document of Feb 2025, `/v2beta/stable-image`; `sd3.5-flash`, the end of
`sd3-*`, and style transfer: tryAGI/StabilityAI (2026). The least change strength of style transfer
is what a client was seen to keep to.
Left out: image to image, `erase`, and new backgrounds with light.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from sandbox.drawing import NoPicture, size_in
from sandbox.stability_form import Form, FormError

SHAPES = ("21:9", "16:9", "3:2", "5:4", "1:1", "4:5", "2:3", "9:16", "9:21")
_PRESETS = (
    *("enhance", "anime", "photographic", "digital-art", "comic-book", "fantasy-art", "line-art"),
    *("analog-film", "neon-punk", "isometric", "low-poly", "origami", "modeling-compound"),
    *("cinematic", "3d-model", "pixel-art", "tile-texture"),
)
_MODELS = ("sd3.5-large", "sd3.5-large-turbo", "sd3.5-medium", "sd3.5-flash")
_FORMATS = ("png", "jpeg", "webp")
_PROMPTS = ("prompt", "negative_prompt")
_LONGEST_TEXT = 10_000
MOST_SEED = 4_294_967_294
_SEED = re.compile(r"\d{1,10}")
_NUMBER = re.compile(r"\d{1,10}(\.\d{1,6})?")
_LAST_LATIN = 0x24F
_ENGLISH_ONLY = "English is the only supported language for this service."
_MEGAPIXEL = 1024**2

Words = Mapping[str, tuple[str, ...]]
Range = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """What a picture may have: pixels a side, in all, and how much longer one side may be."""

    least_side: int = 64
    most_side: int = 16_384
    least: int = 4_096
    most: int = 9_437_184
    widest: float = 256.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """One operation's fields beside its seed; `needed` are those it cannot do without."""

    texts: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()
    words: Words = field(default_factory=dict)
    numbers: Mapping[str, Range] = field(default_factory=dict)
    pictures: Mapping[str, Sides] = field(default_factory=dict)
    has_seed: bool = True


_STYLED: Words = MappingProxyType({"style_preset": _PRESETS, "output_format": _FORMATS})
_SHAPED: Words = MappingProxyType({"aspect_ratio": SHAPES, **_STYLED})
_SD3: Words = MappingProxyType(
    {
        **_SHAPED,
        "output_format": ("png", "jpeg"),
        "mode": ("text-to-image",),
        "model": _MODELS,
    }
)
_NO_STRIP = Sides(widest=2.5)
_MASK = Sides(least_side=1, least=1, most=16_384**2)
_LEADING = MappingProxyType({"image": _NO_STRIP})


def _led(strength: str, words: Words = _STYLED) -> Rules:
    return Rules(
        texts=_PROMPTS,
        needed=("image", "prompt"),
        words=words,
        numbers={strength: (0, 1)},
        pictures=_LEADING,
    )


def _searched(search: str) -> Rules:
    return Rules(
        texts=(*_PROMPTS, search),
        needed=("image", "prompt", search),
        words=_STYLED,
        numbers={"grow_mask": (0, 20)},
        pictures=_LEADING,
    )


RULES: Mapping[str, Rules] = MappingProxyType(
    {
        "generate/ultra": Rules(texts=_PROMPTS, needed=("prompt",), words=_SHAPED),
        "generate/core": Rules(texts=_PROMPTS, needed=("prompt",), words=_SHAPED),
        "generate/sd3": Rules(
            texts=_PROMPTS, needed=("prompt",), words=_SD3, numbers={"cfg_scale": (1, 10)}
        ),
        "edit/remove-background": Rules(
            needed=("image",),
            words={"output_format": ("png", "webp")},
            pictures={"image": Sides(most=4 * _MEGAPIXEL)},
            has_seed=False,
        ),
        "edit/inpaint": Rules(
            texts=_PROMPTS,
            needed=("image", "prompt"),
            words=_STYLED,
            numbers={"grow_mask": (0, 100)},
            pictures={"image": Sides(), "mask": _MASK},
        ),
        "edit/outpaint": Rules(
            texts=("prompt",),
            needed=("image",),
            words=_STYLED,
            numbers={
                "creativity": (0, 1),
                **dict.fromkeys(("left", "right", "up", "down"), (0, 2000)),
            },
            pictures=_LEADING,
        ),
        "edit/search-and-replace": _searched("search_prompt"),
        "edit/search-and-recolor": _searched("select_prompt"),
        "upscale/fast": Rules(
            needed=("image",),
            words={"output_format": _FORMATS},
            pictures={"image": Sides(least_side=32, most_side=1536, least=1024, most=_MEGAPIXEL)},
            has_seed=False,
        ),
        "upscale/conservative": Rules(
            texts=_PROMPTS,
            needed=("image", "prompt"),
            words={"output_format": _FORMATS},
            numbers={"creativity": (0.2, 0.5)},
            pictures=_LEADING,
        ),
        "upscale/creative": Rules(
            texts=_PROMPTS,
            needed=("image", "prompt"),
            words=_STYLED,
            numbers={"creativity": (0.1, 0.5)},
            pictures={"image": Sides(most=_MEGAPIXEL)},
        ),
        "control/sketch": _led("control_strength"),
        "control/structure": _led("control_strength"),
        "control/style": _led("fidelity", _SHAPED),
        "control/style-transfer": Rules(
            texts=_PROMPTS,
            needed=("init_image", "style_image"),
            words={"output_format": _FORMATS},
            numbers={
                "style_strength": (0, 1),
                "composition_fidelity": (0, 1),
                "change_strength": (0.1, 1),
            },
            pictures={"init_image": _NO_STRIP, "style_image": _NO_STRIP},
        ),
    }
)
"""By the end of their paths."""


def check_form(operation: str, form: Form) -> None:
    """Refuse a form that the operation does not take. Raises: FormError."""
    rules = RULES[operation]
    for name in form.texts:
        if not (name in rules.texts or name in rules.words or name in rules.numbers):
            _check_seed(rules, name, form.texts[name])
    for name in form.files:
        if name not in rules.pictures:
            raise FormError(f"{name}: not a valid field")
    for name in rules.needed:
        if not (form.texts.get(name) or form.files.get(name)):
            raise FormError(f"{name}: is required")
    _check_texts(rules, form)
    _check_pictures(rules, form)
    directions = [form.texts.get(side, "0") for side in ("left", "right", "up", "down")]
    if operation == "edit/outpaint" and set(directions) == {"0"}:
        raise FormError("at least one outpaint direction must have a non-zero value")


def _check_seed(rules: Rules, name: str, text: str) -> None:
    if name != "seed" or not rules.has_seed:
        raise FormError(f"{name}: not a valid field")
    if not _SEED.fullmatch(text) or int(text) > MOST_SEED:
        raise FormError(f"seed: must be a number from 0 to {MOST_SEED}")


def _check_texts(rules: Rules, form: Form) -> None:
    for name, known in rules.words.items():
        if form.texts.get(name, known[0]) not in known:
            raise FormError(f"{name}: must be one of {', '.join(known)}")
    for name, (least, most) in rules.numbers.items():
        given = form.texts.get(name, str(most))
        if not _NUMBER.fullmatch(given) or not least <= float(given) <= most:
            raise FormError(f"{name}: must be a number from {least:g} to {most:g}")
    if form.texts.get("model", "").endswith("-turbo") and "negative_prompt" in form.texts:
        raise FormError("negative_prompt: not supported by this model")
    for name in rules.texts:
        _check_text(name, form.texts.get(name, ""))


def _check_text(name: str, text: str) -> None:
    """Refuse what is too long; letters beyond Latin are taken for another language than English."""
    if len(text) > _LONGEST_TEXT:
        raise FormError(f"{name}: must be no longer than {_LONGEST_TEXT} characters")
    if any(letter.isalpha() and ord(letter) > _LAST_LATIN for letter in text):
        raise FormError(_ENGLISH_ONLY, status=422, name="invalid_language")


def _check_pictures(rules: Rules, form: Form) -> None:
    for name, data in form.files.items():
        sides = rules.pictures[name]
        try:
            shorter, longer = sorted(size_in(data))
        except NoPicture:
            raise FormError(f"{name}: must be a jpeg, png or webp image") from None
        if shorter < sides.least_side or longer > sides.most_side:
            raise FormError(f"{name}: every side must have {sides.least_side} pixels or more")
        if not sides.least <= shorter * longer <= sides.most:
            raise FormError(
                f"{name}: total pixel count must be between {sides.least} and {sides.most}"
            )
        if longer > sides.widest * shorter:
            raise FormError(f"{name}: the aspect ratio must be between 1:2.5 and 2.5:1")
