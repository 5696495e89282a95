"""The ledger's functions over a connection of the test's own."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg

from studio.core.ids import new_id

Row = tuple[Any, ...]
Connection = psycopg.Connection[Row]

HOLD = """SELECT verdict, available FROM ledger.ledger_hold(
  %s::bigint[], %s::uuid[], %s::bigint[], %s::int[], %s::int[], %s::int[]) ORDER BY n"""
SETTLE = """SELECT verdict, fresh, charged, available FROM ledger.ledger_settle(
  %s::bigint[], %s::uuid[], %s::text[], %s::bigint[], %s::bigint[]) ORDER BY n"""
CREDIT = """SELECT verdict, available FROM ledger.ledger_credit(
  %s, %s, %s, %s, %s::smallint, now() + %s * interval '1 second', 'test')"""
REFUND = "SELECT verdict, available, refundable FROM ledger.ledger_refund(%s, %s, %s, %s)"
PAYOUT = "SELECT verdict, available FROM ledger.ledger_payout(%s, %s, %s, %s, %s)"
REINSTATE = "SELECT verdict, available FROM ledger.ledger_reinstate(%s, %s, %s, %s)"
ADJUST = """SELECT verdict, available FROM ledger.ledger_adjust(
  %s, %s, %s, %s, %s::smallint, 'infinity', 'test')"""
FREEZE = "SELECT ledger.ledger_freeze(%s, %s, 'test')"
UNFREEZE = "SELECT verdict, frozen FROM ledger.ledger_unfreeze(%s, %s, 'test')"
ETERNITY_S = 10**9


@dataclass(frozen=True, slots=True)
class LedgerClient:
    """One connection in autocommit; each method is one statement, so one transaction."""

    connection: Connection

    def hold(
        self, wallet: int, *calls: tuple[UUID, int], seconds: int = 60
    ) -> list[tuple[str, int]]:
        """Hold (id, amount) pairs in one batch. Returns: (verdict, available) of each."""
        return self.hold_many([(wallet, *call) for call in calls], seconds=seconds)

    def hold_many(
        self, items: Sequence[tuple[int, UUID, int]], *, seconds: int = 60
    ) -> list[tuple[str, int]]:
        """Hold (wallet, id, amount) in one batch, price version 1, markup 0."""
        size = len(items)
        wallets, ids, amounts = ([item[k] for item in items] for k in range(3))
        columns = [wallets, ids, amounts, [seconds] * size, [1] * size, [0] * size]
        return [(row[0], row[1]) for row in self.connection.execute(HOLD, columns)]

    def settle(self, wallet: int, *ends: tuple[UUID, str, int]) -> list[Row]:
        """Settle (id, kind, charge). Returns: (verdict, fresh, charged, available) of each."""
        return self.settle_many([(wallet, *end) for end in ends])

    def settle_many(self, items: Sequence[tuple[int, UUID, str, int]]) -> list[Row]:
        """Settle (wallet, id, kind, charge) in one batch, at no cost."""
        wallets, ids, kinds, charges = ([item[k] for item in items] for k in range(4))
        columns = [wallets, ids, kinds, charges, [0] * len(items)]
        return self.connection.execute(SETTLE, columns).fetchall()

    def credit(
        self,
        wallet: int,
        amount: int,
        *,
        kind: str = "promo",
        id: UUID | None = None,
        priority: int = 100,
        seconds: float = ETERNITY_S,
    ) -> Row:
        """Credit a lot that expires in `seconds`. Returns: (verdict, available)."""
        parameters = [wallet, id or uuid.uuid4(), kind, amount, priority, seconds]
        return one(self.connection, CREDIT, *parameters)

    def refund(self, wallet: int, call: UUID, amount: int, ref: str = "refund") -> Row:
        """Refund a call. Returns: (verdict, available, refundable)."""
        return one(self.connection, REFUND, wallet, call, amount, ref)

    def pay_out(
        self, wallet: int, top_up: UUID, amount: int, ref: str = "payout", *, force: bool = False
    ) -> Row:
        """Pay out a top-up. Returns: (verdict, available)."""
        return one(self.connection, PAYOUT, wallet, top_up, amount, ref, force)

    def reinstate(self, wallet: int, top_up: UUID, amount: int, ref: str = "won") -> Row:
        """Take a payout back. Returns: (verdict, available)."""
        return one(self.connection, REINSTATE, wallet, top_up, amount, ref)

    def adjust(
        self, wallet: int, amount: int, *, paid: bool, id: UUID | None = None, priority: int = 100
    ) -> Row:
        """Adjust paid or given credit. Returns: (verdict, available)."""
        return one(self.connection, ADJUST, wallet, id or uuid.uuid4(), amount, paid, priority)

    def freeze(self, wallet: int, id: UUID) -> str:
        """Freeze for one reason. Returns: the verdict."""
        return str(one(self.connection, FREEZE, wallet, id)[0])

    def unfreeze(self, wallet: int, id: UUID) -> Row:
        """Lift one reason. Returns: (verdict, frozen)."""
        return one(self.connection, UNFREEZE, wallet, id)

    def take_corrections(self, limit: int = 100) -> list[Row]:
        """Empty the outbox. Returns: (wallet, call, amount) of each."""
        query = "SELECT wallet_id, call_id, amount FROM ledger.ledger_take_corrections(%s)"
        return self.connection.execute(query, [limit]).fetchall()

    def lots(self, wallet: int) -> list[Row]:
        """Read (kind, paid, remaining, held) of a wallet's live lots, in burn order."""
        query = """SELECT kind, paid, remaining, held FROM ledger.lot WHERE wallet_id = %s AND live
                   ORDER BY priority, expires_at, id"""
        return self.connection.execute(query, [wallet]).fetchall()

    def extend(self, wallet: int, *ids: UUID, seconds: int) -> list[bool]:
        """Extend holds. Returns: whether each is open."""
        query = "SELECT extended FROM ledger.ledger_extend(%s::bigint[], %s::uuid[], %s) ORDER BY n"
        rows = self.connection.execute(query, [[wallet] * len(ids), list(ids), seconds])
        return [row[0] for row in rows]

    def held(self, wallet: int, amount: int, *, seconds: int = 60) -> UUID:
        """Hold for a new call. Returns: its id."""
        call = new_id()
        ((verdict, _),) = self.hold(wallet, (call, amount), seconds=seconds)
        assert verdict == "held"
        return call

    def charged(self, wallet: int, charge: int, *, held: int | None = None) -> UUID:
        """Charge a call of `held`, or of its very charge. Returns: its id."""
        call = self.held(wallet, held or charge)
        ((verdict, fresh, taken, _),) = self.settle(wallet, (call, "usage", charge))
        assert (verdict, fresh, taken) == ("usage", True, charge)
        return call

    def topped_up(self, wallet: int, amount: int) -> UUID:
        """Top up. Returns: the id of the top-up."""
        event = uuid.uuid4()
        assert self.credit(wallet, amount, kind="topup", id=event)[0] == "credited"
        return event

    def sweep_holds(self, limit: int = 100) -> int:
        """Run one sweep. Returns: how many lapsed."""
        return int(one(self.connection, "SELECT ledger.ledger_sweep_holds(%s)", limit)[0])

    def sweep_lots(self, limit: int = 100) -> int:
        """Run one sweep. Returns: how many lots it booked."""
        return int(one(self.connection, "SELECT ledger.ledger_sweep_lots(%s)", limit)[0])

    def balance(self, wallet: int) -> tuple[int, int, int]:
        """Read (available, held, owed)."""
        query = (
            """SELECT available_ucr, held_ucr, owed_ucr FROM billing_wallet WHERE wallet_id = %s"""
        )
        available, held, owed = one(self.connection, query, wallet)
        return available, held, owed

    def journal(self, wallet: int, call: UUID | None = None) -> list[Row]:
        """Read (kind, debit, credit, amount) of a wallet's entries, or of one group, in order."""
        query = """SELECT kind, debit, credit, amount FROM ledger.entry
                   WHERE wallet_id = %s AND id = COALESCE(%s, id) ORDER BY at, id, seq"""
        return self.connection.execute(query, [wallet, call]).fetchall()

    def everything(self, wallet: int) -> tuple[list[Row], ...]:
        """Read all rows of a wallet, to show that nothing moved."""
        queries = (
            "SELECT t::text FROM ledger.wallet t WHERE id = %s",
            "SELECT t::text FROM ledger.lot t WHERE wallet_id = %s ORDER BY id",
            "SELECT t::text FROM ledger.hold t WHERE wallet_id = %s ORDER BY id, seq",
            "SELECT t::text FROM ledger.entry t WHERE wallet_id = %s ORDER BY id, seq",
            "SELECT t::text FROM ledger.wallet_freeze t WHERE wallet_id = %s ORDER BY id",
            "SELECT t::text FROM ledger.correction t WHERE wallet_id = %s ORDER BY call_id, at",
        )
        return tuple(self.connection.execute(query, [wallet]).fetchall() for query in queries)


def one(connection: Connection, query: str, *parameters: Any) -> Row:
    """Run a query that gives one row."""
    row = connection.execute(query, parameters).fetchone()
    assert row is not None
    return row


def violations(connection: Connection) -> list[Row]:
    """Read everything that is wrong with the ledger."""
    return connection.execute("SELECT * FROM ledger.ledger_violations").fetchall()


def sum_of_accounts(connection: Connection) -> int:
    """Sum all legs of all entries: 0, to the µcr."""
    return int(one(connection, "SELECT COALESCE(sum(amount), 0) FROM ledger.ledger_posting")[0])


def new_wallet(owner: Connection, *, status: str = "active") -> int:
    """Make a workspace; the trigger makes its wallet."""
    query = """INSERT INTO accounts_workspace (name, tier_id, status) VALUES (%s, 'managed', %s)
               RETURNING id"""
    return int(one(owner, query, f"ledger {uuid.uuid4()}", status)[0])
