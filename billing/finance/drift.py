"""Providers' bills that are too far from our recorded cost, for whoever is told of alerts."""

from datetime import timedelta

from django.utils import timezone

from billing.finance.invoices import Match, read_matches
from billing.finance.periods import Month
from billing.finance.snapshot import books_snapshot

_MONTHS = 3


def find_drift() -> list[Match]:
    """Find the rows above the limit, of this month and the two before it (UTC)."""
    month = Month(first=timezone.now().date().replace(day=1))
    found: list[Match] = []
    with books_snapshot():
        for _ in range(_MONTHS):
            found += [match for match in read_matches(month) if match.drifts]
            month = Month(first=(month.first - timedelta(days=1)).replace(day=1))
    return found
