"""Read a JSON body that a stranger wrote: bounded, strict, refused in words that name the place.

A key that appears twice counts with its last value, as RFC 8259 (section 4) says of most parsers.
That is safe because a provider gets what was read, encoded anew: nobody can show us one request
and the provider another.
"""

import re
from typing import TypeVar

import msgspec

from studio.core.errors import InvalidRequest

MAX_DEPTH = 64
MAX_KEYS = 10_000
MAX_CONTAINERS = 20_000
MAX_VALUES = 100_000
MAX_INTEGER = 2**53 - 1
"""Beyond this JavaScript and half of all JSON parsers round silently."""

_Body = TypeVar("_Body")
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
"""A JSON string, or what follows an unmatched quote: each byte is looked at once."""
_BRACKETS = bytes.maketrans(b"{}[]", b"()()")
_NO_BRACKETS = bytes(set(range(256)) - set(b"{}[]"))
_PLACE = re.compile(r"^(?P<what>.*?)(?: - at (?:`key` in )?`\$(?P<path>.*)`)?$", re.DOTALL)
_FIELD = re.compile(r"^Object (?P<why>contains unknown|missing required) field `(?P<name>.*)`$")
_LONGEST_TEXT = 300


def read_body(decoder: msgspec.json.Decoder[_Body], body: bytes) -> _Body:
    """Decode a body with a decoder made once.

    Raises: InvalidRequest, whatever the bytes are; `details["param"]` names the field, if any.
    """
    check_shape(body)
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _explained(str(error)) from error
    except UnicodeDecodeError as error:
        raise InvalidRequest("The request body is not valid UTF-8.") from error
    except msgspec.DecodeError as error:
        raise InvalidRequest(f"The request body is not valid JSON: {error}.") from error


def check_shape(body: bytes) -> None:
    """Refuse what is dear or dangerous to decode: depth, countless keys, NUL characters.

    Small ordinary bodies pass after a few byte counts. Raises: InvalidRequest.
    """
    openers = body.count(b"{") + body.count(b"[")
    if openers > MAX_DEPTH or body.count(b":") > MAX_KEYS:
        _check_structure(_STRING.sub(b"", body))
    if b"\\u0000" in body and b"\\u0000" in body.replace(b"\\\\", b""):
        raise InvalidRequest("The request body contains a NUL character (\\u0000).")


def check_numbers(value: object) -> None:
    """Refuse integers beyond ±(2^53 - 1) and more than 100 000 values in a free-form value.

    Raises: InvalidRequest.
    """
    seen, pending = 0, [value]
    while pending:
        seen += 1
        item = pending.pop()
        if isinstance(item, dict):
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, int) and not -MAX_INTEGER <= item <= MAX_INTEGER:
            raise InvalidRequest("The request body contains an integer beyond 2^53 - 1.")
        if seen + len(pending) > MAX_VALUES:
            raise InvalidRequest(f"A schema in the request body has more than {MAX_VALUES} values.")


def _check_structure(structure: bytes) -> None:
    """Judge what is left of a body without its strings."""
    if structure.count(b":") > MAX_KEYS:
        raise InvalidRequest(f"The request body has more than {MAX_KEYS} keys.")
    brackets = structure.translate(_BRACKETS, _NO_BRACKETS)
    if len(brackets) > 2 * MAX_CONTAINERS:
        raise InvalidRequest(f"The request body has more than {MAX_CONTAINERS} objects and arrays.")
    for _ in range(MAX_DEPTH):  # each round takes the innermost level away
        if not brackets:
            return
        brackets = brackets.replace(b"()", b"")
    if brackets:
        raise InvalidRequest(
            f"The request body is nested deeper than {MAX_DEPTH} levels, "
            "or its brackets do not match."
        )


def _explained(text: str) -> InvalidRequest:
    """Turn msgspec's wording into ours: `messages[0].content: expected str, got int`."""
    place = _PLACE.match(text)
    assert place is not None, "the pattern matches every text"
    what, path = place["what"], (place["path"] or "").lstrip(".")
    field = _FIELD.match(what)
    if field is not None:
        path = f"{path}.{field['name']}" if path else field["name"]
        reason = "unknown field" if "unknown" in field["why"] else "required"
        text = f"{path}: {reason}"
    elif path:
        text = f"{path}: {what[:1].lower()}{what[1:]}".replace("`", "")
    else:
        text = f"The request body must be a JSON object: {what[:1].lower()}{what[1:]}".replace(
            "`", ""
        )
    param = path[:_LONGEST_TEXT] or None
    return InvalidRequest(text[:_LONGEST_TEXT], details={"param": param} if param else None)
