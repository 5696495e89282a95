"""Edits: which operation is which path, and what each takes.

A picture comes back as large as it went, or as large as the model likes; callers get the size that
the request names. Guidance and steps mean nothing to any of them.
Source: Stability's OpenAPI document of Feb 2025, stable-image/edit. Its `erase` and its new
backgrounds with light are not asked for here.
"""

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct

from gateway.operations.image_edit import ImageEditRequest
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

MOST_EXPANSION_PX = 2_000
_FOLDER = "/v2beta/stable-image/edit/"
_EXPANSIONS = ("expand_left", "expand_right", "expand_up", "expand_down")
_TEXTS = ("prompt", "negative_prompt", "search_prompt", "select_prompt")
_FIELDS = (*_TEXTS, "mask", "background", "lighting", *_EXPANSIONS, "grow_mask", "creativity")
_FORMATS = frozenset({"png", "jpeg", "webp"})


class _Edit(Struct, frozen=True, kw_only=True):
    """What an edit takes beside the picture, a style and a seed; and which of it it needs."""

    edit: str
    takes: frozenset[str] = frozenset()
    needs: tuple[str, ...] = ()
    most_grow_mask: int = 20
    formats: frozenset[str] = _FORMATS
    takes_style: bool = True


_EDITS: Mapping[str, _Edit] = MappingProxyType(
    {
        "remove-background": _Edit(
            edit="remove_background", formats=frozenset({"png", "webp"}), takes_style=False
        ),
        "inpaint": _Edit(
            edit="inpaint",
            takes=frozenset({"prompt", "negative_prompt", "mask", "grow_mask"}),
            needs=("prompt",),
            most_grow_mask=100,
        ),
        "outpaint": _Edit(edit="outpaint", takes=frozenset({"prompt", "creativity", *_EXPANSIONS})),
        "search-and-replace": _Edit(
            edit="search_replace",
            takes=frozenset({"prompt", "negative_prompt", "search_prompt", "grow_mask"}),
            needs=("prompt", "search_prompt"),
        ),
        "search-and-recolor": _Edit(
            edit="search_recolor",
            takes=frozenset({"prompt", "negative_prompt", "select_prompt", "grow_mask"}),
            needs=("prompt", "select_prompt"),
        ),
    }
)


def edit_problem(request: ImageEditRequest, name: str) -> str | None:
    """Name the field that an edit cannot serve, `model` if it is another; None if it can."""
    edit = _EDITS.get(name)
    if edit is None or edit.edit != request.edit:
        return "model"
    if LIMITS[name].problem_of(request.image.width, request.image.height):
        return "image"
    for field in _FIELDS:
        given = getattr(request, field)
        if given and field not in edit.takes:
            return field
        if not given and field in edit.needs:
            return field
        if field in _TEXTS and len(given) > LONGEST_PROMPT:
            return field
    return _number_problem(request, edit) or _style_problem(request, edit)


def write_edit(request: ImageEditRequest, name: str, *, first: int) -> UpstreamRequest:
    """Write the form of one edit."""
    edit = _EDITS[name]
    fields = {
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt,
        "search_prompt": request.search_prompt,
        "select_prompt": request.select_prompt,
        "left": str(request.expand_left or ""),
        "right": str(request.expand_right or ""),
        "up": str(request.expand_up or ""),
        "down": str(request.expand_down or ""),
        "grow_mask": number_text(request.grow_mask),
        "creativity": number_text(request.creativity),
        "style_preset": request.style,
        "seed": seed_text(request.seed, first) if edit.takes_style else "",
        "output_format": request.output_format if request.output_format in edit.formats else "png",
    }
    pictures: dict[str, ImageInput] = {"image": request.image}
    if request.mask is not None:
        pictures["mask"] = request.mask
    return write_form(_FOLDER + name, fields, pictures=pictures, user=request.user)


def _number_problem(request: ImageEditRequest, edit: _Edit) -> str | None:
    expansions = {field: getattr(request, field) for field in _EXPANSIONS}
    if edit.edit == "outpaint" and not any(expansions.values()):
        return _EXPANSIONS[0]
    for field, pixels in expansions.items():
        if not 0 <= pixels <= MOST_EXPANSION_PX:
            return field
    if not 0 <= (request.grow_mask or 0) <= edit.most_grow_mask:
        return "grow_mask"
    if not 0 <= (request.creativity or 0) <= 1:
        return "creativity"
    return None if 0 <= (request.seed or 0) <= MOST_SEED else "seed"


def _style_problem(request: ImageEditRequest, edit: _Edit) -> str | None:
    if not request.style:
        return None
    return None if edit.takes_style and request.style in PRESETS else "style"
