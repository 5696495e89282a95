"""POST /api/image-studio/edit/process, and what edits there are."""

from typing import Annotated, Any, cast

import msgspec
from msgspec import Meta

from gateway.imaging.edits import EDIT_FIELDS, EDITS, MOST_EXPANSION
from gateway.imaging.operations import (
    LARGEST_SEED,
    LONGEST_TEXT,
    STYLE_PRESETS,
    Operation,
    check_choice,
    check_fields,
    check_options,
    check_picture,
    find_operation,
    format_named,
    refused,
    shown_operations,
)
from gateway.imaging.upscales import MOST_PIXELS
from gateway.jobs.queries import read_provider
from gateway.operations.image import MOST_SIDE_PX
from gateway.operations.image_edit import EditName, ImageEditRequest
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
from gateway.surfaces.image_studio.working import (
    fit_in_bytes,
    models_left,
    own_size,
    picture_shown,
    scaling_of,
)
from gateway.surfaces.jobs.making import Wanted, made_headers, make
from studio.accounts.callers import Caller

FAILING = "Image editing failed"
_Text = Annotated[str, Meta(max_length=LONGEST_TEXT)]
_Name = Annotated[str, Meta(max_length=256)]
_Expansion = Annotated[int, Meta(ge=0, le=MOST_EXPANSION)]
_Seed = Annotated[int, Meta(ge=0, le=LARGEST_SEED)]


class EditBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What callers send. Expansions are pixels."""

    image_base64: str
    operation: _Name
    prompt: _Text | None = None
    negative_prompt: _Text | None = None
    mask_base64: str | None = None
    search_prompt: _Text | None = None
    select_prompt: _Text | None = None
    background_image_base64: str | None = None
    lighting_image_base64: str | None = None
    expand_left: _Expansion | None = 0
    expand_right: _Expansion | None = 0
    expand_up: _Expansion | None = 0
    expand_down: _Expansion | None = 0
    provider: _Name | None = None
    model: _Name | None = None
    style_preset: _Name | None = None
    guidance_scale: float | None = None
    steps: int | None = None
    seed: _Seed | None = None
    output_format: _Name | None = "png"
    options: dict[str, Any] | None = None


_BODY = msgspec.json.Decoder(EditBody)


async def process(request: Request) -> Answer | None:
    """Change a picture; the answer has it, or where to look for it after a minute."""
    async with image_entered(request, "image_edit") as admitted:
        caller = admitted.caller
        body = await read_pictures_body(request)
        given = read_body(_BODY, body.text)
        operation = _checked(given)
        models = models_left(
            request,
            caller,
            operation="image_edit",
            kind=operation.kind,
            provider=given.provider or "",
            model=given.model or "",
        )
        asked = await _request(body, given, operation)
        wanted = _wanted(asked, operation, models)
        return await _made(request, caller, wanted, body.text)


async def operations(request: Request) -> Answer:
    """Show what edits there are, and which fields each uses."""
    async with image_entered(request, "image_edit"):
        shown = {"operations": shown_operations(EDITS, EDIT_FIELDS)}
        return Answer(body=msgspec.json.encode(shown))


async def _made(request: Request, caller: Caller, wanted: Wanted, body: bytes) -> Answer | None:
    outcome = await make(request, caller, wanted, body)
    job = made_job(outcome, failing=FAILING)
    if not job.is_final:
        return accepted(request, outcome)
    asked = wanted.request
    assert isinstance(asked, ImageEditRequest), "that is what was asked for"
    metadata = {"operation": asked.edit, **scaling_of(asked.image, "image_base64")}
    shown = {
        "success": True,
        "operation": asked.edit,
        "provider": await read_provider(request.runtime, job.id, workspace_id=job.workspace_id),
        **picture_shown(job, metadata),
    }
    headers = made_headers(request, outcome)
    await answer_with_pictures(request, caller, shown, headers=headers)
    return None


def _checked(given: EditBody) -> Operation:
    """Give the operation of a body that it fits. Raises: InvalidRequest."""
    operation = find_operation(given.operation, EDITS)
    check_fields(given.operation, operation, given, EDIT_FIELDS)
    check_options(given.operation, operation, given.options or {})
    check_choice("style_preset", given.style_preset, STYLE_PRESETS)
    format_named(given.output_format, given.operation, operation.formats)
    return operation


def _wanted(asked: ImageEditRequest, operation: Operation, models: tuple[str, ...]) -> Wanted:
    return Wanted(
        request=asked,
        kind=operation.kind,
        model=None,
        models=models,
        parameters={"operation": asked.edit, "width": asked.width, "height": asked.height},
    )


async def _request(body: PicturesBody, given: EditBody, operation: Operation) -> ImageEditRequest:
    """Take the pictures of a checked body, and give what is asked for. Raises: InvalidRequest."""
    options = given.options or {}
    image = await _picture(body, given.image_base64, "image_base64", operation)
    mask, background, lighting = [
        await _picture(body, value, field, operation) if value else None
        for field, value in (
            ("mask_base64", given.mask_base64),
            ("background_image_base64", given.background_image_base64),
            ("lighting_image_base64", given.lighting_image_base64),
        )
    ]
    image = await fit_in_bytes(image, mask, background, lighting)
    check_picture(image, operation.limits, field="image_base64")
    width, height = _expanded_size(image, given)
    return ImageEditRequest(
        edit=cast(EditName, given.operation),
        image=image,
        prompt=given.prompt or "",
        negative_prompt=given.negative_prompt or "",
        mask=mask,
        search_prompt=given.search_prompt or "",
        select_prompt=given.select_prompt or "",
        background=background,
        lighting=lighting,
        expand_left=_scaled(given.expand_left, image),
        expand_right=_scaled(given.expand_right, image),
        expand_up=_scaled(given.expand_up, image),
        expand_down=_scaled(given.expand_down, image),
        grow_mask=options.get("grow_mask"),
        creativity=options.get("creativity"),
        style=given.style_preset or "",
        seed=given.seed or None,
        width=width,
        height=height,
        output_format=format_named(given.output_format, given.operation, operation.formats),
    )


async def _picture(body: PicturesBody, value: str, field: str, operation: Operation) -> ImageInput:
    limits = operation.limits
    return await take_image(
        body,
        value,
        field=field,
        most_pixels=limits.most_pixels,
        most_side_px=limits.most_side_px,
    )


def _expanded_size(image: ImageInput, given: EditBody) -> tuple[int, int]:
    """Give the pixels that come back: the picture's own, and what is added.

    Raises: InvalidRequest.
    """
    width, height = own_size(image)
    width += (given.expand_left or 0) + (given.expand_right or 0)
    height += (given.expand_up or 0) + (given.expand_down or 0)
    if max(width, height) > MOST_SIDE_PX or width * height > MOST_PIXELS:
        raise refused(
            "expand_left",
            f"it would be {width}x{height}; at most {MOST_SIDE_PX} pixels a side and "
            f"{MOST_PIXELS} in all are made.",
        )
    return width, height


def _scaled(pixels: int | None, image: ImageInput) -> int:
    """Give an expansion in the pixels of the picture as it is sent to the provider."""
    if not pixels:
        return 0
    return max(1, round(pixels * image.width / own_size(image)[0]))
