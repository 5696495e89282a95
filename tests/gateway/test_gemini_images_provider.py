"""Gemini's images: what is asked for, from words and from pictures, and why there may be none."""

import base64
import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from gateway.operations.image import ImageRequest
from gateway.operations.image_edit import ImageEditRequest
from gateway.operations.image_input import ImageInput
from gateway.operations.media import MediaUse
from gateway.providers.base import (
    UpstreamAnswer,
    UpstreamError,
    UpstreamFailure,
    UpstreamInvalid,
    UpstreamOverloaded,
    UpstreamRefused,
)
from gateway.providers.gemini import PROVIDER
from gateway.providers.media import Made, MediaRequest, makes_media
from tests.gateway.image_requests import asked, target
from tests.sandbox.openapi import violations

SPEC = Path(__file__).resolve().parents[3] / "shared/wire/specs/gemini.openapi.json"
FLASH, NEWER, PRO = "gemini-2.5-flash-image", "gemini-3.1-flash-image", "gemini-3-pro-image"
PNG = b"\x89PNG rest"


def given(data: bytes, media_type: str = "image/png") -> ImageInput:
    """Make a picture that was sent in."""
    return ImageInput(
        asset_id=uuid.UUID(int=1), media_type=media_type, width=8, height=8, data=data
    )


def edit(**fields: Any) -> ImageEditRequest:
    """Ask for a change of a picture."""
    wanted: dict[str, Any] = {"edit": "general_edit", "image": given(b"one"), "prompt": "Add a hat"}
    return ImageEditRequest(**wanted | fields)


def sent(request: MediaRequest, model: str = NEWER, *, first: int = 0) -> dict[str, Any]:
    """Give the body that is sent."""
    written = PROVIDER.build_submission(request, target(model, first=first))
    found: dict[str, Any] = json.loads(written.body)
    return found


def inline(data: bytes, media_type: str = "image/png") -> dict[str, Any]:
    """Write a picture as a part."""
    return {"inlineData": {"mimeType": media_type, "data": base64.b64encode(data).decode()}}


def answered(*parts: dict[str, Any], **fields: object) -> UpstreamAnswer:
    """Make an answer of one candidate."""
    candidate = {"content": {"role": "model", "parts": parts}, "finishReason": "STOP", **fields}
    return of({"candidates": [candidate], "modelVersion": NEWER})


def of(body: object, status: int = 200) -> UpstreamAnswer:
    """Make an answer."""
    return UpstreamAnswer(status=status, headers={}, body=json.dumps(body).encode())


def failed(answer: UpstreamAnswer) -> UpstreamFailure:
    """Read an answer that is no success."""
    with pytest.raises(UpstreamFailure) as caught:
        PROVIDER.parse_submission(asked(), target(NEWER), answer)
    return caught.value


def test_it_draws_and_edits_and_answers_at_once() -> None:
    assert makes_media(PROVIDER, "image")
    assert makes_media(PROVIDER, "image_edit")
    assert not makes_media(PROVIDER, "image_upscale")
    assert (PROVIDER.file_hosts, PROVIDER.file_headers("k")) == ((), {})
    assert PROVIDER.most_per_run(asked(count=4), target(NEWER)) == 1
    assert PROVIDER.patience_s(asked(), target(NEWER, deadline_s=7)) == 7
    assert PROVIDER.patience_s(asked(), target(NEWER, deadline_s=9000)) == 300


def test_the_least_that_is_asked_for_is_a_picture_of_the_words() -> None:
    written = PROVIDER.build_submission(asked(), target(NEWER))
    assert (written.method, written.path) == ("POST", f"/models/{NEWER}:generateContent")
    assert json.loads(written.body) == {
        "contents": [{"role": "user", "parts": [{"text": "A lamp"}]}],
        "generationConfig": {"responseModalities": ["IMAGE"]},
    }


def test_everything_else_is_a_shape_a_seed_or_words() -> None:
    request = asked(
        width=1200, height=628, seed=7, count=4, style="vivid", negative_prompt="cats", steps=9
    )
    body = sent(request, first=2)
    assert body["contents"][0]["parts"] == [
        {
            "text": "A lamp\n\nMake it vivid: hyper-real and dramatic.\n\nDo not show: cats",
        }
    ]
    assert body["generationConfig"] == {
        "responseModalities": ["IMAGE"],
        "seed": 9,
        "imageConfig": {"aspectRatio": "16:9"},
    }


@pytest.mark.parametrize(
    ("size", "model", "config"),
    [
        ((1584, 396), NEWER, {"aspectRatio": "4:1"}),
        ((1584, 396), FLASH, {"aspectRatio": "21:9"}),
        ((2048, 2048), NEWER, {"aspectRatio": "1:1"}),
        ((2048, 2048), PRO, {"aspectRatio": "1:1", "imageSize": "2K"}),
        ((1024, 1024), PRO, {"aspectRatio": "1:1"}),
        ((1080, 1350), FLASH, {"aspectRatio": "4:5"}),
    ],
)
def test_a_size_is_the_nearest_shape_and_as_large_as_the_price_allows(
    size: tuple[int, int], model: str, config: dict[str, str]
) -> None:
    request = asked(width=size[0], height=size[1], exact_size=True)
    assert PROVIDER.unsupported_media(request, target(model)) is None
    assert sent(request, model)["generationConfig"]["imageConfig"] == config


def test_what_cannot_be_served_is_named() -> None:
    for request, model, field in (
        (asked(), "gemini-3.8-flash", "model"),
        (asked(seed=-1), NEWER, "seed"),
        (asked(seed=2**31), NEWER, "seed"),
        (asked(seed=2**31 - 1), NEWER, None),
        (asked(seed=2**31 - 1, count=2), NEWER, "seed"),
        (asked(width=4096, height=2048), NEWER, "size"),
        (asked(width=4096, height=2048), PRO, None),
        (asked(width=2000, height=400), FLASH, "size"),
        (asked(width=2000, height=400), NEWER, None),
        (asked(background="transparent"), NEWER, "background"),
        (asked(moderation="low"), NEWER, "moderation"),
        (asked(output_compression=9), NEWER, "output_compression"),
        (edit(), NEWER, None),
        (edit(edit="inpaint"), NEWER, "operation"),
        (edit(expand_left=10), NEWER, "expand_left"),
        (edit(seed=2**31), NEWER, "seed"),
        (edit(width=8000, height=8000), NEWER, "size"),
    ):
        assert PROVIDER.unsupported_media(request, target(model)) == field


def test_an_edit_sends_each_picture_behind_the_words_that_say_what_it_is() -> None:
    request = edit(
        mask=given(b"two"),
        background=given(b"three", "image/jpeg"),
        lighting=given(b"four", "image/webp"),
        negative_prompt="cats",
        select_prompt="the lamp",
        seed=7,
        width=800,
        height=600,
    )
    body = sent(request)
    parts = body["contents"][0]["parts"]
    pictures = [part for part in parts if "inlineData" in part]
    assert pictures == [
        inline(b"one"),
        inline(b"two"),
        inline(b"three", "image/jpeg"),
        inline(b"four", "image/webp"),
    ]
    words = [part["text"] for part in parts if "text" in part]
    named = ("picture to edit", "white in it", "background", "light")
    assert [name in text for name, text in zip(named, words, strict=False)] == [True] * 4
    assert words[4] == "Add a hat\n\nChange only this: the lamp\n\nDo not show: cats"
    assert [index for index, part in enumerate(parts) if "text" in part] == [0, 2, 4, 6, 8]
    assert body["generationConfig"] == {
        "responseModalities": ["IMAGE"],
        "seed": 7,
        "imageConfig": {"aspectRatio": "4:3"},
    }


def test_an_edit_without_a_size_keeps_the_shape_of_its_picture() -> None:
    assert sent(edit())["generationConfig"] == {"responseModalities": ["IMAGE"]}


@pytest.mark.parametrize(
    "request_",
    [asked(width=1200, height=628, seed=7), edit(mask=given(b"two"), width=64, height=64)],
)
def test_what_is_sent_is_documented(request_: MediaRequest) -> None:
    if not SPEC.exists():
        pytest.skip(f"NOT CHECKED AGAINST GOOGLE'S SPEC: there is no {SPEC}")
    spec = json.loads(SPEC.read_bytes())
    for model in (FLASH, NEWER, PRO):
        body = {"model": f"models/{model}", **sent(request_, model)}
        assert violations(spec, "GenerateContentRequest", body) == []


def test_the_picture_is_read_with_its_type_and_seed() -> None:
    thought = {**inline(b"a draft"), "thought": True}
    answer = answered(thought, {"text": "Here it is."}, inline(PNG))
    request = asked(seed=7, size="1024x1024")
    made = PROVIDER.parse_submission(request, target(NEWER, first=1), answer)
    assert isinstance(made, Made)
    [file] = made.files
    assert (file.data, file.media_type, file.seed) == (PNG, "image/png", 8)
    assert made.use == MediaUse(item_count=1, size="1024x1024")
    edited = PROVIDER.parse_submission(edit(), target(NEWER), answer)
    assert edited.use == MediaUse(item_count=1)
    assert edited.files[0].seed is None


@pytest.mark.parametrize(
    "reason",
    [
        *("SAFETY", "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "IMAGE_OTHER"),
        *("NO_IMAGE", "PROHIBITED_CONTENT", "RECITATION", "OTHER"),
    ],
)
def test_a_candidate_that_was_held_back_is_a_refusal_although_it_came(reason: str) -> None:
    failure = failed(answered(finishReason=reason))
    assert isinstance(failure, UpstreamRefused)
    assert (failure.status, failure.provider_status, failure.retryable) == (400, 200, False)
    assert failure.message == "The provider held the picture back."


def test_why_it_was_held_back_is_told_without_addresses() -> None:
    said = "The image was filtered out. See https://ai.google.dev/policy."
    failure = failed(answered(finishReason="IMAGE_SAFETY", finishMessage=said))
    assert failure.message.startswith("The image was filtered out. See ")
    assert "google" not in failure.message


@pytest.mark.parametrize("reason", ["PROHIBITED_CONTENT", "IMAGE_SAFETY", "a new one"])
def test_a_blocked_prompt_is_a_refusal(reason: str) -> None:
    failure = failed(of({"promptFeedback": {"blockReason": reason}}))
    assert isinstance(failure, UpstreamRefused)
    assert failure.details == {"param": "prompt"}


@pytest.mark.parametrize(
    "answer",
    [
        of({}),
        of(None),
        of([]),
        of({"candidates": []}),
        of({"candidates": [{}]}),
        answered(),
        answered({"text": "I cannot draw."}),
        answered({**inline(PNG), "thought": True}),
        answered({"inlineData": {"mimeType": "image/png", "data": ""}}),
        answered({"inlineData": {"mimeType": "image/png", "data": "no base64"}}),
        answered(finishReason="MAX_TOKENS"),
        UpstreamAnswer(status=200, headers={}, body=b"\xff"),
    ],
)
def test_an_answer_without_a_picture_is_invalid(answer: UpstreamAnswer) -> None:
    failure = failed(answer)
    assert isinstance(failure, UpstreamInvalid)
    assert failure.code == "upstream_invalid_response"


@pytest.mark.parametrize(
    ("status", "word", "kind"),
    [
        (400, "INVALID_ARGUMENT", UpstreamRefused),
        (404, "NOT_FOUND", UpstreamError),
        (429, "RESOURCE_EXHAUSTED", UpstreamOverloaded),
        (503, "UNAVAILABLE", UpstreamOverloaded),
    ],
)
def test_errors_are_those_of_its_chats(status: int, word: str, kind: type[UpstreamFailure]) -> None:
    body = {"error": {"code": status, "message": "No.", "status": word}}
    failure = failed(of(body, status))
    assert (type(failure), failure.provider_status) == (kind, status)


def test_a_field_the_catalogue_drops_is_neither_sent_nor_named() -> None:
    to = target(NEWER, drop_parameters=("seed", "background"))
    request: ImageRequest = asked(seed=2**40, background="transparent")
    assert PROVIDER.unsupported_media(request, to) is None
    assert PROVIDER.build_submission(request, to) == PROVIDER.build_submission(asked(), to)
