"""How fast providers may be asked, as data: paces.toml, and what an operator sets instead. Pure."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

PACES_FILE = Path(__file__).with_name("paces.toml")
_SECONDS = {"s": 1, "min": 60, "h": 3600}
_LIMIT = re.compile(r"([1-9]\d{0,11})(t?)/(s|min|h)")


class PaceInvalid(ValueError):
    """A pace is not written as one."""


class Limit(Struct, frozen=True, kw_only=True):
    """At most so many requests, or tokens, within any window."""

    label: str
    most: int
    window_s: int
    counts_tokens: bool

    def cost(self, tokens: int) -> int:
        """Say how much of it a request takes; one that takes more than all waits for all."""
        return min(self.most, tokens) if self.counts_tokens else 1


class Pace(Struct, frozen=True, kw_only=True):
    """All limits of one provider. `scope` is the surface whose calls are counted, or "all"."""

    scope: str
    limits: tuple[Limit, ...]


def read_paces(path: Path = PACES_FILE) -> dict[str, dict[str, Pace]]:
    """Read the file: by surface and provider. Raises: PaceInvalid."""
    written = tomllib.loads(path.read_text())
    return {
        surface: {provider: _pace(surface, words) for provider, words in providers.items()}
        for surface, providers in written.items()
    }


def operators_paces(words: Mapping[str, str]) -> dict[str, Pace]:
    """Read what an operator sets, `{"openai": "50/s 2000000t/min"}`, for calls of all surfaces.

    Raises: PaceInvalid.
    """
    return {provider: _pace("all", text.split()) for provider, text in words.items()}


def _pace(scope: str, words: list[str]) -> Pace:
    return Pace(scope=scope, limits=tuple(_limit(word) for word in words))


def _limit(word: str) -> Limit:
    found = _LIMIT.fullmatch(word)
    if found is None:
        raise PaceInvalid(f'{word!r} is no limit such as "3/s", "1000/min" or "200000t/min".')
    most, tokens, unit = found.groups()
    return Limit(label=word, most=int(most), window_s=_SECONDS[unit], counts_tokens=bool(tokens))
