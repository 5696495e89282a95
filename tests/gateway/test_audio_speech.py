"""POST /v1/audio/speech in OpenAI's form, by its own SDK; formats and lengths that a provider lacks
are made here.
"""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from openai import BadRequestError, NotFoundError, OpenAI, RateLimitError

from tests.gateway.conftest import Payer
from tests.gateway.speech_calls import (
    audio,
    charge_of,
    new_text,
    nothing_moved,
    seconds_of,
    settled,
)

CONTAINERS = {"aac": "aac", "pcm": None}
TYPES = {
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}


def length_of(sound: bytes, form: str) -> float:
    """Give a sound's length in seconds; samples are 24 kHz, 16 bit, one channel."""
    return len(sound) / 48_000 if form == "pcm" else seconds_of(sound, CONTAINERS.get(form))


@pytest.fixture
def client(payer: Payer) -> OpenAI:
    """OpenAI's own client, with our address."""
    return OpenAI(base_url=f"{payer.url}/v1", api_key=payer.key, max_retries=0)


@pytest.mark.parametrize("form", list(TYPES))
@pytest.mark.parametrize(
    ("model", "voice"), [("tts-1", "alloy"), ("eleven_flash_v2_5", "21m00Tcm4TlvDq8ikWAM")]
)
def test_every_format_comes_from_every_provider(
    payer: Payer, form: str, model: str, voice: str
) -> None:
    text = new_text()
    answer = audio(payer, text, body={"model": model, "voice": voice, "response_format": form})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == TYPES[form]
    [usage] = settled(payer)
    length_s = length_of(answer.content, form)
    assert 1 < length_s < 30
    assert abs(usage["media_ms"] / 1000 - length_s) < 0.1
    assert usage["character_count"] == len(text)


def test_openai_s_client_reads_a_whole_sound(client: OpenAI, payer: Payer) -> None:
    text = new_text()
    answer = client.audio.speech.create(
        model="tts-1", voice="nova", input=text, response_format="wav", speed=1.5
    )
    assert 0.5 < seconds_of(answer.content) < 30
    assert payer.usage()[0]["charge_ucr"] == charge_of(len(text), 15)


def test_openai_s_client_reads_a_sound_as_it_comes(client: OpenAI, payer: Payer) -> None:
    text = new_text("[[sandbox chunks=20 chunk_delay_ms=20]] One two three four")
    pieces: list[bytes] = []
    with client.audio.speech.with_streaming_response.create(
        model="gpt-4o-mini-tts", voice="marin", input=text, instructions="Softly.", speed=1.0
    ) as answer:
        pieces.extend(answer.iter_bytes(1024))
        assert answer.headers["content-type"] == "audio/mpeg"
    assert len(pieces) > 3
    assert seconds_of(b"".join(pieces)) > 1
    [usage] = settled(payer)
    assert usage["usage_source"] == "provider"


@pytest.mark.parametrize("model", ["gpt-4o-mini-tts", "tts-1", "voice.turbo"])
def test_events_hold_the_sound_and_what_it_used(payer: Payer, model: str) -> None:
    body: dict[str, Any] = {"model": model, "stream_format": "sse"}
    if model == "voice.turbo":
        body["voice"] = "rachel"
    text = new_text()
    answer = audio(payer, text, body=body)
    assert answer.headers["content-type"] == "text/event-stream"
    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line]
    assert {event["type"] for event in events[:-1]} == {"speech.audio.delta"}
    sound = b"".join(base64.b64decode(event["audio"]) for event in events[:-1])
    assert seconds_of(sound) > 1
    done = events[-1]
    assert done["type"] == "speech.audio.done"
    [usage] = settled(payer)
    assert done["usage"]["output_tokens"] == usage["output_tokens"]
    assert done["usage"]["characters"] == len(text)
    assert done["usage"]["credits_charged"] == usage["charge_ucr"] / 1_000_000


def test_events_that_break_off_end_with_an_error(payer: Payer) -> None:
    body = {"model": "voice.turbo", "voice": "rachel", "stream_format": "sse"}
    answer = audio(payer, f"[[sandbox cut_at=9000]] {new_text()}", body=body)
    assert answer.status_code == 200
    last = answer.text.strip().split("\n\n")[-1]
    assert last.startswith("event: error\ndata: ")
    assert "error" in json.loads(last.partition("data: ")[2])


def test_a_text_longer_than_its_model_takes_is_cut_and_joined(
    payer: Payer, sandbox_url: str
) -> None:
    sentence = "The ferry leaves at nine, and the harbour is quiet again. "
    text = (sentence * 90)[:4900] + new_text("Good night")
    text = text[:5000]
    body = {"model": "eleven_v3", "voice": "rachel", "response_format": "mp3"}
    answer = audio(payer, text, body=body, timeout=120)
    assert answer.status_code == 200, answer.text
    [usage] = settled(payer)
    # What stands between two pieces is not sent, and not paid.
    assert len(text) - 2 <= usage["character_count"] <= len(text)
    assert usage["charge_ucr"] == charge_of(usage["character_count"], 80)
    length_s = seconds_of(answer.content)
    assert length_s > 100
    assert abs(usage["media_ms"] / 1000 - length_s) < 0.1


def test_a_speed_that_a_provider_lacks_is_made_here(payer: Payer) -> None:
    text = new_text("One two three four five six seven eight nine ten")
    lengths = []
    for speed in (1.0, 2.0):
        body = {"model": "eleven_flash_v2_5", "voice": "rachel", "speed": speed}
        lengths.append(seconds_of(audio(payer, text, body=body).content))
    assert lengths[1] == pytest.approx(lengths[0] / 2, rel=0.08)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": ""}, "input"),
        ({"input": "x" * 5001}, "input"),
        ({"speed": 5}, "speed"),
        ({"response_format": "ogg"}, "response_format"),
        ({"voice": "nobody"}, "voice"),
        ({"instructions": "Softly."}, "instructions"),
        ({"stream_format": "json"}, "stream_format"),
        ({"style": "vivid"}, "style"),
    ],
)
def test_what_cannot_be_spoken_is_refused_in_openai_s_form(
    payer: Payer, body: dict[str, Any], param: str
) -> None:
    answer = audio(payer, new_text(), body=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param
    assert nothing_moved(payer)


def test_openai_s_client_understands_our_errors(
    client: OpenAI, make_payer: Callable[..., Payer]
) -> None:
    with pytest.raises(NotFoundError):
        client.audio.speech.create(model="no-such-model", voice="alloy", input="Hello.")
    with pytest.raises(BadRequestError):
        client.audio.speech.create(model="tts-1", voice="nobody", input="Hello.")
    own = client.with_options(default_headers={"x-user-openai-key": "sk-ratelimited-own"})
    with pytest.raises(RateLimitError):
        own.audio.speech.create(model="tts-1", voice="alloy", input=new_text())
