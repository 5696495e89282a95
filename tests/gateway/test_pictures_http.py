"""Pictures that come and go as base64 in JSON, over real processes; made by our own hands, so that
no provider has a say.
"""

import io
import json
from base64 import b64decode, b64encode, encodebytes
from typing import Any

import pytest
import requests
from PIL import Image

from studio.asgi import methods_of
from tests.conftest import StartGateway
from tests.databases import Database
from tests.gateway.conftest import MakePayer, Payer
from tests.gateway.hostile_images import ACCEPTED, MARK, REFUSED, image, noise
from tests.gateway.media_stage import finished

PATH = "/api/image-studio/social/optimize"
INVALID = "Invalid base64 image payload"
CREDIT = 1_000_000
OF_NO_KNOWN_FORMAT = (
    *("a jpeg's first bytes before a png", "nothing of an image", "a text", "gif", "bmp", "tiff"),
    *("eps", "ico", "pdf", "tga", "ppm", "jpeg 2000", "psd", "fits", "svg", "avif", "mp3", "zip"),
    *("one byte",),
)


def text_of(data: bytes) -> str:
    """Write base64."""
    return b64encode(data).decode()


def ask(payer: Payer, base64: str, **options: Any) -> requests.Response:
    """Ask for one square picture for instagram."""
    more = options.pop("body", {})
    body = {"image_base64": base64, "platforms": ["instagram"], **more}
    return payer.post(PATH, json=body, timeout=70, **options)


def made(answer: requests.Response) -> Image.Image:
    """Open the picture of an answer."""
    assert answer.status_code == 200, answer.text[:500]
    head, _, data = answer.json()["results"][0]["image_base64"].partition(",")
    assert head == "data:image/png;base64"
    return Image.open(io.BytesIO(b64decode(data, validate=True)))


def assert_nothing_moved(payer: Payer) -> None:
    """Check that no credits are held or taken, and that there is no job."""
    assert payer.balance() == (1000 * CREDIT, 0)
    assert {used["status"] for used in payer.usage()} <= {"refused"}
    assert payer.get("/v1/jobs").json()["data"] == []


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_nobody_should_trust_is_refused_clearly(media_payer: Payer, name: str) -> None:
    answer = ask(media_payer, text_of(REFUSED[name]()))
    assert answer.status_code == 400
    detail = answer.json()["detail"]
    if name in OF_NO_KNOWN_FORMAT:
        assert detail == INVALID
    else:
        assert detail == INVALID or detail.startswith("image_base64: The image ")
    assert_nothing_moved(media_payer)


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_else_is_in_a_picture_s_file_does_not_survive(media_payer: Payer, name: str) -> None:
    answer = ask(media_payer, text_of(ACCEPTED[name]()))
    picture = made(answer)
    assert (picture.size, picture.info) == ((1080, 1080), {})
    assert MARK not in b64decode(answer.json()["results"][0]["image_base64"].partition(",")[2])


@pytest.mark.parametrize(
    "base64",
    [
        "",
        "not base64 at all",
        "data:image/png;base64,",
        text_of(image())[:-1],
        text_of(image()) + "=",
        text_of(image()) + text_of(b"x"),
        "=" + text_of(image()),
        text_of(image()).replace("A", "*", 1),
        "data:text/html;base64," + text_of(image()),
        "data:image/png," + text_of(image()),
        "https://example.com/cat.png",
        text_of(image()) + "é",
        "lifted-text:0:" + "0" * 64,
    ],
)
def test_what_is_no_base64_of_a_picture_is_refused(media_payer: Payer, base64: str) -> None:
    answer = ask(media_payer, base64)
    assert (answer.status_code, answer.json()) == (400, {"detail": INVALID})
    assert_nothing_moved(media_payer)


def test_pictures_beyond_the_limits_are_refused_by_name(media_payer: Payer) -> None:
    many = ask(media_payer, text_of(image(size=(5000, 4001), mode="1", color=0)))
    assert many.status_code == 400
    assert many.json()["detail"] == "image_base64: The image has too many pixels."
    large = ask(media_payer, text_of(noise((2000, 1800))))
    assert large.status_code == 400
    assert large.json()["detail"] == "image_base64: an image may have at most 10 MB."
    assert_nothing_moved(media_payer)


def test_a_body_beyond_every_limit_is_413(media_payer: Payer) -> None:
    whole = ask(media_payer, "A" * (57 * 1024 * 1024))
    assert whole.status_code == 413
    beside = ask(media_payer, text_of(image()), body={"format_names": {"x" * 70_000: "y"}})
    assert beside.status_code == 400
    assert "too long" in beside.json()["detail"]
    many = {f"name{n}": "y" * 1000 for n in range(80)}
    assert ask(media_payer, text_of(image()), body={"format_names": many}).status_code == 413
    assert_nothing_moved(media_payer)


@pytest.mark.parametrize("field", ["platforms", "prompt"])
def test_a_long_text_in_another_field_is_refused_by_its_name(
    media_payer: Payer, field: str
) -> None:
    answer = ask(media_payer, text_of(image()), body={field: "x" * 20_000})
    assert (answer.status_code, answer.json()) == (400, {"detail": f"{field}: too long."})


@pytest.mark.parametrize(
    "written",
    [
        lambda data: text_of(data),
        lambda data: "data:image/png;base64," + text_of(data),
        lambda data: "data:image/gif;charset=utf-8;base64," + text_of(data),
        lambda data: encodebytes(data).decode().replace("\n", "\r\n"),
    ],
    ids=["plain", "data URL", "data URL of another type", "lines"],
)
def test_a_picture_of_ten_megabytes_comes_in_however_it_is_written(
    media_payer: Payer, written: Any
) -> None:
    data = noise((1850, 1880))
    assert 10_000_000 < len(data) < 10 * 1024 * 1024
    assert made(ask(media_payer, written(data))).size == (1080, 1080)


def test_slashes_may_be_escaped_as_some_languages_do(media_payer: Payer) -> None:
    body = json.dumps({"image_base64": text_of(noise((500, 400))), "platforms": ["instagram"]})
    answer = media_payer.post(
        PATH,
        data=body.replace("/", "\\/"),
        headers={"content-type": "application/json"},
        timeout=70,
    )
    assert made(answer).size == (1080, 1080)


def test_a_picture_lies_upright_before_it_is_cut(media_payer: Payer) -> None:
    flat = Image.new("RGB", (400, 200), (0, 0, 255))
    flat.paste((255, 0, 0), (0, 0, 40, 200))
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    flat.save(file, "JPEG", quality=95, exif=exif)
    answer = ask(media_payer, text_of(file.getvalue()), body={"crop_mode": "fit"})
    picture = made(answer).convert("RGB")
    red, _, blue = picture.getpixel((540, 10))  # type: ignore[misc]
    assert (red > 200, blue < 60) == (True, True)


@pytest.mark.parametrize("mode", ["CMYK", "I;16", "LA", "P", "1", "RGBA"])
def test_pictures_of_every_kind_of_pixels_come_in(media_payer: Payer, mode: str) -> None:
    file = io.BytesIO()
    grey = Image.new("L", (300, 200), 120)
    picture = Image.new("I;16", (300, 200), 30_000) if mode == "I;16" else grey.convert(mode)
    picture.save(file, "JPEG" if mode == "CMYK" else "PNG")
    assert made(ask(media_payer, text_of(file.getvalue()))).size == (1080, 1080)


def test_respond_async_gives_a_job_at_once_and_shows_no_input(media_payer: Payer) -> None:
    answer = ask(media_payer, text_of(image()), headers={"Prefer": "respond-async"})
    assert answer.status_code == 202
    assert answer.headers["preference-applied"] == "respond-async"
    job = finished(media_payer, answer.json()["id"])
    assert (job["status"], job["operation"], len(job["files"])) == ("succeeded", "image_fit", 1)
    assert job["credits"]["charged"] == 0
    assert "image" not in str(job["parameters"])


def test_a_preferred_wait_counts_beside_respond_async(media_payer: Payer) -> None:
    answer = ask(media_payer, text_of(image()), headers={"Prefer": "respond-async, wait=30"})
    assert answer.status_code == 200
    assert "preference-applied" not in answer.headers


def test_a_key_for_idempotency_knows_large_bodies(media_payer: Payer) -> None:
    headers = {"Idempotency-Key": "pictures-1"}
    data = text_of(noise((300, 200)))
    first = ask(media_payer, data, headers=headers)
    again = ask(media_payer, data, headers=headers)
    assert (first.content == again.content) is True  # megabytes, which nobody reads as a diff
    assert again.headers["idempotent-replayed"] == "true"
    other = ask(media_payer, text_of(noise((300, 200))), headers=headers)
    assert other.status_code == 422
    done = [used for used in media_payer.usage() if used["status"] == "succeeded"]
    assert len(done) == 1


def test_a_process_takes_no_more_of_bodies_than_it_may_and_forgets_none(
    make_media_payer: MakePayer, media_database: Database, start_gateway: StartGateway
) -> None:
    gateway = start_gateway(media_database, PICTURE_BODIES_MB="1")
    payer = make_media_payer(url=gateway.url)
    large, small = text_of(noise((700, 700))), text_of(noise((400, 400)))
    refused = ask(payer, large)
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "5"
    assert payer.balance() == (1000 * CREDIT, 0)
    for _ in range(
        4
    ):  # 0.64 MB each: what one took is given back before the next, also by refusals
        assert ask(payer, small, body={"platforms": ["nowhere"]}).status_code == 400
        assert ask(payer, small, headers={"Prefer": "respond-async"}).status_code == 202
        assert ask(payer, large).status_code == 503


def test_a_star_stands_for_one_part_of_a_path_at_any_place() -> None:
    formats = methods_of("/api/image-studio/social/platforms/instagram/formats")
    assert formats is not None
    assert methods_of("/api/image-studio/social/platforms//formats") is None
    assert methods_of("/v1/jobs/1/events") is not None
    assert methods_of("/v1/jobs/1/2/events") is None
    assert methods_of("/v1/jobs" + "/x" * 50) is None
