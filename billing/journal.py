"""A workspace's journal in pages, the newest entry first, each with the balance after it.

The balance is the sum of all entries up to one, in the journal's order (time, id, seq); it is
worked out downwards from what the lots hold now, in one statement, so that a page adds up whatever
is written meanwhile. Amounts are µcr.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from django.core import signing
from django.db import connection

from billing.errors import CursorUnreadable
from billing.models.ledger import Entry
from billing.sql import read

ENTRY_KINDS = tuple(Entry.Kind.values)
MOST_ENTRIES = 200
_CURSOR_SALT = "billing.journal"
_SETTLED_AFTER = timedelta(minutes=2)
"""No transaction lasts longer, so nothing older than this is written any more: from here on a
cursor may carry the balance, and a page reads no entries above itself.
"""
_LAST_ID, _LAST_SEQ = UUID(int=2**128 - 1), 32767

_PAGE = read("journal_page")


class JournalQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries are asked for: of these kinds, from `since` up to and not including `until`."""

    kinds: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    request_id: UUID | None = None
    limit: int = 50
    cursor: str | None = None


class JournalEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry as its workspace sees it.

    `amount_ucr` is what the balance gained (negative: lost), `owed_ucr` what the debt did;
    `balance_ucr` is the balance after it, held credit included. `reference` names a payment.
    """

    request_id: UUID
    seq: int
    at: datetime
    kind: str
    amount_ucr: int
    owed_ucr: int
    balance_ucr: int
    reference: str | None


class JournalPage(msgspec.Struct, frozen=True, kw_only=True):
    """Entries, and the cursor of the next page; None on the last."""

    entries: tuple[JournalEntry, ...]
    next_cursor: str | None


class _Position(msgspec.Struct, frozen=True, kw_only=True):
    """A place in the journal, and the balance after the entry there where it is known for good."""

    at: datetime
    id: UUID
    seq: int
    balance_ucr: int | None = None


_NEWEST = _Position(at=datetime(9999, 1, 1, tzinfo=UTC), id=_LAST_ID, seq=_LAST_SEQ)
_OLDEST = datetime(1970, 1, 1, tzinfo=UTC)


def read_journal(workspace_id: int, question: JournalQuestion) -> JournalPage:
    """Read one page. Raises: CursorUnreadable."""
    known = _read_cursor(workspace_id, question.cursor)
    limit = max(1, min(question.limit, MOST_ENTRIES))
    rows = _rows(workspace_id, question, known, limit + 1)
    entries = tuple(_entry(row) for row in rows[:limit])
    if len(rows) <= limit:
        return JournalPage(entries=entries, next_cursor=None)
    return JournalPage(entries=entries, next_cursor=_write_cursor(workspace_id, entries[-1]))


def _rows(
    workspace_id: int, question: JournalQuestion, known: _Position, limit: int
) -> Sequence[tuple[Any, ...]]:
    start = known
    if question.until is not None and question.until <= known.at:
        # Strictly before `until`: no entry has the smallest id and this time.
        start = _Position(at=question.until, id=UUID(int=0), seq=-1)
    filters = " AND kind = ANY(%(kinds)s)" if question.kinds else ""
    filters += " AND id = %(request_id)s" if question.request_id else ""
    parameters: dict[str, Any] = {
        "wallet": workspace_id,
        "at": start.at,
        "id": start.id,
        "seq": start.seq,
        "known_at": known.at,
        "known_id": known.id,
        "known_seq": known.seq,
        "balance": known.balance_ucr,
        "since": question.since or _OLDEST,
        "kinds": list(question.kinds),
        "request_id": question.request_id,
        "limit": limit,
    }
    with connection.cursor() as cursor:
        cursor.execute(_PAGE.replace("/* filters */", filters), parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def _entry(row: tuple[Any, ...]) -> JournalEntry:
    at, request_id, seq, kind, debit, credit, amount, ref, balance = row
    gained = (credit == "wallet") - (debit == "wallet")
    owed = (debit == "receivable") - (credit == "receivable")
    return JournalEntry(
        request_id=request_id,
        seq=seq,
        at=at,
        kind=kind,
        amount_ucr=gained * amount,
        owed_ucr=owed * amount,
        balance_ucr=balance,
        reference=ref if kind in ("topup", "payout", "reinstatement") else None,
    )


def _write_cursor(workspace_id: int, last: JournalEntry) -> str:
    settled = last.at < datetime.now(UTC) - _SETTLED_AFTER
    position = _Position(
        at=last.at,
        id=last.request_id,
        seq=last.seq,
        balance_ucr=last.balance_ucr if settled else None,
    )
    text = msgspec.json.encode(position).decode()
    return signing.dumps([workspace_id, text], salt=_CURSOR_SALT)


def _read_cursor(workspace_id: int, cursor: str | None) -> _Position:
    if cursor is None:
        return _NEWEST
    try:
        owner, text = signing.loads(cursor, salt=_CURSOR_SALT)
    except signing.BadSignature as error:
        raise CursorUnreadable("This cursor is not one of ours.") from error
    if owner != workspace_id:
        raise CursorUnreadable("This cursor is not one of ours.")
    return msgspec.json.decode(text, type=_Position)
