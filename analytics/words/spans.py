"""Rules about the time asked about, and the one it is compared with."""

from datetime import date, timedelta

from analytics.words.clock import Clock, Span, Unit, moved
from analytics.words.draft import Draft
from analytics.words.refusal import refused
from analytics.words.times import Time

_DEFAULT_DAYS = 30
_WEEK = 7


def spans(draft: Draft, start: int, end: int) -> None:
    """Give the question its time: the last 30 days if it names none. Raises: Refused."""
    places = draft.open("T")
    times = [time for time in (draft.marks[place].time for place in places) if time is not None]
    own = [time for time in times if time.shift is None]
    related = [time for time in times if time.shift is not None]
    if len(own) > 2 or len(related) > 1 or (len(own) == 2 and related):  # noqa: PLR2004
        raise refused("That is more than two times; ask about two at most.", word=times[-1].text)
    if len(own) == 2:  # noqa: PLR2004
        _two(draft, own)
    elif related:
        _shifted(draft, own, related[0])
    elif own and draft.codes[places[0] - 1 : places[0]] == "V":
        _against_the_present(draft, own[0])
    elif own:
        draft.span = own[0].span
    draft.done(*places)
    if draft.compare is not None:
        draft.done(*draft.open("VC"))
    if draft.span is None:
        draft.span = draft.clock.last(_DEFAULT_DAYS, "day")


def _two(draft: Draft, times: list[Time]) -> None:
    """Compare two periods: the later with the earlier, as a change is told."""
    if not draft.asked_for("VCxc") and _follow(draft, times):
        return
    if not draft.asked_for("VCxc"):
        both = " and ".join(time.text for time in times)
        raise refused(f'"{both}": one time, or two that are compared.', word=times[1].text)
    first, second = (time.span for time in times)
    assert first is not None and second is not None, "a time of its own has a span"
    if first == second:
        second = before(first, draft.clock)
    if first.rolling != second.rolling:
        raise refused("I can compare days with days, or hours with hours.", word=times[1].text)
    later, earlier = (first, second) if first.start > second.start else (second, first)
    draft.span, draft.compare = later, earlier


def _follow(draft: Draft, times: list[Time]) -> bool:
    """Read `in July and August` as both months; they follow each other."""
    first, second = (time.span for time in times)
    assert first is not None and second is not None, "a time of its own has a span"
    follow = first.end == second.start and not first.rolling and "T&T" in draft.asked
    if follow:
        draft.span = Span(first.start, second.end)
    return follow


def _shifted(draft: Draft, own: list[Time], related: Time) -> None:
    """Compare with the period before, or with the same one a week, month or year earlier."""
    if related.span is None and not draft.asked_for("VCxc"):
        raise refused(f'"{related.text}" compared with when?', word=related.text)
    draft.span = (own[0].span if own else None) or related.span
    draft.span = draft.span or draft.clock.last(_DEFAULT_DAYS, "day")
    if related.shift == "own" or related.shift is None:
        draft.compare = before(draft.span, draft.clock)
    else:
        draft.compare = _earlier(draft.span, related.shift)


def _against_the_present(draft: Draft, time: Time) -> None:
    """`more than last week`: the period that is named is the other one."""
    other = time.span
    assert other is not None, "a time of its own has a span"
    unit = None if other.rolling else unit_of(other, draft.clock)
    if unit is None or other.end > draft.clock.today:
        raise refused(f'"{time.text}" compared with when?', word=time.text)
    draft.span, draft.compare = draft.clock.calendar_unit(unit, 0), other


def unit_of(span: Span, clock: Clock) -> Unit | None:
    """Say whether days are one whole calendar unit."""
    units: tuple[Unit, ...] = ("day", "week", "month", "quarter", "year")
    for unit in units:
        whole = clock.start_of(unit, span.start) == span.start
        if whole and clock.bounded(span.start, moved(span.start, unit, 1)) == span:
            return unit
    return None


def before(span: Span, clock: Clock) -> Span:
    """Give the period before: the calendar unit before, else as long a one."""
    if span.rolling:
        return Span(span.start - (span.end - span.start), span.start)
    unit = unit_of(span, clock)
    if unit is not None:
        return Span(moved(span.start, unit, -1), span.start)
    return Span(span.start - (span.end - span.start), span.start)


def _earlier(span: Span, unit: Unit) -> Span:
    if span.rolling:
        days = {"day": 1, "week": _WEEK}.get(unit)
        if days is None:
            raise refused("Hours can be compared with those a day or a week before.", word=unit)
        return Span(span.start - timedelta(days=days), span.end - timedelta(days=days))
    return Span(_moved(span.start, unit), _moved(span.end, unit))


def _moved(day: date, unit: Unit) -> date:
    return moved(day, unit, -1)
