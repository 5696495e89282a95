"""Does everything still add up? All of it, or what was written since it last did.

`find_violations` reads the views, over all of the journal. `reconcile_since_last` asks the same
questions (the same text) of what transactions have written since the last clean check; the sums of
lots and debts go on from those that were kept then. What it takes for granted is that nobody has
changed an entry or a usage row from before, which only the check of everything sees.
"""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from django.db import OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper

from analytics.sql import read as read_of_analytics
from billing.sql import read as read_of_billing
from studio.core.sql_files import read_sql_file

_SQL = Path(__file__).resolve().parent / "sql"
# The views read all of the journal; a request's time would not do for a big one.
_PATIENCE = "SET LOCAL statement_timeout = '9min'; SET LOCAL lock_timeout = '1min'"
_MOST = 1_000
_VIEWS = {
    "guards": f"SELECT * FROM ledger.ledger_guard_violations LIMIT {_MOST}",  # noqa: S608  our own
    "ledger": f"SELECT * FROM ledger.ledger_violations LIMIT {_MOST}",  # noqa: S608  our own
    "usage": f"SELECT * FROM usage_violations LIMIT {_MOST}",  # noqa: S608  our own
    "cubes": f"SELECT * FROM analytics.cube_violations LIMIT {_MOST}",  # noqa: S608  our own
    "seals": f"SELECT * FROM seal_violations LIMIT {_MOST}",  # noqa: S608  our own
    "jobs": f"SELECT * FROM job_violations LIMIT {_MOST}",  # noqa: S608  our own
    "inputs": f"SELECT * FROM input_violations LIMIT {_MOST}",  # noqa: S608  our own
}
_CALLS_LAST = timedelta(hours=2)
"""Longer than a call lives; one with a hold is looked at however old it is."""

_NOW = """
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint + o.value,
       pg_snapshot_xmax(pg_current_snapshot())::text::bigint + o.value, now()
FROM (SELECT COALESCE(
  NULLIF(current_setting('studio.transaction_id_offset', true), '')::bigint, 0)) o (value)
"""
_LAST = "SELECT transaction_id, at FROM reconciled_to"
_LAST_LOCKED = "SELECT transaction_id, at FROM reconciled_to FOR UPDATE NOWAIT"
_REMEMBER = "UPDATE reconciled_to SET transaction_id = %(upto)s, at = %(at)s"
_OLDEST_AGE = 2**31 - 1


def _recent(scope: str, checks: str) -> str:
    """Put together what is looked at and the questions, whose own `%` are no parameters."""
    question = checks.replace("%", "%%")
    return f"SELECT * FROM (WITH {scope}, {question}) v LIMIT {_MOST}"  # noqa: S608  our own files


def _whole(query: str) -> str:
    """Put together a question that is in one file, with what it looks at."""
    return f"SELECT * FROM (WITH {query}) v LIMIT {_MOST}"  # noqa: S608  our own files


def _read(name: str) -> str:
    return read_sql_file(_SQL / f"{name}.sql")


_RECENT = {
    "ledger": _recent(_read("recent_entries"), read_of_billing("ledger_checks")),
    "usage": _recent(_read("recent_calls"), _read("usage_checks")),
    "cubes": _whole(read_of_analytics("recent_cube_checks")),
    "jobs": _recent(_read("recent_jobs"), _read("job_checks")),
    "inputs": _VIEWS["inputs"],  # few are kept at any time
}
_KEEP_ALL = _read("reconciled_all")
_KEEP_SINCE = _read("reconciled_since")


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """One broken invariant: which view found it, and its row as words."""

    source: str
    text: str


class AlreadyReconciling(Exception):
    """Another check holds what was last in order."""


class _Moment(msgspec.Struct, frozen=True):
    """What is over: all transactions below `upto`; none has begun from `end` on."""

    upto: int
    end: int
    at: datetime


def find_violations() -> list[Violation]:
    """Check every invariant that SQL can check, at most 1 000 findings per view."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_PATIENCE)
        return _find(cursor, _VIEWS, {})


def reconcile_all() -> list[Violation]:
    """Check everything; if it is in order, later checks may begin here."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_PATIENCE)
        # Before the questions, so that these see all that the moment says is over.
        moment = _moment(cursor)
        found = _find(cursor, _VIEWS, {})
        if not found:
            cursor.execute(f"{_LAST} FOR UPDATE")
            _keep(cursor, _KEEP_ALL, moment, {"upto": moment.upto})
        return found


def reconcile_since_last() -> list[Violation]:
    """Check what was written since everything was last in order; everything, if it never was.

    What is found is found again each time, until it is mended: a check with findings is no new
    beginning. Raises: AlreadyReconciling.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LAST)
        if cursor.fetchone() == (None, None):
            return reconcile_all()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_PATIENCE)
        since, at = _lock_last(cursor)
        moment = _moment(cursor)
        parameters: dict[str, object] = {
            "since": since,
            "begun": at - _CALLS_LAST,
            # `age` counts from our own transaction, which the lock has given a number.
            "age": min(_OLDEST_AGE, moment.end - since),
        }
        found = _find(cursor, {"guards": _VIEWS["guards"]}, {}) + _find(cursor, _RECENT, parameters)
        if not found:
            _keep(cursor, _KEEP_SINCE, moment, {"since": since, "upto": moment.upto})
        return found


def _lock_last(cursor: CursorWrapper) -> tuple[int, datetime]:
    try:
        cursor.execute(_LAST_LOCKED)
    except OperationalError as error:
        raise AlreadyReconciling("Another check is under way.") from error
    since, at = cursor.fetchone()
    return since, at


def _moment(cursor: CursorWrapper) -> _Moment:
    cursor.execute(_NOW)
    return _Moment(*cursor.fetchone())


def _keep(cursor: CursorWrapper, sums: str, moment: _Moment, parameters: dict[str, Any]) -> None:
    for statement in sums.split(";\n"):
        cursor.execute(statement, parameters)
    cursor.execute(_REMEMBER, {"upto": moment.upto, "at": moment.at})


def _find(
    cursor: CursorWrapper, queries: dict[str, str], parameters: dict[str, Any]
) -> list[Violation]:
    found: list[Violation] = []
    for source, query in queries.items():
        cursor.execute(query, parameters or None)
        names = [column.name for column in cursor.description or ()]
        for row in cursor.fetchall():
            text = ", ".join(f"{name}={value}" for name, value in zip(names, row, strict=True))
            found.append(Violation(source=source, text=text))
    return found
