"""OpenRouter's images, by the official SDK and byte by byte."""

import io
import json
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

import pytest
from openrouter import OpenRouter, components, errors
from openrouter.utils import BackoffStrategy, RetryConfig
from PIL import Image

from gateway.operations.image import ImageRequest
from gateway.providers.media import MediaTarget
from gateway.providers.openrouter import PROVIDER
from tests.sandbox.caller import Answer, Caller
from tests.sandbox.openapi import violations
from tests.sandbox.test_openrouter_spec import spec

__all__ = ["spec"]

GPT, GEMINI = "openai/gpt-image-2", "google/gemini-3-image"
NEVER = RetryConfig("none", BackoffStrategy(1, 1, 1, 2000, jitter_ms=0), False)


@pytest.fixture
def router(sandbox_url: str) -> Iterator[OpenRouter]:
    """Call the double with OpenRouter's own SDK, without its retries."""
    url = f"{sandbox_url}/openrouter/api/v1"
    with OpenRouter(api_key="sk-or-v1-1234", server_url=url, retry_config=NEVER) as made:
        yield made


def draw(caller: Caller, **fields: Any) -> Answer:
    """Ask for an image without an SDK."""
    body = {"model": GEMINI, "prompt": "A lamp", **fields}
    return caller.send("POST", "/openrouter/api/v1/images", body=json.dumps(body).encode())


def size_of(encoded: str) -> tuple[str | None, tuple[int, int]]:
    """Open a picture and give its format and size."""
    with Image.open(io.BytesIO(b64decode(encoded, validate=True))) as image:
        image.load()
        return image.format, image.size


def test_the_sdk_gets_pictures_and_their_cost(router: OpenRouter) -> None:
    answer = router.images.generate(model=GEMINI, prompt="A lamp on a pier", aspect_ratio="16:9")
    assert size_of(answer.data[0].b64_json) == ("PNG", (1360, 768))
    assert answer.data[0].media_type == "image/png"
    assert answer.usage is not None
    tokens = -(-1290 * 1360 * 768 // 1024**2)
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (5, tokens)
    assert answer.usage.cost == pytest.approx(0.00003 * (tokens + 5))
    assert answer.usage.is_byok is False


def test_openai_s_models_make_several_at_once_and_others_one(router: OpenRouter) -> None:
    several = router.images.generate(model=GPT, prompt="A lamp", n=3, size="1792x1024")
    assert [size_of(item.b64_json)[1] for item in several.data] == [(1792, 1024)] * 3
    assert len({item.b64_json for item in several.data}) == 3
    with pytest.raises(errors.BadRequestResponseError, match="n > 1"):
        router.images.generate(model=GEMINI, prompt="A lamp", n=2)


async def test_the_async_client_works(sandbox_url: str) -> None:
    url = f"{sandbox_url}/openrouter/api/v1"
    async with OpenRouter(api_key="sk-or-v1-1", server_url=url, retry_config=NEVER) as client:
        answer = await client.images.generate_async(
            model=GEMINI, prompt="A lamp", size="2K", output_format="webp"
        )
    assert size_of(answer.data[0].b64_json) == ("WEBP", (2048, 2048))


def test_a_seed_is_the_same_picture_for_other_words(router: OpenRouter) -> None:
    first, second = (
        router.images.generate(model=GEMINI, prompt=prompt, seed=7).data[0].b64_json
        for prompt in ("A lamp", "A boat")
    )
    assert first == second


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("refusal", errors.ForbiddenResponseError),
        ("status=402", errors.PaymentRequiredResponseError),
        ("status=429 retry_after=2", errors.TooManyRequestsResponseError),
        ("status=502", errors.BadGatewayResponseError),
    ],
)
def test_faults_reach_images(
    router: OpenRouter, words: str, error: type[errors.OpenRouterError]
) -> None:
    with pytest.raises(error):
        router.images.generate(model=GEMINI, prompt=f"A lamp [[sandbox {words}]]")


@pytest.mark.parametrize(
    ("words", "code"),
    [("content_filter", 400), ("error_event", 502), ("error_event code=503", 503)],
)
def test_errors_come_with_200_on_demand(caller: Caller, words: str, code: int) -> None:
    answer = draw(caller, prompt=f"A lamp [[sandbox {words}]]")
    assert (answer.status, answer.json()["error"]["code"]) == (200, code)
    assert "data" not in answer.json()


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt": ""},
        {"prompt": None},
        {"model": "gpt-image-2"},
        {"model": None},
        {"n": 0},
        {"n": 11, "model": GPT},
        {"aspect_ratio": "7:3"},
        {"resolution": "8K"},
        {"size": "1024x1024", "aspect_ratio": "1:1"},
        {"size": "2K", "resolution": "4K"},
        {"size": "big"},
        {"size": "1000x1000", "model": GPT},
        {"quality": "hd"},
        {"output_format": "gif"},
        {"output_compression": 101},
        {"background": "transparent", "output_format": "jpeg"},
        {"seed": 1.5},
        {"moderation": "low"},
    ],
)
def test_what_openrouter_refuses_is_refused(caller: Caller, fields: dict[str, Any]) -> None:
    answer = draw(caller, **fields)
    assert (answer.status, answer.json()["error"]["code"]) == (400, 400)


@pytest.mark.parametrize("fields", [{}, {"resolution": "512"}, {"output_format": "jpeg"}])
def test_answers_are_documented(
    spec: dict[str, Any],  # noqa: F811 - the fixture of the document's own tests
    caller: Caller,
    fields: dict[str, Any],
) -> None:
    answer = draw(caller, **fields)
    assert answer.status == 200
    assert violations(spec, "ImageGenerationResponse", answer.json()) == []


@pytest.mark.parametrize("model", [GPT, GEMINI])
def test_what_the_gateway_asks_for_is_documented_in_the_sdk(model: str) -> None:
    request = ImageRequest(
        prompt="A lamp",
        width=3000,
        height=2000,
        quality="hd",
        style="vivid",
        output_format="jpeg",
        output_compression=50,
        background="opaque",
        user="u",
        seed=7,
    )
    sent = json.loads(PROVIDER.build_submission(request, MediaTarget(model=model)).body)
    read = components.ImageGenerationRequest.model_validate(sent)
    assert sent.keys() <= components.ImageGenerationRequest.model_fields.keys()
    assert read.model_dump() == sent
