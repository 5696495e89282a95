"""What estimate-cost says is what is charged, for each operation and tier."""

import base64
import io
from typing import Any

import pytest
from PIL import Image, ImageDraw

from tests.gateway.conftest import MakePayer, Payer
from tests.gateway.imaging.create_stage import CREDIT, PATIENCE_S, create

ROOT = "/api/image-studio"
TIERS = ("free", "managed", "vip_founder")


def picture(width: int = 512, height: int = 512) -> str:
    """Draw something and give it as base64."""
    image = Image.new("RGB", (width, height), "white")
    ImageDraw.Draw(image).ellipse((100, 100, 400, 400), fill="navy")
    kept = io.BytesIO()
    image.save(kept, "PNG")
    return base64.b64encode(kept.getvalue()).decode()


def estimated(payer: Payer, **asked: Any) -> float:
    """Ask what it would cost."""
    answer = payer.post(f"{ROOT}/estimate-cost", json=asked)
    assert answer.status_code == 200, answer.text
    return float(answer.json()["estimated_cost"])


def assert_charged(payer: Payer, answer: Any, cost: float) -> None:
    """Check that exactly this was charged."""
    assert answer.status_code == 200, answer.text[:500]
    assert float(answer.headers["x-credits-charged"]) == cost
    assert payer.balance() == ((1000 - cost) * CREDIT, 0)


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ({"provider": "auto"}, 1),
        ({"provider": "stability", "model": "ultra"}, 1),
        ({"provider": "wavespeed"}, 3),
        ({"provider": "huggingface", "model": "FLUX.1-schnell"}, 2),
        ({"provider": "gemini", "model": "gemini-3.1-flash-image"}, 1),
    ],
)
def test_pictures(
    make_media_payer: MakePayer, tier: str, asked: dict[str, Any], count: int
) -> None:
    payer = make_media_payer(tier=tier)
    size: dict[str, Any] = {"width": 320, "height": 200}
    cost = estimated(payer, num_images=count, **asked, **size)
    assert cost > 0
    assert_charged(payer, create(payer, num_variations=count, **asked, **size), cost)


def test_a_picture_of_which_one_side_is_named_is_a_square_in_both(media_payer: Payer) -> None:
    asked: dict[str, Any] = {
        "provider": "gemini",
        "model": "gemini-3-pro-image",
        "width": 3000,
    }
    cost = estimated(media_payer, **asked)
    answer = create(media_payer, **asked)
    assert answer.json()["request"]["dimensions"] == "3000x3000"
    assert_charged(media_payer, answer, cost)


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize(
    ("operation", "path", "body"),
    [
        ("remove_background", "/edit/process", {"operation": "remove_background"}),
        ("outpaint", "/edit/process", {"operation": "outpaint", "expand_left": 64}),
        ("general_edit", "/edit/process", {"operation": "general_edit", "prompt": "at night"}),
        ("fast", "/upscale", {"mode": "fast"}),
        ("conservative", "/upscale", {"mode": "conservative"}),
    ],
)
def test_edits_and_upscales(
    make_media_payer: MakePayer, tier: str, operation: str, path: str, body: dict[str, Any]
) -> None:
    payer = make_media_payer(tier=tier)
    cost = estimated(payer, provider="auto", operation=operation)
    assert cost > 0
    answer = payer.post(ROOT + path, json={"image_base64": picture(), **body}, timeout=PATIENCE_S)
    assert_charged(payer, answer, cost)


@pytest.mark.parametrize("tier", TIERS)
def test_controls(make_media_payer: MakePayer, tier: str) -> None:
    payer = make_media_payer(tier=tier)
    cost = estimated(payer, provider="stability", operation="control", model="control-sketch")
    body = {"control_image_base64": picture(), "operation": "sketch", "prompt": "an office"}
    answer = payer.post(f"{ROOT}/control/process", json=body, timeout=PATIENCE_S)
    assert_charged(payer, answer, cost)


@pytest.mark.parametrize("tier", TIERS)
def test_social_formats_are_free(make_media_payer: MakePayer, tier: str) -> None:
    payer = make_media_payer(tier=tier)
    cost = estimated(payer, provider="auto", operation="social", num_images=2)
    body = {"image_base64": picture(), "platforms": ["instagram", "facebook"]}
    answer = payer.post(f"{ROOT}/social/optimize", json=body, timeout=PATIENCE_S)
    assert cost == 0
    assert_charged(payer, answer, cost)
