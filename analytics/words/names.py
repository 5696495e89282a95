"""The names of a workspace, as questions mention them: `mobile ios` is mobile-ios."""

import re
from collections.abc import Iterable

import msgspec

from analytics.query import Dimension

_GAPS = re.compile(r"[\s._-]+")
MOST_WORDS = 6
"""Of a name that is written without quotes."""

NAMED = (Dimension.APP, Dimension.USER, Dimension.MODEL, Dimension.KIND, Dimension.PROVIDER)
"""The dimensions whose values are names, not words of the lexicon."""


class Name(msgspec.Struct, frozen=True):
    """One value of a dimension, exactly as it is recorded."""

    dimension: Dimension
    value: str


class Names(msgspec.Struct, frozen=True):
    """What a question may mention: names by their keys, and some of them to offer."""

    by_key: dict[str, tuple[Name, ...]]
    offers: tuple[Name, ...] = ()

    def find(self, words: str, *, quoted: bool) -> tuple[Name, ...]:
        """Give the names that these words can mean; those written exactly so before others."""
        found = self.by_key.get(spaced_key(words), ())
        if not found and " " not in words:
            found = self.by_key.get(glued_key(words), ())
        exact = tuple(name for name in found if name.value.lower() == words)
        return exact if exact or quoted else found


def names_of(names: Iterable[Name]) -> Names:
    """Arrange names so that they are found, with and without the gaps inside them."""
    by_key: dict[str, list[Name]] = {}
    known = list(dict.fromkeys(names))
    for name in known:
        for key in {spaced_key(name.value), glued_key(name.value)} - {""}:
            by_key.setdefault(key, []).append(name)
    return Names({key: tuple(found) for key, found in by_key.items()}, tuple(known))


def spaced_key(text: str) -> str:
    """Give a name in lower case, with a space for each gap inside it."""
    return _GAPS.sub(" ", text.lower()).strip()


def glued_key(text: str) -> str:
    """Give a name in lower case, without gaps; behind a mark, as it may be another's spaced key."""
    return "\x1f" + _GAPS.sub("", text.lower())


def mentions(words: list[str]) -> set[str]:
    """Give the keys of every stretch of words that may be a name."""
    keys: set[str] = set()
    for start in range(len(words)):
        keys.add(glued_key(words[start]))
        for end in range(start + 1, min(start + MOST_WORDS, len(words)) + 1):
            keys.add(spaced_key(" ".join(words[start:end])))
        keys.add(spaced_key(words[start].removesuffix("s")))
    return keys - {"", "\x1f"}
