"""Stripe's bodies: forms with brackets in, JSON out, and errors as Stripe words them.

Source: Stripe's OpenAPI document 2023-08-16; `stripe` 16.1.0 for Python, `_encode.py`, `_error.py`.
"""

from typing import Any
from urllib.parse import parse_qsl

import msgspec

from sandbox.messages import Headers, Json, Reply

JSON = (b"content-type", b"application/json")


class StripeError(Exception):
    """A refusal in Stripe's form. The status decides the type, unless it is named."""

    def __init__(self, message: str, *, status: int = 400, **fields: Any) -> None:  # noqa: ANN401
        super().__init__(message)
        self.status = status
        kind = "card_error" if status == 402 else "invalid_request_error"
        kind = "api_error" if status >= 500 else kind
        self.body: Json = {"error": {"type": kind, "message": message, **fields}}

    def reply(self, headers: Headers) -> Reply:
        """Answer with it."""
        body = msgspec.json.encode(self.body)
        return Reply(status=self.status, headers=[JSON, *headers], body=body)


def decoded(text: str) -> Json:
    """Read a form: `a[b][0][c]=1` gives lists and objects, `a[]=1` a list. Raises: StripeError."""
    found: Json = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        parts = name.replace("]", "").split("[")
        _put(found, parts, value)
    return _with_lists(found)  # type: ignore[no-any-return]  # an object at the top


def number(fields: Json, name: str) -> int | None:
    """Read an integer field. Raises: StripeError."""
    value = fields.get(name)
    if value is None:
        return None
    try:
        return int(value)
    except (TypeError, ValueError):
        raise StripeError(f"Invalid integer: {value}", param=name) from None


def flag(fields: Json, name: str) -> bool:
    """Read a boolean field."""
    return fields.get(name) in ("true", True)


def check_known(fields: Json, known: tuple[str, ...]) -> None:
    """Refuse what Stripe does not know. Raises: StripeError."""
    for name in fields:
        if name not in (*known, "expand", "metadata"):
            raise StripeError(
                f"Received unknown parameter: {name}", param=name, code="parameter_unknown"
            )


def required(fields: Json, name: str) -> Any:  # noqa: ANN401  a text or an object
    """Read a field that must be there. Raises: StripeError."""
    if not fields.get(name):
        raise StripeError(f"Missing required param: {name}.", param=name, code="parameter_missing")
    return fields[name]


def _put(found: Json, parts: list[str], value: str) -> None:
    for part in parts[:-1]:
        found = found.setdefault(part or str(len(found)), {})
        if not isinstance(found, dict):
            raise StripeError("Invalid form: a field is a value and an object at once")
    found[parts[-1] or str(len(found))] = value


def _with_lists(node: Any) -> Any:  # noqa: ANN401  a tree of texts
    if not isinstance(node, dict):
        return node
    read = {name: _with_lists(value) for name, value in node.items()}
    if read and all(name.isdecimal() for name in read):
        return [read[name] for name in sorted(read, key=int)]
    return read
