"""Times as histograms that add up: the same buckets as `sql/histograms.sql`, for what Python reads.

312 buckets of whole milliseconds, exact to 24 ms, then at most 2 % wrong, up to an hour; what took
longer is in the last. An entry is bucket << 22 | count; a histogram is a multiset of them.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable

_HOUR_MS = 3_600_000
_COUNT_BITS = 22
_COUNT_MASK = (1 << _COUNT_BITS) - 1


def _bounds() -> tuple[int, ...]:
    found = [1]
    while found[-1] < _HOUR_MS:
        found.append(max(found[-1] + 1, found[-1] * 102 // 98 + 1))
    return tuple(found)


BOUNDS = _bounds()
"""The lowest time of each bucket, in ms; bucket 1 is the first."""


def bucket_of(time_ms: int) -> int:
    """Find the bucket of a time."""
    return bisect_right(BOUNDS, max(time_ms, 1))


def middle_of(bucket: int) -> float:
    """Give the time, in ms, that stands for a bucket: none of its times is further off than 2 %.

    The last bucket has no end; its lowest time stands for it.
    """
    lowest = BOUNDS[bucket - 1]
    highest = BOUNDS[bucket] - 1 if bucket < len(BOUNDS) else lowest
    return 2.0 * lowest * highest / (lowest + highest)


def count_by_bucket(entries: Iterable[int]) -> Counter[int]:
    """Add up the entries of one histogram, or of several behind each other."""
    counts: Counter[int] = Counter()
    for entry in entries:
        counts[entry >> _COUNT_BITS] += entry & _COUNT_MASK
    return counts


def percentile(entries: Iterable[int], share: float) -> float | None:
    """Give the time, in ms, that so large a share (0 to 1) did not exceed; None of no entries."""
    counts = count_by_bucket(entries)
    rank = share * counts.total()
    passed = 0
    for bucket in sorted(counts):
        passed += counts[bucket]
        if passed >= rank:
            return middle_of(bucket)
    return None
