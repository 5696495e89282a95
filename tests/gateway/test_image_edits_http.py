"""POST /api/image-studio/edit/process over real processes: what is asked, shown, made and paid."""

import random
from typing import Any

import pytest
import requests
from PIL import Image, ImageChops

from tests.gateway.conftest import Payer
from tests.gateway.media_stage import finished
from tests.gateway.pictures_sent import as_base64, as_data_url, drawn, mask, read_url

CREDIT = 1_000_000
PATIENCE_S = 70
PATH = "/api/image-studio/edit/process"
IMAGE = drawn()
DEFAULTS: dict[str, Any] = {
    "prompt": None,
    "negative_prompt": None,
    "mask_base64": None,
    "search_prompt": None,
    "select_prompt": None,
    "background_image_base64": None,
    "lighting_image_base64": None,
    "expand_left": 0,
    "expand_right": 0,
    "expand_up": 0,
    "expand_down": 0,
    "provider": None,
    "model": None,
    "style_preset": None,
    "guidance_scale": None,
    "steps": None,
    "seed": None,
    "output_format": "png",
    "options": {},
}
"""Everything that the published example sends."""


def ask(payer: Payer, operation: str, **body: Any) -> requests.Response:
    """Ask for an edit as the published example does."""
    headers = body.pop("headers", {})
    given = {"image_base64": as_data_url(IMAGE), "operation": operation, **DEFAULTS, **body}
    return payer.post(PATH, json=given, headers=headers, timeout=PATIENCE_S)


def differs(one: Image.Image, other: Image.Image) -> tuple[int, int, int, int] | None:
    """Give the box of what differs between two pictures."""
    return ImageChops.difference(one.convert("RGB"), other.convert("RGB")).getbbox()


def test_a_background_is_removed_and_paid_for_once(media_payer: Payer) -> None:
    answer = ask(media_payer, "remove_background")
    assert answer.status_code == 200, answer.text[:500]
    body = answer.json()
    assert set(body) == {
        *("success", "operation", "provider", "image_base64", "width", "height", "metadata")
    }
    assert (body["success"], body["operation"], body["provider"]) == (
        True,
        "remove_background",
        "stability",
    )
    assert set(body["metadata"]) == {"operation", "processing_time"}
    assert body["metadata"]["operation"] == "remove_background"
    assert 0 < body["metadata"]["processing_time"] < 60
    image = read_url(body["image_base64"])
    assert (image.mode, image.size) == ("RGBA", (192, 128))
    assert (body["width"], body["height"]) == (192, 128)
    assert [image.getpixel(at)[3] for at in ((0, 0), (191, 127), (96, 64))] == [0, 0, 255]  # type: ignore[index]
    assert answer.headers["x-credits-charged"] == "60.0"
    assert media_payer.balance() == (940 * CREDIT, 0)
    [used] = media_payer.usage()
    assert (used["operation"], used["kind"], used["model"]) == (
        "image_edit",
        "edit.remove_background",
        "remove-background",
    )
    assert (used["charge_ucr"], used["cost_ucr"]) == (60 * CREDIT, 50 * CREDIT)
    assert len(media_payer.entries()) == 1


def test_a_mask_says_what_may_change(media_payer: Payer) -> None:
    white = mask((192, 128), (0, 0, 96, 128))
    answer = ask(
        media_payer,
        "inpaint",
        prompt="a cat",
        negative_prompt="dogs",
        mask_base64=as_base64(white),
        style_preset="anime",
        seed=7,
        options={"grow_mask": 5},
    )
    assert answer.status_code == 200, answer.text[:500]
    box = differs(read_url(answer.json()["image_base64"]), IMAGE)
    assert box is not None
    assert (box[0], box[2]) == (0, 96)


def test_a_picture_grows_by_exactly_what_was_asked_for(media_payer: Payer) -> None:
    answer = ask(
        media_payer,
        "outpaint",
        expand_left=30,
        expand_down=20,
        expand_up=11,
        output_format="webp",
        options={"creativity": 0.25},
    )
    assert answer.status_code == 200, answer.text[:500]
    body = answer.json()
    assert (body["width"], body["height"]) == (222, 159)
    image = read_url(body["image_base64"])
    assert (image.format, image.size) == ("WEBP", (222, 159))
    assert answer.headers["x-credits-charged"] == "48.0"


def test_large_pictures_are_scaled_down_for_the_provider_and_come_back_as_large(
    media_payer: Payer,
) -> None:
    large = IMAGE.resize((2600, 1800))
    answer = ask(
        media_payer, "remove_background", image_base64=as_base64(large), output_format="webp"
    )
    assert answer.status_code == 200, answer.text[:500]
    body = answer.json()
    assert (body["width"], body["height"]) == (2600, 1800)
    scaled = body["metadata"]["scaled_down"]
    assert (scaled["field"], scaled["from"]) == ("image_base64", "2600x1800")
    width, height = map(int, scaled["to"].split("x"))
    assert 4_000_000 < width * height <= 4_194_304


def test_pictures_of_too_many_bytes_are_scaled_down_as_well(media_payer: Payer) -> None:
    chance = random.Random(7)  # noqa: S311  it draws, and keeps no secrets
    image = Image.frombytes("RGB", (1800, 1800), chance.randbytes(3 * 1800 * 1800))
    white = Image.frombytes("L", (1000, 1000), chance.randbytes(1000 * 1000))
    answer = ask(
        media_payer,
        "inpaint",
        prompt="a cat",
        image_base64=as_base64(image),
        mask_base64=as_base64(white),
    )
    assert answer.status_code == 200, answer.text[:500]
    body = answer.json()
    assert (body["width"], body["height"]) == (1800, 1800)
    assert body["metadata"]["scaled_down"]["from"] == "1800x1800"


def test_found_things_are_replaced_or_recoloured(media_payer: Payer) -> None:
    replaced = ask(media_payer, "search_replace", prompt="a dog", search_prompt="the house")
    recoloured = ask(
        media_payer, "search_recolor", prompt="make it crimson", select_prompt="the house"
    )
    for answer in (replaced, recoloured):
        assert answer.status_code == 200, answer.text[:500]
        image = read_url(answer.json()["image_base64"])
        assert image.size == IMAGE.size
        assert differs(image, IMAGE) is not None
        assert differs(image.crop((0, 0, 20, 20)), IMAGE.crop((0, 0, 20, 20))) is None


def test_an_edit_by_instructions_takes_references_and_keeps_the_size(media_payer: Payer) -> None:
    answer = ask(
        media_payer,
        "general_edit",
        prompt="put the lamp on a beach",
        negative_prompt="people",
        background_image_base64=as_base64(drawn("a beach")),
        lighting_image_base64=as_base64(drawn("evening"), "jpeg"),
        mask_base64=as_base64(mask((192, 128), (0, 0, 96, 128))),
        style_preset="photographic",
        seed=7,
    )
    assert answer.status_code == 200, answer.text[:500]
    body = answer.json()
    assert (body["provider"], body["operation"]) == ("gemini", "general_edit")
    assert read_url(body["image_base64"]).size == IMAGE.size
    assert answer.headers["x-credits-charged"] == "83.0"


@pytest.mark.parametrize(
    ("operation", "body", "detail"),
    [
        ("inpaint", {}, "Prompt is required for inpainting"),
        ("outpaint", {}, "Expansion is required for outpainting"),
        ("search_replace", {}, "Prompt is required for search and replace"),
        (
            "search_replace",
            {"prompt": "a dog"},
            "Search prompt is required for search and replace",
        ),
        (
            "search_recolor",
            {"prompt": "a dog"},
            "Select prompt is required for search and recolor",
        ),
        ("general_edit", {}, "Prompt is required for general editing"),
        ("remove_background", {"prompt": "a"}, "prompt: remove_background does not use it."),
        ("outpaint", {"expand_up": 1, "steps": 3}, "steps: outpaint does not use it."),
        ("inpaint", {"prompt": "a", "expand_up": 1}, "expand_up: inpaint does not use it."),
        (
            "blur",
            {},
            "operation: choose one of remove_background, inpaint, outpaint, search_replace, "
            "search_recolor, general_edit.",
        ),
        (
            "inpaint",
            {"prompt": "a", "options": {"creativity": 1}},
            "options.creativity: inpaint does not have it; it has: grow_mask.",
        ),
        (
            "inpaint",
            {"prompt": "a", "options": {"grow_mask": 2.5}},
            "options.grow_mask: must be a whole number from 0 to 100.",
        ),
        (
            "outpaint",
            {"expand_up": 1, "options": {"creativity": True}},
            "options.creativity: must be a number from 0 to 1.",
        ),
        ("inpaint", {"prompt": "a", "provider": "openai"}, "provider: choose one of stability."),
        ("inpaint", {"prompt": "a", "model": "outpaint"}, "model: choose one of inpaint."),
        (
            "remove_background",
            {"output_format": "jpg"},
            "output_format: remove_background gives png, webp.",
        ),
        ("inpaint", {"prompt": "a", "colour": "red"}, "colour: unknown field"),
        ("inpaint", {"prompt": "a", "image_base64": "!!!!"}, "Invalid base64 image payload"),
        (
            "inpaint",
            {"prompt": "a", "image_base64": as_base64(drawn(size=(192, 63)))},
            "image_base64: every side must have at least 64 pixels; it has 192x63.",
        ),
        (
            "search_replace",
            {"prompt": "a", "search_prompt": "b", "image_base64": as_base64(drawn(size=(300, 64)))},
            "image_base64: one side may be at most 2.5 times as long as the other; it has 300x64.",
        ),
        (
            "outpaint",
            {
                "expand_left": 2000,
                "expand_up": 2000,
                "image_base64": as_base64(drawn(size=(3000, 3000)), "jpeg"),
            },
            "expand_left: it would be 5000x5000; at most 8192 pixels a side and 20000000 in all "
            "are made.",
        ),
    ],
)
def test_what_does_not_fit_an_edit_is_named_and_holds_nothing(
    media_payer: Payer, operation: str, body: dict[str, Any], detail: str
) -> None:
    answer = ask(media_payer, operation, **body)
    assert (answer.status_code, answer.json()) == (400, {"detail": detail})
    assert media_payer.balance() == (1000 * CREDIT, 0)
    assert media_payer.entries() == []
    assert media_payer.get("/v1/jobs").json()["data"] == []


def test_choosing_what_there_is_changes_nothing(media_payer: Payer) -> None:
    answer = ask(
        media_payer, "remove_background", provider="stability", model="stability:remove-background"
    )
    assert answer.status_code == 200, answer.text[:500]
    assert answer.json()["provider"] == "stability"


@pytest.mark.parametrize(
    ("prompt", "why"),
    [
        ("[[sandbox content_filter]] a", "The provider's safety system held the image back."),
        ("[[sandbox status=500]] a", "The provider failed to answer."),
        ("[[sandbox refusal]] a", "Your request was flagged by our content moderation system"),
        ("[[sandbox files=text]] a", ""),
    ],
)
def test_a_failed_edit_costs_nothing(media_payer: Payer, prompt: str, why: str) -> None:
    answer = ask(media_payer, "inpaint", prompt=prompt)
    assert answer.status_code == 500
    assert answer.json()["detail"].startswith(f"Image editing failed: {why}")
    assert media_payer.balance() == (1000 * CREDIT, 0)
    assert sum(used["charge_ucr"] for used in media_payer.usage()) == 0


def test_without_credits_nothing_is_held(make_media_payer: Any) -> None:
    poor = make_media_payer(credits=59)
    answer = ask(poor, "remove_background")
    assert answer.status_code == 402
    assert set(answer.json()) == {"detail"}
    assert poor.balance() == (59 * CREDIT, 0)


def test_a_key_of_the_callers_own_pays(media_payer: Payer) -> None:
    own = {"x-user-stability-key": "sk-mine"}
    answer = ask(media_payer, "remove_background", headers=own)
    assert answer.status_code == 200, answer.text[:500]
    assert answer.headers["x-credits-charged"] == "0.0"
    assert media_payer.balance() == (1000 * CREDIT, 0)
    refused = ask(media_payer, "remove_background", headers={"x-user-stability-key": "sk-invalid"})
    assert refused.status_code == 500
    assert media_payer.balance() == (1000 * CREDIT, 0)


def test_without_waiting_there_is_a_job_with_an_address_of_ours(media_payer: Payer) -> None:
    answer = ask(media_payer, "remove_background", headers={"prefer": "respond-async"})
    assert answer.status_code == 202
    body = answer.json()
    assert set(body) == {"id", "status", "urls"}
    assert body["urls"] == {"get": f"{media_payer.url}/v1/jobs/{body['id']}"}
    assert answer.headers["preference-applied"] == "respond-async"
    job = finished(media_payer, body["id"])
    assert (job["operation"], job["status"]) == ("image_edit", "succeeded")
    assert job["parameters"] == {"operation": "remove_background", "width": 192, "height": 128}
    [file] = job["files"]
    assert file["url"].startswith(f"{media_payer.url}/v1/assets/")
    assert (file["width"], file["height"]) == (192, 128)


def test_a_repeated_key_gives_the_same_picture_for_one_price(media_payer: Payer) -> None:
    headers = {"idempotency-key": "one-edit"}
    first = ask(media_payer, "inpaint", prompt="a cat", headers=headers)
    again = ask(media_payer, "inpaint", prompt="a cat", headers=headers)
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.headers["idempotent-replayed"] == "true"
    assert first.json() == again.json()
    assert media_payer.balance() == (940 * CREDIT, 0)
    other = ask(media_payer, "inpaint", prompt="a dog", headers=headers)
    assert other.status_code == 422
    picture = as_data_url(drawn("another"))
    changed = ask(media_payer, "inpaint", prompt="a cat", image_base64=picture, headers=headers)
    assert changed.status_code == 422
    assert media_payer.balance() == (940 * CREDIT, 0)


def test_nobody_edits_without_a_credential(media_payer: Payer) -> None:
    url = media_payer.url + PATH
    answer = requests.post(url, json={"operation": "inpaint"}, timeout=30)
    assert (answer.status_code, answer.json()) == (
        401,
        {"detail": "Authenticated user required for image operations."},
    )
    operations = media_payer.url + "/api/image-studio/edit/operations"
    assert requests.get(operations, timeout=30).status_code == 401


def test_the_metadata_of_the_first_two_edits_is_the_published_one(media_payer: Payer) -> None:
    shown = media_payer.get("/api/image-studio/edit/operations").json()["operations"]
    assert list(shown) == [
        *("remove_background", "inpaint", "outpaint", "search_replace", "search_recolor"),
        "general_edit",
    ]
    nothing = dict.fromkeys(
        (
            *("prompt", "mask", "negative_prompt", "search_prompt", "select_prompt"),
            *("background", "lighting", "expansion"),
        ),
        False,
    )
    assert shown["remove_background"] == {
        "label": "Remove Background",
        "description": "Isolate the main subject",
        "provider": "stability",
        "fields": nothing,
    }
    assert shown["inpaint"] == {
        "label": "Inpaint & Fix",
        "description": "Edit specific regions using prompts and optional masks",
        "provider": "stability",
        "fields": {**nothing, "prompt": True, "mask": True, "negative_prompt": True},
    }
    assert {name for name, used in shown["general_edit"]["fields"].items() if used} == {
        *("prompt", "mask", "negative_prompt", "background", "lighting")
    }
