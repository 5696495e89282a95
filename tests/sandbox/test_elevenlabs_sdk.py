"""The official SDK finds in the sandbox what it would find at ElevenLabs, as does our provider."""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from elevenlabs.client import AsyncElevenLabs, ElevenLabs
from elevenlabs.core.api_error import ApiError
from elevenlabs.errors import UnprocessableEntityError
from mutagen.mp3 import MP3

from gateway.operations.music import MusicRequest
from gateway.providers.base import UpstreamAnswer, UpstreamFailure
from gateway.providers.elevenlabs import PROVIDER
from gateway.providers.media import Made, MediaTarget
from tests.sandbox.caller import Answer, Caller
from tests.sandbox.openapi import violations
from tests.sandbox.test_openrouter_spec import with_nullable

SPEC = Path(__file__).resolve().parents[3] / "shared/wire/specs/elevenlabs.openapi.trim.json"
FORMAT = "mp3_44100_128"
TARGET = MediaTarget(model="music_v1")
Compose = Callable[..., bytes]


@pytest.fixture
def connect(sandbox_url: str) -> Iterator[Callable[[str], ElevenLabs]]:
    """Call the sandbox with the official SDK and a key."""
    with httpx.Client() as http:
        base_url = f"{sandbox_url}/elevenlabs"
        yield lambda key: ElevenLabs(api_key=key, base_url=base_url, httpx_client=http)


@pytest.fixture
def client(connect: Callable[[str], ElevenLabs]) -> ElevenLabs:
    """Call the sandbox with the official SDK."""
    return connect("sk_sandbox")


@pytest.fixture
def compose(client: ElevenLabs) -> Compose:
    """Compose a piece with the official SDK, without its retries."""

    def composed(prompt: str | None = "a tune", **fields: Any) -> bytes:  # noqa: ANN401
        asked = {"prompt": prompt, **fields} if prompt is not None else fields
        return b"".join(client.music.compose(**asked, request_options={"max_retries": 0}))

    return composed


def length_of(body: bytes) -> tuple[float, int, int]:
    """Tell seconds, bits a second and samples a second of an MP3."""
    info: Any = MP3(io.BytesIO(body)).info  # type: ignore[no-untyped-call]
    return round(info.length, 1), info.bitrate, info.sample_rate


@pytest.mark.parametrize("length_ms", [3_000, 10_000, 300_000])
def test_a_piece_is_a_real_mp3_of_the_asked_length(compose: Compose, length_ms: int) -> None:
    body = compose(music_length_ms=length_ms, output_format=FORMAT)
    assert length_of(body) == (length_ms / 1000, 128_000, 44_100)


@pytest.mark.parametrize(
    ("output_format", "model", "expected"),
    [
        (None, "music_v1", (3.0, 128_000, 44_100)),
        (None, "music_v2_5", (3.0, 192_000, 48_000)),
        ("mp3_22050_32", "music_v1", (3.0, 32_000, 22_050)),
        ("mp3_24000_48", "music_v2", (3.0, 48_000, 24_000)),
    ],
)
def test_the_format_is_the_asked_one_or_the_models(
    compose: Compose, output_format: str | None, model: str, expected: tuple[float, int, int]
) -> None:
    body = compose(music_length_ms=3_000, output_format=output_format, model_id=model)
    assert length_of(body) == expected


def test_pcm_is_as_long_as_asked(compose: Compose) -> None:
    assert len(compose(music_length_ms=3_000, output_format="pcm_16000")) == 3 * 16_000 * 2


def test_the_same_prompt_gives_the_same_piece(compose: Compose) -> None:
    first = compose("one", music_length_ms=3_000)
    assert compose("one", music_length_ms=3_000) == first
    assert compose("two", music_length_ms=3_000) != first


def test_a_plan_has_the_length_of_its_parts(compose: Compose) -> None:
    part = {
        "section_name": "a",
        "positive_local_styles": [],
        "negative_local_styles": [],
        "lines": [],
    }
    parts = [{**part, "duration_ms": 3_000}, {**part, "duration_ms": 4_000}]
    plan = {"positive_global_styles": [], "negative_global_styles": [], "sections": parts}
    assert length_of(compose(None, composition_plan=plan))[0] == 7.0


def test_an_answer_has_a_song_id_that_is_never_the_same(client: ElevenLabs) -> None:
    seen = []
    for _ in range(2):
        asked = client.music.with_raw_response.compose(prompt="p", music_length_ms=3_000)
        with asked as answer:
            seen.append(answer.headers["song-id"])
            assert answer.headers["content-type"] == "audio/mpeg"
            list(answer.data)
    assert len(set(seen)) == 2


async def test_the_async_client_works_too(sandbox_url: str) -> None:
    async with httpx.AsyncClient() as http:
        base_url = f"{sandbox_url}/elevenlabs"
        client = AsyncElevenLabs(api_key="sk_sandbox", base_url=base_url, httpx_client=http)
        pieces = client.music.stream(prompt="p", music_length_ms=3_000, output_format=FORMAT)
        body = b"".join([piece async for piece in pieces])
    assert length_of(body)[0] == 3.0


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"music_length_ms": 2_999}, ["body", "music_length_ms"]),
        ({"music_length_ms": 600_001}, ["body", "music_length_ms"]),
        ({"model_id": "music_v9"}, ["body", "model_id"]),
        ({"prompt": "x" * 4_101}, ["body", "prompt"]),
        ({"output_format": "mp3_1_1"}, ["query", "output_format"]),
    ],
)
def test_a_wrong_field_is_named(compose: Compose, fields: dict[str, Any], place: list[str]) -> None:
    with pytest.raises(UnprocessableEntityError) as refused:
        compose(**fields)
    assert refused.value.body["detail"][0]["loc"] == place


@pytest.mark.parametrize(
    ("prompt", "fields", "param"),
    [("p", {"seed": 7}, "seed"), (None, {"music_length_ms": 3_000}, "prompt")],
)
def test_what_cannot_go_together_is_refused(
    compose: Compose, prompt: str | None, fields: dict[str, Any], param: str
) -> None:
    with pytest.raises(ApiError) as refused:
        compose(prompt, **fields)
    assert refused.value.status_code == 400
    assert refused.value.body["detail"]["param"] == param


def test_a_bad_prompt_comes_with_a_better_one(compose: Compose) -> None:
    with pytest.raises(ApiError) as refused:
        compose("[[sandbox refusal]]")
    detail = refused.value.body["detail"]
    assert (refused.value.status_code, detail["status"]) == (400, "bad_prompt")
    assert detail["data"]["prompt_suggestion"].startswith("An upbeat song")


@pytest.mark.parametrize(
    ("key", "status", "code"),
    [
        ("sk_invalid", 401, "invalid_api_key"),
        ("sk_quota", 401, "quota_exceeded"),
        ("sk_ratelimited", 429, "rate_limit_exceeded"),
    ],
)
def test_a_key_may_name_its_error(
    connect: Callable[[str], ElevenLabs], key: str, status: int, code: str
) -> None:
    client = connect(key)
    with pytest.raises(ApiError) as refused:
        list(client.music.compose(prompt="p", request_options={"max_retries": 0}))
    assert (refused.value.status_code, refused.value.body["detail"]["code"]) == (status, code)


def test_a_limit_may_strike_once(compose: Compose) -> None:
    fault = f"[[sandbox status=429 code=system_busy retry_after=2 times=1 tag={uuid4().hex}]]"
    with pytest.raises(ApiError) as limited:
        compose(fault, music_length_ms=3_000)
    assert limited.value.body["detail"]["status"] == "system_busy"
    assert (limited.value.headers or {})["retry-after"] == "2"
    assert length_of(compose(fault, music_length_ms=3_000))[0] == 3.0


def test_the_subscription_is_shown(client: ElevenLabs) -> None:
    assert client.user.subscription.get().tier == "creator"


def submitted(caller: Caller, prompt: str, duration_ms: int = 3_000) -> Any:  # noqa: ANN401
    """Compose by our own provider."""
    request = MusicRequest(prompt=prompt, duration_ms=duration_ms)
    built = PROVIDER.build_submission(request, TARGET)
    headers = {**built.headers, **PROVIDER.auth("sk_ours")}
    answer: Answer = caller.send(
        built.method, f"/elevenlabs/v1{built.path}", body=built.body, headers=headers
    )
    upstream = UpstreamAnswer(status=answer.status, headers=answer.headers, body=answer.body)
    return PROVIDER.parse_submission(request, TARGET, upstream)


def test_our_provider_gets_a_piece(caller: Caller) -> None:
    made = submitted(caller, "a tune", duration_ms=1_000)
    assert isinstance(made, Made)
    assert length_of(made.files[0].data) == (3.0, 128_000, 44_100)
    assert made.use.media_ms == 1_000


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("refusal", "invalid_request_error"),
        ("content_filter", "invalid_request_error"),
        ("status=401 code=quota_exceeded", "upstream_quota"),
        ("status=402", "upstream_quota"),
        ("status=429 code=too_many_concurrent_requests", "upstream_overloaded"),
        ("status=500 code=text", "upstream_error"),
        ("reject=model_id", "invalid_request_error"),
        ("html", "upstream_invalid_response"),
        ("empty", "upstream_invalid_response"),
        ("wrong_json", "upstream_invalid_response"),
        ("wobble=1", "invalid_request_error"),
    ],
)
def test_our_provider_reads_its_faults(caller: Caller, fault: str, code: str) -> None:
    with pytest.raises(UpstreamFailure) as failed:
        submitted(caller, f"[[sandbox {fault}]] a tune", duration_ms=6_000)
    assert failed.value.code == code


@pytest.mark.parametrize(
    ("path", "method", "body", "name"),
    [
        ("music", "POST", {"prompt": "p", "music_length_ms": 1}, "HTTPValidationError"),
        ("music", "POST", {"prompt": "p", "surprise": 1}, "HTTPValidationError"),
        ("user/subscription", "GET", None, "ExtendedSubscriptionResponseModel"),
    ],
)
def test_answers_are_documented(
    caller: Caller, path: str, method: str, body: dict[str, Any] | None, name: str
) -> None:
    if not SPEC.exists():
        pytest.skip(f"NOT CHECKED AGAINST ELEVENLABS' SPEC: there is no {SPEC}")
    spec = with_nullable(json.loads(SPEC.read_bytes()))
    answer = caller.send(
        method,
        f"/elevenlabs/v1/{path}",
        body=None if body is None else json.dumps(body).encode(),
        headers={"xi-api-key": "sk_1"},
    )
    assert violations(spec, name, answer.json()) == []
