"""OpenAI's images: what is asked for, in today's words, and how its refusals are read."""

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
from gateway.providers.openai import PROVIDER
from tests.gateway.image_requests import asked, read, recorded, target

NEW, OLD = "gpt-image-2.5-flare", "gpt-image-1.5"


def sent(request: ImageRequest, model: str = NEW, **fields: Any) -> dict[str, Any]:
    """Give the body that is sent."""
    body = PROVIDER.build_submission(request, target(model, **fields)).body
    found: dict[str, Any] = json.loads(body)
    return found


def refused(name: str, status: int, headers: dict[str, str] | None = None) -> UpstreamFailure:
    """Read a recorded error."""
    with pytest.raises(UpstreamFailure) as failed:
        read(PROVIDER, recorded("openai", name), status=status, to=target(NEW), headers=headers)
    return failed.value


def test_a_plain_request_leaves_the_rest_to_the_model() -> None:
    request = PROVIDER.build_submission(asked(), target(NEW))
    assert (request.method, request.path) == ("POST", "/images/generations")
    assert json.loads(request.body) == {"model": NEW, "prompt": "A lamp", "n": 1}


def test_everything_that_can_be_asked_for_is_sent() -> None:
    request = asked(
        count=10,
        width=1536,
        height=1024,
        quality="high",
        negative_prompt="cats, dogs",
        style="natural",
        output_format="webp",
        output_compression=40,
        background="transparent",
        moderation="low",
        user="user-7",
    )
    assert sent(request, count=3) == {
        "model": NEW,
        "prompt": ("A lamp\n\nMake it natural: plain, less hyper-real.\n\nDo not show: cats, dogs"),
        "n": 3,
        "size": "1536x1024",
        "quality": "high",
        "output_format": "webp",
        "output_compression": 40,
        "background": "transparent",
        "moderation": "low",
        "user": "user-7",
    }


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("standard", "low"),
        ("hd", "medium"),
        ("low", "low"),
        ("medium", "medium"),
        ("high", "high"),
        ("auto", "auto"),
        ("max", "max"),
    ],
)
def test_a_quality_is_said_in_todays_words(word: str, said: str) -> None:
    request = asked(quality=word)
    assert PROVIDER.unsupported_media(request, target(NEW)) is None
    assert sent(request)["quality"] == said


@pytest.mark.parametrize("model", ["gpt-image-2", OLD, "chatgpt-image-latest"])
def test_the_newest_qualities_are_not_asked_of_older_models(model: str) -> None:
    assert PROVIDER.unsupported_media(asked(quality="xhigh"), target(model)) == "quality"
    assert PROVIDER.unsupported_media(asked(quality="high"), target(model)) is None
    assert PROVIDER.unsupported_media(asked(quality="splendid"), target(model)) == "quality"


@pytest.mark.parametrize("style", ["vivid", "natural", "humorous"])
def test_a_style_becomes_a_sentence_of_the_prompt(style: str) -> None:
    body = sent(asked(style=style))
    assert body["prompt"].startswith("A lamp\n\n")
    assert style in body["prompt"]
    assert "style" not in body


@pytest.mark.parametrize(
    ("size", "asked_for"),
    [
        ((1024, 1024), "1024x1024"),
        ((1792, 1024), "1792x1024"),
        ((1024, 1792), "1024x1792"),
        ((3840, 2160), "3840x2160"),
        ((1000, 1000), "1008x1008"),
        ((256, 256), "816x816"),
        ((512, 512), "816x816"),
        ((300, 100), "1408x480"),
        ((4096, 4096), "2880x2880"),
        ((2879, 2881), "2864x2880"),
        ((5000, 1700), "3840x1312"),
        ((7680, 4320), "3840x2160"),
    ],
)
def test_any_size_becomes_the_nearest_that_newer_models_make(
    size: tuple[int, int], asked_for: str
) -> None:
    request = asked(width=size[0], height=size[1])
    assert PROVIDER.unsupported_media(request, target(NEW)) is None
    assert sent(request)["size"] == asked_for


def test_every_size_asked_for_is_one_the_newer_models_take() -> None:
    sides = [64, 100, 257, 640, 1000, 1439, 2048, 2900, 3841, 5000, 5760]
    tried = 0
    for width in sides:
        for height in sides:
            request = asked(width=width, height=height)
            if PROVIDER.unsupported_media(request, target(NEW)) is not None:
                continue
            across, down = map(int, sent(request)["size"].split("x"))
            assert across % 16 == down % 16 == 0
            assert max(across, down) <= 3840
            assert max(across, down) <= 3 * min(across, down)
            assert 655_360 <= across * down <= 8_294_400
            tried += 1
    assert tried > 40


@pytest.mark.parametrize(
    ("size", "asked_for"),
    [
        ((1792, 1024), "1536x1024"),
        ((1024, 1792), "1024x1536"),
        ((512, 512), "1024x1024"),
        ((1100, 1000), "1024x1024"),
        ((2000, 1000), "1536x1024"),
    ],
)
def test_older_models_are_asked_for_the_nearest_of_their_sizes(
    size: tuple[int, int], asked_for: str
) -> None:
    request = asked(width=size[0], height=size[1])
    assert PROVIDER.unsupported_media(request, target(OLD)) is None
    assert sent(request, OLD)["size"] == asked_for


def test_sizes_that_resizing_cannot_reach_are_named() -> None:
    for size in ((2100, 1000), (4000, 4000)):
        request = asked(width=size[0], height=size[1])
        assert PROVIDER.unsupported_media(request, target(OLD)) == "size"
        assert PROVIDER.unsupported_media(request, target(NEW)) is None


def test_one_side_alone_is_a_square() -> None:
    assert sent(asked(width=2048))["size"] == "2048x2048"


def test_a_few_are_made_at_once() -> None:
    for side, most in ((None, 4), (512, 4), (1024, 4), (2048, 3), (2880, 1), (5760, 1)):
        request = asked(count=10, width=side, height=side)
        assert PROVIDER.most_per_run(request, target(NEW)) == most
    assert PROVIDER.patience_s(asked(), target(NEW)) == 300


def test_the_pictures_are_read_with_their_format() -> None:
    request = asked(size="1024x1024", quality="hd")
    made = read(PROVIDER, recorded("openai", "two"), request=request, to=target(NEW, count=2))
    assert made.use == MediaUse(item_count=2, size="1024x1024", quality="hd")
    assert [file.media_type for file in made.files] == ["image/png", "image/png"]
    assert [file.data[:4] for file in made.files] == [b"\x89PNG", b"\x89PNG"]
    assert made.files[0] != made.files[1]


def test_what_the_answer_leaves_out_is_left_open() -> None:
    made = read(PROVIDER, recorded("openai", "bare"), to=target(NEW, count=2))
    assert [file.media_type for file in made.files] == ["", ""]
    assert [file.revised_prompt for file in made.files] == ["A red square", ""]


def test_more_pictures_than_asked_for_are_not_taken() -> None:
    made = read(PROVIDER, recorded("openai", "two"), to=target(NEW, count=1))
    assert (len(made.files), made.use.item_count) == (1, 1)


def test_one_spoiled_picture_does_not_cost_the_others() -> None:
    body = json.loads(recorded("openai", "two"))
    body["data"][0]["b64_json"] = "not base64"
    made = read(PROVIDER, json.dumps(body).encode(), to=target(NEW, count=2))
    assert (len(made.files), made.use.item_count) == (1, 1)


def test_the_filter_s_refusal_is_the_caller_s_to_read() -> None:
    failure = refused("error_400_moderation", 400)
    assert isinstance(failure, UpstreamRefused)
    assert failure.message == (
        "Your request was rejected by the safety system. If you believe this is an error, contact "
        "us at [link] and include the request ID [id]. safety_violations=[sexual]."
    )


def test_a_field_at_fault_is_named() -> None:
    failure = refused("error_400_background", 400)
    assert isinstance(failure, UpstreamRefused)
    assert failure.details == {"param": "background"}


@pytest.mark.parametrize(("name", "status"), [("error_400_billing", 400), ("error_429_quota", 429)])
def test_our_spent_budget_is_not_the_caller_s_fault(name: str, status: int) -> None:
    failure = refused(name, status)
    assert isinstance(failure, UpstreamQuota)
    assert (failure.provider_status, failure.status, failure.retryable) == (status, 503, False)


def test_a_full_minute_is_waited_out() -> None:
    failure = refused("error_429_rate", 429, {"retry-after": "12"})
    assert isinstance(failure, UpstreamOverloaded)
    assert (failure.retry_after_s, failure.retryable) == (12, True)


@pytest.mark.parametrize(
    ("name", "status", "retryable"),
    [
        ("error_403_verification", 403, False),
        ("error_404_model", 404, False),
        ("error_500_server", 500, True),
    ],
)
def test_other_errors_are_the_provider_s(name: str, status: int, retryable: bool) -> None:
    failure = refused(name, status)
    assert isinstance(failure, UpstreamError)
    assert (failure.status, failure.retryable) == (502, retryable)
