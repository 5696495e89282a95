"""Which model makes a picture where the caller leaves the choice: exact orders, and their reasons.

Prices are given here, so that the price book may change.
"""

from typing import Any

import pytest

from gateway.imaging.choosing import (
    Candidate,
    Offer,
    Wish,
    enlargement,
    order_candidates,
    stand_ins,
)
from gateway.imaging.models import LEVELS, MODELS, PROVIDERS, find_model, models_of, shown_name
from gateway.imaging.templates import TEMPLATES

CREDIT = 1_000_000
PRICES = {
    "ultra": 80,
    "core": 30,
    "sd3.5-large": 65,
    "ideogram-v3-turbo": 30,
    "qwen-image": 20,
    "FLUX.1-Krea-dev": 25,
    "FLUX.1-dev": 26,
    "FLUX.1-schnell": 3,
    "gemini-3-pro-image": 135,
    "gemini-3.1-flash-image": 68,
    "gemini-2.5-flash-image": 39,
}
STANDARD = (
    *("FLUX.1-Krea-dev", "FLUX.1-dev", "core", "ideogram-v3-turbo"),
    *("gemini-2.5-flash-image", "gemini-3.1-flash-image"),
)
PREMIUM = ("sd3.5-large", "ultra", "gemini-3-pro-image")
DRAFT = ("FLUX.1-schnell", "qwen-image")


def ordered(*, resting: str = "", **wish: Any) -> tuple[Candidate, ...]:
    """Order all models for a wish; 1024x1024 unless it says otherwise."""
    offers = [
        Offer(
            model=model,
            price_ucr=PRICES[model.name] * CREDIT,
            resting=model.provider == resting,
        )
        for model in MODELS
    ]
    return order_candidates(Wish(**{"width": 1024, "height": 1024, **wish}), offers)


def names(candidates: tuple[Candidate, ...]) -> tuple[str, ...]:
    return tuple(found.model.name for found in candidates)


def without(name: str, order: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(each for each in order if each != name)


def test_every_model_has_a_price_in_these_tests() -> None:
    assert {model.name for model in MODELS} == set(PRICES)


def test_without_wishes_the_cheapest_of_standard_quality_comes_first_then_better_then_worse() -> (
    None
):
    assert names(ordered()) == STANDARD + PREMIUM + DRAFT


def test_a_quality_that_is_named_comes_before_the_rest() -> None:
    premium = ordered(level="premium", level_named=True)
    assert names(premium) == PREMIUM + STANDARD + DRAFT
    draft = ordered(level="draft", level_named=True)
    assert names(draft) == DRAFT + STANDARD + PREMIUM


def test_a_template_s_family_comes_first_unless_the_caller_named_another_quality() -> None:
    by_template = ordered(family="ideogram", level="premium")
    assert names(by_template) == (
        "ideogram-v3-turbo",
        *PREMIUM,
        *without("ideogram-v3-turbo", STANDARD),
        *DRAFT,
    )
    by_caller = ordered(family="ideogram", level="premium", level_named=True)
    assert names(by_caller) == (
        *PREMIUM,
        "ideogram-v3-turbo",
        *without("ideogram-v3-turbo", STANDARD),
        *DRAFT,
    )


def test_a_whole_provider_can_be_the_family() -> None:
    assert names(ordered(family="stability"))[:3] == ("core", "sd3.5-large", "ultra")


def test_a_provider_that_rests_comes_last_whatever_speaks_for_it() -> None:
    found = ordered(family="ideogram", resting="wavespeed")
    assert names(found)[-2:] == ("ideogram-v3-turbo", "qwen-image")
    assert found[-2].reasons == (
        "its provider failed lately: wavespeed",
        "recommended by the template: ideogram",
        "quality standard",
        "draws 1024x1024",
        "30 credits a picture",
    )


def test_of_one_quality_whoever_need_not_enlarge_comes_first() -> None:
    found = ordered(width=2048, height=2048, level="premium", level_named=True)
    assert names(found)[:3] == ("gemini-3-pro-image", "sd3.5-large", "ultra")


def test_a_tenth_more_than_a_model_draws_is_as_good_as_drawn() -> None:
    found = ordered(width=1080, height=1080)
    assert names(found) == STANDARD + PREMIUM + DRAFT


def test_what_would_be_enlarged_more_than_twice_is_left_out() -> None:
    assert names(ordered(width=4096, height=4096)) == ("gemini-3-pro-image",)
    only = [Offer(model=MODELS[0], price_ucr=CREDIT)]
    assert order_candidates(Wish(width=4096, height=4096), only) == ()


def test_the_reasons_are_told() -> None:
    first = ordered(width=1200, height=628, family="ideogram")[0]
    assert first.reasons == (
        "recommended by the template: ideogram",
        "quality standard",
        "draws 1200x628",
        "30 credits a picture",
    )
    large = ordered(width=2048, height=2048, level="premium")[1]
    assert large.reasons == (
        "quality premium",
        "enlarged 2.00 times to 2048x2048",
        "65 credits a picture",
    )


def test_by_your_own_key_has_no_price() -> None:
    [found] = order_candidates(Wish(width=512, height=512), [Offer(model=MODELS[0], price_ucr=0)])
    assert found.reasons == (
        "quality premium instead of standard",
        "draws 512x512",
        "by your own key",
    )


@pytest.mark.parametrize(
    ("name", "width", "height", "times"),
    [
        ("ultra", 1024, 1024, 1.0),
        ("ultra", 2048, 2048, 2.0),
        ("gemini-3-pro-image", 2048, 2048, 1.0),
        ("FLUX.1-dev", 2048, 512, 1.0),
        ("ideogram-v3-turbo", 1365, 768, 1.0),
        ("ideogram-v3-turbo", 1500, 500, 1.099),
        ("ideogram-v3-turbo", 500, 1500, 1.099),
    ],
)
def test_enlargement_is_measured_on_the_nearest_shape_cut_to_the_asked_one(
    name: str, width: int, height: int, times: float
) -> None:
    model = find_model(name)
    assert model is not None
    assert enlargement(model, width, height) == pytest.approx(times, abs=0.001)


def test_stand_ins_cost_at_most_twice_as_much_or_twenty_credits_more() -> None:
    assert names(stand_ins(ordered(level="draft", level_named=True))) == DRAFT
    assert names(stand_ins(ordered(family="ideogram"))) == (
        "ideogram-v3-turbo",
        *without("ideogram-v3-turbo", STANDARD[:5]),
        *DRAFT,
    )
    assert stand_ins(()) == ()


def test_models_are_found_by_every_name_of_theirs() -> None:
    for name in ("ultra", "stable-image-ultra", "stability:stable-image-ultra"):
        found = find_model(name)
        assert found is not None
        assert found.key == "stability:stable-image-ultra"
    assert find_model("dall-e-3") is None
    assert shown_name("stability", "stable-image-core") == "core"
    assert shown_name("openai", "dall-e-3") == "dall-e-3"
    assert names_of("wavespeed") == ("ideogram-v3-turbo", "qwen-image")
    assert names_of("stability") == ("ultra", "core", "sd3.5-large")
    assert len(names_of("auto")) == len(MODELS)


def test_the_data_is_consistent() -> None:
    families = {word for model in MODELS for word in model.families}
    assert {template.recommended_provider for template in TEMPLATES} <= families
    assert {model.provider for model in MODELS} == set(PROVIDERS)
    assert {model.level for model in MODELS} == set(LEVELS)
    assert len({model.name for model in MODELS}) == len(MODELS)


def names_of(provider: str) -> tuple[str, ...]:
    return tuple(model.name for model in models_of(provider))
