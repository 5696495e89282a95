"""What Image Studio tells before anything is made: templates, providers, prices, health."""

from dataclasses import replace
from typing import Any

import pytest
import requests

from tests.conftest import StartGateway
from tests.databases import Database
from tests.gateway.conftest import MakePayer, Payer

ROOT = "/api/image-studio"


def test_templates_are_listed_as_published(payer: Payer) -> None:
    answer = payer.get(f"{ROOT}/templates?platform=instagram")
    assert answer.status_code == 200
    body = answer.json()
    assert body["total"] == 4
    assert body["templates"][0] == {
        "id": "instagram_feed_square",
        "name": "Instagram Feed Post (Square)",
        "category": "social_media",
        "platform": "instagram",
        "aspect_ratio": {"ratio": "1:1", "width": 1080, "height": 1080, "label": "Square"},
        "description": "Perfect for Instagram feed posts",
        "recommended_provider": "ideogram",
        "style_preset": "photographic",
        "quality": "premium",
        "use_cases": ["Product showcase", "Lifestyle posts", "Brand content"],
    }


@pytest.mark.parametrize(
    ("path", "total"),
    [
        ("/templates", 52),
        ("/templates?platform=&category=", 52),
        ("/templates?platform=friendster", 0),
        ("/templates?category=blog_content", 5),
        ("/templates?platform=instagram&category=blog_content", 0),
        ("/templates/search?query=linkedin", 4),
        ("/templates/search?query=linkdin", 4),
        ("/templates/search?query=zzz", 0),
        ("/templates/recommend?use_case=product+showcase&platform=instagram", 2),
        ("/templates/recommend?use_case=quantum+physics", 0),
    ],
)
def test_templates_are_filtered_searched_and_recommended(
    payer: Payer, path: str, total: int
) -> None:
    answer = payer.get(ROOT + path)
    assert answer.status_code == 200
    assert (answer.json()["total"], len(answer.json()["templates"])) == (total, total)


def test_recommendations_say_why(payer: Payer) -> None:
    answer = payer.get(f"{ROOT}/templates/recommend?use_case=webinar")
    assert [one["reason"] for one in answer.json()["templates"]] == [
        "Fits 'webinar': made for webinars.",
        "Fits 'webinar': made for webinars.",
    ]


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("/templates/search", "query: required"),
        ("/templates/search?query=", "query: required"),
        ("/templates/search?query=%20!%20", "query: required"),
        (f"/templates/search?query={'x' * 201}", "query: at most"),
        ("/templates/recommend?platform=instagram", "use_case: required"),
        ("/templates?size=1", "size: not known here"),
        ("/providers?size=1", "size: not known here"),
    ],
)
def test_bad_questions_are_refused_by_name(payer: Payer, path: str, named: str) -> None:
    answer = payer.get(ROOT + path)
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(named)


@pytest.mark.parametrize(
    "path",
    ["/templates", "/templates/search?query=x", "/providers", "/personas", "/personas/persona_1"],
)
def test_nothing_but_health_is_told_to_strangers(gateway_url: str, path: str) -> None:
    answer = requests.get(f"{gateway_url}{ROOT}{path}", timeout=10)
    assert answer.status_code == 401
    assert answer.json() == {"detail": "Authenticated user required for image operations."}


@pytest.mark.parametrize("path", ["/create", "/estimate-cost", "/templates", "/personas"])
def test_a_wrong_method_is_405(payer: Payer, path: str) -> None:
    method = "PATCH"
    answer = requests.request(method, f"{payer.url}{ROOT}{path}", timeout=10)
    assert answer.status_code == 405
    assert "detail" in answer.json()


def test_health_is_public_and_says_what_works(gateway_url: str) -> None:
    answer = requests.get(f"{gateway_url}{ROOT}/health", timeout=10)
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "healthy",
        "service": "image_studio",
        "version": "1.0.0",
        "modules": {
            "create_studio": "available",
            "edit_studio": "available",
            "upscale_studio": "available",
            "control_studio": "available",
            "social_optimizer": "available",
            "templates": "available",
            "providers": "available",
        },
    }


def test_providers_are_told_with_the_caller_s_own_prices(make_payer: MakePayer) -> None:
    found = make_payer(tier="managed").get(f"{ROOT}/providers").json()["providers"]
    assert found["stability"] == {
        "name": "Stability AI",
        "models": ["ultra", "core", "sd3.5-large"],
        "capabilities": ["generation", "editing", "upscaling", "control"],
        "max_resolution": "2048x2048",
        "cost_range": "36-96 credits",
    }
    assert found["wavespeed"] == {
        "name": "WaveSpeed AI",
        "models": ["ideogram-v3-turbo", "qwen-image"],
        "capabilities": ["generation"],
        "max_resolution": "2048x2048",
        "cost_range": "24-36 credits",
    }
    assert list(found) == ["stability", "wavespeed", "huggingface", "gemini"]
    free = make_payer(tier="free").get(f"{ROOT}/providers").json()["providers"]
    assert free["stability"]["cost_range"] == "45-120 credits"


def estimate(payer: Payer, **body: Any) -> requests.Response:
    return payer.post(f"{ROOT}/estimate-cost", json=body)


def test_an_estimate_has_the_published_shape(payer: Payer) -> None:
    answer = estimate(
        payer,
        provider="wavespeed",
        model="ideogram-v3-turbo",
        operation="generate",
        num_images=1,
        width=1200,
        height=628,
    )
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "estimated_cost": 36,
        "currency": "credits",
        "provider": "wavespeed",
        "model": "ideogram-v3-turbo",
        "operation": "generate",
        "num_images": 1,
        "excludes": ["prompt_enhancement"],
    }
    assert payer.balance()[1] == 0


@pytest.mark.parametrize(
    ("asked", "cost", "model"),
    [
        ({"provider": "stability"}, 36, "core"),
        ({"provider": "stability", "num_images": 10}, 360, "core"),
        ({"provider": "auto"}, 30, "FLUX.1-Krea-dev"),
        ({"provider": "stability", "operation": "edit"}, 60, "inpaint"),
        ({"provider": "auto", "operation": "outpaint"}, 48, "outpaint"),
        ({"provider": "stability", "operation": "edit.inpaint"}, 60, "inpaint"),
        ({"provider": "gemini", "operation": "edit"}, 83, "gemini-3.1-flash-image-edit"),
        ({"provider": "stability", "operation": "upscale"}, 720, "upscale-creative"),
        ({"provider": "stability", "operation": "fast"}, 24, "upscale-fast"),
        (
            {"provider": "stability", "operation": "upscale", "model": "upscale-conservative"},
            480,
            "upscale-conservative",
        ),
        ({"provider": "stability", "operation": "sketch"}, 60, "control-sketch"),
        ({"provider": "auto", "operation": "social", "num_images": 8}, 0, "social-fit"),
    ],
)
def test_every_operation_is_estimated(
    payer: Payer, asked: dict[str, Any], cost: int, model: str
) -> None:
    answer = estimate(payer, **asked)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["estimated_cost"], answer.json()["model"]) == (cost, model)


def test_by_your_own_key_an_estimate_is_nothing(make_payer: MakePayer) -> None:
    caller = make_payer(tier="byok", credits=0)
    own = {"x-user-stability-key": "sk-user"}
    for operation in ("generate", "inpaint"):
        body = {"provider": "stability", "operation": operation}
        answer = caller.post(f"{ROOT}/estimate-cost", json=body, headers=own)
        assert (answer.status_code, answer.json()["estimated_cost"]) == (200, 0)
        assert caller.post(f"{ROOT}/estimate-cost", json=body).status_code == 402


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "provider: required"),
        ({"provider": "openai"}, "provider: one of auto, stability"),
        ({"provider": "openai", "operation": "edit"}, "provider: one of auto, stability"),
        ({"provider": "wavespeed", "operation": "edit"}, "provider: edit is done by "),
        ({"provider": "stability", "operation": "erase"}, "operation: one of generate, edit"),
        ({"provider": "stability", "model": "qwen-image"}, "model: stability has ultra"),
        (
            {"provider": "stability", "operation": "inpaint", "model": "core"},
            "model: one of inpaint",
        ),
        ({"provider": "stability", "num_images": 11}, "num_images"),
        ({"provider": "stability", "width": 4096, "height": 4096}, "width: no model draws"),
        ({"provider": "stability", "quality": "premium"}, "quality: unknown field"),
    ],
)
def test_what_cannot_be_estimated_is_refused_by_name(
    payer: Payer, body: dict[str, Any], named: str
) -> None:
    answer = estimate(payer, **body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["detail"].startswith(named)


def test_without_providers_nothing_is_said_to_work_and_nothing_is_priced(
    open_database: None,
    gateway_database: Database,
    start_gateway: StartGateway,
    payer: Payer,
) -> None:
    url = start_gateway(gateway_database, SANDBOX_URL="").url
    told = requests.get(f"{url}{ROOT}/health", timeout=10).json()
    assert told["status"] == "degraded"
    assert told["modules"] == {
        "create_studio": "unavailable",
        "edit_studio": "unavailable",
        "upscale_studio": "unavailable",
        "control_studio": "unavailable",
        "social_optimizer": "available",
        "templates": "available",
        "providers": "unavailable",
    }
    alone = replace(payer, url=url)
    assert alone.get(f"{ROOT}/providers").json() == {"providers": {}}
    for path, body in (
        ("/estimate-cost", {"provider": "auto"}),
        ("/create", {"prompt": "a lamp", "provider": "stability"}),
    ):
        answer = alone.post(ROOT + path, json=body)
        assert answer.status_code == 503
        assert set(answer.json()) == {"detail"}
    assert payer.balance() == (1_000_000_000, 0)
