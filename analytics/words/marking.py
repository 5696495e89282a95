"""From a question to its marks: every word is a name, a time, a phrase of the lexicon, a number or
a filler. A word that is none of these ends the reading.
"""

import re
from datetime import UTC, datetime

import msgspec

from analytics.query import Dimension
from analytics.words.clock import Clock
from analytics.words.lexicon import Lexicon, lexicon
from analytics.words.names import MOST_WORDS, Name, Names
from analytics.words.near import corrected, near_names
from analytics.words.periods import NUMBER, NoSuchTime, read_period
from analytics.words.refusal import Refused, refused
from analytics.words.text import Word, read_words
from analytics.words.times import Time, find_times

CODES = {
    "metric": "M",
    "weak_metric": "U",
    "images": "I",
    "dimension": "D",
    "bucket": "K",
    "bucket_word": "A",
    "operation": "O",
    "status": "S",
    "billing": "L",
    "aggregate": "G",
    "rank": "R",
    "comparative": "c",
    "change": "x",
    "by": "B",
    "sorted": "Z",
    "which": "W",
    "who": "P",
    "versus": "V",
    "compare": "C",
    "and": "&",
    "or": "/",
    "except": "X",
    "not": "!",
    "together": "+",
    "count": "H",
    "over": "o",
}
"""One letter for each sort of phrase, so that rules can be patterns (slots.py)."""

_LIST_CODES = {"weak": "q", "strong": "Q", "last": "l", "every": "a"}
_NAME, _TIME = "\ue000", "\ue001"
_TIME_WORDS = frozenset(
    [
        "since",
        "between",
        "before",
        "until",
        "till",
        "from",
        "to",
        "now",
        "ago",
        "last",
        "past",
        "previous",
        "this",
        "so",
        "far",
    ]
)
_COMPARING = frozenset(("comparative", "change", "versus", "compare"))
_SINGULAR = frozenset(("app", "application", "user", "model", "provider", "kind", "person"))
_PLURAL = frozenset(("apps", "applications", "users", "models", "providers", "kinds", "people"))
_BEFORE_NOUN = frozenset(
    (
        "",
        "the",
        "of",
        "for",
        "from",
        "did",
        "does",
        "is",
        "was",
        "by",
        "our",
        "and",
        ",",
        "vs",
        "than",
    )
    + ("in", "my", "has", "excluding", "except", "without", "to", "versus", "or", "on")
)
_CUES = frozenset(("excluding", "except", "without", "minus", "ignoring", "besides"))
_CALLED = frozenset(("called", "named"))
_VERB_CUES = frozenset(("did", "does"))
_NUMBER_CUES = frozenset(("for", "of", "by", "from", "did", "does", "is", "in", "has", "was"))
_PREPOSITIONS = frozenset(("for", "of", "on", "by"))
MONTH_WORDS = frozenset(("may", "march", "mar"))
_YEAR_DIGITS = 4
_HYPHENATED = re.compile("[a-z]+(?:-[a-z]+)+")
_SLASHED = re.compile("[a-z]+/[a-z]+")
_UNITS = re.compile("minutes?|hours?|days?|weeks?|months?|quarters?|years?")
_NUMBER = re.compile(NUMBER + "$")
_ANY_CLOCK = Clock(datetime(2000, 1, 5, tzinfo=UTC))
_WORDS_OF_CONTENT = frozenset(
    ("metric", "operation", "status", "billing", "images", "rank", "filler")
)


class Mark(msgspec.Struct, frozen=True):
    """One understood stretch of a question. `value` is the lexicon's, or the number.

    `names` and `time` are set for marks of those two.
    """

    code: str
    text: str
    value: str = ""
    names: tuple[Name, ...] = ()
    time: Time | None = None

    @property
    def plural(self) -> bool:
        """Say whether a noun is written for more than one."""
        return self.text.split()[0].rstrip(",").endswith("s") or self.text == "people"


class Marked(msgspec.Struct, frozen=True):
    """All marks but fillers, and what was read otherwise than written."""

    marks: tuple[Mark, ...]
    notes: tuple[str, ...] = ()


def mark(question: str, names: Names, clock: Clock) -> Marked:
    """Give every word of a question its meaning. Raises: Refused, with the word that has none."""
    words, notes = _corrected(read_words(question), names)
    found_names: list[Mark] = []
    plain = _hide_names(words, names, found_names)
    text = " ".join(plain)
    try:
        cued = frozenset(month for month in MONTH_WORDS if not names.find(month, quoted=False))
        times = find_times(text, clock, comparing=_compares(plain), cued=cued)
    except NoSuchTime as error:
        raise refused(str(error), word="time") from error
    for place, found in reversed(list(enumerate(times))):
        text = f"{text[: found.start]}{_TIME}{place} {text[found.end :].lstrip()}"
    marks = _read_phrases(text.split(), found_names, [found.time for found in times], names)
    return Marked(tuple(marks), (*notes, *_other_readings(plain, names)))


def _compares(words: list[str]) -> bool:
    known, place = lexicon(), 0
    while place < len(words):
        found = known.at(words, place)
        if found is not None and found[0].sort in _COMPARING:
            return True
        place += found[1] if found else 1
    return False


def _corrected(words: list[Word], names: Names) -> tuple[list[Word], list[str]]:
    """Mend words that are one slip away from a single word of ours, and say so."""
    mended: list[Word] = []
    notes: list[str] = []
    for word in words:
        meant = None if word.quoted or names.find(word.text, quoted=False) else corrected(word.text)
        mended.append(Word(meant) if meant else word)
        if meant:
            notes.append(f'"{word.text}" was read as "{meant}".')
    return mended, notes


def _hide_names(words: list[Word], names: Names, found: list[Mark]) -> list[str]:
    """Replace every name by a placeholder; `found` gets its mark. Raises: Refused."""
    plain: list[str] = []
    place = 0
    while place < len(words):
        read = _name_at(words, place, names, plain)
        if read is None:
            plain += _parts(words[place].text)
            place += 1
            continue
        name_mark, place = read
        plain.append(f"{_NAME}{len(found)}")
        found.append(name_mark)
    return plain


def _parts(word: str) -> list[str]:
    """Split a word of words: `week-over-week`, `app/model`."""
    if _SLASHED.fullmatch(word) and (word,) not in lexicon().phrases:
        return word.replace("/", " and ").split()
    parts = word.split("-") if _HYPHENATED.fullmatch(word) else []
    return parts if parts and lexicon().words >= set(parts) else [word]


def _name_at(
    words: list[Word], place: int, names: Names, before: list[str]
) -> tuple[Mark, int] | None:
    if words[place].quoted:
        return _quoted(words[place], names, before), place + 1
    for end in range(min(place + MOST_WORDS, len(words)), place, -1):
        stretch = words[place:end]
        if any(word.quoted or word.text == "," for word in stretch):
            continue
        text = " ".join(word.text for word in stretch)
        known = names.find(text, quoted=False) or _owner(text, names)
        if known:
            meant = _meant(text, known, before, [word.text for word in words[end:]])
            if meant:
                return Mark("N", text, names=_one_dimension(text, meant)), end
    return None


def _owner(text: str, names: Names) -> tuple[Name, ...]:
    """Give the name of a possessive without its apostrophe: `bobs requests`."""
    if not text.endswith("s") or _is_word(text):
        return ()
    found = names.find(text[:-1], quoted=False)
    return tuple(name for name in found if name.dimension is Dimension.USER)


def _quoted(word: Word, names: Names, before: list[str]) -> Mark:
    known = names.find(word.text, quoted=True)
    wanted = _noun(before[-1]) if before else None
    meant = tuple(name for name in known if wanted in (None, name.dimension))
    if not meant:
        raise refused(f'There is nothing called "{word.text}" here.', word=word.text)
    return Mark("N", word.text, names=_one_dimension(word.text, meant))


def _meant(
    text: str, known: tuple[Name, ...], before: list[str], after: list[str]
) -> tuple[Name, ...]:
    """Give which of the known names is meant; none if the words mean something else by themselves
    and nothing beside them says that they are a name.
    """
    last = before[-1] if before else ""
    wanted = _cued_dimension(before, after)
    if wanted is not None:
        fitting = tuple(name for name in known if name.dimension is wanted)
        if fitting:
            return fitting
    if not _is_word(text):
        return known
    if last in _CUES or (last in _CALLED and _noun(before[-2] if before[1:] else "") is not None):
        return known
    if (
        last in ("and", ",", "vs", "versus", "or")
        and before[-2:-1]
        and before[-2].startswith(_NAME)
    ):
        return known if _nouns_before(before) else ()
    if text.isdigit() or _NUMBER.match(text):
        return known if _is_name_of_digits(text, last, after) else ()
    if text in MONTH_WORDS and last in _PREPOSITIONS:
        return known if _names_a_time(after) else ()
    return known if last in _VERB_CUES and not _has_own_meaning(text) else ()


def _is_name_of_digits(text: str, last: str, after: list[str]) -> bool:
    unit = bool(after) and _UNITS.fullmatch(after[0]) is not None
    return len(text) > _YEAR_DIGITS or (last in _NUMBER_CUES and not unit)


def _names_a_time(words: list[str]) -> bool:
    """Say whether a time is named in these words; then the month before them is none."""
    try:
        return bool(find_times(" ".join(words), _ANY_CLOCK, comparing=True))
    except NoSuchTime:
        return True


def _nouns_before(before: list[str]) -> bool:
    """Say whether a list of names began with a noun: `apps search and may`."""
    names = [word for word in reversed(before) if word not in ("and", ",", "vs", "versus", "or")]
    noun = next((word for word in names if not word.startswith(_NAME)), "")
    return noun in _PLURAL or noun in _SINGULAR


def _cued_dimension(before: list[str], after: list[str]) -> Dimension | None:
    """Give the dimension that a noun beside a name says: `the app may`, `the may app`."""
    noun = _noun(before[-1]) if before else None
    if noun is not None and (before[-2] if len(before) > 1 else "") in _BEFORE_NOUN:
        return noun
    following = _noun(after[0]) if after and after[0] in _SINGULAR else None
    if (
        following is not None
        and before
        and before[-1] in ("the", "for", "of", "our", "did", "from")
    ):
        return following
    return None


def _noun(word: str) -> Dimension | None:
    if word not in _SINGULAR and word not in _PLURAL:
        return None
    meaning = lexicon().phrases[(word,)]
    return Dimension(meaning.value)


def _is_word(text: str) -> bool:
    """Say whether words mean something without being a name."""
    words = text.split()
    if all(word in lexicon().words or word in _TIME_WORDS for word in words):
        return True
    if _NUMBER.match(text) or text.isdigit():
        return True
    try:
        read = read_period(text, 0, _ANY_CLOCK)
    except NoSuchTime:
        return True
    return read is not None and read[1] == len(text)


def _has_own_meaning(text: str) -> bool:
    """Say whether a word behind `did` is more likely itself than a name: `did we`, `did chat`."""
    if text in _SINGULAR or text in _PLURAL:
        return True
    meaning = lexicon().phrases.get(tuple(text.split()))
    return meaning is not None and meaning.sort in _WORDS_OF_CONTENT


def _one_dimension(text: str, known: tuple[Name, ...]) -> tuple[Name, ...]:
    dimensions = sorted({name.dimension for name in known})
    if len(dimensions) > 1:
        choices = " or ".join(f'{dimension} "{text}"' for dimension in dimensions)
        raise refused(f'"{text}" can be more than one thing: say {choices}.', word=text)
    return known


def _read_phrases(
    words: list[str], found: list[Mark], times: list[Time], names: Names
) -> list[Mark]:
    """Read what is neither a name nor a time. Raises: Refused."""
    known, marks, place = lexicon(), list[Mark](), 0
    while place < len(words):
        read = _phrase_at(words, place, known)
        word = words[place]
        if word.startswith(_NAME):
            marks.append(found[int(word[1:])])
            place += 1
        elif word.startswith(_TIME):
            time = times[int(word[1:])]
            marks.append(Mark("T", time.text, time=time))
            place += 1
        elif read is None:
            raise _unknown(word, names)
        else:
            marks += [read[0]] if read[0].code else []
            place += read[1]
    return marks


def _phrase_at(words: list[str], place: int, known: Lexicon) -> tuple[Mark, int] | None:
    found = known.at(words, place)
    if found is None:
        word = words[place]
        if word == ",":
            return Mark(",", ","), 1
        return (Mark("#", word, word), 1) if _NUMBER.match(word) else None
    meaning, count = found
    text = " ".join(words[place : place + count])
    if meaning.sort == "beyond":
        raise Refused.beyond(meaning.value, text)
    if meaning.sort == "list":
        return Mark(_LIST_CODES[meaning.value], text), count
    return Mark(CODES.get(meaning.sort, ""), text, meaning.value), count


def _unknown(word: str, names: Names) -> Refused:
    near = near_names(word, names)
    return refused(f'I do not know "{word}".', word=word, near=near)


def _other_readings(plain: list[str], names: Names) -> list[str]:
    """Say which words could have been names as well."""
    notes = []
    for word in dict.fromkeys(plain):
        known = names.find(word, quoted=False) if not word.startswith((_NAME, _TIME)) else ()
        for name in known[:1]:
            notes.append(
                f'"{word}" was not read as the {name.dimension} of that name;'
                f' for that, say: the {name.dimension} "{name.value}".'
            )
    return notes
