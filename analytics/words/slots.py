"""From marks to slots. A rule is a pattern over the marks' codes (marking.CODES) and what to do
with what it finds. Rules run in order; a mark that none of them took ends in a refusal.
"""

from collections.abc import Callable

from analytics.words import groups, items, measures
from analytics.words.draft import Draft
from analytics.words.refusal import refused
from analytics.words.spans import spans

_Rule = Callable[[Draft, int, int], None]

_JOIN = "[.,&/V]*[,&/V][.,&/V]*"
_RULES: tuple[tuple[str, _Rule], ...] = (
    (f"D[{items.ITEM}]", items.drop_nouns),
    (f"[{items.ITEM}]D", items.drop_nouns),
    ("Q|l#|l[SOL]*M|q[#SOLI]*S|qa[SOLI]*M|q[SOLI]*S|q[^.]*MS|aS+M|WM.*S|WS[OL]*M", items.listed),
    ("XM", items.without_errors),
    ("![SO]", items.exclude),
    (f"X[{items.ITEM}](?:[,&/]+[NOSL])*", items.exclude),
    (f"[{items.ITEM}](?:{_JOIN}[{items.ITEM}])+", items.several),
    ("N.*?N", items.spread),
    (f"B(?=[{items.ITEM}])", groups.by_item),
    ("M[OSL]?B?[OSL]?N?M|RD?BM", measures.per_request),
    ("[BZ][HG]*[MI]", measures.sorted_by),
    ("Z", groups.directed),
    ("W[#ROSLM]*[DK]", groups.which),
    ("B+[DKA](?:[,&B]+[DK])*", groups.by),
    ("R#|#[ROSLM]*(?=[RDK])", groups.numbered),
    ("P", groups.who),
    ("oD", groups.nothing_apart),
    ("[CqQaZ][OSLGM]*D(?:[,&]D)?", groups.noun),
    ("ND", groups.noun_of_item),
    ("D[MUI]", groups.noun),
    (r"^\.*D", groups.first_noun),
    ("A", groups.adverb),
    ("[NOSL]", items.single),
    ("[MI](?:[,&V]+[Hhq]*G?[MI])+", measures.joined),
    ("I", measures.images),
    ("M", measures.measured),
    ("R", groups.ranked),
    ("U", measures.used),
    ("^", spans),
    ("c", measures.compared),
    ("x", measures.changed),
)
_NEEDS_A_PLACE = "DKOSLGRcxBZPVX/!+#NTlUMIAC"
"""Marks that must have found theirs; `which` and `how many` may stand for nothing more."""


def fill(draft: Draft) -> None:
    """Fill the slots from all marks. Raises: Refused."""
    for pattern, rule in _RULES:
        for start, end in draft.matches(pattern):
            rule(draft, start, end)
    for dimension in draft.named_groups:
        draft.group(dimension)
    if not draft.metrics and not draft.listing:
        measures.unnamed(draft)
    _let_go(draft)
    left = draft.open(_NEEDS_A_PLACE)
    if left:
        text = draft.marks[left[0]].text
        raise refused(f'I do not see what "{text}" asks for here.', word=text)
    if not draft.metrics and not draft.listing:
        raise refused("What shall I count: cost, requests, errors, tokens, response time?")


def _let_go(draft: Draft) -> None:
    """Drop `compare` and `versus` once two things are told apart."""
    if draft.named_groups or draft.compare is not None or draft.group_by:
        draft.done(*draft.open("C"))
    if draft.listing:
        draft.done(*draft.open("qQaW"))
