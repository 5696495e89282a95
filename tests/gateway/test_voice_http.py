"""POST /v1/voice: both answers of both providers, what they cost, and what is refused."""

import base64
import uuid
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from gateway.catalogue.services import save_row
from gateway.models import CatalogueModel
from tests.databases import rows
from tests.gateway.conftest import Payer
from tests.gateway.speech_calls import (
    GRANTED_UCR,
    charge_of,
    new_text,
    nothing_moved,
    seconds_of,
    settled,
    voice,
)

RACHEL = "21m00Tcm4TlvDq8ikWAM"


def test_a_text_is_spoken_by_elevenlabs_unless_somebody_else_is_named(payer: Payer) -> None:
    text = new_text()
    answer = voice(payer, text)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    sound = base64.b64decode(told.pop("audio_base64"), validate=True)
    assert told == {
        "format": "mp3",
        "voice_id": RACHEL,
        "provider": "elevenlabs",
        "model": "eleven_turbo_v2_5",
        "text_length": len(text),
    }
    assert 1 < seconds_of(sound) < 30
    charged_ucr = charge_of(len(text), 40)
    assert float(answer.headers["x-credits-charged"]) == charged_ucr / 1_000_000
    assert answer.headers["x-cache"] == "miss"
    [usage] = payer.usage()
    assert (usage["operation"], usage["kind"]) == ("speech", "voice.default")
    assert (usage["character_count"], usage["charge_ucr"]) == (len(text), charged_ucr)
    assert abs(usage["media_ms"] - seconds_of(sound) * 1000) < 60
    assert payer.balance() == (GRANTED_UCR - charged_ucr, 0)


def test_openai_s_answer_names_its_voice_and_the_days_of_its_model(payer: Payer) -> None:
    text = new_text()
    answer = voice(payer, text, body={"kind": "voice.openai", "voice": "nova"})
    told = answer.json()
    assert base64.b64decode(told.pop("audio_base64"), validate=True)
    assert told == {
        "format": "mp3",
        "voice": "nova",
        "provider": "openai",
        "model": "tts-1",
        "text_length": len(text),
    }
    assert 'model="tts-1"' in answer.headers["deprecation"]
    assert payer.usage()[0]["charge_ucr"] == charge_of(len(text), 15)


@pytest.mark.parametrize("kind", ["voice.turbo", "voice.openai"])
def test_a_sound_is_streamed_as_it_comes(payer: Payer, kind: str) -> None:
    text = new_text()
    answer = voice(payer, text, "?stream=true", body={"kind": kind}, stream=True)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "audio/mpeg"
    assert float(answer.headers["x-credits-held"]) > 0
    sound = answer.content
    [usage] = settled(payer)
    assert (usage["status"], usage["character_count"]) == ("succeeded", len(text))
    assert usage["charge_ucr"] == charge_of(len(text), 40 if kind == "voice.turbo" else 15)
    assert abs(usage["media_ms"] - seconds_of(sound) * 1000) < 60
    assert usage["first_byte_ms"] <= usage["latency_ms"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"text": ""}, "text"),
        ({"text": " \n"}, "text"),
        ({"text": "x" * 5001}, "text"),
        ({"text": "Hi.", "apply_text_normalization": "maybe"}, "apply_text_normalization"),
        ({"text": "Hi.", "voice_id": "nobody"}, "voice_id:"),
        ({"text": "Hi.", "voice": "nobody"}, "voice:"),
        ({"text": "Hi.", "kind": "voice.openai", "voice": "rachel"}, "voice:"),
        ({"text": "Hi.", "kind": "voice.openai", "voice_id": "rachel"}, "voice_id:"),
        (
            {"text": "Hi.", "kind": "voice.openai", "apply_text_normalization": "off"},
            "apply_text_normalization:",
        ),
        ({"text": "Hi.", "emotion": "happy"}, "emotion"),
        ({}, "text"),
    ],
)
def test_what_cannot_be_spoken_is_refused_and_nothing_moves(
    payer: Payer, body: dict[str, Any], param: str
) -> None:
    answer = payer.post("/v1/voice", json=body)
    assert answer.status_code == 400
    assert param in answer.json()["error"]
    assert nothing_moved(payer)


def test_five_thousand_characters_are_spoken(payer: Payer) -> None:
    text = ("word " * 1000)[:4990] + new_text("")[:10]
    answer = voice(payer, text)
    assert answer.status_code == 200
    assert answer.json()["text_length"] == 5000


def test_a_stream_parameter_is_true_or_false(payer: Payer) -> None:
    assert voice(payer, new_text(), "?stream=perhaps").status_code == 400
    assert nothing_moved(payer)


def test_a_key_without_the_scope_speaks_nothing(make_payer: Callable[..., Payer]) -> None:
    payer = make_payer(scopes=["chat"])
    assert voice(payer, new_text()).status_code == 403
    assert nothing_moved(payer)


def test_a_chat_s_kind_speaks_nothing(payer: Payer) -> None:
    assert voice(payer, new_text(), body={"kind": "chat.default"}).status_code in (400, 500)
    assert nothing_moved(payer)


@pytest.mark.parametrize("voice_word", ["nova", "voice_of_an_account"])
def test_a_retired_model_s_successor_speaks_and_says_so(payer: Payer, voice_word: str) -> None:
    successor = CatalogueModel.objects.get(provider="elevenlabs", name="eleven_flash_v2_5")
    model = CatalogueModel(
        provider="openai",
        name=f"tts-{uuid.uuid4().hex[:12]}",
        operation="speech",
        sunset_on=date(2026, 1, 1),
        successor=successor,
    )
    save_row(model, actor="test", by_staff=True)
    body = {"text": new_text(), "model": model.name, "voice": voice_word}
    for _ in range(50):  # the gateway looks for changes every second
        answer = payer.post("/v1/voice", json=body)
        if answer.status_code == 200:
            break
        rows("SELECT pg_sleep(0.2)::text")
    told = answer.json()
    assert (told["provider"], told["model"]) == ("elevenlabs", "eleven_flash_v2_5")
    assert (told["voice"], len(told["voice_id"])) == (voice_word, 20)
    header = answer.headers["deprecation"]
    assert header.endswith(f'model="{model.name}";replacement="eleven_flash_v2_5"')
