"""WaveSpeed: the tasks that are begun, how they are asked for, and what every answer means."""

import base64
import json
from typing import Any

import pytest

from gateway.operations.image import ImageRequest
from gateway.operations.media import MediaUse
from gateway.providers.base import (
    UpstreamAnswer,
    UpstreamError,
    UpstreamFailure,
    UpstreamInvalid,
    UpstreamOverloaded,
    UpstreamQuota,
    UpstreamRefused,
)
from gateway.providers.media import Made, Progress, Running, Stopped, calls_back, makes_media
from gateway.providers.wavespeed import IDEOGRAM, PROVIDER, QWEN
from studio.core.errors import InvalidRequest
from tests.gateway.image_requests import asked, target

KEY = "ws-canary-5f0c2d"
TASK = "8d08e36a1a7049379c25299e82eef019"
FILE = f"https://d1q70pf5vjeyhc.cloudfront.net/predictions/{TASK}/1.jpeg"


def sent(request: ImageRequest, model: str, *, first: int = 0) -> dict[str, Any]:
    """Give the input that is sent."""
    written = PROVIDER.build_submission(request, target(model, first=first))
    found: dict[str, Any] = json.loads(written.body)
    return found


def told(data: object, *, code: int = 200, status: int = 200, **headers: str) -> UpstreamAnswer:
    """Make an answer in the envelope."""
    envelope = {"code": code, "message": "success", "data": data}
    return UpstreamAnswer(status=status, headers=headers, body=json.dumps(envelope).encode())


def task(status: str, **fields: object) -> dict[str, object]:
    """Make a task."""
    return {"id": TASK, "model": QWEN, "status": status, "outputs": [], "error": "", **fields}


def polled(answer: UpstreamAnswer, request: ImageRequest | None = None, **to: Any) -> Progress:
    """Read an answer to a question."""
    return PROVIDER.parse_poll(request or asked(), target(QWEN, **to), answer)


def failed(answer: UpstreamAnswer, *, submitted: bool = False) -> UpstreamFailure:
    """Read an answer that is no success."""
    read = PROVIDER.parse_submission if submitted else PROVIDER.parse_poll
    with pytest.raises(UpstreamFailure) as caught:
        read(asked(), target(QWEN), answer)
    return caught.value


def test_it_makes_images_and_tells_nobody_of_their_end() -> None:
    assert makes_media(PROVIDER, "image")
    assert not makes_media(PROVIDER, "image_edit")
    assert not calls_back(PROVIDER)
    assert PROVIDER.build_cancel(target(QWEN), TASK) is None
    assert PROVIDER.most_per_run(asked(count=4), target(QWEN)) == 1
    assert PROVIDER.patience_s(asked(), target(QWEN, deadline_s=7)) == 7


def test_the_key_travels_in_its_header_and_never_to_the_files() -> None:
    written = PROVIDER.build_submission(asked(), target(QWEN))
    assert PROVIDER.auth(KEY) == {"authorization": f"Bearer {KEY}"}
    assert PROVIDER.file_headers(KEY) == {}
    assert "authorization" not in written.headers
    assert "d1q70pf5vjeyhc.cloudfront.net" in PROVIDER.file_hosts
    assert "cloudfront.net" not in PROVIDER.file_hosts


@pytest.mark.parametrize(
    ("model", "path"),
    [
        (IDEOGRAM, "/api/v3/ideogram-ai/ideogram-v3-turbo"),
        (QWEN, "/api/v3/wavespeed-ai/qwen-image/text-to-image"),
    ],
)
def test_a_model_is_a_path_and_the_least_is_a_prompt(model: str, path: str) -> None:
    written = PROVIDER.build_submission(asked(), target(model))
    assert (written.method, written.path, written.body) == ("POST", path, b'{"prompt":"A lamp"}')
    assert written.headers["content-type"] == "application/json"


def test_qwen_gets_pixels_and_a_seed_of_each_picture() -> None:
    request = asked(width=1200, height=628, seed=7, count=3, style="anime", negative_prompt="cats")
    assert sent(request, QWEN, first=2) == {
        "prompt": "A lamp\n\nStyle: anime.\n\nDo not show: cats",
        "size": "1200*624",
        "seed": 9,
    }


def test_ideogram_gets_the_nearest_shape_and_a_style_it_has() -> None:
    request = asked(width=1200, height=628, exact_size=True, style="photographic")
    assert sent(request, IDEOGRAM) == {
        "prompt": "A lamp",
        "style": "Realistic",
        "aspect_ratio": "16:9",
    }
    assert sent(asked(style="anime"), IDEOGRAM) == {"prompt": "A lamp\n\nStyle: anime."}


@pytest.mark.parametrize(
    ("size", "pixels", "shape"),
    [
        ((1024, 1024), "1024*1024", "1:1"),
        ((2048, 2048), "1536*1536", "1:1"),
        ((1080, 1920), "864*1536", "9:16"),
        ((1584, 396), "1536*384", "16:9"),
        ((64, 128), "256*512", "9:16"),
        ((900, 1200), "896*1200", "3:4"),
    ],
)
def test_a_size_is_the_nearest_that_the_model_makes(
    size: tuple[int, int], pixels: str, shape: str
) -> None:
    request = asked(width=size[0], height=size[1], exact_size=True)
    for model in (QWEN, IDEOGRAM):
        assert PROVIDER.unsupported_media(request, target(model)) is None
    assert sent(request, QWEN)["size"] == pixels
    assert sent(request, IDEOGRAM)["aspect_ratio"] == shape


def test_steps_and_guidance_mean_nothing_to_either_and_are_left_out() -> None:
    request = asked(steps=30, guidance_scale=7.5)
    for model in (QWEN, IDEOGRAM):
        assert PROVIDER.unsupported_media(request, target(model)) is None
        assert sent(request, model) == {"prompt": "A lamp"}


def test_what_a_model_does_not_have_is_named() -> None:
    for request, model, field in (
        (asked(), "wavespeed-ai/flux-dev", "model"),
        (asked(seed=5), IDEOGRAM, "seed"),
        (asked(seed=-1), QWEN, "seed"),
        (asked(seed=2**31 - 1), QWEN, None),
        (asked(seed=2**31 - 1, count=2), QWEN, "seed"),
        (asked(width=4096, height=4096), QWEN, "size"),
        (asked(width=2200, height=2200), IDEOGRAM, "size"),
        (asked(width=2000, height=400), IDEOGRAM, "size"),
        (asked(background="transparent"), QWEN, "background"),
        (asked(moderation="low"), IDEOGRAM, "moderation"),
        (asked(output_compression=50), QWEN, "output_compression"),
        (asked(output_format="webp", output_compression=50), QWEN, None),
    ):
        assert PROVIDER.unsupported_media(request, target(model)) == field


def test_a_field_the_catalogue_drops_is_neither_sent_nor_named() -> None:
    to = target(IDEOGRAM, drop_parameters=("seed", "negative_prompt"))
    request = asked(seed=5, negative_prompt="cats")
    assert PROVIDER.unsupported_media(request, to) is None
    assert json.loads(PROVIDER.build_submission(request, to).body) == {"prompt": "A lamp"}


def test_an_unknown_model_is_not_sent() -> None:
    with pytest.raises(InvalidRequest):
        PROVIDER.build_submission(asked(), target("wavespeed-ai/flux-dev"))


def test_a_task_is_asked_for_by_its_id() -> None:
    question = PROVIDER.build_poll(target(QWEN), TASK)
    assert (question.method, question.body) == ("GET", b"")
    assert question.path == f"/api/v3/predictions/{TASK}/result"


@pytest.mark.parametrize("status", ["created", "processing", "queued"])
def test_a_begun_task_goes_on(status: str) -> None:
    running = Running(upstream_id=TASK)
    answer = told(task(status))
    assert PROVIDER.parse_submission(asked(), target(QWEN), answer) == running
    assert polled(answer) == running


def test_a_wait_that_ran_out_is_asked_for_like_any_other() -> None:
    data = task("processing", code=5004, error="Sync mode timed out")
    assert polled(told(data)) == Running(upstream_id=TASK)


def test_a_completed_task_gives_its_first_file_with_its_seed() -> None:
    request = asked(seed=7, size="1024x1024", quality="auto")
    answer = told(task("completed", outputs=[FILE, "https://other.example/2.png"]))
    made = polled(answer, request, first=1)
    assert isinstance(made, Made)
    [file] = made.files
    assert (file.url, file.seed, file.data) == (FILE, 8, b"")
    assert made.use == MediaUse(item_count=1, size="1024x1024", quality="auto")


@pytest.mark.parametrize("head", ["data:image/png;base64,", ""])
def test_a_file_may_be_written_out_in_base64(head: str) -> None:
    text = head + base64.b64encode(b"\x89PNG rest").decode()
    made = polled(told(task("completed", outputs=[text])))
    assert isinstance(made, Made)
    [file] = made.files
    assert (file.data, file.url) == (b"\x89PNG rest", "")
    assert file.media_type == ("image/png" if head else "")


@pytest.mark.parametrize("outputs", [[], None, [7], ["ftp://x"], ["data:image/png;base64,?"], ""])
def test_a_completed_task_without_a_file_is_invalid(outputs: object) -> None:
    failure = failed(told(task("completed", outputs=outputs)))
    assert isinstance(failure, UpstreamInvalid)
    assert not failure.retryable


def test_a_cancelled_task_is_stopped_and_not_billed() -> None:
    assert polled(told(task("cancelled"))) == Stopped(billed=False)


def test_a_task_that_its_filter_stopped_is_the_prompt_s_fault() -> None:
    error = "Content flagged as potentially sensitive. Please try different prompts."
    failure = failed(told(task("failed", error=error)))
    assert isinstance(failure, UpstreamRefused)
    assert (failure.status, failure.message) == (400, error)
    assert failure.details == {"param": "prompt"}


def test_a_failed_task_is_told_without_ids_and_addresses() -> None:
    error = f"Internal error while running task {TASK} at https://api.wavespeed.ai/api/v3"
    failure = failed(told(task("failed", error=error)), submitted=True)
    assert isinstance(failure, UpstreamError)
    assert not failure.retryable
    assert failure.message.startswith("Internal error while running task [id] at ")
    for secret in (TASK, "wavespeed", "http"):
        assert secret not in failure.message


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ("failed", "The provider failed to make this."),
        ("timeout", "The provider did not finish in time."),
        ("deleted", "The provider deleted what it made before it could be fetched."),
    ],
)
def test_the_other_ends_are_failures_for_good(status: str, message: str) -> None:
    failure = failed(told(task(status)))
    assert (type(failure), failure.message) == (UpstreamError, message)
    assert not failure.retryable


@pytest.mark.parametrize(
    ("status", "message", "kind", "retryable"),
    [
        (400, "prompt is required", UpstreamRefused, False),
        (400, "Insufficient credits. Please top up your account.", UpstreamQuota, False),
        (401, "invalid authentication", UpstreamError, False),
        (402, "Insufficient balance", UpstreamQuota, False),
        (404, "model not found", UpstreamError, False),
        (429, "Too many requests", UpstreamOverloaded, True),
        (500, "internal error", UpstreamError, True),
    ],
)
def test_errors_mean_the_same_outside_of_200_and_inside(
    status: int, message: str, kind: type[UpstreamFailure], retryable: bool
) -> None:
    body = json.dumps({"code": status, "message": message}).encode()
    for outside in (status, 200):
        answer = UpstreamAnswer(status=outside, headers={}, body=body)
        failure = failed(answer, submitted=True)
        assert type(failure) is kind
        assert (failure.provider_status, failure.retryable) == (status, retryable)


def test_a_task_that_is_not_known_any_more_is_not_asked_for_again() -> None:
    failure = failed(UpstreamAnswer(status=404, headers={}, body=b""))
    assert (type(failure), failure.retryable) == (UpstreamError, False)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"null",
        b"{}",
        b'{"code":200,"data":null}',
        b'{"code":200,"data":{"id":"../x","status":"created"}}',
        b'{"code":200,"data":{"id":"x","status":7}}',
        b"\xff\xfe",
    ],
)
def test_what_cannot_be_read_is_asked_for_again_but_never_sent_again(body: bytes) -> None:
    answer = UpstreamAnswer(status=200, headers={}, body=body)
    assert failed(answer).retryable
    failure = failed(answer, submitted=True)
    assert isinstance(failure, UpstreamInvalid)
    assert not failure.retryable
