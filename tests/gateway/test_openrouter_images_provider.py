"""OpenRouter's images: OpenAI's models in OpenAI's words, others by shape and tier; the cost."""

import json
from typing import Any

import pytest

from gateway.operations.image import ImageRequest
from gateway.operations.media import MediaUse
from gateway.providers.base import (
    UpstreamError,
    UpstreamFailure,
    UpstreamOverloaded,
    UpstreamQuota,
    UpstreamRefused,
)
from gateway.providers.openrouter import PROVIDER
from tests.gateway.image_requests import asked, read, recorded, target

GPT, GEMINI = "openai/gpt-image-2", "google/gemini-3-image"


def sent(request: ImageRequest, model: str, **fields: Any) -> dict[str, Any]:
    """Give the body that is sent."""
    body = PROVIDER.build_submission(request, target(model, **fields)).body
    found: dict[str, Any] = json.loads(body)
    return found


def refused(body: bytes, status: int) -> UpstreamFailure:
    """Read an error."""
    with pytest.raises(UpstreamFailure) as failed:
        read(PROVIDER, body, status=status, to=target(GEMINI))
    return failed.value


def test_a_plain_request_leaves_the_rest_to_the_model() -> None:
    request = PROVIDER.build_submission(asked(), target(GEMINI))
    assert (request.method, request.path) == ("POST", "/images")
    assert json.loads(request.body) == {"model": GEMINI, "prompt": "A lamp"}


def test_everything_that_can_be_asked_for_is_sent() -> None:
    request = asked(
        width=1792,
        height=1024,
        quality="hd",
        style="vivid",
        negative_prompt="cats",
        seed=7,
        output_format="webp",
        output_compression=40,
        background="opaque",
        moderation="auto",
        user="user-7",
    )
    rest = {
        "prompt": ("A lamp\n\nMake it vivid: hyper-real and dramatic.\n\nDo not show: cats"),
        "quality": "medium",
        "output_format": "webp",
        "output_compression": 40,
        "background": "opaque",
        "user": "user-7",
        "seed": 7,
    }
    assert sent(request, GEMINI) == {**rest, "model": GEMINI, "aspect_ratio": "16:9"}
    assert sent(request, GPT, count=3) == {**rest, "model": GPT, "n": 3, "size": "1792x1024"}


@pytest.mark.parametrize(
    ("size", "shape", "tier"),
    [
        ((1024, 1024), "1:1", None),
        ((256, 256), "1:1", None),
        ((1792, 1024), "16:9", None),
        ((1024, 1792), "9:16", None),
        ((1536, 1536), "1:1", "2K"),
        ((3840, 2160), "16:9", "2K"),
        ((4096, 4096), "1:1", "4K"),
        ((3000, 1000), "21:9", "2K"),
        ((900, 1200), "3:4", None),
    ],
)
def test_a_size_becomes_the_nearest_shape_and_the_tier_that_is_enough(
    size: tuple[int, int], shape: str, tier: str | None
) -> None:
    request = asked(width=size[0], height=size[1])
    assert PROVIDER.unsupported_media(request, target(GEMINI)) is None
    body = sent(request, GEMINI)
    assert (body["aspect_ratio"], body.get("resolution")) == (shape, tier)
    assert "size" not in body


def test_models_beside_openai_s_make_one_at_a_time() -> None:
    assert PROVIDER.most_per_run(asked(count=10), target(GEMINI)) == 1
    assert PROVIDER.most_per_run(asked(count=10), target(GPT)) == 4


def test_what_a_model_or_the_form_does_not_have_is_named() -> None:
    for request, model, field in (
        (asked(moderation="low"), GEMINI, "moderation"),
        (asked(moderation="low"), GPT, "moderation"),
        (asked(seed=1), GPT, "seed"),
        (asked(seed=1), GEMINI, None),
        (asked(quality="max"), GPT, "quality"),
        (asked(quality="max"), GEMINI, None),
        (asked(quality="splendid"), GEMINI, "quality"),
        (asked(width=3100, height=1000), GEMINI, "size"),
    ):
        assert PROVIDER.unsupported_media(request, target(model)) == field


@pytest.mark.parametrize(("name", "cost_ucr"), [("one", 38_700_000), ("byok", 42_000_000)])
def test_the_cost_is_read_exactly(name: str, cost_ucr: int) -> None:
    request = asked(size="1024x1024", quality="standard")
    made = read(PROVIDER, recorded("openrouter", name), request=request, to=target(GEMINI))
    assert made.use == MediaUse(
        item_count=1, size="1024x1024", quality="standard", provider_cost_ucr=cost_ucr
    )


@pytest.mark.parametrize("usage", [None, 7, "text", {}, {"cost": -1}, {"cost": "0.1"}])
def test_a_cost_that_cannot_be_believed_is_none(usage: object) -> None:
    body = {**json.loads(recorded("openrouter", "one")), "usage": usage}
    made = read(PROVIDER, json.dumps(body).encode(), to=target(GEMINI))
    assert (made.use.provider_cost_ucr, len(made.files)) == (None, 1)


def test_each_picture_says_its_own_format() -> None:
    made = read(PROVIDER, recorded("openrouter", "two"), to=target(GPT, count=2))
    assert [file.media_type for file in made.files] == ["image/jpeg", ""]


@pytest.mark.parametrize(
    ("name", "status", "kind", "retryable"),
    [
        ("error_200_filter", 200, UpstreamRefused, False),
        ("error_200_provider", 200, UpstreamError, True),
        ("error_400_single", 400, UpstreamRefused, False),
        ("error_402_credits", 402, UpstreamQuota, False),
        ("error_403_moderation", 403, UpstreamRefused, False),
        ("error_429_rate", 429, UpstreamOverloaded, True),
        ("error_502_provider", 502, UpstreamError, True),
    ],
)
def test_errors_are_read_with_200_and_without(
    name: str, status: int, kind: type[UpstreamFailure], retryable: bool
) -> None:
    failure = refused(recorded("openrouter", name), status)
    assert type(failure) is kind
    assert failure.retryable is retryable


@pytest.mark.parametrize("error", ["broken", {}, {"code": 200}, {"code": "400"}])
def test_an_error_inside_of_200_without_a_status_is_the_provider_s(error: object) -> None:
    failure = refused(json.dumps({"error": error}).encode(), 200)
    assert type(failure) is UpstreamError
    assert failure.provider_status == 502
