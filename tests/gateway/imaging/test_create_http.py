"""POST /api/image-studio/create: real processes, real files, the doubles of four providers."""

from typing import Any

import pytest

from tests.databases import rows
from tests.gateway.conftest import MakePayer, Payer
from tests.gateway.imaging.create_stage import CREATE, CREDIT, PATIENCE_S, create, pictures
from tests.gateway.media_stage import finished


def nothing_was_made(payer: Payer) -> bool:
    """Tell whether no job and no call of this workspace was ever written, and nothing held."""
    jobs = rows("SELECT 1 FROM gateway_job WHERE workspace_id = %s", payer.workspace_id)
    calls = rows("SELECT 1 FROM gateway_call WHERE workspace_id = %s", payer.workspace_id)
    return payer.balance() == (1000 * CREDIT, 0) and jobs == [] and calls == []


def test_a_template_decides_what_the_caller_leaves_open(media_payer: Payer) -> None:
    answer = create(media_payer, template_id="linkedin_post", quality="standard")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert set(body) == {"success", "request", "results", "total_generated", "total_failed"}
    assert (body["success"], body["total_generated"], body["total_failed"]) == (True, 1, 0)
    assert body["request"] == {
        "prompt": "a lamp",
        "enhanced_prompt": None,
        "template_id": "linkedin_post",
        "template_name": "LinkedIn Post",
        "provider": "wavespeed",
        "model": "ideogram-v3-turbo",
        "dimensions": "1200x628",
        "quality": "standard",
        "persona_id": None,
        "prompt_enhancement": {
            "status": "off",
            "reason": None,
            "request_id": None,
            "credits": 0,
        },
    }
    [result] = body["results"]
    assert set(result) == {"image_base64", "width", "height", "provider", "model", "variation"}
    assert (result["width"], result["height"], result["variation"]) == (1200, 628, 1)
    assert (result["provider"], result["model"]) == ("wavespeed", "ideogram-v3-turbo")
    [picture] = pictures(answer)
    assert (picture.size, picture.format) == ((1200, 628), "PNG")
    assert answer.headers["x-credits-charged"] == "36.0"
    assert answer.headers["x-credits-remaining"] == "964.0"
    assert media_payer.balance() == (964 * CREDIT, 0)
    [used] = media_payer.usage()
    assert (used["surface"], used["operation"], used["item_count"]) == ("image-studio", "image", 1)


def test_nulls_are_as_good_as_nothing(media_payer: Payer) -> None:
    published = {
        "prompt": "Modern minimalist workspace with laptop",
        "template_id": "linkedin_post",
        "provider": "auto",
        "model": None,
        "width": None,
        "height": None,
        "aspect_ratio": None,
        "style_preset": "photographic",
        "quality": "standard",
        "negative_prompt": "blurry, low quality",
        "guidance_scale": None,
        "steps": None,
        "seed": None,
        "num_variations": 1,
        "enhance_prompt": True,
        "use_persona": False,
        "persona_id": None,
    }
    answer = media_payer.post(CREATE, json=published, timeout=PATIENCE_S)
    assert answer.status_code == 200, answer.text
    request = answer.json()["request"]
    assert (request["provider"], request["dimensions"]) == ("wavespeed", "1200x628")
    assert request["enhanced_prompt"].startswith("Modern minimalist workspace with laptop, ")


def test_explicit_fields_win_over_the_template(media_payer: Payer) -> None:
    answer = create(
        media_payer,
        template_id="linkedin_post",
        provider="stability",
        model="core",
        width=700,
        height=500,
        quality="draft",
    )
    [picture] = pictures(answer)
    request = answer.json()["request"]
    assert picture.size == (700, 500)
    assert (request["provider"], request["model"]) == ("stability", "core")
    assert (request["quality"], request["template_name"]) == ("draft", "LinkedIn Post")
    assert answer.headers["x-credits-charged"] == "36.0"


@pytest.mark.parametrize(
    ("asked", "made"),
    [
        ({"provider": "stability", "model": "ultra"}, ("stability", "ultra")),
        ({"provider": "wavespeed", "model": "qwen-image"}, ("wavespeed", "qwen-image")),
        ({"provider": "huggingface"}, ("huggingface", "FLUX.1-Krea-dev")),
        ({"provider": "huggingface", "quality": "draft"}, ("huggingface", "FLUX.1-schnell")),
        ({"provider": "gemini"}, ("gemini", "gemini-2.5-flash-image")),
        ({"model": "gemini-3-pro-image"}, ("gemini", "gemini-3-pro-image")),
        ({"model": "stable-image-core"}, ("stability", "core")),
        ({"quality": "premium"}, ("stability", "sd3.5-large")),
        ({"template_id": "linkedin_post", "seed": 4}, ("huggingface", "FLUX.1-Krea-dev")),
        (
            {"model": "image.flux-schnell"},
            ("replicate", "black-forest-labs/flux-schnell"),
        ),
    ],
)
def test_each_provider_makes_what_it_is_asked_for_to_the_pixel(
    media_payer: Payer, asked: dict[str, Any], made: tuple[str, str]
) -> None:
    answer = create(media_payer, width=1000, height=420, **asked)
    [picture] = pictures(answer)
    [result] = answer.json()["results"]
    assert picture.size == (1000, 420)
    assert (result["provider"], result["model"]) == made


def test_variations_come_side_by_side_each_by_a_seed_of_its_own(media_payer: Payer) -> None:
    answer = create(
        media_payer, provider="huggingface", seed=5, num_variations=3, width=256, height=256
    )
    found = pictures(answer)
    body = answer.json()
    assert [one["variation"] for one in body["results"]] == [1, 2, 3]
    assert (body["total_generated"], body["total_failed"]) == (3, 0)
    assert len({picture.tobytes() for picture in found}) == 3
    assert answer.headers["x-credits-charged"] == "90.0"
    [second] = pictures(create(media_payer, provider="huggingface", seed=6, width=256, height=256))
    assert second.tobytes() == found[1].tobytes()


def test_all_failed_is_500_with_the_provider_s_words_and_costs_nothing(media_payer: Payer) -> None:
    answer = create(media_payer, prompt="[[sandbox status=400]] a lamp", provider="stability")
    assert answer.status_code == 500
    assert set(answer.json()) == {"detail"}
    assert answer.json()["detail"].startswith("Image generation failed: ")
    assert media_payer.balance() == (1000 * CREDIT, 0)


def test_what_could_be_made_comes_back_and_nothing_else_is_charged(media_payer: Payer) -> None:
    prompt = f"[[sandbox status=400 times=2 tag=part-{media_payer.workspace_id}]] a lamp"
    answer = create(
        media_payer,
        prompt=prompt,
        provider="stability",
        model="core",
        num_variations=3,
        width=256,
        height=256,
    )
    body = answer.json()
    assert answer.status_code == 200, answer.text[:300]
    assert (body["success"], body["total_generated"], body["total_failed"]) == (True, 1, 2)
    [result] = body["results"]
    assert result["variation"] in (1, 2, 3)
    assert answer.headers["x-credits-charged"] == "36.0"
    assert media_payer.balance() == (964 * CREDIT, 0)
    [used] = media_payer.usage()
    assert (used["item_count"], used["charge_ucr"]) == (1, 36 * CREDIT)


def test_where_the_first_model_is_overloaded_the_next_stands_in_at_its_own_price(
    media_payer: Payer,
) -> None:
    prompt = f"[[sandbox status=429 times=1 tag=busy-{media_payer.workspace_id}]] a lamp"
    answer = create(media_payer, prompt=prompt, template_id="linkedin_post")
    assert answer.status_code == 200, answer.text[:300]
    body = answer.json()
    assert (body["request"]["provider"], body["request"]["model"]) == (
        "huggingface",
        "FLUX.1-Krea-dev",
    )
    assert body["request"]["dimensions"] == "1200x628"
    assert answer.headers["x-credits-charged"] == "30.0"
    assert media_payer.balance() == (970 * CREDIT, 0)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": "   "}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"prompt": "x" * 4001}, "prompt"),
        ({"size": "1024x1024"}, "size"),
        (
            {"provider": "openai"},
            "provider: one of auto, stability, wavespeed, huggingface, gemini",
        ),
        ({"provider": "stability", "model": "qwen-image"}, "model: stability has ultra, core"),
        ({"provider": "gemini", "model": "dall-e-3"}, "model: gemini has "),
        ({"model": "nothing"}, "model: auto has ultra, core, sd3.5-large, ideogram-v3-turbo"),
        ({"model": "gpt-5"}, "model: auto has ultra"),
        ({"width": 63}, "width"),
        ({"height": 4097}, "height"),
        ({"width": "1024"}, "width"),
        ({"width": 1024.5}, "width"),
        ({"aspect_ratio": "wide"}, "aspect_ratio: write it as 16:9"),
        ({"width": 800, "height": 600, "aspect_ratio": "16:9"}, "aspect_ratio: 800x600"),
        ({"width": 4096, "height": 4096, "provider": "wavespeed"}, "width: no model draws"),
        ({"width": 64, "height": 4096}, "width: no model draws"),
        ({"quality": "ultra"}, "quality"),
        ({"num_variations": 0}, "num_variations"),
        ({"num_variations": 11}, "num_variations"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**32 - 1}, "seed"),
        ({"guidance_scale": -0.5}, "guidance_scale"),
        ({"steps": 0}, "steps"),
        ({"enhance_prompt": "yes"}, "enhance_prompt"),
        ({"style_preset": "a\nb"}, "style_preset"),
        ({"use_persona": True}, "persona_id: this workspace has no default persona"),
    ],
)
def test_bad_input_is_refused_by_name_and_nothing_is_held(
    media_payer: Payer, body: dict[str, Any], named: str
) -> None:
    answer = create(media_payer, **{"enhance_prompt": True, **body})
    assert answer.status_code == 400, answer.text
    assert named in answer.json()["detail"]
    assert nothing_was_made(media_payer)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"template_id": "myspace_page"}, 'template_id: there is no template "myspace_page".'),
        ({"use_persona": True, "persona_id": "persona_1"}, "There is no such persona."),
    ],
)
def test_unknown_templates_and_personas_are_404(
    media_payer: Payer, body: dict[str, Any], said: str
) -> None:
    answer = create(media_payer, enhance_prompt=True, **body)
    assert (answer.status_code, answer.json()) == (404, {"detail": said})
    assert nothing_was_made(media_payer)


def test_without_a_credential_it_is_401_in_the_published_words(media_payer: Payer) -> None:
    for path in (CREATE, "/api/image-studio/nothing"):
        answer = media_payer.post(path, json={"prompt": "x"}, headers={"x-app-key": "no"})
        assert answer.status_code == 401
        assert answer.json() == {"detail": "Authenticated user required for image operations."}


def test_auto_passes_over_models_that_the_key_may_not_use(make_media_payer: MakePayer) -> None:
    caller = make_media_payer(allowed_models=["stable-image-core"])
    answer = create(caller, quality="draft", width=256, height=256)
    assert answer.status_code == 200, answer.text
    assert answer.json()["request"]["model"] == "core"
    told = caller.get("/api/image-studio/providers").json()["providers"]
    assert list(told) == ["stability"]
    assert (told["stability"]["models"], told["stability"]["capabilities"]) == (
        ["core"],
        ["generation"],
    )


def test_auto_passes_over_models_that_do_not_speak_the_prompt_s_language(
    media_payer: Payer,
) -> None:
    answer = create(media_payer, prompt="красная лиса", quality="premium", width=256, height=256)
    assert answer.status_code == 200, answer.text
    assert answer.json()["request"]["provider"] == "gemini"


def test_only_models_that_take_what_is_asked_for_are_told_as_the_choice(
    media_payer: Payer,
) -> None:
    answer = create(
        media_payer,
        headers={"prefer": "respond-async"},
        template_id="linkedin_post",
        seed=7,
    )
    job = finished(media_payer, answer.json()["id"])
    told = [one["model"] for one in job["parameters"]["models"]]
    assert told[0] == job["model"] == "FLUX.1-Krea-dev"
    assert "ideogram-v3-turbo" not in told  # the template's, which has no seeds


def test_a_key_without_the_scope_is_403(make_media_payer: MakePayer) -> None:
    caller = make_media_payer(scopes=["chat"])
    answer = create(caller)
    assert (answer.status_code, answer.json()) == (
        403,
        {"detail": 'This key lacks the scope "images".'},
    )


def test_a_wallet_that_does_not_afford_it_is_402_and_nothing_is_asked(
    make_media_payer: MakePayer,
) -> None:
    poor = make_media_payer(credits=3)
    answer = create(poor, enhance_prompt=True, template_id="linkedin_post")
    assert answer.status_code == 402
    assert answer.json() == {
        "detail": "Insufficient credits. Balance: 3.0, Estimated cost: 36.0 credits"
    }
    assert rows("SELECT 1 FROM gateway_call WHERE workspace_id = %s", poor.workspace_id) == []


def test_a_wallet_that_affords_the_first_model_alone_gets_it(make_media_payer: MakePayer) -> None:
    thin = make_media_payer(credits=31)
    answer = create(thin, width=512, height=512)
    assert answer.status_code == 200, answer.text
    assert answer.json()["request"]["model"] == "FLUX.1-Krea-dev"
    assert answer.headers["x-credits-remaining"] == "1.0"


def test_respond_async_gives_the_job_at_once(media_payer: Payer) -> None:
    answer = create(media_payer, headers={"prefer": "respond-async"}, width=256, height=256)
    assert answer.status_code == 202, answer.text
    body = answer.json()
    assert body["status"] == "processing"
    assert body["urls"] == {"get": f"{media_payer.url}/v1/jobs/{body['id']}"}
    assert answer.headers["preference-applied"] == "respond-async"
    job = finished(media_payer, body["id"])
    assert (job["status"], len(job["files"])) == ("succeeded", 1)
    assert job["parameters"]["models"][0]["because"] == [
        "quality standard",
        "draws 256x256",
        "30 credits a picture",
    ]


def test_the_same_idempotency_key_gives_the_same_pictures_and_asks_nobody_again(
    media_payer: Payer,
) -> None:
    key = {"idempotency-key": "one"}
    body = {"enhance_prompt": True, "width": 256, "height": 256}
    first = create(media_payer, headers=key, **body)
    after = media_payer.balance()
    second = create(media_payer, headers=key, **body)
    assert (first.status_code, second.status_code) == (200, 200)
    assert second.headers["idempotent-replayed"] == "true"
    assert second.json() == first.json()
    assert second.headers["x-credits-charged"] == first.headers["x-credits-charged"]
    assert media_payer.balance() == after
    assert len(media_payer.usage()) == 2
    other = create(media_payer, headers=key, prompt="a cup")
    assert other.status_code == 422
    assert media_payer.balance() == after


def test_a_user_s_own_key_pays_for_its_pictures_and_for_no_other_provider_s(
    media_payer: Payer,
) -> None:
    own = {"x-user-stability-key": "sk-user"}
    answer = create(media_payer, headers=own, enhance_prompt=True, width=256, height=256)
    assert answer.status_code == 200, answer.text
    request = answer.json()["request"]
    assert (request["provider"], request["enhanced_prompt"]) == ("stability", None)
    assert request["prompt_enhancement"] == {
        "status": "skipped",
        "reason": "The pictures are made by your own key, and it would cost credits.",
        "request_id": None,
        "credits": 0,
    }
    assert answer.headers["x-credits-charged"] == "0.0"
    assert media_payer.balance() == (1000 * CREDIT, 0)
    [used] = media_payer.usage()
    assert (used["billing"], used["provider"], used["charge_ucr"]) == ("byok", "stability", 0)
