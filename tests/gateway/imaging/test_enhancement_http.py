"""Bettering prompts over HTTP: metered apart, charged as a chat, and never in the way."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests

from tests.databases import rows
from tests.gateway.conftest import MakePayer, Payer
from tests.gateway.imaging.create_stage import CREDIT, create

SMALL: dict[str, Any] = {"width": 256, "height": 256, "enhance_prompt": True}


def test_the_prompt_is_bettered_by_a_chat_of_its_own_that_is_charged_as_one(
    media_payer: Payer,
) -> None:
    answer = create(media_payer, **SMALL)
    assert answer.status_code == 200, answer.text
    request = answer.json()["request"]
    told = request["prompt_enhancement"]
    assert request["prompt"] == "a lamp"
    assert request["enhanced_prompt"].startswith("a lamp, ")
    assert (told["status"], told["reason"]) == ("enhanced", None)
    chat, image = media_payer.usage()
    assert (chat["operation"], chat["kind"], chat["channel"]) == ("chat", "chat.default", "fast")
    assert (str(chat["request_id"]), chat["surface"]) == (told["request_id"], "image-studio")
    assert chat["charge_ucr"] > 0
    assert told["credits"] * CREDIT == chat["charge_ucr"]
    assert image["charge_ucr"] == 30 * CREDIT
    charged_ucr = chat["charge_ucr"] + image["charge_ucr"]
    assert float(answer.headers["x-credits-charged"]) * CREDIT == charged_ucr
    assert media_payer.balance() == (1000 * CREDIT - charged_ucr, 0)
    receipt = media_payer.get(f"/v1/credits/receipts/{told['request_id']}")
    assert receipt.status_code == 200


def test_the_same_key_at_once_betters_one_prompt_and_makes_one_picture(
    media_payer: Payer,
) -> None:
    def ask(_: int) -> requests.Response:
        return create(media_payer, headers={"idempotency-key": "at-once"}, **SMALL)

    with ThreadPoolExecutor(max_workers=4) as threads:
        answers = list(threads.map(ask, range(4)))
    statuses = {answer.status_code for answer in answers}
    assert 200 in statuses
    assert statuses <= {200, 409}
    made = [answer.json()["results"] for answer in answers if answer.status_code == 200]
    assert all(results == made[0] for results in made)
    chat, image = media_payer.usage()
    assert (chat["operation"], image["operation"]) == ("chat", "image")
    spent_ucr = chat["charge_ucr"] + image["charge_ucr"]
    assert media_payer.balance() == (1000 * CREDIT - spent_ucr, 0)


def test_a_chat_that_fails_falls_back_to_the_plain_prompt_and_says_so(media_payer: Payer) -> None:
    answer = create(media_payer, headers={"x-user-openai-key": "sk-invalid"}, **SMALL)
    assert answer.status_code == 200, answer.text
    request = answer.json()["request"]
    assert request["enhanced_prompt"] is None
    assert request["prompt_enhancement"]["status"] == "failed"
    assert "key" in request["prompt_enhancement"]["reason"]
    assert answer.headers["x-credits-charged"] == "30.0"


def test_a_refusal_of_the_chat_s_is_no_part_of_the_prompt(media_payer: Payer) -> None:
    answer = create(
        media_payer, style_preset="[[sandbox content_filter]]", provider="wavespeed", **SMALL
    )
    told = answer.json()["request"]["prompt_enhancement"]
    assert (told["status"], told["reason"]) == ("failed", "The model did not finish its answer.")
    assert answer.json()["request"]["enhanced_prompt"] is None


def test_a_wallet_that_affords_the_pictures_alone_gets_them_of_the_plain_prompt(
    make_media_payer: MakePayer,
) -> None:
    thin = make_media_payer(credits=36)
    answer = create(thin, provider="stability", model="core", **SMALL)
    assert answer.status_code == 200, answer.text
    told = answer.json()["request"]["prompt_enhancement"]
    assert (told["status"], told["reason"]) == (
        "skipped",
        "Insufficient credits for it beside the pictures.",
    )
    assert thin.balance() == (0, 0)


def test_a_key_that_may_not_chat_gets_the_plain_prompt(make_media_payer: MakePayer) -> None:
    caller = make_media_payer(scopes=["images"])
    answer = create(caller, **SMALL)
    told = answer.json()["request"]["prompt_enhancement"]
    assert (told["status"], told["reason"]) == ("skipped", 'This key lacks the scope "chat".')


def test_a_key_that_may_not_use_the_chat_model_gets_the_plain_prompt(
    make_media_payer: MakePayer,
) -> None:
    caller = make_media_payer(allowed_models=["stable-image-core"])
    told = create(caller, **SMALL).json()["request"]["prompt_enhancement"]
    assert (told["status"], told["reason"]) == ("skipped", 'This key may not use "chat.default".')


def test_a_byok_workspace_without_a_chat_key_gets_the_plain_prompt(
    make_media_payer: MakePayer,
) -> None:
    caller = make_media_payer(credits=0, tier="byok")
    answer = create(caller, headers={"x-user-gemini-key": "ai-user"}, **SMALL)
    assert answer.status_code == 200, answer.text
    told = answer.json()["request"]["prompt_enhancement"]
    assert answer.json()["request"]["provider"] == "gemini"
    assert told["credits"] == 0
    refused = create(caller, **SMALL)
    assert refused.status_code == 402
    drawn = create(caller, headers={"x-user-stability-key": "sk-user"}, **SMALL)
    told = drawn.json()["request"]["prompt_enhancement"]
    assert (told["status"], told["reason"]) == (
        "skipped",
        "The pictures are made by your own key, and it would cost credits.",
    )


def test_what_cannot_be_made_is_refused_before_anybody_is_asked_to_better_it(
    media_payer: Payer,
) -> None:
    answer = create(media_payer, provider="wavespeed", model="ideogram-v3-turbo", seed=4, **SMALL)
    assert answer.status_code == 400, answer.text
    assert "seed" in answer.json()["detail"]
    workspace = media_payer.workspace_id
    assert rows("SELECT 1 FROM gateway_call WHERE workspace_id = %s", workspace) == []
    assert media_payer.balance() == (1000 * CREDIT, 0)


def test_when_the_pictures_fail_what_the_chat_cost_is_told(media_payer: Payer) -> None:
    answer = create(media_payer, prompt="[[sandbox refusal]] a lamp", provider="gemini", **SMALL)
    assert answer.status_code == 500, answer.text
    chat = media_payer.usage()[0]
    charged = float(answer.headers.get("x-credits-charged", "0"))
    assert charged * CREDIT == chat["charge_ucr"]
    assert media_payer.balance() == (1000 * CREDIT - chat["charge_ucr"], 0)
