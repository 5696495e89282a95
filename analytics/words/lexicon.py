"""The lexicon, read from `lexicon.toml`: what each phrase means."""

import itertools
import re
import tomllib
from functools import cache
from pathlib import Path

import msgspec

_FILE = Path(__file__).with_name("lexicon.toml")
_CHOICE = re.compile(r"\{([^}]*)\}")


class Meaning(msgspec.Struct, frozen=True):
    """What a phrase is (a section of the file) and which of its kind."""

    sort: str
    value: str


class Lexicon(msgspec.Struct, frozen=True):
    """All phrases by their words; `longest` is the most words a phrase has."""

    phrases: dict[tuple[str, ...], Meaning]
    words: frozenset[str]
    longest: int

    def at(self, words: list[str], place: int) -> tuple[Meaning, int] | None:
        """Give the longest phrase that begins at a place, and how many words it has."""
        for count in range(min(self.longest, len(words) - place), 0, -1):
            meaning = self.phrases.get(tuple(words[place : place + count]))
            if meaning is not None:
                return meaning, count
        return None


@cache
def lexicon() -> Lexicon:
    """Read the file, once."""
    phrases: dict[tuple[str, ...], Meaning] = {}
    for sort, values in tomllib.loads(_FILE.read_text()).items():
        for value, written in values.items():
            for phrase in itertools.chain.from_iterable(map(_expanded, written)):
                # What is written first stays: the file is ordered from the special to the general.
                phrases.setdefault(tuple(phrase.split()), Meaning(sort, value))
    words = frozenset(itertools.chain.from_iterable(phrases))
    return Lexicon(phrases, words, max(map(len, phrases)))


def _expanded(written: str) -> list[str]:
    """Write out every choice of a phrase: `{a|b} c` is `a c` and `b c`."""
    parts = _CHOICE.split(written)
    choices = [part.split("|") if place % 2 else [part] for place, part in enumerate(parts)]
    return ["".join(chosen) for chosen in itertools.product(*choices)]
