"""The doubles that speak and hear, by the official SDKs: real files that say what was asked for."""

import io
import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import openai
import pytest
from elevenlabs.client import ElevenLabs
from elevenlabs.core.api_error import ApiError
from elevenlabs.types import VoiceSettings
from mutagen import File
from mutagen.mp3 import MP3

from sandbox.voices_files import heard
from tests.sandbox.caller import Caller
from tests.sandbox.openapi import violations
from tests.sandbox.test_openrouter_spec import with_nullable

SPECS = Path(__file__).resolve().parents[3] / "shared/wire/specs"
RACHEL = "21m00Tcm4TlvDq8ikWAM"
TEXT = "Hello, it is me."
LETTER_MS = 70
TEXT_MS = (len(TEXT) + 1 + 2) * LETTER_MS
"""A comma is a pause of two letters, a full stop of three."""
Connect = Callable[[str], ElevenLabs]


@pytest.fixture
def connect(sandbox_url: str) -> Iterator[Connect]:
    """Call the sandbox with ElevenLabs' SDK and a key."""
    with httpx.Client() as http:
        base_url = f"{sandbox_url}/elevenlabs"
        yield lambda key: ElevenLabs(api_key=key, base_url=base_url, httpx_client=http)


@pytest.fixture
def eleven(connect: Connect) -> ElevenLabs:
    """Call the sandbox with ElevenLabs' SDK."""
    return connect("sk_sandbox")


def said(eleven: ElevenLabs, text: str = TEXT, **fields: Any) -> bytes:  # noqa: ANN401
    """Have a text spoken, without the SDK's retries."""
    asked = {"model_id": "eleven_flash_v2_5", "voice_id": RACHEL, **fields}
    options: Any = {"max_retries": 0}
    return b"".join(eleven.text_to_speech.stream(text=text, request_options=options, **asked))


def test_an_elevenlabs_stream_is_a_real_mp3_that_is_as_long_as_its_letters(
    eleven: ElevenLabs,
) -> None:
    info: Any = MP3(io.BytesIO(said(eleven))).info  # type: ignore[no-untyped-call]
    assert (info.bitrate, info.sample_rate, info.channels) == (128_000, 44_100, 1)
    assert TEXT_MS <= info.length * 1000 < TEXT_MS + 80


@pytest.mark.parametrize(
    ("output_format", "kind", "rate_hz"),
    [
        ("mp3_22050_32", "MP3", 22_050),
        ("mp3_24000_48", "MP3", 24_000),
        ("opus_48000_64", "OggOpus", 48_000),
    ],
)
def test_each_format_is_what_it_says(
    eleven: ElevenLabs, output_format: str, kind: str, rate_hz: int
) -> None:
    body = said(eleven, output_format=output_format)
    found: Any = File(io.BytesIO(body))
    assert type(found).__name__ == kind
    assert getattr(found.info, "sample_rate", 48_000) == rate_hz
    assert TEXT_MS <= found.info.length * 1000 < TEXT_MS + 120


def test_samples_have_no_header_and_the_exact_length(eleven: ElevenLabs) -> None:
    body = said(eleven, output_format="pcm_24000")
    assert len(body) == TEXT_MS * 48
    loudest = max(map(abs, struct.unpack(f"<{len(body) // 2}h", body)))
    assert 8_000 < loudest < 12_000


def test_a_wav_comes_from_the_whole_route_alone(eleven: ElevenLabs) -> None:
    options: Any = {"max_retries": 0}
    fields: Any = {"voice_id": RACHEL, "text": TEXT, "output_format": "wav_24000"}
    body = b"".join(eleven.text_to_speech.convert(**fields, request_options=options))
    assert body[:4] == b"RIFF"
    with pytest.raises(ApiError) as refused:
        said(eleven, output_format="wav_24000")
    assert refused.value.status_code == 422


def test_the_same_text_and_voice_sound_the_same_and_others_differ(eleven: ElevenLabs) -> None:
    pcm = {"output_format": "pcm_24000"}
    first = said(eleven, **pcm)
    assert said(eleven, **pcm) == first
    assert said(eleven, **pcm, voice_id="TxGEqnHWrfWFTfGW9XjX") != first


def test_speed_makes_it_shorter_but_not_for_the_third_generation(eleven: ElevenLabs) -> None:
    settings = VoiceSettings(speed=1.2)
    fast: dict[str, Any] = {"output_format": "pcm_24000", "voice_settings": settings}
    assert len(said(eleven, **fast)) == len(TEXT.replace(",", "  ").replace(".", "   ")) * (
        int(0.07 / 1.2 * 24_000) * 2
    )
    assert len(said(eleven, **fast, model_id="eleven_v3")) == TEXT_MS * 48


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"voice_id": "A" * 20}, 404, "voice_not_found"),
        ({"model_id": "eleven_v9"}, 400, "model_not_found"),
        ({"model_id": "eleven_v3", "previous_text": "Before."}, 400, "unsupported_model"),
        (
            {"model_id": "eleven_multilingual_v2", "language_code": "de"},
            400,
            "unsupported_language",
        ),
        ({"text": " "}, 400, "invalid_parameters"),
        ({"text": "[[sandbox status=401 code=quota_exceeded]]"}, 401, "quota_exceeded"),
    ],
)
def test_refusals_have_their_codes(
    eleven: ElevenLabs, fields: dict[str, Any], status: int, code: str
) -> None:
    with pytest.raises(ApiError) as refused:
        said(eleven, **fields)
    assert (refused.value.status_code, refused.value.body["detail"]["code"]) == (status, code)


def test_a_text_beyond_the_models_limit_is_refused_in_the_older_form(eleven: ElevenLabs) -> None:
    with pytest.raises(ApiError) as refused:
        said(eleven, "a" * 3_001, model_id="eleven_v3")
    assert refused.value.body["detail"]["status"] == "max_character_limit_exceeded"


@pytest.mark.parametrize(
    ("key", "status", "code"),
    [("sk_invalid", 401, "invalid_api_key"), ("sk_quota", 401, "quota_exceeded")],
)
def test_keys_are_checked(connect: Connect, key: str, status: int, code: str) -> None:
    with pytest.raises(ApiError) as refused:
        said(connect(key))
    assert (refused.value.status_code, refused.value.body["detail"]["code"]) == (status, code)


def test_headers_tell_the_credits_it_cost(eleven: ElevenLabs) -> None:
    fields: Any = {"voice_id": RACHEL, "text": TEXT, "model_id": "eleven_flash_v2_5"}
    with eleven.text_to_speech.with_raw_response.stream(**fields) as answer:
        headers = answer.headers
        assert sum(map(len, answer.data)) > 0
    assert headers["character-cost"] == "8"
    assert headers["content-type"] == "audio/mpeg"


def test_voices_and_models_are_listed(eleven: ElevenLabs) -> None:
    assert RACHEL not in {voice.voice_id for voice in eleven.voices.get_all().voices}
    listed = eleven.voices.get_all(show_legacy=True).voices
    assert RACHEL in {voice.voice_id for voice in listed}
    assert eleven.voices.get(RACHEL).name == "Rachel"
    page = eleven.voices.search(page_size=5)
    assert (len(page.voices), page.has_more, page.total_count) == (5, True, 12)
    rest = eleven.voices.search(page_size=100, next_page_token=page.next_page_token)
    assert (len(rest.voices), rest.has_more) == (7, False)
    limits = {one.model_id: one.maximum_text_length_per_request for one in eleven.models.list()}
    assert limits["eleven_v3"] == 3_000


def test_scribe_hears_what_was_said(eleven: ElevenLabs) -> None:
    options: Any = {"max_retries": 0}
    found: Any = eleven.speech_to_text.convert(
        model_id="scribe_v1", file=said(eleven), request_options=options
    )
    assert found.text == TEXT
    assert [word.text for word in found.words if word.type == "word"] == TEXT.split()
    assert TEXT_MS / 1000 <= found.audio_duration_secs < TEXT_MS / 1000 + 0.08


def test_scribe_refuses_what_is_no_sound(eleven: ElevenLabs) -> None:
    options: Any = {"max_retries": 0}
    with pytest.raises(ApiError) as refused:
        eleven.speech_to_text.convert(model_id="scribe_v1", file=b"x", request_options=options)
    assert refused.value.status_code == 400


def spoken(client: openai.OpenAI, text: str = TEXT, **fields: Any) -> bytes:  # noqa: ANN401
    """Have OpenAI's double speak."""
    asked: Any = {"model": "tts-1", "voice": "alloy", "input": text, **fields}
    return client.audio.speech.create(**asked).content


@pytest.mark.parametrize("form", ["mp3", "opus", "aac", "flac", "wav"])
def test_openai_speaks_in_every_format(client: openai.OpenAI, form: str) -> None:
    found = heard(spoken(client, response_format=form))
    assert found is not None
    assert TEXT_MS <= found.length_ms < TEXT_MS + 130


def test_openai_speaks_in_samples(client: openai.OpenAI) -> None:
    assert len(spoken(client, response_format="pcm")) == TEXT_MS * 48
    assert len(spoken(client, response_format="pcm", speed=2.0)) == TEXT_MS * 24


def test_openai_streams_events_with_usage(caller: Caller) -> None:
    body = {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": TEXT, "stream_format": "sse"}
    answer = caller.send("POST", "/openai/v1/audio/speech", body=json.dumps(body).encode())
    *sounds, done = answer.events()
    assert {event["type"] for event in sounds} == {"speech.audio.delta"}
    tokens = TEXT_MS // 50
    assert done == {
        "type": "speech.audio.done",
        "usage": {"input_tokens": 7, "output_tokens": tokens, "total_tokens": 7 + tokens},
    }


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"stream_format": "sse"}, "stream_format"),
        ({"instructions": "Whisper."}, "instructions"),
        ({"voice": "marin"}, "voice"),
        ({"voice": "nobody"}, "voice"),
        ({"input": "a" * 4_097}, "input"),
        ({"speed": 4.1}, "speed"),
        ({"extra_body": {"surprise": 1}}, "surprise"),
    ],
)
def test_openai_refuses_what_an_older_model_lacks(
    client: openai.OpenAI, fields: dict[str, Any], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        spoken(client, **fields)
    assert refused.value.param == param


def test_a_stream_can_be_cut_and_slowed(caller: Caller) -> None:
    mark = uuid4().hex
    text = f"[[sandbox cut_at=5000 tag={mark}]] {TEXT}"
    body = {"model": "tts-1", "voice": "alloy", "input": text}
    with pytest.raises((OSError, ValueError)):
        caller.send("POST", "/openai/v1/audio/speech", body=json.dumps(body).encode())
    assert caller.journal(mark)[0]["state"] == "broken"


def test_whisper_writes_in_every_format(client: openai.OpenAI) -> None:
    sound = ("a.wav", spoken(client, response_format="wav"))

    def written(form: str, **fields: Any) -> Any:  # noqa: ANN401
        asked: Any = {"model": "whisper-1", "file": sound, "response_format": form, **fields}
        return client.audio.transcriptions.create(**asked)

    assert written("json").text == TEXT
    assert written("text") == f"{TEXT}\n"
    assert written("srt").startswith(f"1\n00:00:00,000 --> 00:00:01,330\n{TEXT}\n")
    assert written("vtt").startswith(f"WEBVTT\n\n00:00:00.000 --> 00:00:01.330\n{TEXT}\n")
    verbose = written("verbose_json", timestamp_granularities=["word", "segment"])
    assert (verbose.text, verbose.duration, verbose.usage.seconds) == (TEXT, 1.33, 2)
    assert [word.word for word in verbose.words] == TEXT.split()
    assert len(verbose.segments) == 1


def test_newer_models_stream_and_tell_tokens(client: openai.OpenAI) -> None:
    sound = ("a.mp3", spoken(client))
    found = client.audio.transcriptions.create(model="gpt-4o-transcribe", file=sound)
    assert found.text == TEXT
    assert found.usage is not None
    assert found.usage.type == "tokens"
    stream = client.audio.transcriptions.create(
        model="gpt-4o-mini-transcribe", file=sound, stream=True
    )
    *deltas, done = list(stream)
    assert "".join(event.delta for event in deltas if hasattr(event, "delta")) == TEXT
    assert done.type == "transcript.text.done"


def test_a_sound_of_strangers_says_what_follows_from_its_bytes(client: openai.OpenAI) -> None:
    aac = spoken(client, response_format="aac")
    texts = {
        client.audio.transcriptions.create(model="whisper-1", file=("a.mp4", aac)).text
        for _ in range(2)
    }
    assert len(texts) == 1
    assert texts != {TEXT}


@pytest.mark.parametrize(
    ("name", "body", "model", "status"),
    [("a.txt", None, "whisper-1", 400), ("a.mp3", b"x", "whisper-1", 400)],
)
def test_openai_refuses_files_it_does_not_know(
    client: openai.OpenAI, name: str, body: bytes | None, model: str, status: int
) -> None:
    with pytest.raises(openai.APIStatusError) as refused:
        client.audio.transcriptions.create(model=model, file=(name, body or spoken(client)))
    assert refused.value.status_code == status


def predicted(caller: Caller, key: str = "Api-Key b10", **fields: Any) -> Any:  # noqa: ANN401
    """Call Baseten's double."""
    headers = {"authorization": key, "content-type": "application/json"}
    body = json.dumps({"prompt": TEXT, "voice": "leo", **fields}).encode()
    path = "/baseten/environments/production/predict"
    return caller.send("POST", path, body=body, headers=headers)


def test_baseten_sends_samples_that_call_themselves_a_wav(caller: Caller) -> None:
    answer = predicted(caller)
    assert answer.headers["content-type"] == "audio/wav"
    assert answer.headers["x-baseten-input-tokens"] == str(len(TEXT))
    assert answer.body[:4] != b"RIFF"
    assert len(answer.body) == TEXT_MS * 48


@pytest.mark.parametrize(
    ("key", "prompt", "status"),
    [
        ("Bearer b10", TEXT, 401),
        ("Api-Key invalid", TEXT, 403),
        ("Api-Key ratelimited", TEXT, 429),
        ("Api-Key b10", "", 500),
        ("Api-Key b10", "[[sandbox status=503]]", 503),
    ],
)
def test_baseten_refuses(caller: Caller, key: str, prompt: str, status: int) -> None:
    assert predicted(caller, key, prompt=prompt).status == status


def test_baseten_may_send_nothing(caller: Caller) -> None:
    assert predicted(caller, prompt="[[sandbox empty]] Hello").body == b""


def checked(name: str, schema: str, value: object) -> list[str]:
    """Check a value against a provider's document, or say plainly that it goes unchecked."""
    path = SPECS / name
    if not path.exists():
        pytest.skip(f"NOT CHECKED AGAINST A PROVIDER'S SPEC: there is no {path}")
    return violations(with_nullable(json.loads(path.read_bytes())), schema, value)


@pytest.mark.parametrize(
    ("path", "schema"),
    [
        ("/v1/voices?show_legacy=true", "GetVoicesResponseModel"),
        ("/v2/voices?page_size=3", "GetVoicesV2ResponseModel"),
        (f"/v1/voices/{RACHEL}", "VoiceResponseModel"),
    ],
)
def test_elevenlabs_lists_are_documented(caller: Caller, path: str, schema: str) -> None:
    answer = caller.send("GET", f"/elevenlabs{path}", headers={"xi-api-key": "sk_1"})
    assert checked("elevenlabs.openapi.trim.json", schema, answer.json()) == []


def test_elevenlabs_models_are_documented(caller: Caller) -> None:
    answer = caller.send("GET", "/elevenlabs/v1/models", headers={"xi-api-key": "sk_1"})
    for model in answer.json():
        assert checked("elevenlabs.openapi.trim.json", "ModelResponseModel", model) == []


def test_openai_answers_are_documented(client: openai.OpenAI) -> None:
    sound = ("a.mp3", spoken(client))
    raw = client.audio.transcriptions.with_raw_response
    plain = raw.create(model="gpt-4o-transcribe", file=sound)
    schema = "CreateTranscriptionResponseJson"
    assert checked("openai.openapi.json", schema, json.loads(plain.content)) == []
    verbose = raw.create(model="whisper-1", file=sound, response_format="verbose_json")
    found = json.loads(verbose.content)
    assert found.pop("task") == "transcribe"  # in the document's example, not in its schema
    assert checked("openai.openapi.json", "CreateTranscriptionResponseVerboseJson", found) == []


@pytest.mark.parametrize(
    ("form", "event"),
    [("SpeechAudioDeltaEvent", 0), ("SpeechAudioDoneEvent", -1)],
)
def test_openai_speech_events_are_documented(caller: Caller, form: str, event: int) -> None:
    body = {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": TEXT, "stream_format": "sse"}
    answer = caller.send("POST", "/openai/v1/audio/speech", body=json.dumps(body).encode())
    assert checked("openai.openapi.json", form, answer.events()[event]) == []
