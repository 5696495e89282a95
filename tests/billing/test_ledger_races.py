"""Many connections at once, each in a thread of its own, on a real database with real commits."""

# ruff: noqa: S311  chance, not secrets

import random
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from studio.core.ids import new_id
from tests.billing.conftest import Connect
from tests.billing.ledger_client import (
    Connection,
    LedgerClient,
    Row,
    new_wallet,
    one,
    sum_of_accounts,
    violations,
)

T = TypeVar("T")


def race(connect: Connect, work: Sequence[Callable[[LedgerClient], T]]) -> list[T]:
    """Run each piece of work on a connection of its own, all from the same moment."""
    clients = [connect() for _ in work]
    start = Barrier(len(work))

    def run(client: LedgerClient, piece: Callable[[LedgerClient], T]) -> T:
        start.wait()
        return piece(client)

    with ThreadPoolExecutor(len(work)) as pool:
        return list(pool.map(run, clients, work))


def test_32_connections_hold_exactly_what_the_wallet_has(
    connect: Connect, owner: Connection, wallet: int
) -> None:
    connect().credit(wallet, 5000)

    def single(client: LedgerClient) -> int:
        verdicts = [client.hold(wallet, (new_id(), 1))[0][0] for _ in range(40)]
        return verdicts.count("held")

    def batches(client: LedgerClient) -> int:
        held = 0
        for _ in range(6):
            verdicts = client.hold(wallet, *[(new_id(), 1) for _ in range(64)])
            held += sum(verdict == "held" for verdict, _ in verdicts)
        return held

    held = race(connect, [single] * 16 + [batches] * 16)
    assert sum(held) == 5000
    assert connect().balance(wallet) == (0, 5000, 0)
    assert violations(owner) == []


def test_racing_repeats_of_a_hold_hold_once(connect: Connect, wallet: int) -> None:
    connect().credit(wallet, 10_000)
    ids = [new_id() for _ in range(50)]

    def hold_all(client: LedgerClient) -> Counter[str]:
        shuffled = random.sample(ids, len(ids))
        verdicts: Counter[str] = Counter()
        for start in range(0, len(ids), 10):
            batch = [(call, 7) for call in shuffled[start : start + 10]]
            verdicts.update(verdict for verdict, _ in client.hold(wallet, *batch))
        return verdicts

    assert sum(race(connect, [hold_all] * 32), Counter()) == {"held": 50, "open": 31 * 50}
    assert connect().balance(wallet) == (10_000 - 350, 350, 0)


def test_racing_settles_end_a_call_once_and_every_loser_learns_how(
    connect: Connect, owner: Connection, wallet: int
) -> None:
    client = connect()
    client.credit(wallet, 10_000)
    ids = [client.held(wallet, 100) for _ in range(50)]

    def settle_all(client: LedgerClient) -> list[tuple[UUID, Row]]:
        outcomes = []
        for call in random.sample(ids, len(ids)):
            end = random.choice([("void", 0), ("usage", random.randrange(101))])
            outcomes.append((call, client.settle(wallet, (call, *end))[0]))
        return outcomes

    outcomes = [outcome for found in race(connect, [settle_all] * 32) for outcome in found]
    charged = 0
    for call in ids:
        verdicts = [row for found, row in outcomes if found == call]
        assert sum(fresh for _, fresh, _, _ in verdicts) == 1
        assert len({(verdict, charge) for verdict, _, charge, _ in verdicts}) == 1
        charged += verdicts[0][2]
    assert client.balance(wallet) == (10_000 - charged, 0, 0)
    assert violations(owner) == []


def test_racing_deliveries_of_a_top_up_credit_once(connect: Connect, wallet: int) -> None:
    event = uuid.uuid4()
    verdicts = race(
        connect, [lambda client: client.credit(wallet, 500, kind="topup", id=event)] * 16
    )
    assert Counter(verdicts) == {("credited", 500): 1, ("replay", 500): 15}


def test_batches_over_the_same_wallets_in_any_order_do_not_deadlock(
    connect: Connect, owner: Connection
) -> None:
    wallets = [new_wallet(owner) for _ in range(12)]
    client = connect()
    for wallet in wallets:
        client.credit(wallet, 10**9)

    def mixed(client: LedgerClient) -> int:
        done = 0
        for _ in range(15):
            calls = [(wallet, new_id()) for wallet in random.sample(wallets, len(wallets))]
            client.hold_many([(wallet, call, 10) for wallet, call in calls])
            random.shuffle(calls)
            verdicts = client.settle_many([(*call, "usage", 4) for call in calls])
            done += sum(fresh for _, fresh, _, _ in verdicts)
        return done

    assert sum(race(connect, [mixed] * 12)) == 12 * 15 * 12
    assert {client.balance(wallet) for wallet in wallets} == {(10**9 - 12 * 15 * 4, 0, 0)}


class Customer:
    """A thread's random mix: holds, settles, extends, credits, sweeps."""

    def __init__(self, client: LedgerClient, wallets: list[int], seed: int) -> None:
        self.client = client
        self.wallets = wallets
        self.random = random.Random(seed)
        self.open: list[tuple[int, UUID, int]] = []

    def act(self) -> None:
        """Do one thing."""
        actions = [self.hold, self.hold, self.settle, self.settle, self.extend, self.promo]
        self.random.choice([*actions, self.sweep])()

    def hold(self) -> None:
        """Hold a batch; some holds are over at once."""
        items = [
            (self.random.choice(self.wallets), new_id(), self.random.randrange(1, 200))
            for _ in range(self.random.randrange(1, 30))
        ]
        verdicts = self.client.hold_many(items, seconds=self.random.choice([1, 60]))
        pairs = zip(items, verdicts, strict=True)
        self.open += [item for item, (verdict, _) in pairs if verdict == "held"]

    def settle(self) -> None:
        """Settle some of what is open."""
        self.random.shuffle(self.open)
        batch, self.open = self.open[:20], self.open[20:]
        ends = []
        for wallet, call, amount in batch:
            kind = self.random.choice(["usage", "usage", "void"])
            charge = self.random.randrange(3 * amount) if kind == "usage" else 0
            ends.append((wallet, call, kind, charge))
        for verdict, fresh, _, _ in self.client.settle_many(ends):
            assert fresh or verdict == "lapse"

    def extend(self) -> None:
        """Extend one call."""
        if self.open:
            wallet, call, _ = self.random.choice(self.open)
            self.client.extend(wallet, call, seconds=75)

    def promo(self) -> None:
        """Credit something, mostly short-lived."""
        self.client.credit(
            self.random.choice(self.wallets),
            self.random.randrange(1, 2000),
            kind=self.random.choice(["promo", "topup"]),
            priority=self.random.choice([10, 100]),
            seconds=self.random.choice([0, 0.05, 0.3, 600]),
        )

    def sweep(self) -> None:
        """Sweep both."""
        self.client.sweep_holds(50)
        self.client.sweep_lots(50)


def test_a_random_mix_leaves_no_violation_and_every_account_sums_to_zero(
    connect: Connect, owner: Connection
) -> None:
    wallets = [new_wallet(owner) for _ in range(8)]
    seed = random.randrange(2**32)

    def live(number: int) -> Callable[[LedgerClient], None]:
        def run(client: LedgerClient) -> None:
            customer = Customer(client, wallets, seed + number)
            for _ in range(150):
                customer.act()

        return run

    def watch(client: LedgerClient) -> None:
        for _ in range(5):
            assert violations(client.connection) == [], f"seed {seed}"

    race(connect, [*(live(number) for number in range(16)), watch])
    assert violations(owner) == [], f"seed {seed}"
    assert sum_of_accounts(owner) == 0
    kinds = owner.execute(
        "SELECT DISTINCT kind, debit FROM ledger.entry WHERE wallet_id = ANY(%s)", [wallets]
    )
    assert {("usage", "wallet"), ("usage", "receivable"), ("expiry", "wallet")} <= set(kinds)


def test_a_killed_connection_leaves_all_of_a_batch_or_nothing(
    connect: Connect, owner: Connection, wallet: int
) -> None:
    client = connect()
    client.credit(wallet, 1000)
    victim = connect()
    pid = victim.connection.info.backend_pid
    with owner.transaction():
        owner.execute("SELECT FROM ledger.wallet WHERE id = %s FOR UPDATE", [wallet])
        calls = [(new_id(), 10) for _ in range(20)]
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(victim.hold, wallet, *calls)
            while one(owner, "SELECT cardinality(pg_blocking_pids(%s))", pid) == (0,):
                assert not waiting.done()
            # A role may end sessions of its own.
            assert one(client.connection, "SELECT pg_terminate_backend(%s)", pid) == (True,)
            assert isinstance(waiting.exception(), psycopg.errors.AdminShutdown)
    assert client.balance(wallet) == (1000, 0, 0)
    assert client.hold(wallet, *calls)[-1] == ("held", 800)


def test_every_function_waits_for_the_wallet_before_it_touches_anything(
    ledger: LedgerClient, owner: Connection, wallet: int
) -> None:
    top_up = ledger.topped_up(wallet, 100)
    over = ledger.charged(wallet, 10)
    ledger.pay_out(wallet, top_up, 1, "a")
    call = ledger.held(wallet, 10)
    for table in ("hold", "lot"):
        query = sql.SQL("UPDATE ledger.{} SET expires_at = now() WHERE wallet_id = %s")
        owner.execute(query.format(sql.Identifier(table)), [wallet])
    ledger.connection.execute("SET lock_timeout = '20ms'")
    before = ledger.everything(wallet)
    with owner.transaction():
        owner.execute("SELECT FROM ledger.wallet WHERE id = %s FOR UPDATE", [wallet])
        # A heartbeat passes by a locked wallet, so that one does not hold up the others.
        assert ledger.extend(wallet, call, seconds=60) == [False]
        actions: list[Callable[[], object]] = [
            lambda: ledger.hold(wallet, (new_id(), 1)),
            lambda: ledger.settle(wallet, (call, "usage", 1)),
            lambda: ledger.credit(wallet, 1),
            lambda: ledger.refund(wallet, over, 1),
            lambda: ledger.pay_out(wallet, top_up, 1, "b", force=True),
            lambda: ledger.reinstate(wallet, top_up, 1),
            lambda: ledger.adjust(wallet, -1, paid=True),
            lambda: ledger.freeze(wallet, uuid.uuid4()),
            lambda: ledger.unfreeze(wallet, uuid.uuid4()),
            ledger.sweep_holds,
            ledger.sweep_lots,
        ]
        for action in actions:
            with pytest.raises(psycopg.errors.LockNotAvailable):
                action()
    assert ledger.everything(wallet) == before
