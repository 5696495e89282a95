"""Images that nobody vouches for are made ours or refused, and cost this process nothing."""

import fcntl
import io
import os
import resource
import signal
import termios
import threading
from pathlib import Path

import psutil
import pytest
from PIL import Image

from gateway.media.errors import UnusableFile
from gateway.media.shaping import shape
from gateway.media.works import ImageWork, Shaped
from gateway.operations.image import ImageFormat
from tests.gateway.hostile_images import ACCEPTED, MARK, REFUSED, image, noise

RED, BLUE = (200, 30, 30), (20, 30, 200)
KNOWN_INFO = {"jfif", "jfif_version", "jfif_unit", "jfif_density", "dpi", "loop", "background"}
"""What Pillow tells of a bare file; nothing of it was put in by anybody."""
KNOWN_INFO |= {"timestamp", "duration"}


def opened(shaped: Shaped) -> Image.Image:
    found = Image.open(io.BytesIO(shaped.data))
    found.load()
    return found


def children() -> list[psutil.Process]:
    """Give the processes that work on images for this one."""
    mine = psutil.Process().children()
    return [child for child in mine if "gateway.media.image_child" in child.cmdline()]


def peak_bytes() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def forget_peak() -> int:
    """Let the peak of memory begin anew, at what there is now."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak_bytes()


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_sound_image_is_refused(name: str) -> None:
    with pytest.raises(UnusableFile) as caught:
        shape(REFUSED[name](), ImageWork())
    assert (caught.value.status, caught.value.retryable) == (502, False)


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_else_an_image_carries_is_gone(name: str) -> None:
    shaped = shape(ACCEPTED[name](), ImageWork())
    found = opened(shaped)
    assert (found.size, shaped.width, shaped.height) == ((64, 48), 64, 48)
    assert MARK not in shaped.data
    assert set(found.info) <= KNOWN_INFO
    assert not found.getexif()
    assert getattr(found, "n_frames", 1) == 1


def close(one: object, other: tuple[int, int, int], most: int) -> bool:
    """Say whether two colours are nearly one."""
    assert isinstance(one, tuple)
    return all(abs(mine - yours) <= most for mine, yours in zip(one, other, strict=True))


@pytest.mark.parametrize("name", ["animated png", "animated webp"])
def test_the_first_picture_of_an_animation_is_kept(name: str) -> None:
    found = opened(shape(ACCEPTED[name](), ImageWork())).convert("RGB")
    assert close(found.getpixel((0, 0)), (10, 0, 0), 1)


def test_this_process_does_not_grow_by_bad_images() -> None:
    bodies = [make() for make in (REFUSED | ACCEPTED).values()]
    before = forget_peak()
    for body in bodies:
        try:
            shape(body, ImageWork())
        except UnusableFile:
            continue
    assert peak_bytes() - before < 50 * 1024 * 1024


def test_an_image_of_25_megabytes_is_worked_on_elsewhere() -> None:
    body = noise((3000, 2770))
    assert len(body) > 24_900_000
    before = forget_peak()
    shaped = shape(body, ImageWork(format="jpeg"))
    assert (shaped.media_type, shaped.width, shaped.height) == ("image/jpeg", 3000, 2770)
    assert peak_bytes() - before < 50 * 1024 * 1024


def test_more_than_50_megabytes_are_not_looked_at() -> None:
    before = {child.pid for child in children()}
    with pytest.raises(UnusableFile, match="larger"):
        shape(image() + bytes(50 * 1024 * 1024), ImageWork())
    assert {child.pid for child in children()} == before


@pytest.mark.parametrize(
    ("format", "media_type"),
    [("png", "image/png"), ("jpeg", "image/jpeg"), ("webp", "image/webp"), (None, None)],
)
@pytest.mark.parametrize("source", ["PNG", "JPEG", "WEBP"])
def test_every_format_becomes_every_other(
    source: str, format: ImageFormat | None, media_type: str | None
) -> None:
    shaped = shape(image(source, color=RED), ImageWork(format=format))
    found = opened(shaped)
    assert shaped.media_type == (media_type or f"image/{source.lower()}")
    assert f"image/{(found.format or '').lower()}" == shaped.media_type
    assert close(found.convert("RGB").getpixel((5, 5)), RED, 6)


def halves(size: tuple[int, int]) -> bytes:
    """Write a picture that is red on the left and blue on the right."""
    picture = Image.new("RGB", size, RED)
    picture.paste(BLUE, (size[0] // 2, 0, *size))
    written = io.BytesIO()
    picture.save(written, "PNG")
    return written.getvalue()


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ((1024, 1024), (512, 512)),
        ((1344, 768), (1000, 600)),
        ((768, 1344), (600, 1000)),
        ((512, 512), (2048, 1024)),
        ((1024, 576), (1024, 577)),
    ],
)
def test_an_exact_size_is_met_to_the_pixel_and_cut_equally(
    source: tuple[int, int], wanted: tuple[int, int]
) -> None:
    shaped = shape(halves(source), ImageWork(width=wanted[0], height=wanted[1]))
    found = opened(shaped)
    assert (found.size, shaped.width, shaped.height) == (wanted, *wanted)
    middle = wanted[1] // 2
    assert found.getpixel((wanted[0] // 2 - 16, middle)) == RED
    assert found.getpixel((wanted[0] // 2 + 16, middle)) == BLUE


def test_nothing_is_distorted_by_an_exact_size() -> None:
    picture = Image.new("RGB", (1600, 900), RED)
    picture.paste(BLUE, (700, 350, 900, 550))
    written = io.BytesIO()
    picture.save(written, "PNG")
    found = opened(shape(written.getvalue(), ImageWork(width=900, height=900)))
    blue = [found.getpixel((x, 450)) == BLUE for x in range(900)]
    assert sum(blue) == sum(found.getpixel((450, y)) == BLUE for y in range(900)) == 200


def test_a_size_that_is_too_large_is_refused() -> None:
    for width, height in ((8193, 10), (5000, 4001), (0, 10)):
        with pytest.raises(UnusableFile, match="more than we take"):
            shape(image(), ImageWork(width=width, height=height))


def test_a_picture_stands_upright_without_its_exif() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = Image.new("RGB", (64, 48), RED)
    picture.paste(BLUE, (0, 24, 64, 48))
    written = io.BytesIO()
    picture.save(written, "PNG", exif=exif)
    found = opened(shape(written.getvalue(), ImageWork()))
    assert found.size == (48, 64)
    assert (found.getpixel((2, 30)), found.getpixel((45, 30))) == (BLUE, RED)


def test_what_is_transparent_stays_so_or_becomes_white() -> None:
    body = image(mode="RGBA", color=(0, 0, 0, 0))
    assert opened(shape(body, ImageWork())).getpixel((1, 1)) == (0, 0, 0, 0)
    assert opened(shape(body, ImageWork(format="jpeg"))).getpixel((1, 1)) == (255, 255, 255)
    palette = image(mode="P", color=0, transparency=0)
    assert opened(shape(palette, ImageWork())).getpixel((1, 1)) == (0, 0, 0, 0)


def test_grey_of_16_bits_keeps_its_brightness() -> None:
    body = image(mode="I;16", color=0x8080)
    assert opened(shape(body, ImageWork())).getpixel((1, 1)) == 0x80


def test_colours_of_print_become_colours_of_screens() -> None:
    found = opened(shape(image("JPEG", mode="CMYK", color=(0, 255, 255, 0)), ImageWork()))
    red, green, blue = found.getpixel((1, 1))  # type: ignore[misc]
    assert found.mode == "RGB"
    assert (red > 240, green < 15, blue < 15) == (True, True, True)


def test_a_jpeg_is_written_as_finely_as_it_was() -> None:
    written = io.BytesIO()
    Image.effect_noise((256, 256), 60).convert("RGB").save(
        written, "JPEG", quality=61, subsampling=2
    )
    body = written.getvalue()
    before, after = Image.open(io.BytesIO(body)), opened(shape(body, ImageWork()))
    assert after.quantization == before.quantization  # type: ignore[attr-defined]
    assert after.layer == before.layer  # type: ignore[attr-defined]


@pytest.mark.parametrize("format", ["jpeg", "webp"])
def test_the_quality_that_is_asked_for_is_used(format: ImageFormat) -> None:
    body = noise((128, 128))
    sizes = [
        len(shape(body, ImageWork(format=format, quality=quality)).data)
        for quality in (0, 1, 50, None, 100)
    ]
    assert sizes == sorted(sizes)
    assert sizes[0] == sizes[1] < sizes[2] / 2 < sizes[4] / 4


def test_a_child_is_confined_and_knows_no_secret() -> None:
    shape(image(), ImageWork())
    child = children()[0]
    limits = Path(f"/proc/{child.pid}/limits").read_text()
    rows = {line[:26].strip(): line[26:].split()[:2] for line in limits.splitlines()}
    assert rows["Max address space"] == [str(512 * 1024 * 1024)] * 2
    assert rows["Max file size"] == ["0", "0"]
    assert rows["Max core file size"] == ["0", "0"]
    assert int(rows["Max cpu time"][0]) <= 60
    assert set(child.environ()) <= {"PATH", "MALLOC_ARENA_MAX", "LC_CTYPE"}


def test_a_child_is_used_again_and_a_dead_one_is_replaced() -> None:
    shape(image(), ImageWork())
    [first] = children()[-1:]
    shape(image(), ImageWork())
    assert first.is_running()
    for child in children():
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    assert shape(image(), ImageWork()).width == 64
    assert first.pid not in [child.pid for child in children()]


def wait_until_asked(child: psutil.Process) -> None:
    """Return when something lies in the pipe of a child that does not read."""
    with Path(f"/proc/{child.pid}/fd/0").open("rb", buffering=0) as pipe:
        lying = bytearray(4)
        while not any(lying):
            fcntl.ioctl(pipe, termios.FIONREAD, lying)


def test_a_child_that_dies_over_an_image_costs_that_image_alone() -> None:
    shape(image(), ImageWork())
    for child in children()[:-1]:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    [child] = children()
    os.kill(child.pid, signal.SIGSTOP)
    refused: list[str] = []

    def ask() -> None:
        with pytest.raises(UnusableFile) as caught:
            shape(noise((600, 600)), ImageWork())
        refused.append(caught.value.message)

    asking = threading.Thread(target=ask)
    asking.start()
    wait_until_asked(child)
    os.kill(child.pid, signal.SIGKILL)
    asking.join()
    assert refused == ["The image cannot be worked on."]
    assert shape(image(), ImageWork()).width == 64


def test_a_child_without_memory_refuses_the_image_and_is_replaced() -> None:
    shape(image(), ImageWork())
    before = children()
    for child in before:
        used = child.memory_info().vms
        resource.prlimit(child.pid, resource.RLIMIT_AS, (used + 2**20, used + 2**20))
    with pytest.raises(UnusableFile):
        shape(noise((3000, 2000)), ImageWork())
    assert shape(image(), ImageWork()).width == 64
    assert len({child.pid for child in children()} & {child.pid for child in before}) < len(before)


def test_threads_work_side_by_side() -> None:
    sizes: list[tuple[int, int]] = []

    def work(width: int) -> None:
        shaped = shape(image(), ImageWork(width=width, height=40))
        sizes.append(opened(shaped).size)

    threads = [threading.Thread(target=work, args=[width]) for width in range(30, 42)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(sizes) == [(width, 40) for width in range(30, 42)]
    assert len(children()) <= 4
