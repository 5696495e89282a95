"""Images and files of OpenAI's form as blocks of Anthropic's."""

import base64
import binascii
from typing import Any

from gateway.operations.chat_messages import CacheControl, FilePart, ImagePart
from studio.core.errors import InvalidRequest

Block = dict[str, Any]
"""A block in Anthropic's JSON."""

_IMAGE_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_PDF = "application/pdf"
_EPHEMERAL = {"type": "ephemeral"}


def refused(place: str, reason: str) -> InvalidRequest:
    """Make the refusal of one place in the request."""
    return InvalidRequest(f"{place}: {reason}", details={"param": place})


def marked(block: Block, mark: CacheControl | None) -> Block:
    """Mark where the cache may cut.

    Always for the default five minutes: writing for an hour costs more than the price book knows.
    """
    return block if mark is None else {**block, "cache_control": _EPHEMERAL}


def image_block(part: ImagePart, place: str) -> Block:
    """Give an image by its address or as base64. Raises: InvalidRequest."""
    url = part.image_url.url
    place = f"{place}.image_url.url"
    if url.startswith("https://"):
        source = {"type": "url", "url": url}
    else:
        media_type, data = _split(url, place, "an image is an https address or a data: URL")
        media_type = "image/jpeg" if media_type == "image/jpg" else media_type
        if media_type not in _IMAGE_TYPES:
            raise refused(place, f"images are {', '.join(_IMAGE_TYPES)}")
        source = {"type": "base64", "media_type": media_type, "data": data}
    return marked({"type": "image", "source": source}, part.cache_control)


def file_block(part: FilePart, place: str) -> Block:
    """Give a PDF or a plain text as a document. Raises: InvalidRequest."""
    place = f"{place}.file.file_data"
    data = part.file.file_data
    if data is None:
        raise refused(place, "required")
    if data.startswith("data:"):
        media_type, data = _split(data, place, "a file is a data: URL in base64")
    else:
        media_type = _PDF  # bare base64, which OpenAI takes for PDFs
    if media_type == _PDF:
        source = {"type": "base64", "media_type": _PDF, "data": data}
    elif media_type == "text/plain":
        source = {"type": "text", "media_type": media_type, "data": _text(data, place)}
    else:
        raise refused(place, "files are application/pdf or text/plain")
    block: Block = {"type": "document", "source": source}
    if part.file.filename:
        block["title"] = part.file.filename
    return marked(block, part.cache_control)


def _split(url: str, place: str, wanted: str) -> tuple[str, str]:
    """Take a `data:` URL apart. Returns: the media type, and the base64."""
    head, _, data = url.partition(",")
    if not head.startswith("data:") or not head.endswith(";base64") or not data:
        raise refused(place, wanted)
    return head.removeprefix("data:").partition(";")[0].lower(), data


def _text(data: str, place: str) -> str:
    try:
        text = base64.b64decode(data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise refused(place, "a text file is UTF-8 in base64") from error
    if not text.strip():
        raise refused(place, "the file is empty")
    return text
