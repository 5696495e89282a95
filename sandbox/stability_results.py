"""What Stability's double has begun and not yet shown: by an id, for its key, for a while.

Source: Stability's OpenAPI document of Feb 2025, `/v2beta/results/{id}`: 202 while it runs, 404 for
another's key and when it has expired, after 24 hours.
"""

import hashlib
import os
import time
from dataclasses import dataclass

from sandbox.faults import Faults
from sandbox.stability_images import Picture

RUNNING_MS = 150
_LIFE_S = 24 * 3600.0
_MOST_KEPT = 256
_RUN = os.urandom(16).hex()


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A picture that is there from a moment to another, in seconds of the monotonic clock."""

    key: str
    picture: Picture
    faults: Faults
    ready_at: float
    gone_at: float


class Results:
    """The last results, by their ids."""

    def __init__(self) -> None:
        self._kept: dict[str, Result] = {}

    def begin(self, number: int, key: str, picture: Picture, faults: Faults) -> str:
        """Keep a picture until it may be seen. Returns: its id, 64 hexadecimal digits."""
        now = time.monotonic()
        running_ms = RUNNING_MS if faults.running_ms is None else faults.running_ms
        ready_at = now + running_ms / 1000
        life_s = _LIFE_S if faults.expire_ms is None else faults.expire_ms / 1000
        found = hashlib.sha256(f"{_RUN}{number}".encode()).hexdigest()
        while len(self._kept) >= _MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[found] = Result(
            key=key, picture=picture, faults=faults, ready_at=ready_at, gone_at=ready_at + life_s
        )
        return found

    def find(self, result_id: str, key: str) -> Result | None:
        """Give what was begun with this key; None if there is nothing, or nothing any more."""
        result = self._kept.get(result_id)
        if result is None or result.key != key or time.monotonic() >= result.gone_at:
            return None
        return result

    @staticmethod
    def is_ready(result: Result) -> bool:
        """Tell whether it is done."""
        return time.monotonic() >= result.ready_at
