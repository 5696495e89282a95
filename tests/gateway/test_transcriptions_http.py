"""POST /v1/audio/transcriptions: what was said, paid for by the length of its sound, once."""

import math
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import openai
import pytest
import requests

from sandbox.voices_files import Form, length_ms_of, speech
from tests.gateway.conftest import MakePayer, Payer, own_violations

PATH = "/v1/audio/transcriptions"
TEXT = "The kettle sang. Nobody counts the steps on the way down."
WAV = Form("wav", "pcm_s16le", 24_000)
MP3 = Form("mp3", "libmp3lame", 24_000, 64_000)
LENGTH_MS = length_ms_of(TEXT)
GRANTED_UCR = 1_000_000_000


def sound_of(text: str = TEXT, form: Form = WAV) -> bytes:
    """Speak a text."""
    return b"".join(speech(text, "rachel", form))


def faulty(words: str) -> bytes:
    """Make a sound whose own words ask the double for faults."""
    directive = f"[[sandbox {words}]]"
    blank = sound_of("hello " * 20)
    at = blank.index(b"hello")
    return blank[:at] + directive.encode().ljust(120)[:120] + blank[at + 120 :]


def send(
    payer: Payer, sound: bytes | None = None, headers: dict[str, str] | None = None, **fields: Any
) -> requests.Response:
    """Send a sound with fields."""
    texts = [
        (name, word)
        for name, value in fields.items()
        for word in (value if isinstance(value, list) else [value])
    ]
    files = {"file": ("any.name", sound_of() if sound is None else sound)}
    return payer.post(PATH, data=texts, files=files, headers=headers or {})


def charge_of(length_ms: int, usd_per_s: float = 0.0001, markup: float = 1.2) -> int:
    """Price a length, in µcr, on the tier managed."""
    return math.ceil(round(length_ms * usd_per_s * 1_000_000 * markup, 6))


@pytest.fixture
def client(payer: Payer) -> Iterator[openai.OpenAI]:
    """Call the gateway with the official SDK."""
    with openai.OpenAI(api_key=payer.key, base_url=f"{payer.url}/v1", max_retries=0) as made:
        yield made


def test_the_official_sdk_gets_the_text_and_pays_for_its_length(
    client: openai.OpenAI, payer: Payer
) -> None:
    found = client.audio.transcriptions.create(
        model="gpt-4o-transcribe", file=("a.wav", sound_of())
    )
    assert found.text == TEXT
    assert found.usage is not None
    assert found.usage.type == "tokens"
    [usage] = payer.usage()
    assert usage["charge_ucr"] == charge_of(LENGTH_MS)
    assert (usage["operation"], usage["provider"], usage["media_ms"]) == (
        "transcription",
        "openai",
        LENGTH_MS,
    )
    assert usage["input_tokens"] == found.usage.input_tokens
    assert payer.balance() == (GRANTED_UCR - charge_of(LENGTH_MS), 0)


@pytest.mark.parametrize("model", ["tts-1", "gpt-4o-mini-tts", "eleven_flash_v2_5"])
def test_what_one_model_says_another_hears(client: openai.OpenAI, model: str) -> None:
    spoken = client.audio.speech.create(model=model, voice="nova", input=TEXT)
    found = client.audio.transcriptions.create(
        model="gpt-4o-mini-transcribe", file=("a.mp3", spoken.content)
    )
    assert found.text == TEXT


def test_what_it_cost_is_said_in_headers(payer: Payer) -> None:
    answer = send(payer, model="whisper-1")
    assert answer.status_code == 200, answer.text
    assert round(float(answer.headers["x-credits-charged"]) * 1e6) == charge_of(LENGTH_MS)
    assert answer.headers["x-studio-upstream"] == "sandbox"
    assert answer.json()["usage"] == {"type": "duration", "seconds": math.ceil(LENGTH_MS / 1000)}


def test_the_receipt_shows_the_length(payer: Payer) -> None:
    answer = send(payer, model="whisper-1")
    receipt = payer.get(f"/v1/credits/receipts/{answer.headers['x-request-id']}").json()
    assert receipt["usage"]["media_ms"] == LENGTH_MS
    [line] = receipt["usage"]["lines"]
    assert (line["class"], line["quantity"], line["per"]) == ("second", LENGTH_MS, 1_000)


@pytest.mark.parametrize("model", ["whisper-1", "scribe_v1"])
def test_every_format_is_written(client: openai.OpenAI, model: str) -> None:
    def written(form: str, **fields: Any) -> Any:  # noqa: ANN401
        asked: Any = {"model": model, "file": ("a.mp3", sound_of(form=MP3)), **fields}
        return client.audio.transcriptions.create(**{**asked, "response_format": form})

    assert written("json").text == TEXT
    assert written("text") == f"{TEXT}\n"
    assert written("srt").startswith("1\n00:00:00,000 --> 00:00:0")
    assert written("vtt").startswith("WEBVTT\n\n00:00:00.000 --> 00:00:0")
    verbose = written("verbose_json", timestamp_granularities=["word", "segment"])
    assert verbose.text == TEXT
    assert [word.word for word in verbose.words] == TEXT.split()
    assert " ".join(segment.text.strip() for segment in verbose.segments) == TEXT
    assert LENGTH_MS <= verbose.duration * 1000 < LENGTH_MS + 100


def test_without_a_model_it_is_the_default_kind(payer: Payer) -> None:
    assert send(payer).json()["text"] == TEXT
    [usage] = payer.usage()
    assert (usage["kind"], usage["model"]) == ("transcription.default", "gpt-4o-transcribe")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": "gpt-4o-transcribe", "response_format": "srt"}, "response_format"),
        ({"response_format": "pdf"}, "response_format"),
        ({"stream": "true"}, "stream"),
        ({"temperature": "2"}, "temperature"),
        ({"timestamp_granularities[]": "word"}, "timestamp_granularities"),
        ({"surprise": "1"}, "surprise"),
        ({"sound": b"just some text"}, "file"),
        ({"sound": b"ID3\x04\0\0\0\0\0\0" + b"x" * 5_000}, "file"),
        ({"sound": b""}, "file"),
        ({"language": ["en", "de"]}, "language"),
    ],
)
def test_what_cannot_be_done_is_refused_and_nothing_moves(
    payer: Payer, fields: dict[str, Any], param: str
) -> None:
    answer = send(payer, **fields)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert payer.entries() == []
    assert payer.usage() == []
    assert payer.balance() == (GRANTED_UCR, 0)


def test_an_unknown_model_is_404(payer: Payer) -> None:
    assert send(payer, model="whisper-9").status_code == 404
    assert payer.entries() == []


def test_a_sound_beyond_25_mb_is_413(payer: Payer) -> None:
    answer = send(payer, b"RIFF\0\0\0\0WAVE".ljust(25 * 1024 * 1024 + 1, b"\0"))
    assert answer.status_code == 413
    assert payer.entries() == []


def test_what_is_no_form_is_refused(payer: Payer) -> None:
    assert payer.post(PATH, json={"model": "whisper-1"}).status_code == 400
    headers = {"content-type": "multipart/form-data; boundary=b"}
    for body in (b"", b"--b\r\n", b"--b\r\ncontent-disposition: form-data; name=file\r\n\r\nx"):
        assert payer.post(PATH, data=body, headers=headers).status_code == 400
    assert payer.entries() == []


@pytest.mark.parametrize("model", ["gpt-4o-transcribe", "scribe_v2"])
@pytest.mark.parametrize(
    ("words", "status"),
    [("status=500", 502), ("status=429 retry_after=3", 503), ("drop", 502), ("wrong_json", 502)],
)
def test_a_failing_provider_costs_nothing(
    payer: Payer, model: str, words: str, status: int
) -> None:
    answer = send(payer, faulty(words), model=model)
    assert answer.status_code == status, answer.text
    [usage] = payer.usage()
    assert (usage["status"], usage["charge_ucr"]) == ("failed", 0)
    assert payer.balance() == (GRANTED_UCR, 0)
    assert own_violations(payer) == []


def begin_upload(payer: Payer) -> socket.socket:
    """Announce 25 MB and send none of them."""
    parts = urlsplit(payer.url)
    opened = socket.create_connection((str(parts.hostname), int(parts.port or 80)))
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: {parts.netloc}\r\nx-app-key: {payer.key}\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n"
        f"Content-Length: {25 * 1024 * 1024}\r\n\r\n"
    )
    opened.sendall(head.encode())
    return opened


def test_a_process_takes_so_much_into_memory_and_no_more(make_payer: MakePayer) -> None:
    payer, other = make_payer(), make_payer()
    uploads = [begin_upload(other) for _ in range(3)]
    padded = sound_of() + bytes(11 * 1024 * 1024)
    try:
        while (refused := send(payer, padded)).status_code == 200:
            assert len(uploads) < 20
            uploads.append(begin_upload(other))  # the first ones may not have been seen yet
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    finally:
        for upload in uploads:
            upload.close()
    assert any(send(payer, padded).status_code == 200 for _ in range(20))
    assert payer.balance()[1] == 0


def test_the_same_idempotency_key_is_answered_and_charged_once(payer: Payer) -> None:
    headers = {"idempotency-key": uuid4().hex}
    first, second = (
        send(payer, headers=headers, model="whisper-1", response_format="text") for _ in range(2)
    )
    assert (first.status_code, first.text) == (200, f"{TEXT}\n")
    assert second.content == first.content
    assert second.headers["content-type"] == first.headers["content-type"]
    assert second.headers["idempotent-replayed"] == "true"
    other = send(payer, headers=headers, model="whisper-1", response_format="json")
    assert other.status_code == 422
    assert len(payer.usage()) == 1


def test_a_wallet_that_cannot_pay_is_402(make_payer: MakePayer) -> None:
    payer = make_payer(credits=0.001)
    assert send(payer).status_code == 402
    assert payer.usage() == []
    assert payer.balance() == (1000, 0)


def test_a_key_without_the_scope_is_403(make_payer: MakePayer) -> None:
    payer = make_payer(scopes=["chat"])
    assert send(payer).status_code == 403
    assert payer.entries() == []


def test_a_user_s_own_key_pays_for_its_call(payer: Payer) -> None:
    answer = send(payer, headers={"x-user-elevenlabs-key": "sk_own"}, model="scribe_v1")
    assert answer.json()["text"] == TEXT
    [usage] = payer.usage()
    assert (usage["billing"], usage["charge_ucr"]) == ("byok", 0)
    assert payer.balance() == (GRANTED_UCR, 0)
