"""Ids that sort by time (uuid version 7) and ids of outside events (uuid version 5).

Source: RFC 9562 (May 2024), 5.7 for the layout. Python 3.11 has no uuid7.
"""

import os
import time
import uuid

_STUDIO_NAMESPACE = uuid.UUID("6f3b9c52-5d0e-5a3c-9a58-2f6d1a7f6b10")
_RANDOM_BYTES = 10
_POOL_BYTES = 400 * _RANDOM_BYTES


class _RandomPool:
    """Random bytes of the operating system, fetched for some hundred ids at a time.

    A system call for each id was 2 % of a chat's processor time. A forked child starts with an
    empty pool, so that no two processes make the same ids.
    """

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        os.register_at_fork(after_in_child=self._pieces.clear)

    def take(self) -> bytes:
        """Give 10 bytes that nobody else was given. Threads may ask at once."""
        while True:
            try:
                return self._pieces.pop()
            except IndexError:
                fetched = os.urandom(_POOL_BYTES)
                self._pieces += [
                    fetched[start : start + _RANDOM_BYTES]
                    for start in range(0, _POOL_BYTES, _RANDOM_BYTES)
                ]


_take_random = _RandomPool().take


def new_id() -> uuid.UUID:
    """Make a uuid version 7: 48 bits of Unix milliseconds, 74 random bits."""
    milliseconds = time.time_ns() // 1_000_000
    random_bits = int.from_bytes(_take_random(), "big")
    value = milliseconds << 80
    value |= 0x7 << 76
    value |= (random_bits >> 62 & 0xFFF) << 64
    value |= 0b10 << 62
    value |= random_bits & ((1 << 62) - 1)
    return uuid.UUID(int=value)


def new_id_text() -> str:
    """Make a uuid version 7 as text, as `new_id` does, without building an object for it."""
    milliseconds = time.time_ns() // 1_000_000
    digits = _take_random().hex()
    variant = "89ab"[int(digits[3], 16) & 3]
    return (
        f"{milliseconds >> 16:08x}-{milliseconds & 0xFFFF:04x}-7{digits[:3]}"
        f"-{variant}{digits[4:7]}-{digits[7:19]}"
    )


def event_id(economic_key: str) -> uuid.UUID:
    """Derive the id of an outside event from its economic key (`stripe:pi_…`): the same key, the
    same id.
    """
    return uuid.uuid5(_STUDIO_NAMESPACE, economic_key)
