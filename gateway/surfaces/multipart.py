"""Forms with one file (multipart/form-data), read strictly while they arrive.

What comes is looked at once, in the pieces it comes in, so that no large body keeps other requests
waiting; only the file and the texts are kept.
Source: RFC 7578; RFC 2046, section 5.1.1. Names are of the client's own choosing: nothing here
trusts a file's name or type.
"""

import re

import msgspec

from studio.core.errors import BodyTooLarge, InvalidRequest

_BOUNDARY = re.compile(
    r'multipart/form-data\s*;.*?\bboundary=(?:"([^"\r\n]{1,70})"|([^"\s;,]{1,70}))', re.IGNORECASE
)
_PARAMETER = re.compile(r';\s*(name|filename\*?)=(?:"((?:[^"\\\r\n]|\\.)*)"|([^\s;"]+))', re.I)
_MOST_PARTS = 64
_MOST_HEAD_BYTES = 4096
_MOST_TEXT_BYTES = 64 * 1024
_MOST_BEFORE_BYTES = 4096
_HEAD_END = b"\r\n\r\n"


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """The texts of a form by name, in their order, and its one file under the name `file`."""

    texts: dict[str, list[str]]
    file: bytearray | None


class FormReader:
    """Reads one form, fed with its bytes however they are cut.

    Every method raises InvalidRequest for what is no form or has another file than one.
    """

    def __init__(self, content_type: bytes | None, *, most_file_bytes: int) -> None:
        matched = _BOUNDARY.match((content_type or b"").decode("latin-1"))
        if matched is None:
            raise InvalidRequest(
                "Send a form: content-type multipart/form-data, with its boundary."
            )
        self._line = b"\r\n--" + (matched[1] or matched[2]).encode("latin-1")
        # The first boundary needs no line end before it.
        self._held = bytearray(b"\r\n")
        self._most_file_bytes = most_file_bytes
        self._before_bytes = 0
        self._parts: list[tuple[str, bytearray]] = []
        self._file: bytearray | None = None
        self._sink: bytearray | None = None
        self._is_in_head = False
        self._ended = False

    def feed(self, data: bytes) -> None:
        """Take what arrived. Raises: also BodyTooLarge, for a file beyond the limit."""
        if self._ended:
            return  # what follows the last boundary means nothing
        self._held += data
        while not self._ended and (self._take_head() if self._is_in_head else self._take_content()):
            pass

    def form(self) -> Form:
        """Give the form once all of it was fed."""
        if not self._ended:
            raise _malformed()
        texts: dict[str, list[str]] = {}
        for name, content in self._parts:
            texts.setdefault(name, []).append(_text(name, content))
        return Form(texts=texts, file=self._file)

    def _take_content(self) -> bool:
        """Take what is before the next boundary. Returns: whether the boundary was there."""
        at = self._held.find(self._line)
        if at < 0:
            # Its beginning may be at the end of what is there.
            self._keep(max(len(self._held) - len(self._line) + 1, 0))
            return False
        self._keep(at)
        del self._held[: len(self._line)]
        self._is_in_head = True
        return True

    def _keep(self, count: int) -> None:
        """Move so many bytes into the part that is being read."""
        if self._sink is None:
            self._before_bytes += count
            if self._before_bytes > _MOST_BEFORE_BYTES:
                raise _malformed()
        else:
            with memoryview(self._held) as held:
                self._sink += held[:count]
            self._check_sizes(self._sink)
        del self._held[:count]

    def _check_sizes(self, sink: bytearray) -> None:
        if sink is self._file:
            if len(sink) > self._most_file_bytes:
                raise BodyTooLarge(f"The file may have at most {self._most_file_bytes} bytes.")
        elif len(sink) > _MOST_TEXT_BYTES:
            name = self._parts[-1][0]
            raise InvalidRequest(
                f"{name[:100]}: may have at most {_MOST_TEXT_BYTES} bytes.",
                details={"param": name[:100]},
            )

    def _take_head(self) -> bool:
        """Take a part's headers, or see the end. Returns: whether they were all there."""
        if self._held.startswith(b"--"):
            self._ended = True
            return True
        at = self._held.find(_HEAD_END)
        if at > _MOST_HEAD_BYTES or (at < 0 and len(self._held) > _MOST_HEAD_BYTES):
            raise _malformed()
        if at < 0:
            return False
        self._open(*_named(bytes(self._held[:at])))
        del self._held[: at + len(_HEAD_END)]
        self._is_in_head = False
        return True

    def _open(self, name: str, is_file: bool) -> None:
        if is_file:
            if name != "file" or self._file is not None:
                raise InvalidRequest("Send one file, under the name `file`.")
            self._sink = self._file = bytearray()
            return
        if len(self._parts) == _MOST_PARTS:
            raise InvalidRequest(f"A form may have at most {_MOST_PARTS} parts.")
        self._sink = bytearray()
        self._parts.append((name, self._sink))


def _named(head: bytes) -> tuple[str, bool]:
    """Read a part's name, and whether it is a file, from its headers."""
    for row in head.decode("utf-8", "replace").split("\r\n"):
        if row[:20].lower() != "content-disposition:":
            continue
        given = {word.lower(): quoted or bare for word, quoted, bare in _PARAMETER.findall(row)}
        if given.get("name"):
            return given["name"], "filename" in given or "filename*" in given
    raise _malformed()


def _text(name: str, content: bytearray) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest(
            f"{name[:100]}: is not UTF-8.", details={"param": name[:100]}
        ) from error


def _malformed() -> InvalidRequest:
    return InvalidRequest("The form is malformed or cut off.")
