"""OpenRouter's images: models of many makers behind one form, the cost in the usage, errors inside
of 200.

OpenAI's models are asked for pixels and qualities as OpenAI takes them, others for a shape and a
tier, which OpenRouter puts into theirs.
Source: `openrouter` Python SDK 1.3.84, `components/imagegenerationrequest.py`; OpenRouter's OpenAPI
1.0.0 (Aug 2026), POST /images (what it adds for routing is never sent).
"""

import math
from typing import Any

import msgspec
from msgspec import Raw, Struct

from gateway.operations.image import ImageRequest
from gateway.providers.base import Provider, UpstreamAnswer, UpstreamInvalid, UpstreamRequest
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
from gateway.providers.openai_form import NO_RAW
from gateway.providers.openai_images import (
    LONGEST_PROMPT,
    PATIENCE_S,
    QUALITY_OF_DALL_E,
    gpt_image_problem,
    gpt_image_quality,
    gpt_image_size,
    most_gpt_images,
)
from gateway.providers.openrouter_costs import read_cost

_OPENAI = "openai/"
_QUALITIES = frozenset({"", "auto", "low", "medium", "high", "xhigh", "max"})
_SHAPES = (
    *("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "9:21", "21:9"),
    *("1:2", "2:1"),
)
"""The usual ones of those it knows; a model that lacks one is given the nearest it has."""
_TIERS = (("1K", 1024 * 1024), ("2K", 2048 * 2048), ("4K", 4096 * 4096))
"""Tiers and about how many pixels they have: the real ones differ from model to model."""
_TIER_GROWTH = 2
"""How many times a tier's pixels may be asked for before the next one, which costs more."""
_WIDEST = 3.0
_FAILED_STATUS = 502
_JSON = {"content-type": "application/json", "accept": "application/json"}
_encode = msgspec.json.Encoder().encode


class _Sent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    model: str
    prompt: str
    n: int = 1
    size: str | None = None
    aspect_ratio: str | None = None
    resolution: str | None = None
    quality: str | None = None
    output_format: str | None = None
    output_compression: int | None = None
    background: str | None = None
    seed: int | None = None
    user: str | None = None


class _Error(Struct):
    code: Any = None


class _Answer(Struct):
    data: list[Raw] | None = None
    usage: Raw = NO_RAW
    error: _Error | str | None = None


_ANSWER = msgspec.json.Decoder(_Answer)


class OpenRouterImages(AnswersAtOnce):
    """Mix-in of OpenRouter's provider."""

    def unsupported_media(self, request: MediaRequest, target: MediaTarget) -> str | None:
        """Name what its form does not have, and what OpenAI's models behind it do not."""
        asked = image_asked_for(request, target)
        if asked.moderation == "low":
            return "moderation"
        if len(_prompt(asked)) > LONGEST_PROMPT:
            return "prompt"
        if not _is_openai(target):
            return _problem(asked) or file_problem(asked)
        if asked.seed is not None:
            return "seed"
        return gpt_image_problem(asked, target.model) or file_problem(asked)

    def most_per_run(self, request: MediaRequest, target: MediaTarget) -> int:
        """Ask OpenAI's models for a few at a time; of others many refuse more than one."""
        return most_gpt_images(image_asked_for(request, target)) if _is_openai(target) else 1

    def patience_s(self, request: MediaRequest, target: MediaTarget) -> float:
        """Wait as long as it may take, and not beyond the deadline."""
        return min(PATIENCE_S, target.deadline_s)

    def build_submission(self, request: MediaRequest, target: MediaTarget) -> UpstreamRequest:
        """Write the request."""
        asked = image_asked_for(request, target)
        openai = _is_openai(target)
        size = None if openai else size_of(asked)
        sent = _Sent(
            model=target.model,
            prompt=_prompt(asked),
            n=target.count,
            size=gpt_image_size(asked, target.model) if openai else None,
            aspect_ratio=nearest_shape(size, _SHAPES) if size else None,
            resolution=_tier(size) if size else None,
            quality=gpt_image_quality(asked.quality),
            output_format=asked.output_format,
            output_compression=asked.output_compression,
            background=asked.background,
            seed=asked.seed,
            user=asked.user or None,
        )
        return UpstreamRequest(path="/images", body=_encode(sent), headers=_JSON)

    def parse_submission(
        self: Provider, request: MediaRequest, target: MediaTarget, answer: UpstreamAnswer
    ) -> Made:
        """Read the pictures and their cost.

        Raises: UpstreamFailure, also for an error that came with 200.
        """
        if answer.status != 200:
            raise self.parse_error(answer.status, answer.headers, answer.body)
        try:
            given = _ANSWER.decode(answer.body)
        except UNREADABLE as error:
            raise UpstreamInvalid("The provider's answer cannot be read.") from error
        if given.error is not None:
            raise self.parse_error(_status_of(given.error), answer.headers, answer.body)
        files = read_pictures(given.data or (), most=target.count)
        cost_ucr = read_cost(given.usage)
        return Made(files=files, use=use_of(request, files, provider_cost_ucr=cost_ucr))


def _is_openai(target: MediaTarget) -> bool:
    return target.model.startswith(_OPENAI)


def _problem(request: ImageRequest) -> str | None:
    """Name what cannot be had of models whose limits are their makers'; None if there is none."""
    if QUALITY_OF_DALL_E.get(request.quality, request.quality) not in _QUALITIES:
        return "quality"
    if is_out_of_reach(request, widest=_WIDEST, most_pixels=_TIERS[-1][1]):
        return "size"
    return None


def _tier(size: tuple[int, int]) -> str | None:
    """Give the tier that a size takes; None for the smallest, which is every model's own."""
    pixels = math.prod(size)
    fitting = (name for name, most in _TIERS if pixels <= _TIER_GROWTH * most)
    tier = next(fitting, _TIERS[-1][0])
    return None if tier == _TIERS[0][0] else tier


def _prompt(request: ImageRequest) -> str:
    return prompt_in_words(request, style=request.style, negative_prompt=request.negative_prompt)


def _status_of(error: _Error | str) -> int:
    """Give the status that an error inside a body names."""
    code = None if isinstance(error, str) else error.code
    return code if type(code) is int and 400 <= code < 600 else _FAILED_STATUS
