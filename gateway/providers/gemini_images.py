"""Gemini's images: one picture per call, from words alone or from pictures and words.

Models take a shape, not pixels; the largest picture that costs no more than the usual one is asked
for. What else a picture may cost (a prompt's tokens, thoughts) is little and in our price.
Source: Google's discovery document v1beta (2026-08-23), GenerationConfig, ImageConfig, Candidate
and PromptFeedback; `google-genai` 3.4.0, `types.py`; ai.google.dev/gemini-api/docs/image-generation
(shapes of each model, image only answers; 1K and 2K of gemini-3-pro-image cost the same).
"""

from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct

from gateway.operations.image import ImageRequest
from gateway.operations.image_edit import ImageEditRequest
from gateway.operations.image_input import ImageInput
from gateway.operations.media import MadeFile, MediaUse
from gateway.providers.base import (
    Provider,
    UpstreamAnswer,
    UpstreamFailure,
    UpstreamInvalid,
    UpstreamRefused,
    UpstreamRequest,
)
from gateway.providers.failures import shown
from gateway.providers.images_form import (
    UNREADABLE,
    AnswersAtOnce,
    file_problem,
    image_asked_for,
    is_out_of_reach,
    nearest_shape,
    prompt_in_words,
    size_of,
    use_of,
)
from gateway.providers.media import Made, MediaRequest, MediaTarget

PATIENCE_S = 300.0
_MEGAPIXEL = 1024 * 1024
_MOST_SEED = 2**31 - 1
_IMAGE_MODEL = "-image"
_USUAL = (*("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9"),)
_LONG = ("1:4", "4:1", "1:8", "8:1")
_REFUSALS = frozenset(
    (
        *("SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "OTHER"),
        *("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "IMAGE_OTHER"),
        *("NO_IMAGE", "MODEL_ARMOR"),
    )
)
"""Why a candidate holds no picture though the model was asked for one: the same again would not
help.
"""
_JSON = {"content-type": "application/json", "accept": "application/json"}
_encode = msgspec.json.Encoder().encode


class _Model(Struct, frozen=True, kw_only=True):
    """What a model takes: shapes, how long its longest may be cut, and 2K at the price of 1K."""

    shapes: tuple[str, ...] = _USUAL
    widest: float = 4.0
    two_k: bool = False

    @property
    def pixels(self) -> int:
        """About how many pixels its pictures have at most."""
        return 4 * _MEGAPIXEL if self.two_k else _MEGAPIXEL


_PRO = _Model(two_k=True)
_FLASH_3 = _Model(shapes=_USUAL + _LONG, widest=10.0)
_OTHERS = _Model()


class _Blob(Struct, rename="camel"):
    data: bytes
    mime_type: Any = ""


class _Part(Struct, rename="camel"):
    inline_data: _Blob | None = None
    thought: Any = False


class _Content(Struct):
    parts: list[_Part] | None = None


class _Candidate(Struct, rename="camel"):
    content: _Content | None = None
    finish_reason: Any = ""
    finish_message: Any = ""


class _Feedback(Struct, rename="camel"):
    block_reason: Any = None


class _Answer(Struct, rename="camel"):
    candidates: list[_Candidate] | None = None
    prompt_feedback: _Feedback | None = None


_ANSWER = msgspec.json.Decoder(_Answer)


class GeminiImages(AnswersAtOnce):
    """Mix-in of Gemini's provider."""

    def unsupported_media(self, request: MediaRequest, target: MediaTarget) -> str | None:
        """Name what Gemini's models do not have, and `model` for one that makes no pictures.

        Steps and guidance mean nothing to them.
        """
        if _IMAGE_MODEL not in target.model:
            return "model"
        if isinstance(request, ImageEditRequest):
            return _edit_problem(request)
        asked = image_asked_for(request, target)
        model = _traits(target.model)
        if is_out_of_reach(asked, widest=model.widest, most_pixels=model.pixels):
            return "size"
        if asked.seed is not None and not 0 <= asked.seed <= _MOST_SEED - (asked.count - 1):
            return "seed"
        if asked.background == "transparent":
            return "background"
        return "moderation" if asked.moderation == "low" else file_problem(asked)

    def most_per_run(self, request: MediaRequest, target: MediaTarget) -> int:
        """Ask for one: how many is not a parameter."""
        return 1

    def patience_s(self, request: MediaRequest, target: MediaTarget) -> float:
        """Wait as long as it may take, and not beyond the deadline."""
        return min(PATIENCE_S, target.deadline_s)

    def build_submission(self, request: MediaRequest, target: MediaTarget) -> UpstreamRequest:
        """Write the request."""
        if isinstance(request, ImageEditRequest):
            parts, seed = _edit_parts(request), request.seed
            size = _sides(request.width, request.height)
        else:
            asked = image_asked_for(request, target)
            parts, seed, size = [{"text": _prompt(asked)}], asked.seed, size_of(asked)
        config: dict[str, Any] = {"responseModalities": ["IMAGE"]}
        if seed is not None:
            config["seed"] = seed + target.first
        image = _image_config(size, _traits(target.model))
        if image:
            config["imageConfig"] = image
        body = {"contents": [{"role": "user", "parts": parts}], "generationConfig": config}
        path = f"/models/{quote(target.model, safe='')}:generateContent"
        return UpstreamRequest(path=path, body=_encode(body), headers=_JSON)

    def parse_submission(
        self: Provider, request: MediaRequest, target: MediaTarget, answer: UpstreamAnswer
    ) -> Made:
        """Read the picture. Raises: UpstreamFailure, also where it was held back, with 200."""
        if answer.status != 200:
            raise self.parse_error(answer.status, answer.headers, answer.body)
        try:
            given = _ANSWER.decode(answer.body)
        except UNREADABLE as error:
            raise UpstreamInvalid("The provider's answer cannot be read.") from error
        blob = _picture(given)
        if blob is None:
            raise _without_picture(given, answer.status, self.hosts)
        asked_seed = getattr(request, "seed", None)
        seed = None if asked_seed is None else asked_seed + target.first
        kind = blob.mime_type if isinstance(blob.mime_type, str) else ""
        files = (MadeFile(data=blob.data, media_type=kind, seed=seed),)
        if isinstance(request, ImageEditRequest):
            return Made(files=files, use=MediaUse(item_count=1))
        return Made(files=files, use=use_of(request, files))


def _traits(model: str) -> _Model:
    if model.startswith("gemini-3-pro"):
        return _PRO
    return _FLASH_3 if model.startswith("gemini-3.") else _OTHERS


def _image_config(size: tuple[int, int] | None, model: _Model) -> dict[str, str]:
    """Choose the shape and, for what is larger than usual, 2K where that costs no more."""
    if size is None:
        return {}
    chosen = {"aspectRatio": nearest_shape(size, model.shapes)}
    if model.two_k and size[0] * size[1] > 2 * _MEGAPIXEL:
        chosen["imageSize"] = "2K"
    return chosen


def _edit_problem(request: ImageEditRequest) -> str | None:
    """Name what is not to be said in words: another edit, sides to grow by, a seed out of range."""
    if request.edit != "general_edit":
        return "operation"
    for name in ("expand_left", "expand_right", "expand_up", "expand_down"):
        if getattr(request, name):
            return name
    if request.seed is not None and not 0 <= request.seed <= _MOST_SEED:
        return "seed"
    size = _sides(request.width, request.height)
    if size is not None and size[0] * size[1] > 4 * _PRO.pixels:
        return "size"
    return None


def _edit_parts(request: ImageEditRequest) -> list[dict[str, Any]]:
    """Write the picture, those that say how to change it, each with its words, then the words."""
    parts = [{"text": "This is the picture to edit:"}, _inline(request.image)]
    beside = (
        ("This is its mask. Change only what is white in it, and keep the rest:", request.mask),
        ("This is the background to put behind the subject:", request.background),
        ("This shows the light. Light the picture in the same way:", request.lighting),
    )
    for words, image in beside:
        if image is not None:
            parts += [{"text": words}, _inline(image)]
    wanted = [request.prompt]
    for words, text in (
        ("Change only this:", request.select_prompt or request.search_prompt),
        ("Style:", request.style),
        ("Do not show:", request.negative_prompt),
    ):
        if text:
            wanted.append(f"{words} {text}")
    return [*parts, {"text": "\n\n".join(text for text in wanted if text)}]


def _inline(image: ImageInput) -> dict[str, Any]:
    assert image.data, "a picture comes to its provider with its bytes"
    return {"inlineData": {"mimeType": image.media_type, "data": image.data}}


def _sides(width: int | None, height: int | None) -> tuple[int, int] | None:
    return None if width is None or height is None else (width, height)


def _picture(answer: _Answer) -> _Blob | None:
    """Give the first picture; those among its thoughts are none."""
    for candidate in answer.candidates or ():
        for part in (candidate.content.parts if candidate.content else None) or ():
            if part.inline_data is not None and part.inline_data.data and part.thought is not True:
                return part.inline_data
    return None


def _without_picture(answer: _Answer, status: int, hosts: tuple[str, ...]) -> UpstreamFailure:
    """Tell why there is no picture: the prompt or what came of it was held back, or no answer."""
    feedback = answer.prompt_feedback
    if not answer.candidates:
        if feedback is None or not feedback.block_reason:
            return UpstreamInvalid("The provider's answer has no candidates.")
        return _refused("The provider's filter held the prompt back.", status)
    first = answer.candidates[0]
    if isinstance(first.finish_reason, str) and first.finish_reason in _REFUSALS:
        said = first.finish_message if isinstance(first.finish_message, str) else ""
        return _refused(shown(said, hosts) or "The provider held the picture back.", status)
    return UpstreamInvalid("The provider answered without an image.")


def _refused(text: str, status: int) -> UpstreamRefused:
    return UpstreamRefused(text, provider_status=status, details={"param": "prompt"})


def _prompt(request: ImageRequest) -> str:
    return prompt_in_words(request, style=request.style, negative_prompt=request.negative_prompt)
