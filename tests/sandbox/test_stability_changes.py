"""Stability's double: edits, upscales and controls by plain HTTP forms, against its document."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image, ImageChops

from gateway.providers.stability import PROVIDER
from sandbox import drawing
from tests.gateway.image_requests import target
from tests.gateway.stability_requests import OPERATIONS, parts_of
from tests.sandbox.openapi import violations

SPEC = Path(__file__).resolve().parents[3] / "shared/wire/specs/stability.openapi.2025-02.json"
FOLDER = "/v2beta/stable-image/"
AS_JSON = "application/json"
SCENE = drawing.scene("a lamp", (192, 128))
Files = dict[str, Image.Image]


@pytest.fixture(scope="session")
def spec() -> Any:  # noqa: ANN401 - a JSON document
    """Load Stability's document, or say plainly that these claims go unchecked."""
    if not SPEC.exists():
        pytest.skip(f"NOT CHECKED AGAINST STABILITY'S SPEC: there is no {SPEC}")
    return json.loads(SPEC.read_bytes())


def send(
    sandbox_url: str,
    operation: str,
    files: Files | None = None,
    *,
    accept: str = "image/*",
    key: str = "sk-1234",
    **fields: str,
) -> requests.Response:
    """Send a form as Stability's own examples do."""
    parts: dict[str, Any] = {name: (None, text) for name, text in fields.items()}
    for name, image in ({"image": SCENE} if files is None else files).items():
        parts[name] = (f"{name}.png", drawing.written(image, "png"), "image/png")
    return requests.post(
        f"{sandbox_url}/stability{FOLDER}{operation}",
        headers={"authorization": f"Bearer {key}", "accept": accept},
        files=parts,
        timeout=15,
    )


def made(answer: requests.Response) -> Image.Image:
    """Open the picture of an answer."""
    assert answer.status_code == 200, answer.text[:300]
    assert answer.headers["finish-reason"] == "SUCCESS"
    image = Image.open(io.BytesIO(answer.content))
    image.load()
    return image


def differs(one: Image.Image, other: Image.Image) -> tuple[int, int, int, int] | None:
    """Give the box of what differs."""
    return ImageChops.difference(one.convert("RGB"), other.convert("RGB")).getbbox()


def result(
    sandbox_url: str, result_id: str, *, key: str = "sk-1234", accept: str = AS_JSON
) -> requests.Response:
    """Ask for what was begun."""
    return requests.get(
        f"{sandbox_url}/stability/v2beta/results/{result_id}",
        headers={"authorization": f"Bearer {key}", "accept": accept},
        timeout=15,
    )


def test_the_corners_of_a_cut_out_can_be_seen_through(sandbox_url: str) -> None:
    image = made(send(sandbox_url, "edit/remove-background"))
    assert (image.mode, image.size) == ("RGBA", (192, 128))
    alpha = image.getchannel("A")
    assert [alpha.getpixel(at) for at in ((0, 0), (191, 0), (0, 127), (96, 64))] == [0, 0, 0, 255]


def test_only_what_is_white_in_the_mask_changes(sandbox_url: str) -> None:
    mask = Image.new("L", SCENE.size)
    mask.paste(255, (50, 30, 90, 70))
    files = {"image": SCENE, "mask": mask}
    image = made(send(sandbox_url, "edit/inpaint", files, prompt="a cat"))
    assert differs(image, SCENE) == (50, 30, 90, 70)
    again = send(sandbox_url, "edit/inpaint", files, prompt="a cat")
    assert differs(made(again), image) is None
    other = send(sandbox_url, "edit/inpaint", files, prompt="a cat", seed="8")
    assert differs(made(other), image) is not None


def test_without_a_mask_what_can_be_seen_through_changes(sandbox_url: str) -> None:
    seen = SCENE.convert("RGBA")
    seen.paste((0, 0, 0, 0), (0, 0, 60, 128))
    image = made(send(sandbox_url, "edit/inpaint", {"image": seen}, prompt="a cat"))
    box = differs(image, SCENE)
    assert box is not None
    assert box[2] == 60


def test_an_expansion_lies_around_the_picture(sandbox_url: str) -> None:
    image = made(send(sandbox_url, "edit/outpaint", left="10", up="20", down="5"))
    assert image.size == (202, 153)
    assert differs(image.crop((10, 20, 202, 148)), SCENE) is None
    assert differs(image.crop((0, 0, 10, 153)), Image.new("RGB", (10, 153))) is not None


def test_a_thing_is_recoloured_in_the_colour_that_is_named(sandbox_url: str) -> None:
    fields = {"prompt": "make it pure red", "select_prompt": "the house"}
    image = made(send(sandbox_url, "edit/search-and-recolor", None, **fields))
    box = differs(image, SCENE)
    assert box is not None
    red, green, blue = image.crop(box).resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))  # type: ignore[misc]
    assert red > green
    assert red > blue


@pytest.mark.parametrize(
    ("operation", "size", "larger"),
    [
        ("upscale/fast", (192, 128), (768, 512)),
        ("upscale/fast", (1536, 682), (6144, 2728)),
        ("upscale/conservative", (768, 512), (2508, 1672)),
    ],
)
def test_upscales_are_really_larger(
    sandbox_url: str, operation: str, size: tuple[int, int], larger: tuple[int, int]
) -> None:
    fields = {} if operation == "upscale/fast" else {"prompt": "sharp"}
    files = {"image": drawing.scene("a lamp", size)}
    image = made(send(sandbox_url, operation, files, output_format="jpeg", **fields))
    assert (image.format, image.size) == ("JPEG", larger)


def test_a_control_keeps_the_outlines(sandbox_url: str) -> None:
    sketch = Image.new("RGB", (256, 256), "white")
    sketch.paste((0, 0, 0), (64, 64, 192, 192))
    files = {"image": sketch}
    strong = made(
        send(sandbox_url, "control/sketch", files, prompt="a", seed="7", control_strength="1")
    )
    none = made(
        send(sandbox_url, "control/sketch", files, prompt="a", seed="7", control_strength="0")
    )
    assert strong.size == (1024, 1024)
    box = differs(strong, none)
    assert box is not None
    assert all(abs(edge - at) < 16 for edge, at in zip(box, (256, 256, 768, 768), strict=True))


def test_a_style_comes_from_the_other_picture(sandbox_url: str) -> None:
    navy = Image.new("RGB", (64, 64), (0, 0, 128))
    image = made(
        send(
            sandbox_url,
            "control/style-transfer",
            {"init_image": SCENE, "style_image": navy},
            style_strength="1",
        )
    )
    assert image.size == SCENE.size
    assert image.convert("RGB").getextrema()[0] == (0, 0)


def test_a_creative_upscale_is_there_later_for_its_own_key(sandbox_url: str) -> None:
    prompt = "[[sandbox running_ms=60000]] sharp"
    began = send(sandbox_url, "upscale/creative", prompt=prompt)
    assert began.status_code == 200
    assert list(began.json()) == ["id"]
    running = result(sandbox_url, began.json()["id"])
    assert running.status_code == 202
    assert running.json() == {"id": began.json()["id"], "status": "in-progress"}
    assert result(sandbox_url, began.json()["id"], key="sk-other").status_code == 404
    assert result(sandbox_url, "0" * 64).status_code == 404
    done = send(sandbox_url, "upscale/creative", prompt="[[sandbox running_ms=0]] sharp").json()
    shown = result(sandbox_url, done["id"])
    assert (shown.status_code, shown.json()["finish_reason"]) == (200, "SUCCESS")
    image = made(result(sandbox_url, done["id"], accept="*/*"))
    assert image.size == (3547, 2365)


def test_results_fail_expire_and_are_filtered_on_demand(sandbox_url: str) -> None:
    def begun(words: str) -> str:
        prompt = f"[[sandbox running_ms=0 {words}]] sharp"
        answer = send(sandbox_url, "upscale/creative", prompt=prompt)
        assert answer.status_code == 200
        found: str = answer.json()["id"]
        return found

    assert result(sandbox_url, begun("expire_ms=0")).status_code == 404
    assert result(sandbox_url, begun("at=poll status=500")).status_code == 500
    filtered = result(sandbox_url, begun("content_filter"))
    assert (filtered.status_code, filtered.json()["finish_reason"]) == (200, "CONTENT_FILTERED")


def test_a_picture_of_the_forbidden_colour_is_filtered(sandbox_url: str) -> None:
    files = {"image": Image.new("RGB", (64, 64), (255, 0, 255))}
    answer = send(sandbox_url, "edit/remove-background", files)
    assert (answer.status_code, answer.headers["finish-reason"]) == (200, "CONTENT_FILTERED")


@pytest.mark.parametrize(
    ("operation", "size", "fields", "said"),
    [
        ("edit/inpaint", None, {"prompt": "a"}, "image: is required"),
        ("edit/inpaint", (64, 64), {}, "prompt: is required"),
        ("edit/inpaint", (64, 63), {"prompt": "a"}, "image: every side must have 64 pixels"),
        ("edit/inpaint", (64, 64), {"prompt": "a", "grow_mask": "101"}, "grow_mask: must be"),
        ("edit/inpaint", (64, 64), {"prompt": "a", "left": "1"}, "left: not a valid field"),
        ("edit/outpaint", (64, 64), {}, "at least one outpaint direction"),
        ("edit/outpaint", (64, 64), {"left": "2001"}, "left: must be a number from 0 to 2000"),
        ("edit/outpaint", (200, 64), {"left": "1"}, "image: the aspect ratio must be between"),
        ("edit/search-and-replace", (64, 64), {"prompt": "a"}, "search_prompt: is required"),
        ("edit/search-and-recolor", (64, 64), {"prompt": "a"}, "select_prompt: is required"),
        ("edit/remove-background", (64, 64), {"output_format": "jpeg"}, "output_format: must be"),
        ("edit/remove-background", (64, 64), {"seed": "1"}, "seed: not a valid field"),
        ("edit/remove-background", (2049, 2048), {}, "image: total pixel count must be between"),
        ("upscale/fast", (1537, 64), {}, "image: every side must"),
        ("upscale/conservative", (64, 64), {}, "prompt: is required"),
        ("upscale/creative", (1025, 1024), {"prompt": "a"}, "image: total pixel count"),
        ("control/sketch", (64, 64), {"prompt": "a", "fidelity": "1"}, "fidelity: not a valid"),
        ("control/style", (64, 64), {"prompt": "a", "fidelity": "1.1"}, "fidelity: must be"),
        ("control/style-transfer", (64, 64), {}, "image: not a valid field"),
    ],
)
def test_what_stability_refuses_is_refused(
    sandbox_url: str,
    operation: str,
    size: tuple[int, int] | None,
    fields: dict[str, str],
    said: str,
) -> None:
    files = {} if size is None else {"image": Image.new("RGB", size)}
    answer = send(sandbox_url, operation, files, **fields)
    assert answer.status_code == 400
    assert answer.json()["errors"][0].startswith(said)


def test_a_text_is_no_file_and_a_file_no_picture_unless_it_is_one(sandbox_url: str) -> None:
    as_text = send(sandbox_url, "edit/remove-background", {}, image="iVBORw0KGgo")
    assert (as_text.status_code, as_text.json()["errors"]) == (400, ["image: not a valid field"])
    answer = requests.post(
        f"{sandbox_url}/stability{FOLDER}edit/remove-background",
        headers={"authorization": "Bearer sk-1"},
        files={"image": ("image.png", b"no picture", "image/png")},
        timeout=15,
    )
    assert answer.json()["errors"] == ["image: must be a jpeg, png or webp image"]


@pytest.mark.parametrize("model", [name for name in OPERATIONS if name != "control-style-transfer"])
def test_what_we_send_is_documented(spec: dict[str, Any], model: str) -> None:
    path, request, _ = OPERATIONS[model]
    operation = spec["paths"][FOLDER + path]["post"]
    form = operation["requestBody"]["content"]["multipart/form-data"]["schema"]
    texts, files = parts_of(PROVIDER.build_submission(request, target(model)))
    assert set(form["required"]) <= {*texts, *files}
    for name in files:
        assert form["properties"][name]["format"] == "binary"
    values: dict[str, Any] = {
        name: float(text) if _is_number(form["properties"][name]) else text
        for name, text in texts.items()
    }
    schema = {"properties": form["properties"]}
    document = {"components": {"schemas": {**spec["components"]["schemas"], "Form": schema}}}
    integers = {name: int(value) for name, value in values.items() if isinstance(value, float)}
    whole = {name: integers.get(name, value) for name, value in values.items()}
    assert min(len(violations(document, "Form", given)) for given in (values, whole)) == 0


@pytest.mark.parametrize("model", [name for name in OPERATIONS if name != "control-style-transfer"])
def test_answers_are_documented(spec: dict[str, Any], sandbox_url: str, model: str) -> None:
    path, request, _ = OPERATIONS[model]
    texts, files = parts_of(PROVIDER.build_submission(request, target(model)))
    pictures = {name: drawing.opened(data) for name, data in files.items()}
    answer = send(sandbox_url, path, pictures, accept=AS_JSON, **texts)
    assert answer.status_code == 200, answer.text[:300]
    responses = spec["paths"][FOLDER + path]["post"]["responses"]
    schema = responses["200"]["content"][answer.headers["content-type"]]["schema"]
    document = {"components": {"schemas": {**spec["components"]["schemas"], "Answer": schema}}}
    assert violations(document, "Answer", answer.json()) == []


def test_results_are_documented(spec: dict[str, Any], sandbox_url: str) -> None:
    responses = spec["paths"]["/v2beta/results/{id}"]["get"]["responses"]
    for words, status in (("60000", "202"), ("0", "200"), ("0 expire_ms=0", "404")):
        prompt = f"[[sandbox running_ms={words}]] sharp"
        begun = send(sandbox_url, "upscale/creative", prompt=prompt).json()
        answer = result(sandbox_url, begun["id"])
        assert answer.status_code == int(status)
        schema = responses[status]["content"][answer.headers["content-type"]]["schema"]
        document = {"components": {"schemas": {**spec["components"]["schemas"], "Answer": schema}}}
        assert violations(document, "Answer", answer.json()) == []


@pytest.mark.parametrize("model", [name for name in OPERATIONS if name != "control-style-transfer"])
def test_every_documented_field_is_known(
    spec: dict[str, Any], sandbox_url: str, model: str
) -> None:
    path, request, _ = OPERATIONS[model]
    form = spec["paths"][FOLDER + path]["post"]["requestBody"]["content"]["multipart/form-data"]
    texts, files = parts_of(PROVIDER.build_submission(request, target(model)))
    defaults = {
        name: str(field.get("default", field.get("enum", ["1"])[0]))
        for name, field in form["schema"]["properties"].items()
        if field.get("format") != "binary"
    }
    defaults["creativity"] = "0.35"
    documented = {
        name: text for name, text in defaults.items() if name in form["schema"]["properties"]
    }
    pictures = {name: drawing.opened(data) for name, data in files.items()}
    answer = send(sandbox_url, path, pictures, **{**documented, **texts})
    assert answer.status_code == 200, answer.text[:300]


def _is_number(field: dict[str, Any]) -> bool:
    return field.get("type") in ("number", "integer") or "allOf" in field
