"""Images in OpenAI's form, which two surfaces speak: the body, and the pictures in the answer.

Source: github openai/openai-openapi v2.3.0 (2026-08-21), CreateImageRequest and ImagesResponse.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from billing.pricing_items import AUTO
from gateway.catalogue.snapshot import Resolution
from gateway.jobs.views import JobFile, JobView
from gateway.media.addresses import base_url
from gateway.operations.image import MOST_IMAGES, ImageFormat, ImageRequest
from gateway.operations.json_body import read_body
from gateway.runtime import Runtime
from gateway.surfaces.chat import check_media_type
from gateway.surfaces.door import Answer, Request
from gateway.surfaces.entry import entered, read_channel
from gateway.surfaces.jobs.files import file_base64, file_url
from gateway.surfaces.jobs.making import Outcome, Wanted, made_headers, make
from gateway.surfaces.studio.images import BODY_LIMIT_BYTES
from studio.accounts.callers import Caller
from studio.core.errors import InvalidRequest

_LONGEST_PROMPT = 4_000
_SIZE = re.compile(r"([1-9][0-9]{1,3})x([1-9][0-9]{1,3})", re.ASCII)
_STANDARD = "standard"
_DEFAULT_SIZE = "1024x1024"
_ALWAYS_BASE64 = ("gpt-image", "chatgpt-image")
"""Names whose answers OpenAI's clients expect to hold the bytes."""


class ImagesBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What callers send; the last three are OpenAI's own, which mean nothing or too much here."""

    prompt: Annotated[str, Meta(min_length=1, max_length=_LONGEST_PROMPT)]
    model: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    kind: Annotated[str, Meta(min_length=1, max_length=128)] | None = None
    n: Annotated[int, Meta(ge=1, le=MOST_IMAGES)] | None = None
    size: Annotated[str, Meta(max_length=16)] | None = None
    quality: Literal["standard", "hd", "low", "medium", "high", "auto"] | None = None
    style: Literal["vivid", "natural"] | None = None
    response_format: Literal["url", "b64_json"] | None = None
    output_format: ImageFormat | None = None
    output_compression: Annotated[int, Meta(ge=0, le=100)] | None = None
    background: Literal["transparent", "opaque", "auto"] | None = None
    moderation: Literal["low", "auto"] | None = None
    user: Annotated[str, Meta(max_length=512)] | None = None
    stream: bool | None = None
    partial_images: int | None = None


_BODY = msgspec.json.Decoder(ImagesBody)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The job that a body asks for, and in which form its pictures are wanted."""

    wanted: Wanted
    size: str
    quality: str
    as_base64: bool


def read_images(
    request: Request, caller: Caller, body: bytes, *, default_model: str | None
) -> Asked:
    """Read a body; where it names no size or quality, the model's own are taken.

    Raises: InvalidRequest, UnknownKind, UnknownChannel, WrongOperation.
    """
    given = read_body(_BODY, body)
    if given.stream or given.partial_images:
        raise InvalidRequest(
            "stream: images are not streamed here; watch /v1/jobs/{id}/events.",
            details={"param": "stream"},
        )
    model = given.model or (None if given.kind else default_model)
    resolution = request.runtime.catalogue.resolve(
        kind=given.kind,
        model=model,
        channel=read_channel(request, caller),
        operation="image",
    )
    like_dall_e = _has_standard(request.runtime, resolution)
    size = given.size or (_DEFAULT_SIZE if like_dall_e else AUTO)
    quality = given.quality or (_STANDARD if like_dall_e else AUTO)
    in_base64 = given.response_format == "b64_json"
    if given.response_format is None:
        in_base64 = resolution.asked.startswith(_ALWAYS_BASE64)
    return Asked(
        wanted=Wanted(
            request=_image_request(given, size, quality),
            kind=given.kind,
            model=model,
            parameters={"n": given.n or 1, "size": size, "quality": quality},
        ),
        size=size,
        quality=quality,
        as_base64=in_base64,
    )


Written = Callable[[Request, Asked, Outcome], Awaitable[dict[str, Any]]]
"""How a surface writes a finished job."""


async def answer_images(request: Request, *, default_model: str | None, written: Written) -> Answer:
    """Make images and answer as the surface writes it; 202 if it takes over a minute."""
    async with entered(request, "image") as admitted:
        caller = admitted.caller
        check_media_type(request)
        body = await request.read_body(BODY_LIMIT_BYTES)
        asked = read_images(request, caller, body, default_model=default_model)
        outcome = await make(request, caller, asked.wanted, body)
        job = outcome.checked()
        headers = made_headers(request, outcome)
        if job.is_final:
            shown = await written(request, asked, outcome)
            return Answer(body=msgspec.json.encode(shown), headers=headers)
        url = f"{base_url(request.raw_headers)}/v1/jobs/{job.id}"
        shown = {"id": str(job.id), "status": "processing", "urls": {"get": url}}
        return Answer(status=202, body=msgspec.json.encode(shown), headers=headers)


async def pictures(
    request: Request, asked: Asked, job: JobView, *, life_s: int | None = None
) -> Sequence[dict[str, Any]]:
    """Give `data` of the answer: an address of ours or the bytes, and what the model made of the
    prompt. Raises: NotFound, Unavailable.
    """
    assert request.admitted is not None, "who asks was admitted"
    caller = request.admitted.caller
    if asked.as_base64:
        found = await asyncio.gather(*[file_base64(caller, file) for file in job.files])
        shown = [{"b64_json": data} for data in found]
    else:
        shown = [{"url": file_url(request, caller, file, life_s=life_s)} for file in job.files]
    return [_with_prompt(one, file) for one, file in zip(shown, job.files, strict=True)]


def _image_request(given: ImagesBody, size: str, quality: str) -> ImageRequest:
    width, height = _sides(size)
    return ImageRequest(
        prompt=given.prompt,
        count=given.n or 1,
        width=width,
        height=height,
        exact_size=width is not None,
        size=size,
        quality=quality,
        style=given.style or "",
        output_format=given.output_format,
        output_compression=given.output_compression,
        background=given.background,
        moderation=given.moderation,
        user=given.user or "",
    )


def _with_prompt(shown: dict[str, Any], file: JobFile) -> dict[str, Any]:
    return {**shown, "revised_prompt": file.revised_prompt} if file.revised_prompt else shown


def _has_standard(runtime: Runtime, resolution: Resolution) -> bool:
    """Tell whether the model is sold by DALL·E's qualities."""
    route = resolution.routes[0]
    price = runtime.world.book.media("image", route.provider, route.model)
    return price is not None and _STANDARD in price.qualities


def _sides(size: str) -> tuple[int, int] | tuple[None, None]:
    if size == AUTO:
        return None, None
    found = _SIZE.fullmatch(size)
    if found is None:
        raise InvalidRequest("size: write it as 1024x1024, or auto.", details={"param": "size"})
    return int(found[1]), int(found[2])
