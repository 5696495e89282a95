"""OpenAI's images: GPT image models, which answer with the pictures themselves after a long wait.

The words of the retired DALL·E models, which our callers go on using, are put into today's.
Source: `openai` Python SDK 3.54.0, `types/image_generate_params.py`, `types/images_response.py`;
github openai/openai-openapi v2.3.0 (2026-08-21), CreateImageRequest.
"""

import math
import re
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Raw, Struct

from gateway.operations.image import ImageRequest
from gateway.operations.media import ANY
from gateway.providers.base import (
    Provider,
    UpstreamAnswer,
    UpstreamFailure,
    UpstreamInvalid,
    UpstreamRequest,
)
from gateway.providers.images_form import (
    UNREADABLE,
    AnswersAtOnce,
    file_problem,
    image_asked_for,
    is_out_of_reach,
    nearest_shape,
    prompt_in_words,
    read_pictures,
    size_of,
    use_of,
)
from gateway.providers.media import Made, MediaRequest, MediaTarget
from gateway.providers.openai_form import failure_meant, read_error

PATIENCE_S = 300.0
"""A picture of high quality takes minutes, and nothing comes before it."""
_MOST_PER_RUN = 4
_MOST_PIXELS_PER_RUN = 16_000_000
"""The API takes ten pictures; but one that is refused refuses them all, and the answer holds all of
them: some four bytes for each pixel of a PNG in base64, where 64 MiB are read.
"""
LONGEST_PROMPT = 32_000
QUALITIES = frozenset({ANY, "auto", "low", "medium", "high"})
NEWER_QUALITIES = frozenset({"xhigh", "max"})
QUALITY_OF_DALL_E = {"standard": "low", "hd": "medium"}
"""What DALL·E's words are worth: of today's qualities those that its prices, which we kept, pay
for.
"""

_FIXED_SIZES = ("1024x1024", "1536x1024", "1024x1536")
_FIXED_WIDEST = 2.0
"""Of models with fixed sizes: DALL·E's long ones (7:4) are cut out of 3:2, longer ones not."""
_FIXED_PIXELS = 1536 * 1024
_STEP = 16
_WIDEST = 3.0
_LONGEST_SIDE = 3840
_LEAST_PIXELS = 655_360
_MOST_PIXELS = 8_294_400
"""Of models that take any size. Source: OpenAI's image generation guide, as quoted by
docs.anyfast.ai and yingtu.ai (Apr 2026); the SDK has the step, the ratio and the largest size.
"""
_VERSION = re.compile(r"gpt-image-(\d+)(?:\.(\d+))?(?![\d.])")
_JSON = {"content-type": "application/json", "accept": "application/json"}
_FORMATS = frozenset({"png", "jpeg", "webp"})
_encode = msgspec.json.Encoder().encode


class _Sent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    model: str
    prompt: str
    n: int
    size: str | None = None
    quality: str | None = None
    output_format: str | None = None
    output_compression: int | None = None
    background: str | None = None
    moderation: str | None = None
    user: str | None = None


class _Answer(Struct):
    data: list[Raw]
    output_format: Any = ""


_ANSWER = msgspec.json.Decoder(_Answer)


class OpenAIImages(AnswersAtOnce):
    """Mix-in of OpenAI's provider."""

    def unsupported_media(self, request: MediaRequest, target: MediaTarget) -> str | None:
        """Name what GPT image models do not have: seeds, some sizes and qualities, transparent
        JPEG.
        """
        asked = image_asked_for(request, target)
        if asked.seed is not None:
            return "seed"
        if len(_prompt(asked)) > LONGEST_PROMPT:
            return "prompt"
        return gpt_image_problem(asked, target.model) or file_problem(asked)

    def most_per_run(self, request: MediaRequest, target: MediaTarget) -> int:
        """Ask for a few at a time, of large ones for fewer."""
        return most_gpt_images(image_asked_for(request, target))

    def patience_s(self, request: MediaRequest, target: MediaTarget) -> float:
        """Wait as long as it may take, and not beyond the deadline."""
        return min(PATIENCE_S, target.deadline_s)

    def build_submission(self, request: MediaRequest, target: MediaTarget) -> UpstreamRequest:
        """Write the request, in the words of GPT image models."""
        asked = image_asked_for(request, target)
        sent = _Sent(
            model=target.model,
            prompt=_prompt(asked),
            n=target.count,
            size=gpt_image_size(asked, target.model),
            quality=gpt_image_quality(asked.quality),
            output_format=asked.output_format,
            output_compression=asked.output_compression,
            background=asked.background,
            moderation=asked.moderation,
            user=asked.user or None,
        )
        return UpstreamRequest(path="/images/generations", body=_encode(sent), headers=_JSON)

    def parse_submission(
        self: Provider, request: MediaRequest, target: MediaTarget, answer: UpstreamAnswer
    ) -> Made:
        """Read the pictures. Raises: UpstreamFailure."""
        if answer.status != 200:
            raise _failure(self, answer)
        try:
            given = _ANSWER.decode(answer.body)
        except UNREADABLE as error:
            raise UpstreamInvalid("The provider's answer cannot be read.") from error
        known = isinstance(given.output_format, str) and given.output_format in _FORMATS
        media_type = f"image/{given.output_format}" if known else ""
        files = read_pictures(given.data, most=target.count, media_type=media_type)
        return Made(files=files, use=use_of(request, files))


def gpt_image_problem(request: ImageRequest, model: str) -> str | None:
    """Name the size or quality that a GPT image model does not have; None if it has both."""
    version = _version(model)
    quality = QUALITY_OF_DALL_E.get(request.quality, request.quality)
    if quality not in QUALITIES and not (quality in NEWER_QUALITIES and version >= (2, 5)):
        return "quality"
    widest, most_pixels = _FIXED_WIDEST, _FIXED_PIXELS
    if _takes_any_size(model):
        widest, most_pixels = _WIDEST, _MOST_PIXELS
    return "size" if is_out_of_reach(request, widest=widest, most_pixels=most_pixels) else None


def most_gpt_images(request: ImageRequest) -> int:
    """Give how many pictures may be asked for at once."""
    size = size_of(request)
    fitting = _MOST_PIXELS_PER_RUN // min(math.prod(size), _MOST_PIXELS) if size else _MOST_PER_RUN
    return max(1, min(_MOST_PER_RUN, fitting))


def gpt_image_quality(word: str) -> str | None:
    """Give the quality in today's words; None where it is left to the model."""
    return QUALITY_OF_DALL_E.get(word, word) or None


def gpt_image_size(request: ImageRequest, model: str) -> str | None:
    """Give the size to ask for: the one wanted, else the nearest this model makes.

    Too small is made larger, and the other way about, with the same ratio of sides.
    """
    size = size_of(request)
    if size is None:
        return None
    if not _takes_any_size(model):
        return nearest_shape(size, _FIXED_SIZES)
    pixels = math.prod(size)
    growth = max(1.0, math.sqrt(_LEAST_PIXELS / pixels))
    shrink = min(1.0, math.sqrt(_MOST_PIXELS / pixels), _LONGEST_SIDE / max(size))
    grown = [_stepped(side * growth * shrink, math.ceil) for side in size]
    if math.prod(grown) > _MOST_PIXELS:
        grown = [_stepped(side * growth * shrink, math.floor) for side in size]
    return f"{grown[0]}x{grown[1]}"


def _stepped(side: float, rounded: Callable[[float], int]) -> int:
    # What is behind the ninth digit is noise of the square root, and must not cost a step.
    return rounded(round(side / _STEP, 9)) * _STEP


def _takes_any_size(model: str) -> bool:
    return _version(model) >= (2, 0)


def _version(model: str) -> tuple[int, int]:
    """Read the version in a model's id (`gpt-image-2.5-flare`); what has none counts as the first.

    A vendor before it, as OpenRouter has, does not matter.
    """
    found = _VERSION.search(model)
    return (int(found[1]), int(found[2] or 0)) if found else (1, 0)


def _prompt(request: ImageRequest) -> str:
    return prompt_in_words(request, style=request.style, negative_prompt=request.negative_prompt)


def _failure(provider: Provider, answer: UpstreamAnswer) -> UpstreamFailure:
    """Read a refusal; a spent budget is a 400 here, which would look like the caller's fault.

    Source: github dfinke/PowerShellAI #127 and Decryptu/DecryptGPT #1 (2023, 2024), its body and
    its status.
    """
    words = read_error(answer.body)
    if answer.status == 400 and words.quota:
        return failure_meant(429, 400, answer.headers, words, hosts=provider.hosts)
    return provider.parse_error(answer.status, answer.headers, answer.body)
