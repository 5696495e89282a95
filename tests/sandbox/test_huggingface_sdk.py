"""The official SDK finds in the sandbox what it would find behind Hugging Face's router.

Its requests for Hugging Face's hosts are sent to the sandbox by a client of its own making.
"""

import io
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx2 as httpx
import pytest
from huggingface_hub import InferenceClient, close_session, set_client_factory
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.inference._providers._common import _fetch_inference_provider_mapping
from PIL import Image

from tests.sandbox.caller import Caller

DEV, SCHNELL = "black-forest-labs/FLUX.1-dev", "black-forest-labs/FLUX.1-schnell"
KREA = "black-forest-labs/FLUX.1-Krea-dev"
SERVED = [
    ("fal-ai", DEV),
    ("fal-ai", KREA),
    ("nscale", SCHNELL),
    ("together", DEV),
    ("replicate", SCHNELL),
]
"""Who takes a size in sides as the SDK sends it."""


class _ToSandbox(httpx.BaseTransport):
    """Send what is for Hugging Face to the sandbox, and everything else where it belongs."""

    def __init__(self, sandbox_url: str) -> None:
        self._inner = httpx.HTTPTransport()
        self._sandbox = urlsplit(sandbox_url)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host in ("router.huggingface.co", "huggingface.co"):
            request.url = request.url.copy_with(
                scheme="http",
                host=self._sandbox.hostname,
                port=self._sandbox.port,
                path=f"/huggingface{request.url.path}",
            )
            request.headers["host"] = self._sandbox.netloc
        return self._inner.handle_request(request)

    def close(self) -> None:
        self._inner.close()


@pytest.fixture(autouse=True)
def _hub(sandbox_url: str) -> Iterator[None]:
    set_client_factory(lambda: httpx.Client(transport=_ToSandbox(sandbox_url), timeout=30))
    _fetch_inference_provider_mapping.cache_clear()
    yield
    close_session()
    set_client_factory(httpx.Client)


def drawn(provider: Any, model: str, prompt: str = "A lamp", **given: Any) -> Image.Image:
    """Draw a picture by the official SDK."""
    client = InferenceClient(provider=provider, api_key="hf_sandbox1234")
    image: Image.Image = client.text_to_image(prompt, model=model, **given)
    image.load()
    return image


def file_of(image: Image.Image) -> bytes:
    """Write a picture's pixels."""
    written = io.BytesIO()
    image.save(written, "PNG")
    return written.getvalue()


@pytest.mark.parametrize(("provider", "model"), SERVED)
def test_a_real_picture_comes_from_each_provider(provider: str, model: str) -> None:
    assert min(drawn(provider, model).size) >= 768


@pytest.mark.parametrize(("provider", "model"), SERVED[:4])
def test_a_size_and_a_seed_are_kept(provider: str, model: str) -> None:
    made = [
        drawn(provider, model, width=640, height=512, seed=seed, num_inference_steps=4)
        for seed in (1, 1, 2)
    ]
    assert made[0].size == (640, 512)
    assert file_of(made[0]) == file_of(made[1]) != file_of(made[2])


def test_hugging_face_s_own_inference_is_found_by_its_address(sandbox_url: str) -> None:
    address = f"{sandbox_url}/huggingface/hf-inference/models/{DEV}"
    client = InferenceClient(model=address, token="hf_sandbox1234")
    image = client.text_to_image("A lamp", width=512, height=512, negative_prompt="cats", seed=3)
    assert (image.format, image.size) == ("JPEG", (512, 512))


def test_wavespeed_behind_the_router_is_asked_until_its_end() -> None:
    prompt = "[[sandbox starting_ms=1 running_ms=1]] A lamp"
    assert drawn("wavespeed", DEV, prompt, seed=3).size == (1024, 1024)


def test_who_serves_a_model_can_be_asked(caller: Caller) -> None:
    path = f"/huggingface/api/models/{KREA}?expand=inferenceProviderMapping"
    answer = caller.send("GET", path)
    assert answer.json()["inferenceProviderMapping"] == {
        "fal-ai": {
            "status": "live",
            "providerId": "fal-ai/flux/krea",
            "task": "text-to-image",
        }
    }
    with pytest.raises(ValueError, match="not supported by provider nscale"):
        drawn("nscale", DEV)


@pytest.mark.parametrize(
    ("key", "prompt", "status"),
    [
        ("hf_invalid", "A lamp", 401),
        ("hf_quota", "A lamp", 402),
        ("hf_ratelimited", "A lamp", 429),
        ("hf_1", "[[sandbox status=500]] A lamp", 500),
        ("hf_1", "[[sandbox refusal]] A lamp", 422),
        ("hf_1", " ", 422),
    ],
)
def test_what_is_refused_is_told_with_its_status(key: str, prompt: str, status: int) -> None:
    client = InferenceClient(provider="fal-ai", api_key=key)
    with pytest.raises(HfHubHTTPError) as refused:
        client.text_to_image(prompt, model=DEV)
    assert refused.value.response.status_code == status


@pytest.mark.parametrize("given", [{"extra_body": {"wings": 2}}, {"width": 513, "height": 512}])
def test_unknown_fields_and_sizes_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(HfHubHTTPError, match="422"):
        drawn("fal-ai", DEV, **given)


def test_a_model_may_be_loading(caller: Caller) -> None:
    path = f"/huggingface/hf-inference/models/{DEV}"
    body = b'{"inputs": "[[sandbox status=503 code=loading]] A lamp"}'
    answer = caller.send("POST", path, body=body)
    assert (answer.status, answer.json()["estimated_time"]) == (503, 20.0)


def test_what_fal_s_filter_caught_is_said_to_be_caught(caller: Caller) -> None:
    body = b'{"prompt": "[[sandbox content_filter]] A lamp"}'
    answer = caller.send("POST", "/huggingface/fal-ai/fal-ai/flux/dev", body=body).json()
    assert answer["has_nsfw_concepts"] == [True]
    file = httpx.get(answer["images"][0]["url"])
    assert (file.status_code, file.headers["content-type"]) == (200, "image/jpeg")
