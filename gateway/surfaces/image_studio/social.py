"""POST /api/image-studio/social/optimize, and what social networks want of pictures."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from gateway.imaging.operations import refused
from gateway.imaging.platforms import PLATFORMS, Platform, PlatformFormat, find_platform
from gateway.jobs.views import JobView
from gateway.operations.image_fit import CropMode, ImageFitRequest
from gateway.operations.image_input import ImageInput
from gateway.operations.json_body import read_body
from gateway.surfaces.base64_images import (
    Picture,
    answer_with_pictures,
    read_pictures_body,
    take_image,
)
from gateway.surfaces.door import Answer, Request
from gateway.surfaces.image_studio.entry import accepted, image_entered, made_job
from gateway.surfaces.jobs.making import Wanted, made_headers, make
from studio.core.errors import NotFound

KIND = "fit.social"
FAILING = "Image optimization failed"
_MOST_PLATFORMS = 20
_PLATFORM_AT, _SPECS_AT = 5, 4
"""Where the name stands in `/api/image-studio/social/platforms/<name>/formats`, and in
`/api/image-studio/platform-specs/<name>`, split at their slashes.
"""
_FORMATS: Mapping[str, Literal["png", "jpeg"]] = {"png": "png", "jpg": "jpeg", "jpeg": "jpeg"}

_Name = Annotated[str, Meta(min_length=1, max_length=64)]
_Share = Annotated[float, Meta(ge=0, le=1)]


class FocalPoint(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a smart crop keeps: shares of the sides from the left and from the top."""

    x: _Share
    y: _Share


class SocialBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What callers send. Null stands for a field's default."""

    image_base64: str
    platforms: Annotated[list[_Name], Meta(min_length=1, max_length=_MOST_PLATFORMS)]
    format_names: dict[_Name, _Name] | None = None
    show_safe_zones: bool | None = False
    crop_mode: CropMode | None = "smart"
    focal_point: FocalPoint | None = None
    output_format: Literal["png", "jpg", "jpeg"] | None = "png"


_BODY = msgspec.json.Decoder(SocialBody)


class _Wish(msgspec.Struct, frozen=True, kw_only=True):
    """One picture to be made: for which network, in which of its formats."""

    platform: Platform
    format: PlatformFormat


async def optimize(request: Request) -> Answer | None:
    """Cut a picture for each network; the answer has them, or where to look after a minute."""
    async with image_entered(request, "image_fit") as admitted:
        caller = admitted.caller
        body = await read_pictures_body(request)
        given = read_body(_BODY, body.text)
        wishes = read_wishes(given.platforms, given.format_names or {})
        image = await take_image(body, given.image_base64, field="image_base64")
        outcome = await make(request, caller, _wanted(given, wishes, image), body.text)
        job = made_job(outcome, failing=FAILING)
        if not job.is_final:
            return accepted(request, outcome)
        shown = _shown(wishes, job)
        await answer_with_pictures(request, caller, shown, headers=made_headers(request, outcome))
        return None


async def formats(request: Request) -> Answer:
    """List a network's formats."""
    async with image_entered(request, "image_fit"):
        platform = _platform_of(request, _PLATFORM_AT)
        return Answer(body=msgspec.json.encode({"formats": platform.formats}))


async def specs(request: Request) -> Answer:
    """Show what a network takes."""
    async with image_entered(request, "image_fit"):
        platform = _platform_of(request, _SPECS_AT)
        shown = {
            "name": platform.name,
            "formats": [
                {"name": one.name, "ratio": one.ratio, "size": f"{one.width}x{one.height}"}
                for one in platform.formats
            ],
            "file_types": platform.file_types,
            "max_file_size": platform.max_file_size,
        }
        return Answer(body=msgspec.json.encode(shown))


def read_wishes(platforms: Sequence[str], names: Mapping[str, str]) -> list[_Wish]:
    """Find every network once, and its format: the one named for it, else its first.

    Raises: InvalidRequest, which lists what there is.
    """
    found = [_known(name, "platforms") for name in platforms]
    ids = [one.id for one in found]
    doubles = sorted({name for name in ids if ids.count(name) > 1})
    if doubles:
        raise refused("platforms", f"{', '.join(doubles)} is there twice.")
    chosen = {_known(name, "format_names").id: format for name, format in names.items()}
    astray = sorted(set(chosen) - set(ids))
    if astray:
        raise refused("format_names", f"{', '.join(astray)} is not among the platforms.")
    return [_Wish(platform=one, format=_format(one, chosen.get(one.id))) for one in found]


def _format(platform: Platform, name: str | None) -> PlatformFormat:
    if name is None:
        return platform.formats[0]
    found = platform.find_format(name)
    if found is None:
        known = ", ".join(one.name for one in platform.formats)
        raise refused("format_names", f"{platform.id} has no format {name}. It has: {known}.")
    return found


def _known(name: str, field: str) -> Platform:
    found = find_platform(name)
    if found is None:
        raise refused(field, _unknown(name))
    return found


def _platform_of(request: Request, place: int) -> Platform:
    """Read the network in the path. Raises: NotFound."""
    name = request.path.split("/")[place]
    found = find_platform(name)
    if found is None:
        raise NotFound(_unknown(name))
    return found


def _unknown(name: str) -> str:
    return f"there is no platform {name[:64]}. There are: {', '.join(PLATFORMS)}."


def _wanted(given: SocialBody, wishes: Sequence[_Wish], image: ImageInput) -> Wanted:
    crop_mode, point = given.crop_mode or "smart", given.focal_point
    return Wanted(
        request=ImageFitRequest(
            image=image,
            targets=tuple(wish.format.target() for wish in wishes),
            crop_mode=crop_mode,
            focal_point=(point.x, point.y) if point is not None else None,
            shows_safe_zones=bool(given.show_safe_zones),
            output_format=_FORMATS[given.output_format or "png"],
        ),
        kind=KIND,
        model=None,
        parameters={
            "platforms": [wish.platform.id for wish in wishes],
            "formats": [wish.format.name for wish in wishes],
            "crop_mode": crop_mode,
        },
    )


def _shown(wishes: Sequence[_Wish], job: JobView) -> dict[str, Any]:
    results = [
        {
            "platform": wish.platform.id,
            "format": wish.format.name,
            "image_base64": Picture(file, data_url=True),
            "width": file.width,
            "height": file.height,
        }
        for wish, file in zip(wishes, job.files, strict=True)
    ]
    return {"success": True, "results": results, "total_optimized": len(results)}
