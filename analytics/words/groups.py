"""Rules about rows: what is told apart, how time is cut, which come first, and how many."""

from analytics.query import Bucket, Dimension, Metric
from analytics.words.draft import Draft
from analytics.words.items import number_of
from analytics.words.marking import Mark
from analytics.words.measures import metric_named
from analytics.words.refusal import refused

_MANY = 10
"""How many `the slowest models` are."""
_PER = frozenset(
    ("per", "each", "every", "for each", "for every", "of each", "in each", "of every")
)
_SUMS = frozenset(
    ("charge", "requests", "tokens", "errors", "input_tokens", "output_tokens", "images", "users")
)


def by(draft: Draft, start: int, end: int) -> None:
    """`by app and model`, `per day`, `by app by day`."""
    sums = any(mark.value in _SUMS for mark in draft.marks if mark.code in "MI")
    if draft.aggregate == "average" and sums and draft.marks[start].text in _PER:
        raise refused(
            "I have sums, and averages per request; no averages of groups or of days.",
            word=draft.marks[start].text,
        )
    for mark in draft.marks[start:end]:
        _tell_apart(draft, mark)
    draft.done(*range(start, end))


def adverb(draft: Draft, start: int, end: int) -> None:
    """`daily`, `over time`."""
    if draft.aggregate == "average" and draft.has("M") and not draft.has("R"):
        sums = any(mark.value in _SUMS for mark in draft.marks if mark.code == "M")
        if sums:
            raise refused("I have no averages of days or hours.", word=draft.marks[start].text)
    if draft.marks[start].value != "any":
        _tell_apart(draft, draft.marks[start])
    elif draft.bucket is Bucket.NONE:
        draft.cut(Bucket.DAY)
    draft.done(start)


def which(draft: Draft, start: int, end: int) -> None:
    """`which app`, `which 3 models`, `what are the most expensive models`."""
    noun = draft.marks[end - 1]
    _tell_apart(draft, noun)
    if draft.has("R"):
        one = draft.marks[start].value == "which" or not noun.plural
        draft.limit = draft.limit or (1 if one else _MANY)
    numbered(draft, start, end)
    draft.done(start, end - 1)


def who(draft: Draft, start: int, end: int) -> None:
    """`who spent the most`, `who are the top spenders`."""
    draft.group(Dimension.USER)
    nouns = [mark.text for mark in draft.marks if mark.code == "R"]
    many = draft.marks[start].value == "many" or any(text.endswith("spenders") for text in nouns)
    if nouns:
        draft.limit = draft.limit or (_MANY if many else 1)
    draft.done(start)


def numbered(draft: Draft, start: int, end: int) -> None:
    """`top 5`, `3 slowest`, `5 apps`: how many."""
    for place in range(start, end):
        if draft.codes[place] == "#":
            draft.limit = number_of(draft.marks[place])
            draft.done(place)


def noun(draft: Draft, start: int, end: int) -> None:
    """`model usage`, `compare apps`, `list users with errors`."""
    for place in range(start, end):
        if draft.codes[place] in "DK":
            _tell_apart(draft, draft.marks[place])
        if draft.codes[place] in "DKCqQaZ":
            draft.done(place)


def first_noun(draft: Draft, start: int, end: int) -> None:
    """`apps with errors last week`: a question that begins with a noun in the plural."""
    if draft.marks[end - 1].plural:
        noun(draft, start, end)
        if draft.has("R"):
            draft.limit = draft.limit or _MANY


def by_item(draft: Draft, start: int, end: int) -> None:
    """`by alice` keeps to alice; `per image` would divide."""
    if draft.codes[end] != "N" and not draft.marks[start].text.endswith("by"):
        text = f"{draft.marks[start].text} {draft.marks[end].text}"
        raise refused("I have amounts per request, and no others per piece.", word=text)
    draft.done(start)


def nothing_apart(draft: Draft, start: int, end: int) -> None:
    """`across all apps`, `anthropic models`: the noun tells nothing apart."""
    draft.done(*range(start, end))


def noun_of_item(draft: Draft, start: int, end: int) -> None:
    """`anthropic models`: only what the name is of."""
    draft.done(end - 1)


def ranked(draft: Draft, start: int, end: int) -> None:
    """Give the direction, what comes first in it, and how many of them."""
    rank = draft.marks[start]
    direction, *metric = rank.value.split()
    descending = direction == "desc"
    if draft.descending not in (None, descending):
        raise refused("The most or the least: one of them.", word=rank.text)
    draft.descending = descending
    draft.done(start)
    by_noun = bool(draft.group_by) or draft.bucket is not Bucket.NONE
    for place in draft.open("DK"):
        _tell_apart(draft, draft.marks[place])
        draft.limit = draft.limit or (_MANY if draft.marks[place].plural else 1)
        draft.done(place)
    if rank.text.endswith(("spender", "spenders")):
        draft.group(Dimension.USER)
        draft.limit = draft.limit or (_MANY if rank.text.endswith("s") else 1)
    if metric and draft.metrics in ([], [Metric.REQUESTS]):
        draft.metrics = [metric_named(draft, metric[0])]
    if not draft.group_by and not draft.named_groups and draft.bucket is Bucket.NONE:
        raise refused("The most or the least of what: apps, users, models, days?", word=rank.text)
    if not by_noun:
        draft.limit = draft.limit or 1


def directed(draft: Draft, start: int, end: int) -> None:
    """`sorted ascending`, `most expensive first`."""
    mark = draft.marks[start]
    if mark.value:
        draft.descending = mark.value == "desc"
    elif draft.descending is None:
        draft.descending = True
    draft.done(start)


def _tell_apart(draft: Draft, mark: Mark) -> None:
    if mark.code == "D":
        draft.group(Dimension(mark.value))
    elif mark.code in "KA":
        draft.cut(Bucket(mark.value))
