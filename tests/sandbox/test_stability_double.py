"""Stability's double by plain HTTP forms: it has no SDK that is kept up.

Its document is not part of this repository: it is looked for beside the checkout.
"""

import io
import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image

from tests.sandbox.openapi import violations

SPEC = Path(__file__).resolve().parents[3] / "shared/wire/specs/stability.openapi.2025-02.json"
FOLDER = "/v2beta/stable-image/generate"
AS_JSON = "application/json"
FORM = "multipart/form-data; boundary=x"
NAMED = b'Content-Disposition: form-data; name="prompt"'


@pytest.fixture(scope="session")
def spec() -> Any:  # noqa: ANN401 - a JSON document
    """Load Stability's document, or say plainly that these claims go unchecked."""
    if not SPEC.exists():
        pytest.skip(f"NOT CHECKED AGAINST STABILITY'S SPEC: there is no {SPEC}")
    return json.loads(SPEC.read_bytes())


def draw(
    sandbox_url: str,
    path: str = "core",
    *,
    key: str = "sk-1234",
    accept: str = "image/*",
    **fields: str,
) -> requests.Response:
    """Send a form as Stability's own examples do."""
    return requests.post(
        f"{sandbox_url}/stability{FOLDER}/{path}",
        headers={"authorization": f"Bearer {key}", "accept": accept},
        files={name: (None, text) for name, text in fields.items()},
        timeout=15,
    )


def opened(data: bytes) -> tuple[str | None, tuple[int, int]]:
    """Give the format and the size of a picture."""
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return image.format, image.size


def schema_of(spec: dict[str, Any], path: str, status: str, kind: str) -> dict[str, Any]:
    """Give a document in which the schema of an answer is called `Answer`."""
    responses = spec["paths"][f"{FOLDER}/{path}"]["post"]["responses"]
    schema = responses[status]["content"][kind]["schema"]
    return {"components": {"schemas": {**spec["components"]["schemas"], "Answer": schema}}}


def test_bytes_come_with_their_facts_in_headers(sandbox_url: str) -> None:
    answer = draw(sandbox_url, "ultra", prompt="A lamp", seed="77", output_format="webp")
    assert answer.status_code == 200
    assert opened(answer.content) == ("WEBP", (1024, 1024))
    facts = [answer.headers[name] for name in ("content-type", "finish-reason", "seed")]
    assert facts == ["image/webp", "SUCCESS", "77"]


def test_json_has_the_same_picture_as_base64(sandbox_url: str) -> None:
    fields = {"prompt": "A lamp", "aspect_ratio": "16:9", "output_format": "jpeg"}
    plain = draw(sandbox_url, **fields)
    answer = draw(sandbox_url, accept=AS_JSON, **fields)
    assert answer.headers["content-type"] == "application/json; type=image/jpeg"
    assert answer.json()["finish_reason"] == "SUCCESS"
    assert answer.json()["seed"] == int(plain.headers["seed"])
    assert b64decode(answer.json()["image"], validate=True) == plain.content


@pytest.mark.parametrize(
    ("path", "shape", "size"),
    [
        ("core", "1:1", (1280, 1280)),
        ("ultra", "16:9", (1344, 768)),
        ("sd3", "9:21", (640, 1536)),
        ("sd3", "4:5", (896, 1152)),
    ],
)
def test_a_picture_has_the_shape_asked_for(
    sandbox_url: str, path: str, shape: str, size: tuple[int, int]
) -> None:
    answer = draw(sandbox_url, path, prompt="A lamp", aspect_ratio=shape)
    assert opened(answer.content) == ("PNG", size)


def test_the_filter_blurs_with_200_or_refuses_with_403(sandbox_url: str) -> None:
    blurred = draw(sandbox_url, accept=AS_JSON, prompt="[[sandbox content_filter]] A lamp")
    assert (blurred.status_code, blurred.json()["finish_reason"]) == (200, "CONTENT_FILTERED")
    as_bytes = draw(sandbox_url, prompt="[[sandbox content_filter]] A lamp")
    assert as_bytes.headers["finish-reason"] == "CONTENT_FILTERED"
    refused = draw(sandbox_url, prompt="[[sandbox refusal]] A lamp")
    assert (refused.status_code, refused.json()["name"]) == (403, "content_moderation")


@pytest.mark.parametrize(
    ("path", "fields", "status", "said"),
    [
        ("core", {"prompt": ""}, 400, "prompt: is required"),
        ("core", {"seed": "1"}, 400, "prompt: is required"),
        ("core", {"prompt": "a" * 10_001}, 400, "prompt: must be no longer"),
        ("core", {"prompt": "A", "negative_prompt": "a" * 10_001}, 400, "negative_prompt"),
        ("core", {"prompt": "A", "width": "512"}, 400, "width: not a valid field"),
        ("core", {"prompt": "A", "aspect_ratio": "4:3"}, 400, "aspect_ratio: must be one of"),
        ("core", {"prompt": "A", "style_preset": "vivid"}, 400, "style_preset: must be one of"),
        ("core", {"prompt": "A", "seed": "4294967295"}, 400, "seed: must be a number"),
        ("core", {"prompt": "A", "seed": "x"}, 400, "seed: must be a number"),
        ("core", {"prompt": "A", "model": "sd3.5-large"}, 400, "model: not a valid field"),
        ("sd3", {"prompt": "A", "model": "sd3-large"}, 400, "model: must be one of"),
        ("sd3", {"prompt": "A", "output_format": "webp"}, 400, "output_format: must be one of"),
        (
            "sd3",
            {"prompt": "A", "model": "sd3.5-large-turbo", "negative_prompt": "B"},
            400,
            "negative_prompt: not supported",
        ),
        ("core", {"prompt": "Лампа"}, 422, "English is the only"),
        ("video", {"prompt": "A"}, 404, "not found"),
    ],
)
def test_what_stability_refuses_is_refused(
    sandbox_url: str, path: str, fields: dict[str, str], status: int, said: str
) -> None:
    answer = draw(sandbox_url, path, **fields)
    assert answer.status_code == status
    assert said in answer.json()["errors"][0]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"prompt":"A"}', "application/json"),
        (b"prompt=A", "application/x-www-form-urlencoded"),
        (b"", FORM),
        (b"--x--\r\n", FORM),
        (b"--y\r\n\r\n--y--", FORM),
        (b"--x\r\n" + NAMED + b"\r\n\r\nA", FORM),
        (b"--x\r\nContent-Disposition: form-data\r\n\r\nA\r\n--x--\r\n", FORM),
        (b"--x\r\n" + NAMED + b"\r\n\r\n\xff\r\n--x--\r\n", FORM),
        ((b"--x\r\n" + NAMED + b"\r\n\r\nA\r\n") * 2 + b"--x--\r\n", FORM),
    ],
)
def test_what_is_no_form_is_refused(sandbox_url: str, body: bytes, kind: str) -> None:
    headers = {"authorization": "Bearer sk-1", "content-type": kind}
    url = f"{sandbox_url}/stability{FOLDER}/core"
    answer = requests.post(url, data=body, headers=headers, timeout=15)
    assert (answer.status_code, answer.json()["name"]) == (400, "bad_request")


def test_a_form_of_more_than_ten_mebibytes_is_too_large(sandbox_url: str) -> None:
    answer = draw(sandbox_url, prompt="a" * (10 * 1024 * 1024))
    assert (answer.status_code, answer.json()["name"]) == (413, "payload_too_large")


@pytest.mark.parametrize(
    ("key", "status", "name"),
    [
        ("sk-invalid", 401, "unauthorized"),
        ("sk-quota", 402, "payment_required"),
        ("sk-ratelimited", 429, "rate_limit_exceeded"),
    ],
)
def test_a_key_chooses_its_error(sandbox_url: str, key: str, status: int, name: str) -> None:
    answer = draw(sandbox_url, key=key, prompt="A lamp")
    assert (answer.status_code, answer.json()["name"]) == (status, name)
    assert "retry-after" not in answer.headers


def test_the_balance_is_told(sandbox_url: str) -> None:
    headers = {"authorization": "Bearer sk-1"}
    answer = requests.get(f"{sandbox_url}/stability/v1/user/balance", headers=headers, timeout=15)
    assert answer.json() == {"credits": 1000.5}


def test_files_and_the_line_are_spoiled_on_demand(sandbox_url: str) -> None:
    assert draw(sandbox_url, prompt="[[sandbox files=text]] A").content == b"This is no picture."
    assert draw(sandbox_url, prompt="[[sandbox html]] A").text.startswith("<!DOCTYPE html>")
    assert draw(sandbox_url, prompt="[[sandbox nonsense]] A").status_code == 400
    with pytest.raises(requests.ConnectionError):
        draw(sandbox_url, prompt="[[sandbox drop]] A")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        draw(sandbox_url, prompt="[[sandbox cut_at=100]] A")


@pytest.mark.parametrize("path", ["ultra", "core", "sd3"])
def test_answers_are_documented(spec: dict[str, Any], sandbox_url: str, path: str) -> None:
    answer = draw(sandbox_url, path, accept=AS_JSON, prompt="A lamp")
    kind = answer.headers["content-type"]
    assert violations(schema_of(spec, path, "200", kind), "Answer", answer.json()) == []


@pytest.mark.parametrize("status", ["400", "403", "413", "422", "429", "500"])
def test_errors_are_documented(spec: dict[str, Any], sandbox_url: str, status: str) -> None:
    answer = draw(sandbox_url, "ultra", prompt=f"[[sandbox status={status}]] A")
    document = schema_of(spec, "ultra", status, "application/json")
    assert answer.status_code == int(status)
    assert violations(document, "Answer", answer.json()) == []


@pytest.mark.parametrize("path", ["ultra", "core", "sd3"])
def test_every_documented_field_of_text_is_known(
    spec: dict[str, Any], sandbox_url: str, path: str
) -> None:
    content = spec["paths"][f"{FOLDER}/{path}"]["post"]["requestBody"]["content"]
    documented = content["multipart/form-data"]["schema"]["properties"]
    of_pictures = {"image", "strength"}
    words = {
        "prompt": "A lamp",
        "negative_prompt": "cats",
        "seed": "1",
        **{name: field["enum"][0] for name, field in documented.items() if "enum" in field},
        **({"cfg_scale": "3.5"} if path == "sd3" else {}),
    }
    assert set(words) == set(documented) - of_pictures
    assert draw(sandbox_url, path, **words).status_code == 200
