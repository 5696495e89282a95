"""The speech API over HTTP: texts spoken and stored, answers spoken, what each costs."""

import io
import uuid
from decimal import Decimal
from typing import Any

import mutagen
import pytest
import requests

from gateway.sound.decoding import decode
from tests.databases import rows
from tests.gateway.conftest import Payer
from tests.gateway.sound.waves import largest_step

GRANTED_UCR = 1_000_000_000
FIELDS = {"audio_url", "duration", "text", "voice", "precision"}


def new_text(words: str = "The lighthouse stands where the old harbour ends.") -> str:
    """Give a text that nobody had spoken before."""
    return f"{words} {uuid.uuid4()}."


def speak(payer: Payer, text: str, *, headers: dict[str, str] | None = None, **body: Any) -> Any:
    return payer.post("/speech/generate", json={"text": text, **body}, headers=headers or {})


def answer_aloud(
    payer: Payer, message: str, *, headers: dict[str, str] | None = None, **body: Any
) -> Any:
    return payer.post("/speech/chat", json={"message": message, **body}, headers=headers or {})


def sound_of(payer: Payer, answer: dict[str, Any]) -> bytes:
    """Read the sound by its address alone."""
    assert answer["audio_url"].startswith(payer.url + "/v1/assets/")
    read = requests.get(answer["audio_url"], timeout=30)
    assert (read.status_code, read.headers["content-type"]) == (200, "audio/mpeg")
    return read.content


def length_s(sound: bytes) -> float:
    """Ask somebody else how long an MP3 plays."""
    return float(mutagen.File(io.BytesIO(sound)).info.length)


def charged_ucr(answer: requests.Response) -> int:
    return int(Decimal(answer.headers["X-Credits-Charged"]) * 1_000_000)


def nothing_moved(payer: Payer) -> bool:
    """Tell whether a workspace has neither paid, nor anything held, nor any call on record."""
    calls = rows("SELECT id FROM gateway_call WHERE workspace_id = %s", payer.workspace_id)
    return (payer.balance(), payer.entries(), calls) == ((GRANTED_UCR, 0), [], [])


def error_of(answer: requests.Response) -> dict[str, Any]:
    body = answer.json()
    assert (set(body), set(body["error"])) == ({"error"}, {"code", "message", "details"})
    return dict(body["error"])


def test_a_text_is_spoken_stored_and_paid_by_its_characters(payer: Payer) -> None:
    text = new_text()
    answer = speak(payer, f"  {text} ", voice="Leo")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert set(body) == FIELDS
    assert (body["text"], body["voice"], body["precision"]) == (text, "leo", "FP8")
    sound = sound_of(payer, body)
    assert body["duration"] == pytest.approx(length_s(sound), abs=0.002)
    assert 1 < body["duration"] < 20
    [usage] = payer.usage()
    told = (usage["surface"], usage["operation"], usage["provider"], usage["model"])
    assert told == ("speech", "speech", "baseten", "orpheus-fp8")
    assert usage["character_count"] == len(text)
    assert usage["charge_ucr"] == charged_ucr(answer) > 0
    assert payer.balance() == (GRANTED_UCR - usage["charge_ucr"], 0)
    assert str(usage["request_id"]) == answer.headers["X-Request-Id"]
    assert answer.headers["X-Studio-Upstream"] == "sandbox"


def test_what_is_left_out_has_its_defaults(payer: Payer) -> None:
    body = speak(payer, new_text()).json()
    assert (body["voice"], body["precision"]) == ("tara", "FP8")


def test_precision_is_another_deployment(payer: Payer) -> None:
    assert speak(payer, new_text(), precision="FP16").json()["precision"] == "FP16"
    assert [usage["model"] for usage in payer.usage()] == ["orpheus-fp16"]


def test_an_emotion_becomes_a_tag_or_nothing(payer: Payer) -> None:
    text = new_text()
    assert speak(payer, text, emotion="Sad").json()["text"] == f"<sigh> {text}"
    assert speak(payer, text, emotion="calm").json()["text"] == text
    assert [usage["character_count"] for usage in payer.usage()] == [len(text) + 7, len(text)]


def test_speed_changes_the_length_and_the_sound_has_no_click(payer: Payer) -> None:
    text = new_text()
    plain, fast, slow = (speak(payer, text, speed=speed).json() for speed in (1.0, 2.0, 0.5))
    assert fast["duration"] == pytest.approx(plain["duration"] / 2, rel=0.05)
    assert slow["duration"] == pytest.approx(plain["duration"] * 2, rel=0.05)
    steps = [largest_step(decode(sound_of(payer, body), "mp3")) for body in (plain, fast)]
    assert steps[1] <= steps[0] * 1.5


def test_a_text_spoken_before_costs_nothing_again(payer: Payer) -> None:
    text = new_text()
    first, second = speak(payer, text), speak(payer, text)
    assert [first.headers["X-Cache"], second.headers["X-Cache"]] == ["miss", "hit"]
    assert charged_ucr(second) == 0
    assert sound_of(payer, second.json()) == sound_of(payer, first.json())
    assert payer.balance() == (GRANTED_UCR - charged_ucr(first), 0)


def test_a_repeated_request_is_answered_as_before_and_paid_once(payer: Payer) -> None:
    text, once = new_text(), {"Idempotency-Key": str(uuid.uuid4()), "Cache-Control": "no-store"}
    first = speak(payer, text, headers=once)
    again = speak(payer, text, headers=once)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json().keys() == FIELDS
    assert again.json()["duration"] == first.json()["duration"]
    assert sound_of(payer, again.json()) == sound_of(payer, first.json())
    assert len(payer.usage()) == 1


def test_a_message_is_answered_aloud_by_two_paid_calls(payer: Payer) -> None:
    answer = answer_aloud(payer, new_text("Where is the lighthouse?"), voice="zoe")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert set(body) == {"response", "audio_url", "duration", "voice"}
    assert body["voice"] == "zoe"
    assert body["duration"] == pytest.approx(length_s(sound_of(payer, body)), abs=0.002)
    chat, speech = payer.usage()
    assert [chat["operation"], speech["operation"]] == ["chat", "speech"]
    assert [chat["surface"], speech["surface"]] == ["speech", "speech"]
    assert speech["character_count"] == len(body["response"])
    assert charged_ucr(answer) == chat["charge_ucr"] + speech["charge_ucr"]
    assert min(chat["charge_ucr"], speech["charge_ucr"]) > 0
    assert payer.balance() == (GRANTED_UCR - charged_ucr(answer), 0)
    assert Decimal(answer.headers["X-Credits-Remaining"]) == Decimal(payer.balance()[0]) / 1_000_000
    assert answer.headers["X-Request-Id"] == str(chat["request_id"])
    assert answer.headers["X-Speech-Request-Id"] == str(speech["request_id"])


def test_context_and_emotion_reach_the_model(payer: Payer) -> None:
    plain = answer_aloud(payer, new_text("Hello?"))
    told = answer_aloud(
        payer, new_text("Hello?"), context="The keeper is called Ada. " * 40, emotion="happy"
    )
    assert told.status_code == 200, told.text
    chats = [usage for usage in payer.usage() if usage["operation"] == "chat"]
    assert chats[1]["input_tokens"] > chats[0]["input_tokens"] + 100
    assert charged_ucr(told) > charged_ucr(plain)
    spoken = payer.usage()[-1]["character_count"]
    assert spoken == len("<chuckle> ") + len(told.json()["response"])


def test_a_chat_that_fails_costs_nothing_and_nothing_is_spoken(payer: Payer) -> None:
    answer = answer_aloud(payer, "[[sandbox status=500]] Hello.")
    error = error_of(answer)
    assert (answer.status_code, error["code"]) == (500, "INTERNAL_ERROR")
    assert error["details"]["service"] == "openai"
    assert "X-Credits-Charged" not in answer.headers
    assert payer.balance() == (GRANTED_UCR, 0)
    assert {usage["operation"] for usage in payer.usage()} == {"chat"}


def test_a_chat_that_was_paid_is_not_paid_again_with_the_same_key(payer: Payer) -> None:
    message = new_text("Tell me of the sea.")
    once = {"Idempotency-Key": str(uuid.uuid4())}
    failed = answer_aloud(payer, message, headers={**once, "X-Baseten-Key": "an-invalid-key"})
    assert failed.status_code == 401
    error = error_of(failed)
    assert (error["code"], error["details"]["service"]) == ("AUTH_ERROR", "baseten")
    [chat] = [usage for usage in payer.usage() if usage["operation"] == "chat"]
    assert charged_ucr(failed) == chat["charge_ucr"] > 0
    assert Decimal(error["details"]["credits_charged"]) == Decimal(
        failed.headers["X-Credits-Charged"]
    )
    repaired = answer_aloud(payer, message, headers=once)
    assert repaired.status_code == 200, repaired.text
    assert repaired.json()["response"] == error["details"]["response"]
    chats = [usage for usage in payer.usage() if usage["operation"] == "chat"]
    assert len(chats) == 1
    assert payer.balance() == (GRANTED_UCR - charged_ucr(failed) - charged_ucr(repaired), 0)


def test_a_repeated_message_is_answered_as_before_and_paid_once(payer: Payer) -> None:
    message = new_text("Tell me of the wind.")
    once = {"Idempotency-Key": str(uuid.uuid4()), "Cache-Control": "no-store"}
    first = answer_aloud(payer, message, headers=once)
    again = answer_aloud(payer, message, headers=once)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert sound_of(payer, again.json()) == sound_of(payer, first.json())
    told = ("response", "duration", "voice")
    assert [again.json()[name] for name in told] == [first.json()[name] for name in told]
    assert len(payer.usage()) == 2
    assert payer.balance() == (GRANTED_UCR - charged_ucr(first), 0)
    other = payer.post("/speech/chat", json={"message": "Another."}, headers=once)
    assert (other.status_code, error_of(other)["code"]) == (422, "BAD_REQUEST")


def test_a_text_longer_than_one_request_is_spoken_in_parts_and_paid_once(payer: Payer) -> None:
    sentence = "The keeper lit the lamp again. "
    text = (sentence * 70).strip() + " " + new_text()
    answer = speak(payer, text, speed=4)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["text"] == text
    [usage] = payer.usage()
    assert usage["character_count"] == len(text) - 1 > 2000  # less the space it was cut at
    assert body["duration"] == pytest.approx(length_s(sound_of(payer, body)), abs=0.002)
    assert charged_ucr(answer) == usage["charge_ucr"]
