"""Retire what is past its time of usage and cubes: raw months only if their seals equal the ledger.

By the owner of the database, whose right alone it is to take a table away; `manage.py
analytics_retire` calls this, no process that serves does.
"""

from datetime import date
from typing import Any

import psycopg

from analytics.partitions import Kept, Part, Refused, due, retire, seal

_BROKEN_SEALS = """
SELECT count(*), min(workspace_id) FROM public.seal_violations WHERE month = %s
"""


def retire_due(
    owner: psycopg.Connection[tuple[Any, ...]], *, kept: Kept, today: date
) -> list[Part]:
    """Retire each month that is due, the oldest first. Safe twice. Returns: which.

    `owner` is in autocommit. Raises: Refused, and then the earlier ones are gone and this one is
    as it was.
    """
    done = []
    for part in due(owner, kept=kept, today=today):
        if part.table == "usage":
            seal(owner, part)
            _check_ledger(owner, part)
        retire(owner, part)
        done.append(part)
    return done


def _check_ledger(owner: psycopg.Connection[tuple[Any, ...]], part: Part) -> None:
    found = owner.execute(_BROKEN_SEALS, [part.month]).fetchone()
    assert found is not None
    if found[0]:
        raise Refused(
            f"{part.month:%Y-%m}: usage and ledger differ in {found[0]} workspaces, the first is "
            f"{found[1]}; see manage.py reconcile."
        )
