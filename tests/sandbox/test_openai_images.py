"""The double's images, by the official SDK and byte by byte."""

import io
import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types import ImagesResponse
from PIL import Image

from gateway.operations.image import ImageRequest
from gateway.providers.media import MediaTarget
from gateway.providers.openai import PROVIDER
from tests.sandbox.caller import Answer, Caller
from tests.sandbox.openapi import violations

SPEC = Path(__file__).resolve().parents[3] / "shared/wire/specs/openai.openapi.json"
MODEL = "gpt-image-2.5-flare"


@pytest.fixture(scope="session")
def spec() -> Any:  # noqa: ANN401 - a JSON document
    """Load OpenAI's document, or say plainly that these claims go unchecked."""
    if not SPEC.exists():
        pytest.skip(f"NOT CHECKED AGAINST OPENAI'S SPEC: there is no {SPEC}")
    return json.loads(SPEC.read_bytes())


def draw(caller: Caller, **fields: Any) -> Answer:
    """Ask for an image without an SDK."""
    body = {"model": MODEL, "prompt": "A lamp", **fields}
    return caller.send("POST", "/openai/v1/images/generations", body=json.dumps(body).encode())


def picture(answer: ImagesResponse, index: int = 0) -> Image.Image:
    """Open a picture of an answer."""
    assert answer.data is not None
    encoded = answer.data[index].b64_json
    assert encoded is not None
    image = Image.open(io.BytesIO(b64decode(encoded, validate=True)))
    image.load()
    return image


def test_the_sdk_gets_pictures_as_base64_and_what_they_used(client: openai.OpenAI) -> None:
    answer = client.images.generate(
        model=MODEL, prompt="A lamp on a pier", n=2, size="1536x864", quality="low"
    )
    assert answer.data is not None
    assert [item.url for item in answer.data] == [None, None]
    assert [picture(answer, index).size for index in (0, 1)] == [(1536, 864)] * 2
    assert answer.data[0].b64_json != answer.data[1].b64_json
    assert (answer.size, answer.quality, answer.output_format) == ("1536x864", "low", "png")
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (5, 2 * 345)
    assert answer.usage.total_tokens == 695


def test_the_same_body_is_the_same_picture(client: openai.OpenAI) -> None:
    first = client.images.generate(model=MODEL, prompt="A lamp")
    assert client.images.generate(model=MODEL, prompt="A lamp") == first
    assert client.images.generate(model=MODEL, prompt="Another") != first


@pytest.mark.parametrize("form", ["png", "jpeg", "webp"])
def test_the_format_is_the_one_asked_for(client: openai.OpenAI, form: Any) -> None:
    answer = client.images.generate(model=MODEL, prompt="A lamp", output_format=form)
    assert picture(answer).format == form.upper()
    assert (answer.size, answer.quality, answer.background) == ("1024x1024", "high", "opaque")


async def test_the_async_client_works(sandbox_url: str) -> None:
    url = f"{sandbox_url}/openai/v1"
    async with openai.AsyncOpenAI(api_key="sk-1", base_url=url, max_retries=0) as client:
        answer = await client.images.generate(model=MODEL, prompt="A lamp", size="1024x1536")
    assert picture(answer).size == (1024, 1536)


def test_headers_come_with_the_raw_response(client: openai.OpenAI) -> None:
    raw = client.images.with_raw_response.generate(model=MODEL, prompt="A lamp")
    assert raw.headers["x-request-id"].startswith("req_")
    assert picture(raw.parse()).size == (1024, 1024)


@pytest.mark.parametrize(("word", "stage"), [("refusal", "input"), ("content_filter", "output")])
def test_the_filter_refuses_on_demand(client: openai.OpenAI, word: str, stage: str) -> None:
    with pytest.raises(openai.BadRequestError, match="safety system") as failed:
        client.images.generate(model=MODEL, prompt=f"[[sandbox {word}]]")
    assert failed.value.code == "moderation_blocked"
    assert failed.value.type == "image_generation_user_error"
    assert isinstance(failed.value.body, dict)
    assert failed.value.body["moderation_details"]["moderation_stage"] == stage


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("status=429 code=insufficient_quota", openai.RateLimitError),
        ("status=429 retry_after=2", openai.RateLimitError),
        ("status=500", openai.InternalServerError),
        ("drop", openai.APIConnectionError),
        ("cut_at=100", openai.APIConnectionError),
    ],
)
def test_faults_reach_images(
    client: openai.OpenAI, words: str, error: type[openai.APIError]
) -> None:
    with pytest.raises(error):
        client.images.generate(model=MODEL, prompt=f"A lamp [[sandbox {words}]]")


@pytest.mark.parametrize("model", ["dall-e-2", "dall-e-3", "gpt-image-1"])
def test_models_that_have_ended_are_not_found(client: openai.OpenAI, model: str) -> None:
    with pytest.raises(openai.NotFoundError) as failed:
        client.images.generate(model=model, prompt="A lamp")
    assert failed.value.code == "model_not_found"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": None}, "prompt"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": "a" * 32_001}, "prompt"),
        ({"model": "gpt-5"}, "model"),
        ({"n": 0}, "n"),
        ({"n": 11}, "n"),
        ({"n": "2"}, "n"),
        ({"size": "1000x1000"}, "size"),
        ({"size": "800x800"}, "size"),
        ({"size": "4096x1024"}, "size"),
        ({"size": "3840x1264"}, "size"),
        ({"size": "3840x2176"}, "size"),
        ({"size": "big"}, "size"),
        ({"size": "1792x1024", "model": "gpt-image-1.5"}, "size"),
        ({"quality": "standard"}, "quality"),
        ({"quality": "max", "model": "gpt-image-2"}, "quality"),
        ({"output_format": "gif"}, "output_format"),
        ({"output_compression": 50}, "output_compression"),
        ({"output_compression": 101, "output_format": "jpeg"}, "output_compression"),
        ({"background": "transparent", "output_format": "jpeg"}, "background"),
        ({"background": "red"}, "background"),
        ({"moderation": "high"}, "moderation"),
        ({"user": 7}, "user"),
        ({"safety_identifier": "u" * 65}, "safety_identifier"),
        ({"response_format": "url"}, "response_format"),
        ({"style": "vivid"}, "style"),
        ({"stream": True}, "stream"),
    ],
)
def test_what_openai_refuses_is_refused(caller: Caller, fields: dict[str, Any], param: str) -> None:
    answer = draw(caller, **fields)
    assert (answer.status, answer.json()["error"]["param"]) == (400, param)


@pytest.mark.parametrize(
    ("word", "lengths"), [("fewer", [1, 2]), ("none", [0, 0]), ("cut", [2, 3]), ("text", [2, 3])]
)
def test_files_go_missing_or_bad_on_demand(caller: Caller, word: str, lengths: list[int]) -> None:
    prompt = f"[[sandbox files={word}]]"
    assert [len(draw(caller, prompt=prompt, n=n).json()["data"]) for n in (2, 3)] == lengths
    for item in draw(caller, prompt=prompt).json()["data"]:
        with (
            pytest.raises((OSError, SyntaxError)),
            Image.open(io.BytesIO(b64decode(item["b64_json"]))) as image,
        ):
            image.load()


def test_usage_is_wrong_or_missing_on_demand(caller: Caller) -> None:
    assert "usage" not in draw(caller, prompt="[[sandbox missing_usage]]").json()
    assert draw(caller, prompt="[[sandbox usage=-5]]").json()["usage"]["total_tokens"] == -5


def test_the_journal_shows_the_request_and_not_the_key(caller: Caller, mark: str) -> None:
    draw(caller, prompt=mark)
    (entry,) = caller.journal(mark)
    assert (entry["path"], entry["status"]) == ("/openai/v1/images/generations", 200)
    assert entry["headers"]["authorization"]["last_four"] == "1234"


@pytest.mark.parametrize(
    "fields",
    [{}, {"n": 2, "quality": "low"}, {"output_format": "webp", "background": "transparent"}],
)
def test_answers_are_documented(
    spec: dict[str, Any], caller: Caller, fields: dict[str, Any]
) -> None:
    answer = draw(caller, **fields)
    assert answer.status == 200
    assert violations(spec, "ImagesResponse", answer.json()) == []


def test_what_the_gateway_asks_for_is_documented(spec: dict[str, Any]) -> None:
    request = ImageRequest(
        prompt="A lamp",
        width=1792,
        height=1024,
        quality="hd",
        style="vivid",
        output_format="jpeg",
        output_compression=50,
        background="opaque",
        moderation="low",
        user="u",
    )
    sent = PROVIDER.build_submission(request, MediaTarget(model=MODEL))
    assert violations(spec, "CreateImageRequest", json.loads(sent.body)) == []
