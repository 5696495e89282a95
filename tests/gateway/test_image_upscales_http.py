"""POST /api/image-studio/upscale over real processes."""

import io
from typing import Any

import pytest
import requests
from PIL import Image

from tests.gateway.conftest import MakePayer, Payer
from tests.gateway.media_stage import fetched, finished
from tests.gateway.pictures_sent import as_base64, as_data_url, drawn, read_url

CREDIT = 1_000_000
PATIENCE_S = 70
PATH = "/api/image-studio/upscale"


def ask(payer: Payer, image: Image.Image, **body: Any) -> requests.Response:
    """Ask for a larger picture."""
    headers = body.pop("headers", {})
    given = {"image_base64": as_data_url(image), **body}
    return payer.post(PATH, json=given, headers=headers, timeout=PATIENCE_S)


def test_the_published_example_is_answered_as_published(media_payer: Payer) -> None:
    answer = ask(
        media_payer,
        drawn(size=(768, 512)),
        mode="conservative",
        target_width=None,
        target_height=None,
        preset="print",
        prompt="High fidelity upscale preserving original details",
    )
    assert answer.status_code == 200, answer.text[:500]
    body = answer.json()
    assert body.keys() == {"success", "mode", "image_base64", "width", "height", "metadata"}
    assert (body["success"], body["mode"]) == (True, "conservative")
    assert (body["width"], body["height"]) == (3072, 2048)
    assert read_url(body["image_base64"]).size == (3072, 2048)
    assert 0 < body["metadata"].pop("processing_time") < 60
    assert body["metadata"] == {
        "preset": "print",
        "original_width": 768,
        "original_height": 512,
        "upscale_factor": 4.0,
    }
    assert answer.headers["x-credits-charged"] == "480.0"
    assert media_payer.balance() == (520 * CREDIT, 0)
    [used] = media_payer.usage()
    assert (used["operation"], used["kind"]) == ("image_upscale", "upscale.conservative")
    assert used["cost_ucr"] == 400 * CREDIT


def test_the_picture_alone_becomes_four_times_as_wide(media_payer: Payer) -> None:
    answer = ask(media_payer, drawn(size=(100, 80)))
    assert answer.status_code == 200, answer.text[:500]
    body = answer.json()
    assert (body["mode"], body["width"], body["height"]) == ("fast", 400, 320)
    assert body["metadata"]["preset"] is None
    assert answer.headers["x-credits-charged"] == "24.0"


def test_a_target_is_met_to_the_pixel_and_large_inputs_are_scaled_down(
    media_payer: Payer,
) -> None:
    answer = ask(
        media_payer,
        drawn(size=(1600, 1200)),
        mode="fast",
        target_width=1777,
        target_height=1333,
        prompt="not used by this mode",
    )
    assert answer.status_code == 200, answer.text[:500]
    body = answer.json()
    assert read_url(body["image_base64"]).size == (1777, 1333)
    assert body["metadata"]["original_width"] == 1600
    assert body["metadata"]["scaled_down"]["from"] == "1600x1200"


def test_a_long_strip_is_scaled_down_where_no_other_way_takes_it(media_payer: Payer) -> None:
    answer = ask(media_payer, drawn(size=(2000, 600)), target_width=2500)
    assert answer.status_code == 200, answer.text[:500]
    body = answer.json()
    assert (body["mode"], body["width"], body["height"]) == ("fast", 2500, 750)
    assert body["metadata"]["scaled_down"]["from"] == "2000x600"
    assert (body["metadata"]["original_width"], body["metadata"]["original_height"]) == (2000, 600)


def test_a_creative_upscale_is_waited_for(media_payer: Payer) -> None:
    answer = ask(media_payer, drawn(size=(120, 90)), mode="creative", preset=None)
    assert answer.status_code == 200, answer.text[:500]
    body = answer.json()
    assert (body["mode"], body["width"], body["height"]) == ("creative", 480, 360)
    assert answer.headers["x-credits-charged"] == "720.0"
    assert body["metadata"]["processing_time"] >= 10


def test_a_creative_upscale_that_fails_later_costs_nothing(media_payer: Payer) -> None:
    failing = "[[sandbox at=poll status=404]] a lamp"
    answer = ask(media_payer, drawn(size=(120, 90)), mode="creative", prompt=failing)
    assert (answer.status_code, answer.json()) == (
        500,
        {
            "detail": "Image upscaling failed: The provider no longer knows what it was asked to "
            "make."
        },
    )
    assert media_payer.balance() == (1000 * CREDIT, 0)


def test_a_job_shows_the_address_of_what_it_made(media_payer: Payer) -> None:
    answer = ask(
        media_payer, drawn(size=(100, 80)), preset="web", headers={"prefer": "respond-async"}
    )
    assert answer.status_code == 202
    job = finished(media_payer, answer.json()["id"])
    assert (job["operation"], job["status"]) == ("image_upscale", "succeeded")
    assert job["parameters"] == {"mode": "conservative", "width": 2048, "height": 1638}
    [file] = job["files"]
    with Image.open(io.BytesIO(fetched(file["url"]).content)) as image:
        assert image.size == (file["width"], file["height"]) == (2048, 1638)


@pytest.mark.parametrize(
    ("size", "body", "detail"),
    [
        (
            (100, 80),
            {"preset": "poster"},
            "preset: choose one of web, print, social.",
        ),
        (
            (100, 80),
            {"target_width": 99},
            "target_width: 99x79 is smaller than the picture, 100x80.",
        ),
        ((100, 80), {"mode": "sharp"}, "mode: invalid enum value 'sharp'"),
        ((100, 80), {"factor": 2}, "factor: unknown field"),
        (
            (100, 80),
            {"preset": "web", "target_width": 200},
            "preset: give a preset or a target size, not both.",
        ),
        (
            (300, 63),
            {"mode": "creative"},
            "image_base64: every side must have at least 64 pixels; it has 300x63.",
        ),
        (
            (100, 80),
            {"mode": "fast", "preset": "web"},
            "preset: fast makes a side at most 8 times as long; this picture has 100x80.",
        ),
    ],
)
def test_what_does_not_fit_is_named_and_holds_nothing(
    media_payer: Payer, size: tuple[int, int], body: dict[str, Any], detail: str
) -> None:
    answer = ask(media_payer, drawn(size=size), **body)
    assert (answer.status_code, answer.json()) == (400, {"detail": detail})
    assert media_payer.balance() == (1000 * CREDIT, 0)
    assert media_payer.entries() == []


@pytest.mark.parametrize(("tier", "charged"), [("free", "30.0"), ("vip_founder", "20.0")])
def test_each_tier_pays_its_own_price(make_media_payer: MakePayer, tier: str, charged: str) -> None:
    one = make_media_payer(tier=tier)
    answer = one.post(
        PATH, json={"image_base64": as_base64(drawn(size=(64, 64)))}, timeout=PATIENCE_S
    )
    assert answer.status_code == 200, answer.text[:500]
    assert answer.headers["x-credits-charged"] == charged
