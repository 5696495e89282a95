"""ElevenLabs' music as we ask for it and read it."""

import contextlib
import json
import random
from pathlib import Path
from typing import Any

import pytest

from gateway.operations.image import ImageRequest
from gateway.operations.media import MadeFile, MediaUse
from gateway.operations.music import MusicRequest
from gateway.providers import find_provider
from gateway.providers.base import UpstreamAnswer, UpstreamFailure, UpstreamInvalid
from gateway.providers.elevenlabs import PROVIDER
from gateway.providers.media import Made, MediaTarget, Progress
from sandbox.sounds import mp3
from studio.core.errors import InvalidRequest
from tests.sandbox.openapi import violations
from tests.sandbox.test_openrouter_spec import with_nullable

REPLIES = Path(__file__).parent / "replies/elevenlabs"
SPEC = Path(__file__).resolve().parents[3] / "shared/wire/specs/elevenlabs.openapi.trim.json"
KEY = "sk_canary5f0c2d"
TARGET = MediaTarget(model="music_v1")
REQUEST = MusicRequest(prompt="a tune", duration_ms=10_000)
ERRORS = sorted(path.stem for path in REPLIES.glob("error_*.json"))


def recorded(name: str) -> bytes:
    """Read a recorded error."""
    return (REPLIES / f"{name}.json").read_bytes()


def parsed(body: bytes, duration_ms: int = 10_000, status: int = 200) -> Progress:
    """Read an answer to a request for a piece of this length."""
    request = MusicRequest(prompt="a tune", duration_ms=duration_ms)
    answer = UpstreamAnswer(status=status, headers={"song-id": "s1"}, body=body)
    return PROVIDER.parse_submission(request, TARGET, answer)


def sent(request: MusicRequest, **target: Any) -> dict[str, Any]:
    """Give the body that goes to ElevenLabs."""
    built = PROVIDER.build_submission(request, MediaTarget(model="music_v2_5", **target))
    body: dict[str, Any] = json.loads(built.body)
    return body


def test_it_is_found_and_reached_over_tls() -> None:
    found: object = find_provider("elevenlabs")
    assert found is PROVIDER
    assert PROVIDER.default_base_url == "https://api.elevenlabs.io/v1"
    assert PROVIDER.operations == {"music", "speech", "transcription"}
    assert PROVIDER.file_hosts == ()


def test_a_piece_is_asked_for_as_mp3_by_the_catalogues_model() -> None:
    request = PROVIDER.build_submission(REQUEST, TARGET)
    assert (request.method, request.path) == ("POST", "/music?output_format=mp3_44100_128")
    assert json.loads(request.body) == {
        "prompt": "a tune",
        "music_length_ms": 10_000,
        "model_id": "music_v1",
    }


def test_the_key_travels_only_in_its_header() -> None:
    request = PROVIDER.build_submission(REQUEST, TARGET)
    assert PROVIDER.auth(KEY) == {"xi-api-key": KEY}
    assert set(request.headers).isdisjoint(PROVIDER.auth(KEY))
    assert KEY not in request.path
    assert KEY.encode() not in request.body
    assert PROVIDER.file_headers(KEY) == {}


@pytest.mark.parametrize(
    ("duration_ms", "length_ms"),
    [(1_000, 3_000), (2_999, 3_000), (3_000, 3_000), (300_000, 300_000), (600_000, 600_000)],
)
def test_a_piece_is_never_shorter_than_they_make(duration_ms: int, length_ms: int) -> None:
    assert sent(MusicRequest(prompt="p", duration_ms=duration_ms))["music_length_ms"] == length_ms


def test_an_instrumental_is_asked_for_and_fields_can_be_dropped() -> None:
    request = MusicRequest(prompt="p", instrumental=True)
    wanted = {"prompt": "p", "music_length_ms": 30_000, "model_id": "music_v2_5"}
    assert sent(request) == {**wanted, "force_instrumental": True}
    assert sent(request, drop_parameters=("force_instrumental", "prompt")) == wanted


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (REQUEST, None),
        (MusicRequest(prompt="x" * 4100), None),
        (MusicRequest(prompt="x" * 4101), "prompt"),
        (MusicRequest(prompt="p", duration_ms=600_001), "duration_ms"),
        (ImageRequest(prompt="p"), "operation"),
    ],
)
def test_what_it_cannot_do_is_named(
    request_: MusicRequest | ImageRequest, field: str | None
) -> None:
    assert PROVIDER.unsupported_media(request_, TARGET) == field
    if field is not None:
        with pytest.raises(InvalidRequest):
            PROVIDER.build_submission(request_, TARGET)


@pytest.mark.parametrize(
    ("duration_ms", "patience_s"), [(1_000, 61), (30_000, 90), (240_000, 300), (300_000, 300)]
)
def test_a_longer_piece_is_waited_for_longer(duration_ms: int, patience_s: float) -> None:
    request = MusicRequest(prompt="p", duration_ms=duration_ms)
    assert PROVIDER.patience_s(request, TARGET) == patience_s
    assert PROVIDER.most_per_run(request, TARGET) == 1
    assert PROVIDER.build_cancel(TARGET, "s1") is None


@pytest.mark.parametrize("duration_ms", [1_000, 3_000, 10_000])
def test_a_piece_is_made_at_once_and_used_as_asked(duration_ms: int) -> None:
    body = mp3("tune", max(duration_ms, 3_000))
    assert parsed(body, duration_ms) == Made(
        files=(MadeFile(data=body, media_type="audio/mpeg"),),
        use=MediaUse(item_count=1, media_ms=duration_ms),
    )


def test_a_piece_without_a_tag_is_one_too() -> None:
    body = mp3("tune", 10_000)
    bare = body[body.index(b"\xff\xfb") :]
    assert isinstance(parsed(bare), Made)


@pytest.mark.parametrize(
    "body", [b"", b"\xff", b"<html></html>", b"null", b'{"detail":"x"}', b"ID3"]
)
def test_a_success_that_is_no_music_is_invalid(body: bytes) -> None:
    with pytest.raises(UpstreamInvalid):
        parsed(body)


def test_a_piece_without_its_last_quarter_is_invalid() -> None:
    body = mp3("tune", 10_000)
    for end in range(0, len(body) * 3 // 4 - 100, 997):
        with pytest.raises(UpstreamInvalid):
            parsed(body[:end])
    assert isinstance(parsed(body[: len(body) * 4 // 5]), Made)


def test_garbled_bytes_are_music_or_invalid() -> None:
    body, chance = mp3("tune", 3_000), random.Random(5)  # noqa: S311  it picks places, no secrets
    for _ in range(300):
        garbled = bytearray(body)
        for _ in range(chance.randint(1, 5)):
            garbled[chance.randrange(24)] = chance.randrange(256)
        with contextlib.suppress(UpstreamInvalid):
            assert isinstance(parsed(bytes(garbled), 3_000), Made)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("error_400_prompt", (400, "invalid_request_error", False)),
        ("error_400_harmful", (400, "invalid_request_error", False)),
        ("error_400_parameters", (400, "invalid_request_error", False)),
        ("error_400_key", (502, "upstream_error", False)),
        ("error_401_key", (502, "upstream_error", False)),
        ("error_401_quota", (503, "upstream_quota", False)),
        ("error_402_credits", (503, "upstream_quota", False)),
        ("error_403_plan", (502, "upstream_error", False)),
        ("error_404_missing", (502, "upstream_error", False)),
        ("error_422_length", (400, "invalid_request_error", False)),
        ("error_422_prompt", (400, "invalid_request_error", False)),
        ("error_429_concurrency", (503, "upstream_overloaded", True)),
        ("error_429_rate", (503, "upstream_overloaded", True)),
        ("error_429_busy", (503, "upstream_overloaded", True)),
        ("error_500_text", (502, "upstream_error", True)),
    ],
)
def test_an_error_of_theirs_becomes_ours(name: str, shown: tuple[int, str, bool]) -> None:
    status = int(name.split("_")[1])
    with pytest.raises(UpstreamFailure) as failed:
        parsed(recorded(name), status=status)
    failure = failed.value
    assert (failure.status, failure.code, failure.retryable) == shown
    assert failure.provider_status == status
    for secret in (*PROVIDER.hosts, "http", ".io", "3c807fc4"):
        assert secret not in failure.message


@pytest.mark.parametrize(
    ("name", "message", "param"),
    [
        (
            "error_400_prompt",
            "Your prompt names a protected artist, see [link] Suggested instead: "
            "A bright guitar song with close harmonies",
            "prompt",
        ),
        ("error_400_harmful", "The provider refused the request.", "prompt"),
        ("error_400_parameters", "The 'seed' parameter cannot be used with a prompt.", "seed"),
        (
            "error_422_length",
            "music_length_ms: Input should be greater than or equal to 3000",
            "music_length_ms",
        ),
        (
            "error_422_prompt",
            "Protected material Suggested instead: An original pop song",
            "prompt",
        ),
    ],
)
def test_a_refusal_tells_their_cleaned_words(name: str, message: str, param: str) -> None:
    failure = PROVIDER.parse_error(int(name.split("_")[1]), {}, recorded(name))
    assert (failure.message, failure.details) == (message, {"param": param})


@pytest.mark.parametrize("name", ERRORS)
def test_a_cut_error_is_still_an_error(name: str) -> None:
    body, status = recorded(name), int(name.split("_")[1])
    for end in range(len(body)):
        assert PROVIDER.parse_error(status, {}, body[:end]).provider_status == status


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b'{"detail":[]}', b'{"detail":[7]}', b'{"detail":{"status":[1]}}'],
)
def test_an_error_of_no_form_is_still_an_error(body: bytes) -> None:
    assert PROVIDER.parse_error(503, {}, body).retryable
    assert PROVIDER.parse_error(400, {}, body).message == "The provider refused the request."


def test_there_is_nothing_to_ask_for_later() -> None:
    with pytest.raises(AssertionError):
        PROVIDER.build_poll(TARGET, "s1")


@pytest.mark.parametrize("instrumental", [True, False])
def test_what_is_sent_is_documented(instrumental: bool) -> None:
    if not SPEC.exists():
        pytest.skip(f"NOT CHECKED AGAINST ELEVENLABS' SPEC: there is no {SPEC}")
    spec = with_nullable(json.loads(SPEC.read_bytes()))
    request = MusicRequest(prompt="p", instrumental=instrumental)
    body = json.loads(PROVIDER.build_submission(request, TARGET).body)
    assert violations(spec, "Body_Compose_music_v1_music_post", body) == []
    asked = spec["paths"]["/v1/music"]["post"]
    (formats,) = (p["schema"]["enum"] for p in asked["parameters"] if p["name"] == "output_format")
    assert "mp3_44100_128" in formats
