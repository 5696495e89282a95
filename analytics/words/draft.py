"""A question under construction: its marks, which of them have found their place, and what the
slots hold so far.
"""

import re
from collections.abc import Iterator

from analytics.query import Bucket, Dimension, Metric
from analytics.words.clock import Clock, Span
from analytics.words.marking import Mark
from analytics.words.refusal import refused

DONE = "."
"""The code of a mark that has found its place."""

Slice = tuple[int, int]


class Draft:
    """Slots that rules fill, and the marks they take them from."""

    def __init__(self, marks: tuple[Mark, ...], clock: Clock) -> None:
        self.marks = marks
        self.codes = "".join(mark.code for mark in marks)
        self.asked = self.codes
        self.clock = clock
        self.metrics: list[Metric] = []
        self.group_by: list[Dimension] = []
        self.named_groups: list[Dimension] = []
        self.bucket = Bucket.NONE
        self.filters: dict[tuple[Dimension, bool], list[str]] = {}
        self.span: Span | None = None
        self.compare: Span | None = None
        self.order: Metric | None = None
        self.descending: bool | None = None
        self.limit: int | None = None
        self.listing = False
        self.notes: list[str] = []
        named = dict.fromkeys(mark.value for mark in marks if mark.code == "G")
        self.aggregates = ["avg" if value == "average" else value for value in named]
        self.aggregate = next(iter(named), None)

    def matches(self, pattern: str) -> Iterator[Slice]:
        """Give where a pattern of codes stands, one after the other, as it is by then."""
        position = 0
        while match := re.compile(pattern).search(self.codes, position):
            position = match.end() + (match.end() == match.start())
            yield match.start(), match.end()
            if position > len(self.codes):
                return

    def has(self, codes: str) -> bool:
        """Say whether any of these codes is still open."""
        return any(code in codes for code in self.codes)

    def asked_for(self, codes: str) -> bool:
        """Say whether any of these codes was there at first."""
        return any(code in codes for code in self.asked)

    def done(self, *places: int) -> None:
        """Note that marks have found their place."""
        codes = list(self.codes)
        for place in places:
            codes[place] = DONE
        self.codes = "".join(codes)

    def open(self, codes: str) -> list[int]:
        """Give the places of open marks with these codes."""
        return [place for place, code in enumerate(self.codes) if code in codes]

    def group(self, dimension: Dimension) -> None:
        """Tell values of a dimension apart. Raises: Refused if these are too many."""
        if dimension in self.group_by:
            return
        if len(self.group_by) == 2:  # noqa: PLR2004  query.MOST_GROUPS
            raise refused("I can group by two things at most.", word=dimension)
        self.group_by.append(dimension)

    def cut(self, bucket: Bucket) -> None:
        """Cut time. Raises: Refused if it is cut already, in another way."""
        if self.bucket not in (Bucket.NONE, bucket):
            raise refused(f"By {self.bucket} or by {bucket}: one of them.", word=bucket)
        self.bucket = bucket

    def keep(self, dimension: Dimension, values: list[str], *, exclude: bool = False) -> None:
        """Filter by values of a dimension."""
        held = self.filters.setdefault((dimension, exclude), [])
        held += [value for value in values if value not in held]

    def measure(self, metric: Metric) -> None:
        """Ask for a metric."""
        if metric not in self.metrics:
            self.metrics.append(metric)
