"""Percentiles from buckets: at most 2 % wrong. Merged, they are those of the union."""

import math
import random
from collections import Counter
from typing import Any

import pytest
from django.db import connection

from analytics.histograms import BOUNDS, bucket_of, count_by_bucket, middle_of, percentile

COUNT_BITS = 22
MOST_IN_ENTRY = 2**COUNT_BITS - 1
HOUR_MS = 3_600_000


def ask(query: str, *parameters: Any) -> Any:
    """Ask PostgreSQL for one value."""
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return cursor.fetchone()[0]


def entries_of(times_ms: list[int]) -> list[int]:
    """Make a histogram with an entry for each time."""
    return [bucket_of(time_ms) << COUNT_BITS | 1 for time_ms in times_ms]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("share", [0.5, 0.95, 0.99, 1.0])
def test_percentiles_are_at_most_2_percent_wrong(seed: int, share: float) -> None:
    chance = random.Random(seed)  # noqa: S311  no secret
    highest = chance.choice([30, 900, 60_000, HOUR_MS])
    times = sorted(chance.randrange(1, highest) for _ in range(chance.randrange(1, 3000)))
    true = times[math.ceil(share * len(times)) - 1]
    found = percentile(entries_of(times), share)
    assert found is not None
    assert abs(found - true) <= 0.02 * true


def test_no_time_is_represented_by_one_that_is_further_off_than_2_percent() -> None:
    worst = max(
        max(abs(middle_of(b) - edge) / edge for edge in (BOUNDS[b - 1], BOUNDS[b] - 1))
        for b in range(1, len(BOUNDS))
    )
    assert round(worst, 12) == 0.02
    assert [middle_of(b) for b in range(1, 25)] == list(range(1, 25))


def test_edges() -> None:
    assert percentile([], 0.5) is None
    assert percentile(entries_of([700]), 0.99) == middle_of(bucket_of(700))
    assert bucket_of(0) == bucket_of(1) == 1
    assert bucket_of(10 * HOUR_MS) == len(BOUNDS) == 312
    assert middle_of(312) == BOUNDS[-1] >= HOUR_MS


def test_postgresql_has_the_same_buckets_and_middles(db: None) -> None:
    assert ask("SELECT analytics.latency_bounds()") == list(BOUNDS)
    times = [0, 1, 24, 25, 26, 27, 999, 59_999, HOUR_MS, BOUNDS[-1] - 1, BOUNDS[-1], 2**31 - 1]
    found = ask("SELECT array_agg(analytics.latency_bucket(t)) FROM unnest(%s::int[]) t", times)
    assert found == [bucket_of(time_ms) for time_ms in times]
    assert ask("SELECT analytics.latency_bucket(NULL)") is None
    middles = ask("SELECT array_agg(analytics.latency_of_bucket(b)) FROM generate_series(1, 312) b")
    assert middles == [middle_of(bucket) for bucket in range(1, 313)]


@pytest.mark.parametrize("seed", range(4))
def test_merging_is_the_histogram_of_the_union_in_any_order(db: None, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  no secret
    one, other, third = (
        entries_of([chance.randrange(100_000) for _ in range(chance.randrange(200))])
        for _ in range(3)
    )
    add = "analytics.add_histograms"
    left = ask(f"SELECT {add}({add}(%s::int[], %s), %s)", one, other, third)
    right = ask(f"SELECT {add}(%s::int[], {add}(%s::int[], %s))", one, third, other)
    union = count_by_bucket(one + other + third)
    for found in (left, right):
        assert count_by_bucket(found) == union


def test_a_count_beyond_an_entry_is_split_and_not_clamped(db: None) -> None:
    full = 7 << COUNT_BITS | MOST_IN_ENTRY
    found = ask("SELECT analytics.merge_histogram(%s)", [full, full, full, 3 << COUNT_BITS | 5])
    assert count_by_bucket(found) == Counter({7: 3 * MOST_IN_ENTRY, 3: 5})
    assert len(found) == 4
    assert ask("SELECT analytics.merge_histogram(%s)", found) == found


def test_nothing_merged_is_nothing(db: None) -> None:
    assert ask("SELECT analytics.merge_histogram(NULL)") is None
    assert ask("SELECT analytics.add_histograms(NULL, NULL)") is None
    assert ask("SELECT analytics.add_histograms(NULL, ARRAY[5])") == [5]
    assert ask("SELECT analytics.add_histograms(ARRAY[5], NULL)") == [5]
