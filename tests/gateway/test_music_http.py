"""POST /v1/music, as the published guide has it: sound of exactly the length that was asked for."""

import base64
import io
from typing import Any

import pytest
from mutagen.mp3 import MP3

from tests.gateway.conftest import Payer
from tests.gateway.media_stage import fetched, finished

CREDIT = 1_000_000
FRAME_S = 0.027


def ask(payer: Payer, **body: Any) -> Any:
    """Ask for a piece of music."""
    return payer.post("/v1/music", json={"prompt": "calm piano", **body}, timeout=70)


@pytest.mark.parametrize(("seconds", "credits"), [(1, 15), (5, 75), (30, 450)])
def test_a_piece_has_the_length_that_was_asked_for_and_its_price(
    media_payer: Payer, seconds: int, credits: int
) -> None:
    answer = ask(media_payer, duration=seconds)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert set(body) == {"generation_id", "status", "audio_url", "audio_base64", "duration"}
    assert body["status"] == "completed"
    sound = fetched(body["audio_url"])
    assert (sound.status_code, sound.headers["content-type"]) == (200, "audio/mpeg")
    assert base64.b64decode(body["audio_base64"]) == sound.content
    heard: Any = MP3(io.BytesIO(sound.content)).info  # type: ignore[no-untyped-call]
    assert heard.length == pytest.approx(seconds, abs=FRAME_S)
    assert media_payer.balance() == ((1000 - credits) * CREDIT, 0)
    [used] = media_payer.usage()
    assert (used["operation"], used["media_ms"]) == ("music", seconds * 1000)
    assert used["charge_ucr"] == credits * CREDIT


def test_a_piece_can_be_asked_for_later(media_payer: Payer) -> None:
    begun = ask(media_payer, duration=3, wait=False)
    assert begun.status_code == 202
    piece = begun.json()
    assert piece == {"generation_id": piece["generation_id"], "status": "processing"}
    finished(media_payer, piece["generation_id"])
    later = media_payer.get(f"/v1/music/{piece['generation_id']}")
    assert later.json()["status"] == "completed"
    assert media_payer.get(f"/v1/images/{piece['generation_id']}").status_code == 404


def test_a_refused_prompt_costs_nothing(media_payer: Payer) -> None:
    answer = ask(media_payer, prompt="[[sandbox refusal]] a song of somebody's")
    assert answer.status_code == 400, answer.text
    assert set(answer.json()) == {"error"}
    assert media_payer.balance() == (1000 * CREDIT, 0)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"duration": 0}, "duration"),
        ({"duration": 301}, "duration"),
        ({"duration": 2.5}, "duration"),
        ({"duration": "long"}, "duration"),
        ({"prompt": ""}, "prompt"),
        ({"lyrics": "la"}, "lyrics"),
        ({"kind": "image.default"}, "image.default"),
    ],
)
def test_bad_input_is_refused_by_name_and_nothing_is_held(
    media_payer: Payer, body: dict[str, Any], named: str
) -> None:
    answer = ask(media_payer, **body)
    assert answer.status_code == 400
    assert named in answer.json()["error"]
    assert media_payer.balance() == (1000 * CREDIT, 0)
