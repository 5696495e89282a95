"""Multipart forms, read strictly, and the refusals of Stability's double.

Source: RFC 7578, RFC 2046 section 5.1; the wording of the content type: jezs00/pycasso #86 (2025).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.messages import Request

MOST_BYTES = 10 * 1024 * 1024
_BOUNDARY = re.compile(r'multipart/form-data;\s*boundary="?([^"\s;]{1,70})"?', re.IGNORECASE)
_NAME = re.compile(rb'content-disposition: form-data; name="([^"\r\n]*)"', re.IGNORECASE)
_FILE = re.compile(rb';\s*filename="[^"\r\n]+"', re.IGNORECASE)


class FormError(Exception):
    """An answer other than 200; `name` is its short name, empty for the usual one."""

    def __init__(self, message: str, *, status: int = 400, name: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.name = name


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What a form holds: texts, and files, which are the parts that name one."""

    texts: Mapping[str, str]
    files: Mapping[str, bytes]


def read_form(request: Request) -> Form:
    """Read a form.

    Raises: FormError for what is no form, or too large, or has a field twice.
    """
    if len(request.body) > MOST_BYTES:
        raise FormError("body: payloads cannot be larger than 10MiB in size", status=413)
    matched = _BOUNDARY.fullmatch(request.header(b"content-type"))
    if matched is None:
        raise FormError("content-type: must be multipart/form-data")
    line = b"--" + matched[1].encode()
    head, *parts = (b"\r\n" + request.body).split(b"\r\n" + line)
    if head or len(parts) < 2 or parts[-1] not in (b"--", b"--\r\n"):
        raise FormError("body: malformed multipart/form-data")
    texts: dict[str, str] = {}
    files: dict[str, bytes] = {}
    for part in parts[:-1]:
        name, content, is_file = _read_part(part)
        if name in texts or name in files:
            raise FormError(f"{name}: given twice")
        if is_file:
            files[name] = content
        else:
            texts[name] = _text(content)
    return Form(texts=texts, files=files)


def _read_part(part: bytes) -> tuple[str, bytes, bool]:
    lines, separator, content = part.partition(b"\r\n\r\n")
    named = _NAME.search(lines)
    if not part.startswith(b"\r\n") or not separator or named is None:
        raise FormError("body: malformed multipart/form-data")
    return _text(named[1]), content, _FILE.search(lines) is not None


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise FormError("body: not UTF-8") from None
