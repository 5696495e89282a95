"""Hugging Face's router: what each provider behind it is sent, and how it answers."""

import json
from typing import Any

import pytest

from gateway.operations.image import ImageRequest
from gateway.operations.media import MediaUse
from gateway.providers.base import (
    UpstreamAnswer,
    UpstreamError,
    UpstreamFailure,
    UpstreamInvalid,
    UpstreamOverloaded,
    UpstreamQuota,
    UpstreamRefused,
)
from gateway.providers.huggingface import PROVIDER
from gateway.providers.media import Made, Progress, Running, Stopped, makes_media
from studio.core.errors import InvalidRequest
from tests.gateway.image_requests import asked, target

KEY = "hf_canary5f0c2d"
FAL = "fal-ai/fal-ai/flux/dev"
NSCALE = "nscale/black-forest-labs/FLUX.1-schnell"
TOGETHER = "together/black-forest-labs/FLUX.1-dev"
OWN = "hf-inference/black-forest-labs/FLUX.1-dev"
REPLICATE = "replicate/black-forest-labs/flux-dev"
WAVESPEED = "wavespeed/wavespeed-ai/flux-dev"
ALL = (FAL, NSCALE, TOGETHER, OWN, REPLICATE, WAVESPEED)
FULL = asked(
    width=1200,
    height=628,
    exact_size=True,
    size="1200x628",
    seed=7,
    steps=20,
    guidance_scale=3.5,
    negative_prompt="cats",
    output_format="png",
)
WORDS = "A lamp\n\nDo not show: cats"
FILE = "https://v3b.fal.media/files/b/0a/lamp.png"
PREDICTION = "ufawqhfynnddngldkgtslldrkq"
each_model = pytest.mark.parametrize("model", ALL)


def sent(request: ImageRequest, model: str, *, first: int = 0) -> dict[str, Any]:
    """Give the body that is sent."""
    written = PROVIDER.build_submission(request, target(model, first=first))
    found: dict[str, Any] = json.loads(written.body)
    return found


def answered(
    body: object, *, status: int = 200, kind: str = "application/json", **headers: str
) -> UpstreamAnswer:
    """Make an answer."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return UpstreamAnswer(status=status, headers={"content-type": kind, **headers}, body=raw)


def read(answer: UpstreamAnswer, model: str = FAL, request: ImageRequest | None = None) -> Progress:
    """Read the answer to a submission, the second of its job."""
    return PROVIDER.parse_submission(request or asked(), target(model, first=1), answer)


def failed(answer: UpstreamAnswer, model: str = FAL) -> UpstreamFailure:
    """Read an answer that is no success."""
    with pytest.raises(UpstreamFailure) as caught:
        read(answer, model)
    return caught.value


@pytest.mark.parametrize(
    ("model", "path", "accept"),
    [
        (FAL, "/fal-ai/fal-ai/flux/dev", "application/json"),
        (NSCALE, "/nscale/v1/images/generations", "application/json"),
        (TOGETHER, "/together/v1/images/generations", "application/json"),
        (OWN, "/hf-inference/models/black-forest-labs/FLUX.1-dev", "image/*"),
        (
            REPLICATE,
            "/replicate/v1/models/black-forest-labs/flux-dev/predictions",
            "application/json",
        ),
        (WAVESPEED, "/wavespeed/api/v3/wavespeed-ai/flux-dev", "application/json"),
    ],
)
def test_the_first_word_of_a_model_is_who_serves_it(model: str, path: str, accept: str) -> None:
    written = PROVIDER.build_submission(asked(), target(model))
    assert (written.method, written.path) == ("POST", path)
    assert written.headers["accept"] == accept
    assert written.headers.get("prefer") == ("wait" if model == REPLICATE else None)


@pytest.mark.parametrize(
    ("model", "body"),
    [
        (
            FAL,
            {
                "prompt": WORDS,
                "image_size": {"width": 1200, "height": 624},
                "num_inference_steps": 20,
                "guidance_scale": 3.5,
                "seed": 9,
                "output_format": "png",
            },
        ),
        (
            NSCALE,
            {
                "model": "black-forest-labs/FLUX.1-schnell",
                "prompt": WORDS,
                "response_format": "b64_json",
                "size": "1200x624",
                "seed": 9,
            },
        ),
        (
            TOGETHER,
            {
                "model": "black-forest-labs/FLUX.1-dev",
                "prompt": WORDS,
                "response_format": "base64",
                "width": 1200,
                "height": 624,
                "seed": 9,
                "steps": 20,
            },
        ),
        (
            OWN,
            {
                "inputs": "A lamp",
                "parameters": {
                    "num_inference_steps": 20,
                    "guidance_scale": 3.5,
                    "seed": 9,
                    "width": 1200,
                    "height": 624,
                    "negative_prompt": "cats",
                },
            },
        ),
        (
            REPLICATE,
            {
                "input": {
                    "prompt": WORDS,
                    "aspect_ratio": "16:9",
                    "megapixels": "1",
                    "num_outputs": 1,
                    "seed": 9,
                    "output_format": "png",
                }
            },
        ),
        (
            WAVESPEED,
            {
                "prompt": WORDS,
                "size": "1200*624",
                "num_inference_steps": 20,
                "guidance_scale": 3.5,
                "seed": 9,
            },
        ),
    ],
)
def test_each_provider_is_asked_in_its_own_words(model: str, body: dict[str, Any]) -> None:
    assert PROVIDER.unsupported_media(FULL, target(model)) is None
    assert sent(FULL, model, first=2) == body


@each_model
def test_the_least_that_is_asked_for_is_a_prompt(model: str) -> None:
    assert "A lamp" in str(sent(asked(), model))
    assert PROVIDER.unsupported_media(asked(), target(model)) is None
    assert PROVIDER.most_per_run(asked(count=4), target(model)) == 1
    assert PROVIDER.patience_s(asked(), target(model, deadline_s=7)) == 7
    assert PROVIDER.build_cancel(target(model), "x") is None


def test_the_key_travels_in_its_header_and_never_to_the_files() -> None:
    assert PROVIDER.auth(KEY) == {"authorization": f"Bearer {KEY}"}
    assert PROVIDER.file_headers(KEY) == {}
    assert makes_media(PROVIDER, "image")
    assert not makes_media(PROVIDER, "music")
    assert {"fal.media", ".fal.media", ".replicate.delivery"} <= set(PROVIDER.file_hosts)


@pytest.mark.parametrize(
    ("size", "pixels"),
    [
        ((1024, 1024), (1024, 1024)),
        ((2048, 2048), (1024, 1024)),
        ((1920, 1080), (1360, 768)),
        ((1584, 396), (1440, 352)),
        ((64, 64), (256, 256)),
    ],
)
def test_no_more_is_made_than_a_megapixel_which_is_what_the_price_pays(
    size: tuple[int, int], pixels: tuple[int, int]
) -> None:
    request = asked(width=size[0], height=size[1])
    assert PROVIDER.unsupported_media(request, target(FAL)) is None
    assert sent(request, FAL)["image_size"] == {"width": pixels[0], "height": pixels[1]}


def test_what_cannot_be_served_is_named() -> None:
    for request, model, field in (
        (asked(), "novita/some-model", "model"),
        (asked(), "fal-ai", "model"),
        (asked(), "replicate/black-forest-labs/flux-9", "model"),
        (asked(seed=-1), FAL, "seed"),
        (asked(seed=2**31), FAL, "seed"),
        (asked(seed=2**31 - 1), FAL, None),
        (asked(seed=2**31 - 1, count=2), FAL, "seed"),
        (asked(width=2200, height=2200), FAL, "size"),
        (asked(width=2048, height=300), FAL, "size"),
        (asked(background="transparent"), FAL, "background"),
        (asked(moderation="low"), OWN, "moderation"),
        (asked(output_compression=50), FAL, "output_compression"),
    ):
        assert PROVIDER.unsupported_media(request, target(model)) == field
    with pytest.raises(InvalidRequest):
        PROVIDER.build_submission(asked(), target("novita/some-model"))


def test_fal_gives_an_address_and_the_seed_it_took() -> None:
    body = {
        "images": [{"url": FILE, "content_type": "image/png", "width": 1024, "height": 768}],
        "seed": 42,
        "has_nsfw_concepts": [False],
    }
    made = read(answered(body), FAL, asked(size="1024x1024"))
    assert isinstance(made, Made)
    [file] = made.files
    assert (file.url, file.media_type, file.seed) == (FILE, "image/png", 42)
    assert made.use == MediaUse(item_count=1, size="1024x1024")


def test_a_picture_that_fal_s_filter_caught_is_a_refusal_although_it_came() -> None:
    failure = failed(answered({"images": [{"url": FILE}], "has_nsfw_concepts": [True]}))
    assert isinstance(failure, UpstreamRefused)
    assert (failure.status, failure.provider_status) == (400, 200)


@pytest.mark.parametrize("model", [NSCALE, TOGETHER])
def test_openai_s_shape_gives_base64(model: str) -> None:
    body = {"data": [{"index": 0, "url": None, "b64_json": "iVBORw=="}]}
    made = read(answered(body), model, asked(seed=7))
    assert isinstance(made, Made)
    [file] = made.files
    assert (file.data, file.seed) == (b"\x89PNG", 8)


def test_hugging_face_s_own_inference_gives_the_bytes() -> None:
    made = read(answered(b"\xff\xd8\xff rest", kind="image/jpeg"), OWN, asked(seed=7))
    assert isinstance(made, Made)
    [file] = made.files
    assert (file.data, file.media_type, file.seed) == (b"\xff\xd8\xff rest", "image/jpeg", 8)


def test_replicate_may_be_done_or_is_asked_for() -> None:
    running = {"id": PREDICTION, "status": "processing", "output": None}
    assert read(answered(running, status=202), REPLICATE) == Running(upstream_id=PREDICTION)
    question = PROVIDER.build_poll(target(REPLICATE), PREDICTION)
    assert (question.method, question.path) == ("GET", f"/replicate/v1/predictions/{PREDICTION}")
    done = {"id": PREDICTION, "status": "succeeded", "output": ["https://replicate.delivery/a"]}
    made = PROVIDER.parse_poll(asked(seed=7), target(REPLICATE), answered(done))
    assert isinstance(made, Made)
    assert (made.files[0].url, made.files[0].seed) == ("https://replicate.delivery/a", 7)


def test_wavespeed_s_task_is_asked_for_until_it_ends() -> None:
    begun = {"code": 200, "data": {"id": "t1", "status": "created", "outputs": []}}
    assert read(answered(begun), WAVESPEED) == Running(upstream_id="t1")
    question = PROVIDER.build_poll(target(WAVESPEED), "t1")
    assert question.path == "/wavespeed/api/v3/predictions/t1/result"
    done = {"code": 200, "data": {"id": "t1", "status": "completed", "outputs": [FILE]}}
    made = PROVIDER.parse_poll(asked(), target(WAVESPEED), answered(done))
    assert isinstance(made, Made)
    assert made.files[0].url == FILE
    gone = {"code": 200, "data": {"id": "t1", "status": "cancelled"}}
    stopped = PROVIDER.parse_poll(asked(), target(WAVESPEED), answered(gone))
    assert stopped == Stopped(billed=False)
    inside = answered({"code": 429, "message": "Too many requests"})
    assert isinstance(failed(inside, WAVESPEED), UpstreamOverloaded)


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (400, {"error": "prompt: too long"}, UpstreamRefused, "prompt: too long"),
        (400, {"error": ["Error in `parameters.width`"]}, UpstreamRefused, "Error in `parameters"),
        (422, {"detail": [{"msg": "field required", "type": "x"}]}, UpstreamRefused, "field req"),
        (400, {"error": {"message": "NSFW content"}}, UpstreamRefused, "NSFW content"),
        (401, {"error": "Invalid username or password."}, UpstreamError, "The provider did not"),
        (404, {"error": "Not Found"}, UpstreamError, "The provider does not know"),
        (429, {"error": "Rate limit reached"}, UpstreamOverloaded, "The provider is overloaded"),
        (500, {"error": "Internal"}, UpstreamError, "The provider failed"),
        (402, b"Pay-as-you go is not enabled", UpstreamQuota, "The gateway's quota"),
        (402, {"error": "You have exceeded"}, UpstreamQuota, "The gateway's quota"),
        (403, {"detail": "User is locked. Reason: Exhausted balance."}, UpstreamQuota, "The gatew"),
        (502, b"<html>Bad gateway</html>", UpstreamError, "The provider failed"),
    ],
)
def test_errors_of_all_shapes_are_read(
    status: int, body: object, kind: type[UpstreamFailure], message: str
) -> None:
    failure = failed(answered(body, status=status))
    assert type(failure) is kind
    assert failure.message.startswith(message)
    assert failure.provider_status == status
    assert "http" not in failure.message


def test_a_model_that_is_being_loaded_is_waited_for() -> None:
    body = {"error": "Model is currently loading", "estimated_time": 20.5}
    failure = failed(answered(body, status=503), OWN)
    assert isinstance(failure, UpstreamOverloaded)
    assert (failure.retry_after_s, failure.provider_status) == (21, 503)
    plain = failed(answered({"error": "busy"}, status=503), OWN)
    assert (type(plain), plain.retryable) == (UpstreamError, True)


@each_model
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"<html>",
        b"\xff\xfe",
        b'{"images":[]}',
        b'{"images":[{"url":"ftp://x"}]}',
        b'{"data":[]}',
        b'{"data":[{"b64_json":""}]}',
        b'{"id":"x","status":"succeeded","output":{}}',
        b'{"code":200,"data":{"id":"t","status":"completed","outputs":[]}}',
    ],
)
def test_a_success_without_a_picture_is_invalid(model: str, body: bytes) -> None:
    failure = failed(answered(body), model)
    assert isinstance(failure, UpstreamInvalid)
    assert not failure.retryable


def test_a_task_that_is_not_known_any_more_is_not_asked_for_again() -> None:
    with pytest.raises(UpstreamError) as caught:
        PROVIDER.parse_poll(asked(), target(WAVESPEED), answered(b"", status=404))
    assert not caught.value.retryable
