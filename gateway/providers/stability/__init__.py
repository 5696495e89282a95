"""Stability AI: pictures by multipart forms.

form.py       forms written, answers and errors read: the same for every operation
limits.py     which pictures it works on
generate.py   text to image: ultra, core and the family of sd3
edit.py       backgrounds removed, parts replaced, recoloured and added
upscale.py    fast, conservative and creative
control.py    led by a sketch, a structure or a style

Source: Stability's REST API v2beta, its OpenAPI document of Feb 2025; models and prices of 2026 in
tryAGI/StabilityAI, the same document later.
"""

from collections.abc import Mapping

import msgspec

from gateway.operations.image import ImageRequest
from gateway.operations.image_control import ImageControlRequest
from gateway.operations.image_edit import ImageEditRequest
from gateway.operations.image_upscale import ImageUpscaleRequest
from gateway.operations.media import MediaUse
from gateway.providers.base import (
    UpstreamAnswer,
    UpstreamError,
    UpstreamFailure,
    UpstreamRequest,
)
from gateway.providers.images_form import AnswersAtOnce, image_asked_for
from gateway.providers.media import Made, MediaRequest, MediaTarget, Progress, Running
from gateway.providers.stability.control import control_problem, write_control
from gateway.providers.stability.edit import edit_problem, write_edit
from gateway.providers.stability.form import HOSTS, failure_of, read_image
from gateway.providers.stability.generate import problem_of, write_generation
from gateway.providers.stability.upscale import (
    ASK_AGAIN_S,
    ends_later,
    read_started,
    upscale_problem,
    write_question,
    write_upscale,
)

PATIENCE_S = 120.0
_GONE = "The provider no longer knows what it was asked to make."
_NOT_OURS = "Stability is asked for something that it does not make"


class Stability(AnswersAtOnce):
    """Stability AI's images and what it does to images."""

    slug = "stability"
    default_base_url = "https://api.stability.ai"
    hosts = HOSTS
    operations = frozenset({"image", "image_edit", "image_upscale", "image_control"})

    def auth(self, key: str) -> dict[str, str]:
        """Give the header that carries the key."""
        return {"authorization": f"Bearer {key}"}

    def unsupported_media(self, request: MediaRequest, target: MediaTarget) -> str | None:
        """Name what a model does not have, and `model` for one that is not known here."""
        match _asked_for(request, target):
            case ImageRequest() as asked:
                return problem_of(asked, target.model)
            case ImageEditRequest() as asked:
                return edit_problem(asked, target.model)
            case ImageUpscaleRequest() as asked:
                return upscale_problem(asked, target.model)
            case ImageControlRequest() as asked:
                return control_problem(asked, target.model)
        return "operation"

    def most_per_run(self, request: MediaRequest, target: MediaTarget) -> int:
        """Ask for one: no model makes more at once."""
        return 1

    def patience_s(self, request: MediaRequest, target: MediaTarget) -> float:
        """Wait as long as it may take, and not beyond the deadline."""
        return min(PATIENCE_S, target.deadline_s)

    def build_submission(self, request: MediaRequest, target: MediaTarget) -> UpstreamRequest:
        """Write the form.

        Raises: InvalidRequest where the pictures are too large together.
        """
        name, first = target.model, target.first
        match _asked_for(request, target):
            case ImageRequest() as asked:
                return write_generation(asked, name, first=first)
            case ImageEditRequest() as asked:
                return write_edit(asked, name, first=first)
            case ImageUpscaleRequest() as asked:
                return write_upscale(asked, name)
            case ImageControlRequest() as asked:
                return write_control(asked, name, first=first)
        raise AssertionError(_NOT_OURS)

    def parse_submission(
        self, request: MediaRequest, target: MediaTarget, answer: UpstreamAnswer
    ) -> Progress:
        """Read the picture, or the id of what was begun.

        Raises: UpstreamFailure, also where the filter blurred it, which comes with 200.
        """
        if answer.status not in (200, 202):
            raise self.parse_error(answer.status, answer.headers, answer.body)
        if isinstance(request, ImageUpscaleRequest) and ends_later(target.model):
            return read_started(answer)
        return _made(request, answer)

    def build_poll(self, target: MediaTarget, upstream_id: str) -> UpstreamRequest:
        """Write the question how a creative upscale stands."""
        return write_question(upstream_id)

    def parse_poll(
        self, request: MediaRequest, target: MediaTarget, answer: UpstreamAnswer
    ) -> Progress:
        """Read how it stands; it tells no share. Raises: UpstreamFailure."""
        if answer.status == 202:
            return Running(upstream_id="", ask_again_s=ASK_AGAIN_S)
        if answer.status == 404:
            raise UpstreamError(_GONE, provider_status=404)
        if answer.status != 200:
            raise self.parse_error(answer.status, answer.headers, answer.body)
        return _made(request, answer)

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFailure:
        """Read an answer that is no success."""
        return failure_of(status, headers, body)


PROVIDER = Stability()


def _made(request: MediaRequest, answer: UpstreamAnswer) -> Made:
    size, quality = "", ""
    if isinstance(request, ImageRequest):
        size, quality = request.size, request.quality
    files = (read_image(answer),)
    return Made(files=files, use=MediaUse(item_count=len(files), size=size, quality=quality))


def _asked_for(request: MediaRequest, target: MediaTarget) -> MediaRequest:
    """Give the request without the fields that the model refuses."""
    if isinstance(request, ImageRequest):
        return image_asked_for(request, target)
    changes = {
        field.name: field.default
        for field in msgspec.structs.fields(request)
        if field.name in target.drop_parameters and field.default is not msgspec.NODEFAULT
    }
    return msgspec.structs.replace(request, **changes) if changes else request
