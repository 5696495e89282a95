"""Controls: pictures led by a sketch, a structure or a style.

Source: Stability's OpenAPI document of Feb 2025, stable-image/control; style transfer is not in it:
its fields and their meanings are tryAGI/StabilityAI's (2026), the same document later.
"""

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct

from gateway.operations.image_control import ImageControlRequest
from gateway.operations.image_input import ImageInput
from gateway.providers.base import UpstreamRequest
from gateway.providers.stability.form import (
    LONGEST_PROMPT,
    MOST_SEED,
    PRESETS,
    number_text,
    seed_text,
    write_form,
)
from gateway.providers.stability.limits import LIMITS

SHAPES = ("21:9", "16:9", "3:2", "5:4", "1:1", "4:5", "2:3", "9:16", "9:21")
_FOLDER = "/v2beta/stable-image/control/"
_STRENGTHS = (
    "control_strength",
    "fidelity",
    "style_strength",
    "composition_fidelity",
    "change_strength",
)


class _Control(Struct, frozen=True, kw_only=True):
    """What a control takes beside the picture, a prompt, what to avoid, and a seed.

    `leading` is what it calls the picture. A change strength below `least_change` is sent as that:
    a client was seen to keep to it, and the document of the time does not say.
    """

    control: str
    takes: frozenset[str]
    leading: str = "image"
    least_change: float = 0.0


_CONTROLS: Mapping[str, _Control] = MappingProxyType(
    {
        "control-sketch": _Control(
            control="sketch", takes=frozenset({"control_strength", "style"})
        ),
        "control-structure": _Control(
            control="structure", takes=frozenset({"control_strength", "style"})
        ),
        "control-style": _Control(
            control="style", takes=frozenset({"fidelity", "aspect_ratio", "style"})
        ),
        "control-style-transfer": _Control(
            control="style_transfer",
            takes=frozenset(
                {"style_image", "style_strength", "composition_fidelity", "change_strength"}
            ),
            leading="init_image",
            least_change=0.1,
        ),
    }
)


def control_problem(request: ImageControlRequest, name: str) -> str | None:
    """Name the field that a control cannot serve, `model` if it is another; None if it can."""
    control = _CONTROLS.get(name)
    if control is None or control.control != request.control:
        return "model"
    for field in ("image", "style_image"):
        picture: ImageInput | None = getattr(request, field)
        if picture and LIMITS[name].problem_of(picture.width, picture.height):
            return field
    for field in ("prompt", "negative_prompt"):
        if len(getattr(request, field)) > LONGEST_PROMPT:
            return field
    if not request.prompt:
        return "prompt"
    return _field_problem(request, control)


def write_control(request: ImageControlRequest, name: str, *, first: int) -> UpstreamRequest:
    """Write the form of one control."""
    control = _CONTROLS[name]
    fields = {
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt,
        **{strength: _strength_text(request, strength, control) for strength in _STRENGTHS},
        "aspect_ratio": request.aspect_ratio,
        "style_preset": request.style,
        "seed": seed_text(request.seed, first),
        "output_format": request.output_format or "png",
    }
    pictures = {control.leading: request.image}
    if request.style_image is not None:
        pictures["style_image"] = request.style_image
    path = _FOLDER + name.removeprefix("control-")
    return write_form(path, fields, pictures=pictures, user=request.user)


def _strength_text(request: ImageControlRequest, strength: str, control: _Control) -> str:
    given: float | None = getattr(request, strength)
    if given is not None and strength == "change_strength":
        given = max(given, control.least_change)
    return number_text(given)


def _field_problem(request: ImageControlRequest, control: _Control) -> str | None:
    for field in (*_STRENGTHS, "aspect_ratio", "style", "style_image"):
        if getattr(request, field) not in (None, "") and field not in control.takes:
            return field
    for strength in _STRENGTHS:
        given = getattr(request, strength)
        if given is not None and not 0 <= given <= 1:
            return strength
    if request.aspect_ratio and request.aspect_ratio not in SHAPES:
        return "aspect_ratio"
    if request.style and request.style not in PRESETS:
        return "style"
    if "style_image" in control.takes and request.style_image is None:
        return "style_image"
    return None if 0 <= (request.seed or 0) <= MOST_SEED else "seed"
