"""Does everything still add up? Reads the violation views; an empty answer is the only good one."""

import msgspec
from django.db import connection, transaction

# The views read all of the journal; a request's time would not do for a big one.
_PATIENCE = "SET LOCAL statement_timeout = '9min'"
_VIEWS = {
    "guards": "SELECT * FROM ledger.ledger_guard_violations LIMIT 1000",
    "ledger": "SELECT * FROM ledger.ledger_violations LIMIT 1000",
    "usage": "SELECT * FROM usage_violations LIMIT 1000",
}


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """One broken invariant: which view found it, and its row as words."""

    source: str
    text: str


def find_violations() -> list[Violation]:
    """Check every invariant that SQL can check, at most 1 000 findings per view."""
    found: list[Violation] = []
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_PATIENCE)
        for source, query in _VIEWS.items():
            cursor.execute(query)
            names = [column.name for column in cursor.description or ()]
            for row in cursor.fetchall():
                text = ", ".join(f"{name}={value}" for name, value in zip(names, row, strict=True))
                found.append(Violation(source=source, text=text))
    return found
