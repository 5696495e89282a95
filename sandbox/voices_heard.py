"""What the doubles that hear make of a sound: the words it says of itself, or some that follow from
its bytes.

A form of texts and one file is read here too (RFC 7578), as all of them take one.
"""

import hashlib
import re
from dataclasses import dataclass

from sandbox.faults import DIRECTIVE
from sandbox.messages import Request
from sandbox.text import compose
from sandbox.voices_files import heard

_WORD_MS = 400
"""How long a word takes whose text is not known."""
_BOUNDARY = re.compile(r'multipart/form-data;\s*boundary="?([^"\s;]{1,200})"?', re.IGNORECASE)
_NAME = re.compile(rb'name="([^"\r\n]*)"', re.IGNORECASE)
_FILE_NAME = re.compile(rb'filename="([^"\r\n]*)"', re.IGNORECASE)


class NoForm(Exception):
    """The body is no form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentForm:
    """The texts of a form by name, in their order, and its file if it has one."""

    texts: dict[str, list[str]]
    file: bytes | None
    file_name: str

    def first(self, name: str, otherwise: str = "") -> str:
        """Give the first text of a name."""
        return self.texts.get(name, [otherwise])[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One word and when it is said, in seconds."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """What was heard; `raw` still has the words to the sandbox that its text began with."""

    raw: str
    text: str
    words: list[Word]
    length_ms: int


def read_form(request: Request) -> SentForm:
    """Read a form. Raises: NoForm."""
    matched = _BOUNDARY.match(request.header(b"content-type"))
    if matched is None:
        raise NoForm
    head, *parts = (b"\r\n" + request.body).split(b"\r\n--" + matched[1].encode())
    if head or len(parts) < 2 or not parts[-1].startswith(b"--"):
        raise NoForm
    texts: dict[str, list[str]] = {}
    file, file_name = None, ""
    for part in parts[:-1]:
        lines, separator, content = part.partition(b"\r\n\r\n")
        named, filed = _NAME.search(lines), _FILE_NAME.search(lines)
        if not separator or named is None:
            raise NoForm
        if filed is not None:
            file, file_name = content, filed[1].decode("utf-8", "replace")
        else:
            texts.setdefault(named[1].decode(), []).append(content.decode("utf-8", "replace"))
    return SentForm(texts=texts, file=file, file_name=file_name)


def transcript(data: bytes) -> Transcript | None:
    """Hear a sound; None if it is none. The same bytes always say the same."""
    found = heard(data)
    if found is None:
        return None
    said = DIRECTIVE.sub("", found.text).strip()
    if not found.text:
        count = max(found.length_ms // _WORD_MS, 1)
        composed = compose(hashlib.sha256(data).hexdigest()[:8], data[-1])
        said = " ".join(composed.split()[2 : 2 + count])
    words = said.split()
    each_s = found.length_ms / 1000 / max(len(words), 1)
    timed = [
        Word(text=word, start_s=round(at * each_s, 3), end_s=round((at + 1) * each_s, 3))
        for at, word in enumerate(words)
    ]
    return Transcript(raw=found.text, text=said, words=timed, length_ms=found.length_ms)
