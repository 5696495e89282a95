"""The same text in the same voice is paid for once in a workspace, and only there."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.databases import rows
from tests.gateway.conftest import Payer
from tests.gateway.speech_calls import GRANTED_UCR, audio, charge_of, new_text, settled, voice


def test_the_same_speech_is_given_again_for_nothing(payer: Payer) -> None:
    text = new_text()
    first, second = voice(payer, text), voice(payer, text)
    assert (first.headers["x-cache"], second.headers["x-cache"]) == ("miss", "hit")
    assert first.json() == second.json()
    assert second.headers["x-credits-charged"] == "0.0"
    charged_ucr = charge_of(len(text), 40)
    assert payer.balance() == (GRANTED_UCR - charged_ucr, 0)
    _, usage = payer.usage()
    assert (usage["billing"], usage["status"], usage["reason"]) == (
        "none",
        "succeeded",
        "cache_hit",
    )
    assert (usage["charge_ucr"], usage["cost_ucr"], usage["attempts"]) == (0, 0, 0)
    assert usage["character_count"] == len(text)
    assert usage["media_ms"] == payer.usage()[0]["media_ms"]
    assert [entry["kind"] for entry in payer.entries()] == ["usage"]


def test_streams_and_whole_answers_share_their_sound(payer: Payer) -> None:
    text = new_text()
    streamed = voice(payer, text, "?stream=true")
    settled(payer)
    again = voice(payer, text, "?stream=true")
    assert (streamed.headers["x-cache"], again.headers["x-cache"]) == ("miss", "hit")
    assert "x-credits-held" not in again.headers
    assert streamed.content == again.content
    assert voice(payer, text).headers["x-cache"] == "hit"


def test_another_workspace_pays_for_itself(make_payer: Callable[..., Payer]) -> None:
    text = new_text()
    for payer in (make_payer(), make_payer()):
        answer = voice(payer, text)
        assert answer.headers["x-cache"] == "miss"
        assert payer.balance()[0] < GRANTED_UCR


@pytest.mark.parametrize(
    "other",
    [
        {"voice_id": "AZnzlk1XvdvUeBnXmlld"},
        {"kind": "voice.flash"},
        {"speed": 1.1},
        {"seed": 7},
        {"apply_text_normalization": "off"},
    ],
)
def test_what_is_asked_otherwise_is_made_anew(payer: Payer, other: dict[str, Any]) -> None:
    text = new_text()
    voice(payer, text)
    assert voice(payer, text, body=other).headers["x-cache"] == "miss"
    assert len(payer.entries()) == 2


def test_another_format_is_made_anew(payer: Payer) -> None:
    text = new_text()
    found = []
    for form in ("mp3", "opus", "mp3"):
        found.append(audio(payer, text, body={"response_format": form}).headers["x-cache"])
    assert found == ["miss", "miss", "hit"]


@pytest.mark.parametrize(
    ("wish", "found"), [("no-store", ["miss", "miss"]), ("no-cache", ["miss", "hit"])]
)
def test_who_wants_no_cache_says_so(payer: Payer, wish: str, found: list[str]) -> None:
    text = new_text()
    first = voice(payer, text, headers={"cache-control": wish})
    second = voice(payer, text)
    assert [first.headers["x-cache"], second.headers["x-cache"]] == found
    assert voice(payer, text, headers={"cache-control": wish}).headers["x-cache"] == "miss"


def test_a_sound_that_broke_off_is_not_kept(payer: Payer) -> None:
    text = f"[[sandbox cut_at=9000]] {new_text()}"
    assert voice(payer, text).status_code == 502
    kept = rows(
        "SELECT count(*) AS count FROM gateway_spokentext WHERE workspace_id = %s",
        payer.workspace_id,
    )
    assert kept == [{"count": 0}]


def test_an_empty_wallet_still_gets_what_was_paid_for(make_payer: Callable[..., Payer]) -> None:
    text = new_text()
    payer = make_payer(credits=charge_of(len(text), 40) / 1_000_000)
    assert voice(payer, text).status_code == 200
    assert payer.balance() == (0, 0)
    assert voice(payer, text).headers["x-cache"] == "hit"
    assert voice(payer, new_text()).status_code == 402


def test_the_text_itself_is_kept_nowhere(payer: Payer) -> None:
    text = new_text("A secret")
    voice(payer, text)
    [kept] = rows(
        "SELECT t::text AS row FROM gateway_spokentext t WHERE workspace_id = %s",
        payer.workspace_id,
    )
    assert "secret" not in kept["row"].lower()
