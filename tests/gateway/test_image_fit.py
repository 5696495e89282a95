"""One picture cut to many sizes: exact pixels, the right part of it, and no byte too many."""

import io
from typing import Any
from uuid import UUID

import pytest
from PIL import Image, ImageDraw

from gateway.media.children import children
from gateway.media.errors import UnusableFile
from gateway.media.fit import fit_images
from gateway.media.works import ImageFitWork
from gateway.operations.image_fit import FitTarget, ImageFitRequest
from gateway.operations.image_input import ImageInput
from tests.gateway.hostile_images import ACCEPTED, MARK, REFUSED, image, noise

MEGABYTE = 1_000_000
RED, GREEN, BLUE, GREY = (200, 30, 30), (30, 160, 40), (20, 30, 200), (100, 100, 100)
INPUT = ImageInput(asset_id=UUID(int=1), media_type="image/png", width=1, height=1)
COVERED = (255, 0, 90)


def target(
    width: int,
    height: int,
    *,
    most_bytes: int = 5 * MEGABYTE,
    zone: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0),
) -> FitTarget:
    """Say what is to be made."""
    return FitTarget(width=width, height=height, most_bytes=most_bytes, safe_zone=zone)


def asked(*targets: FitTarget, **options: Any) -> ImageFitRequest:
    """Ask for these targets."""
    return ImageFitRequest(image=INPUT, targets=targets, **options)


def fitted(data: bytes, *targets: FitTarget, **options: Any) -> list[Image.Image]:
    """Cut a picture to targets, and open what was made."""
    made: list[Image.Image] = [
        Image.open(io.BytesIO(one)) for one in fit_images(data, asked(*targets, **options))
    ]
    for one in made:
        one.load()
    return made


def png(picture: Image.Image, **options: Any) -> bytes:
    """Write a picture as it is."""
    written = io.BytesIO()
    picture.save(written, "PNG", **options)
    return written.getvalue()


def thirds() -> Image.Image:
    """Draw a picture of 900 x 300: red, green and blue from left to right."""
    picture = Image.new("RGB", (900, 300), GREEN)
    picture.paste(RED, (0, 0, 300, 300))
    picture.paste(BLUE, (600, 0, 900, 300))
    return picture


def with_ball(at: tuple[int, int], *, size: tuple[int, int] = (900, 300)) -> bytes:
    """Draw a red ball of 60 pixels on a plain ground."""
    picture = Image.new("RGB", size, (190, 200, 205))
    ImageDraw.Draw(picture).ellipse((at[0] - 30, at[1] - 30, at[0] + 30, at[1] + 30), fill=RED)
    return png(picture)


def pixel(picture: Image.Image, at: tuple[int, int]) -> tuple[int, ...]:
    """Read a pixel of a picture in colours."""
    found = picture.getpixel(at)
    assert isinstance(found, tuple)
    return found


def red_pixels(picture: Image.Image) -> int:
    """Count what is red in a picture, as if it were as high as the one it was cut from."""
    scaled = picture.convert("RGB").resize((picture.width * 300 // picture.height, 300))
    data = scaled.tobytes()
    return sum(
        data[at] > 150 and data[at + 1] < 90 and data[at + 2] < 90 for at in range(0, len(data), 3)
    )


@pytest.mark.parametrize("format", ["png", "jpeg"])
@pytest.mark.parametrize("mode", ["smart", "center", "fit"])
@pytest.mark.parametrize("size", [(640, 480), (480, 640), (33, 7)])
def test_every_result_has_exactly_its_pixels(size: tuple[int, int], mode: str, format: str) -> None:
    wanted = [(108, 108), (120, 63), (63, 120), (640, 481), (1, 1)]
    targets = [target(*one) for one in wanted]
    made = fitted(image(size=size), *targets, crop_mode=mode, output_format=format)
    assert [one.size for one in made] == wanted
    assert {one.format for one in made} == {format.upper()}


def test_a_png_of_the_wanted_size_keeps_every_pixel() -> None:
    source = Image.open(io.BytesIO(noise((300, 200))))
    for mode in ("smart", "center", "fit"):
        [made] = fitted(png(source), target(300, 200), crop_mode=mode)
        assert (made.mode, made.tobytes()) == ("RGB", source.tobytes())


def test_the_middle_is_kept_where_that_is_asked_for() -> None:
    [made] = fitted(png(thirds()), target(300, 300), crop_mode="center")
    assert made.getcolors() == [(90_000, GREEN)]


@pytest.mark.parametrize(
    ("point", "color"),
    [((0.0, 0.5), RED), ((1 / 6, 0.0), RED), ((0.5, 0.5), GREEN), ((5 / 6, 1.0), BLUE)],
)
def test_the_focal_point_decides_what_is_kept(
    point: tuple[float, float], color: tuple[int, int, int]
) -> None:
    [made] = fitted(png(thirds()), target(300, 300), focal_point=point)
    assert made.getcolors() == [(90_000, color)]


def test_the_focal_point_wins_over_the_subject() -> None:
    data = with_ball((60, 150))
    [found] = fitted(data, target(300, 300))
    [led] = fitted(data, target(300, 300), focal_point=(0.9, 0.5))
    assert (red_pixels(found) > 2600, red_pixels(led)) == (True, 0)


def test_a_focal_point_means_nothing_to_the_other_modes() -> None:
    [made] = fitted(png(thirds()), target(300, 300), crop_mode="center", focal_point=(0.0, 0.0))
    assert made.getcolors() == [(90_000, GREEN)]


@pytest.mark.parametrize("x", [40, 230, 450, 700, 860])
def test_the_subject_is_kept_wherever_it_is(x: int) -> None:
    square, wide, tall = fitted(
        with_ball((x, 150)), target(300, 300), target(600, 200), target(150, 300)
    )
    assert min(red_pixels(one) for one in (square, wide, tall)) > 2500


def test_the_subject_is_kept_clear_of_what_is_covered() -> None:
    """A ball that could be in the middle is shifted to where nothing covers it."""
    [made] = fitted(with_ball((450, 150)), target(300, 300, zone=(0.0, 0.0, 0.6, 0.0)))
    left_half, right_half = made.crop((0, 0, 180, 300)), made.crop((180, 0, 300, 300))
    assert (red_pixels(left_half), red_pixels(right_half) > 2500) == (0, True)


def test_where_nothing_stands_out_the_middle_is_kept() -> None:
    ground = Image.new("RGB", (900, 300), GREY)
    ground.putpixel((450, 150), (101, 100, 100))
    [made] = fitted(png(ground), target(300, 300))
    assert made.getpixel((150, 150)) == (101, 100, 100)


def test_the_same_picture_gives_the_same_bytes() -> None:
    request = asked(target(200, 100), target(90, 160), shows_safe_zones=True)
    data = with_ball((200, 100))
    assert fit_images(data, request) == fit_images(data, request)


def test_what_is_covered_is_tinted_and_the_rest_untouched() -> None:
    zone = (0.1, 0.2, 0.05, 0.15)
    [made] = fitted(
        image(size=(400, 200), color=GREY), target(400, 200, zone=zone), shows_safe_zones=True
    )
    tint = (162, 60, 96)
    line = [(20, 20), (339, 159), (20, 159), (339, 20), (21, 90), (338, 90), (200, 21), (200, 158)]
    outside = [(0, 0), (399, 199), (19, 100), (340, 100), (200, 19), (200, 160)]
    inside = [(22, 22), (337, 157), (22, 157), (337, 22), (200, 100)]
    assert {made.getpixel(at) for at in outside} == {tint}
    assert {made.getpixel(at) for at in line} == {COVERED}
    assert {made.getpixel(at) for at in inside} == {GREY}


def test_safe_zones_are_seen_on_what_is_transparent() -> None:
    empty = png(Image.new("RGBA", (100, 100)))
    [made] = fitted(empty, target(100, 100, zone=(0.2, 0.2, 0.2, 0.2)), shows_safe_zones=True)
    assert made.mode == "RGBA"
    covered, line, free = (pixel(made, at) for at in ((5, 5), (20, 20), (50, 50)))
    assert (covered[3], line, free) == (102, (*COVERED, 255), (0, 0, 0, 0))


def test_safe_zones_are_not_drawn_unless_asked_for() -> None:
    [made] = fitted(image(size=(40, 20), color=GREY), target(40, 20, zone=(0.3, 0.3, 0.3, 0.3)))
    assert made.getcolors() == [(800, GREY)]


def test_the_whole_picture_lies_on_a_blurred_ground() -> None:
    [made] = fitted(png(thirds()), target(300, 300), crop_mode="fit")
    assert [made.getpixel((x, 150)) for x in (20, 150, 280)] == [RED, GREEN, BLUE]
    above, below = made.getpixel((150, 20)), made.getpixel((150, 280))
    assert above == below == (24, 128, 32)  # the middle's green, darkened by a fifth


def test_a_transparent_picture_keeps_a_transparent_ground() -> None:
    picture = Image.new("RGBA", (200, 100), (*BLUE, 255))
    [made] = fitted(png(picture), target(100, 100), crop_mode="fit")
    assert (made.getpixel((50, 10)), made.getpixel((50, 50))) == ((0, 0, 0, 0), (*BLUE, 255))
    [flat] = fitted(png(picture), target(100, 100), crop_mode="fit", output_format="jpeg")
    assert flat.getpixel((50, 5)) == (255, 255, 255)


def test_hidden_colors_do_not_bleed_into_what_is_seen() -> None:
    """What is transparent has a loud colour, which scaling must not mix into the edge."""
    picture = Image.new("RGBA", (400, 400), (255, 0, 255, 0))
    picture.paste((0, 0, 0, 255), (100, 100, 300, 300))
    [made] = fitted(png(picture), target(100, 100), crop_mode="center")
    places = [(x, y) for x in range(100) for y in range(100)]
    seen = [color for color in (pixel(made, at) for at in places) if color[3]]
    assert seen
    assert all(color[:3] == (0, 0, 0) for color in seen)


def test_the_camera_is_held_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    written = io.BytesIO()
    thirds().save(written, "JPEG", exif=exif, quality=95, subsampling=0)
    [made] = fitted(written.getvalue(), target(100, 300), crop_mode="fit")
    found = [pixel(made, (50, y)) for y in (50, 150, 250)]
    for mine, its in zip(found, (RED, GREEN, BLUE), strict=True):
        assert all(abs(one - other) < 8 for one, other in zip(mine, its, strict=True))


@pytest.mark.parametrize("name", ACCEPTED)
def test_nothing_but_pixels_is_passed_on(name: str) -> None:
    for format in ("png", "jpeg"):
        [made] = fit_images(ACCEPTED[name](), asked(target(48, 48), output_format=format))
        assert MARK not in made
        assert not Image.open(io.BytesIO(made)).getexif()


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "CMYK"])
def test_every_way_of_coloring_is_understood(mode: str) -> None:
    source = thirds().convert(mode)
    written = io.BytesIO()
    source.save(written, "JPEG" if mode == "CMYK" else "PNG")
    [made] = fitted(written.getvalue(), target(90, 30))
    assert made.size == (90, 30)
    assert made.mode == ("RGBA" if mode == "LA" else "RGB")


def test_a_single_pixel_becomes_a_story() -> None:
    [made] = fitted(image(size=(1, 1), color=RED), target(1080, 1920))
    assert made.getcolors() == [(1080 * 1920, RED)]


@pytest.mark.parametrize("most_bytes", [1_000_000, 400_000, 250_000])
def test_a_jpeg_is_as_good_as_its_limit_allows(most_bytes: int) -> None:
    [made] = fit_images(
        noise((800, 800)), asked(target(800, 800, most_bytes=most_bytes), output_format="jpeg")
    )
    assert len(made) <= most_bytes
    # One step of quality changes a file by less than a sixth.
    assert len(made) > most_bytes * 5 // 6 or most_bytes == 1_000_000


@pytest.mark.parametrize(
    ("most_bytes", "colors"), [(2_000_000, 640_000), (700_000, 256), (340_000, 16)]
)
def test_a_png_loses_colors_only_where_its_limit_says_so(most_bytes: int, colors: int) -> None:
    [data] = fit_images(noise((800, 800)), asked(target(800, 800, most_bytes=most_bytes)))
    assert len(data) <= most_bytes
    made = Image.open(io.BytesIO(data))
    assert made.mode == ("RGB" if most_bytes == 2_000_000 else "P")
    assert len(made.convert("RGB").getcolors(640_000) or []) <= colors


def test_a_transparent_png_within_its_limit_is_still_transparent() -> None:
    busy = Image.open(io.BytesIO(noise((600, 600)))).convert("RGBA")
    busy.paste((0, 0, 0, 0), (0, 0, 300, 600))
    [data] = fit_images(png(busy), asked(target(600, 600, most_bytes=300_000)))
    made = Image.open(io.BytesIO(data)).convert("RGBA")
    assert len(data) <= 300_000
    assert (pixel(made, (100, 100))[3], pixel(made, (500, 100))[3]) == (0, 255)


@pytest.mark.parametrize("format", ["png", "jpeg"])
def test_a_limit_that_cannot_be_kept_is_an_error_and_says_so(format: str) -> None:
    request = asked(target(80, 80), target(900, 900, most_bytes=5_000), output_format=format)
    with pytest.raises(UnusableFile, match=f"900 x 900 pixels cannot be written as {format} in"):
        fit_images(noise((900, 900)), request)


@pytest.mark.parametrize("name", [name for name in REFUSED if "grows" not in name])
def test_what_is_no_sound_picture_is_refused(name: str) -> None:
    with pytest.raises(UnusableFile):
        fit_images(REFUSED[name](), asked(target(48, 48)))


@pytest.mark.parametrize("mode", ["smart", "fit"])
def test_twenty_megapixels_stay_within_a_childs_memory(mode: str) -> None:
    written = io.BytesIO()
    Image.open(io.BytesIO(noise((625, 500)))).resize((5000, 4000)).save(written, "JPEG")
    targets = [target(1080, 1920, most_bytes=MEGABYTE), target(2560, 1440, most_bytes=MEGABYTE)]
    request = asked(*targets, crop_mode=mode, output_format="jpeg")
    made = children.fit(written.getvalue(), ImageFitWork(request=request))
    assert [(one.width, one.height) for one in made] == [(1080, 1920), (2560, 1440)]
    assert all(len(one.data) <= MEGABYTE for one in made)


def test_the_largest_transparent_picture_stays_within_a_childs_memory() -> None:
    empty = png(Image.new("RGBA", (5000, 4000), (10, 20, 30, 128)), compress_level=1)
    made = children.fit(empty, ImageFitWork(request=asked(target(2560, 1440), target(1080, 1920))))
    assert [(one.width, one.height) for one in made] == [(2560, 1440), (1080, 1920)]
