"""Images of WaveSpeed, Hugging Face and Gemini by POST /v1/images: real processes and files."""

import io
from typing import Any

import pytest
from PIL import Image

from tests.gateway.conftest import Payer
from tests.gateway.media_stage import fetched

CREDIT = 1_000_000
PATIENCE_S = 70
KREA = "FLUX.1-Krea-dev"
MODELS = [
    ("wavespeed", "ideogram-v3-turbo", 36),
    ("wavespeed", "qwen-image", 24),
    ("huggingface", KREA, 30),
    ("huggingface", "FLUX.1-schnell", 4),
    ("gemini", "gemini-3.1-flash-image", 81),
]
"""Provider, model, and what an image of it costs on the tier managed."""
FAILING = [
    ("qwen-image", "fail=memory", 502),
    ("qwen-image", "refusal", 400),
    ("qwen-image", "status=400 code=inside", 400),
    (KREA, "status=402", 503),
    (KREA, "refusal", 400),
    (KREA, "content_filter", 400),
    ("FLUX.1-schnell", "files=none", 502),
    ("gemini-3.1-flash-image", "refusal", 400),
    ("gemini-3.1-flash-image", "content_filter", 400),
    ("gemini-3.1-flash-image", "files=none", 400),
]
each_model = pytest.mark.parametrize(("provider", "model", "credits"), MODELS)


def ask(payer: Payer, key: dict[str, str] | None = None, **body: Any) -> Any:
    """Ask for an image."""
    asked = {"prompt": "a lamp", **body}
    return payer.post("/v1/images", json=asked, headers=key or {}, timeout=PATIENCE_S)


def size_of(url: str) -> tuple[int, int]:
    """Fetch and open a picture."""
    answer = fetched(url)
    assert answer.status_code == 200
    with Image.open(io.BytesIO(answer.content)) as image:
        image.load()
        return image.size


@each_model
def test_an_image_is_made_to_the_pixel_and_charged_once(
    media_payer: Payer, provider: str, model: str, credits: int
) -> None:
    answer = ask(media_payer, model=model, width=1200, height=628)
    assert answer.status_code == 200, answer.text
    [url] = answer.json()["output"]
    assert size_of(url) == (1200, 628)
    assert media_payer.balance() == ((1000 - credits) * CREDIT, 0)
    [used] = media_payer.usage()
    assert (used["provider"], used["model"], used["status"]) == (provider, model, "succeeded")
    assert used["charge_ucr"] == credits * CREDIT
    assert len(media_payer.entries()) == 1


@pytest.mark.parametrize("model", ["qwen-image", KREA, "gemini-3.1-flash-image"])
def test_a_seed_gives_other_pictures_and_the_same_ones_again(
    media_payer: Payer, model: str
) -> None:
    first = ask(media_payer, model=model, seed=7, num_outputs=2)
    assert first.status_code == 200, first.text
    again = ask(media_payer, model=model, seed=7, num_outputs=2)
    made = [[fetched(url).content for url in one.json()["output"]] for one in (first, again)]
    assert sorted(made[0]) == sorted(made[1])
    assert made[0][0] != made[0][1]


@pytest.mark.parametrize(("model", "fault", "status"), FAILING)
def test_a_failure_of_the_provider_s_costs_nothing(
    media_payer: Payer, model: str, fault: str, status: int
) -> None:
    answer = ask(media_payer, model=model, prompt=f"[[sandbox {fault}]] a lamp")
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error"}
    assert media_payer.balance() == (1000 * CREDIT, 0)
    assert [entry["kind"] for entry in media_payer.entries()] == ["void"]
    [used] = media_payer.usage()
    assert (used["status"], used["charge_ucr"]) == ("failed", 0)
    for secret in ("127.0.0.1", "fal.ai", "wavespeed", "http"):
        assert secret not in answer.text


@each_model
def test_a_user_s_own_key_pays_for_its_own_images(
    media_payer: Payer, provider: str, model: str, credits: int
) -> None:
    assert credits > 0
    answer = ask(media_payer, {f"x-user-{provider}-key": "user-key"}, model=model)
    assert answer.status_code == 200, answer.text
    assert media_payer.balance() == (1000 * CREDIT, 0)
    [used] = media_payer.usage()
    assert (used["billing"], used["charge_ucr"]) == ("byok", 0)


@pytest.mark.parametrize(("provider", "model", "_credits"), MODELS)
def test_a_refused_key_of_the_user_s_is_not_replaced_by_ours(
    media_payer: Payer, provider: str, model: str, _credits: int
) -> None:
    answer = ask(media_payer, {f"x-user-{provider}-key": "user-invalid"}, model=model)
    assert answer.status_code == 401, answer.text
    assert f"x-user-{provider}-key" in answer.json()["error"]
    assert media_payer.balance() == (1000 * CREDIT, 0)
    [used] = media_payer.usage()
    assert (used["billing"], used["status"]) == ("byok", "failed")
