"""Transcriptions as we ask OpenAI and ElevenLabs for them, read what they heard, and write it."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.operations.transcription import (
    HeardTokens,
    TranscriptionRequest,
    sound_kind,
    written_transcript,
)
from gateway.providers import find_provider
from gateway.providers.base import Target, UpstreamAnswer, UpstreamFailure, UpstreamRequest
from gateway.providers.transcriptions import TranscriptionProvider, hears
from gateway.surfaces.multipart import FormReader
from studio.core.errors import InvalidRequest
from tests.sandbox.openapi import violations
from tests.sandbox.test_openrouter_spec import with_nullable

SPEC = Path(__file__).resolve().parents[3] / "shared/wire/specs/openai.openapi.json"
KEY = "sk_canary5f0c2d"
SOUND = b"ID3\x04\r\n--x\r\n\0\xff" * 3
GPT = Target(model="gpt-4o-transcribe")
WHISPER = Target(model="whisper-1")
SCRIBE = Target(model="scribe_v2")
TARGETS = {"openai": WHISPER, "elevenlabs": SCRIBE}


def provider(slug: str) -> TranscriptionProvider:
    """Give a provider that writes speech down."""
    found = find_provider(slug)
    assert found is not None
    assert hears(found)
    return found


def asked(**fields: Any) -> TranscriptionRequest:
    """Make a request."""
    given = {"sound": SOUND, "kind": "mp3", "media_ms": 2_500, "boundary": "studio-b0"}
    return TranscriptionRequest(**{**given, **fields})


def fields_of(built: UpstreamRequest) -> dict[str, list[str]]:
    """Read a form that goes to a provider; its file is the sound, to the byte."""
    reader = FormReader(built.headers["content-type"].encode(), most_file_bytes=10_000)
    reader.feed(built.body)
    form = reader.form()
    assert bytes(form.file or b"") == SOUND
    return form.texts


def read(slug: str, request: TranscriptionRequest, body: object, status: int = 200) -> Any:  # noqa: ANN401
    """Read an answer."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = UpstreamAnswer(status=status, headers={}, body=data)
    return provider(slug).parse_transcription(request, TARGETS[slug], answer)


def test_openai_is_asked_for_json() -> None:
    built = provider("openai").build_transcription(asked(), GPT)
    assert (built.method, built.path) == ("POST", "/audio/transcriptions")
    assert fields_of(built) == {"model": ["gpt-4o-transcribe"], "response_format": ["json"]}
    assert b'filename="sound.mp3"\r\nContent-Type: audio/mpeg\r\n' in built.body


def test_openai_gets_all_that_was_said() -> None:
    request = asked(
        response_format="verbose_json",
        language="de",
        prompt="Ümläut",
        temperature=0.25,
        granularities=("word",),
    )
    assert fields_of(provider("openai").build_transcription(request, WHISPER)) == {
        "model": ["whisper-1"],
        "response_format": ["verbose_json"],
        "language": ["de"],
        "prompt": ["Ümläut"],
        "temperature": ["0.25"],
        "timestamp_granularities[]": ["segment", "word"],
    }


def test_scribe_is_asked_for_words_only_where_times_are_needed() -> None:
    build = provider("elevenlabs").build_transcription
    built = build(asked(language="de", prompt="left out", temperature=0.5), SCRIBE)
    assert built.path == "/speech-to-text"
    assert fields_of(built) == {
        "model_id": ["scribe_v2"],
        "timestamps_granularity": ["none"],
        "tag_audio_events": ["false"],
        "language_code": ["de"],
        "temperature": ["0.5"],
    }
    timed = fields_of(build(asked(response_format="srt"), SCRIBE))
    assert timed["timestamps_granularity"] == ["word"]


@pytest.mark.parametrize("slug", sorted(TARGETS))
def test_the_key_travels_only_in_its_header_and_drops_are_dropped(slug: str) -> None:
    target = Target(model="m", drop_parameters=("language", "temperature", "prompt", "model"))
    built = provider(slug).build_transcription(asked(language="de", temperature=0.0), target)
    assert set(built.headers).isdisjoint(provider(slug).auth(KEY))
    texts = fields_of(built)
    assert texts.keys().isdisjoint({"language", "language_code", "temperature", "prompt"})
    assert ["m"] in texts.values()


@pytest.mark.parametrize("form", ["srt", "vtt", "verbose_json"])
def test_times_are_whispers_and_scribes(form: str) -> None:
    request = asked(response_format=form)
    unsupported = provider("openai").unsupported_transcription
    assert unsupported(request, GPT) == "response_format"
    assert unsupported(request, WHISPER) is None
    assert provider("elevenlabs").unsupported_transcription(request, SCRIBE) is None
    assert unsupported(asked(response_format="text"), GPT) is None


TOKENS = {
    "type": "tokens",
    "input_tokens": 14,
    "input_token_details": {"text_tokens": 4, "audio_tokens": 10},
    "output_tokens": 45,
    "total_tokens": 59,
}


def test_tokens_are_read_where_they_are_told() -> None:
    heard = read("openai", asked(), {"text": " Hello. ", "usage": TOKENS})
    assert heard.transcript.text == "Hello."
    assert heard.tokens == HeardTokens(
        input_tokens=14, output_tokens=45, text_tokens=4, audio_tokens=10
    )


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {"type": "duration", "seconds": 3},
        {**TOKENS, "input_tokens": -1},
        {**TOKENS, "output_tokens": "45"},
        {**TOKENS, "input_tokens": 0},
        [],
    ],
)
def test_tokens_that_cannot_be_believed_are_none(usage: object) -> None:
    assert read("openai", asked(), {"text": "Hello.", "usage": usage}).tokens is None


WORDS = [
    {"text": "Hello,", "start": 0.0, "end": 0.4, "type": "word", "logprob": -0.1},
    {"text": " ", "start": 0.4, "end": 0.5, "type": "spacing", "logprob": -0.1},
    {"text": "you.", "start": 0.5, "end": 0.9, "type": "word", "logprob": -0.1},
    {"text": "(laughs)", "start": 0.9, "end": 1.0, "type": "audio_event", "logprob": -0.1},
    {"text": "Bye", "start": 3601.25, "end": 3602.0, "type": "word", "logprob": -0.1},
]
SCRIBED = {"language_code": "eng", "language_probability": 0.9, "text": "Hello, you. Bye"}


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (
            "srt",
            "1\n00:00:00,000 --> 00:00:00,900\nHello, you.\n\n"
            "2\n01:00:01,250 --> 01:00:02,000\nBye\n",
        ),
        (
            "vtt",
            "WEBVTT\n\n00:00:00.000 --> 00:00:00.900\nHello, you.\n\n"
            "01:00:01.250 --> 01:00:02.000\nBye\n",
        ),
        ("text", "Hello, you. Bye\n"),
    ],
)
def test_words_become_subtitles(form: str, expected: str) -> None:
    request = asked(response_format=form)
    heard = read("elevenlabs", request, {**SCRIBED, "words": WORDS})
    body, media_type = written_transcript(heard.transcript, request, heard.tokens)
    assert body.decode() == expected
    assert media_type.startswith("text/")


def test_words_become_openai_s_longest_form() -> None:
    request = asked(response_format="verbose_json", granularities=("word", "segment"))
    heard = read("elevenlabs", request, {**SCRIBED, "words": WORDS[:3]})
    body, media_type = written_transcript(heard.transcript, request, heard.tokens)
    assert media_type == "application/json"
    assert json.loads(body) == {
        "task": "transcribe",
        "language": "eng",
        "duration": 2.5,
        "text": "Hello, you. Bye",
        "segments": [{"id": 0, "start": 0.0, "end": 0.9, "text": "Hello, you."}],
        "words": [
            {"word": "Hello,", "start": 0.0, "end": 0.4},
            {"word": "you.", "start": 0.5, "end": 0.9},
        ],
        "usage": {"type": "duration", "seconds": 3},
    }


def test_a_long_run_of_words_is_cut_where_it_can_be_read() -> None:
    words = [
        {"text": "word", "start": at / 2, "end": at / 2 + 0.4, "type": "word"} for at in range(60)
    ]
    request = asked(response_format="srt")
    segments = read("elevenlabs", request, {"text": "x", "words": words}).transcript.segments
    assert max(len(segment.text) for segment in segments) <= 84
    assert max(segment.end - segment.start for segment in segments) <= 10
    assert sum(len(segment.text.split()) for segment in segments) == 60


@pytest.mark.parametrize(
    ("slug", "body"),
    [
        ("openai", b""),
        ("openai", b"<html>"),
        ("openai", b'{"text":7}'),
        ("openai", b'{"texts":"a"}'),
        ("openai", b'{"text":"a","words":[{"word":"a"}]}'),
        ("openai", b'{"text":"\xff"}'),
        ("elevenlabs", b"[]"),
        ("elevenlabs", b'{"text":"a","words":[{"text":"a","start":null,"end":1,"type":"word"}]}'),
    ],
)
def test_an_answer_that_is_no_transcript_is_invalid(slug: str, body: bytes) -> None:
    with pytest.raises(UpstreamFailure) as failed:
        read(slug, asked(response_format="vtt"), body)
    assert failed.value.code == "upstream_invalid_response"


@pytest.mark.parametrize(
    ("slug", "status", "body", "code"),
    [
        ("openai", 400, {"error": {"message": "m", "param": "file"}}, "invalid_request_error"),
        ("openai", 429, {"error": {"code": "insufficient_quota"}}, "upstream_quota"),
        ("openai", 413, {"error": {"message": "too large"}}, "invalid_request_error"),
        ("elevenlabs", 401, {"detail": {"status": "quota_exceeded"}}, "upstream_quota"),
        ("elevenlabs", 400, {"detail": {"code": "invalid_parameters"}}, "invalid_request_error"),
    ],
)
def test_errors_are_read(slug: str, status: int, body: object, code: str) -> None:
    with pytest.raises(UpstreamFailure) as failed:
        read(slug, asked(), body, status)
    assert (failed.value.code, failed.value.provider_status) == (code, status)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"fLaC\0", "flac"),
        (b"OggS\0", "ogg"),
        (b"RIFF\0\0\0\0WAVE", "wav"),
        (b"\0\0\0\x18ftypM4A ", "mp4"),
        (b"\x1aE\xdf\xa3", "webm"),
        (b"ID3\x04", "mp3"),
        (b"\xff\xfb\x90", "mp3"),
        (b"\xff\xf3\x90", "mp3"),
    ],
)
def test_a_file_is_what_it_begins_as(data: bytes, kind: str) -> None:
    assert sound_kind(data) == kind


@pytest.mark.parametrize(
    "data", [b"", b"R", b"RIFF\0\0\0\0AVI ", b"\xff\xf1\x50", b"#EXTM3U\n", b"concat:", b"<svg>"]
)
def test_a_file_that_is_no_sound_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidRequest) as refused:
        sound_kind(data)
    assert refused.value.details == {"param": "file"}


def test_what_openai_is_sent_is_documented() -> None:
    if not SPEC.exists():
        pytest.skip(f"NOT CHECKED AGAINST OPENAI'S SPEC: there is no {SPEC}")
    spec = with_nullable(json.loads(SPEC.read_bytes()))
    request = asked(response_format="verbose_json", language="en", granularities=("word",))
    texts = fields_of(provider("openai").build_transcription(request, WHISPER))
    body: dict[str, Any] = {name: given[0] for name, given in texts.items()}
    body["timestamp_granularities"] = texts["timestamp_granularities[]"]
    del body["timestamp_granularities[]"]
    body["file"] = "…"
    assert violations(spec, "CreateTranscriptionRequest", body) == []
