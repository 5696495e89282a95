"""One picture cut to many sizes. Runs in a child process (image_child.py), as images.py does.

smart    the largest window of the wanted shape around the focal point, or around the subject
center   the largest window in the middle
fit      the whole picture on a ground of its own, blurred and darkened; one with transparent parts
         keeps a transparent ground

A picture that is smaller than what is wanted is enlarged. Results have exactly the wanted pixels,
no metadata, and at most the wanted bytes.
"""

import io
from collections.abc import Iterator

from PIL import Image, ImageDraw, ImageFilter, ImageOps, UnidentifiedImageError

from gateway.media.errors import NoPicture, UnusableFile
from gateway.media.fit_files import write_within
from gateway.media.fit_subject import importance
from gateway.media.fit_windows import WHOLE, Window, Zone, around, around_subject, centered
from gateway.media.images import MOST_PIXELS, MOST_SIDE_PX
from gateway.operations.image_fit import FitTarget, ImageFitRequest

Size = tuple[int, int]

COVERED = (255, 0, 90)
"""The colour of what a platform covers, and of the line around what it leaves free."""
COVERED_SHARE = 0.4
_FORMATS = ("PNG", "JPEG", "WEBP")
_PREMULTIPLIED = "RGBa"
_GAP = 1.2
"""How much larger than the result a picture is before the exact filter; measured, 2.0 differs by 53
dB from this, which nobody sees, and takes more than twice the time."""
_GROUND_SHARE, _GROUND_BLUR, _GROUND_LIGHT = 16, 3, 0.8
_LINES_A_SIDE, _THINNEST_PX = 270, 2


def fit_images(data: bytes, request: ImageFitRequest) -> list[bytes]:
    """Cut a picture to each target, in their order, as files of the request's format.

    Raises: UnusableFile: it is no picture, or a target's bytes cannot be kept; MemoryError.
    """
    sizes = [(target.width, target.height) for target in request.targets]
    picture = _read(data, sizes, whole=request.crop_mode == "fit")
    return [
        write_within(made, request.output_format, target.most_bytes)
        for made, target in zip(_cut(picture, request), request.targets, strict=True)
    ]


def _cut(picture: Image.Image, request: ImageFitRequest) -> Iterator[Image.Image]:
    """Make one after the other, so that no two are held at once."""
    looks = request.crop_mode == "smart" and request.focal_point is None
    important = importance(picture) if looks else None
    for target in request.targets:
        size = (target.width, target.height)
        if request.crop_mode == "fit":
            made = _on_ground(picture, size)
        else:
            made = _resized(picture, size, _window(picture.size, target, request, important))
        if made.mode == _PREMULTIPLIED:
            made = made.convert("RGBA")
        if request.shows_safe_zones:
            show_zone(made, target.safe_zone)
        yield made


def _window(
    size: Size, target: FitTarget, request: ImageFitRequest, important: Image.Image | None
) -> Window:
    wanted = (target.width, target.height)
    if request.crop_mode == "smart" and request.focal_point is not None:
        return around(size, wanted, request.focal_point)
    if important is not None:
        return around_subject(size, wanted, important, target.safe_zone)
    return centered(size, wanted)


def _on_ground(picture: Image.Image, size: Size) -> Image.Image:
    scale = min(size[0] / picture.width, size[1] / picture.height)
    inner = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    made = _resized(picture, inner, (0, 0, *picture.size))
    if inner == size:
        return made
    ground = _ground(picture, size)
    ground.paste(made, ((size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2))
    return ground


def _ground(picture: Image.Image, size: Size) -> Image.Image:
    if picture.mode == _PREMULTIPLIED:
        return Image.new(_PREMULTIPLIED, size)
    small = (max(1, size[0] // _GROUND_SHARE), max(1, size[1] // _GROUND_SHARE))
    ground = _resized(picture, small, centered(picture.size, size))
    ground = ground.filter(ImageFilter.GaussianBlur(_GROUND_BLUR))
    ground = ground.point([round(value * _GROUND_LIGHT) for value in range(256)] * 3)
    return ground.resize(size, Image.Resampling.BICUBIC)


def _resized(picture: Image.Image, size: Size, window: Window) -> Image.Image:
    return picture.resize(size, Image.Resampling.LANCZOS, box=window, reducing_gap=_GAP)


def show_zone(picture: Image.Image, zone: Zone = WHOLE) -> None:
    """Tint what is covered (shares of the sides: top, bottom, left, right) and draw a line around
    what stays free, inside of it.
    """
    width, height = picture.size
    top, bottom, left, right = zone
    free = (
        round(width * left),
        round(height * top),
        width - round(width * right),
        height - round(height * bottom),
    )
    tinted = Image.blend(picture, Image.new(picture.mode, picture.size, COVERED), COVERED_SHARE)
    tinted.paste(picture.crop(free), free[:2])
    picture.paste(tinted)
    thick = max(_THINNEST_PX, min(width, height) // _LINES_A_SIDE)
    line = (free[0], free[1], free[2] - 1, free[3] - 1)
    ImageDraw.Draw(picture).rectangle(line, outline=COVERED, width=thick)


def _read(data: bytes, sizes: list[Size], *, whole: bool) -> Image.Image:
    """Decode once: upright, RGB or premultiplied RGBa; a JPEG no larger than it has to be."""
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as opened:
            if opened.width * opened.height > MOST_PIXELS or max(opened.size) > MOST_SIDE_PX:
                raise UnusableFile("The image has too many pixels.")
            opened.draft(None, _least_size(opened.size, sizes, whole=whole))
            found = ImageOps.exif_transpose(opened)
    except UnidentifiedImageError as error:
        raise NoPicture("The file is no PNG, JPEG or WEBP image.") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnusableFile("The image has too many pixels.") from error
    except (OSError, ValueError, SyntaxError) as error:
        raise UnusableFile("The image is broken.") from error
    if found.has_transparency_data:
        return found.convert("RGBA").convert(_PREMULTIPLIED)
    return found if found.mode == "RGB" else found.convert("RGB")


def _least_size(size: Size, sizes: list[Size], *, whole: bool) -> Size:
    """Give the sides below which a result would be enlarged, whichever way up the picture is."""
    choose = max if whole else min
    scale = min(
        choose(side / wanted[0], other / wanted[1])
        for wanted in sizes
        for side, other in (size, size[::-1])
    )
    return (max(1, int(size[0] / scale)), max(1, int(size[1] / scale))) if scale > 1 else size
