"""Races of real processes for the same money: whoever comes first, the sums are the same."""

# ruff: noqa: S311  chance, not secrets

import random
import uuid
from collections import Counter
from typing import Any

from billing import money_requests
from studio.core.ids import new_id
from tests.billing.ledger_client import HOLD, PAYOUT, REFUND, SETTLE, Connection, LedgerClient
from tests.billing.ledger_client import violations as violations_of
from tests.billing.people import LIMIT_UCR, make_customer, make_staff
from tests.billing.racers import Race, race
from tests.databases import Database, django_on

PROCESSES = 6
Statement = tuple[str, list[Any]]


def go(database: Database, *work: list[Statement]) -> list[list[Any]]:
    """Let one process do each list of statements, all at once."""
    return race([Race(url=database.app_url, statements=statements) for statements in work])


def one_hold(wallet: int, amount: int) -> Statement:
    return HOLD, [[wallet], [str(new_id())], [amount], [60], [1], [0]]


def test_racing_refunds_never_exceed_the_charge(
    ledger: LedgerClient, owner: Connection, ledger_database: Database, wallet: int
) -> None:
    ledger.credit(wallet, 600)
    call = ledger.charged(wallet, 300)
    work = [
        [(REFUND, [wallet, str(call), 10, f"{number}-{n}"]) for n in range(20)]
        for number in range(PROCESSES)
    ]
    found = Counter(row[0] for rows in go(ledger_database, *work) for row in rows)
    assert found == {"refunded": 30, "too_much": PROCESSES * 20 - 30}
    assert ledger.balance(wallet) == (600, 0, 0)
    assert violations_of(owner) == []


def test_the_same_refund_by_many_is_one(
    ledger: LedgerClient, owner: Connection, ledger_database: Database, wallet: int
) -> None:
    ledger.credit(wallet, 600)
    call = ledger.charged(wallet, 300)
    work = [(REFUND, [wallet, str(call), 7, f"ticket {n}"]) for n in range(20)]
    results = go(ledger_database, *[random.sample(work, len(work)) for _ in range(PROCESSES)])
    found = Counter(row[0] for rows in results for row in rows)
    assert found == {"refunded": 20, "replay": (PROCESSES - 1) * 20}
    assert ledger.balance(wallet) == (300 + 140, 0, 0)
    assert violations_of(owner) == []


def test_racing_payouts_and_holds_share_what_there_is(
    ledger: LedgerClient, owner: Connection, ledger_database: Database, wallet: int
) -> None:
    top_up = ledger.topped_up(wallet, 1000)
    holds = [[one_hold(wallet, 10) for _ in range(40)] for _ in range(PROCESSES // 2)]
    payouts = [
        [(PAYOUT, [wallet, str(top_up), 10, f"{number}-{n}", False]) for n in range(40)]
        for number in range(PROCESSES // 2)
    ]
    found = Counter(row[0] for rows in go(ledger_database, *holds, *payouts) for row in rows)
    assert found["held"] + found["paid_out"] == 100
    assert set(found) <= {"held", "paid_out", "insufficient"}
    assert ledger.balance(wallet) == (0, 10 * found["held"], 0)
    assert violations_of(owner) == []


def test_disputes_race_settles_and_nothing_is_lost(
    ledger: LedgerClient, owner: Connection, ledger_database: Database, wallet: int
) -> None:
    top_ups = [ledger.topped_up(wallet, 100) for _ in range(10)]
    calls = [ledger.held(wallet, 40) for _ in range(25)]
    settles: list[list[Statement]] = [
        [
            (SETTLE, [[wallet], [str(call)], ["usage"], [30], [0]])
            for call in random.sample(calls, len(calls))
        ]
        for _ in range(PROCESSES // 2)
    ]
    disputes: list[list[Statement]] = [
        [
            (PAYOUT, [wallet, str(top_up), 100, "dispute", True])
            for top_up in random.sample(top_ups, len(top_ups))
        ]
        for _ in range(PROCESSES // 2)
    ]
    results = go(ledger_database, *settles, *disputes)
    found = Counter(row[0] for rows in results for row in rows)
    assert found["paid_out"] == 10
    settled = sum(row[1] is True for rows in results[: PROCESSES // 2] for row in rows)
    assert settled == 25
    available, held, owed = ledger.balance(wallet)
    # 1 000 came in, 1 000 went back, 750 was used: whoever came first, we are owed the rest.
    assert (held, owed - available) == (0, 750)
    assert violations_of(owner) == []


def test_racing_approvals_move_the_money_once(fresh_database: Database) -> None:
    with django_on(fresh_database):
        customer = make_customer("Races of approvals")
        ann, bob, eve = (make_staff(name) for name in ("ann", "bob", "eve"))
        ids = [
            money_requests.grant_credit(
                workspace_id=customer.id,
                amount_ucr=LIMIT_UCR + 1,
                reason="goodwill",
                staff=ann,
                key=f"case {number}",
            ).request_id
            for number in range(10)
        ]
        assert customer.available_ucr == 0
        people = [bob.pk, eve.pk, bob.pk, ann.pk]
        races = [
            Race(
                url=fresh_database.app_url,
                approvals=[(str(id), person) for id in random.sample(ids, len(ids))],
            )
            for person in people
        ]
        results = race(races)
        found = Counter(word for words in results[:3] for word in words)
        assert found == {"executed": 10, "AlreadyDecided": 20}
        assert set(results[3]) <= {"SecondPersonNeeded", "AlreadyDecided"}
        assert customer.available_ucr == 10 * (LIMIT_UCR + 1)
        assert len(customer.journal("grant")) == 10
        assert uuid.UUID(str(ids[0])) == ids[0]
