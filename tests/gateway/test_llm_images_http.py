"""Images in OpenAI's form: the llm surface's guide to the letter, and OpenAI's own SDK."""

import base64
import io
from typing import Any

import openai
import pytest
from PIL import Image

from tests.gateway.conftest import MakePayer, Payer
from tests.gateway.media_stage import fetched

CREDIT = 1_000_000
PATIENCE_S = 70
LLM = "/api/v1/llm/image/generations"


def ask(payer: Payer, path: str = LLM, **body: Any) -> Any:
    """Ask for an image."""
    return payer.post(path, json={"prompt": "a unicorn", **body}, timeout=PATIENCE_S)


def size_of(data: bytes) -> tuple[int, int]:
    """Measure a picture."""
    return Image.open(io.BytesIO(data)).size


@pytest.mark.parametrize(
    ("body", "size", "provider", "credits"),
    [
        ({}, (1024, 1024), "OpenAI", 48),
        ({"quality": "hd"}, (1024, 1024), "OpenAI", 96),
        ({"size": "1792x1024", "style": "natural"}, (1792, 1024), "OpenAI", 96),
        ({"model": "dall-e-2", "size": "256x256", "n": 3}, (256, 256), "OpenAI", 60),
        ({"model": "stable-diffusion-xl"}, (1024, 1024), "Stability AI", 6),
        (
            {"model": "stable-diffusion-3", "size": "1536x1536", "n": 2},
            (1536, 1536),
            "Stability AI",
            24,
        ),
    ],
)
def test_each_model_of_the_guide_makes_its_sizes_at_its_price(
    media_payer: Payer,
    body: dict[str, Any],
    size: tuple[int, int],
    provider: str,
    credits: int,
) -> None:
    answer = ask(media_payer, **body)
    assert answer.status_code == 200, answer.text
    shown = answer.json()
    assert set(shown) == {"created", "data", "_metadata"}
    count = body.get("n", 1)
    assert shown["_metadata"] == {
        "provider_used": provider,
        "cost_incurred": float(credits),
        "credits_remaining": float(1000 - credits),
        "images_generated": count,
        "size": f"{size[0]}x{size[1]}",
        "quality": body.get("quality", "standard"),
    }
    assert len(shown["data"]) == count
    for one in shown["data"]:
        picture = fetched(one["url"])
        assert picture.status_code == 200
        assert size_of(picture.content) == size
    assert media_payer.balance() == ((1000 - credits) * CREDIT, 0)
    [used] = media_payer.usage()
    assert (used["item_count"], used["charge_ucr"]) == (count, credits * CREDIT)


def test_the_receipt_says_what_each_image_cost(media_payer: Payer) -> None:
    made = ask(media_payer, quality="hd", n=2)
    receipt = media_payer.get(f"/v1/credits/receipts/{made.headers['x-request-id']}").json()
    assert receipt["usage"] == {
        "source": "provider",
        "items": 2,
        "size": "1024x1024",
        "quality": "hd",
        "media_ms": None,
        "lines": [{"class": "image", "quantity": 2, "unit_price": 80.0, "per": 1, "amount": 160.0}],
    }
    assert receipt["charge"]["amount"] == 192.0
    assert receipt["hold"] == {"amount": 192.0, "state": "settled"}


def test_both_spellings_of_the_path_answer(media_payer: Payer) -> None:
    answer = ask(
        media_payer,
        "/api/v1/llm/images/generations",
        model="stable-diffusion-xl",
        size="512x512",
        response_format="b64_json",
    )
    assert answer.status_code == 200, answer.text
    [one] = answer.json()["data"]
    assert set(one) == {"b64_json"}
    assert size_of(base64.b64decode(one["b64_json"])) == (512, 512)


def test_a_wallet_that_does_not_afford_it_gets_the_guide_s_words(
    make_media_payer: MakePayer,
) -> None:
    poor = make_media_payer(credits=10.5, tier="vip_founder")
    answer = ask(poor)
    assert answer.status_code == 402
    assert answer.json() == {
        "detail": "Insufficient credits. Balance: 10.5, Estimated cost: 40.0 credits"
    }
    assert poor.balance() == (10_500_000, 0)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"size": "512x512"}, "size"),
        ({"model": "dall-e-2", "quality": "hd"}, "hd"),
        ({"size": "huge"}, "size"),
        ({"n": 11}, "n"),
        ({"style": "loud"}, "style"),
        ({"response_format": "png"}, "response_format"),
        ({"stream": True}, "stream"),
        ({"steps": 4}, "steps"),
        ({"prompt": ""}, "prompt"),
        ({"model": "gpt-5"}, "gpt-5"),
    ],
)
def test_bad_input_is_refused_by_name_and_nothing_is_held(
    media_payer: Payer, body: dict[str, Any], named: str
) -> None:
    answer = ask(media_payer, **body)
    assert answer.status_code == 400, answer.text
    assert set(answer.json()) == {"detail"}
    assert named in answer.json()["detail"]
    assert media_payer.balance() == (1000 * CREDIT, 0)


def test_a_partial_success_is_charged_for_what_was_made(media_payer: Payer) -> None:
    answer = ask(
        media_payer,
        "/v1/images",
        prompt="[[sandbox blocked=1]] a lamp",
        num_outputs=3,
    )
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["output"]) == 2
    assert media_payer.balance() == ((1000 - 8) * CREDIT, 0)


def client_of(payer: Payer) -> openai.OpenAI:
    """Give OpenAI's own client, with nothing but the address and the key changed."""
    return openai.OpenAI(base_url=f"{payer.url}/v1", api_key=payer.key, max_retries=0)


def test_the_official_sdk_makes_images_by_name(media_payer: Payer) -> None:
    with client_of(media_payer) as client:
        made = client.images.generate(
            model="gpt-image-2", prompt="a unicorn", size="1024x1024", quality="low"
        )
        raw = client.images.with_raw_response.generate(model="dall-e-3", prompt="a unicorn")
        pictures = raw.parse().data
    assert made.data is not None
    assert made.data[0].b64_json is not None
    assert size_of(base64.b64decode(made.data[0].b64_json)) == (1024, 1024)
    assert (made.size, made.quality, made.output_format) == ("1024x1024", "low", "png")
    assert raw.headers["x-credits-charged"] == "48.0"
    assert pictures is not None
    assert fetched(pictures[0].url or "").status_code == 200
    assert media_payer.balance() == ((1000 - 8 - 48) * CREDIT, 0)


def test_the_official_sdk_sees_its_own_errors(
    media_payer: Payer, make_media_payer: MakePayer
) -> None:
    with client_of(media_payer) as client:
        with pytest.raises(openai.BadRequestError) as refused:
            client.images.generate(model="dall-e-3", prompt="x", size="256x256")
        with pytest.raises(openai.NotFoundError):
            client.images.generate(model="nothing", prompt="x")
    assert refused.value.param == "size"
    with (
        client_of(make_media_payer(credits=1)) as poor_client,
        pytest.raises(openai.APIStatusError) as poor,
    ):
        poor_client.images.generate(model="dall-e-3", prompt="x")
    assert poor.value.status_code == 402
    assert media_payer.balance() == (1000 * CREDIT, 0)
