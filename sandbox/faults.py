"""The words that ask a double to misbehave, in a header or inside a message.

`x-sandbox-faults: latency_ms=200 status=429`, or `[[sandbox latency_ms=200 status=429]]` anywhere in the text of the
last user message: a gateway forwards bodies and not headers. An unknown word is refused, never ignored.
"""

import re
from dataclasses import dataclass, fields, replace

HEADER = b"x-sandbox-faults"
DIRECTIVE = re.compile(r"\[\[sandbox\s+(.*?)\]\]", re.DOTALL)


class UnknownFault(ValueError):
    """The directive names no fault, or gives it a value of the wrong type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What one request asked for. `at` words count server-sent events; README.md explains each."""

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
    times: int = 0
    tag: str = ""


NO_FAULTS = Faults()
_TYPES = {field.name: field.type for field in fields(Faults)}
_BARE = {"hang": 0, "wrong_json": 2, "invalid_utf8": 2, "error_event": 3, "huge_line_bytes": 10_000_000}
"""What an integer word means when it is given without a value."""


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
    return replace(NO_FAULTS, **dict(_value(word) for word in words)), text


def _value(word: str) -> tuple[str, int | str | bool]:
    name, separator, value = word.partition("=")
    kind = _TYPES.get(name)
    if kind is None:
        raise UnknownFault(f"The sandbox has no fault named {name!r}.")
    if kind is bool:
        return name, True
    if kind is str:
        return name, value
    if not separator and name in _BARE:
        return name, _BARE[name]
    try:
        return name, int(value)
    except ValueError:
        raise UnknownFault(f"The fault {name!r} wants a whole number, not {value!r}.") from None


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
