"""What our own provider sends, every company behind the double of the router takes, and draws."""

import io
from collections.abc import Iterator

import msgspec
import pytest
from PIL import Image

from gateway.operations.image import ImageRequest
from gateway.operations.media import MadeFile
from gateway.providers.base import UpstreamAnswer, UpstreamRefused
from gateway.providers.huggingface import PROVIDER
from gateway.providers.media import Made, MediaTarget, Progress, Running
from tests.sandbox.caller import Answer, Caller

KEY = "hf_sandbox1234"
_MOST_QUESTIONS = 2000
MODELS = (
    "fal-ai/fal-ai/flux/krea",
    "nscale/black-forest-labs/FLUX.1-schnell",
    "together/black-forest-labs/FLUX.1-dev",
    "hf-inference/black-forest-labs/FLUX.1-dev",
    "replicate/black-forest-labs/flux-dev",
    "wavespeed/wavespeed-ai/flux-dev",
)
QUICK = "[[sandbox starting_ms=1 running_ms=1]]"
REQUESTS = (
    ImageRequest(prompt="A lamp"),
    ImageRequest(
        prompt="A lamp",
        width=1200,
        height=628,
        exact_size=True,
        seed=7,
        steps=4,
        guidance_scale=3.5,
        negative_prompt="cats",
        style="vivid",
        output_format="png",
    ),
)
each_model = pytest.mark.parametrize("model", MODELS)


def _read(answer: Answer) -> UpstreamAnswer:
    return UpstreamAnswer(status=answer.status, headers=answer.headers, body=answer.body)


def made_by(caller: Caller, request: ImageRequest, model: str) -> MadeFile:
    """Make a picture as a worker does, asking until it is done."""
    target = MediaTarget(model=model)
    assert PROVIDER.unsupported_media(request, target) is None
    *_, last = _walk(caller, request, target)
    assert isinstance(last, Made)
    return last.files[0]


def _walk(caller: Caller, request: ImageRequest, target: MediaTarget) -> Iterator[Progress]:
    auth = PROVIDER.auth(KEY)
    sent = PROVIDER.build_submission(request, target)
    answer = caller.send(
        "POST", f"/huggingface{sent.path}", body=sent.body, headers={**sent.headers, **auth}
    )
    progress = PROVIDER.parse_submission(request, target, _read(answer))
    yield progress
    for _ in range(_MOST_QUESTIONS):
        if not isinstance(progress, Running):
            return
        question = PROVIDER.build_poll(target, progress.upstream_id)
        told = caller.send("GET", f"/huggingface{question.path}", headers=auth)
        progress = PROVIDER.parse_poll(request, target, _read(told))
        yield progress


def picture(caller: Caller, file: MadeFile) -> Image.Image:
    """Open a file, fetched where it is an address."""
    data = file.data
    if file.url:
        path = "/" + file.url.partition("//")[2].partition("/")[2]
        data = caller.send("GET", path, headers={}).body
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@each_model
@pytest.mark.parametrize("request_", REQUESTS, ids=["least", "full"])
def test_what_is_sent_is_taken_and_drawn(
    caller: Caller, model: str, request_: ImageRequest
) -> None:
    quick = msgspec.structs.replace(request_, prompt=f"{QUICK} {request_.prompt}")
    file = made_by(caller, quick, model)
    image = picture(caller, file)
    if request_.width is not None:
        assert 1.7 < image.width / image.height < 2
        assert file.seed == 7
        assert picture(caller, made_by(caller, quick, model)).tobytes() == image.tobytes()


@pytest.mark.parametrize("model", [MODELS[0], MODELS[1], MODELS[4], MODELS[5]])
def test_what_a_filter_holds_back_is_a_refusal(caller: Caller, model: str) -> None:
    prompt = "[[sandbox refusal starting_ms=1 running_ms=1]] A lamp"
    with pytest.raises(UpstreamRefused):
        made_by(caller, ImageRequest(prompt=prompt), model)
