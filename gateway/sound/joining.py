"""Join the parts of one speech: no click, no gap, no rush."""

import math
from array import array
from collections.abc import Iterable
from typing import Final

from gateway.sound.formats import SAMPLE_BYTES, bytes_of

_LEAD_MS: Final = 30
_TRAIL_MS: Final = 220
_FADE_MS: Final = 8
_BLOCK_MS: Final = 5
_QUIET: Final = 66
"""Samples below this are silence: 54 dB under full scale, where voices have only their noise."""


class Joiner:
    """Join parts as their samples come: feed a part, `next_part`, feed the next, and `finish`.

    Of the silence at a seam, 220 ms of the part before and 30 ms of the one after stay, a natural
    pause between sentences; over 8 ms one fades into the other at equal power. What stands before
    the first part's speech is cut to 30 ms likewise; what is inside a part stays as it is. Holds
    back the silence at the end and the 8 ms before it, as they may be a seam.
    """

    def __init__(self, *, sample_rate: int) -> None:
        self._block = bytes_of(_BLOCK_MS, sample_rate)
        self._lead = bytes_of(_LEAD_MS, sample_rate)
        self._trail = bytes_of(_TRAIL_MS, sample_rate)
        self._fade = bytes_of(_FADE_MS, sample_rate)
        self._before = b""
        """The end of the parts before, which fades into this one."""
        self._held = bytearray()
        self._seen = 0
        self._loud_end = 0
        """Behind this, and up to what was seen, `_held` is silence."""
        self._begun = False

    def feed(self, pcm: bytes) -> bytes:
        """Take samples of the part, cut anywhere; give what no seam can change any more."""
        self._held += pcm
        self._look()
        if not self._begun and not self._begin(self._fade):
            return b""
        ready = self._loud_end - self._fade
        if ready <= 0:
            return b""
        given = bytes(self._held[:ready])
        self._forget(ready)
        return given

    def next_part(self) -> None:
        """End the part: what is fed now belongs to the next one. A silent part leaves nothing."""
        self._end()
        self._held.clear()
        self._seen = self._loud_end = 0
        self._begun = False

    def finish(self) -> bytes:
        """End the last part and give the rest, with at most the pause of a seam behind it."""
        self.next_part()
        rest, self._before = self._before, b""
        fade = min(self._fade, len(rest))
        return _faded(rest, bytes(fade), fade)

    def _look(self, least: int | None = None) -> None:
        """Look where the sound ends; silence before the first sound is cut on the way."""
        block = least or self._block
        while len(self._held) - self._seen >= block:
            step = min(self._block, len(self._held) - self._seen) // SAMPLE_BYTES * SAMPLE_BYTES
            if not _quiet(self._held[self._seen : self._seen + step]):
                if not self._loud_end and not self._begun:
                    self._forget(max(0, self._seen - self._lead))
                self._loud_end = self._seen + step
            self._seen += step
        if not self._loud_end and not self._begun:
            self._forget(max(0, self._seen - self._lead))

    def _begin(self, least: int) -> bool:
        """Fade the part before into this one. False while there is no sound, or too little."""
        if not self._loud_end or len(self._held) < least:
            return False
        self._begun = True
        held = bytes(self._held)
        before = self._before or bytes(min(self._fade, len(held)))
        shared = min(self._fade, len(before), len(held)) // SAMPLE_BYTES * SAMPLE_BYTES
        added = len(before) - shared
        self._held = bytearray(_faded(before, held, shared))
        self._seen += added
        self._loud_end += added
        self._before = b""
        return True

    def _end(self) -> None:
        self._look(SAMPLE_BYTES)
        if self._begun or self._begin(SAMPLE_BYTES):
            self._before = bytes(self._held[: self._loud_end + self._trail])
            self._before = self._before[: len(self._before) // SAMPLE_BYTES * SAMPLE_BYTES]

    def _forget(self, count: int) -> None:
        del self._held[:count]
        self._seen -= count
        self._loud_end = max(0, self._loud_end - count)


def join(parts: Iterable[bytes], *, sample_rate: int) -> bytes:
    """Join whole parts."""
    joiner = Joiner(sample_rate=sample_rate)
    made: list[bytes] = []
    for part in parts:
        made.append(joiner.feed(part))
        joiner.next_part()
    return b"".join(made) + joiner.finish()


def _quiet(block: bytearray) -> bool:
    samples = array("h", bytes(block))
    return max(samples) < _QUIET and min(samples) > -_QUIET


def _faded(before: bytes, after: bytes, shared: int) -> bytes:
    """Lay the end of one over the beginning of the other, `shared` bytes long."""
    out = array("h", before[len(before) - shared :])
    into = array("h", after[:shared])
    for at, leaving in enumerate(out):
        angle = math.pi / 2 * (at + 0.5) / len(out)
        sample = leaving * math.cos(angle) + into[at] * math.sin(angle)
        into[at] = max(-32768, min(32767, round(sample)))
    return before[: len(before) - shared] + into.tobytes() + after[shared:]
