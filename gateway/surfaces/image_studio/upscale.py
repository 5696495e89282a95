"""POST /api/image-studio/upscale."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from gateway.imaging.operations import LONGEST_TEXT, check_choice, check_picture
from gateway.imaging.upscales import (
    DEFAULT_PROMPT,
    PRESETS,
    UPSCALES,
    ModeName,
    Plan,
    plan_upscale,
)
from gateway.operations.image import MOST_SIDE_PX
from gateway.operations.image_input import ImageInput
from gateway.operations.image_upscale import ImageUpscaleRequest, UpscaleMode
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
    fit_in_pixels,
    own_size,
    picture_shown,
    scaling_of,
)
from gateway.surfaces.jobs.making import Wanted, made_headers, make
from studio.accounts.callers import Caller

FAILING = "Image upscaling failed"
_Side = Annotated[int, Meta(ge=1, le=MOST_SIDE_PX)]


class UpscaleBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What callers send; targets are pixels."""

    image_base64: str
    mode: ModeName | None = "auto"
    target_width: _Side | None = None
    target_height: _Side | None = None
    preset: Annotated[str, Meta(max_length=64)] | None = None
    prompt: Annotated[str, Meta(max_length=LONGEST_TEXT)] | None = None


_BODY = msgspec.json.Decoder(UpscaleBody)


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    request: ImageUpscaleRequest
    plan: Plan
    preset: str | None


async def upscale(request: Request) -> Answer | None:
    """Make a picture larger; the answer has it, or where to look for it after a minute."""
    async with image_entered(request, "image_upscale") as admitted:
        body = await read_pictures_body(request)
        given = read_body(_BODY, body.text)
        check_choice("preset", given.preset, PRESETS)
        asked = await _asked(body, given)
        return await _made(request, admitted.caller, asked, body.text)


async def _made(request: Request, caller: Caller, asked: _Asked, body: bytes) -> Answer | None:
    plan, image = asked.plan, asked.request.image
    wanted = Wanted(
        request=asked.request,
        kind=UPSCALES[plan.mode].kind,
        model=None,
        parameters={"mode": plan.mode, "width": plan.width, "height": plan.height},
    )
    outcome = await make(request, caller, wanted, body)
    job = made_job(outcome, failing=FAILING)
    if not job.is_final:
        return accepted(request, outcome)
    width, height = own_size(image)
    metadata: dict[str, Any] = {
        "preset": asked.preset,
        "original_width": width,
        "original_height": height,
        "upscale_factor": plan.factor,
        **scaling_of(image, "image_base64"),
    }
    shown = {"success": True, "mode": plan.mode, **picture_shown(job, metadata)}
    headers = made_headers(request, outcome)
    await answer_with_pictures(request, caller, shown, headers=headers)
    return None


async def _asked(body: PicturesBody, given: UpscaleBody) -> _Asked:
    """Take the picture, and plan what becomes of it. Raises: InvalidRequest, ImagesBusy."""
    mode = given.mode or "auto"
    image = await _taken(body, given.image_base64, "conservative" if mode == "auto" else mode)
    plan = plan_upscale(
        own_size(image),
        mode=mode,
        preset=given.preset or None,
        target=(given.target_width, given.target_height),
    )
    upscale = UPSCALES[plan.mode]
    limits = upscale.limits
    image = await fit_in_pixels(
        image, most_pixels=limits.most_pixels, most_side_px=limits.most_side_px
    )
    image = await fit_in_bytes(image)
    check_picture(image, limits, field="image_base64")
    prompt = (given.prompt or DEFAULT_PROMPT) if upscale.takes_prompt else ""
    return _Asked(
        request=ImageUpscaleRequest(
            mode=plan.mode,
            image=image,
            prompt=prompt,
            width=plan.width,
            height=plan.height,
            output_format="png",
        ),
        plan=plan,
        preset=given.preset or None,
    )


async def _taken(body: PicturesBody, value: str, mode: UpscaleMode) -> ImageInput:
    limits = UPSCALES[mode].limits
    return await take_image(
        body,
        value,
        field="image_base64",
        most_pixels=limits.most_pixels,
        most_side_px=limits.most_side_px,
    )
