"""Text to image: which model is which path, and what each takes.

No model takes pixels: a shape is asked for, and the size is cut out of what comes. None takes
steps, those of sd3 alone a guidance. None takes a compression, and those of sd3 no WebP: files are
written anew, as asked for, where they are stored.
Source: Stability's OpenAPI document of Feb 2025, stable-image/generate; `sd3.5-flash` of
tryAGI/StabilityAI (2026).
"""

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct

from gateway.operations.image import ImageRequest
from gateway.providers.base import UpstreamRequest
from gateway.providers.images_form import (
    file_problem,
    is_out_of_reach,
    nearest_shape,
    prompt_in_words,
    size_of,
)
from gateway.providers.stability.form import (
    LONGEST_PROMPT,
    MOST_SEED,
    PRESETS,
    is_foreign,
    number_text,
    seed_text,
    write_form,
)

_FOLDER = "/v2beta/stable-image/generate"
_SHAPES = ("1:1", "21:9", "16:9", "3:2", "5:4", "4:5", "2:3", "9:16", "9:21")
_WIDEST = 3.0
_ANY_SEED = 0
_MOST_GUIDANCE = 10
_PRESET_OF = MappingProxyType({"photorealistic": "photographic"})
_MEGAPIXEL = 1024 * 1024


class _Model(Struct, frozen=True, kw_only=True):
    """What a model takes. `name` is sent where several share a path."""

    path: str
    name: str = ""
    formats: frozenset[str] = frozenset({"png", "jpeg", "webp"})
    pixels: int = _MEGAPIXEL
    takes_negative_prompt: bool = True
    takes_guidance: bool = False


def _sd3(name: str) -> _Model:
    return _Model(
        path="/sd3",
        name=name,
        formats=frozenset({"png", "jpeg"}),
        takes_negative_prompt=not name.endswith("-turbo"),
        takes_guidance=True,
    )


_SD3_NAMES = ("sd3.5-large", "sd3.5-large-turbo", "sd3.5-medium", "sd3.5-flash")
_MODELS: Mapping[str, _Model] = MappingProxyType(
    {
        "ultra": _Model(path="/ultra"),
        "core": _Model(path="/core", pixels=_MEGAPIXEL * 3 // 2),
        **{name: _sd3(name) for name in _SD3_NAMES},
    }
)


def problem_of(request: ImageRequest, name: str) -> str | None:
    """Name the field that a model cannot serve, `model` if it is not known; None if it can."""
    model = _MODELS.get(name)
    if model is None:
        return "model"
    if is_out_of_reach(request, widest=_WIDEST, most_pixels=model.pixels):
        return "size"
    if len(_prompt(request)) > LONGEST_PROMPT or is_foreign(request.prompt):
        return "prompt"
    if request.negative_prompt and not _may_avoid(request, model):
        return "negative_prompt"
    if request.background == "transparent":
        return "background"
    if request.moderation == "low":
        return "moderation"
    if model.takes_guidance and not 1 <= (request.guidance_scale or 1) <= _MOST_GUIDANCE:
        return "guidance_scale"
    return _seed_problem(request) or file_problem(request)


def write_generation(request: ImageRequest, name: str, *, first: int) -> UpstreamRequest:
    """Write the form of one picture, which so many of the same request come before."""
    model = _MODELS[name]
    size, preset = size_of(request), _preset(request.style)
    fields = {
        "prompt": _prompt(request),
        "mode": "text-to-image" if model.name else "",
        "model": model.name,
        "aspect_ratio": nearest_shape(size, _SHAPES) if size else "",
        "negative_prompt": request.negative_prompt,
        "style_preset": preset,
        "seed": seed_text(request.seed, first),
        "cfg_scale": number_text(request.guidance_scale) if model.takes_guidance else "",
        "output_format": request.output_format if request.output_format in model.formats else "png",
    }
    return write_form(_FOLDER + model.path, fields, user=request.user)


def _preset(style: str) -> str:
    """Give the preset of this style; empty where there is none, and the prompt has to say it."""
    preset = _PRESET_OF.get(style, style)
    return preset if preset in PRESETS else ""


def _prompt(request: ImageRequest) -> str:
    style = "" if _preset(request.style) else request.style
    return prompt_in_words(request, style=style, negative_prompt="")


def _may_avoid(request: ImageRequest, model: _Model) -> bool:
    return model.takes_negative_prompt and len(request.negative_prompt) <= LONGEST_PROMPT


def _seed_problem(request: ImageRequest) -> str | None:
    """Refuse seeds out of range, 0 among them, which means any: each picture has the next one."""
    if request.seed is None:
        return None
    possible = _ANY_SEED < request.seed <= MOST_SEED - (request.count - 1)
    return None if possible else "seed"
