"""Which part of a file a `Range` header asks for. Pure.

Source: RFC 9110 (June 2022), 14.1.2 and 14.2: a header that is no byte range, or asks for several
parts, may be passed over, and the whole is given.
"""

import re

from msgspec import Struct

from gateway.media.errors import RangeNotSatisfiable

_ONE_RANGE = re.compile(r"bytes=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*")


class Part(Struct, frozen=True):
    """`count` bytes from `first` on."""

    first: int
    count: int


def read_part(header: str | None, size_bytes: int) -> Part | None:
    """Read the header for a file of that size. Returns: None for the whole file.

    Raises: RangeNotSatisfiable.
    """
    found = _ONE_RANGE.fullmatch(header or "")
    if found is None:
        return None
    first, last = found.groups()
    if not first and not last:
        return None
    if not first:
        return _suffix(int(last), size_bytes)
    if last and int(last) < int(first):
        return None
    if int(first) >= size_bytes:
        raise RangeNotSatisfiable(size_bytes)
    end = min(int(last) + 1, size_bytes) if last else size_bytes
    return Part(int(first), end - int(first))


def _suffix(wanted: int, size_bytes: int) -> Part:
    if not wanted or not size_bytes:
        raise RangeNotSatisfiable(size_bytes)
    count = min(wanted, size_bytes)
    return Part(size_bytes - count, count)
