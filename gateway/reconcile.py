"""Does everything still add up? Reads the violation views; an empty answer is the only good one."""

import msgspec
from django.db import connection

_VIEWS = {
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
    with connection.cursor() as cursor:
        for source, query in _VIEWS.items():
            cursor.execute(query)
            names = [column.name for column in cursor.description or ()]
            for row in cursor.fetchall():
                text = ", ".join(f"{name}={value}" for name, value in zip(names, row, strict=True))
                found.append(Violation(source=source, text=text))
    return found
