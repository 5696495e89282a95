"""What we ask of Replicate: the models' input grammar, submissions, polls, cancels."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.operations.image import ImageRequest
from gateway.operations.music import MusicRequest
from gateway.providers import find_provider
from gateway.providers.media import MediaTarget
from gateway.providers.replicate import PROVIDER
from studio.core.errors import InvalidRequest
from tests.gateway.replicate_runs import (
    ANSWERS,
    DEV,
    ID,
    PRO,
    PRO_1,
    REQUEST,
    SCHNELL,
    TARGET,
    recorded,
)
from tests.sandbox.openapi import violations

SPEC = Path(__file__).resolve().parents[3] / "shared/wire/specs/replicate.openapi.json"
KEY = "r8_canary5f0c2d"


def sent(request: ImageRequest, model: str = SCHNELL, **target: Any) -> dict[str, Any]:
    """Give the input that goes to Replicate."""
    built = PROVIDER.build_submission(request, MediaTarget(model=model, **target))
    found: dict[str, Any] = json.loads(built.body)["input"]
    return found


def shape(model: str, width: int, height: int) -> tuple[Any, ...]:
    """Give the fields that shape a picture of these pixels."""
    given = sent(ImageRequest(prompt="p", width=width, height=height), model)
    return tuple(
        given.get(name)
        for name in ("aspect_ratio", "megapixels", "width", "height")
        if name in given
    )


def test_it_is_found_and_reached_over_tls() -> None:
    found: object = find_provider("replicate")
    assert found is PROVIDER
    assert PROVIDER.default_base_url == "https://api.replicate.com/v1"
    assert PROVIDER.operations == {"image"}
    assert PROVIDER.file_hosts == ("replicate.delivery", ".replicate.delivery")


def test_a_submission_names_the_callback_and_ends_with_our_patience() -> None:
    target = MediaTarget(
        model=SCHNELL, count=3, callback_url="https://we.example/hooks/1", deadline_s=90
    )
    request = PROVIDER.build_submission(REQUEST, target)
    assert (request.method, request.path) == ("POST", f"/models/{SCHNELL}/predictions")
    assert json.loads(request.body) == {
        "input": {"prompt": "a lighthouse", "num_outputs": 3},
        "webhook": "https://we.example/hooks/1",
        "webhook_events_filter": ["completed"],
    }
    assert request.headers == {
        "content-type": "application/json",
        "accept": "application/json",
        "cancel-after": "90s",
    }


def test_without_a_callback_none_is_asked_for_and_no_life_is_too_short() -> None:
    request = PROVIDER.build_submission(REQUEST, MediaTarget(model=PRO, deadline_s=1))
    assert json.loads(request.body) == {"input": {"prompt": "a lighthouse"}}
    assert request.headers["cancel-after"] == "5s"


def test_the_key_travels_only_in_headers() -> None:
    target = MediaTarget(model=SCHNELL, callback_url="https://we.example/hooks/1")
    cancel = PROVIDER.build_cancel(target, ID)
    assert cancel is not None
    for request in (
        PROVIDER.build_submission(REQUEST, target),
        PROVIDER.build_poll(target, ID),
        cancel,
    ):
        assert KEY not in request.path
        assert KEY.encode() not in request.body
        assert set(request.headers).isdisjoint(PROVIDER.auth(KEY))
    assert PROVIDER.auth(KEY) == {"authorization": f"Bearer {KEY}"}
    assert PROVIDER.file_headers(KEY) == {"authorization": f"Bearer {KEY}"}


@pytest.mark.parametrize(
    ("width", "height", "wanted"),
    [
        (1024, 1024, ("1:1", "1")),
        (512, 512, ("1:1", "0.25")),
        (513, 512, ("1:1", "1")),
        (1920, 1080, ("16:9", "1")),
        (672, 384, ("16:9", "0.25")),
        (2560, 1080, ("21:9", "1")),
        (1500, 1000, ("3:2", "1")),
        (800, 1000, ("4:5", "1")),
        (768, 1024, ("3:4", "1")),
        (1024, 768, ("4:3", "1")),
        (1080, 1920, ("9:16", "1")),
        (100, 8192, ("9:21", "1")),
        (8192, 1, ("21:9", "1")),
    ],
)
@pytest.mark.parametrize("model", [SCHNELL, DEV])
def test_open_models_get_the_nearest_ratio(
    model: str, width: int, height: int, wanted: tuple[str, str]
) -> None:
    assert shape(model, width, height) == wanted


@pytest.mark.parametrize(
    ("width", "height", "wanted"),
    [
        (1024, 1024, ("custom", 1024, 1024)),
        (1000, 700, ("custom", 992, 704)),
        (1920, 1080, ("custom", 1440, 800)),
        (1080, 1920, ("custom", 800, 1440)),
        (128, 64, ("custom", 512, 256)),
        (8192, 100, ("custom", 1440, 256)),
        (1, 1, ("custom", 256, 256)),
    ],
)
@pytest.mark.parametrize("model", [PRO, PRO_1])
def test_pro_models_get_a_size_of_the_same_shape(
    model: str, width: int, height: int, wanted: tuple[str, int, int]
) -> None:
    assert shape(model, width, height) == wanted


def test_one_side_alone_is_a_square() -> None:
    assert sent(ImageRequest(prompt="p", width=640), PRO)["height"] == 640
    assert sent(ImageRequest(prompt="p", height=640))["aspect_ratio"] == "1:1"


def test_only_known_fields_go_out() -> None:
    request = ImageRequest(
        prompt="a mug",
        count=2,
        style="humorous",
        seed=7,
        output_format="jpeg",
        output_compression=65,
        background="opaque",
        moderation="low",
        user="u-1",
        size="1024x1024",
        quality="hd",
    )
    wanted = {
        "prompt": "a mug\n\nStyle: humorous.",
        "seed": 7,
        "output_format": "jpg",
        "output_quality": 65,
    }
    assert sent(request, count=2) == {**wanted, "num_outputs": 2}
    assert sent(request, PRO) == wanted
    dropped = sent(request, PRO, drop_parameters=("seed", "prompt", "output_quality"))
    assert dropped == {"prompt": "a mug\n\nStyle: humorous.", "output_format": "jpg"}
    assert request.style == "humorous"


@pytest.mark.parametrize(
    ("fields", "model", "field"),
    [
        ({}, SCHNELL, None),
        ({}, "black-forest-labs/flux-9", "model"),
        ({"negative_prompt": "rain"}, SCHNELL, "negative_prompt"),
        ({"background": "transparent"}, PRO, "background"),
        ({"background": "auto", "seed": 3, "count": 4}, DEV, None),
        ({"seed": 3, "count": 5}, DEV, "seed"),
        ({"seed": 3, "count": 2}, PRO, "seed"),
    ],
)
def test_what_flux_cannot_do_is_named(
    fields: dict[str, Any], model: str, field: str | None
) -> None:
    request = ImageRequest(prompt="p", **fields)
    assert PROVIDER.unsupported_media(request, MediaTarget(model=model)) == field


def test_music_is_none_of_its_business() -> None:
    music = MusicRequest(prompt="p")
    assert PROVIDER.unsupported_media(music, TARGET) == "operation"
    with pytest.raises(InvalidRequest):
        PROVIDER.build_submission(music, TARGET)
    with pytest.raises(InvalidRequest):
        PROVIDER.build_submission(REQUEST, MediaTarget(model="black-forest-labs/flux-9"))


def test_open_models_make_four_at_once_and_pro_models_one() -> None:
    made = [
        PROVIDER.most_per_run(REQUEST, MediaTarget(model=m)) for m in (SCHNELL, DEV, PRO, PRO_1)
    ]
    assert made == [4, 4, 1, 1]
    assert PROVIDER.patience_s(REQUEST, TARGET) == 30


def test_a_poll_and_a_cancel_name_the_prediction_and_nothing_else() -> None:
    poll = PROVIDER.build_poll(TARGET, ID)
    cancel = PROVIDER.build_cancel(TARGET, "a/../b?c")
    assert cancel is not None
    assert (poll.method, poll.path, poll.body) == ("GET", f"/predictions/{ID}", b"")
    assert (cancel.method, cancel.path) == ("POST", "/predictions/a%2F..%2Fb%3Fc/cancel")


@pytest.fixture(scope="module")
def spec() -> Any:  # noqa: ANN401 - a JSON document
    """Load Replicate's document, or say plainly that these claims go unchecked."""
    if not SPEC.exists():
        pytest.skip(f"NOT CHECKED AGAINST REPLICATE'S SPEC: there is no {SPEC}")
    return json.loads(SPEC.read_bytes())


@pytest.mark.parametrize("model", [SCHNELL, DEV, PRO, PRO_1])
def test_what_is_sent_is_documented(spec: Any, model: str) -> None:  # noqa: ANN401 - a JSON document
    target = MediaTarget(model=model, callback_url="https://we.example/hooks/1")
    request = PROVIDER.build_submission(REQUEST, target)
    assert violations(spec, "schemas_prediction_request", json.loads(request.body)) == []
    assert "/models/{model_owner}/{model_name}/predictions" in spec["paths"]
    assert {"get"} == set(spec["paths"]["/predictions/{prediction_id}"])
    assert {"post"} == set(spec["paths"]["/predictions/{prediction_id}/cancel"])


@pytest.mark.parametrize("name", ANSWERS)
def test_what_is_read_is_documented(spec: Any, name: str) -> None:  # noqa: ANN401 - a JSON document
    found = violations(spec, "schemas_prediction_response", json.loads(recorded(name)))
    # Metrics may be any: the document says so, and names one.
    assert [one for one in found if not one.startswith("$.metrics: ")] == []
