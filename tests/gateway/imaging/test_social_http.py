"""POST /api/image-studio/social/optimize over real processes, and what networks want."""

import base64
import uuid
from typing import Any

import pytest
import requests
from PIL import Image

from gateway.imaging.platforms import PLATFORMS
from tests.gateway.conftest import MakePayer, Payer
from tests.gateway.media_stage import finished
from tests.gateway.pictures_sent import as_base64, as_data_url, read_url

PATIENCE_S = 70
CREDIT = 1_000_000
PATH = "/api/image-studio/social/optimize"
RED, BLUE = (200, 30, 30), (20, 30, 200)
PUBLISHED: dict[str, Any] = {
    "platforms": ["instagram", "facebook", "linkedin"],
    "format_names": {
        "instagram": "Feed Post (Square)",
        "facebook": "Feed Post",
        "linkedin": "Post",
    },
    "show_safe_zones": False,
    "crop_mode": "smart",
    "focal_point": None,
    "output_format": "png",
}
"""What the published example sends beside the picture."""


def halves() -> Image.Image:
    """Draw a picture of 400 x 200, red on the left and blue on the right."""
    picture = Image.new("RGB", (400, 200), RED)
    picture.paste(BLUE, (200, 0, 400, 200))
    return picture


def ask(payer: Payer, **body: Any) -> requests.Response:
    """Ask for pictures."""
    headers = body.pop("headers", {})
    given = {"image_base64": as_data_url(halves()), **body}
    return payer.post(PATH, json=given, headers=headers, timeout=PATIENCE_S)


def test_the_published_example_is_answered_as_published(media_payer: Payer) -> None:
    answer = ask(media_payer, **PUBLISHED)
    assert answer.status_code == 200, answer.text[:500]
    body = answer.json()
    assert list(body) == ["success", "results", "total_optimized"]
    assert (body["success"], body["total_optimized"]) == (True, 3)
    shown = [
        (one["platform"], one["format"], one["width"], one["height"]) for one in body["results"]
    ]
    assert shown == [
        ("instagram", "Feed Post (Square)", 1080, 1080),
        ("facebook", "Feed Post", 1200, 630),
        ("linkedin", "Post", 1200, 628),
    ]
    for one in body["results"]:
        assert list(one) == ["platform", "format", "image_base64", "width", "height"]
        picture = read_url(one["image_base64"])
        assert (picture.format, picture.size) == ("PNG", (one["width"], one["height"]))


def test_it_costs_nothing_and_is_on_record(media_payer: Payer) -> None:
    before = media_payer.balance()
    answer = ask(media_payer, platforms=["youtube", "bluesky"])
    assert answer.status_code == 200, answer.text[:500]
    assert answer.headers["x-credits-charged"] == "0.0"
    assert media_payer.balance() == before
    [used] = media_payer.usage()
    assert (used["operation"], used["kind"], used["status"]) == (
        "image_fit",
        "fit.social",
        "succeeded",
    )
    assert (used["item_count"], used["charge_ucr"], used["billing"]) == (2, 0, "house")


@pytest.mark.parametrize(("tier", "credits"), [("free", 0), ("byok", 1000)])
def test_neither_credits_nor_a_provider_key_are_needed(
    make_media_payer: MakePayer, tier: str, credits: int
) -> None:
    payer = make_media_payer(tier=tier, credits=credits)
    answer = ask(payer, platforms=["youtube"])
    assert answer.status_code == 200, answer.text[:500]
    assert payer.balance() == (credits * CREDIT, 0)


def test_without_a_format_the_first_of_each_network_is_made(media_payer: Payer) -> None:
    answer = ask(media_payer, platforms=list(PLATFORMS))
    assert answer.status_code == 200, answer.text[:500]
    results = answer.json()["results"]
    wanted = [(one.id, one.formats[0]) for one in PLATFORMS.values()]
    assert [(one["platform"], one["format"]) for one in results] == [
        (platform, format.name) for platform, format in wanted
    ]
    for one, (_, format) in zip(results, wanted, strict=True):
        _, _, data = one["image_base64"].partition(",")
        assert len(base64.b64decode(data)) <= format.max_size_mb * 1_000_000
        assert read_url(one["image_base64"]).size == (format.width, format.height)


@pytest.mark.parametrize("word", ["jpg", "jpeg"])
def test_jpeg_comes_where_it_is_asked_for(media_payer: Payer, word: str) -> None:
    answer = ask(media_payer, platforms=["twitter"], output_format=word)
    [one] = answer.json()["results"]
    assert read_url(one["image_base64"]).format == "JPEG"


def test_focal_point_crop_mode_and_safe_zones_reach_the_picture(media_payer: Payer) -> None:
    led = ask(media_payer, platforms=["instagram"], focal_point={"x": 0.0, "y": 0.5})
    [one] = led.json()["results"]
    picture = read_url(one["image_base64"])
    assert {picture.getpixel((x, 540)) for x in (0, 540, 1000)} == {RED}
    zones = ask(
        media_payer,
        platforms=["instagram"],
        focal_point={"x": 1, "y": 0.5},
        show_safe_zones=True,
    )
    picture = read_url(zones.json()["results"][0]["image_base64"])
    assert picture.getpixel((540, 540)) == BLUE
    assert picture.getpixel((540, 162)) == picture.getpixel((108, 540)) == (255, 0, 90)
    assert picture.getpixel((1070, 5)) == (114, 18, 156)
    whole = ask(media_payer, platforms=["instagram"], crop_mode="fit")
    picture = read_url(whole.json()["results"][0]["image_base64"])
    assert (picture.getpixel((100, 540)), picture.getpixel((980, 540))) == (RED, BLUE)


def test_null_stands_for_a_default_and_base64_may_be_bare(media_payer: Payer) -> None:
    nothing = dict.fromkeys(
        ("format_names", "show_safe_zones", "crop_mode", "focal_point", "output_format")
    )
    bare = ask(media_payer, image_base64=as_base64(halves()), platforms=["tiktok"], **nothing)
    assert bare.status_code == 200, bare.text[:500]
    assert read_url(bare.json()["results"][0]["image_base64"]).format == "PNG"


def test_respond_async_gives_the_job_at_once(media_payer: Payer) -> None:
    answer = ask(media_payer, platforms=["pinterest"], headers={"Prefer": "respond-async"})
    assert answer.status_code == 202
    assert answer.headers["preference-applied"] == "respond-async"
    body = answer.json()
    assert body["status"] == "processing"
    job = finished(media_payer, body["id"])
    assert (job["status"], len(job["files"])) == ("succeeded", 1)


def test_one_idempotency_key_makes_one_job(media_payer: Payer) -> None:
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    first = ask(media_payer, platforms=["threads"], headers=headers)
    again = ask(media_payer, platforms=["threads"], headers=headers)
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json() == first.json()
    assert len(media_payer.usage()) == 1
    other = ask(media_payer, platforms=["twitter"], headers=headers)
    assert other.status_code == 422
    assert len(media_payer.usage()) == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "platforms"),
        ({"platforms": []}, "platforms"),
        ({"platforms": ["myspace"]}, "platforms: there is no platform myspace. There are: insta"),
        ({"platforms": ["instagram", "Instagram"]}, "platforms: instagram is there twice."),
        ({"platforms": [f"p{number}" for number in range(21)]}, "platforms"),
        (
            {"platforms": ["snapchat"], "format_names": {"snapchat": "Post"}},
            "format_names: snapchat has no format Post. It has: Snap, Story Tile, Product Tile.",
        ),
        (
            {"platforms": ["snapchat"], "format_names": {"twitter": "Post"}},
            "format_names: twitter is not among the platforms.",
        ),
        ({"platforms": ["snapchat"], "crop_mode": "clever"}, "crop_mode"),
        ({"platforms": ["snapchat"], "output_format": "webp"}, "output_format"),
        ({"platforms": ["snapchat"], "focal_point": {"x": 1.5, "y": 0}}, "focal_point.x"),
        ({"platforms": ["snapchat"], "focal_point": {"x": 1}}, "focal_point"),
        ({"platforms": ["snapchat"], "colour": "red"}, "colour"),
        ({"platforms": ["snapchat"], "image_base64": "!!!"}, "Invalid base64 image payload"),
        ({"platforms": ["snapchat"], "image_base64": None}, "image_base64"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_moves(
    media_payer: Payer, body: dict[str, Any], said: str
) -> None:
    before = media_payer.balance()
    answer = ask(media_payer, **body)
    assert answer.status_code == 400, answer.text[:500]
    assert list(answer.json()) == ["detail"]
    assert said in answer.json()["detail"]
    assert media_payer.balance() == before
    assert media_payer.get("/v1/jobs").json()["data"] == []


def test_a_network_shows_its_formats_as_published(media_payer: Payer) -> None:
    answer = media_payer.get("/api/image-studio/social/platforms/instagram/formats")
    assert answer.status_code == 200
    assert list(answer.json()) == ["formats"]
    assert answer.json()["formats"][0] == {
        "name": "Feed Post (Square)",
        "width": 1080,
        "height": 1080,
        "ratio": "1:1",
        "safe_zone": {"top": 0.15, "bottom": 0.15, "left": 0.1, "right": 0.1},
        "file_type": "PNG",
        "max_size_mb": 5.0,
    }
    assert len(answer.json()["formats"]) == 6


def test_a_network_shows_its_specifications_as_published(media_payer: Payer) -> None:
    answer = media_payer.get("/api/image-studio/platform-specs/instagram")
    assert answer.status_code == 200
    body = answer.json()
    assert body.pop("formats")[0] == {
        "name": "Feed Post (Square)",
        "ratio": "1:1",
        "size": "1080x1080",
    }
    assert body == {"name": "Instagram", "file_types": ["JPG", "PNG"], "max_file_size": "30MB"}


@pytest.mark.parametrize("path", ["social/platforms/myspace/formats", "platform-specs/myspace"])
def test_an_unknown_network_is_not_found(media_payer: Payer, path: str) -> None:
    answer = media_payer.get(f"/api/image-studio/{path}")
    assert answer.status_code == 404
    assert answer.json()["detail"].startswith("there is no platform myspace. There are: instagram,")


@pytest.mark.parametrize("path", ["social/platforms/tiktok/formats", "platform-specs/tiktok"])
def test_networks_are_shown_to_callers_alone(media_payer: Payer, path: str) -> None:
    answer = requests.get(f"{media_payer.url}/api/image-studio/{path}", timeout=30)
    assert answer.status_code == 401
    assert answer.json() == {"detail": "Authenticated user required for image operations."}
