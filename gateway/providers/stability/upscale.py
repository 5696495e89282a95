"""Upscales: fast at once, conservative at once but slower, creative by being asked for again.

None takes pixels: `fast` makes each side four times as long, the others as large as they like.
Source: Stability's OpenAPI document of Feb 2025, stable-image/upscale and results.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

import msgspec
from msgspec import Struct

from gateway.operations.image_upscale import ImageUpscaleRequest
from gateway.providers.base import UpstreamAnswer, UpstreamInvalid, UpstreamRequest
from gateway.providers.images_form import UNREADABLE
from gateway.providers.media import Running
from gateway.providers.stability.form import LONGEST_PROMPT, write_form
from gateway.providers.stability.limits import LIMITS

ASK_AGAIN_S = 10.0
"""Its examples ask every ten seconds, and a key may only send so much."""
_FOLDER = "/v2beta/stable-image/upscale/"
_MODES: Mapping[str, str] = MappingProxyType(
    {
        "upscale-fast": "fast",
        "upscale-conservative": "conservative",
        "upscale-creative": "creative",
    }
)
_ID = re.compile(r"[0-9A-Za-z_-]{1,128}", re.ASCII)


class _Started(Struct):
    id: str


_STARTED = msgspec.json.Decoder(_Started)


def upscale_problem(request: ImageUpscaleRequest, name: str) -> str | None:
    """Name the field that an upscale cannot serve, `model` if it is another; None if it can."""
    mode = _MODES.get(name)
    if mode is None or mode != request.mode:
        return "model"
    if LIMITS[name].problem_of(request.image.width, request.image.height):
        return "image"
    needed = mode != "fast"
    fits = needed == bool(request.prompt) and len(request.prompt) <= LONGEST_PROMPT
    return None if fits else "prompt"


def write_upscale(request: ImageUpscaleRequest, name: str) -> UpstreamRequest:
    """Write the form of one upscale."""
    fields = {"prompt": request.prompt, "output_format": request.output_format or "png"}
    pictures = {"image": request.image}
    return write_form(_FOLDER + _MODES[name], fields, pictures=pictures, user=request.user)


def ends_later(name: str) -> bool:
    """Tell whether the answer to a submission is only an id."""
    return _MODES.get(name) == "creative"


def read_started(answer: UpstreamAnswer) -> Running:
    """Read the id of what was begun. Raises: UpstreamInvalid."""
    try:
        found = _STARTED.decode(answer.body).id
    except UNREADABLE as error:
        raise UpstreamInvalid("The provider's answer cannot be read.") from error
    if _ID.fullmatch(found) is None:
        raise UpstreamInvalid("The provider's answer cannot be read.")
    return Running(upstream_id=found, ask_again_s=ASK_AGAIN_S)


def write_question(upstream_id: str) -> UpstreamRequest:
    """Write the question how it stands."""
    return UpstreamRequest(
        method="GET",
        path=f"/v2beta/results/{upstream_id}",
        body=b"",
        headers={"accept": "application/json"},
    )
