"""Cut a text into pieces that can be spoken one after the other."""

import re
import unicodedata
from typing import Final

_ENDS: Final = re.compile(
    r"""
    (?: [.!?\u2026]+ ["'\u201d\u2019\u00bb)\]]* (?=\s)      # Latin, before a space
      | [\u3002\uff01\uff1f\uff61]+ [\u300d\u300f\u201d\u2019\uff09"')]*   # Chinese, Japanese
      | [\u0964\u06d4\u061f]+ (?=\s)                        # Hindi, Urdu, Arabic
      | \n[^\S\n]*\n                                        # a paragraph
    ) \s*
    """,
    re.VERBOSE,
)
_CLAUSES: Final = re.compile(
    r"(?:[,;:\u2014\u2013][\"')\u201d\u2019]*(?=\s)|[\uff0c\uff1b\uff1a\u3001\u060c]|\n)\s*"
)
_WORDS: Final = re.compile(r"\s+")
_LAST_WORD: Final = re.compile(r"(\w[\w.]*)\.[\"'\u201d\u2019\u00bb)\]]*$")
_ABBREVIATED: Final = """
mr mrs ms dr prof sr jr st vs etc al no nr vol fig eq sec ch pp ed eds inc ltd co corp dept univ
gen col sgt capt lt rev hon pres gov sen rep approx est min max tel ext ave blvd rd mt ft
jan feb mar apr jun jul aug sep sept oct nov dec mon tue wed thu fri sat sun
e.g i.e a.m p.m ph.d u.s u.k z.b d.h u.a p.ex usw bzw ca evtl ggf hr fr str bspw inkl mio mrd
mme mlle av env cf sra srta ud uds pág sig dott ing avv
"""
_ABBREVIATIONS: Final = frozenset(_ABBREVIATED.split())
_NUMBER: Final = re.compile(r"\d+")


def cut(text: str, most: int) -> list[str]:
    """Cut a text into pieces of at most `most` characters, each as long as it may be.

    At the end of a sentence where there is one, else of a clause, else between words, else
    anywhere but inside a character with its marks. No piece is empty or begins or ends with white
    space; all of them together are the text but for white space.
    """
    assert most > 0
    pieces: list[str] = []
    rest = text.strip()
    while len(rest) > most:
        at = _best_cut(rest, most)
        pieces.append(rest[:at].rstrip())
        rest = rest[at:].lstrip()
    return [*pieces, rest] if rest else pieces


def _best_cut(text: str, most: int) -> int:
    """Find where the first piece ends. White space behind it does not count."""
    window = text[: most + 1]
    sentence = max((end for end in _matches(_ENDS, window, most) if _ends(text, end)), default=0)
    if sentence:
        return sentence
    for pattern in (_CLAUSES, _WORDS):
        found = max(_matches(pattern, window, most), default=0)
        if found:
            return found
    return _between_characters(text, most)


def _matches(pattern: re.Pattern[str], window: str, most: int) -> list[int]:
    """Give the ends of what matches, without the white space behind, if the piece fits."""
    ends = (match.start() + len(match.group().rstrip()) for match in pattern.finditer(window))
    return [end for end in ends if 0 < end <= most]


def _ends(text: str, end: int) -> bool:
    """Say whether a sentence ends here: not behind "Dr.", an initial, or "3." before a word."""
    found = _LAST_WORD.search(text[max(0, end - 40) : end])
    if found is None:
        return True
    word = found.group(1)
    following = text[end:].lstrip()[:1]
    if word.lower() in _ABBREVIATIONS:
        return False
    if len(word) == 1 and word.isalpha() and word != "I":
        return False
    return not (following.islower() or (_NUMBER.fullmatch(word) and len(word) <= 2))


def _between_characters(text: str, most: int) -> int:
    """Go back before marks that belong to the character before, unless there is nothing else."""
    at = most
    while at > 1 and _joined(text[at - 1], text[at]):
        at -= 1
    return at if at > 1 else most


def _joined(before: str, after: str) -> bool:
    joiners = "\u200d\ufe0f\ufe0e"
    return after in joiners or before == "\u200d" or unicodedata.combining(after) != 0
