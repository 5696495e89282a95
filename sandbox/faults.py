"""The words that ask a double to misbehave, in a header or inside a message.

`x-sandbox-faults: latency_ms=200 status=429`, or `[[sandbox latency_ms=200 status=429]]` in the
text of the last user message: a gateway forwards bodies and not headers. An unknown word is
refused, never ignored.
"""

import re
from types import MappingProxyType

import msgspec

HEADER = b"x-sandbox-faults"
DIRECTIVE = re.compile(r"\[\[sandbox\s+(.*?)\]\]", re.DOTALL)


class UnknownFault(ValueError):
    """The directive names no fault, or gives it a value of the wrong type."""


class Faults(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one request asked for; README.md explains each word."""

    latency_ms: int = 0
    chunk_delay_ms: int = 0
    chunks: int = 0
    split_bytes: int = 0
    comments: bool = False
    status: int = 0
    code: str = ""
    retry_after: str = ""
    reject: str = ""
    drop: bool = False
    hang: int | None = None
    cut_at: int | None = None
    content_length: int = 0
    html: bool = False
    empty: bool = False
    wrong_json: int | None = None
    invalid_utf8: int | None = None
    error_event: int | None = None
    no_done: bool = False
    crlf: bool = False
    huge_line_bytes: int = 0
    missing_usage: bool = False
    usage: str = ""
    cached: int | None = None
    cache_write: int = 0
    refusal: bool = False
    content_filter: bool = False
    vectors: str = ""
    files: str = ""
    at: str = ""
    starting_ms: int | None = None
    running_ms: int | None = None
    fail: str = ""
    blocked: int = 0
    expire_ms: int | None = None
    webhooks: str = ""
    times: int = 0
    tag: str = ""


NO_FAULTS = Faults()
_BARE: MappingProxyType[str, int | bool] = MappingProxyType(
    {"hang": 0, "wrong_json": 2, "invalid_utf8": 2, "error_event": 3, "huge_line_bytes": 10_000_000}
)
"""What an integer word means without a value; any other bare word is a flag."""


def faults_of(header: bytes | None, text: str) -> tuple[Faults, str]:
    """Read what a request asks for; a word in the message beats the same word in the header.

    Returns: the faults, and `text` without its directives.

    Raises: UnknownFault, for a word that is not in `Faults`.
    """
    words = header.decode("latin-1").split() if header else []
    if "[[sandbox" in text:
        for directive in DIRECTIVE.findall(text):
            words += directive.split()
        text = DIRECTIVE.sub("", text).strip()
    if not words:
        return NO_FAULTS, text
    try:
        return msgspec.convert(dict(map(_value, words)), Faults, strict=False), text
    except msgspec.ValidationError as error:
        raise UnknownFault(f"The sandbox cannot do {' '.join(words)}: {error}") from error


def _value(word: str) -> tuple[str, str | int | bool]:
    name, separator, value = word.partition("=")
    return name, value if separator else _BARE.get(name, True)


class FaultCounter:
    """Let a fault with `times=N` strike N requests of its `tag`, then let the next ones pass."""

    def __init__(self) -> None:
        self._struck: dict[str, int] = {}

    def due(self, faults: Faults) -> Faults:
        """Return the faults still due for this request, and count it."""
        if not faults.times:
            return faults
        struck = self._struck.get(faults.tag, 0)
        self._struck[faults.tag] = struck + 1
        return faults if struck < faults.times else NO_FAULTS

    def clear(self) -> None:
        """Forget every tag."""
        self._struck.clear()
