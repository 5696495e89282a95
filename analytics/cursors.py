"""Where the next page begins, as text for clients: the snapshot of the first page is in it, so that
pages neither repeat nor miss anything while rows arrive.

It is no secret and needs no signature: a changed one shows the same workspace's rows, or is
refused.
"""

import base64
import binascii
import hashlib
import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec

from analytics.errors import QueryRefused
from analytics.query import QuerySpec, Range

LONGEST_LIFE = timedelta(hours=1)
"""How long an earlier snapshot is asked for: what came since is counted off row by row."""
_SNAPSHOT = re.compile(r"[0-9]{1,19}:[0-9]{1,19}:(?:[0-9]{1,19}(?:,[0-9]{1,19}){0,999})?")
_MOST_ROWS_BEFORE = 10_000_000
_ANY_MOMENT = datetime(2000, 1, 1, tzinfo=UTC)


class Place(msgspec.Struct, frozen=True, kw_only=True, array_like=True, forbid_unknown_fields=True):
    """What a cursor holds. `row`: how many rows came before;
    `after`: the last of them, in a list. `last_user_number`: see AsOf."""

    digest: str
    read_at: datetime
    snapshot: str
    last_user_number: int
    row: int
    after: tuple[datetime, UUID] | None
    range: Range
    compare: Range | None


_decoder = msgspec.json.Decoder(Place)


def write_cursor(place: Place) -> str:
    """Write it as one word."""
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def read_cursor(text: str, digest: str, now: datetime) -> Place:
    """Read a cursor of the question with this digest. Raises: QueryRefused."""
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        place = _decoder.decode(base64.urlsafe_b64decode(padded))
    except (UnicodeEncodeError, binascii.Error, msgspec.DecodeError) as error:
        raise _refused("no cursor of ours") from error
    if place.digest != digest:
        raise _refused("it belongs to another question, or another workspace")
    whole = _SNAPSHOT.fullmatch(place.snapshot) and 0 <= place.row <= _MOST_ROWS_BEFORE
    if not whole or place.read_at.tzinfo is None or place.last_user_number < 0:
        raise _refused("no cursor of ours")
    if not now - LONGEST_LIFE <= place.read_at <= now:
        raise _refused("older than an hour; ask again")
    return place


def digest_of(spec: QuerySpec, workspace_id: int, question: str) -> str:
    """Give what a cursor is bound to."""
    moments = msgspec.structs.replace(
        spec,
        start=_ANY_MOMENT,
        end=_ANY_MOMENT,
        compare=None,
    )
    asked = question or msgspec.json.encode(moments).decode()
    return hashlib.sha256(f"{workspace_id}\n{asked}".encode()).hexdigest()[:24]


def _refused(why: str) -> QueryRefused:
    return QueryRefused(f"cursor: {why}.", details={"param": "cursor"})
