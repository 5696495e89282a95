"""What is told of speech beside its sound: the price before, the receipt after."""

from collections.abc import Callable

from tests.gateway.conftest import Payer
from tests.gateway.speech_calls import GRANTED_UCR, audio, charge_of, new_text, settled, voice


def test_an_estimate_says_what_is_held_and_charged(payer: Payer) -> None:
    text = new_text()
    told = payer.post("/v1/estimate", json={"text": text, "kind": "voice.flash"}).json()
    credits = charge_of(len(text), 40) / 1_000_000
    assert (told["model"], told["characters"]) == ("eleven_flash_v2_5", len(text))
    assert (told["ceiling"], told["likely"]) == (credits, credits)
    assert told["price"]["character"] == 40_000
    assert (payer.balance(), payer.usage()) == ((GRANTED_UCR, 0), [])
    answer = voice(payer, text, body={"kind": "voice.flash"})
    assert float(answer.headers["x-credits-charged"]) == credits


def test_an_estimate_of_tokens_covers_what_is_charged(payer: Payer) -> None:
    text = new_text("Nine hundred and ninety-nine")
    body = {"model": "gpt-4o-mini-tts", "input": text, "voice": "alloy"}
    told = payer.post("/v1/estimate", json=body).json()
    assert (told["price"]["input"], told["price"]["audio_output"]) == (600, 12_000)
    answer = audio(payer, text, body=body)
    assert float(answer.headers["x-credits-held"]) == told["ceiling"]
    [usage] = settled(payer)
    assert 0 < usage["charge_ucr"] <= told["ceiling"] * 1_000_000


def test_an_estimate_needs_the_scope(make_payer: Callable[..., Payer]) -> None:
    payer = make_payer(scopes=["chat"])
    assert payer.post("/v1/estimate", json={"text": "Hello."}).status_code == 403


def test_a_receipt_counts_characters(payer: Payer) -> None:
    text = new_text()
    request_id = voice(payer, text).headers["x-request-id"]
    receipt = payer.get(f"/v1/credits/receipts/{request_id}").json()
    used = receipt["usage"]
    assert used["characters"] == len(text)
    assert used["media_ms"] == payer.usage()[0]["media_ms"]
    [line] = used["lines"]
    assert (line["class"], line["quantity"], line["per"]) == ("character", len(text), 1_000_000)
    assert receipt["charge"]["amount"] == charge_of(len(text), 40) / 1_000_000


def test_a_receipt_of_what_was_given_again_has_no_charge(payer: Payer) -> None:
    text = new_text()
    voice(payer, text)
    request_id = voice(payer, text).headers["x-request-id"]
    receipt = payer.get(f"/v1/credits/receipts/{request_id}").json()
    assert (receipt["reason"], receipt["billing"], receipt["attempts"]) == ("cache_hit", "none", [])
    assert receipt["usage"]["lines"] == []
    assert receipt["charge"]["amount"] == 0
