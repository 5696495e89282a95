"""Finding templates by words: what was typed (`search`), or what the picture is for (`recommend`).

Pure. Words are compared in lower case; a typo is one letter too many, missing, wrong or swapped
with its neighbour, in words of four letters or more.
"""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

import msgspec

from gateway.imaging.templates import TEMPLATES, Template, list_templates

_WORD = re.compile(r"[a-z0-9]+")
_SILENT = frozenset(("a", "an", "and", "the", "for", "of", "to", "in", "on", "my", "our", "with"))
_FEWEST_LETTERS = 4
_NONE, _WHOLE, _BEGINNING = 2, 0, 1
"""How a whole query stands to an id or a name: not at all, the same, its beginning."""
_TITLE_WORD, _TITLE_PREFIX, _TEXT_WORD, _TEXT_PREFIX, _TITLE_TYPO, _TEXT_TYPO = range(6)
"""How near one word of a query is, the nearest first."""
_SYNONYMS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "advert": ("ad", "ads"),
        "advertisement": ("ad", "ads"),
        "advertising": ("ad", "ads"),
        "announce": ("announcements",),
        "career": ("hiring", "job"),
        "clothes": ("fashion",),
        "cooking": ("recipes", "food"),
        "course": ("tutorials", "guides"),
        "deal": ("offers", "promotions"),
        "discount": ("offers", "sale", "promotions"),
        "diy": ("yourself", "projects"),
        "food": ("recipes",),
        "guide": ("tutorials", "guides"),
        "hire": ("hiring", "job"),
        "interior": ("decor", "home"),
        "item": ("product",),
        "launch": ("launch", "announcements"),
        "mail": ("newsletters", "email"),
        "meeting": ("webinars", "conferences", "events"),
        "offer": ("offers", "promotions", "sale"),
        "outfit": ("fashion",),
        "recruiting": ("hiring", "job"),
        "sell": ("product", "marketplace"),
        "selling": ("product", "marketplace"),
        "shop": ("product", "marketplace", "catalogues"),
        "stats": ("statistics", "data"),
        "store": ("product", "marketplace", "catalogues"),
        "thumbnail": ("video", "cover"),
        "video": ("video", "cover", "tutorials"),
    }
)
_USE_POINTS, _SYNONYM_POINTS, _TEXT_POINTS, _WHOLE_POINTS = 4, 3, 1, 4


class Recommendation(msgspec.Struct, frozen=True, kw_only=True):
    """A template that suits a use, and why."""

    template: Template
    reason: str


def search_templates(query: str) -> tuple[Template, ...]:
    """Find the templates in which every word of a query occurs, the nearest first.

    An id or name that is the query comes first, then one that begins with it, then its words in
    ids, names and platforms before those in descriptions, categories and uses; typos last.
    """
    words = _words_of(query)
    if not words:
        return ()
    places = [_search_place(words, query, template) for template in TEMPLATES]
    found = [(place, number) for number, place in enumerate(places) if place is not None]
    return tuple(TEMPLATES[number] for _, number in sorted(found))


def recommend_templates(use_case: str, *, platform: str | None = None) -> list[Recommendation]:
    """Find templates for a use, the most fitting first; of one platform if it is named.

    Where no use fits, all of the platform's are given, and said to be that.
    """
    words = _words_of(use_case)
    offered = list_templates(platform=platform)
    scored = [(_score(words, template), template) for template in offered]
    found = [
        (-points, number, Recommendation(template=template, reason=_reason(uses, use_case)))
        for number, ((points, uses), template) in enumerate(scored)
        if points
    ]
    if not found and platform is not None:
        why = f"No use here fits '{use_case.strip()}'; this is for {platform.strip().lower()}."
        return [Recommendation(template=template, reason=why) for template in offered]
    return [recommendation for _, _, recommendation in sorted(found, key=lambda one: one[:2])]


def _search_place(words: list[str], query: str, template: Template) -> tuple[int, int] | None:
    """Give where a template stands in an answer, least first; None if a word is not in it."""
    title = _title_words(template)
    text = [
        *_words(template.description),
        *_words(template.category),
        *(word for use in template.use_cases for word in _words(use)),
    ]
    ranks = [_word_rank(word, title, text) for word in words]
    if any(rank is None for rank in ranks):
        return None
    return _whole_rank(query, template), sum(rank for rank in ranks if rank is not None)


def _whole_rank(query: str, template: Template) -> int:
    asked = " ".join(_words(query))
    names = (" ".join(_words(template.id)), " ".join(_words(template.name)))
    if asked in names:
        return _WHOLE
    return _BEGINNING if any(name.startswith(asked) for name in names) else _NONE


def _word_rank(word: str, title: list[str], text: list[str]) -> int | None:
    tests = (
        (_TITLE_WORD, word in title),
        (_TITLE_PREFIX, any(each.startswith(word) for each in title)),
        (_TEXT_WORD, word in text),
        (_TEXT_PREFIX, any(each.startswith(word) for each in text)),
        (_TITLE_TYPO, _has_typo_of(word, title)),
        (_TEXT_TYPO, _has_typo_of(word, text)),
    )
    return next((rank for rank, holds in tests if holds), None)


def _score(words: list[str], template: Template) -> tuple[int, list[str]]:
    """Give the points of a template, and the uses that earned them.

    A word counts once, where it earns most; a use that is wholly named counts extra.
    """
    uses: dict[str, None] = {}
    points = 0
    loose = {_stem(each) for each in (*_title_words(template), *_words(template.description))}
    for word in words:
        gained, fitting = _use_points(word, template)
        uses.update(dict.fromkeys(fitting))
        points += gained or (_TEXT_POINTS if _stem(word) in loose else 0)
    asked = {_stem(word) for word in words}
    for use in template.use_cases:
        if {_stem(word) for word in _words_of(use)} <= asked:
            points += _WHOLE_POINTS
    return points, list(uses)


def _use_points(word: str, template: Template) -> tuple[int, list[str]]:
    """Give what a word earns in the uses: as it is or mistyped, else by a synonym."""
    own = [use for use in template.use_cases if _names(word, use)]
    if own:
        return _USE_POINTS, own
    others = _SYNONYMS.get(word) or _SYNONYMS.get(_stem(word)) or ()
    like = [use for use in template.use_cases if {_stem(o) for o in others} & _stems(use)]
    return (_SYNONYM_POINTS, like) if like else (0, [])


def _names(word: str, use: str) -> bool:
    return _stem(word) in _stems(use) or _has_typo_of(word, _words(use))


def _reason(uses: list[str], use_case: str) -> str:
    if not uses:
        return f"Its name or description fits '{use_case.strip()}'."
    return f"Fits '{use_case.strip()}': made for {', '.join(use.lower() for use in uses)}."


def _title_words(template: Template) -> list[str]:
    return [*_words(template.id), *_words(template.name), *_words(template.platform)]


def _stems(text: str) -> set[str]:
    return {_stem(word) for word in _words(text)}


def _stem(word: str) -> str:
    """Take a plural's ending off: `offers`, `stories`."""
    if word.endswith("ies") and len(word) > _FEWEST_LETTERS:
        return word[:-3] + "y"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _words_of(text: str) -> list[str]:
    """Give the words that say something; all of them, if none does."""
    words = _words(text)
    return [word for word in words if word not in _SILENT] or words


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _has_typo_of(word: str, words: Iterable[str]) -> bool:
    return len(word) >= _FEWEST_LETTERS and any(_is_one_edit(word, each) for each in words)


def _is_one_edit(one: str, other: str) -> bool:
    """Tell whether one change of a letter, or a swap of two neighbours, makes them the same."""
    if abs(len(one) - len(other)) > 1 or one == other:
        return False
    at = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
    if at is None:
        return True
    if len(one) != len(other):
        longer, shorter = (one, other) if len(one) > len(other) else (other, one)
        return longer[at + 1 :] == shorter[at:]
    swapped = one[:at] + one[at : at + 2][::-1] + one[at + 2 :]
    return one[at + 1 :] == other[at + 1 :] or swapped == other
