"""POST /api/image-studio/control/process, and what controls there are."""

from typing import Annotated, Any, cast

import msgspec
from msgspec import Meta

from gateway.imaging.controls import (
    ASPECT_RATIOS,
    CONTROL_FIELDS,
    CONTROLS,
    STRENGTHS,
)
from gateway.imaging.operations import (
    LARGEST_SEED,
    LONGEST_TEXT,
    STYLE_PRESETS,
    Operation,
    check_choice,
    check_fields,
    check_picture,
    find_operation,
    format_named,
    shown_operations,
)
from gateway.jobs.queries import read_provider
from gateway.operations.image_control import ControlName, ImageControlRequest
from gateway.operations.image_input import ImageInput
from gateway.operations.json_body import read_body
from gateway.surfaces.base64_images import (
    PicturesBody,
    answer_with_pictures,
    read_pictures_body,
    take_image,
)
from gateway.surfaces.door import Answer, Request
from gateway.surfaces.image_studio.entry import accepted, image_entered, made_job
from gateway.surfaces.image_studio.working import fit_in_bytes, picture_shown, scaling_of
from gateway.surfaces.jobs.making import Wanted, made_headers, make
from studio.accounts.callers import Caller

FAILING = "Image control failed"
_Text = Annotated[str, Meta(max_length=LONGEST_TEXT)]
_Name = Annotated[str, Meta(max_length=256)]
_Strength = Annotated[float, Meta(ge=0, le=1)]
_Seed = Annotated[int, Meta(ge=0, le=LARGEST_SEED)]


class ControlBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What callers send; what an operation needs of it is in its definition."""

    operation: _Name
    control_image_base64: str | None = None
    prompt: _Text | None = None
    style_image_base64: str | None = None
    negative_prompt: _Text | None = None
    control_strength: _Strength | None = None
    fidelity: _Strength | None = None
    style_strength: _Strength | None = None
    composition_fidelity: _Strength | None = None
    change_strength: _Strength | None = None
    aspect_ratio: _Name | None = None
    style_preset: _Name | None = None
    seed: _Seed | None = None
    output_format: _Name | None = "png"


_BODY = msgspec.json.Decoder(ControlBody)


async def process(request: Request) -> Answer | None:
    """Make a picture led by another; the answer has it, or where to look for it after a minute."""
    async with image_entered(request, "image_control") as admitted:
        body = await read_pictures_body(request)
        given = read_body(_BODY, body.text)
        operation = _checked(given)
        asked = await _request(body, given, operation)
        wanted = Wanted(
            request=asked,
            kind=operation.kind,
            model=None,
            parameters={"operation": asked.control, **_strengths(asked)},
        )
        return await _made(request, admitted.caller, wanted, body.text)


async def operations(request: Request) -> Answer:
    """Show what controls there are, and which fields each uses."""
    async with image_entered(request, "image_control"):
        shown = {"operations": shown_operations(CONTROLS, CONTROL_FIELDS)}
        return Answer(body=msgspec.json.encode(shown))


async def _made(request: Request, caller: Caller, wanted: Wanted, body: bytes) -> Answer | None:
    outcome = await make(request, caller, wanted, body)
    job = made_job(outcome, failing=FAILING)
    if not job.is_final:
        return accepted(request, outcome)
    asked = wanted.request
    assert isinstance(asked, ImageControlRequest), "that is what was asked for"
    metadata: dict[str, Any] = {"operation": asked.control, **_strengths(asked)}
    metadata |= scaling_of(asked.image, "control_image_base64")
    shown = {
        "success": True,
        "operation": asked.control,
        "provider": await read_provider(request.runtime, job.id, workspace_id=job.workspace_id),
        **picture_shown(job, metadata),
    }
    headers = made_headers(request, outcome)
    await answer_with_pictures(request, caller, shown, headers=headers)
    return None


def _strengths(asked: ImageControlRequest) -> dict[str, float]:
    """Give the strengths that were asked for."""
    given = {name: getattr(asked, name) for name in STRENGTHS}
    return {name: value for name, value in given.items() if value is not None}


def _checked(given: ControlBody) -> Operation:
    """Give the operation of a body that it fits. Raises: InvalidRequest."""
    operation = find_operation(given.operation, CONTROLS)
    check_fields(given.operation, operation, given, CONTROL_FIELDS)
    check_choice("style_preset", given.style_preset, STYLE_PRESETS)
    check_choice("aspect_ratio", given.aspect_ratio, ASPECT_RATIOS)
    format_named(given.output_format, given.operation, operation.formats)
    return operation


async def _request(
    body: PicturesBody, given: ControlBody, operation: Operation
) -> ImageControlRequest:
    """Take the pictures of a checked body, and give what is asked for. Raises: InvalidRequest."""
    assert given.control_image_base64 and given.prompt, "every control needs both"
    image = await _picture(body, given.control_image_base64, "control_image_base64", operation)
    style_image = (
        await _picture(body, given.style_image_base64, "style_image_base64", operation)
        if given.style_image_base64
        else None
    )
    image = await fit_in_bytes(image, style_image)
    check_picture(image, operation.limits, field="control_image_base64")
    return ImageControlRequest(
        control=cast(ControlName, given.operation),
        image=image,
        prompt=given.prompt,
        style_image=style_image,
        negative_prompt=given.negative_prompt or "",
        control_strength=_used(given, operation, "control_strength"),
        fidelity=_used(given, operation, "fidelity"),
        style_strength=_used(given, operation, "style_strength"),
        composition_fidelity=_used(given, operation, "composition_fidelity"),
        change_strength=_used(given, operation, "change_strength"),
        aspect_ratio=given.aspect_ratio or "",
        style=given.style_preset or "",
        seed=given.seed or None,
        output_format=format_named(given.output_format, given.operation, operation.formats),
    )


def _used(given: ControlBody, operation: Operation, strength: str) -> float | None:
    """Give a strength; a zero that the operation has no use for is none."""
    value: float | None = getattr(given, strength)
    return value if strength in operation.uses else None


async def _picture(body: PicturesBody, value: str, field: str, operation: Operation) -> ImageInput:
    limits = operation.limits
    taken = await take_image(
        body,
        value,
        field=field,
        most_pixels=limits.most_pixels,
        most_side_px=limits.most_side_px,
    )
    check_picture(taken, limits, field=field)
    return taken
