"""POST /api/image-studio/control/process over real processes."""

from typing import Any

import pytest
import requests

from tests.gateway.conftest import Payer
from tests.gateway.media_stage import finished
from tests.gateway.pictures_sent import as_base64, as_data_url, drawn, read_url

CREDIT = 1_000_000
PATIENCE_S = 70
PATH = "/api/image-studio/control/process"
SKETCH = drawn("a sketch", (256, 256))
DEFAULTS: dict[str, Any] = {
    "style_image_base64": None,
    "negative_prompt": None,
    "control_strength": None,
    "fidelity": None,
    "style_strength": None,
    "composition_fidelity": None,
    "change_strength": None,
    "aspect_ratio": None,
    "style_preset": None,
    "seed": None,
    "output_format": "png",
}
"""Everything that the published example sends beside what it wants."""


def ask(payer: Payer, operation: str, **body: Any) -> requests.Response:
    """Ask as the published example does."""
    headers = body.pop("headers", {})
    given = {
        "control_image_base64": as_data_url(SKETCH),
        "operation": operation,
        "prompt": "Modern office interior",
        **DEFAULTS,
        **body,
    }
    return payer.post(PATH, json=given, headers=headers, timeout=PATIENCE_S)


def test_the_published_example_is_answered_as_published(media_payer: Payer) -> None:
    answer = ask(media_payer, "sketch", control_strength=0.8)
    assert answer.status_code == 200, answer.text[:500]
    body = answer.json()
    assert body.pop("metadata").keys() == {"operation", "control_strength", "processing_time"}
    image = read_url(body.pop("image_base64"))
    assert body == {
        "success": True,
        "operation": "sketch",
        "provider": "stability",
        "width": 1024,
        "height": 1024,
    }
    assert image.size == (1024, 1024)
    assert answer.headers["x-credits-charged"] == "60.0"
    assert media_payer.balance() == (940 * CREDIT, 0)
    [used] = media_payer.usage()
    assert (used["operation"], used["kind"]) == ("image_control", "control.sketch")


@pytest.mark.parametrize(
    ("operation", "body", "metadata", "charged"),
    [
        ("structure", {"control_strength": 0.0}, {"control_strength": 0.0}, "60.0"),
        ("style", {"fidelity": 1, "aspect_ratio": "16:9"}, {"fidelity": 1.0}, "60.0"),
        (
            "style_transfer",
            {
                "style_image_base64": as_base64(drawn("navy")),
                "style_strength": 0.9,
                "change_strength": 0.0,
            },
            {"style_strength": 0.9, "change_strength": 0.0},
            "96.0",
        ),
    ],
)
def test_each_control_says_the_strengths_it_had(
    media_payer: Payer,
    operation: str,
    body: dict[str, Any],
    metadata: dict[str, Any],
    charged: str,
) -> None:
    answer = ask(media_payer, operation, output_format="jpg", seed=7, **body)
    assert answer.status_code == 200, answer.text[:500]
    shown = answer.json()
    del shown["metadata"]["processing_time"]
    assert shown["metadata"] == {"operation": operation, **metadata}
    image = read_url(shown["image_base64"])
    assert (image.format, image.size) == ("JPEG", (shown["width"], shown["height"]))
    assert answer.headers["x-credits-charged"] == charged


@pytest.mark.parametrize(
    ("operation", "body", "detail"),
    [
        ("sketch", {"prompt": None}, "Prompt is required for sketch to image"),
        (
            "structure",
            {"control_image_base64": None},
            "Control image is required for structure control",
        ),
        ("style_transfer", {}, "Style image is required for style transfer"),
        ("sketch", {"fidelity": 0.5}, "fidelity: sketch does not use it."),
        ("style", {"control_strength": 0.5}, "control_strength: style does not use it."),
        ("structure", {"aspect_ratio": "1:1"}, "aspect_ratio: structure does not use it."),
        (
            "tone",
            {},
            "operation: choose one of sketch, structure, style, style_transfer.",
        ),
        ("sketch", {"control_strength": 1.01}, "control_strength: expected float <= 1.0"),
        ("sketch", {"size": "1x1"}, "size: unknown field"),
        ("sketch", {"output_format": "gif"}, "output_format: sketch gives png, jpeg, webp."),
        (
            "sketch",
            {"control_image_base64": as_base64(drawn(size=(300, 100)))},
            "control_image_base64: one side may be at most 2.5 times as long as the other; it has "
            "300x100.",
        ),
    ],
)
def test_what_does_not_fit_a_control_is_named_and_holds_nothing(
    media_payer: Payer, operation: str, body: dict[str, Any], detail: str
) -> None:
    answer = ask(media_payer, operation, **body)
    assert (answer.status_code, answer.json()) == (400, {"detail": detail})
    assert media_payer.balance() == (1000 * CREDIT, 0)
    assert media_payer.entries() == []


def test_a_failed_control_costs_nothing(media_payer: Payer) -> None:
    answer = ask(media_payer, "sketch", prompt="[[sandbox content_filter]] an office")
    assert answer.status_code == 500
    assert answer.json() == {
        "detail": "Image control failed: The provider's safety system held the image back."
    }
    assert media_payer.balance() == (1000 * CREDIT, 0)


def test_a_control_may_be_a_job(media_payer: Payer) -> None:
    answer = ask(media_payer, "sketch", control_strength=0.5, headers={"prefer": "respond-async"})
    assert answer.status_code == 202
    job = finished(media_payer, answer.json()["id"])
    assert (job["operation"], job["status"]) == ("image_control", "succeeded")
    assert job["parameters"] == {"operation": "sketch", "control_strength": 0.5}


def test_the_controls_are_described_like_the_edits(media_payer: Payer) -> None:
    shown = media_payer.get("/api/image-studio/control/operations").json()["operations"]
    assert list(shown) == ["sketch", "structure", "style", "style_transfer"]
    for about in shown.values():
        assert about.keys() == {"label", "description", "provider", "fields"}
        assert about["provider"] == "stability"
    assert [name for name, about in shown.items() if about["fields"]["style_image"]] == [
        "style_transfer"
    ]
