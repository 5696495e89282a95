"""Stability's text to image: the forms that are sent, and how its refusals are read."""

from email.parser import BytesParser

import pytest

from gateway.operations.image import ImageRequest
from gateway.operations.media import MediaUse
from gateway.providers.base import (
    UpstreamError,
    UpstreamFailure,
    UpstreamOverloaded,
    UpstreamQuota,
    UpstreamRefused,
    UpstreamRequest,
)
from gateway.providers.stability import PROVIDER
from tests.gateway.image_requests import asked, read, recorded, target

MEDIUM = "sd3.5-medium"


def form_of(request: UpstreamRequest) -> dict[str, str]:
    """Read a form with another's parser."""
    head = f"content-type: {request.headers['content-type']}\r\n\r\n".encode()
    message = BytesParser().parsebytes(head + request.body)
    assert message.is_multipart()
    found = {}
    for part in message.walk():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(content, bytes):
            found[name] = content.decode()
    return found


def sent(request: ImageRequest, model: str) -> dict[str, str]:
    """Give the fields that are sent."""
    return form_of(PROVIDER.build_submission(request, target(model)))


def refused(name: str, status: int, headers: dict[str, str] | None = None) -> UpstreamFailure:
    """Read a recorded error."""
    with pytest.raises(UpstreamFailure) as failed:
        body = recorded("stability", name)
        read(PROVIDER, body, status=status, to=target(MEDIUM), headers=headers)
    return failed.value


@pytest.mark.parametrize(
    ("model", "path", "own"),
    [
        ("ultra", "ultra", {}),
        ("core", "core", {}),
        ("sd3.5-large", "sd3", {"mode": "text-to-image", "model": "sd3.5-large"}),
        ("sd3.5-flash", "sd3", {"mode": "text-to-image", "model": "sd3.5-flash"}),
    ],
)
def test_a_model_is_a_path_and_those_of_sd3_share_one(
    model: str, path: str, own: dict[str, str]
) -> None:
    request = PROVIDER.build_submission(asked(), target(model))
    assert (request.method, request.path) == ("POST", f"/v2beta/stable-image/generate/{path}")
    assert request.headers["accept"] == "application/json"
    assert form_of(request) == {"prompt": "A lamp", "output_format": "png", **own}


def test_everything_that_can_be_asked_for_is_sent() -> None:
    request = asked(
        prompt='A "lamp"\r\n--studio\r\non a table é',
        width=1792,
        height=1024,
        size="1792x1024",
        style="anime",
        negative_prompt="cats",
        seed=4_294_967_294,
        output_format="webp",
        background="opaque",
        user="someone@example.com",
    )
    made = PROVIDER.build_submission(request, target("core"))
    assert form_of(made) == {
        "prompt": 'A "lamp"\r\n--studio\r\non a table é',
        "aspect_ratio": "16:9",
        "negative_prompt": "cats",
        "style_preset": "anime",
        "seed": "4294967294",
        "output_format": "webp",
    }
    assert len(made.headers["stability-client-user-id"]) == 32
    assert "example" not in str(made.headers)


@pytest.mark.parametrize(
    ("style", "preset", "prompt"),
    [
        ("photorealistic", "photographic", "A lamp"),
        ("pixel-art", "pixel-art", "A lamp"),
        ("natural", None, "A lamp\n\nMake it natural: plain, less hyper-real."),
        ("humorous", None, "A lamp\n\nStyle: humorous."),
    ],
)
def test_a_style_is_a_preset_or_else_a_sentence(
    style: str, preset: str | None, prompt: str
) -> None:
    fields = sent(asked(style=style), "ultra")
    assert (fields.get("style_preset"), fields["prompt"]) == (preset, prompt)


@pytest.mark.parametrize(
    ("size", "shape"),
    [
        ((512, 512), "1:1"),
        ((1536, 1536), "1:1"),
        ((2048, 2048), "1:1"),
        ((1920, 1080), "16:9"),
        ((1000, 3000), "9:21"),
        ((1000, 1200), "4:5"),
    ],
)
def test_a_size_becomes_the_nearest_shape(size: tuple[int, int], shape: str) -> None:
    request = asked(width=size[0], height=size[1])
    assert PROVIDER.unsupported_media(request, target(MEDIUM)) is None
    assert sent(request, MEDIUM)["aspect_ratio"] == shape


def test_what_a_model_does_not_have_is_named() -> None:
    for request, model, field in (
        (asked(), "stable-diffusion-xl", "model"),
        (asked(width=2200, height=2200), "ultra", "size"),
        (asked(width=2200, height=2200), "core", None),
        (asked(prompt="a" * 10_001), "core", "prompt"),
        (asked(prompt="a" * 10_000), "core", None),
        (asked(prompt="красная лиса"), "core", "prompt"),
        (asked(prompt="a red fox, écrit «лиса»"), "core", None),
        (asked(negative_prompt="cats"), "sd3.5-large-turbo", "negative_prompt"),
        (asked(negative_prompt="cats"), "sd3.5-large", None),
        (asked(background="transparent"), "core", "background"),
        (asked(moderation="low"), "core", "moderation"),
        (asked(output_compression=50, output_format="jpeg"), "ultra", None),
        (asked(seed=0), "core", "seed"),
        (asked(seed=4_294_967_295), "core", "seed"),
        (asked(seed=5, count=2), "core", None),
        (asked(seed=4_294_967_294, count=2), "core", "seed"),
        (asked(guidance_scale=10, steps=30), "sd3.5-large", None),
        (asked(guidance_scale=10.5), "sd3.5-large", "guidance_scale"),
        (asked(guidance_scale=0.5), "sd3.5-large", "guidance_scale"),
        (asked(guidance_scale=20, steps=30), "core", None),
        (asked(seed=5), "core", None),
    ):
        assert PROVIDER.unsupported_media(request, target(model)) == field


def test_a_format_that_a_model_does_not_have_is_asked_for_as_png() -> None:
    for form, model, said in (
        ("webp", "sd3.5-large", "png"),
        ("webp", "ultra", "webp"),
        ("jpeg", "sd3.5-large", "jpeg"),
    ):
        request = asked(output_format=form)
        assert PROVIDER.unsupported_media(request, target(model)) is None
        assert sent(request, model)["output_format"] == said


def test_each_picture_is_a_request_of_its_own_with_the_next_seed() -> None:
    request = asked(count=10, seed=5)
    assert PROVIDER.most_per_run(request, target("core")) == 1
    third = PROVIDER.build_submission(request, target("core", first=2))
    assert form_of(third)["seed"] == "7"
    assert "seed" not in form_of(PROVIDER.build_submission(asked(), target("core", first=2)))


def test_guidance_is_for_sd3_and_steps_for_nobody() -> None:
    request = asked(guidance_scale=4.5, steps=30)
    assert sent(request, MEDIUM)["cfg_scale"] == "4.5"
    assert set(sent(request, "core")) == {"prompt", "output_format"}


def test_the_picture_is_read_with_its_format_and_seed() -> None:
    made = read(
        PROVIDER,
        recorded("stability", "one"),
        request=asked(size="512x512", quality="standard"),
        to=target("core"),
        headers={"content-type": "application/json; type=image/png"},
    )
    (file,) = made.files
    assert (file.media_type, file.seed, file.data[:4]) == ("image/png", 343940597, b"\x89PNG")
    assert made.use == MediaUse(item_count=1, size="512x512", quality="standard")


def test_what_the_answer_leaves_out_is_left_open() -> None:
    (file,) = read(PROVIDER, recorded("stability", "no_seed"), to=target("core")).files
    assert (file.media_type, file.seed) == ("", None)


def test_a_blurred_picture_is_a_refusal_although_it_came() -> None:
    failure = refused("error_200_filtered", 200)
    assert isinstance(failure, UpstreamRefused)
    assert (failure.status, failure.provider_status) == (400, 200)


@pytest.mark.parametrize(
    ("name", "status", "message"),
    [
        ("error_400_fields", 400, "prompt: is required seed: must be a number"),
        ("error_413_size", 413, "body: payloads cannot be larger than 10MiB in size"),
        ("error_422_language", 422, "English is the only supported language for this service."),
    ],
)
def test_refusals_say_what_is_wrong_with_the_request(name: str, status: int, message: str) -> None:
    failure = refused(name, status)
    assert isinstance(failure, UpstreamRefused)
    assert (failure.message, failure.provider_status) == (message, status)


def test_403_is_the_filter_or_our_key() -> None:
    flagged = refused("error_403_moderation", 403)
    assert isinstance(flagged, UpstreamRefused)
    assert flagged.message.startswith("Your request was flagged by our content moderation system")
    barred = refused("error_403_key", 403)
    assert isinstance(barred, UpstreamError)
    assert (barred.provider_status, barred.retryable) == (403, False)


def test_402_is_our_money_there() -> None:
    failure = refused("error_402_credits", 402)
    assert isinstance(failure, UpstreamQuota)
    assert (failure.provider_status, failure.retryable) == (402, False)


def test_429_is_waited_out_for_the_minute_it_lasts() -> None:
    failure = refused("error_429_rate", 429)
    assert isinstance(failure, UpstreamOverloaded)
    assert failure.retry_after_s == 60
    assert refused("error_429_rate", 429, {"retry-after": "7"}).retry_after_s == 7
