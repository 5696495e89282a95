"""How often this process may try again: at most a fifth of its recent calls, and a few for free.

Without a bound a provider's bad minute would be met with twice the load, and every call's second
try would wait behind it.
"""

import time
from collections.abc import Callable

WINDOW_S = 10
_SHARE_PERCENT = 20
_FREE_RETRIES = 10
"""In ten seconds, so that a gateway with little to do can fail over too."""


class RecentCounts:
    """Calls, and those of them that are marked, over the last ten seconds; a second is a slot."""

    __slots__ = ("_calls", "_clock", "_marked", "_second")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._second = 0
        self._calls = [0] * WINDOW_S
        self._marked = [0] * WINDOW_S

    def count_call(self) -> None:
        """Count a call into the present second."""
        self._calls[self._slot()] += 1

    def count_mark(self) -> None:
        """Count a mark into the present second."""
        self._marked[self._slot()] += 1

    def sums(self) -> tuple[int, int]:
        """Give how many calls there were, and how many of them are marked."""
        self._slot()
        return sum(self._calls), sum(self._marked)

    def clear(self) -> None:
        """Forget everything."""
        self._calls = [0] * WINDOW_S
        self._marked = [0] * WINDOW_S

    def _slot(self) -> int:
        second = int(self._clock())
        if second != self._second:
            for passed in range(max(self._second, second - WINDOW_S) + 1, second + 1):
                self._calls[passed % WINDOW_S] = self._marked[passed % WINDOW_S] = 0
            self._second = second
        return second % WINDOW_S


class RetryBudget:
    """What of the last ten seconds' calls may be spent on trying again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._recent = RecentCounts(clock)

    def count_call(self) -> None:
        """Count a call when it is first sent."""
        self._recent.count_call()

    def spend(self) -> bool:
        """Take one retry; False if there is none left."""
        calls, retries = self._recent.sums()
        if retries >= _FREE_RETRIES + calls * _SHARE_PERCENT // 100:
            return False
        self._recent.count_mark()
        return True
