"""Tokens and prose by rules simple enough to compute in a test.

A token is up to four word characters or one other character, with the white space before it;
white space at the end is one token. Joining the tokens of a text gives the text back.
"""

import re
import zlib

TOKEN = re.compile(r"\s*\w{1,4}|\s*[^\w\s]|\s+")

_SENTENCES = (
    "The lamp on the pier blinks twice before each ship.",
    "Rain fell on the tin roof until the kettle sang.",
    "Nobody counts the steps on the way down.",
    "A grey cat keeps the keys of the old library.",
    "Salt, bread and a map are enough for one day.",
)
_FILLER = (" the", " sea", " is", " wide", " and", " the", " wind", " is", " kind")
"""Words of one token each."""


def tokens_of(text: str) -> list[str]:
    """Cut a text into tokens."""
    return TOKEN.findall(text)


def count_tokens(text: str) -> int:
    """Count the tokens of a text."""
    return len(TOKEN.findall(text))


def compose(prompt: str, variant: int) -> str:
    """Write a short answer that quotes the prompt; same prompt and variant, same words."""
    words = " ".join(prompt[:400].split()[:12])
    start = zlib.crc32(prompt.encode()) + variant
    first, second = _SENTENCES[start % 5], _SENTENCES[(start + 2) % 5]
    quote = f"You said: “{words}”." if words else "You said nothing."
    return f"{quote} {first} {second}"


def filler_tokens(count: int) -> list[str]:
    """Make exactly `count` tokens of prose."""
    return [_FILLER[index % len(_FILLER)] for index in range(count)]
