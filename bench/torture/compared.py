"""Is the database what the oracle says? Connections that drop, and every row of one wallet."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from django.db import connection

from bench.torture.oracle import PAST, Wallet
from billing.queries import read_balance
from gateway.reconcile import find_violations

Execute = Callable[..., Any]

_LOTS = """
SELECT kind, paid, priority, granted, held, remaining, expires_at <= now()
FROM ledger.lot WHERE wallet_id = %s ORDER BY id
"""
_HOLDS = """
SELECT h.id::text, array_agg(h.amount ORDER BY h.seq)::bigint[], min(h.markup_bp)
FROM ledger.hold h WHERE h.wallet_id = %s GROUP BY h.id
"""
_ACCOUNTS = """
SELECT account, sum(amount)::bigint FROM ledger.ledger_posting WHERE wallet_id = %s GROUP BY account
"""
_WALLET = "SELECT owed, frozen FROM ledger.wallet WHERE id = %s"
_USAGE = """
SELECT (SELECT COALESCE(sum(charge_ucr), 0) FROM usage WHERE workspace_id = %(id)s)
     - (SELECT COALESCE(sum(amount), 0) FROM ledger.correction WHERE wallet_id = %(id)s),
       (SELECT count(*) FROM usage WHERE workspace_id = %(id)s AND request_count > 0)
"""


_LEFT = """
SELECT (SELECT count(*) FROM ledger.correction WHERE wallet_id = %(id)s),
       (SELECT count(*) FROM ledger.lot
        WHERE wallet_id = %(id)s AND live AND expires_at <= now() AND remaining > held)
"""


class Different(AssertionError):
    """The database and the oracle do not agree."""


def compare(workspace_id: int, wallet: Wallet) -> None:
    """Compare every lot, hold, account and total of one wallet. Raises: Different."""
    found = _state_in_database(workspace_id)
    expected = _state_in_memory(wallet)
    for name, value in expected.items():
        if found[name] != value:
            raise Different(f"{name}: the database has {found[name]}, the oracle {value}")


def complain() -> None:
    """Ask for every broken invariant of the whole database. Raises: Different."""
    violations = find_violations()
    if violations:
        raise Different("; ".join(f"{found.source}: {found.text}" for found in violations[:5]))


class Dropper:
    """Closes the connection when so many statements have run. `dropped`: it has."""

    def __init__(self, statements: int) -> None:
        self.dropped = False
        self._left = statements

    def __call__(self, execute: Execute, *arguments: Any) -> Any:  # noqa: ANN401  what it gives
        """Run a statement, as Django's wrappers do."""
        result = execute(*arguments)
        self._left -= 1
        if self._left == 0:
            drop()
            self.dropped = True
        return result


def complain_of_leftovers(workspace_id: int) -> None:
    """Ask for what the sweeps should have taken, where nobody else sweeps. Raises: Different."""
    [left] = _rows(_LEFT, {"id": workspace_id})
    if left != (0, 0):
        raise Different(f"after the sweeps: {left[0]} corrections, {left[1]} expired lots")


@contextlib.contextmanager
def dropped_after(statements: int) -> Iterator[Dropper]:
    """Close the connection when so many statements have run: what is not committed then is lost."""
    dropper = Dropper(statements)
    with connection.execute_wrapper(dropper):
        yield dropper


def drop() -> None:
    """Close the connection under Django's hands, as a network does."""
    if connection.connection is not None:
        connection.connection.close()


def _state_in_database(workspace_id: int) -> dict[str, Any]:
    lots = _rows(_LOTS, [workspace_id])
    owed, frozen = _rows(_WALLET, [workspace_id])[0]
    charged, calls = _rows(_USAGE, {"id": workspace_id})[0]
    accounts = dict(_rows(_ACCOUNTS, [workspace_id]))
    usable = accounts.pop("wallet", 0) + accounts.pop("expired", 0)
    balance = read_balance(workspace_id)
    return {
        # What has expired may be booked already or not: the sweep may run at any time.
        "lots": [(*row[:5], row[4] if row[6] else row[5], row[6]) for row in lots],
        "wallet": (owed, frozen),
        "holds": sorted(_rows(_HOLDS, [workspace_id])),
        "balance": (balance.available_ucr, balance.held_ucr),
        "accounts": {name: amount for name, amount in accounts.items() if amount},
        "wallet and expired": usable,
        "usage": int(charged),
        "usage rows": calls,
    }


def _state_in_memory(wallet: Wallet) -> dict[str, Any]:
    lots = [
        (
            lot.kind,
            lot.paid,
            lot.priority,
            lot.granted,
            lot.held,
            lot.held if lot.expires == PAST else lot.remaining,
            lot.expires == PAST,
        )
        for lot in wallet.lots
    ]
    open_calls = [(id, call) for id, call in wallet.calls.items() if call.state == "open"]
    accounts = {name: amount for name, amount in wallet.accounts.items() if amount}
    if wallet.owed:
        accounts["receivable"] = -wallet.owed
    return {
        "lots": lots,
        "wallet": (wallet.owed, wallet.frozen),
        "holds": sorted(
            (id, [amount for _, amount in call.parts], call.markup_bp) for id, call in open_calls
        ),
        "balance": (wallet.available, sum(lot.held for lot in wallet.lots)),
        "accounts": accounts,
        "wallet and expired": sum(lot.remaining for lot in wallet.lots),
        "usage": wallet.accounts["revenue"],
        "usage rows": wallet.usage_rows,
    }


def _rows(query: str, parameters: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401  psycopg's own
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return list(cursor.fetchall())
