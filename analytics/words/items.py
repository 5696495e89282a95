"""Rules about what a question is about: names, operations, ways of ending, who paid. They become
filters, and groups where a row for each is meant.
"""

from analytics.query import Dimension, Status
from analytics.words.draft import Draft
from analytics.words.marking import Mark
from analytics.words.periods import number_in
from analytics.words.refusal import refused

ITEM = "NOSLI"
_OF_CONTENT = {
    "O": Dimension.OPERATION,
    "I": Dimension.OPERATION,
    "S": Dimension.STATUS,
    "L": Dimension.BILLING,
}
_ONE_FILTER = (Dimension.STATUS, Dimension.BILLING)
"""Of these, `failed and cancelled` is one set; of others, a row for each is meant."""
_LATEST = frozenset(("latest", "most recent", "newest", "recent"))
TROUBLES = [Status.FAILED.value, Status.INTERRUPTED.value, Status.REFUSED.value]
"""The ways of ending that the metric `errors` counts."""


def dimension_of(mark: Mark) -> Dimension:
    """Give what an item is a value of."""
    return mark.names[0].dimension if mark.code == "N" else _OF_CONTENT[mark.code]


def values_of(mark: Mark) -> list[str]:
    """Give the values an item stands for."""
    if mark.code == "N":
        return [name.value for name in mark.names]
    return ["image" if mark.code == "I" else mark.value]


def drop_nouns(draft: Draft, start: int, end: int) -> None:
    """Take nouns that only say what a name is: `the app search`, `the search app`."""
    for noun, name in ((start, end - 1), (end - 1, start)):
        is_pair = draft.codes[noun] == "D" and draft.codes[name] in ITEM
        if not is_pair or draft.marks[noun].value != dimension_of(draft.marks[name]):
            continue
        if noun > name or not start or draft.codes[start - 1] not in "R#":
            draft.done(noun)


def without_errors(draft: Draft, start: int, end: int) -> None:
    """`excluding errors`."""
    if draft.marks[end - 1].value == "errors":
        draft.keep(Dimension.STATUS, [Status.SUCCEEDED.value])
        draft.done(*range(start, end))


def exclude(draft: Draft, start: int, end: int) -> None:
    """`excluding batch and notes`."""
    for mark in draft.marks[start:end]:
        if mark.code in ITEM:
            draft.keep(dimension_of(mark), values_of(mark), exclude=True)
    draft.done(*range(start, end))


def several(draft: Draft, start: int, end: int) -> None:
    """`alice, bob and carol`, `chat vs image`: a row for each; `failed and cancelled`: one set."""
    items = [draft.marks[place] for place in range(start, end) if draft.codes[place] in ITEM]
    dimension, *more = {dimension_of(mark) for mark in items}
    if more:
        both = " and ".join(mark.text for mark in items)
        raise refused(f"{both} are not of one kind; ask about one of them.", word=both)
    for mark in items:
        draft.keep(dimension, values_of(mark))
    if "V" in draft.codes[start:end] or dimension not in _ONE_FILTER:
        _tell_apart(draft, dimension)
    draft.done(*range(start, end))


def spread(draft: Draft, start: int, end: int) -> None:
    """`did alice spend more than bob`, `compare alice in May with bob`: a row for each."""
    first, last = draft.marks[start], draft.marks[end - 1]
    comparing = "V" in draft.codes[start:end] or draft.has("Cc")
    if dimension_of(first) != dimension_of(last) or not comparing:
        return
    for mark in (first, last):
        draft.keep(dimension_of(mark), values_of(mark))
    draft.group(dimension_of(first))
    joints = [place for place in range(start, end) if draft.codes[place] in "V/"]
    draft.done(start, end - 1, *joints, *draft.open("C"))


def single(draft: Draft, start: int, end: int) -> None:
    """Keep to one name, one operation, one way of ending."""
    mark = draft.marks[start]
    if (dimension_of(mark), False) in draft.filters:
        raise refused(f'How do "{mark.text}" and the others go together?', word=mark.text)
    draft.keep(dimension_of(mark), values_of(mark))
    draft.done(start)


def listed(draft: Draft, start: int, end: int) -> None:
    """Single requests: `all failed requests`, `the latest 10 errors`, `which requests failed`."""
    named = {mark.value for mark in draft.marks if mark.code in "MUI"}
    if draft.asked_for("DKARCVHxcGZU+P") or not named <= {"requests", "errors", "images"}:
        return
    draft.listing = True
    latest = [mark for mark in draft.marks if mark.code == "l" or mark.text in _LATEST]
    if latest and any(mark.code == "M" and not mark.text.endswith("s") for mark in draft.marks):
        draft.limit = 1
    for place in draft.open("QqalMW#"):
        mark = draft.marks[place]
        if mark.code == "#":
            draft.limit = number_of(mark)
        if mark.value == "errors":
            draft.keep(Dimension.STATUS, TROUBLES)
        draft.done(place)


def number_of(mark: Mark) -> int:
    """Read a number mark. Raises: Refused where it is none that a table has rows of."""
    number = number_in(mark.text)
    if number < 1:
        raise refused("None of them is no answer; say how many.", word=mark.text)
    return number


def _tell_apart(draft: Draft, dimension: Dimension) -> None:
    """Group by what is named, unless that is one sum or two other groups are asked for."""
    together = draft.open("+")
    draft.done(*together)
    asked = {draft.marks[place].value for place in draft.open("D")} | set(draft.group_by)
    if not together and len(asked | {dimension}) <= 2:  # noqa: PLR2004  two groups at most
        draft.named_groups.append(dimension)
