"""The form of Stability's API, the same for all its operations: multipart out, base64 in JSON back.

Source: Stability's OpenAPI document of Feb 2025. What 401 and 402 mean is HTTP's own meaning: the
document has neither, callers have seen both (`payment_required`, github TEAMuP-dev/HARP #338).
"""

from collections.abc import Mapping
from hashlib import sha256
from types import MappingProxyType
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from gateway.operations.image_input import ImageInput
from gateway.operations.media import MadeFile
from gateway.providers.base import (
    UpstreamAnswer,
    UpstreamFailure,
    UpstreamInvalid,
    UpstreamRefused,
    UpstreamRequest,
)
from gateway.providers.failures import ErrorWords
from gateway.providers.images_form import UNREADABLE
from gateway.providers.openai_form import failure_meant
from studio.core.errors import InvalidRequest

HOSTS = ("api.stability.ai",)
LONGEST_PROMPT = 10_000
MOST_SEED = 4_294_967_294
MOST_BYTES = 10 * 1024 * 1024
"""How large a whole request may be."""
NO_PICTURES: Mapping[str, ImageInput] = MappingProxyType({})
PRESETS = frozenset(
    (
        *("enhance", "anime", "photographic", "digital-art", "comic-book", "fantasy-art"),
        *("line-art", "analog-film", "neon-punk", "isometric", "low-poly", "origami"),
        *("modeling-compound", "cinematic", "3d-model", "pixel-art", "tile-texture"),
    )
)
_FILTERED = "CONTENT_FILTERED"
_PAUSE_S = "60"
"""How long it refuses a key that sent more than 150 requests in 10 seconds; it sends no header."""
_TYPE_PREFIX = "type="
_LAST_LATIN = "\u024f"


class _Answer(Struct):
    image: Annotated[bytes, Meta(min_length=1)]
    finish_reason: Any = ""
    seed: Any = None


class _Error(Struct):
    """What an error says; the older parts of the API have a `message`, the others `errors`."""

    name: Any = ""
    errors: Any = None
    message: Any = ""


_ANSWER = msgspec.json.Decoder(_Answer)
_ERROR = msgspec.json.Decoder(_Error)


def write_form(
    path: str,
    fields: Mapping[str, str],
    *,
    pictures: Mapping[str, ImageInput] = NO_PICTURES,
    user: str = "",
) -> UpstreamRequest:
    """Write a form of texts and pictures; empty texts are left out. Whose request it is, is told as
    a digest.

    The boundary follows from what it separates: no part can hold the digest of itself.

    Raises: InvalidRequest for a form that is larger than the provider takes.
    """
    parts = [_text_part(name, text) for name, text in fields.items() if text]
    parts += [_picture_part(name, picture) for name, picture in pictures.items()]
    digest = sha256()
    for part in parts:
        digest.update(part)
    boundary = f"studio-{digest.hexdigest()[:32]}"
    line = b"--" + boundary.encode() + b"\r\n"
    pieces = [piece for part in parts for piece in (line, part)]
    body = b"".join([*pieces, line[:-2], b"--\r\n"])
    if len(body) > MOST_BYTES:
        raise InvalidRequest(
            "image: with its mask and the like it has more than the provider takes, 10 MiB. Send "
            "it smaller, or as JPEG.",
            details={"param": "image"},
        )
    headers = {
        "content-type": f"multipart/form-data; boundary={boundary}",
        "accept": "application/json",
    }
    if user:
        headers["stability-client-user-id"] = sha256(user.encode()).hexdigest()[:32]
    return UpstreamRequest(path=path, body=body, headers=headers)


def _text_part(name: str, text: str) -> bytes:
    head = f'Content-Disposition: form-data; name="{name}"\r\n\r\n'
    return head.encode() + text.encode() + b"\r\n"


def _picture_part(name: str, picture: ImageInput) -> bytes:
    kind = picture.media_type
    head = (
        f'Content-Disposition: form-data; name="{name}"; '
        f'filename="{name}.{kind.removeprefix("image/")}"\r\nContent-Type: {kind}\r\n\r\n'
    )
    return head.encode() + picture.data + b"\r\n"


def read_image(answer: UpstreamAnswer) -> MadeFile:
    """Read the picture in a success.

    Raises: UpstreamRefused where the filter blurred it; UpstreamInvalid where there is none.
    """
    try:
        given = _ANSWER.decode(answer.body)
    except UNREADABLE as error:
        raise UpstreamInvalid("The provider's answer cannot be read.") from error
    if given.finish_reason == _FILTERED:
        raise UpstreamRefused(
            "The provider's safety system held the image back.", provider_status=answer.status
        )
    kind = answer.headers.get("content-type", "").partition(_TYPE_PREFIX)[2].strip()
    seed = given.seed if type(given.seed) is int else None
    return MadeFile(data=given.image, media_type=kind, seed=seed)


def failure_of(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFailure:
    """Turn an error into ours: 402 is our money there, 403 may be moderation of the request."""
    words = _read_words(body)
    if status == 429 and "retry-after" not in headers:
        headers = {**headers, "retry-after": _PAUSE_S}
    meant = status
    if status == 402:
        meant, words = 429, msgspec.structs.replace(words, quota=True)
    elif status == 403 and words.kind == "content_moderation":
        meant = 400
    return failure_meant(meant, status, headers, words, hosts=HOSTS)


def seed_text(seed: int | None, first: int) -> str:
    """Write the seed of a run that so many others come before; empty for any."""
    return str(seed + first) if seed else ""


def is_foreign(text: str) -> bool:
    """Tell whether a text is surely no English: most of its letters are not Latin ones."""
    letters = [letter for letter in text if letter.isalpha()]
    return sum(letter > _LAST_LATIN for letter in letters) * 2 > len(letters)


def number_text(value: float | None) -> str:
    """Write a number; empty where none was asked for."""
    return "" if value is None else f"{value:g}"


def _read_words(body: bytes) -> ErrorWords:
    try:
        error = _ERROR.decode(body)
    except UNREADABLE:
        return ErrorWords()
    said = error.errors if isinstance(error.errors, list) else [error.message]
    text = " ".join(part for part in said if isinstance(part, str))
    return ErrorWords(message=text, kind=error.name if isinstance(error.name, str) else "")
