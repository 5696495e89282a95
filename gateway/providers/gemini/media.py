"""Images, sound and files of OpenAI's form as parts of Google's.

What is inside is billed by its kind: only images and documents have a price here. So an image by
its address is always announced as an image, and what Google would take for something else is
refused: its own files, which lie in the account that callers share, and films.
Source: Google's discovery document v1beta (2026-08-23), Blob and FileData; ai.google.dev, File
input methods (https addresses, since January 2026); `google-genai` 3.4.0, `types.py`, Part.from_uri
(the form of a file's address).
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from gateway.operations.chat_messages import AudioPart, FilePart, ImagePart
from studio.core.errors import InvalidRequest

Part = dict[str, Any]
"""A part in Google's JSON."""

_IMAGE_TYPES = (
    *("image/png", "image/jpeg", "image/webp", "image/heic", "image/heif", "image/gif"),
    "image/avif",
)
_BY_ENDING: Mapping[str, str] = MappingProxyType(
    {kind.removeprefix("image/"): kind for kind in _IMAGE_TYPES} | {"jpg": "image/jpeg"}
)
_PDF = "application/pdf"
_ADDRESS = re.compile(r"https://([a-z0-9.-]+)(?::[0-9]+)?(?:([/?#])[^\s\\]*)?", re.IGNORECASE)
"""Hosts in plain letters only: there are more ways to write one than one can compare."""
_GOOGLE = ".googleapis.com"
_PUBLIC = "storage.googleapis.com"
_FILMS = ("youtube.com", "youtu.be")


def refused(place: str, reason: str) -> InvalidRequest:
    """Make the refusal of one place in the request."""
    return InvalidRequest(f"{place}: {reason}", details={"param": place})


def image_part(part: ImagePart, place: str) -> Part:
    """Give an image by its address or as base64. Raises: InvalidRequest."""
    url, place = part.image_url.url, f"{place}.image_url.url"
    if url.startswith("data:"):
        kind, data = _split(url, place)
        kind = "image/jpeg" if kind == "image/jpg" else kind
        if kind not in _IMAGE_TYPES:
            raise refused(place, f"images are {', '.join(_IMAGE_TYPES)}")
        return _inline(kind, data)
    found = _ADDRESS.fullmatch(url)
    if found is None:
        raise refused(place, "an image is an https address or a data: URL in base64")
    if _is_closed(found[1].lower().rstrip(".")):
        raise refused(place, "this host is not supported")
    ending = re.split(r"[?#]", url, maxsplit=1)[0].rpartition(".")[2].lower()
    return {"fileData": {"fileUri": url, "mimeType": _BY_ENDING.get(ending, "image/jpeg")}}


def sound_part(part: AudioPart) -> Part:
    """Give a piece of sound."""
    return _inline(f"audio/{part.input_audio.format}", part.input_audio.data)


def file_part(part: FilePart, place: str) -> Part:
    """Give a PDF or a text. Raises: InvalidRequest."""
    place = f"{place}.file.file_data"
    data = part.file.file_data
    if not data:
        raise refused(place, "required")
    kind = _PDF  # bare base64, which OpenAI takes for PDFs
    if data.startswith("data:"):
        kind, data = _split(data, place)
    if kind != _PDF and not kind.startswith("text/"):
        raise refused(place, "files are application/pdf or text")
    return _inline(kind, data)


def _inline(kind: str, data: str) -> Part:
    return {"inlineData": {"mimeType": kind, "data": data}}


def _is_closed(host: str) -> bool:
    if host.endswith(_GOOGLE):
        return host != _PUBLIC
    return any(host == film or host.endswith(f".{film}") for film in _FILMS)


def _split(url: str, place: str) -> tuple[str, str]:
    """Take a `data:` URL apart. Returns: the media type, and the base64."""
    head, _, data = url.partition(",")
    if not head.endswith(";base64") or not data:
        raise refused(place, "a data: URL in base64 is expected")
    return head.removeprefix("data:").partition(";")[0].lower(), data
