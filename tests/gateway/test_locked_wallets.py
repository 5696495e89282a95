"""A wallet that somebody keeps locked: its own calls wait, nobody else's do, nothing is lost."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg

from tests.databases import Database, rows
from tests.gateway.conftest import Payer

LOCK = "SELECT FROM ledger.wallet WHERE id = %s FOR UPDATE"


def test_a_settle_waits_for_its_wallet_and_the_answer_is_not_lost(
    payer: Payer, gateway_database: Database
) -> None:
    with ThreadPoolExecutor(1) as pool, psycopg.connect(gateway_database.owner_url) as owner:
        answer = pool.submit(payer.say, "[[sandbox latency_ms=800]] hello")
        held = "SELECT FROM ledger.hold WHERE wallet_id = %s"
        while not rows(held, payer.workspace_id):
            assert not answer.done()
        with owner.transaction():
            owner.execute(LOCK, [payer.workspace_id])
            owner.execute("SELECT pg_sleep(2.5)")
            assert not answer.done()
        assert answer.result().status_code == 200
    [usage] = payer.usage()
    assert (usage["status"], usage["charge_ucr"] > 0) == ("succeeded", True)
    assert payer.balance() == (1_000_000_000 - usage["charge_ucr"], 0)


def test_a_hold_on_a_locked_wallet_is_refused_soon_and_others_go_on(
    make_payer: Callable[..., Payer], gateway_database: Database
) -> None:
    locked, free = make_payer(), make_payer()
    free.say("hello")
    with psycopg.connect(gateway_database.owner_url) as owner, owner.transaction():
        owner.execute(LOCK, [locked.workspace_id])
        with ThreadPoolExecutor(9) as pool:
            refused = [pool.submit(locked.say, "hello") for _ in range(8)]
            began = time.monotonic()
            assert free.say("hello").status_code == 200
            waited_s = time.monotonic() - began
            answers = [future.result() for future in refused]
    assert {answer.status_code for answer in answers} == {503}
    assert {answer.headers["retry-after"] for answer in answers} == {"2"}
    assert waited_s < 5  # not a measure of speed: one wait for the lock each would be over 16 s
    assert {row["status"] for row in locked.usage()} <= {"refused"}
    assert locked.balance() == (1_000_000_000, 0)
