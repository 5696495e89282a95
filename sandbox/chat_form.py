"""What the doubles that speak OpenAI's form share: reading a request, and choices as a stream."""

from collections.abc import Iterator
from itertools import zip_longest

import msgspec

from sandbox.messages import Json
from sandbox.openai_choices import Choice


def decoded(body: bytes) -> Json | None:
    """Decode a body; None if it is no JSON object."""
    try:
        wanted = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return wanted if isinstance(wanted, dict) else None


def last_user_text(wanted: Json) -> str:
    """Read the prompt of a body that nothing has checked yet."""
    messages = wanted.get("messages")
    for message in reversed(messages if isinstance(messages, list) else []):
        if isinstance(message, dict) and message.get("role") == "user":
            content = message.get("content")
            if isinstance(content, str):
                return content
            parts = content if isinstance(content, list) else []
            texts = [part.get("text") for part in parts if isinstance(part, dict)]
            return " ".join(text for text in texts if isinstance(text, str))
    return ""


def rows(choices: list[Choice]) -> Iterator[tuple[int, Json, str]]:
    """Interleave the deltas of all choices.

    Yields: the choice's index, the delta, and its text token if it has one.
    """
    for row in zip_longest(*(choice.deltas() for choice in choices)):
        for index, piece in enumerate(row):
            if piece is not None:
                yield index, *piece


def event(data: Json) -> bytes:
    """Write one event of a stream, without its closing blank line."""
    return b"data: " + msgspec.json.encode(data)
