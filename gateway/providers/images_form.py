"""What the forms of image providers have in common: shapes and sizes, words that go into the
prompt, pictures that come as base64, and the parts of a provider whose answers are the pictures.

Answers are strangers' bytes: what cannot be read is left out, and an answer without any picture is
none. Whether the bytes are pictures is looked at where they are stored.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from gateway.operations.image import ImageRequest
from gateway.operations.media import ANY, MadeFile, MediaUse
from gateway.providers.base import UpstreamAnswer, UpstreamInvalid, UpstreamRequest
from gateway.providers.media import MediaRequest, MediaTarget, Progress

LARGEST_GROWTH = 4
"""How many times the pixels a model makes an image may be asked to have: twice as wide and high.
Beyond it the picture would be ours rather than the model's.
"""
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_LOSSY = ("jpeg", "webp")
_STYLE_SENTENCES = {
    "vivid": "Make it vivid: hyper-real and dramatic.",
    "natural": "Make it natural: plain, less hyper-real.",
}
_DROPPABLE: dict[str, Any] = {
    "quality": ANY,
    "style": "",
    "negative_prompt": "",
    "seed": None,
    "guidance_scale": None,
    "steps": None,
    "output_format": None,
    "output_compression": None,
    "background": None,
    "moderation": None,
    "user": "",
}
"""The fields that `drop_parameters` may name, and what they are when nobody asked for them."""


_NO_IMAGE = "a provider of images is asked for something else"


class AnswersAtOnce:
    """The part of a provider whose answer to a submission holds the files themselves."""

    file_hosts: tuple[str, ...] = ()

    def file_headers(self, key: str) -> dict[str, str]:
        """Give nothing: no file is fetched."""
        return {}

    def build_poll(self, target: MediaTarget, upstream_id: str) -> UpstreamRequest:
        """Refuse: no run is ever under way after its submission was answered."""
        raise AssertionError("This provider's runs end with the answer to their submission.")

    def parse_poll(
        self, request: MediaRequest, target: MediaTarget, answer: UpstreamAnswer
    ) -> Progress:
        """Refuse, as `build_poll` does."""
        raise AssertionError("This provider's runs end with the answer to their submission.")

    def build_cancel(self, target: MediaTarget, upstream_id: str) -> UpstreamRequest | None:
        """Say that there is nothing to stop."""
        return None


class _Item(Struct):
    b64_json: Annotated[bytes, Meta(min_length=1)]
    media_type: Any = ""
    revised_prompt: Any = ""


_ITEM = msgspec.json.Decoder(_Item)


def image_asked_for(request: MediaRequest, target: MediaTarget) -> ImageRequest:
    """Give the request without the fields that the model refuses."""
    assert isinstance(request, ImageRequest), _NO_IMAGE
    changes = {name: _DROPPABLE[name] for name in target.drop_parameters if name in _DROPPABLE}
    return msgspec.structs.replace(request, **changes) if changes else request


def size_of(request: ImageRequest) -> tuple[int, int] | None:
    """Give width and height in pixels, a square where one is left out; None where both are."""
    width = request.width or request.height
    height = request.height or request.width
    return None if width is None or height is None else (width, height)


def is_out_of_reach(request: ImageRequest, *, widest: float, most_pixels: int) -> bool:
    """Tell whether a size cannot be had by cutting and resizing what a model makes.

    `widest` is the longest ratio of its sides that may be asked for, `most_pixels` what it makes.
    """
    size = size_of(request)
    if size is None:
        return False
    too_long = max(size) > widest * min(size)
    return too_long or math.prod(size) > LARGEST_GROWTH * most_pixels


def nearest_shape(size: tuple[int, int], shapes: Sequence[str]) -> str:
    """Give the shape (`16:9`, `1536x1024`) whose ratio of sides is nearest to that of `size`."""
    wanted = math.log(size[0] / size[1])
    return min(shapes, key=lambda shape: abs(_log_ratio(shape) - wanted))


def _log_ratio(shape: str) -> float:
    width, _, height = shape.replace("x", ":").partition(":")
    return math.log(float(width) / float(height))


def file_problem(request: ImageRequest) -> str | None:
    """Name the field that contradicts the format of the file; None if none does."""
    if request.background == "transparent" and request.output_format == "jpeg":
        return "background"
    if request.output_compression is not None and request.output_format not in _LOSSY:
        return "output_compression"
    return None


def prompt_in_words(request: ImageRequest, *, style: str, negative_prompt: str) -> str:
    """Give the prompt, with a sentence for a style and for what is not wanted, where given."""
    sentences = [request.prompt]
    if style:
        sentences.append(_STYLE_SENTENCES.get(style, f"Style: {style}."))
    if negative_prompt:
        sentences.append(f"Do not show: {negative_prompt}")
    return "\n\n".join(sentences)


def read_pictures(items: Iterable[Raw], *, most: int, media_type: str = "") -> tuple[MadeFile, ...]:
    """Read items that hold `b64_json`, at most so many; what is no such item is passed over.

    Raises: UpstreamInvalid if there is none at all.
    """
    files = []
    for raw in items:
        try:
            item = _ITEM.decode(raw)
        except UNREADABLE:
            continue
        told = item.media_type if isinstance(item.media_type, str) else ""
        revised = item.revised_prompt if isinstance(item.revised_prompt, str) else ""
        files.append(
            MadeFile(data=item.b64_json, media_type=told or media_type, revised_prompt=revised)
        )
    if not files:
        raise UpstreamInvalid("The provider answered without an image.")
    return tuple(files[:most])


def use_of(
    request: MediaRequest, files: Sequence[MadeFile], *, provider_cost_ucr: int | None = None
) -> MediaUse:
    """Say what was made, in the words it was priced by, sent or not."""
    assert isinstance(request, ImageRequest), _NO_IMAGE
    return MediaUse(
        item_count=len(files),
        size=request.size,
        quality=request.quality,
        provider_cost_ucr=provider_cost_ucr,
    )
