"""The inference providers behind Hugging Face's router: how each is asked for a picture, and how it
answers.

The router hands a request on as it is, so each has its own path, body and answer.
Source: `huggingface_hub` 2.4.0, `inference/_providers/` (paths, bodies, answers); fal.ai's pages of
flux/dev and flux/krea (sizes, formats, `has_nsfw_concepts`); replicate's form is replicate.py's.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Protocol
from urllib.parse import quote

import msgspec
from msgspec import Raw, Struct

from gateway.operations.image import ImageRequest
from gateway.operations.media import MadeFile
from gateway.providers.base import UpstreamAnswer, UpstreamInvalid, UpstreamRefused
from gateway.providers.flux import GRAMMARS
from gateway.providers.image_sizes import AnySize
from gateway.providers.images_form import (
    UNREADABLE,
    prompt_in_words,
    read_pictures,
    size_of,
    use_of,
)
from gateway.providers.media import Made, MediaTarget, Progress
from gateway.providers.replicate import PROVIDER as REPLICATE
from gateway.providers.wavespeed import file_of, read_task, seed_of

SIZES = AnySize(least=256, most=1440, area=1024 * 1024)
"""The sides that Black Forest Labs' own API takes; fal bills each megapixel that is begun."""
_PATIENCE_S = 120.0
_HELD_S = 70.0
"""Replicate holds a request for a minute with `Prefer: wait`."""
_FORMATS = frozenset({"png", "jpeg"})
"""What fal writes of the formats we know."""


class _Image(Struct):
    url: str
    content_type: Any = ""


class _FalAnswer(Struct):
    images: list[_Image]
    has_nsfw_concepts: Any = None
    seed: Any = None


class _Pictures(Struct):
    data: list[Raw]


_FAL_ANSWER = msgspec.json.Decoder(_FalAnswer)
_PICTURES = msgspec.json.Decoder(_Pictures)


class Form(Protocol):
    """One inference provider's form. `model` is that provider's own id.

    `pending` is the path under which a task is asked for, `{}` its id; empty where answers hold
    the picture. `held` are headers of its own.
    """

    @property
    def patience_s(self) -> float:
        """How long an answer may take."""

    @property
    def held(self) -> Mapping[str, str]:
        """Headers of a submission beside the usual ones."""

    @property
    def pending(self) -> str:
        """Where a task that was taken is asked for."""

    def knows(self, model: str) -> bool:
        """Tell whether a model can be asked for this way."""

    def path(self, model: str) -> str:
        """Give where it is asked."""

    def body(self, request: ImageRequest, target: MediaTarget, model: str) -> dict[str, Any]:
        """Write what is asked."""

    def read(
        self, request: ImageRequest, target: MediaTarget, answer: UpstreamAnswer, *, again: bool
    ) -> Progress:
        """Read a success; `again` where the question may be asked again. Raises:
        UpstreamFailure.
        """


class _AtOnce:
    """What the forms share whose answers hold the picture or its address."""

    patience_s = _PATIENCE_S
    held: Mapping[str, str] = MappingProxyType({})
    pending = ""

    def knows(self, model: str) -> bool:
        """Tell that any model may be asked for."""
        return bool(model)


class Fal(_AtOnce):
    """fal: a size, and an address as the answer."""

    def path(self, model: str) -> str:
        """Give where it is asked."""
        return f"/fal-ai/{quote(model)}"

    def body(self, request: ImageRequest, target: MediaTarget, model: str) -> dict[str, Any]:
        """Write what is asked."""
        given: dict[str, Any] = {"prompt": _prompt(request)}
        size = size_of(request)
        if size is not None:
            width, height = SIZES.nearest(size)
            given["image_size"] = {"width": width, "height": height}
        given |= _tuning(request, target)
        if request.output_format in _FORMATS:
            given["output_format"] = request.output_format
        return given

    def read(
        self, request: ImageRequest, target: MediaTarget, answer: UpstreamAnswer, *, again: bool
    ) -> Progress:
        """Read the address. A picture its filter caught is black, and said to be so."""
        try:
            given = _FAL_ANSWER.decode(answer.body)
        except UNREADABLE as error:
            raise UpstreamInvalid("The provider's answer cannot be read.") from error
        caught = given.has_nsfw_concepts
        if isinstance(caught, list) and caught and all(one is True for one in caught):
            raise UpstreamRefused(
                "The provider's filter held the picture back.",
                provider_status=answer.status,
                details={"param": "prompt"},
            )
        seed = given.seed if type(given.seed) is int and given.seed < 2**63 else None
        files = tuple(
            msgspec.structs.replace(file, media_type=_text(image.content_type) or file.media_type)
            for image in given.images[:1]
            if (file := file_of(image.url, seed)) is not None
        )
        return _made(request, files)


class OpenAIShaped(_AtOnce):
    """nscale and Together, which have OpenAI's path and answer.

    nscale takes the size in one field and nothing that tunes the model.
    """

    def __init__(self, slug: str, response_format: str, *, size_in_one: bool) -> None:
        self._slug = slug
        self._response_format = response_format
        self._size_in_one = size_in_one

    def path(self, model: str) -> str:
        """Give where it is asked: one place for all models."""
        return f"/{self._slug}/v1/images/generations"

    def body(self, request: ImageRequest, target: MediaTarget, model: str) -> dict[str, Any]:
        """Write what is asked."""
        given: dict[str, Any] = {"model": model, "prompt": _prompt(request)}
        given["response_format"] = self._response_format
        size, seed = size_of(request), seed_of(request, target)
        sides = None if size is None else SIZES.nearest(size)
        if sides is not None and self._size_in_one:
            given["size"] = "{}x{}".format(*sides)
        elif sides is not None:
            given["width"], given["height"] = sides
        if seed is not None:
            given["seed"] = seed
        if request.steps is not None and not self._size_in_one:
            given["steps"] = request.steps
        return given

    def read(
        self, request: ImageRequest, target: MediaTarget, answer: UpstreamAnswer, *, again: bool
    ) -> Progress:
        """Read the picture."""
        try:
            given = _PICTURES.decode(answer.body)
        except UNREADABLE as error:
            raise UpstreamInvalid("The provider's answer cannot be read.") from error
        seed = seed_of(request, target)
        files = read_pictures(given.data, most=1)
        return _made(request, tuple(msgspec.structs.replace(file, seed=seed) for file in files))


class HfInference(_AtOnce):
    """Hugging Face's own: parameters apart, and the picture's bytes as the answer."""

    def path(self, model: str) -> str:
        """Give where it is asked."""
        return f"/hf-inference/models/{quote(model)}"

    def body(self, request: ImageRequest, target: MediaTarget, model: str) -> dict[str, Any]:
        """Write what is asked; it alone has a field for what is not to be shown."""
        given = _tuning(request, target)
        size = size_of(request)
        if size is not None:
            given["width"], given["height"] = SIZES.nearest(size)
        if request.negative_prompt:
            given["negative_prompt"] = request.negative_prompt
        prompt = prompt_in_words(request, style=request.style, negative_prompt="")
        return {"inputs": prompt, "parameters": given}

    def read(
        self, request: ImageRequest, target: MediaTarget, answer: UpstreamAnswer, *, again: bool
    ) -> Progress:
        """Read the picture; another type is no picture."""
        kind = answer.headers.get("content-type", "").partition(";")[0].strip()
        if not kind.startswith("image/") or not answer.body:
            raise UpstreamInvalid("The provider answered without an image.")
        seed = seed_of(request, target)
        return _made(request, (MadeFile(data=answer.body, media_type=kind, seed=seed),))


class ReplicateBehind:
    """Replicate's Flux models, held open for a minute and then asked for."""

    patience_s = _HELD_S
    held: Mapping[str, str] = MappingProxyType({"prefer": "wait"})
    pending = "/replicate/v1/predictions/{}"

    def knows(self, model: str) -> bool:
        """Tell whether its inputs are known here."""
        return model in GRAMMARS

    def path(self, model: str) -> str:
        """Give where it is asked."""
        return f"/replicate/v1/models/{quote(model)}/predictions"

    def body(self, request: ImageRequest, target: MediaTarget, model: str) -> dict[str, Any]:
        """Write what is asked, as Replicate's own provider does."""
        asked = _in_words(request, target)
        to = msgspec.structs.replace(target, model=model, count=1, callback_url="")
        written = REPLICATE.build_submission(asked, to).body
        found: dict[str, Any] = msgspec.json.decode(written)
        return found

    def read(
        self, request: ImageRequest, target: MediaTarget, answer: UpstreamAnswer, *, again: bool
    ) -> Progress:
        """Read the prediction."""
        asked = _in_words(request, target)
        model = target.model.partition("/")[2]
        to = msgspec.structs.replace(target, model=model, count=1)
        if again:
            return REPLICATE.parse_poll(asked, to, answer)
        return REPLICATE.parse_submission(asked, to, answer)


class WaveSpeedBehind:
    """WaveSpeed's tasks."""

    patience_s = _PATIENCE_S
    held: Mapping[str, str] = MappingProxyType({})
    pending = "/wavespeed/api/v3/predictions/{}/result"

    def knows(self, model: str) -> bool:
        """Tell that any model may be asked for."""
        return bool(model)

    def path(self, model: str) -> str:
        """Give where it is asked."""
        return f"/wavespeed/api/v3/{quote(model)}"

    def body(self, request: ImageRequest, target: MediaTarget, model: str) -> dict[str, Any]:
        """Write what is asked; sizes are written with an asterisk there."""
        given: dict[str, Any] = {"prompt": _prompt(request)}
        size = size_of(request)
        if size is not None:
            given["size"] = "{}*{}".format(*SIZES.nearest(size))
        return given | _tuning(request, target)

    def read(
        self, request: ImageRequest, target: MediaTarget, answer: UpstreamAnswer, *, again: bool
    ) -> Progress:
        """Read the task."""
        seed = seed_of(request, target)
        return read_task(request, answer, seed=seed, retryable=again, hosts=())


FORMS: Mapping[str, Form] = MappingProxyType(
    {
        "fal-ai": Fal(),
        "hf-inference": HfInference(),
        "nscale": OpenAIShaped("nscale", "b64_json", size_in_one=True),
        "replicate": ReplicateBehind(),
        "together": OpenAIShaped("together", "base64", size_in_one=False),
        "wavespeed": WaveSpeedBehind(),
    }
)


def _in_words(request: ImageRequest, target: MediaTarget) -> ImageRequest:
    """Give the request of one picture, as its prompt and its seed say it."""
    prompt = prompt_in_words(request, style="", negative_prompt=request.negative_prompt)
    return msgspec.structs.replace(
        request, prompt=prompt, negative_prompt="", count=1, seed=seed_of(request, target)
    )


def _prompt(request: ImageRequest) -> str:
    return prompt_in_words(request, style=request.style, negative_prompt=request.negative_prompt)


def _tuning(request: ImageRequest, target: MediaTarget) -> dict[str, Any]:
    """Give the fields that tune a diffusion model, as Hugging Face names them."""
    fields = {
        "num_inference_steps": request.steps,
        "guidance_scale": request.guidance_scale,
        "seed": seed_of(request, target),
    }
    return {name: value for name, value in fields.items() if value is not None}


def _made(request: ImageRequest, files: tuple[MadeFile, ...]) -> Made:
    if not files:
        raise UpstreamInvalid("The provider answered without an image.")
    return Made(files=files, use=use_of(request, files))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
