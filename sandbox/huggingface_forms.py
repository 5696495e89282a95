"""What the providers behind Hugging Face's router take and give: fal, nscale, Together, and Hugging
Face's own inference.

Source: `huggingface_hub` 2.4.0, `inference/_providers/`; fal.ai's pages of flux/dev and flux/krea.
Stricter than they are: a field that none of them documents is refused.
"""

import base64
import hashlib
import re
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import msgspec

from sandbox.drawing import drawn
from sandbox.faults import Faults
from sandbox.messages import Json, Reply, Request
from sandbox.openai_images import spoiled
from sandbox.pictures import MEDIA_TYPES

Answering = Callable[[Request, Json, str, Faults], Reply]
"""Answers a body in one provider's form; the text is the prompt without its directives."""

_JSON = (b"content-type", b"application/json")
_FAL_SIZE = (1024, 768)
_SIZE = re.compile(r"([1-9]\d{2,3})x([1-9]\d{2,3})")
_LEAST_PX, _MOST_PX = 64, 2048
_FAL_FIELDS = frozenset(
    (
        *("prompt", "image_size", "num_inference_steps", "guidance_scale", "seed", "num_images"),
        *("sync_mode", "enable_safety_checker", "output_format", "acceleration"),
    )
)
_NSCALE_FIELDS = frozenset(("model", "prompt", "response_format", "size", "n", "seed"))
_TOGETHER_FIELDS = frozenset(
    (
        *("model", "prompt", "response_format", "width", "height", "steps", "seed", "n"),
        *("negative_prompt", "guidance_scale"),
    )
)
_HF_PARAMETERS = frozenset(
    (
        *("width", "height", "num_inference_steps", "guidance_scale", "seed", "negative_prompt"),
        "scheduler",
    )
)
_MOST_KEPT = 10_000
_CAUGHT = ("content_policy_violation", "The content could not be processed.")


class HuggingFaceError(Exception):
    """An answer other than a success: an object with `error` or `detail`, or a line of text."""

    def __init__(
        self,
        message: str,
        *,
        status: int,
        plain: bool = False,
        estimated_s: float = 0.0,
        kind: str = "",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.plain = plain
        told: Json = {"error": message}
        if estimated_s:
            told["estimated_time"] = estimated_s
        if kind:
            told = {"detail": [{"loc": ["body", "prompt"], "msg": message, "type": kind}]}
        self.body = message.encode() if plain else msgspec.json.encode(told)


class _Files:
    """The files that fal keeps: how each is drawn. The oldest are forgotten."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[str, tuple[int, int], Faults]] = {}

    def keep(self, words: str, size: tuple[int, int], faults: Faults) -> str:
        """Keep one more, and name it."""
        name = hashlib.sha256(f"{words}|{size}|{faults}".encode()).hexdigest()[:32]
        self._kept[name] = (words, size, faults)
        if len(self._kept) > _MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        return name

    def find(self, name: str) -> tuple[str, tuple[int, int], Faults] | None:
        """Give how a file is drawn."""
        return self._kept.get(name)


_FILES = _Files()


def draw_file(request: Request, name: str, form: str) -> Reply:
    """Give a file as fal.media does; no key is asked for, and none is to come."""
    kept = _FILES.find(name)
    if kept is None or form not in MEDIA_TYPES or request.header(b"authorization"):
        raise HuggingFaceError("Not Found", status=404)
    words, size, faults = kept
    data = b"" if faults.files == "empty" else spoiled([drawn(words, size, form)], faults.files)[0]
    return Reply(headers=[(b"content-type", MEDIA_TYPES[form].encode())], body=data)


def _fal(request: Request, given: Json, prompt: str, faults: Faults) -> Reply:
    """Give the address of a picture; what the filter catches is black, and said to be caught."""
    _check(given, _FAL_FIELDS, "prompt")
    if faults.refusal:
        raise HuggingFaceError(_CAUGHT[1], status=422, kind=_CAUGHT[0])
    size = _fal_size(given.get("image_size"))
    form = given.get("output_format", "jpeg")
    if form not in ("jpeg", "png"):
        raise HuggingFaceError("output_format: unexpected value", status=422, kind="enum")
    seed = given.get("seed", int.from_bytes(request.digest[:4]))
    name = _FILES.keep(f"{request.path}|{prompt}|{seed}", size, faults)
    address = f"http://{request.header(b'host')}/huggingface/files/{name}.{form}"
    image = {
        "url": address,
        "width": size[0],
        "height": size[1],
        "content_type": MEDIA_TYPES[form],
    }
    none = faults.files == "none"
    return _json(
        {
            "images": [] if none else [image],
            "timings": {"inference": 0.5},
            "seed": seed,
            "has_nsfw_concepts": [] if none else [faults.content_filter],
            "prompt": prompt,
        },
        faults,
    )


def _nscale(request: Request, given: Json, prompt: str, faults: Faults) -> Reply:
    """Give a picture in base64, of a size in one field."""
    _check(given, _NSCALE_FIELDS, "prompt", "model")
    if given.get("response_format") != "b64_json":
        raise HuggingFaceError("response_format must be b64_json", status=400)
    found = _SIZE.fullmatch(str(given.get("size", "1024x1024")))
    if found is None:
        raise HuggingFaceError("size is invalid", status=400)
    size = _sides(int(found[1]), int(found[2]))
    return _pictures(given, prompt, size, faults)


def _together(request: Request, given: Json, prompt: str, faults: Faults) -> Reply:
    """Give a picture in base64, of sides in fields of their own."""
    _check(given, _TOGETHER_FIELDS, "prompt", "model")
    if given.get("response_format") != "base64":
        raise HuggingFaceError("response_format must be base64", status=400)
    size = _sides(given.get("width", 1024), given.get("height", 1024))
    return _pictures(given, prompt, size, faults)


def _hf_inference(request: Request, given: Json, prompt: str, faults: Faults) -> Reply:
    """Give the picture's bytes."""
    _check(given, frozenset({"inputs", "parameters"}), "inputs")
    parameters = given.get("parameters") or {}
    _check(parameters, _HF_PARAMETERS)
    size = _sides(parameters.get("width", 1024), parameters.get("height", 1024))
    words = f"{prompt}|{parameters.get('seed')}"
    files = spoiled([drawn(words, size, "jpeg")], faults.files)
    headers = [(b"content-type", b"image/jpeg")]
    return Reply(headers=headers, body=files[0] if files else b"", faults=faults)


FORMS: MappingProxyType[str, Answering] = MappingProxyType(
    {"fal-ai": _fal, "hf-inference": _hf_inference, "nscale": _nscale, "together": _together}
)


def _pictures(given: Json, prompt: str, size: tuple[int, int], faults: Faults) -> Reply:
    if faults.refusal:
        raise HuggingFaceError("NSFW content was detected in the prompt.", status=422)
    file = drawn(f"{prompt}|{given.get('seed')}", size, "png")
    data = [
        {"index": index, "url": None, "b64_json": base64.b64encode(one).decode()}
        for index, one in enumerate(spoiled([file], faults.files))
    ]
    return _json({"id": "o8Xk", "model": given["model"], "object": "list", "data": data}, faults)


def _check(given: Json, known: frozenset[str], *needed: str) -> None:
    """Refuse unknown fields, and texts that are missing or empty. Raises: HuggingFaceError."""
    unknown = sorted(set(given) - known)
    if unknown:
        raise HuggingFaceError(f"unknown field: {unknown[0]}", status=422, kind="extra_forbidden")
    for name in needed:
        if not isinstance(given.get(name), str) or not given[name].strip():
            raise HuggingFaceError(f"{name}: field required", status=422, kind="missing")
    for name in ("seed", "num_inference_steps", "steps"):
        if name in given and type(given[name]) is not int:
            raise HuggingFaceError(f"{name}: not an integer", status=422, kind="int_type")


def _fal_size(asked: object) -> tuple[int, int]:
    if asked is None:
        return _FAL_SIZE
    if isinstance(asked, dict) and set(asked) == {"width", "height"}:
        return _sides(asked["width"], asked["height"])
    raise HuggingFaceError("image_size: unexpected value", status=422, kind="enum")


def _sides(width: Any, height: Any) -> tuple[int, int]:  # noqa: ANN401  JSON values
    """Check two sides. Raises: HuggingFaceError."""
    for side in (width, height):
        if type(side) is not int or not _LEAST_PX <= side <= _MOST_PX or side % 8:
            raise HuggingFaceError("the size is invalid", status=422, kind="value_error")
    return width, height


def _json(body: Json, faults: Faults) -> Reply:
    return Reply(headers=[_JSON], body=msgspec.json.encode(body), faults=faults)
