"""Words that are close to a word: slips of the keyboard, and names to offer."""

import difflib
from functools import cache

from analytics.words.lexicon import lexicon
from analytics.words.names import Names
from analytics.words.periods import MONTHS, NUMBER_WORDS, UNIT_WORDS, WEEKDAYS

_SHORTEST = 5
"""In shorter words only two turned letters are mended: they are too close to others."""
_MOST_OFFERED = 3
_MOST_COMPARED = 500
_AROUND_TIMES = ("since", "until", "till", "between", "before", "after", "start", "beginning")


@cache
def _targets() -> frozenset[str]:
    """Give the words that a slip can have meant: of the lexicon without fillers, and of times."""
    known = {word for phrase in lexicon().phrases for word in phrase}
    times = {name for names in (*MONTHS, *WEEKDAYS) for name in names.split("|")} | set(UNIT_WORDS)
    return frozenset(word for word in known | times if len(word) >= _SHORTEST - 1)


@cache
def _known() -> frozenset[str]:
    times = {name for names in (*MONTHS, *WEEKDAYS) for name in names.split("|")}
    return lexicon().words | _targets() | times | {*UNIT_WORDS, *NUMBER_WORDS, *_AROUND_TIMES}


def corrected(word: str) -> str | None:
    """Give the one word of ours that is a single slip away; None if it is known, or none is."""
    if len(word) < _SHORTEST - 1 or word in _known() or not word.isalpha():
        return None
    found = sorted((target for target in _targets() if _one_slip(word, target)), key=len)
    meanings = {lexicon().phrases.get((target,)) for target in found}
    return found[-1] if len(found) == 1 or (len(meanings) == 1 and None not in meanings) else None


def near_names(word: str, names: Names) -> tuple[str, ...]:
    """Give names that look like a word."""
    known = [name.value for name in names.offers[:_MOST_COMPARED]]
    parts = [value for value in known if word in value.lower() and len(word) > 2]  # noqa: PLR2004
    close = difflib.get_close_matches(word, known, n=_MOST_OFFERED, cutoff=0.7)
    return tuple(dict.fromkeys([*close, *parts]))[:_MOST_OFFERED]


def _one_slip(word: str, target: str) -> bool:
    """Say whether one letter more, less or other makes one of the other, or two letters turned.

    Only two turned letters are mended in a short word, or at the beginning of any.
    """
    if abs(len(word) - len(target)) > 1:
        return False
    same = 0
    while same < min(len(word), len(target)) and word[same] == target[same]:
        same += 1
    rest, wanted = word[same:], target[same:]
    if rest[:2] == wanted[:2][::-1] and rest[2:] == wanted[2:]:
        return True
    if not same or min(len(word), len(target)) < _SHORTEST:
        return False
    return rest[1:] == wanted[1:] or rest[1:] == wanted or rest == wanted[1:]
