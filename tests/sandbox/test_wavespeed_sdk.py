"""The official SDK finds in the sandbox what it would find at WaveSpeed."""

import base64
import io
from typing import Any

import pytest
import requests
from PIL import Image
from wavespeed.api.client import Client

from tests.sandbox.caller import Caller

IDEOGRAM, QWEN = "ideogram-ai/ideogram-v3-turbo", "wavespeed-ai/qwen-image/text-to-image"
QUICK = "[[sandbox starting_ms=1 running_ms=1]]"


def client_of(sandbox_url: str, key: str = "ws-sandbox-1234") -> Client:
    """Make a client of the official SDK, without its retries."""
    return Client(
        api_key=key,
        base_url=f"{sandbox_url}/wavespeed",
        max_retries=0,
        max_connection_retries=0,
        retry_interval=0.01,
    )


@pytest.fixture
def client(sandbox_url: str) -> Client:
    """Call the sandbox with the official SDK."""
    return client_of(sandbox_url)


def run(client: Client, model: str, prompt: str = "A lamp", **given: object) -> list[str]:
    """Run a task to its end, asking often."""
    made = client.run(model, {"prompt": f"{QUICK} {prompt}", **given}, poll_interval=0.02)
    outputs: list[str] = made["outputs"]
    return outputs


def picture(data: bytes) -> tuple[str | None, tuple[int, int]]:
    """Read the format and the size of a picture."""
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return image.format, image.size


def fetched(url: str) -> bytes:
    """Fetch a file as anybody can."""
    answer = requests.get(url, timeout=15)
    assert answer.status_code == 200
    return answer.content


@pytest.mark.parametrize(
    ("model", "given", "form", "size"),
    [
        (IDEOGRAM, {}, "JPEG", (1024, 1024)),
        (IDEOGRAM, {"aspect_ratio": "16:9", "style": "Realistic"}, "JPEG", (1312, 736)),
        (QWEN, {"size": "1536*384", "seed": 5}, "JPEG", (1536, 384)),
        (QWEN, {"size": "256*256", "output_format": "png"}, "PNG", (256, 256)),
    ],
)
def test_a_task_ends_with_the_address_of_a_real_picture(
    client: Client, model: str, given: dict[str, Any], form: str, size: tuple[int, int]
) -> None:
    [url] = run(client, model, **given)
    assert picture(fetched(url)) == (form, size)


def test_a_seed_gives_the_same_picture_and_another_seed_another(client: Client) -> None:
    files = [fetched(run(client, QWEN, seed=seed)[0]) for seed in (1, 1, 2)]
    assert files[0] == files[1] != files[2]


def test_a_file_may_come_in_base64(client: Client) -> None:
    [text] = run(client, QWEN, enable_base64_output=True, output_format="png", size="256*256")
    head, _, encoded = text.partition(",")
    assert head == "data:image/png;base64"
    assert picture(base64.b64decode(encoded)) == ("PNG", (256, 256))


def test_the_sync_mode_waits(client: Client) -> None:
    given = {"prompt": f"{QUICK} A lamp"}
    [url] = client.run(QWEN, given, enable_sync_mode=True)["outputs"]
    assert picture(fetched(url))[0] == "JPEG"


def test_a_task_is_created_first_and_can_be_looked_up(client: Client) -> None:
    slow = {"prompt": "[[sandbox starting_ms=600000]] A lamp"}
    task_id, _ = client._submit(QWEN, slow)
    assert task_id is not None
    found = client.get_result(task_id)
    assert (found["code"], found["data"]["status"]) == (200, "created")
    assert found["data"]["outputs"] == []
    assert found["data"]["urls"]["get"].endswith(f"/api/v3/predictions/{task_id}/result")


@pytest.mark.parametrize(
    ("fault", "status", "error"),
    [
        ("fail=memory", "failed", "Internal error"),
        ("refusal", "failed", "flagged as potentially sensitive"),
        ("fail=cancelled", "cancelled", ""),
        ("fail=timeout", "timeout", ""),
        ("fail=deleted", "deleted", ""),
    ],
)
def test_every_end_is_told(client: Client, fault: str, status: str, error: str) -> None:
    with pytest.raises(RuntimeError, match=f"Prediction {status} .*{error}"):
        run(client, QWEN, f"[[sandbox {fault}]] A lamp")


def test_another_account_does_not_see_a_task(client: Client, sandbox_url: str) -> None:
    task_id, _ = client._submit(QWEN, {"prompt": "A lamp"})
    assert task_id is not None
    with pytest.raises(RuntimeError, match="404"):
        client_of(sandbox_url, "ws-other").get_result(task_id)


@pytest.mark.parametrize(
    ("key", "given", "said"),
    [
        ("ws-invalid", {}, "HTTP 401"),
        ("ws-quota", {}, "HTTP 402"),
        ("ws-ratelimited", {}, "HTTP 429"),
        ("ws", {"width": 512}, "unknown input: width"),
        ("ws", {"size": "512x512"}, "size is invalid"),
        ("ws", {"size": "2048*2048"}, "size is invalid"),
        ("ws", {"seed": "five"}, "seed is invalid"),
        ("ws", {"aspect_ratio": "1:1"}, "unknown input: aspect_ratio"),
        ("ws", {"prompt": "[[sandbox status=500]] A lamp"}, "HTTP 500"),
    ],
)
def test_what_wavespeed_refuses_is_refused(
    sandbox_url: str, key: str, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(RuntimeError, match=said):
        client_of(sandbox_url, key).run(QWEN, {"prompt": "A lamp", **given})


def test_faults_strike_where_they_are_told_to(client: Client) -> None:
    task_id, _ = client._submit(QWEN, {"prompt": "[[sandbox at=poll status=503]] A lamp"})
    assert task_id is not None
    with pytest.raises(RuntimeError, match="HTTP 503"):
        client.get_result(task_id)
    [url] = run(client, QWEN, "[[sandbox at=file status=403]] A lamp")
    assert requests.get(url, timeout=15).status_code == 403


def test_an_error_may_have_begun_the_task_and_may_come_with_200(caller: Caller) -> None:
    path = f"/wavespeed/api/v3/{QWEN}"
    body = b'{"prompt": "[[sandbox status=400 code=inside]] A lamp"}'
    answer = caller.send("POST", path, body=body)
    assert (answer.status, answer.json()["code"]) == (200, 400)
    begun = caller.send("POST", path, body=b'{"prompt": "[[sandbox status=502 code=begun]] A"}')
    assert begun.status == 502


def test_the_cdn_is_not_to_see_a_key(client: Client) -> None:
    [url] = run(client, QWEN)
    shown = requests.get(url, headers={"authorization": "Bearer ws-sandbox-1234"}, timeout=15)
    assert shown.status_code == 400
