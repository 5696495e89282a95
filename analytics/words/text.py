"""A question's text made plain: lower case, single spaces, one form of every quote and dash."""

import re
import unicodedata

import msgspec

LONGEST_QUESTION = 500
"""In characters. Who needs more is not asking for one table."""

_QUOTES = str.maketrans(
    {"“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "`": '"', "‘": "'", "’": "'", "‚": "'"}
)
_DASHES = re.compile("[\u2010-\u2015\u2212]")
_UNSEEN = ("Cc", "Cf", "Co", "Cs", "Cn")
_CONTRACTIONS = (
    (re.compile(r"\b(what|who|where|how|that|it|there|here)'s\b"), r"\1 is"),
    (re.compile(r"\b(let)'s\b"), r"\1"),
    (re.compile(r"n't\b"), " not"),
    (re.compile(r"\b(i|we|you|they|who)'(?:ve|re|d|ll|m)\b"), r"\1"),
    (re.compile(r"(?<=\w)'s?(?=$|[\s,.?!;:)])"), ""),  # alice's, users'
)
_SYMBOLS = (
    (re.compile("# of|#of"), "number of"),
    (re.compile("%"), " percent "),
    (re.compile(r"\$(?=\s|$)"), " dollars "),
    (re.compile(r"\bw/(?=\s)"), "with"),
    (re.compile(r"\b(top|bottom|last)-?(\d+)\b"), r"\1 \2"),
)
_WITHOUT_APOSTROPHE = re.compile(r"\b(did|do|does|was|is|are|were|has|have)nt\b")
_WORD = re.compile(r'"[^"]*"|,|[^\s,"]+|"')
_EDGES = "?!.;:()[]{}*_~'"


class Word(msgspec.Struct, frozen=True):
    """A word as it is compared; `quoted` if it stood between quotes, and may then have spaces."""

    text: str
    quoted: bool = False


def read_words(question: str) -> list[Word]:
    """Split a question into words; a comma is one of its own."""
    text = unicodedata.normalize("NFKC", question).translate(_QUOTES)
    text = _DASHES.sub("-", text).lower()
    text = "".join(_seen(character) for character in text)
    for mark, words in _SYMBOLS:
        text = mark.sub(words, text)
    text = re.sub(r"\b(what|who|how|where)s\b", r"\1 is", text)
    text = _WITHOUT_APOSTROPHE.sub(r"\1 not", text)
    for pattern, plain in _CONTRACTIONS:
        text = pattern.sub(plain, text)
    found = (_word(match[0]) for match in _WORD.finditer(text))
    return [word for word in found if word.text]


def _seen(character: str) -> str:
    """Blank what has no shape of its own: controls, directions, private characters."""
    return " " if unicodedata.category(character) in _UNSEEN else character


def _word(found: str) -> Word:
    if len(found) > 1 and found[0] == found[-1] == '"':
        return Word(" ".join(found[1:-1].split()), quoted=True)
    if len(found) > 2 and found[0] == found[-1] == "'":  # noqa: PLR2004  something between
        return Word(found[1:-1], quoted=True)
    return Word(found if found in (",", "&") else found.strip(_EDGES))
