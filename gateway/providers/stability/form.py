"""The form of Stability's API, the same for all its operations: multipart out, base64 in JSON back.

Source: Stability's OpenAPI document of Feb 2025. What 401 and 402 mean is HTTP's own meaning: the
document has neither, callers have seen both (`payment_required`, github TEAMuP-dev/HARP #338).
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

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

HOSTS = ("api.stability.ai",)
LONGEST_PROMPT = 10_000
_FILTERED = "CONTENT_FILTERED"
_PAUSE_S = "60"
"""How long it refuses a key that sent more than 150 requests in 10 seconds; it sends no header."""
_TYPE_PREFIX = "type="


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


def write_form(path: str, fields: Mapping[str, str], *, user: str = "") -> UpstreamRequest:
    """Write a form of texts. Whose request it is, is told as a digest.

    The boundary follows from what it separates: no text can hold the digest of itself.
    """
    parts = [
        b'Content-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name.encode(), text.encode())
        for name, text in fields.items()
    ]
    boundary = f"studio-{sha256(b''.join(parts)).hexdigest()[:32]}"
    line = b"--" + boundary.encode()
    body = b"".join(line + b"\r\n" + part for part in parts) + line + b"--\r\n"
    headers = {
        "content-type": f"multipart/form-data; boundary={boundary}",
        "accept": "application/json",
    }
    if user:
        headers["stability-client-user-id"] = sha256(user.encode()).hexdigest()[:32]
    return UpstreamRequest(path=path, body=body, headers=headers)


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


def _read_words(body: bytes) -> ErrorWords:
    try:
        error = _ERROR.decode(body)
    except UNREADABLE:
        return ErrorWords()
    said = error.errors if isinstance(error.errors, list) else [error.message]
    text = " ".join(part for part in said if isinstance(part, str))
    return ErrorWords(message=text, kind=error.name if isinstance(error.name, str) else "")
