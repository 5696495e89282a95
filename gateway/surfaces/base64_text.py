"""Base64 in JSON, of pictures that are too large to be looked at in one go. Pure.

Whoever shares the interpreter is hardly kept waiting: nothing here holds it for longer than an
eighth of a megabyte takes. Long texts are lifted out of a body before it is decoded, so that no
decoder makes one huge string of each.
"""

import binascii
import hashlib
import re
import time
from collections.abc import Iterator

import msgspec

from studio.core.errors import BodyTooLarge, InvalidRequest

MOST_PICTURE_BYTES = 10 * 1024 * 1024
INVALID = "Invalid base64 image payload"
PIECE_BYTES = 192 * 1024
"""A multiple of three: base64 of pieces is the base64 of the whole."""
_TEXT_PIECE = 128 * 1024
_BREATH_S = 0.0001
"""Between two pieces. Without it another thread would get the interpreter after five milliseconds
at the soonest, however short each piece is.
"""
_LONG_TEXT = 16 * 1024
_MOST_TEXT = MOST_PICTURE_BYTES * 3 // 2
"""With what line ends and escapes may add; whatever is longer is not looked at."""
_MOST_REST_BYTES = 64 * 1024
_LONGEST_KEY = 64
_MARK = "lifted-text"
_DATA_URL = re.compile(rb"data:image/[a-z0-9.+-]{1,40}(?:;[a-z0-9=.+-]{1,40})*;base64,", re.I)
_LONGEST_HEAD = 128
_ESCAPES = ((b"\\/", b"/"), (b"\\r", b""), (b"\\n", b""))
_LINE_ENDS = (b"\r", b"\n")


class LiftedBody(msgspec.Struct, frozen=True, kw_only=True):
    """A JSON body without its long texts.

    `text` is the body with a mark (its place and its SHA-256) instead of each, so equal bodies have
    equal texts; `long` are the long texts as they came, between their quotes, `marks` their marks.
    """

    text: bytes
    long: tuple[memoryview, ...]
    marks: tuple[str, ...] = ()

    def find(self, value: str) -> memoryview:
        """Give what a field of the decoded body stands for, a short one as it is."""
        if value in self.marks:
            return self.long[self.marks.index(value)]
        return memoryview(value.encode())


def lift_long_texts(body: bytearray) -> LiftedBody:
    """Take the texts of fields named `…base64` out of a JSON body, where they are long.

    Raises: InvalidRequest (another field's text is long, or a picture's has characters that base64
    has not), BodyTooLarge (there is too much beside the pictures).
    """
    rest, rest_bytes = [], 0
    long: list[memoryview] = []
    marks: list[str] = []
    key = b""
    for kind, start, end in _tokens(body):
        if kind == "rest":
            part = bytes(body[start:end])
        elif end - start <= _LONG_TEXT:
            part = key = bytes(body[start:end])
        else:
            part = _mark(len(long), memoryview(body)[start:end], key)
            long.append(memoryview(body)[start:end])
            marks.append(part.decode())
        rest.append(part)
        rest_bytes += len(part)
        if rest_bytes > _MOST_REST_BYTES:
            raise BodyTooLarge(
                f"The request body may have at most {_MOST_REST_BYTES} bytes beside its pictures."
            )
    return LiftedBody(text=b"".join(rest), long=tuple(long), marks=tuple(marks))


def decode_picture(text: memoryview, *, field: str) -> bytearray:
    """Decode base64, plain or as a data URL of an image. Raises: InvalidRequest."""
    start = _after_head(text)
    if len(text) - start > _MOST_TEXT:
        raise _too_large(field)
    made = bytearray()
    try:
        for piece in _quads(text[start:]):
            made += binascii.a2b_base64(piece, strict_mode=True)
            time.sleep(_BREATH_S)
    except (binascii.Error, ValueError) as error:
        raise InvalidRequest(INVALID, details={"param": field}) from error
    if not made:
        raise InvalidRequest(INVALID, details={"param": field})
    if len(made) > MOST_PICTURE_BYTES:
        raise _too_large(field)
    return made


def _too_large(field: str) -> InvalidRequest:
    megabytes = MOST_PICTURE_BYTES // 1024 // 1024
    return InvalidRequest(
        f"{field}: an image may have at most {megabytes} MB.", details={"param": field}
    )


def _after_head(text: memoryview) -> int:
    head = bytes(text[:_LONGEST_HEAD]).replace(b"\\/", b"/")
    found = _DATA_URL.match(head)
    if found is None:
        return 0
    escaped = bytes(text[: found.end() + 1]).count(b"\\/")
    return found.end() + escaped


def _quads(text: memoryview) -> Iterator[bytes]:
    """Give the characters in pieces of whole groups of four, each with nothing but base64; the last
    alone may be padded.
    """
    kept, escape = b"", b""
    for at in range(0, len(text), _TEXT_PIECE):
        piece = escape + bytes(text[at : at + _TEXT_PIECE])
        escape = b"\\" if piece.endswith(b"\\") else b""
        kept += _plain(piece[: len(piece) - len(escape)])
        whole = (len(kept) - 1) // 4 * 4
        if b"=" in kept[:whole]:
            raise ValueError("padding before the end")
        if whole:
            yield kept[:whole]
            kept = kept[whole:]
    yield kept + escape


def _plain(piece: bytes) -> bytes:
    """Undo what JSON's writers do to base64, and leave out the ends of lines."""
    if b"\\" in piece:
        for escaped, plain in _ESCAPES:
            piece = piece.replace(escaped, plain)
    for end in _LINE_ENDS:
        piece = piece.replace(end, b"")
    return piece


def _mark(place: int, text: memoryview, key: bytes) -> bytes:
    if len(key) > _LONGEST_KEY or not key.endswith(b"base64"):
        name = key[:_LONGEST_KEY].decode("utf-8", "replace")
        raise InvalidRequest(f"{name}: too long.", details={"param": name})
    return f"{_MARK}:{place}:{hashlib.sha256(text).hexdigest()}".encode()


def _tokens(body: bytearray) -> Iterator[tuple[str, int, int]]:
    """Give the body's parts in order: what is between quotes (`text`), and the `rest` around it."""
    end = 0
    while (start := _find_quote(body, end)) >= 0:
        yield "rest", end, start + 1
        text_end = _text_end(body, start + 1)
        yield "text", start + 1, text_end
        end = min(text_end + 1, len(body))
        yield "rest", text_end, end
    yield "rest", end, len(body)


def _text_end(body: bytearray, start: int) -> int:
    """Find the quote that ends a text; the body's end, if there is none."""
    at = start
    while True:
        found = _find_quote(body, at)
        if found < 0:
            return len(body)
        if not _is_escaped(body, found, start):
            return found
        if found - start > _LONG_TEXT:
            raise InvalidRequest(INVALID)  # no base64 has quotes
        at = found + 1


def _is_escaped(body: bytearray, at: int, start: int) -> bool:
    """Tell whether an odd number of backslashes stands before a quote."""
    before = at
    while before > start and body[before - 1] == ord("\\") and at - before <= _LONG_TEXT:
        before -= 1
    return (at - before) % 2 == 1


def _find_quote(body: bytearray, at: int) -> int:
    while at < len(body):
        found = body.find(b'"', at, at + _TEXT_PIECE)
        if found >= 0:
            return found
        at += _TEXT_PIECE
    return -1
