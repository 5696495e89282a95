"""Stability's edits, upscales and controls: the forms that are sent, and what comes back."""

from typing import Any

import msgspec
import pytest

from gateway.operations.image_control import ImageControlRequest
from gateway.operations.media import MediaUse
from gateway.providers.base import (
    UpstreamAnswer,
    UpstreamError,
    UpstreamFailure,
    UpstreamInvalid,
    UpstreamOverloaded,
    UpstreamRefused,
)
from gateway.providers.media import Made, MediaRequest, Running, makes_media
from gateway.providers.stability import PROVIDER
from studio.core.errors import InvalidRequest
from tests.gateway.image_requests import asked, recorded, target
from tests.gateway.stability_requests import (
    MASK,
    OPERATIONS,
    STYLE,
    control,
    edit,
    parts_of,
    picture,
    upscale,
)

ID = "a6dc6c6e20acda010fe14d71f180658f2896ed9b4ec25aa99a6ff06c796987c4"
each_operation = pytest.mark.parametrize("model", OPERATIONS)


def answered(status: int, body: bytes, kind: str = "") -> UpstreamAnswer:
    """Give an answer."""
    return UpstreamAnswer(status=status, headers={"content-type": kind}, body=body)


def problem(request: MediaRequest, model: str, **fields: Any) -> str | None:
    """Ask what a model cannot serve."""
    return PROVIDER.unsupported_media(request, target(model, **fields))


@each_operation
def test_each_operation_has_a_path_and_sends_what_it_takes(model: str) -> None:
    path, request, fields = OPERATIONS[model]
    assert makes_media(PROVIDER, request.operation)
    assert problem(request, model) is None
    sent = PROVIDER.build_submission(request, target(model))
    texts, files = parts_of(sent)
    assert (sent.method, sent.path) == ("POST", f"/v2beta/stable-image/{path}")
    assert sent.headers["accept"] == "application/json"
    assert {*texts, *files} == fields
    assert PROVIDER.build_submission(request, target(model)) == sent


def test_every_value_is_sent_as_it_was_asked_for() -> None:
    texts, files = parts_of(
        PROVIDER.build_submission(OPERATIONS["outpaint"][1], target("outpaint"))
    )
    assert texts == {
        "prompt": "a garden",
        "left": "10",
        "right": "20",
        "up": "30",
        "down": "2000",
        "creativity": "0.25",
        "style_preset": "anime",
        "seed": "7",
        "output_format": "png",
    }
    assert files == {"image": picture().data}
    inpainted = PROVIDER.build_submission(OPERATIONS["inpaint"][1], target("inpaint"))
    assert parts_of(inpainted)[1] == {"image": picture().data, "mask": MASK.data}


def test_style_transfer_has_two_pictures_and_no_change_below_a_tenth() -> None:
    name = "control-style-transfer"
    texts, files = parts_of(PROVIDER.build_submission(OPERATIONS[name][1], target(name)))
    assert files == {"init_image": picture().data, "style_image": STYLE.data}
    assert (texts["change_strength"], texts["style_strength"]) == ("0.1", "0.5")


def test_a_cut_out_is_never_asked_for_as_jpeg() -> None:
    request = edit("remove_background", output_format="jpeg")
    texts, _ = parts_of(PROVIDER.build_submission(request, target("remove-background")))
    assert texts == {"output_format": "png"}


@each_operation
def test_the_user_is_told_as_a_digest(model: str) -> None:
    request = msgspec.structs.replace(OPERATIONS[model][1], user="someone@example.com")
    sent = PROVIDER.build_submission(request, target(model))
    assert len(sent.headers["stability-client-user-id"]) == 32
    assert b"example" not in sent.body


@pytest.mark.parametrize(
    ("request_", "model", "field"),
    [
        (asked(), "inpaint", "model"),
        (edit("inpaint", prompt="a"), "core", "model"),
        (edit("inpaint", prompt="a"), "outpaint", "model"),
        (upscale("fast"), "upscale-creative", "model"),
        (control("sketch"), "control-style", "model"),
        (edit("inpaint"), "inpaint", "prompt"),
        (edit("inpaint", prompt="a" * 10_001), "inpaint", "prompt"),
        (edit("inpaint", prompt="a", grow_mask=101), "inpaint", "grow_mask"),
        (edit("inpaint", prompt="a", style="vivid"), "inpaint", "style"),
        (edit("inpaint", prompt="a", seed=2**32 - 1), "inpaint", "seed"),
        (edit("inpaint", prompt="a", expand_up=1), "inpaint", "expand_up"),
        (edit("inpaint", prompt="a", lighting=MASK), "inpaint", "lighting"),
        (edit("outpaint"), "outpaint", "expand_left"),
        (edit("outpaint", expand_down=2001), "outpaint", "expand_down"),
        (edit("outpaint", expand_down=1, creativity=1.5), "outpaint", "creativity"),
        (edit("outpaint", expand_down=1, mask=MASK), "outpaint", "mask"),
        (edit("search_replace", prompt="a"), "search-and-replace", "search_prompt"),
        (
            edit("search_recolor", prompt="a", search_prompt="b", select_prompt="c"),
            "search-and-recolor",
            "search_prompt",
        ),
        (
            edit("search_recolor", prompt="a", select_prompt="c", grow_mask=21),
            "search-and-recolor",
            "grow_mask",
        ),
        (edit("remove_background", prompt="a"), "remove-background", "prompt"),
        (edit("remove_background", style="anime"), "remove-background", "style"),
        (upscale("fast", prompt="a"), "upscale-fast", "prompt"),
        (upscale("conservative"), "upscale-conservative", "prompt"),
        (control("sketch", prompt=""), "control-sketch", "prompt"),
        (control("sketch", control_strength=1.5), "control-sketch", "control_strength"),
        (control("sketch", fidelity=0.5), "control-sketch", "fidelity"),
        (control("sketch", style_image=STYLE), "control-sketch", "style_image"),
        (control("style", aspect_ratio="7:3"), "control-style", "aspect_ratio"),
        (control("style_transfer"), "control-style-transfer", "style_image"),
        (
            control("style_transfer", style_image=STYLE, style="anime"),
            "control-style-transfer",
            "style",
        ),
    ],
)
def test_what_an_operation_cannot_serve_is_named(
    request_: MediaRequest, model: str, field: str
) -> None:
    assert problem(request_, model) == field


@pytest.mark.parametrize(
    ("model", "size", "fits"),
    [
        ("remove-background", (2048, 2048), True),
        ("remove-background", (2049, 2048), False),
        ("inpaint", (3072, 3072), True),
        ("inpaint", (8192, 64), True),
        ("inpaint", (63, 500), False),
        ("outpaint", (250, 100), True),
        ("outpaint", (251, 100), False),
        ("search-and-replace", (100, 251), False),
        ("upscale-fast", (32, 32), True),
        ("upscale-fast", (1537, 100), False),
        ("upscale-fast", (1536, 682), True),
        ("upscale-fast", (1536, 683), False),
        ("upscale-conservative", (3072, 3072), True),
        ("upscale-conservative", (3073, 3072), False),
        ("upscale-creative", (1024, 1024), True),
        ("upscale-creative", (1025, 1024), False),
        ("control-sketch", (64, 64), True),
        ("control-sketch", (64, 63), False),
    ],
)
def test_pictures_beyond_the_limits_are_refused(
    model: str, size: tuple[int, int], *, fits: bool
) -> None:
    large = picture(*size, data=b"")
    request = msgspec.structs.replace(OPERATIONS[model][1], image=large)
    assert problem(request, model) == (None if fits else "image")


def test_a_form_of_more_than_ten_mebibytes_is_not_sent() -> None:
    fields = {"prompt": "a", "mask": MASK}
    image = picture(data=bytes(10 * 1024 * 1024 - 700))
    whole = PROVIDER.build_submission(edit("inpaint", image=image, prompt="a"), target("inpaint"))
    assert len(whole.body) <= 10 * 1024 * 1024
    with pytest.raises(InvalidRequest, match="10 MiB"):
        PROVIDER.build_submission(
            edit("inpaint", **fields, image=picture(data=bytes(10 * 1024 * 1024))),
            target("inpaint"),
        )


def test_fields_a_model_refuses_are_neither_sent_nor_named() -> None:
    odd = edit("inpaint", prompt="a", style="vivid", grow_mask=900, guidance_scale=7.0, steps=30)
    without = target("inpaint", drop_parameters=("style", "grow_mask", "image"))
    assert PROVIDER.unsupported_media(odd, without) is None
    texts, files = parts_of(PROVIDER.build_submission(odd, without))
    assert (texts, set(files)) == ({"prompt": "a", "output_format": "png"}, {"image"})


@each_operation
def test_a_picture_ends_its_run_but_for_the_creative_upscale(model: str) -> None:
    request = OPERATIONS[model][1]
    if model == "upscale-creative":
        began = answered(200, b'{"id":"%s"}' % ID.encode())
        progress = PROVIDER.parse_submission(request, target(model), began)
        assert progress == Running(upstream_id=ID, ask_again_s=10.0)
        return
    answer = answered(200, recorded("stability", "one"), "application/json; type=image/png")
    made = PROVIDER.parse_submission(request, target(model), answer)
    assert isinstance(made, Made)
    assert made.use == MediaUse(item_count=1)
    assert (made.files[0].media_type, made.files[0].seed) == ("image/png", 343940597)


@each_operation
def test_a_blurred_picture_is_a_refusal(model: str) -> None:
    answer = answered(200, recorded("stability", "error_200_filtered"))
    read = PROVIDER.parse_poll if model == "upscale-creative" else PROVIDER.parse_submission
    with pytest.raises(UpstreamRefused):
        read(OPERATIONS[model][1], target(model), answer)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"id":7}', b'{"id":"../../x"}', b'{"id":""}'])
def test_a_beginning_without_an_id_is_invalid(body: bytes) -> None:
    request = OPERATIONS["upscale-creative"][1]
    with pytest.raises(UpstreamInvalid):
        PROVIDER.parse_submission(request, target("upscale-creative"), answered(200, body))


def test_the_creative_upscale_is_asked_for_until_it_is_there() -> None:
    request, to = OPERATIONS["upscale-creative"][1], target("upscale-creative")
    question = PROVIDER.build_poll(to, ID)
    assert (question.method, question.path) == ("GET", f"/v2beta/results/{ID}")
    assert (question.body, question.headers) == (b"", {"accept": "application/json"})
    waiting = answered(202, b'{"id":"%s","status":"in-progress"}' % ID.encode())
    progress = PROVIDER.parse_poll(request, to, waiting)
    assert isinstance(progress, Running)
    assert progress.ask_again_s == 10.0
    made = PROVIDER.parse_poll(request, to, answered(200, recorded("stability", "one")))
    assert isinstance(made, Made)
    assert PROVIDER.build_cancel(to, ID) is None


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [(404, UpstreamError, False), (429, UpstreamOverloaded, True), (500, UpstreamError, True)],
)
def test_a_question_that_fails_is_asked_again_but_for_what_is_gone(
    status: int, kind: type[UpstreamFailure], *, retryable: bool
) -> None:
    request, to = OPERATIONS["upscale-creative"][1], target("upscale-creative")
    with pytest.raises(kind) as failed:
        PROVIDER.parse_poll(request, to, answered(status, b"{}"))
    assert (failed.value.provider_status, failed.value.retryable) == (status, retryable)


def test_an_absent_strength_is_the_models_own() -> None:
    request = control("sketch")
    assert isinstance(request, ImageControlRequest)
    texts, _ = parts_of(PROVIDER.build_submission(request, target("control-sketch")))
    assert texts == {"prompt": "An office", "output_format": "png"}
