"""What the database says after a case: every acknowledged call recorded once, and charged once."""

import time
from types import TracebackType
from typing import Self

from bench.stack import Stack

_COUNTS = """
SELECT (SELECT count(*) FROM usage WHERE status = 'succeeded'),
       (SELECT coalesce(sum(charge_ucr), 0) FROM usage),
       (SELECT count(*) FROM ledger.entry WHERE kind = 'usage' AND seq = 0),
       (SELECT coalesce(sum(amount), 0) FROM ledger.entry WHERE kind = 'usage'),
       (SELECT count(*) FROM ledger.hold)
"""
_SETTLED_WITHIN_S = 10


class Books:
    """The books before and after a block, against what the callers were told (`expect`)."""

    def __init__(self, stack: Stack) -> None:
        self.faults: list[str] = []
        self._stack = stack
        self._before: tuple[int, ...] = ()
        self._expected = 0

    def __enter__(self) -> Self:
        """Read the books."""
        self._before = self._read()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Read them again when no hold is open any more, and note what does not add up."""
        if error is not None:
            return
        deadline = time.monotonic() + _SETTLED_WITHIN_S
        after = self._read()
        while after[4] and time.monotonic() < deadline:
            time.sleep(0.1)
            after = self._read()
        rows, charged, entries, moved = (
            now - then for now, then in zip(after[:4], self._before[:4], strict=True)
        )
        if rows != self._expected:
            self.faults.append(f"{self._expected} calls acknowledged, {rows} usage rows")
        if entries != rows:
            self.faults.append(f"{rows} usage rows, {entries} usage entries in the ledger")
        if charged != moved:
            self.faults.append(f"usage says {charged} µcr were charged, the ledger {moved}")
        if after[4]:
            self.faults.append(f"{after[4]} holds left open")

    def expect(self, calls: int) -> None:
        """Say how many calls were acknowledged as good inside the block."""
        self._expected += calls

    def _read(self) -> tuple[int, ...]:
        with self._stack.connect() as connection:
            row = connection.execute(_COUNTS).fetchone()
            assert row is not None
            return tuple(int(str(value)) for value in row)


def reconcile(stack: Stack) -> list[str]:
    """Run the product's own check of every invariant. Returns: what it found."""
    process = stack.popen("-m", "django", "reconcile")
    printed, _ = process.communicate()
    if process.returncode == 0:
        return []
    return [f"reconcile: {line}" for line in printed.decode().splitlines()[-5:]]
