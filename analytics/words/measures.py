"""Rules about what is counted."""

from analytics.query import Bucket, Metric
from analytics.words.draft import Draft
from analytics.words.items import dimension_of, values_of
from analytics.words.marking import Mark
from analytics.words.refusal import refused

_USAGE = (Metric.REQUESTS, Metric.TOKENS, Metric.CHARGE)
_NOUNS = ("requests", "usage")
"""Beside another metric these only say what it is of: `cost of requests`, `usage of tokens`."""
_VERBS = frozenset(("spend", "spent", "spends", "burn", "burned", "burnt", "charged", "billed"))
_COUNTABLE = frozenset(
    ("tokens", "input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens")
    + ("images", "characters", "seconds")
)
"""`how many tokens did bob spend`: of these, spending is only using."""
_TIMED = ("latency", "first_byte")


def metric_named(draft: Draft, value: str) -> Metric:
    """Give the metric of a word; times take the average or percentile that the question names."""
    aggregate = draft.aggregate
    if value in _TIMED:
        draft.done(*draft.open("G"))
        kind = "avg" if aggregate in (None, "average") else aggregate
        return Metric(f"{value}_{kind}")
    if aggregate == "average" and value in ("charge", "charge_per_request"):
        draft.done(*draft.open("G"))
        return Metric.CHARGE_PER_REQUEST
    return Metric(value)


def per_request(draft: Draft, start: int, end: int) -> None:
    """`average cost of a chat request`: pieces that the lexicon does not know as one."""
    money, noun = draft.marks[start], draft.marks[end - 1]
    if money.value.endswith(" charge") and noun.value == "requests" and not noun.plural:
        draft.measure(Metric.CHARGE_PER_REQUEST)
        draft.done(end - 2, end - 1)
        return
    per = draft.aggregate == "average" or "B" in draft.codes[start:end]
    per = per or money.text == "how expensive"
    if per and money.value == "charge" and noun.value == "requests" and not noun.plural:
        draft.done(*draft.open("G"))
        draft.measure(Metric.CHARGE_PER_REQUEST)
        draft.done(*[place for place in range(start, end) if draft.codes[place] in "MB"])


def sorted_by(draft: Draft, start: int, end: int) -> None:
    """`top 5 apps by cost`, `sorted by latency`: the metric, and the order by it."""
    if draft.marks[start].code == "B" and not draft.marks[start].text.endswith("by"):
        return
    metric = _metrics_of(draft, draft.marks[end - 1])[0]
    draft.measure(metric)
    draft.order = metric
    draft.done(*range(start, end))


def images(draft: Draft, start: int, end: int) -> None:
    """`how many images` counts them, `spend on images` keeps to requests for them."""
    counted = start > 0 and draft.asked[start - 1] == "H"
    if not draft.listing and (counted or not draft.asked_for("MU") and not draft.metrics):
        draft.measure(Metric.IMAGES)
    else:
        mark = draft.marks[start]
        draft.keep(dimension_of(mark), values_of(mark))
    draft.done(start)


def joined(draft: Draft, start: int, end: int) -> None:
    """`requests and cost`, `errors, tokens and how many images`."""
    for place in range(start, end):
        if draft.codes[place] in "MI":
            for metric in _metrics_of(draft, draft.marks[place]):
                draft.measure(metric)
    draft.done(*range(start, end))


def measured(draft: Draft, start: int, end: int) -> None:
    """One metric. The noun `requests` beside another only says what that is of."""
    mark = draft.marks[start]
    others = [other for other in draft.open("M") if draft.marks[other].value not in _NOUNS]
    metrics = _metrics_of(draft, mark)
    counted = {draft.marks[other].value for other in others} | set(draft.metrics)
    if mark.text in _VERBS and counted & _COUNTABLE:
        draft.done(start)
        return
    if mark.value in _NOUNS and (others or draft.metrics):
        draft.done(start)
        return
    if draft.metrics and not set(metrics) <= set(draft.metrics):
        raise refused(f'I do not see how "{mark.text}" goes with the rest.', word=mark.text)
    for metric in metrics:
        draft.measure(metric)
    draft.done(start)


def used(draft: Draft, start: int, end: int) -> None:
    """`how much did alice use`: usage, if nothing else is counted."""
    if not draft.metrics and not draft.asked_for("MR"):
        for metric in _USAGE:
            draft.measure(metric)
    draft.done(start)


def unnamed(draft: Draft) -> None:
    """Give what is meant where no metric is named: `p95 by model` are times, `what failed` are
    requests.
    """
    if draft.has("G") and draft.aggregate != "average":
        for kind in draft.aggregates:
            draft.measure(Metric(f"latency_{kind}"))
        draft.done(*draft.open("G"))
    elif draft.asked_for("S"):
        draft.measure(Metric.REQUESTS)


def compared(draft: Draft, start: int, end: int) -> None:
    """`slower than`, `more expensive than`."""
    mark = draft.marks[start]
    if draft.compare is None and not draft.asked_for("VC/"):
        raise refused(f'"{mark.text}" than what?', word=mark.text)
    if mark.value and not draft.metrics:
        draft.measure(metric_named(draft, mark.value))
    draft.done(start)


def changed(draft: Draft, start: int, end: int) -> None:
    """`how did spend change from September to October`."""
    mark = draft.marks[start]
    if draft.compare is None and draft.bucket is Bucket.NONE and not draft.named_groups:
        raise refused(f'"{mark.text}": from when to when? Say which two periods.', word=mark.text)
    draft.done(start)


def _metrics_of(draft: Draft, mark: Mark) -> tuple[Metric, ...]:
    if mark.code == "I":
        return (Metric.IMAGES,)
    if mark.value == "usage":
        return _USAGE
    if mark.value in _TIMED and len(draft.aggregates) > 1:
        draft.done(*draft.open("G"))
        return tuple(Metric(f"{mark.value}_{kind}") for kind in draft.aggregates)
    return tuple(metric_named(draft, value) for value in mark.value.split())
