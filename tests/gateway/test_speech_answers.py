"""What we make of the sound, the events and the errors that providers of speech answer."""

import json
import random
import struct
from base64 import b64encode
from typing import Any

import pytest

from gateway.providers.base import UpstreamFailure
from gateway.providers.speech import SpeechStream
from tests.gateway.speech_bodies import MINI, MP3, ORPHEUS, PCM, REQUEST, TARGETS, asked, provider

AUDIO = {"content-type": "audio/mpeg"}
EVENTS = {"content-type": "text/event-stream; charset=utf-8"}


def fed(stream: SpeechStream, body: bytes, size: int = 7) -> bytes:
    """Feed a body in pieces, to its end."""
    given = b"".join(stream.feed(body[at : at + size]) for at in range(0, len(body), size))
    stream.end()
    return given


def events(*parts: bytes, usage: object = None, done: bool = True) -> bytes:
    """Write OpenAI's events."""
    found: list[dict[str, Any]] = [
        {"type": "speech.audio.delta", "audio": b64encode(part).decode()} for part in parts
    ]
    if done:
        found.append({"type": "speech.audio.done", "usage": usage})
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in found)


USAGE = {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115}


@pytest.mark.parametrize("slug", ["openai", "elevenlabs"])
@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_bytes_come_out_as_they_came(slug: str, size: int) -> None:
    stream = provider(slug).open_speech(REQUEST, TARGETS[slug], AUDIO)
    assert fed(stream, MP3, size) == MP3
    assert (stream.failure, stream.use) == (None, None)


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_samples_come_out_whole(size: int) -> None:
    stream = provider("baseten").open_speech(
        asked(format="pcm"), ORPHEUS, {"content-type": "audio/wav"}
    )
    pieces = [stream.feed(PCM[at : at + size]) for at in range(0, len(PCM), size)]
    stream.end()
    assert b"".join(pieces) == PCM
    assert {len(piece) % 2 for piece in pieces} == {0}
    assert stream.failure is None


def wav(rate_hz: int = 24_000, channels: int = 1, bits: int = 16) -> bytes:
    """Write a header as encoders do that do not know the length, then the samples."""
    layout = struct.pack("<HHIIHH", 1, channels, rate_hz, rate_hz * 2, 2, bits)
    note = b"LIST" + struct.pack("<I", 5) + b"notes\0"
    return (
        b"RIFF\xff\xff\xff\xffWAVEfmt " + struct.pack("<I", 16) + layout + note
        + b"data\xff\xff\xff\xff" + PCM
    )  # fmt: skip


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_header_that_should_not_be_there_is_taken_off(size: int) -> None:
    stream = provider("baseten").open_speech(asked(format="pcm"), ORPHEUS, {})
    assert fed(stream, wav(), size) == PCM
    assert stream.failure is None


@pytest.mark.parametrize("body", [wav(rate_hz=44_100), wav(channels=2), wav(bits=8)])
def test_samples_of_another_kind_are_none(body: bytes) -> None:
    stream = provider("baseten").open_speech(asked(format="pcm"), ORPHEUS, {})
    assert fed(stream, body) == b""
    assert stream.failure is not None
    assert stream.failure.code == "upstream_invalid_response"


@pytest.mark.parametrize(
    ("slug", "form", "headers", "body"),
    [
        ("elevenlabs", "mp3", AUDIO, b""),
        ("elevenlabs", "mp3", {"content-type": "text/html"}, MP3),
        ("elevenlabs", "mp3", {"content-type": "application/json"}, b'{"detail":"no"}'),
        ("elevenlabs", "mp3", {}, b"<html>"),
        ("elevenlabs", "pcm", {}, PCM[:-1]),
        ("openai", "opus", {"content-type": "application/json; charset=utf-8"}, b"{}"),
        ("openai", "pcm", {}, b""),
        ("baseten", "pcm", {"content-type": "audio/wav"}, b""),
        ("baseten", "pcm", {"content-type": "text/plain"}, b"Traceback"),
        ("baseten", "pcm", {}, b"RIFF"),
        ("baseten", "pcm", {}, b"RIFF" + bytes(5_000)),
    ],
)
def test_what_is_no_sound_or_no_whole_one_fails(
    slug: str, form: Any, headers: dict[str, str], body: bytes
) -> None:
    stream = provider(slug).open_speech(asked(format=form), TARGETS[slug], headers)
    fed(stream, body)
    assert stream.failure is not None
    assert stream.failure.code == "upstream_invalid_response"


@pytest.mark.parametrize("size", [1, 13, 100_000])
def test_events_become_sound_and_tokens(size: int) -> None:
    stream = provider("openai").open_speech(REQUEST, MINI, EVENTS)
    assert fed(stream, events(MP3[:50], MP3[50:], usage=USAGE), size) == MP3
    assert stream.finished
    assert stream.failure is None
    assert stream.use is not None
    assert (stream.use.input_tokens, stream.use.output_tokens) == (14, 101)
    assert stream.use.source == "provider"


def test_bytes_in_place_of_events_are_taken_too() -> None:
    stream = provider("openai").open_speech(REQUEST, MINI, AUDIO)
    assert fed(stream, MP3) == MP3
    assert (stream.failure, stream.use) == (None, None)


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        {"input_tokens": -1, "output_tokens": 5},
        {"input_tokens": 1, "output_tokens": 0},
        {"input_tokens": "1", "output_tokens": 5},
        {"input_tokens": 1, "output_tokens": 1.5},
    ],
)
def test_tokens_that_cannot_be_believed_are_none(usage: object) -> None:
    stream = provider("openai").open_speech(REQUEST, MINI, EVENTS)
    assert fed(stream, events(MP3, usage=usage)) == MP3
    assert (stream.use, stream.failure) == (None, None)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (events(MP3, done=False), "upstream_invalid_response"),
        (events(usage=USAGE), "upstream_invalid_response"),
        (b"", "upstream_invalid_response"),
        (b"data: {\n\n", "upstream_invalid_response"),
        (b'data: {"type":"speech.audio.delta","audio":"%%"}\n\n', "upstream_invalid_response"),
        (b'data: {"type":"speech.audio.delta","audio":7}\n\n', "upstream_invalid_response"),
        (b"data: " + b"x" * 1_100_000, "upstream_invalid_response"),
        (b'data: {"error":{"message":"m","code":"server_error"}}\n\n', "upstream_error"),
        (b'event: error\ndata: {"message":"m"}\n\n', "upstream_error"),
        (
            b'data: {"error":{"message":"m","code":"rate_limit_exceeded"}}\n\n',
            "upstream_overloaded",
        ),
        (b'data: {"error":{"code":"insufficient_quota"}}\n\n', "upstream_quota"),
    ],
)
def test_events_that_break_off_or_fail_are_failures(body: bytes, code: str) -> None:
    stream = provider("openai").open_speech(REQUEST, MINI, EVENTS)
    fed(stream, body, 65_536)
    assert stream.failure is not None
    assert stream.failure.code == code


def test_nothing_follows_a_failure() -> None:
    stream = provider("openai").open_speech(REQUEST, MINI, EVENTS)
    stream.feed(b"data: {\n\n")
    assert stream.feed(events(MP3, usage=USAGE)) == b""
    assert not stream.finished


@pytest.mark.parametrize("slug", ["openai", "elevenlabs", "baseten"])
def test_garbled_answers_never_raise(slug: str) -> None:
    numbers = random.Random(7)  # noqa: S311  not for secrets
    for headers in ({}, AUDIO, EVENTS, {"content-type": "audio/wav"}):
        for whole in (MP3, PCM, wav(), events(MP3, usage=USAGE)):
            for _ in range(20):
                body = bytearray(whole)
                for _ in range(numbers.randint(1, 5)):
                    body[numbers.randrange(len(body))] = numbers.randrange(256)
                request = asked(format=numbers.choice(["mp3", "pcm"]))
                stream = provider(slug).open_speech(request, MINI, headers)
                given = fed(stream, bytes(body[: numbers.randint(0, len(body))]), 11)
                assert len(given) <= len(whole)


@pytest.mark.parametrize(
    ("slug", "status", "body", "code", "param"),
    [
        (
            "elevenlabs",
            404,
            b'{"detail":{"code":"voice_not_found","status":"voice_not_found","message":"m"}}',
            "invalid_request_error",
            "voice",
        ),
        (
            "elevenlabs",
            401,
            b'{"detail":{"status":"max_character_limit_exceeded","message":"m"}}',
            "invalid_request_error",
            "text",
        ),
        (
            "elevenlabs",
            401,
            b'{"detail":{"status":"quota_exceeded","message":"m"}}',
            "upstream_quota",
            None,
        ),
        (
            "elevenlabs",
            429,
            b'{"detail":{"status":"too_many_concurrent_requests","message":"m"}}',
            "upstream_overloaded",
            None,
        ),
        (
            "elevenlabs",
            403,
            b'{"detail":{"status":"only_for_creator+","message":"m"}}',
            "upstream_error",
            None,
        ),
        ("elevenlabs", 500, b'{"detail":"Internal Server Error"}', "upstream_error", None),
        ("baseten", 500, b"Traceback (most recent call last)", "upstream_error", None),
        ("baseten", 403, b'{"error":"API key is not valid"}', "upstream_error", None),
        ("baseten", 404, b'{"error":"model not found"}', "upstream_error", None),
        ("baseten", 429, b'{"error":"too many requests"}', "upstream_overloaded", None),
        ("baseten", 503, b"", "upstream_error", None),
        ("baseten", 504, b"upstream timed out", "upstream_timeout", None),
        ("baseten", 400, b'{"error":"prompt is too long"}', "invalid_request_error", None),
    ],
)
def test_errors_are_read(slug: str, status: int, body: bytes, code: str, param: str | None) -> None:
    failure: UpstreamFailure = provider(slug).parse_error(status, {}, body)
    assert (failure.code, failure.provider_status) == (code, status)
    assert failure.details.get("param") == param
    assert "Traceback" not in failure.message
