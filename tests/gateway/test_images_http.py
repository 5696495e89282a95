"""POST /v1/images and its relatives, as the published guide has them: real processes and files."""

import io
from typing import Any

import pytest
from PIL import Image

from tests.databases import rows
from tests.gateway.conftest import MakePayer, Payer
from tests.gateway.media_stage import fetched, finished

CREDIT = 1_000_000
PATIENCE_S = 70


def ask(payer: Payer, path: str = "/v1/images", **body: Any) -> Any:
    """Ask for an image."""
    return payer.post(path, json={"prompt": "a lamp", **body}, timeout=PATIENCE_S)


def picture(url: str) -> Image.Image:
    """Fetch and open a picture."""
    answer = fetched(url)
    assert answer.status_code == 200
    return Image.open(io.BytesIO(answer.content))


def test_an_image_is_made_kept_by_us_and_charged_once(media_payer: Payer) -> None:
    answer = ask(media_payer, width=800, height=600)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert set(body) == {"id", "status", "output", "urls"}
    assert body["status"] == "succeeded"
    own_url = f"{media_payer.url}/v1/images/{body['id']}"
    assert body["urls"] == {"get": own_url, "cancel": f"{own_url}/cancel"}
    [url] = body["output"]
    assert url.startswith(f"{media_payer.url}/v1/assets/")
    assert picture(url).size == (800, 600)
    assert answer.headers["x-credits-charged"] == "4.0"
    assert answer.headers["x-credits-remaining"] == "996.0"
    assert answer.headers["x-request-id"] == body["id"]
    assert media_payer.balance() == (996 * CREDIT, 0)
    [used] = media_payer.usage()
    assert (used["operation"], used["status"], used["item_count"]) == ("image", "succeeded", 1)
    assert (used["charge_ucr"], used["cost_ucr"]) == (4 * CREDIT, 3 * CREDIT)
    assert len(media_payer.entries()) == 1
    assert "replicate" not in answer.text


def test_without_waiting_the_id_comes_at_once_and_the_image_later(media_payer: Payer) -> None:
    answer = ask(media_payer, wait=False, num_outputs=2)
    assert answer.status_code == 202
    body = answer.json()
    assert (body["status"], "output" in body) == ("processing", False)
    assert answer.headers["x-credits-held"] == "8.0"
    assert answer.headers["retry-after"] == "2"
    finished(media_payer, body["id"])
    later = media_payer.get(f"/v1/images/{body['id']}")
    assert later.status_code == 200
    assert later.json()["status"] == "succeeded"
    assert len(later.json()["output"]) == 2
    assert media_payer.balance() == (992 * CREDIT, 0)


def test_prefer_wait_shortens_the_wait_and_the_job_goes_on(media_payer: Payer) -> None:
    slow = {"prompt": "[[sandbox running_ms=2500]] a lamp"}
    answer = media_payer.post(
        "/v1/images", json=slow, headers={"prefer": "wait=1"}, timeout=PATIENCE_S
    )
    assert answer.status_code == 202
    assert finished(media_payer, answer.json()["id"])["status"] == "succeeded"


def test_generate_answers_with_the_address_alone(media_payer: Payer) -> None:
    answer = ask(media_payer, "/v1/images/generate", style="humorous", width=512, height=512)
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"url"}
    assert picture(answer.json()["url"]).size == (512, 512)


@pytest.mark.parametrize("path", ["/v1/images/generate", "/v1/images"])
def test_a_failure_says_why_and_costs_nothing(media_payer: Payer, path: str) -> None:
    failing = "[[sandbox fail=memory]] a lamp"
    answer = ask(media_payer, path, prompt=failing)
    assert answer.status_code == (500 if path.endswith("generate") else 502)
    assert set(answer.json()) == {"error"}
    assert media_payer.balance() == (1000 * CREDIT, 0)
    [used] = media_payer.usage()
    assert (used["status"], used["charge_ucr"]) == ("failed", 0)
    assert rows("SELECT 1 FROM usage WHERE workspace_id = %s", media_payer.workspace_id) == [
        {"?column?": 1}
    ]


def test_an_image_can_be_cancelled_and_costs_nothing_then(media_payer: Payer) -> None:
    slow = ask(media_payer, prompt="[[sandbox running_ms=60000]] a lamp", wait=False).json()
    answer = media_payer.post(f"/v1/images/{slow['id']}/cancel")
    assert answer.status_code == 200
    job = finished(media_payer, slow["id"])
    assert job["status"] == "canceled"
    again = media_payer.post(f"/v1/images/{slow['id']}/cancel")
    assert (again.status_code, again.json()["status"]) == (200, "canceled")
    assert media_payer.balance()[1] == 0


def test_another_workspace_sees_no_image(media_payer: Payer, make_media_payer: MakePayer) -> None:
    made = ask(media_payer, wait=False).json()
    stranger = make_media_payer()
    for path in (f"/v1/images/{made['id']}", "/v1/images/nothing"):
        assert stranger.get(path).status_code == 404
    assert stranger.post(f"/v1/images/{made['id']}/cancel").status_code == 404
    assert media_payer.get(f"/v1/music/{made['id']}").status_code == 404
    assert finished(media_payer, made["id"])["status"] == "succeeded"


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": 7}, "prompt"),
        ({"prompt": "x" * 4001}, "prompt"),
        ({"prompt": "x", "width": 10}, "width"),
        ({"prompt": "x", "height": 5000}, "height"),
        ({"prompt": "x", "num_outputs": 0}, "num_outputs"),
        ({"prompt": "x", "num_outputs": 11}, "num_outputs"),
        ({"prompt": "x", "wait": "yes"}, "wait"),
        ({"prompt": "x", "go_fast": True}, "go_fast"),
        ({"width": 512}, "prompt"),
        ({"prompt": "x", "kind": "image.nothing"}, "image.nothing"),
        ({"prompt": "x", "kind": "chat.default"}, "chat.default"),
    ],
)
def test_bad_input_is_refused_by_name_and_nothing_is_held(
    media_payer: Payer, body: dict[str, Any], named: str
) -> None:
    answer = media_payer.post("/v1/images", json=body)
    assert answer.status_code == (500 if named == "image.nothing" else 400)
    assert named in answer.json()["error"]
    assert media_payer.balance() == (1000 * CREDIT, 0)
    assert rows("SELECT 1 FROM gateway_job WHERE workspace_id = %s", media_payer.workspace_id) == []


def test_a_wallet_that_does_not_afford_it_is_402_and_nothing_is_made(
    make_media_payer: MakePayer,
) -> None:
    poor = make_media_payer(credits=3)
    answer = ask(poor)
    assert answer.status_code == 402
    assert answer.json() == {
        "error": "Insufficient credits. Balance: 3.0, Estimated cost: 4.0 credits"
    }
    assert rows("SELECT 1 FROM gateway_job WHERE workspace_id = %s", poor.workspace_id) == []


def test_the_same_idempotency_key_makes_one_image(media_payer: Payer) -> None:
    key = {"idempotency-key": "one"}
    body = {"prompt": "a lamp"}
    first = media_payer.post("/v1/images", json=body, headers=key, timeout=PATIENCE_S)
    second = media_payer.post("/v1/images", json=body, headers=key, timeout=PATIENCE_S)
    assert (first.status_code, second.status_code) == (200, 200)
    assert second.json()["id"] == first.json()["id"]
    assert second.headers["idempotent-replayed"] == "true"
    other = media_payer.post("/v1/images", json={"prompt": "a cup"}, headers=key)
    assert other.status_code == 422
    assert media_payer.balance() == (996 * CREDIT, 0)
    assert len(media_payer.usage()) == 1


def test_a_user_s_own_key_pays_for_its_own_images(media_payer: Payer) -> None:
    answer = media_payer.post(
        "/v1/images",
        json={"prompt": "a lamp"},
        headers={"x-user-replicate-key": "r8_user"},
        timeout=PATIENCE_S,
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-credits-charged"] == "0.0"
    assert media_payer.balance() == (1000 * CREDIT, 0)
    [used] = media_payer.usage()
    assert (used["billing"], used["charge_ucr"]) == ("byok", 0)


def test_a_refused_key_of_the_user_s_is_not_replaced_by_ours(media_payer: Payer) -> None:
    answer = media_payer.post(
        "/v1/images",
        json={"prompt": "a lamp"},
        headers={"x-user-replicate-key": "r8_invalid"},
        timeout=PATIENCE_S,
    )
    assert answer.status_code == 401
    assert media_payer.balance() == (1000 * CREDIT, 0)
    [used] = media_payer.usage()
    assert (used["billing"], used["status"]) == ("byok", "failed")
